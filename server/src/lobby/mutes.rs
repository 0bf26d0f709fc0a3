//! Whom accounts mute, so that a mute holds in their later sessions.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_core::commands::{AccountId, SenderId, sender_of};
use broadside_shared::protocol::limits::MUTED_MAX;
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use tokio::sync::Notify;

/// Changes that wait for the store at most. Further ones hold in this session only.
const CHANGES_MAX: usize = 1024;
/// How long the mutes of an account without a session stay in memory, in microseconds: longer than a token for a hello is valid.
const LOADED_US: u64 = 120_000_000;

/// The mutes of accounts that are here or about to come.
#[derive(Debug, Default)]
pub struct Mutes {
    by_account: DashMap<AccountId, Loaded>,
    changes: Mutex<VecDeque<MuteChange>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Loaded {
    at: MonoTime,
    /// With the names at the time.
    muted: Vec<(AccountId, Name)>,
}

/// A change for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuteChange {
    /// The first account mutes the second.
    Muted(AccountId, AccountId),
    /// It no longer does.
    Unmuted(AccountId, AccountId),
}

impl Mutes {
    /// What the store has of an account that is about to come.
    pub fn load(&self, account: AccountId, muted: Vec<(AccountId, Name)>, now: MonoTime) {
        self.by_account.insert(account, Loaded { at: now, muted });
    }

    /// Forgets the accounts that are not here, and were not expected lately.
    pub fn sweep(&self, now: MonoTime, is_here: impl Fn(AccountId) -> bool) {
        self.by_account.retain(|account, loaded| now.us_since(loaded.at) < LOADED_US || is_here(*account));
    }

    /// Whom an account mutes, for a new session.
    #[must_use]
    pub fn of(&self, account: AccountId) -> Vec<(SenderId, Name)> {
        let loaded = self.by_account.get(&account);
        let muted = loaded.iter().flat_map(|loaded| &loaded.muted);
        muted.map(|(account, name)| (sender_of(*account), name.clone())).collect()
    }

    pub(super) fn mute(&self, account: AccountId, muted: AccountId, name: &Name, now: MonoTime) {
        let mut loaded = self.by_account.entry(account).or_insert_with(|| Loaded { at: now, muted: Vec::new() });
        let is_new = loaded.muted.iter().all(|(known, _)| *known != muted);
        if is_new && loaded.muted.len() < MUTED_MAX {
            loaded.muted.push((muted, name.clone()));
            drop(loaded);
            self.change(MuteChange::Muted(account, muted));
        }
    }

    pub(super) fn unmute(&self, account: AccountId, sender: SenderId) {
        let Some(mut loaded) = self.by_account.get_mut(&account) else { return };
        let found = loaded.muted.iter().position(|(muted, _)| sender_of(*muted) == sender);
        let Some((muted, _)) = found.map(|at| loaded.muted.remove(at)) else { return };
        drop(loaded);
        self.change(MuteChange::Unmuted(account, muted));
    }

    fn change(&self, change: MuteChange) {
        let mut changes = self.lock();
        if changes.len() < CHANGES_MAX {
            changes.push_back(change);
        } else {
            tracing::error!(waiting = CHANGES_MAX, "a mute is not kept: too many wait");
        }
        drop(changes);
        self.arrived.notify_one();
    }

    /// The oldest change that waits.
    #[must_use]
    pub fn next_change(&self) -> Option<MuteChange> {
        self.lock().front().copied()
    }

    /// The store has the oldest change, or refuses it.
    pub fn change_kept(&self) {
        self.lock().pop_front();
    }

    /// Returns once something has changed since the last call; may return without a change.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<MuteChange>> {
        // A panic while the lock is held leaves no change half-written.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_is_kept_once_and_forgotten_with_the_account_that_left() {
        let [ann, eve] = [AccountId([1; 16]), AccountId([2; 16])];
        let name = Name::new("Eve").expect("a fine name");
        let mutes = Mutes::default();
        let at = |us| MonoTime(us);
        mutes.mute(ann, eve, &name, at(0));
        mutes.mute(ann, eve, &name, at(0));
        assert_eq!(mutes.of(ann), [(sender_of(eve), name.clone())]);
        assert_eq!(mutes.next_change(), Some(MuteChange::Muted(ann, eve)));
        mutes.change_kept();
        assert_eq!(mutes.next_change(), None, "only once");
        mutes.sweep(at(LOADED_US), |account| account == ann);
        assert_eq!(mutes.of(ann).len(), 1, "still here");
        mutes.unmute(ann, sender_of(eve));
        assert_eq!((mutes.of(ann).len(), mutes.next_change()), (0, Some(MuteChange::Unmuted(ann, eve))));
        mutes.load(ann, vec![(eve, name)], at(LOADED_US));
        mutes.sweep(at(2 * LOADED_US), |_| false);
        assert_eq!(mutes.of(ann), []);
    }
}
