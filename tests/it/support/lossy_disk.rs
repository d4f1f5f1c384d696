//! A disk in memory that loses what was not synced. It keeps apart what a reader sees and what a power cut leaves: of the writes since the
//! last sync each survives, or not, or in part, by a seed. It dies on command, fails on command, and counts its syncs.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct LossyDisk(Arc<(Mutex<State>, Condvar)>);

/// What a sync is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// What was written before it survives.
    Kept,
    /// From now on it does nothing, and no write survives: such a disk must lose something, or the tests on it would prove nothing.
    Ignored,
}

/// Random numbers by a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Dice(u64);

#[derive(Debug)]
struct State {
    /// What is read.
    seen: Vec<u8>,
    /// What is on the platter.
    durable: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Change>,
    dice: Dice,
    syncs: Syncs,
    count: u64,
    /// So many changes and syncs from now, the power is cut.
    fuse: Option<u64>,
    health: Health,
    /// So many calls hang.
    hanging: usize,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// After so many more syncs one fails; what was to be synced is on the platter or not, and nobody writes it again.
    SyncFails {
        after: u64,
    },
    /// Everything fails, until it is well again.
    Failing,
    /// Nothing answers, until it is well again.
    Hanging,
    /// The power is cut.
    Dead,
}

const SECTOR: usize = 512;

impl LossyDisk {
    pub fn new(seed: u64) -> Self {
        Self::holding(Vec::new(), Dice::new(seed))
    }

    pub fn treat_syncs(&self, syncs: Syncs) {
        self.state().syncs = syncs;
    }

    /// Cuts the power at the `changes`-th write or sync from now.
    pub fn cut_power_after(&self, changes: u64) {
        self.state().fuse = Some(changes);
    }

    /// Cuts the power. Tells what is found when it comes back: another disk, since this one answers nobody any more.
    pub fn after_power_cut(&self) -> Self {
        let mut state = self.state();
        state.health = Health::Dead;
        let (mut platter, mut dice) = (state.durable.clone(), state.dice.clone());
        // sometimes nothing at all had left the cache; where syncs did nothing, that is much
        let pending = if state.syncs == Syncs::Ignored || dice.once_in(4) { &[] } else { state.pending.as_slice() };
        for change in pending {
            survive(&mut platter, change, &mut dice);
        }
        Self::holding(platter, dice)
    }

    /// Another disk that holds what is read now.
    pub fn copy(&self) -> Self {
        let state = self.state();
        Self::holding(state.seen.clone(), state.dice.clone())
    }

    pub fn fail_next_sync(&self) {
        self.fail_sync_after(0);
    }

    /// So many syncs are good still.
    pub fn fail_sync_after(&self, after: u64) {
        self.set(Health::SyncFails { after });
    }

    pub fn fail(&self) {
        self.set(Health::Failing);
    }

    pub fn hang(&self) {
        self.set(Health::Hanging);
    }

    /// Waits until a call hangs.
    pub fn until_a_call_hangs(&self) {
        drop(self.0.1.wait_while(self.state(), |state| state.hanging == 0));
    }

    pub fn be_well(&self) {
        self.set(Health::Well);
    }

    pub fn is_dead(&self) -> bool {
        self.state().health == Health::Dead
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.state().count
    }

    fn holding(platter: Vec<u8>, dice: Dice) -> Self {
        let state = State {
            seen: platter.clone(),
            durable: platter,
            pending: Vec::new(),
            dice,
            syncs: Syncs::Kept,
            count: 0,
            fuse: None,
            health: Health::Well,
            hanging: 0,
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    fn set(&self, health: Health) {
        self.state().health = health;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.health == Health::Hanging {
            state.hanging += 1;
            self.0.1.notify_all();
            state = self.0.1.wait_while(state, |state| state.health == Health::Hanging).unwrap_or_else(PoisonError::into_inner);
            state.hanging -= 1;
        }
        match state.health {
            Health::Failing | Health::Dead => Err(io::Error::other("the disk is broken")),
            Health::Well | Health::SyncFails { .. } | Health::Hanging => Ok(state),
        }
    }

    /// The same, burning the fuse.
    fn changed(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.reached()?;
        state.fuse = state.fuse.map(|left| left.saturating_sub(1));
        if state.fuse == Some(0) {
            state.health = Health::Dead;
            return Err(io::Error::other("the power is cut"));
        }
        Ok(state)
    }
}

impl redb::StorageBackend for LossyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.reached()?.seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, offset) = (self.reached()?, usize::try_from(offset).unwrap());
        let bytes = state.seen.get(offset..offset + out.len()).ok_or_else(|| io::Error::other("read beyond the end"))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut state, len) = (self.changed()?, usize::try_from(len).unwrap());
        state.seen.resize(len, 0);
        state.pending.push(Change::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.changed()?;
        let state = &mut *state;
        state.count += 1;
        if let Health::SyncFails { after: left @ 1.. } = &mut state.health {
            *left -= 1;
        } else if let Health::SyncFails { .. } = state.health {
            state.health = Health::Well;
            for change in std::mem::take(&mut state.pending) {
                match change {
                    _ if state.syncs == Syncs::Ignored => {}
                    Change::Write { .. } => survive(&mut state.durable, &change, &mut state.dice),
                    Change::Length(len) => state.durable.resize(len, 0),
                }
            }
            return Err(io::Error::other("the sync failed"));
        }
        if state.syncs == Syncs::Kept {
            for change in std::mem::take(&mut state.pending) {
                apply(&mut state.durable, &change);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.changed()?;
        let change = Change::Write { offset: usize::try_from(offset).unwrap(), bytes: data.to_vec() };
        apply(&mut state.seen, &change);
        state.pending.push(change);
        Ok(())
    }
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5dee_ce66_d1ce_4e5b)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Once in `odds`.
    pub fn once_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: written } => {
            let end = offset + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(written);
        }
        Change::Length(len) => bytes.resize(*len, 0),
    }
}

/// An unsynced change survives, or not; a write may survive in some sectors, or be torn at any byte.
fn survive(platter: &mut Vec<u8>, change: &Change, dice: &mut Dice) {
    let Change::Write { offset, bytes } = change else {
        if dice.once_in(2) {
            apply(platter, change);
        }
        return;
    };
    match dice.below(4) {
        0 => {}
        1 => apply(platter, change),
        2 => {
            let torn = usize::try_from(dice.below(bytes.len() as u64 + 1)).unwrap();
            apply(platter, &Change::Write { offset: *offset, bytes: bytes[..torn].to_vec() });
        }
        _ => {
            for (number, sector) in bytes.chunks(SECTOR).enumerate().filter(|_| dice.once_in(2)) {
                apply(platter, &Change::Write { offset: offset + number * SECTOR, bytes: sector.to_vec() });
            }
        }
    }
}
