//! What the answer of a check costs: made of a verdict, and encoded.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use keyward::domain::allowance::{Allowance, State};
use keyward::domain::bearer::Bearer;
use keyward::domain::identity::Onward;
use keyward::domain::limit::{Length, Per};
use keyward::domain::name::{KeyId, OwnerId, RealmId, Scope, Word};
use keyward::domain::owner::Owner;
use keyward::domain::reason::Reason;
use keyward::domain::time::StoreTime;
use keyward::domain::verdict::{Grant, Refusal};
use keyward::domain::window::Force;
use keyward::grpc::status::{Caller, answer};

use crate::medians;

const REALM: &str = "
realm: bench
hosts: [bench.test]
credentials: [{header: authorization, scheme: Bearer}]
keys: [{prefix: bench_, alphabet: base62, length: 40}]
routes: [{prefix: /}]
";

/// Prints a row for each.
pub(crate) fn measure() {
    let limited = Refusal { allowances: allowances(State::Exceeded), retry_after: Some(Duration::from_secs(7)), ..Reason::Limited.into() };
    let verdicts = [
        ("a key's grant, two limits told", Ok(grant(allowances(State::Counted)))),
        ("a key's grant, no limits", Ok(grant(Vec::new()))),
        ("unknown", Err(Reason::Unknown.into())),
        ("limited", Err(limited)),
    ];
    println!("\n{:<34} {:>6} {:>11} {:>16}", "CheckResponse", "bytes", "made", "made, encoded");
    for (name, verdict) in verdicts {
        let [made, encoded] = medians([&|| drop(black_box(answer(black_box(&verdict), Caller::Http))), &|| {
            drop(black_box(answer(black_box(&verdict), Caller::Http).encode()));
        }]);
        println!("{name:<34} {:>6} {made:>11.0} {encoded:>16.0}", answer(&verdict, Caller::Http).encode().message().len());
    }
}

fn grant(allowances: Vec<Allowance>) -> Grant {
    let realm = Arc::new(keyward::config::realm("bench.yaml", REALM).unwrap_or_else(|problems| panic!("{problems}")));
    let owner = Owner {
        realm: RealmId::parse("bench").unwrap(),
        id: OwnerId::parse("acme").unwrap(),
        name: String::new(),
        plan: None,
        limits: Box::default(),
        created: StoreTime(0),
        disabled: None,
        revision: 1,
        generation: 0,
    };
    let bearer = Bearer {
        key: KeyId::parse("key_0190f3a1b2c3d4e5").unwrap(),
        environment: Some(Word::parse("live").unwrap()),
        kind: None,
        plan: None,
        tenant: None,
        scopes: ["bookings:read", "bookings:write"].map(|scope| Scope::parse(scope).unwrap()).into(),
        special: None,
        expires: None,
        revoked: false,
        secret: 1,
        generation: 0,
        owner: Arc::new(owner),
    };
    let onward = Onward { set: vec![("x-owner".into(), "acme".into())], remove: vec!["authorization".into()], ..Onward::default() };
    Grant { allowances, cost: 1, ..Grant::new(realm, Some(Arc::new(bearer)), onward) }
}

fn allowances(state: State) -> Vec<Allowance> {
    let allowance = |limit: &str, per, most, length| Allowance {
        limit: Word::parse(limit).unwrap(),
        per,
        most,
        length: Length::Sliding(length),
        left: 17,
        more_in: Duration::from_secs(7),
        force: Force::Enforced,
        state,
    };
    vec![allowance("minute", Per::Key, 1000, 60_000), allowance("hour", Per::Owner, 40_000, 3_600_000)]
}
