//! What a page of a list costs, through the admin API: the first, one in the middle and the last. A page begins after an id, so all of them should
//! cost the same, however many keys there are; so should pages of a filter, which look at a bounded number of keys.

use std::time::Instant;

use keyward::proto::keyward::admin::v1::bootstrap_service_client::BootstrapServiceClient;
use keyward::proto::keyward::admin::v1::key_service_client::KeyServiceClient;
use keyward::proto::keyward::admin::v1::{BootstrapRequest, ListKeysRequest, ListKeysResponse};
use tokio::runtime::Runtime;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::filled::Filled;
use crate::keys;
use crate::median;
use crate::report::say;

/// `KEYWARD_LIST_KEYS` says another number: `KEYWARD_LIST_KEYS=1000000 cargo bench --bench check -- lists`.
const USUAL: usize = 100_000;
const PAGE: i32 = 100;
/// Of each page; the one in the middle of their times is told.
const RUNS: usize = 15;

pub(crate) fn measure(runtime: &Runtime) {
    let keys = std::env::var("KEYWARD_LIST_KEYS").map_or(USUAL, |keys| keys.parse().unwrap());
    let realms = keys::realm();
    say!(
        "\n{:<44} {:>12} {:>12} {:>12} {:>12}",
        format!("a page of {PAGE} of {keys} keys, in ms"),
        "first",
        "middle",
        "last",
        "keys/s, all"
    );
    for (engine, filled) in
        [("Redis", Filled::redis(runtime, realms.path(), keys)), ("embedded", Filled::embedded(runtime, realms.path(), keys))]
    {
        runtime.block_on(async {
            let mut lister = Lister::new(&filled).await;
            let all = ListKeysRequest { parent: "realms/bench".into(), ..ListKeysRequest::default() };
            for (what, question) in [
                ("by owner", all.clone()),
                ("backwards", ListKeysRequest { order_by: "owner desc".into(), ..all.clone() }),
                ("of an owner", ListKeysRequest { owner: "realms/bench/owners/acme".into(), ..all.clone() }),
                ("a filter that takes none", ListKeysRequest { label: "none".into(), ..all.clone() }),
            ] {
                lister.row(&format!("{engine}, {what}"), keys, question).await;
            }
        });
    }
}

/// An operator's hand.
struct Lister {
    keys: KeyServiceClient<Channel>,
    token: String,
}

impl Lister {
    async fn new(filled: &Filled) -> Self {
        let channel = Endpoint::from_shared(format!("http://{}", filled.keyward.admin)).unwrap().connect().await.unwrap();
        let request = BootstrapRequest { secret: filled.bootstrap_secret() };
        let token = BootstrapServiceClient::new(channel.clone()).bootstrap(request).await.unwrap().into_inner().token;
        Self { keys: KeyServiceClient::new(channel).max_decoding_message_size(64 << 20), token }
    }

    /// Walks through the whole list, and comes back to three of its pages.
    async fn row(&mut self, name: &str, keys: usize, question: ListKeysRequest) {
        let (mut tokens, begun) = (vec![String::new()], Instant::now());
        loop {
            let page_token = tokens.last().unwrap().clone();
            let page = self.list(ListKeysRequest { page_size: 1000, page_token, ..question.clone() }).await;
            if page.next_page_token.is_empty() {
                break;
            }
            tokens.push(page.next_page_token);
        }
        let rate = keys as f64 / begun.elapsed().as_secs_f64();
        let [first, middle, last] = [0, tokens.len() / 2, tokens.len() - 1].map(|at| tokens[at].clone());
        let mut times = Vec::new();
        for page_token in [first, middle, last] {
            times.push(self.time(ListKeysRequest { page_size: PAGE, page_token, ..question.clone() }).await);
        }
        say!("{name:<44} {:>12.2} {:>12.2} {:>12.2} {rate:>12.0}", times[0], times[1], times[2]);
    }

    /// What a page takes, in milliseconds.
    async fn time(&mut self, request: ListKeysRequest) -> f64 {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let begun = Instant::now();
            self.list(request.clone()).await;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        median(times)
    }

    async fn list(&mut self, request: ListKeysRequest) -> ListKeysResponse {
        let mut request = Request::new(request);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        self.keys.list_keys(request).await.unwrap().into_inner()
    }
}
