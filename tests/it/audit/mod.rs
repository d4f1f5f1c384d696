//! The audit log in the hands of somebody who may write into the store and lacks the pepper: whatever is done to it, `VerifyAudit` finds it,
//! given where the log was seen to end.

mod campaign;
mod kept;
mod tampering;
