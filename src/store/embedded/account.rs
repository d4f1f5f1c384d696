//! What is held in memory of one owner: blocks of tokens and fresh refusals, of the owner itself and of each of its keys.

use std::collections::HashMap;
use std::time::Duration;

use super::block::{Block, Durable, Past, Refusal};
use super::clock::Moment;
use crate::domain::name::KeyId;
use crate::domain::time::BootTime;
use crate::store::{Charge, Return, Subject, SubjectName, Taken};

/// How long the pace of a subject set is remembered.
const MEMORY: Duration = Duration::from_secs(2);

/// One owner's blocks and refusals.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// By the first subject of a charge: a key, or `None` for the owner itself.
    purses: HashMap<Option<KeyId>, Purse>,
    /// Tokens in blocks that count in the owner's own windows.
    unspent: u32,
    /// What was left of the owner's own windows, by their length, when they were last taken from.
    left: Vec<(u32, u32)>,
    /// Goes up when tokens come back: refusals from before are void.
    age: u64,
}

#[derive(Debug, Default)]
struct Purse {
    block: Option<Block>,
    /// With the account's age when it was made.
    refusal: Option<(Refusal, u64)>,
    /// The one that tidies it; older ones are void.
    event: u64,
}

/// Who asks: the writer may spend what its own transaction has yet to make durable, since its answers wait for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Caller,
    Writer,
}

/// Which of an owner's purses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purses<'a> {
    Of(&'a SubjectName),
    All,
}

impl Account {
    /// Answers from memory where that is possible, and names the block that was spent from.
    pub(super) fn answer(&mut self, charge: &Charge, at: Moment, by: By) -> Option<(Taken, Option<u64>)> {
        let purse = self.purses.get_mut(&charge.subjects.first()?.name.key)?;
        let spendable = |block: &&mut Block| (by == By::Writer || block.durable == Durable::Written) && block.serves(charge, at.boot);
        let Some(block) = purse.block.as_mut().filter(spendable) else {
            let (refusal, _) = purse.refusal.as_ref().filter(|(_, age)| *age == self.age)?;
            return Some((refusal.repeat(charge, at)?, None));
        };
        block.balance -= charge.cost;
        if block.of_owner() {
            self.unspent = self.unspent.saturating_sub(charge.cost);
        }
        let block = self.purses.get(&charge.subjects.first()?.name.key)?.block.as_ref()?;
        let left = self.shown(&block.subjects, &block.left, block.balance);
        Some((Taken::Granted { tokens: charge.cost, slots: block.slots.clone(), left }, Some(block.id)))
    }

    /// Puts a new block in the place of the one before, which was reclaimed. Tells what is left of its windows.
    pub(super) fn install(&mut self, whose: &SubjectName, block: Block, event: u64) -> Vec<u32> {
        let purse = self.purses.entry(whose.key.clone()).or_default();
        purse.event = event;
        purse.refusal = None;
        // what came back since it was reclaimed stays counted
        let (gained, lost) = (of_owner(&block), purse.block.as_ref().map_or(0, of_owner));
        self.unspent = self.unspent.saturating_add(gained).saturating_sub(lost);
        let (subjects, left, balance) = (block.subjects.clone(), block.left.clone(), block.balance);
        purse.block = Some(block);
        self.look(&subjects, &left, balance)
    }

    /// Remembers a refusal; tells what is left, blocks included.
    pub(super) fn refuse(&mut self, whose: &SubjectName, refusal: Refusal, event: u64) -> Vec<u32> {
        let left = self.look(&refusal.subjects, &refusal.left, 0);
        let purse = self.purses.entry(whose.key.clone()).or_default();
        purse.event = event;
        purse.refusal = Some((Refusal { left: left.clone(), ..refusal }, self.age));
        left
    }

    /// What is left of each window, as just read, when tokens in blocks are counted as left.
    pub(super) fn look(&mut self, subjects: &[Subject], left: &[u32], balance: u32) -> Vec<u32> {
        for ((subject, length_ms), left) in windows(subjects).zip(left) {
            if subject.name.key.is_none() {
                self.left.retain(|(length, _)| *length != length_ms);
                self.left.push((length_ms, *left));
            }
        }
        self.shown(subjects, left, balance)
    }

    /// The tokens of a block whose transaction is durable may be spent.
    pub(super) fn publish(&mut self, whose: &SubjectName, id: u64) {
        if let Some(block) = self.block(whose, id) {
            block.durable = Durable::Written;
        }
    }

    /// Takes back what a caller who vanished was granted. A block that is gone leaves it counted.
    pub(super) fn give_back(&mut self, whose: &SubjectName, id: u64, tokens: u32) {
        let Some(block) = self.block(whose, id) else { return };
        block.balance = block.balance.saturating_add(tokens);
        if block.of_owner() {
            self.unspent = self.unspent.saturating_add(tokens);
        }
        self.forget_refusals();
    }

    /// Takes what is unspent out of purses, to be put back into the windows.
    pub(super) fn reclaim(&mut self, which: Purses<'_>) -> Vec<Return> {
        let mut returns = Vec::new();
        let mut tokens: u32 = 0;
        for block in self.blocks(which).into_iter().filter(|block| block.balance > 0) {
            tokens = tokens.saturating_add(of_owner(block));
            returns.extend(block.drain());
        }
        if !returns.is_empty() {
            self.unspent = self.unspent.saturating_sub(tokens);
            self.left.iter_mut().for_each(|(_, left)| *left = left.saturating_add(tokens));
            self.forget_refusals();
        }
        returns
    }

    /// Ends blocks that were reclaimed: what still comes back stays counted.
    pub(super) fn end(&mut self, which: Purses<'_>) {
        let late = self.blocks(which).into_iter().map(|block| of_owner(block)).fold(0, u32::saturating_add);
        self.unspent = self.unspent.saturating_sub(late);
        match which {
            Purses::Of(whose) => self.purses.get_mut(&whose.key).into_iter().for_each(|purse| purse.block = None),
            Purses::All => self.purses.values_mut().for_each(|purse| purse.block = None),
        }
        self.forget_refusals();
    }

    /// Clears away what is over. Tells what goes back into windows, and when to come again.
    pub(super) fn tidy(&mut self, whose: &SubjectName, event: u64, boot: BootTime) -> (Vec<Return>, Option<BootTime>) {
        let ended = |block: &Block| block.deadline <= boot;
        let Some(purse) = self.purses.get_mut(&whose.key).filter(|purse| purse.event == event) else { return (Vec::new(), None) };
        purse.refusal.take_if(|(refusal, _)| refusal.until <= boot);
        let returns = if purse.block.as_ref().is_some_and(ended) { self.reclaim(Purses::Of(whose)) } else { Vec::new() };
        let Some(purse) = self.purses.get_mut(&whose.key) else { return (returns, None) };
        purse.block.take_if(|block| ended(block) && remembered_until(block) <= boot);
        let again = purse.due(boot);
        if again.is_none() {
            self.purses.remove(&whose.key);
        }
        (returns, again)
    }

    pub(super) fn past(&self, whose: &SubjectName) -> Option<Past> {
        self.purses.get(&whose.key)?.block.as_ref().map(Block::past)
    }

    /// How many tokens counted in this slot may still be spent.
    pub(super) fn held_in(&self, name: &SubjectName, length_ms: u32, slot: i64) -> u32 {
        let blocks = self.purses.values().filter_map(|purse| purse.block.as_ref());
        blocks.map(|block| block.held_in(name, length_ms, slot)).fold(0, u32::saturating_add)
    }

    pub(super) fn unspent(&self) -> u32 {
        self.unspent
    }

    pub(super) fn forget_refusals(&mut self) {
        self.age += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.purses.is_empty()
    }

    fn block(&mut self, whose: &SubjectName, id: u64) -> Option<&mut Block> {
        self.purses.get_mut(&whose.key)?.block.as_mut().filter(|block| block.id == id)
    }

    fn blocks(&mut self, which: Purses<'_>) -> Vec<&mut Block> {
        match which {
            Purses::Of(whose) => self.purses.get_mut(&whose.key).and_then(|purse| purse.block.as_mut()).into_iter().collect(),
            Purses::All => self.purses.values_mut().filter_map(|purse| purse.block.as_mut()).collect(),
        }
    }

    /// `left`, but for the owner's own windows as they were seen last, and with tokens in blocks counted as left: those of the purse, and in
    /// the owner's windows all.
    fn shown(&self, subjects: &[Subject], left: &[u32], balance: u32) -> Vec<u32> {
        let seen = |length_ms| self.left.iter().find(|(length, _)| *length == length_ms).map(|(_, left)| *left);
        let shown = |((subject, length_ms), left): ((&Subject, u32), &u32)| match subject.name.key {
            Some(_) => left.saturating_add(balance),
            None => seen(length_ms).unwrap_or(*left).saturating_add(self.unspent),
        };
        windows(subjects).zip(left).map(shown).collect()
    }
}

impl Purse {
    /// When there is something to tidy.
    fn due(&self, boot: BootTime) -> Option<BootTime> {
        let block = self.block.as_ref().map(|block| if block.deadline > boot { block.deadline } else { remembered_until(block) });
        block.into_iter().chain(self.refusal.as_ref().map(|(refusal, _)| refusal.until)).min()
    }
}

/// What the block holds of the owner's own windows.
fn of_owner(block: &Block) -> u32 {
    if block.of_owner() { block.balance } else { 0 }
}

fn remembered_until(block: &Block) -> BootTime {
    BootTime(block.taken.0 + MEMORY)
}

fn windows(subjects: &[Subject]) -> impl Iterator<Item = (&Subject, u32)> {
    subjects.iter().flat_map(|subject| subject.windows.iter().map(move |spec| (subject, spec.length_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{OwnerId, RealmId};
    use crate::domain::time::StoreTime;
    use crate::domain::window::Spec;

    fn charge() -> Charge {
        let name = SubjectName { realm: RealmId::parse("r").unwrap(), owner: OwnerId::parse("o").unwrap(), key: KeyId::parse("k").ok() };
        let windows = vec![Spec { length_ms: 60_000, most: 100, slot_ms: 3_750 }];
        let subjects = vec![Subject { name, generation: 1, windows }];
        Charge { subjects, want: 1, cost: 1, ttl: Duration::from_millis(50), share: 1, returns: Vec::new() }
    }

    fn at(ms: u64) -> Moment {
        Moment { boot: BootTime(Duration::from_millis(ms)), now: StoreTime(0) }
    }

    fn account(durable: Durable) -> (Account, SubjectName) {
        let (mut account, subjects) = (Account::default(), charge().subjects);
        let whose = subjects[0].name.clone();
        let (taken, deadline) = (at(0).boot, at(1_000).boot);
        let block = Block { id: 7, subjects, slots: vec![5], left: vec![90], size: 10, balance: 2, taken, deadline, durable };
        assert_eq!(account.install(&whose, block, 7), [92]);
        (account, whose)
    }

    fn spends(account: &mut Account, ms: u64) -> bool {
        account.answer(&charge(), at(ms), By::Caller).is_some()
    }

    #[test]
    fn a_block_is_spent_when_it_is_durable_and_while_every_caller_will_spend_before_its_deadline() {
        let (mut account, whose) = account(Durable::Pending);
        assert!(!spends(&mut account, 0), "its transaction may still fail");
        account.publish(&whose, 7);
        assert!(!spends(&mut account, 951), "a caller may take 50 ms to spend");
        assert!(spends(&mut account, 950) && spends(&mut account, 0));
        assert!(!spends(&mut account, 0), "two tokens were all");
        account.give_back(&whose, 6, 1);
        assert!(!spends(&mut account, 0), "of another block");
        account.give_back(&whose, 7, 1);
        assert!(spends(&mut account, 0));
    }

    #[test]
    fn a_purse_is_tidied_away_when_its_block_and_its_pace_are_over() {
        let (mut account, whose) = account(Durable::Written);
        assert_eq!(account.tidy(&whose, 6, at(5_000).boot), (vec![], None), "an older event is void");
        assert_eq!(account.tidy(&whose, 7, at(999).boot), (vec![], Some(at(1_000).boot)));
        let back = Return { subject: whose.clone(), length_ms: 60_000, slot: 5, tokens: 2 };
        assert_eq!(account.tidy(&whose, 7, at(1_000).boot), (vec![back], Some(at(2_000).boot)));
        assert!(!account.is_empty());
        assert_eq!(account.tidy(&whose, 7, at(2_000).boot), (vec![], None));
        assert!(account.is_empty());
    }
}
