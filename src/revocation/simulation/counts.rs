//! What happened in schedules: nothing is proved by schedules in which nothing happens.

macro_rules! counts {
    ($($name:ident),* $(,)?) => {
        /// How often each thing happened.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(super) struct Counts {
            $(pub(super) $name: u64,)*
        }

        impl Counts {
            pub(super) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// By name.
            pub(super) fn each(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

counts! {
    schedules, events,
    admits, refusals, no_lease, judged_after_return, refused_after_return,
    returns, fast_returns, timer_returns, not_guaranteed, repeated,
    renewals, pages, jumps, lost, rolled_back, contradictions,
    pushes, acknowledgements, dismissals, dismissed, vouched,
    fills, sound, ahead, stale,
    failovers, flaps, demotions, refused_writes,
    cuts, pauses, suspensions, crashes, overlaps, restarts, restores, resumptions, voided,
}
