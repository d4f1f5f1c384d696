//! Operators who change keys and owners at random, several at once, whatever becomes of the servers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::book::Written;
use super::calls::{Asked, Call, Fate, Hand};
use crate::support::dice::Dice;

/// The keys and owners that all of them play with: the latest, so that they meet.
#[derive(Debug, Default)]
pub struct Known {
    keys: Mutex<VecDeque<String>>,
    owners: Mutex<VecDeque<String>>,
}

const KEYS: usize = 60;
const OWNERS: usize = 8;

impl Known {
    pub fn add_key(&self, key: &str) {
        let mut keys = self.keys.lock().unwrap();
        keys.push_back(key.to_owned());
        if keys.len() > KEYS {
            keys.pop_front();
        }
    }

    pub fn add_owner(&self, owner: &str) {
        let mut owners = self.owners.lock().unwrap();
        owners.push_back(owner.to_owned());
        if owners.len() > OWNERS {
            owners.pop_front();
        }
    }

    fn key(&self, dice: &mut Dice) -> Option<String> {
        let keys = self.keys.lock().unwrap();
        keys.get(dice.below(keys.len())).cloned()
    }

    fn owner(&self, dice: &mut Dice) -> Option<String> {
        let owners = self.owners.lock().unwrap();
        owners.get(dice.below(owners.len())).cloned()
    }
}

/// One of them.
pub struct Operator {
    pub dice: Dice,
    /// Of everything that it makes a name for.
    pub tag: String,
    pub known: Arc<Known>,
    pub hands: Arc<Mutex<Vec<Hand>>>,
    pub made: usize,
}

impl Operator {
    /// Makes calls until it is told to stop. Of those of which nobody knows what became of them it makes half again, until it knows.
    pub async fn work(mut self, stop: Arc<AtomicBool>) -> (Self, Vec<Written>) {
        let mut written = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let call = self.next();
            let mut page = Written::new(call);
            let insists = self.dice.chance(50);
            loop {
                let fate = self.call(&page.call).await;
                page.note(&fate);
                if !(insists && page.is_open()) || stop.load(Ordering::SeqCst) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.learn(&page);
            written.push(page);
        }
        (self, written)
    }

    /// At any of the servers.
    pub async fn call(&mut self, call: &Call) -> Fate {
        let hand = {
            let hands = self.hands.lock().unwrap();
            self.dice.pick(&hands).clone()
        };
        let fate = hand.make(call).await;
        if !matches!(fate, Fate::Done(_) | Fate::Refused(..)) {
            // a server that is dead answers at once
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fate
    }

    fn learn(&self, page: &Written) {
        for shown in page.shown() {
            self.known.add_key(&shown.key);
        }
        match &page.call.asked {
            // of an import that may be made again all must stay as it was
            Asked::ImportKeys { keys, .. } if !page.done.is_empty() => keys.iter().for_each(|key| self.known.add_key(key)),
            Asked::CreateOwner { owner, .. } if !page.done.is_empty() => self.known.add_owner(owner),
            _ => {}
        }
    }

    pub fn next(&mut self) -> Call {
        self.made += 1;
        let word = format!("{}{}", self.tag, self.made);
        let asked = self.asked(&word);
        Call { id: self.request_id(), asked }
    }

    fn asked(&mut self, word: &str) -> Asked {
        let dice = &mut self.dice;
        let (Some(owner), Some(key)) = (self.known.owner(dice), self.known.key(dice)) else {
            return self.first(word);
        };
        let of_many =
            |dice: &mut Dice| (0..2 + dice.below(4)).filter_map(|_| self.known.key(dice)).collect::<std::collections::BTreeSet<_>>();
        match dice.below(24) {
            0..4 => Asked::CreateKey { owner, label: format!("label {word}") },
            4..7 => Asked::UpdateKey { key, label: format!("label {word}") },
            7..13 => Asked::RotateKey { key, grace: *dice.pick(&[Duration::ZERO, Duration::from_secs(2), Duration::from_hours(1)]) },
            13..15 => Asked::RetireSecrets { key },
            15 => Asked::RevokeKey { key },
            16 => Asked::EnableKey { key },
            17 => Asked::DeleteKey { key },
            18 => Asked::RevokeKeys { keys: of_many(dice).into_iter().collect() },
            19 => imported(word, owner, 2 + dice.below(6)),
            20 => imported(word, format!("owner-{word}"), 2),
            21 => Asked::CreateOwner { owner: format!("owner-{word}"), name: format!("name {word}") },
            22 => Asked::UpdateOwner { owner, name: format!("name {word}") },
            _ if dice.chance(30) => Asked::DisableOwner { owner },
            _ => Asked::EnableOwner { owner },
        }
    }

    /// As long as there is nothing to play with.
    fn first(&mut self, word: &str) -> Asked {
        match self.known.owner(&mut self.dice) {
            None => Asked::CreateOwner { owner: format!("owner-{word}"), name: format!("name {word}") },
            Some(owner) => imported(word, owner, 8),
        }
    }

    /// A UUID.
    fn request_id(&mut self) -> String {
        let hex = self.dice.word(b"0123456789abcdef", 32);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

fn imported(word: &str, owner: String, count: usize) -> Asked {
    let keys = (0..count).map(|number| format!("their_{}x{number}", word.replace('-', "_"))).collect();
    Asked::ImportKeys { keys, owner, revoked: false }
}
