//! Notes for the audit log, and what is read of it.

use std::sync::Arc;

use keyward::domain::audit::Who;
use keyward::domain::key::{Pepper, Peppers};
use keyward::domain::name::{KeyId, Word};
use keyward::store::AuditNote;

/// One pepper of one byte over and over.
pub fn peppers(byte: u8) -> Arc<Peppers> {
    let pepper = Pepper::new(Word::parse(&byte.to_string()).unwrap(), vec![byte; 32]).unwrap();
    Arc::new(Peppers::new(vec![pepper]).unwrap())
}

/// What the admin token `admin_1` did to a subject.
pub fn note(action: &'static str, subject: &str) -> AuditNote {
    let who = Who::By(KeyId::parse("admin_1").unwrap().into());
    AuditNote { who, from: None, action, subjects: vec![subject.to_owned()], refused: None, peppers: peppers(1) }
}
