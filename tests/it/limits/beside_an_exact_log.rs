//! How much is admitted of what an exact log would admit, over four real processes: printed, as it depends on the machine. What can be
//! promised of it is asserted by the simulation.

use std::time::{Duration, Instant};

use super::clients::{Attacker, Clients, Manners, Upstream};
use super::records::{Answer, exact_log};
use super::table::{Counts, Limit, Per, Plan, worst_windows};
use super::world::World;
use crate::support::campaign::{figure, is_full};
use crate::support::member::Launch;

const fn per_key(most: usize, seconds: u64) -> Limit {
    Limit { per: Per::Key, most, window: Duration::from_secs(seconds), counts: Counts::All }
}

const BOUNDED: &[Plan] = &[Plan { name: "two", limits: &[per_key(200, 2)], keys: 1, owners: 1 }];
/// The last has twice the slots of the others.
const FULL: &[Plan] = &[
    Plan { name: "ten", limits: &[per_key(1000, 10)], keys: 1, owners: 1 },
    Plan { name: "sixty", limits: &[per_key(6000, 60)], keys: 1, owners: 1 },
    Plan { name: "ninety", limits: &[per_key(9000, 90)], keys: 1, owners: 1 },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_admitted_comes_near_an_exact_log() {
    for plan in if is_full() { FULL } else { BOUNDED } {
        for tenths in [30, 8] {
            ratio(plan, tenths).await;
        }
    }
}

/// At so many tenths of what the limit lets pass, evenly over three windows.
async fn ratio(plan: &Plan, tenths: usize) {
    let world = World::start(&[*plan], &Launch::Binary, &[]).await;
    let limit = plan.limits[0];
    let clients = Clients::new(&world.addresses(), Manners::Patient, Upstream::Works);
    let length = limit.window * 3;
    let mut attacker = Attacker::new(&clients, Instant::now() + length + Duration::from_secs(1));
    attacker.ask(&world.owners[0].keys, limit.most * 3 * tenths / 10, length).await;
    attacker.done().await;
    let records = clients.records();
    let admitted = records.iter().filter(|record| record.answer == Answer::Admitted).count();
    let exact = exact_log(records.iter().map(|record| record.sent).collect(), limit.most, limit.window);
    let worst = worst_windows(&world.owners, &records)[0];
    #[allow(clippy::cast_precision_loss, reason = "printed")]
    let (ratio, load) = (admitted as f64 / exact as f64, tenths as f64 / 10.0);
    let what = format!("{load} x the limit of {}/{:?}: admitted ÷ exact log; worst window ÷ limit", limit.most, limit.window);
    figure("2", &what, &format!("{ratio:.3} ({admitted} of {exact}); {:.3}", worst.ratio()));
    assert!(worst.ratio() <= 1.0, "{worst}");
    assert!(admitted * 2 > exact, "hardly anybody was admitted");
}
