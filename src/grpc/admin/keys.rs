//! `KeyService`.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use super::super::admin_auth::{called, caller};
use super::asked::{self, Change};
use super::fields::Fields;
use super::mask::Masked as _;
use super::{explain, filters, import, many, names, page, shown, update};
use crate::domain::key::Secret;
use crate::gate::Gate;
use crate::keyring::{Keyring, KeyringError, KeysOf, Rotated};
use crate::proto::keyward::admin::v1::key_service_server::KeyService;
use crate::proto::keyward::admin::v1::{
    CreateKeyRequest, CreateKeyResponse, DeleteKeyRequest, DeleteKeyResponse, EnableKeyRequest, EnableKeyResponse, ExplainCheckRequest,
    ExplainCheckResponse, GetKeyRequest, GetKeyResponse, ImportKeysRequest, ImportKeysResponse, Key, ListKeysRequest, ListKeysResponse,
    RetireSecretsRequest, RetireSecretsResponse, RevokeKeyRequest, RevokeKeyResponse, RevokeKeysRequest, RevokeKeysResponse,
    RotateKeyRequest, RotateKeyResponse, UpdateKeyRequest, UpdateKeyResponse,
};
use crate::store::{Page, by_owner};

/// The service.
#[derive(Debug)]
pub struct Keys(pub(super) Arc<Keyring>, pub(super) Arc<Gate>);

#[tonic::async_trait]
impl KeyService for Keys {
    async fn create_key(&self, request: Request<CreateKeyRequest>) -> Result<Response<CreateKeyResponse>, Status> {
        let caller = caller(&request)?;
        let new = asked::new_key(request.into_inner())?;
        let created = self.0.create_key(&caller, &new).await?;
        let secret = created.secret.as_ref().map(text).unwrap_or_default();
        Ok(Response::new(CreateKeyResponse {
            key: Some(shown::key(self.0.told(created.record).await)),
            secret,
            replayed: created.replayed,
        }))
    }

    async fn get_key(&self, request: Request<GetKeyRequest>) -> Result<Response<GetKeyResponse>, Status> {
        let caller = caller(&request)?;
        let GetKeyRequest { name, read_mask } = request.into_inner();
        let mut fields = Fields::default();
        let target = fields.take("name", names::key(&name));
        fields.take("read_mask", Key::known(read_mask.as_ref()));
        let record = self.0.key(&caller, &fields.all(target)?).await?;
        let uses = self.0.last_uses(&record).await?;
        let seen = self.0.seen(record).await?;
        Ok(Response::new(GetKeyResponse { key: Some(shown::used_key(seen, &uses).masked(read_mask.as_ref())) }))
    }

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let question = asked::question("ListKeys", &ListKeysRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let (asked, page) = listed(&request, &question)?;
        let listing = self.0.keys(&caller, &asked, &page).await?;
        let items = listing.items.into_iter().map(|seen| {
            let place = by_owner(&seen.record.owner, &seen.record.id);
            (place, shown::key(seen).masked(request.read_mask.as_ref()))
        });
        let (keys, next) = page::cut(items, listing.next);
        Ok(Response::new(ListKeysResponse { keys, next_page_token: page::token(next.as_deref(), &question) }))
    }

    async fn update_key(&self, request: Request<UpdateKeyRequest>) -> Result<Response<UpdateKeyResponse>, Status> {
        let caller = caller(&request)?;
        let update = update::key(request.into_inner())?;
        let changed = self.0.update_key(&caller, &update.target, &update.fields, &update.terms).await?;
        Ok(Response::new(UpdateKeyResponse {
            key: Some(shown::key(self.0.told(changed.now).await)),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn revoke_key(&self, request: Request<RevokeKeyRequest>) -> Result<Response<RevokeKeyResponse>, Status> {
        let caller = caller(&request)?;
        let RevokeKeyRequest { name, etag, request_id, cause } = request.into_inner();
        let asked = Change { name: &name, etag: &etag, request_id: &request_id, more: &cause.to_be_bytes() };
        let ((target, terms), cause) = (asked::change("RevokeKey", &asked, names::key)?, asked::cause(cause)?);
        let changed = self.0.revoke(&caller, &target, cause, &terms).await?;
        Ok(Response::new(RevokeKeyResponse {
            key: Some(shown::key(self.0.told(changed.now).await)),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn rotate_key(&self, request: Request<RotateKeyRequest>) -> Result<Response<RotateKeyResponse>, Status> {
        let caller = caller(&request)?;
        let (target, grace, terms) = asked::rotation(request.into_inner())?;
        let Rotated { changed, secret } = self.0.rotate(&caller, &target, grace, &terms).await?;
        Ok(Response::new(RotateKeyResponse {
            key: Some(shown::key(self.0.told(changed.now).await)),
            replayed: secret.is_none(),
            secret: secret.as_ref().map(text).unwrap_or_default(),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn retire_secrets(&self, request: Request<RetireSecretsRequest>) -> Result<Response<RetireSecretsResponse>, Status> {
        let caller = caller(&request)?;
        let RetireSecretsRequest { name, numbers, etag, request_id } = request.into_inner();
        let more: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let asked = Change { name: &name, etag: &etag, request_id: &request_id, more: &more };
        let (target, terms) = asked::change("RetireSecrets", &asked, names::key)?;
        let changed = self.0.retire(&caller, &target, &numbers, &terms).await?;
        Ok(Response::new(RetireSecretsResponse {
            key: Some(shown::key(self.0.told(changed.now).await)),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn enable_key(&self, request: Request<EnableKeyRequest>) -> Result<Response<EnableKeyResponse>, Status> {
        let caller = caller(&request)?;
        let EnableKeyRequest { name, etag, request_id } = request.into_inner();
        let asked = Change { name: &name, etag: &etag, request_id: &request_id, more: &[] };
        let (target, terms) = asked::change("EnableKey", &asked, names::key)?;
        let changed = self.0.enable_key(&caller, &target, &terms).await?;
        Ok(Response::new(EnableKeyResponse {
            key: Some(shown::key(self.0.told(changed.now).await)),
            position: changed.position.unwrap_or(0),
        }))
    }

    async fn delete_key(&self, request: Request<DeleteKeyRequest>) -> Result<Response<DeleteKeyResponse>, Status> {
        let caller = caller(&request)?;
        let DeleteKeyRequest { name, etag, request_id } = request.into_inner();
        let asked = Change { name: &name, etag: &etag, request_id: &request_id, more: &[] };
        let (target, terms) = asked::change("DeleteKey", &asked, names::key)?;
        let deleted = self.0.delete_key(&caller, &target, &terms).await?;
        Ok(Response::new(DeleteKeyResponse { position: deleted.position, guarantee: Some(shown::guarantee(deleted.guarantee)) }))
    }

    async fn revoke_keys(&self, request: Request<RevokeKeysRequest>) -> Result<Response<RevokeKeysResponse>, Status> {
        let caller = caller(&request)?;
        let many = many::asked(request.into_inner())?;
        let ending = self.0.revoke_many(&caller, (&many.realm, &many.which), many.cause, many.run).await?;
        Ok(Response::new(many.answered(ending)))
    }

    async fn explain_check(&self, request: Request<ExplainCheckRequest>) -> Result<Response<ExplainCheckResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(explain::explain((&self.0, &self.1), &caller, request.into_inner()).await?))
    }

    async fn import_keys(&self, request: Request<Streaming<ImportKeysRequest>>) -> Result<Response<ImportKeysResponse>, Status> {
        let called = called(&request)?;
        import::import(&self.0, called, request.into_inner()).await.map(Response::new)
    }
}

/// A secret of any format is ASCII.
pub(super) fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

fn listed(request: &ListKeysRequest, question: &page::Question) -> Result<(KeysOf, Page), KeyringError> {
    let mut fields = Fields::default();
    let asked = filters::keys(&mut fields, request);
    let order = filters::order(&mut fields, "owner", &request.order_by);
    fields.take("read_mask", Key::known(request.read_mask.as_ref()));
    let page = page::asked(&mut fields, request.page_size, &request.page_token, question);
    let page = page.zip(order).map(|(page, order)| Page { order, ..page });
    fields.all(asked.zip(page))
}
