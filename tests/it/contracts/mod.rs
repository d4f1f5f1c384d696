//! The four vendors' contracts, case by case, through a real Envoy: `make contracts` prints them as a table.
//!
//! A case is a line for the shell, as a reader of the vendor's document would paste it: `curl` finds the local Envoy by its own
//! configuration file (`support::shell`). What is expected and what was got are written in one way ([`told`]), and every case observes
//! three things that none may forget: whether the upstream saw the request, who it was told is asking, and that no secret that was ever
//! made stands anywhere in what it received.
//!
//! A refusal may overtake the body that it refuses; curl before 8 takes that for an error under HTTP/2, so such lines ask for HTTP/1.1.
//!
//! What the upstream answers comes back in Envoy's access log, a moment after the answer: where a case depends on it, it waits until it was
//! settled.
//!
//! Not covered are the logs that two of the dashboards show: every change is written to the audit, and nothing reads it yet; what is
//! tested of them is that a key's record keeps when it was revoked.

mod azotte;
mod control;
mod ocote;
mod ocus;
mod otesse;
mod stage;
mod table;
mod told;

use stage::{Engine, Stage};

/// A realm's file, changed where a case needs it, and its cases.
struct Contract {
    realm: &'static str,
    edit: fn(&str) -> String,
    cases: fn(&mut Stage),
}

#[test]
fn ocote_on_embedded() {
    play(&ocote::CONTRACT, Engine::Embedded);
}

#[test]
fn ocote_on_redis() {
    play(&ocote::CONTRACT, Engine::Redis);
}

#[test]
fn otesse_on_embedded() {
    play(&otesse::CONTRACT, Engine::Embedded);
}

#[test]
fn otesse_on_redis() {
    play(&otesse::CONTRACT, Engine::Redis);
}

#[test]
fn ocus_on_embedded() {
    play(&ocus::CONTRACT, Engine::Embedded);
}

#[test]
fn ocus_on_redis() {
    play(&ocus::CONTRACT, Engine::Redis);
}

#[test]
fn azotte_on_embedded() {
    play(&azotte::CONTRACT, Engine::Embedded);
}

#[test]
fn azotte_on_redis() {
    play(&azotte::CONTRACT, Engine::Redis);
}

/// Plays a contract, unless `KEYWARD_STORE` asks for the other store alone.
fn play(contract: &Contract, engine: Engine) {
    if std::env::var("KEYWARD_STORE").is_ok_and(|only| only != engine.name()) {
        return;
    }
    let mut stage = Stage::start(contract.realm, contract.edit, engine);
    (contract.cases)(&mut stage);
    stage.close();
}
