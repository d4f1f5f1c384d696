//! USE CASE 2: keys and owners are made, read and ended, by callers whose admin token or certificate says that they may. A file a verb; every
//! verb is a ladder from what was asked to one commit. Its first step asks [`read`] for a realm, a key or an owner, as far as that is there for
//! its caller.

mod audit;
mod bootstrap;
mod caller;
mod contract;
mod create;
mod delete;
mod draft;
mod edit;
mod error;
mod explain;
mod filter;
mod guarantee;
mod import;
mod kept;
mod lasting;
mod leak;
mod list;
mod mint;
mod owners;
mod peppers;
mod reach;
mod read;
mod readers;
mod reading;
mod refusals;
mod revocation;
mod revoke;
mod revoke_many;
mod rotate;
mod seen;
mod shapes;
mod terms;
mod unknown;
mod update;
mod upkeep;
mod usage;
mod walk;
mod withdrawn;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use audit::{Noted, Past, Sought};
pub use bootstrap::ADMINS;
pub use caller::{Caller, Role, Sight, Visitor};
pub use contract::too_many;
pub use create::{Created, NewKey};
pub use delete::Deleted;
pub use draft::{KeyDraft, OwnerDraft};
pub use edit::Changed;
pub use error::{KeyringError, Wrong};
pub use filter::{KeyFilter, OwnerFilter};
pub use guarantee::{Guarantee, Guard};
pub use import::{Credential, Import, ImportReport, ImportTerms, MissingOwners, Mode, OnConflict, RefusedRow, Row};
pub use lasting::Called;
pub use leak::Ended;
pub use list::{KeysOf, Listing};
pub use owners::NewOwner;
pub use peppers::{PepperCount, PepperStands, PepperStatus};
pub use reading::Reading;
pub use revocation::{Held, Watch};
pub use revoke_many::{Ending, Run, Which};
pub use rotate::Rotated;
pub use seen::Seen;
pub use terms::{Once, Target, Terms};
pub use unknown::Unknown;
pub use update::{KeyField, OwnerField};
pub use upkeep::EndedSecrets;
pub use usage::{LastUses, Span, Used};
pub use walk::LOOKS;
pub use withdrawn::{Stopping, Withdrawn};

use crate::domain::actor::Certified;
use crate::domain::audit::Who;
use crate::domain::key::Peppers;
use crate::domain::realms::Realms;
use crate::replica::rehash::Rehash;
use crate::replica::sources::Sources;
use crate::store::{AuditNote, SharedStore};

/// Fills bytes with randomness that nobody can foresee.
pub type Randomness = fn(&mut [u8]) -> Result<(), NoRandomness>;

/// The operating system gave no randomness, so nothing secret can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness: {0}")]
pub struct NoRandomness(pub String);

/// Everything that is done with keys and owners but checking them.
pub struct Keyring {
    store: SharedStore,
    realms: Arc<Realms>,
    peppers: Arc<Peppers>,
    randomness: Randomness,
    bootstrap_file: Option<PathBuf>,
    guard: Guard,
    refusals: refusals::Refusals,
    /// Who reports leaks of what no key has, and who shows one-time secrets that are none.
    reporters: Sources,
    guessers: Sources,
    /// Who reads the audit log for long.
    readers: Arc<readers::Readers>,
    certified: Vec<Certified>,
    rehash: Option<Arc<Rehash>>,
    /// How many secrets were under which pepper when they were counted last.
    counted: tokio::sync::Mutex<Option<Arc<peppers::Counted>>>,
}

impl Keyring {
    /// The keyring of these realms, among which is the realm of the admin tokens. The file holds the one-time secret of the bootstrap, and
    /// is read anew at every redemption; without one there is none.
    #[must_use]
    pub fn new(store: SharedStore, realms: Arc<Realms>, peppers: Arc<Peppers>, bootstrap_file: Option<PathBuf>, guard: Guard) -> Self {
        Self {
            store,
            realms,
            peppers,
            randomness: of_the_system,
            bootstrap_file,
            guard,
            refusals: refusals::Refusals::default(),
            reporters: Sources::new(),
            guessers: Sources::new(),
            readers: readers::Readers::new(),
            certified: Vec::new(),
            rehash: None,
            counted: tokio::sync::Mutex::default(),
        }
    }

    /// Mints from other randomness than the operating system's.
    #[must_use]
    pub fn with_randomness(self, randomness: Randomness) -> Self {
        Self { randomness, ..self }
    }

    /// What a caller does, for the audit log.
    fn note(&self, caller: &Caller, action: &'static str, subject: String) -> AuditNote {
        AuditNote { from: caller.from, ..self.noted(Who::By(caller.actor.clone()), action, vec![subject]) }
    }

    /// What somebody does, for the audit log.
    fn noted(&self, who: Who, action: &'static str, subjects: Vec<String>) -> AuditNote {
        AuditNote { who, from: None, action, subjects, refused: None, peppers: self.peppers.clone() }
    }

    /// Has admin tokens put under the pepper in use when they are shown, as keys are that are checked.
    #[must_use]
    pub fn with_rehash(self, rehash: Arc<Rehash>) -> Self {
        Self { rehash: Some(rehash), ..self }
    }

    /// Lets in whoever shows a certificate with one of these names.
    #[must_use]
    pub fn with_certified(self, certified: Vec<Certified>) -> Self {
        Self { certified, ..self }
    }
}

fn of_the_system(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|error| NoRandomness(error.to_string()))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}
