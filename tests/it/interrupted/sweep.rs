//! What is cut, one after the other: every mutation that there is, each time of something new, and made again until it is done.

use std::time::Duration;

use super::book::{Book, Written};
use super::calls::{Asked, Call, Done, Fate};
use super::world::World;
use crate::support::campaign::share;
use crate::support::dice::Dice;

/// A mutation, and what it needs.
#[derive(Debug, Clone, Copy)]
pub struct Mutation {
    pub name: &'static str,
    needs: Needs,
    asked: fn(String) -> Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Owner,
    DisabledOwner,
    Key,
    RevokedKey,
    KeyWithTwoSecrets,
    ThreeKeys,
}

const HOUR: Duration = Duration::from_hours(1);

/// Of what is made under this word, which is a key's id or an owner's.
pub const ALL: [Mutation; 13] = [
    Mutation { name: "create", needs: Needs::Nothing, asked: |word| Asked::CreateKey { owner: OWNER.into(), label: word } },
    Mutation { name: "rotate", needs: Needs::Key, asked: |word| Asked::RotateKey { key: word, grace: HOUR } },
    Mutation { name: "revokes", needs: Needs::ThreeKeys, asked: |word| Asked::RevokeKeys { keys: three(&word).into() } },
    Mutation { name: "replace", needs: Needs::Key, asked: |word| Asked::RotateKey { key: word, grace: Duration::ZERO } },
    Mutation { name: "update", needs: Needs::Key, asked: |word| Asked::UpdateKey { label: format!("label {word}"), key: word } },
    Mutation { name: "retire", needs: Needs::KeyWithTwoSecrets, asked: |word| Asked::RetireSecrets { key: word } },
    Mutation { name: "revoke", needs: Needs::Key, asked: |word| Asked::RevokeKey { key: word } },
    Mutation { name: "enable", needs: Needs::RevokedKey, asked: |word| Asked::EnableKey { key: word } },
    Mutation { name: "delete", needs: Needs::Key, asked: |word| Asked::DeleteKey { key: word } },
    Mutation {
        name: "import",
        needs: Needs::Nothing,
        asked: |word| Asked::ImportKeys { keys: three(&word).into(), owner: word, revoked: false },
    },
    Mutation { name: "makeowner", needs: Needs::Nothing, asked: |word| Asked::CreateOwner { name: format!("name {word}"), owner: word } },
    Mutation { name: "nameowner", needs: Needs::Owner, asked: |word| Asked::UpdateOwner { name: format!("new name {word}"), owner: word } },
    Mutation { name: "shutowner", needs: Needs::Owner, asked: |word| Asked::DisableOwner { owner: word } },
];

/// The last of them, apart: it needs two.
pub const OPEN_OWNER: Mutation =
    Mutation { name: "openowner", needs: Needs::DisabledOwner, asked: |word| Asked::EnableOwner { owner: word } };

/// Whose keys are made and cut.
const OWNER: &str = "cutters";

/// So many things are made ready at a time.
fn ready() -> usize {
    share(8, 100)
}

fn three(word: &str) -> [String; 3] {
    ["a", "b", "c"].map(|letter| format!("{word}{letter}"))
}

pub struct Sweep {
    pub world: World,
    pub book: Book,
    pub dice: Dice,
    ready: Vec<String>,
    made: usize,
}

impl Sweep {
    pub async fn of(world: World) -> Self {
        let seed = getrandom::u64().unwrap();
        println!("seed {seed}");
        let mut sweep = Self { world, book: Book::default(), dice: Dice::new(seed), ready: Vec::new(), made: 0 };
        let call = sweep.call_of(Asked::CreateOwner { owner: OWNER.into(), name: "cut".into() });
        sweep.until_done(Written::new(call)).await;
        sweep
    }

    /// A call of this mutation, of something that was never called before; and its word, which is in every request about that.
    pub async fn call(&mut self, mutation: &Mutation) -> (Call, String) {
        if self.ready.is_empty() {
            self.make_ready(mutation).await;
        }
        let word = self.ready.pop().unwrap();
        let call = self.call_of((mutation.asked)(word.clone()));
        let word = if matches!(call.asked, Asked::CreateKey { .. }) { call.id.clone() } else { word };
        (call, word)
    }

    /// Nothing is ready that another mutation needs.
    pub fn next_mutation(&mut self) {
        self.ready.clear();
    }

    /// Makes a call until it is done, and keeps what was told.
    pub async fn until_done(&mut self, mut page: Written) -> Done {
        let hand = self.world.hand(0);
        loop {
            let fate = hand.make(&page.call).await;
            page.note(&fate);
            match fate {
                Fate::Done(done) => {
                    self.book.written.push(page);
                    return done;
                }
                Fate::Refused(code, reason) => panic!("{code:?} {reason}: {page:?}"),
                Fate::Away | Fate::Unknown => tokio::task::yield_now().await,
            }
        }
    }

    pub fn call_of(&mut self, asked: Asked) -> Call {
        let hex = self.dice.word(b"0123456789abcdef", 32);
        Call { id: [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"), asked }
    }

    async fn make_ready(&mut self, mutation: &Mutation) {
        let words: Vec<String> = (self.made..self.made + ready()).map(|number| format!("{}{number:06}", mutation.name)).collect();
        self.made += ready();
        let revoked = mutation.needs == Needs::RevokedKey;
        let keys = match mutation.needs {
            Needs::Key | Needs::RevokedKey | Needs::KeyWithTwoSecrets => words.clone(),
            Needs::ThreeKeys => words.iter().flat_map(|word| three(word)).collect(),
            _ => Vec::new(),
        };
        if !keys.is_empty() {
            self.do_now(Asked::ImportKeys { keys, owner: OWNER.into(), revoked }).await;
        }
        for word in &words {
            match mutation.needs {
                Needs::Owner => self.do_now(Asked::CreateOwner { owner: word.clone(), name: "ready".into() }).await,
                Needs::DisabledOwner => {
                    self.do_now(Asked::CreateOwner { owner: word.clone(), name: "ready".into() }).await;
                    self.do_now(Asked::DisableOwner { owner: word.clone() }).await;
                }
                Needs::KeyWithTwoSecrets => self.do_now(Asked::RotateKey { key: word.clone(), grace: HOUR }).await,
                _ => {}
            }
        }
        self.ready = words;
    }

    pub async fn do_now(&mut self, asked: Asked) {
        let call = self.call_of(asked);
        self.until_done(Written::new(call)).await;
    }

    /// Everything, once no call is under way any more.
    pub fn assert_whole(&mut self) {
        tokio::task::block_in_place(|| {
            // what was cut off may still have been going on, and ends with its server
            self.world.keywards.iter_mut().for_each(crate::support::keyward::Keyward::kill);
            let (_, judgement) = self.world.judge_with(&self.book);
            assert!(judgement.0.is_empty(), "{:#?}", judgement.0);
        });
    }
}
