//! A secret is presented at a gate that has never seen it, beside an admin port in this process.

use std::time::Duration;

use keyward::domain::reason::Reason;
use keyward::domain::request::{Headers, Request};
use tokio::time::Instant;

use super::world::{World, gate};

/// Whether it passes to Otesse's bookings.
pub async fn bookings(world: &World, secret: &str) -> Result<(), Reason> {
    let bearer = format!("Bearer {secret}");
    let request = Request {
        method: b"GET",
        path: b"/v1/bookings",
        host: b"api.otesse.com",
        scheme: b"https",
        headers: Headers(vec![(b"authorization", bearer.as_bytes()), (b"x-envoy-external-address", b"192.0.2.7")]),
        peer: Some("192.0.2.7".parse().unwrap()),
        ..Request::default()
    };
    let fresh = gate(&world.store, &world.realms, &world.guard);
    let decided = fresh.decide(&request, Instant::now() + Duration::from_secs(30)).await;
    decided.map(drop).map_err(|refusal| refusal.reason)
}
