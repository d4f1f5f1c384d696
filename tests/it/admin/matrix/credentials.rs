//! What the matrix calls with, and what it is answered.

use std::collections::{BTreeMap, HashMap};

use keyward::config;
use keyward::proto::keyward::admin::v1::{DisableOwnerRequest, RevokeKeyRequest};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use super::super::certified::{self, BINDINGS, HEADER};
use super::super::world::{World, reason};
use super::{Bytes, Cell, Code, Duration, Names, ROLES, Row, STREAMS};
use crate::support::raw_codec::RawCodec;

/// What a call shows of who makes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Credential {
    /// Why, for whoever reads a failure.
    said: String,
    authorization: Vec<MetadataValue<Ascii>>,
    certificate: Option<String>,
}

/// A token for each role and binding, in one or several states.
pub(super) struct Tokens(HashMap<(String, &'static str, &'static str), String>);

/// What a call was answered.
#[derive(Debug)]
pub(super) struct Answer(Result<Bytes, Status>);

/// Stands for an answer that is a stream.
const STREAM: &[u8] = b"a stream";

impl Tokens {
    pub(super) async fn good(world: &World) -> Self {
        let mut all = Self(HashMap::new());
        all.make(world, "good").await;
        all
    }

    /// Tokens that were good once: those that have expired, those that are revoked, those of a disabled owner.
    pub(super) async fn bad(world: &World) -> Self {
        let mut all = Self(HashMap::new());
        all.make(world, "expired").await;
        world.time.pass(Duration::from_hours(1));
        all.make(world, "revoked").await;
        all.make(world, "disabled").await;
        let name = "realms/keyward/owners/disabled".to_owned();
        world.owners().disable_owner(world.ask(DisableOwnerRequest { name, ..Default::default() })).await.unwrap();
        all
    }

    async fn make(&mut self, world: &World, state: &str) {
        for role in ROLES {
            for (binding, bound_to) in BINDINGS {
                let scopes: &[&str] = if role == "none" { &[] } else { &[role] };
                let made = world.bound_token(state, scopes, bound_to).await;
                if state == "revoked" {
                    let name = made.key.unwrap().name;
                    world.keys().revoke_key(world.ask(RevokeKeyRequest { name, ..Default::default() })).await.unwrap();
                }
                self.0.insert((state.into(), role, binding), made.secret);
            }
        }
    }

    pub(super) fn of(&self, role: &'static str, binding: &'static str) -> Credential {
        Credential::token("a token", &self.0[&("good".to_owned(), role, binding)])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Credential> {
        self.0.iter().map(|((state, role, binding), token)| Credential::token(&format!("{state}, {role}, {binding}"), token))
    }
}

impl Credential {
    fn token(said: &str, token: &str) -> Self {
        Self { said: said.into(), authorization: vec![format!("Bearer {token}").parse().unwrap()], certificate: None }
    }

    /// Nobody is let in without a role.
    pub(super) fn certificate(role: &str, binding: &str) -> Option<Self> {
        (role != "none").then(|| Self::shown(&certified::name(role, binding)))
    }

    fn shown(names: &str) -> Self {
        Self { said: format!("the certificate {names}"), authorization: Vec::new(), certificate: Some(names.into()) }
    }

    /// None, and what was never good; and what is no good token beside a certificate that would be.
    pub(super) fn odd(world: &World) -> impl Iterator<Item = Self> + use<> {
        let (good, admin) = (world.admin.clone(), certified::name("admin", "none"));
        // of the right form, checksum and all
        let unknown = config::admin_realm().formats[0].mint(getrandom::fill).unwrap();
        let unknown = String::from_utf8(unknown.expose().to_vec()).unwrap();
        let typo = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
        let of = |said: &str, values: &[String]| Self {
            said: said.into(),
            authorization: values.iter().map(|value| value.parse().unwrap()).collect(),
            certificate: None,
        };
        let bearer = |token: &str| format!("Bearer {token}");
        let tokens = [
            of("an empty header", &[String::new()]),
            of("another scheme", &[format!("Basic {good}")]),
            of("no scheme", std::slice::from_ref(&good)),
            of("no token", &[bearer("")]),
            of("no token at all", &[bearer("kwa_x")]),
            of("a typo", &[bearer(&typo)]),
            of("two tokens", &[bearer(&good), bearer(&good)]),
            of("an unknown token", &[bearer(&unknown)]),
        ];
        let beside =
            tokens.clone().map(|token| Self { certificate: Some(admin.clone()), said: format!("{}, certified", token.said), ..token });
        let two = format!("{admin} {}", certified::name("viewer", "none"));
        let strangers = ["spiffe://test/admin", "spiffe://test/admin/none/", "SPIFFE://test/admin/none", "test.admin.none", &two];
        let strangers = strangers.map(Self::shown);
        tokens.into_iter().chain(beside).chain(strangers).chain([of("nothing", &[])])
    }

    pub(super) async fn call(&self, world: &World, row: &Row, names: &Names) -> Answer {
        let mut request = Request::new(Bytes::from((row.send)(names)));
        for value in &self.authorization {
            request.metadata_mut().append("authorization", value.clone());
        }
        if let Some(certificate) = &self.certificate {
            request.metadata_mut().insert(HEADER, certificate.parse().unwrap());
        }
        let mut client = tonic::client::Grpc::new(world.channel());
        client.ready().await.unwrap();
        let path = format!("/keyward.admin.v1.{}", row.rpc).parse().unwrap();
        if STREAMS.contains(&row.rpc) {
            return Answer(client.server_streaming(request, path, RawCodec).await.map(|_| Bytes::from_static(STREAM)));
        }
        Answer(client.unary(request, path, RawCodec).await.map(tonic::Response::into_inner))
    }
}

impl Answer {
    pub(super) fn cell(&self) -> Cell {
        let status = match &self.0 {
            Ok(message) if message.is_empty() => return Cell::Empty,
            Ok(message) if message == STREAM => return Cell::Streams,
            Ok(_) => return Cell::Done,
            Err(status) => status,
        };
        let (code, reason) = reason(status);
        match (code, reason.as_str()) {
            (Code::NotFound, "REALM_NOT_FOUND") => Cell::NoRealm,
            (Code::NotFound, "KEY_NOT_FOUND") => Cell::NoKey,
            (Code::NotFound, "OWNER_NOT_FOUND") => Cell::NoOwner,
            (Code::FailedPrecondition, "OWNER_MISSING") => Cell::OwnerMissing,
            (Code::Aborted, "ETAG_MISMATCH") => Cell::Stale,
            (Code::FailedPrecondition, "NOT_ROLLED_BACK") => Cell::NotRolledBack,
            (Code::NotFound, "PEPPER_NOT_FOUND") => Cell::NoPepper,
            (Code::PermissionDenied, "BOUND") => Cell::Bound,
            (Code::PermissionDenied, "ADMIN_ONLY") => Cell::AdminOnly,
            (Code::PermissionDenied, "ROLE_MISSING") => Cell::RoleMissing,
            (Code::Unauthenticated, "TOKEN_REFUSED") => Cell::TokenRefused,
            _ => panic!("no cell of the table: {status:?}"),
        }
    }

    /// All that it tells, with the names that were asked for left out.
    pub(super) fn told(&self, names: &Names) -> String {
        let status = match &self.0 {
            Ok(message) => return format!("{message:?}"),
            Err(status) => status,
        };
        let details = status.get_error_details();
        let about = details.error_info().unwrap();
        let metadata: BTreeMap<_, _> = about.metadata.iter().collect();
        let headers: BTreeMap<String, usize> =
            status.metadata().keys().map(|key| (format!("{key:?}"), 1)).filter(|(key, _)| !key.contains("date")).collect();
        let rest = (details.bad_request(), details.resource_info(), details.precondition_failure(), details.retry_info());
        let told = format!("{:?} {} {} {metadata:?} {rest:?} {headers:?}", status.code(), status.message(), about.reason);
        let length = status.details().len();
        names.left_out(&format!("{told} {length}"))
    }
}
