//! What a node reads again from the database: everything after each connection to the engine, and each account that another node has
//! changed. The database may be away meanwhile: the node is seen and plays on, and what is to be read waits.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use broadside_shared::ids::AccountId;
use broadside_store::StoreError;
use tokio::sync::Notify;

use super::{Node, Stay};
use crate::moderation;
use crate::store::now_us;

/// Accounts that wait to be read; when more have changed, everything is read.
const WAITING_MAX: usize = 256;
/// Pause after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// What is to be read.
#[derive(Default)]
pub(super) struct Changes {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Waiting {
    everything: bool,
    accounts: BTreeSet<AccountId>,
}

impl Waiting {
    fn add(&mut self, account: AccountId) {
        if self.accounts.len() >= WAITING_MAX {
            self.add_everything();
        } else if !self.everything {
            self.accounts.insert(account);
        }
    }

    fn add_everything(&mut self) {
        self.everything = true;
        self.accounts.clear();
    }
}

impl Changes {
    /// Another node has changed something of an account.
    pub(super) fn add(&self, account: AccountId) {
        self.change(|waiting| waiting.add(account));
    }

    fn add_everything(&self) {
        self.change(Waiting::add_everything);
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads everything, and then what changes.
pub(super) async fn catch_up(node: &Node) -> Stay {
    let changes = &node.changes;
    changes.add_everything();
    loop {
        let work = changes.take();
        if work == Waiting::default() {
            changes.wake.notified().await;
            continue;
        }
        if let Err(error) = read(node, &work).await {
            tracing::warn!(%error, "cannot read bans and names, and tries again: the database does not answer");
            if work.everything {
                changes.add_everything();
            }
            work.accounts.into_iter().for_each(|account| changes.add(account));
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn read(node: &Node, work: &Waiting) -> Result<(), StoreError> {
    if work.everything {
        moderation::reload(&node.app, now_us()).await?;
    }
    for account in &work.accounts {
        moderation::reload_account(&node.app, *account, now_us()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_waits_once_and_too_many_become_everything() {
        let changes = Changes::default();
        let account = |number: u128| AccountId(number.to_be_bytes());
        (0..2 * WAITING_MAX).for_each(|_| changes.add(account(7)));
        assert_eq!(changes.take().accounts, BTreeSet::from([account(7)]));
        assert_eq!(changes.take(), Waiting::default(), "taken once");
        (0..=WAITING_MAX).for_each(|number| changes.add(account(number as u128)));
        assert_eq!(changes.take(), Waiting { everything: true, accounts: BTreeSet::new() });
        changes.add_everything();
        changes.add(account(7));
        assert!(changes.take().accounts.is_empty(), "everything contains it");
    }
}
