//! Banned and muted accounts, in memory: whoever keeps them permanently loads them here at startup and repeats each change.

use std::collections::BTreeSet;

use broadside_core::commands::AccountId;
use dashmap::DashMap;

/// How long a restriction lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// In Unix seconds.
    Time(u64),
    Forever,
}

impl Until {
    fn is_over(self, now_s: u64) -> bool {
        match self {
            Until::Time(until_s) => now_s >= until_s,
            Until::Forever => false,
        }
    }
}

/// Banned and muted accounts.
#[derive(Debug, Default)]
pub struct Restrictions {
    banned: DashMap<AccountId, Until>,
    muted: DashMap<AccountId, Until>,
}

impl Restrictions {
    /// Adds bans and mutes.
    pub fn load(
        &self,
        bans: impl IntoIterator<Item = (AccountId, Until)>,
        mutes: impl IntoIterator<Item = (AccountId, Until)>,
    ) {
        bans.into_iter().for_each(|(account, until)| self.ban(account, until));
        mutes.into_iter().for_each(|(account, until)| self.mute(account, until));
    }

    /// Lifts the bans and mutes of all other accounts.
    pub fn keep_only(&self, banned: &BTreeSet<AccountId>, muted: &BTreeSet<AccountId>) {
        self.banned.retain(|account, _| banned.contains(account));
        self.muted.retain(|account, _| muted.contains(account));
    }

    /// Refuses the account from the next hello on. Who is connected stays: [`kick`](super::LobbyState::kick_account) them as well.
    pub fn ban(&self, account: AccountId, until: Until) {
        self.banned.insert(account, until);
    }

    pub fn unban(&self, account: AccountId) {
        self.banned.remove(&account);
    }

    /// Refuses chat and direct messages of the account from now on.
    pub fn mute(&self, account: AccountId, until: Until) {
        self.muted.insert(account, until);
    }

    pub fn unmute(&self, account: AccountId) {
        self.muted.remove(&account);
    }

    /// Whether the account is banned at `now_s`, in Unix seconds.
    #[must_use]
    pub fn is_banned(&self, account: AccountId, now_s: u64) -> bool {
        is_in_force(&self.banned, account, now_s)
    }

    /// Whether the account is muted at `now_s`, in Unix seconds.
    #[must_use]
    pub fn is_muted(&self, account: AccountId, now_s: u64) -> bool {
        is_in_force(&self.muted, account, now_s)
    }
}

/// Drops a restriction that is over.
fn is_in_force(restricted: &DashMap<AccountId, Until>, account: AccountId, now_s: u64) -> bool {
    restricted.remove_if(&account, |_, until| until.is_over(now_s));
    restricted.contains_key(&account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restriction_lasts_until_its_time_or_until_it_is_lifted() {
        let [ann, bob, eve] = [1, 2, 3].map(|number| AccountId([number; 16]));
        let restrictions = Restrictions::default();
        restrictions.load([(ann, Until::Time(100)), (bob, Until::Forever)], [(eve, Until::Time(50))]);
        let banned = |now_s| [ann, bob, eve].map(|account| restrictions.is_banned(account, now_s));
        assert_eq!((banned(99), banned(100)), ([true, true, false], [false, true, false]));
        assert!(restrictions.is_muted(eve, 49) && !restrictions.is_muted(eve, 50) && !restrictions.is_muted(ann, 0));
        restrictions.unban(bob);
        restrictions.mute(bob, Until::Time(10));
        restrictions.mute(bob, Until::Forever);
        assert_eq!((restrictions.is_banned(bob, 0), restrictions.is_muted(bob, u64::MAX)), (false, true));
        restrictions.unmute(bob);
        assert!(!restrictions.is_muted(bob, 0));
    }
}
