//! Limits that count and refuse nothing.

use keyward::domain::window::{Force, Spec, Told};
use keyward::store::Charge;

use super::super::both::Both;
use super::{Case, HOUR, MINUTE, T, charge, granted, one, refused, subject, told};

pub(super) const CASES: &[Case] = &[a_shadow_counts_what_it_would_admit, nobody_waits_for_a_shadow, a_shadow_alone_grants_what_is_wanted];

const SHADOW: Spec = Spec { force: Force::Shadow, ..MINUTE };

fn with(specs: &[Spec], want: u32, cost: u32) -> Charge {
    Charge { cost, ..charge(vec![subject(Some("key_1"), specs)], want) }
}

fn a_shadow_counts_what_it_would_admit(both: &mut Both) -> Result<(), String> {
    let specs = [SHADOW, HOUR];
    granted(both, T, &with(&specs, 9, 1), (5, &[T, T], &[0, 95]))?;
    let uncounted = Told { slot: None, left: 0, more_in_ms: 60_049 };
    told(both, T + 1, &with(&specs, 3, 3), (3, 50), &[uncounted, Told { slot: Some(T), left: 92, more_in_ms: 3_600_050 }])?;
    let half = Told { slot: None, left: 5, more_in_ms: 0 };
    told(both, T + 60_050, &with(&specs, 6, 6), (6, 50), &[half, Told { slot: Some(T), left: 86, more_in_ms: 3_600_050 }])?;
    granted(both, T + 60_050, &with(&specs, 5, 5), (5, &[T + 60_050, T], &[0, 81]))
}

fn nobody_waits_for_a_shadow(both: &mut Both) -> Result<(), String> {
    let long = Spec { force: Force::Shadow, most: 5, ..HOUR };
    granted(both, T, &with(&[MINUTE, long], 5, 5), (5, &[T, T], &[0, 0]))?;
    refused(both, T, &with(&[MINUTE, long], 1, 1), (Some(60_050), &[0, 0]))?;
    refused(both, T, &with(&[long, MINUTE], 6, 6), (None, &[0, 0]))
}

fn a_shadow_alone_grants_what_is_wanted(both: &mut Both) -> Result<(), String> {
    granted(both, T, &one(SHADOW, 5), (5, &[T], &[0]))?;
    granted(both, T, &Charge { share: 7, ..one(SHADOW, 400) }, (400, &[], &[0]))?;
    granted(both, T, &Charge { share: 4, ..with(&[SHADOW, HOUR], 80, 1) }, (25, &[T], &[0, 75]))
}
