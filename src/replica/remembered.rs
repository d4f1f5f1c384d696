//! How a session makes a memory forget.

use crate::revocation::{Memory, Touched};

/// The memory of records, as a session makes it forget.
pub trait Remembered: Send + Sync {
    /// Forgets what an entry of the log touches, before it returns.
    fn forget(&self, touched: &Touched);
    fn forget_all(&self);
}

/// All that a session tells of the log, in this order.
pub struct Told<const N: usize>(pub [std::sync::Arc<dyn Remembered>; N]);

impl<const N: usize> Remembered for Told<N> {
    fn forget(&self, touched: &Touched) {
        self.0.iter().for_each(|memory| memory.forget(touched));
    }

    fn forget_all(&self) {
        self.0.iter().for_each(|memory| memory.forget_all());
    }
}

pub(super) struct Forgetting<'a>(pub(super) &'a dyn Remembered);

impl Memory for Forgetting<'_> {
    fn forget(&mut self, touched: &Touched) {
        self.0.forget(touched);
    }

    fn forget_all(&mut self) {
        self.0.forget_all();
    }
}
