//! What a store may say instead of an answer.

use crate::domain::name::Word;

/// Each is a sentence for the operator; `grpc/status.rs` has the table of codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("the store is away: {0}")]
    Unavailable(String),
    /// Of this replica's making, unlike the one above: it stands for no stance.
    #[error("too many calls of the store wait already")]
    Overloaded,
    #[error("the store cannot be used: {0}")]
    Unfit(String),
    #[error("it changed meanwhile: read it again and repeat")]
    Conflict,
    #[error("others kept changing something before this could be done: repeat it")]
    Late,
    #[error("{0} exists already")]
    Exists(String),
    #[error("another key of this realm has this secret")]
    SecretTaken,
    #[error("this request id was used within 24 hours for another request: use a new one")]
    RequestIdReused,
    #[error("this was done before and can be done only once")]
    DoneBefore,
    #[error("pepper version {0} is not the one that this store's keys were made under: start with that one")]
    OtherPepper(Word),
    #[error(
        "secrets may be under the pepper version {0}, and this replica does not have it: put its line back into the pepper file, or withdraw \
         it first at a replica that has it (`keyward pepper withdraw {0}`); where nobody has it any more, a line `{0}:lost` says so"
    )]
    PepperMissing(Word),
    #[error("pepper version {0} was withdrawn, and nothing is made under it again: put a new pepper first into the pepper file")]
    PepperWithdrawn(Word),
    #[error(
        "pepper version {0} is the one that new secrets are put under: put a new one first into every pepper file, restart the replicas, and \
         withdraw this one when the other is in use"
    )]
    PepperInUse(Word),
    #[error("no replica ever had a pepper of this version: ask for the status of the peppers to see which there are")]
    NoPepper(Word),
    #[error("the store holds what this version cannot read: {0}")]
    Corrupt(String),
}
