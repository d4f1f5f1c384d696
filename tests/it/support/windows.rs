//! How much is counted in the windows of an owner or a key, read as a replica would: by a charge that takes nothing.

use std::time::Duration;

use keyward::domain::name::{KeyId, OwnerId, RealmId};
use keyward::domain::window::{Force, Span, Spec, slot_ms};
use keyward::store::{Charge, Generations, Store, Subject, SubjectName, Taken};

/// Whose windows.
pub struct Of<'a> {
    pub realm: &'a str,
    pub owner: &'a str,
    /// `None`: the owner itself.
    pub key: Option<&'a str>,
}

/// What is counted in windows of these lengths and limits.
pub async fn counted(store: &dyn Store, of: &Of<'_>, windows: &[(Duration, u32)]) -> Vec<u32> {
    let spec = |(length, most): &(Duration, u32)| {
        let length_ms = u32::try_from(length.as_millis()).unwrap();
        Spec { most: *most, span: Span::Sliding { length_ms, slot_ms: slot_ms(length_ms, *most) }, force: Force::Enforced }
    };
    let name = SubjectName {
        realm: RealmId::parse(of.realm).unwrap(),
        owner: OwnerId::parse(of.owner).unwrap(),
        key: of.key.map(|key| KeyId::parse(key).unwrap()),
    };
    let subject = Subject { name, generation: 0, windows: windows.iter().map(spec).collect() };
    let ttl = Duration::from_millis(1);
    let charge = Charge { subjects: vec![subject], want: 0, cost: 0, ttl, share: 1, generations: Generations::Heard, returns: Vec::new() };
    match store.take(&[charge]).await.unwrap().remove(0) {
        Taken::Granted { windows: told, .. } | Taken::Refused { windows: told, .. } => {
            windows.iter().zip(told).map(|((_, most), told)| most - told.left).collect()
        }
        other => panic!("the windows cannot be read: {other:?}"),
    }
}
