//! Names that belong to accounts: nobody else gets one, or one that looks like it, whether or not the owner is connected.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_core::commands::AccountId;
use broadside_shared::protocol::name::Name;
use thiserror::Error;

use super::names::Looks;

/// The names that belong to accounts, in memory: whoever keeps them permanently loads them here at startup and repeats each change.
#[derive(Debug, Default)]
pub struct ReservedNames(Mutex<Owners>);

#[derive(Debug, Default)]
struct Owners {
    by_look: BTreeMap<String, AccountId>,
    names: BTreeMap<AccountId, Name>,
}

/// The name, or one that looks like it, belongs to another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("another account has this name, or one that looks like it")]
pub struct NameTaken;

impl ReservedNames {
    /// Makes this the account's name, in place of a former one. A guest who carries it at the moment keeps it until they leave or take
    /// another.
    ///
    /// # Errors
    /// [`NameTaken`] if it belongs to another account; the former name stays.
    pub fn claim(&self, account: AccountId, name: &Name) -> Result<(), NameTaken> {
        let looks = Looks::of(name);
        let mut owners = self.lock();
        if !owners.are_free_for(&looks, Some(account)) {
            return Err(NameTaken);
        }
        owners.release(account);
        owners.by_look.extend(looks.each().map(|look| (look.to_owned(), account)));
        owners.names.insert(account, name.clone());
        Ok(())
    }

    /// Frees the account's name.
    pub fn release(&self, account: AccountId) {
        self.lock().release(account);
    }

    /// The account that the name, or one that looks like it, belongs to.
    #[must_use]
    pub fn owner_of(&self, name: &Name) -> Option<AccountId> {
        let looks = Looks::of(name);
        let owners = self.lock();
        looks.each().find_map(|look| owners.by_look.get(look).copied())
    }

    /// Whether a session of this account, or of none, may have a name of these looks.
    pub(super) fn are_free_for(&self, looks: &Looks, account: Option<AccountId>) -> bool {
        self.lock().are_free_for(looks, account)
    }

    fn lock(&self) -> MutexGuard<'_, Owners> {
        // A panic while the lock is held leaves at worst a look that is taken for nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owners {
    fn are_free_for(&self, looks: &Looks, account: Option<AccountId>) -> bool {
        looks.each().all(|look| self.by_look.get(look).is_none_or(|owner| Some(*owner) == account))
    }

    fn release(&mut self, account: AccountId) {
        let Some(name) = self.names.remove(&account) else { return };
        for look in Looks::of(&name).each() {
            self.by_look.remove(look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a fine name")
    }

    #[test]
    fn a_name_belongs_to_one_account_in_all_its_looks_until_it_is_released() {
        let [ann, eve] = [1, 2].map(|number| AccountId([number; 16]));
        let names = ReservedNames::default();
        assert_eq!(names.claim(ann, &name("ALEX")), Ok(()));
        // All of it Cyrillic but the L.
        assert_eq!(names.claim(eve, &name("АLЕХ")), Err(NameTaken));
        assert_eq!(names.owner_of(&name("𝐀𝐋𝐄𝐗")), Some(ann));
        assert_eq!(names.claim(ann, &name("alex")), Ok(()), "the owner may change its spelling");
        assert_eq!(names.claim(ann, &name("Lucy")), Ok(()));
        assert_eq!((names.owner_of(&name("Lucу")), names.owner_of(&name("ALEX"))), (Some(ann), None));
        assert_eq!(names.claim(eve, &name("Alex")), Ok(()), "the former name is free");
        assert_eq!(names.claim(eve, &name("Lucy")), Err(NameTaken));
        assert_eq!(names.owner_of(&name("alex")), Some(eve), "a refused claim changes nothing");
        names.release(ann);
        names.release(eve);
        let owners = names.lock();
        assert!(owners.by_look.is_empty() && owners.names.is_empty());
    }
}
