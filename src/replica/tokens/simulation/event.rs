//! What happens in a world, and between whom.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::domain::time::BootTime;
use crate::replica::tokens::purse::Drawn;
use crate::replica::tokens::terms::Terms;
use crate::store::{Charge, Return, Taken};

/// What happens.
pub(super) enum Event {
    Check(usize),
    AtStore(Call, Charge),
    Answer(Call, Taken),
    Spend(Charged),
    Gone(Rc<Cell<bool>>),
    Tidy(usize),
    Crash(usize),
    Settle(Vec<Return>),
    Learn(usize),
    Lowered,
}

/// A check that has its tokens.
pub(super) struct Charged {
    pub node: usize,
    pub life: u64,
    pub key: usize,
    pub drawn: Drawn,
    /// What its replica knew of limits when it began.
    pub begun: u64,
    pub gone: Rc<Cell<bool>>,
}

/// A call that is under way.
#[derive(Clone)]
pub(super) struct Call {
    pub node: usize,
    pub life: u64,
    pub key: usize,
    pub terms: Arc<Terms>,
    pub sent: BootTime,
}
