//! A thousand marked secrets go through a server that says all that it can be made to say, by every way in that there is: minted, imported,
//! presented, rotated, reported, put into fields that are for something else, and into files that cannot be read. Then everything that came out
//! is searched for each: logs, metrics, traces, the audit log, every answer and every error with its details, every line of the command line,
//! and the store's files. They are looked for as they are, in hex, in base64 at each of its three places, percent-encoded and as numbers; so is
//! their plain SHA-256, for what is kept is a keyed hash.
//!
//! What must hold:
//!
//! - A secret is in one answer: that to the call that made it. It is nowhere else, in no form.
//! - An error repeats nothing that was sent, but ids that are well formed and have no secret's shape: a secret may stand in any field, put
//!   there by mistake.
//! - Whoever writes a secret into a field that is kept for people, such as a label, has it there, in the store and in what is read of it. It is
//!   in no log, no metric and no trace all the same.
//! - `ExplainCheck` tells what it saw of the request, for whoever sent it: realm, host, tenant. Never a credential.
//! - Of the one-time secret a plain hash is kept once it is redeemed. It opens nothing any more, and must be known again whatever peppers come
//!   and go.
//! - What is typed as an argument of a command is known to the shell, its history and the list of processes before keyward reads it; so secrets
//!   are never arguments, and what a command says of its arguments is not looked at here. Standard input, files and the environment are.
mod arguments;
mod calls;
mod controls;
mod fields;
mod files;
mod keys;
mod stage;

use stage::{Engine, Stage};

/// So many, at least, on each store.
const ENOUGH: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_marked_secrets_leave_no_trace_on_the_embedded_store() {
    play(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_marked_secrets_leave_no_trace_on_redis() {
    play(Engine::Redis).await;
}

async fn play(engine: Engine) {
    let mut stage = Stage::set(engine);
    keys::minted(&mut stage).await;
    keys::imported(&mut stage);
    keys::rotated_and_reported(&mut stage).await;
    calls::presented(&mut stage).await;
    calls::malformed(&mut stage).await;
    calls::metadata(&mut stage).await;
    fields::in_every_field_of_every_call(&mut stage).await;
    arguments::on_standard_input(&mut stage);
    stage.away().await;
    let marks = stage.marks();
    assert!(marks >= ENOUGH, "{marks} marks are too few");
    stage.searched();
}
