//! What the owner of an account changes.

use std::net::IpAddr;

use broadside_shared::protocol::name::Name;
use broadside_store::StoreError;
use broadside_store::accounts::{Account, AccountId};
use broadside_store::credentials::{Identity, Passkey};
use serde_json::{Map, Value};

use super::passwords::Password;
use super::recovery::{CODES, RecoveryCode};
use super::secrets::{BrowserSecret, SecretHash};
use super::sign_in::{OwnName, key};
use super::{AccountError, Accounts, sign_in};
use crate::metrics::labels::AddressLimit;
use crate::store::now_us;

/// How long after signing in a browser may change the ways to sign in without the password, in seconds.
pub(crate) const RECENT_S: i64 = 300;

/// How an account can be signed in to.
pub(crate) struct WaysIn {
    pub(crate) has_password: bool,
    pub(crate) passkeys: Vec<Passkey>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) recovery_codes_left: u32,
}

impl Accounts {
    /// How an account can be signed in to.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn ways_in(&self, account: AccountId) -> Result<WaysIn, AccountError> {
        Ok(WaysIn {
            has_password: self.store.password(account).await?.is_some(),
            passkeys: self.store.passkeys(account).await?,
            identities: self.store.identities(account).await?,
            recovery_codes_left: self.store.recovery_codes_left(account).await?,
        })
    }

    /// Whether whoever sits at a signed-in browser proves to be the owner, as changing the ways to sign in requires: by the password, or by
    /// having signed in just now, which is how an owner without a password does it. A guest has nothing to prove.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::NotConfirmed`], too many attempts, hashing is busy, or the database does not answer.
    pub(crate) async fn confirm(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        match password {
            Some(password) => self.confirm_password(account.id, password, address).await,
            None if !account.keeps_name || self.confirmed_for_s(secret_hash).await? > 0 => Ok(()),
            None => Err(AccountError::NotConfirmed),
        }
    }

    /// Seconds for which a browser may still change the ways to sign in without the password; 0 if it may not.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn confirmed_for_s(&self, secret_hash: SecretHash) -> Result<i64, AccountError> {
        let signed_in_us = self.store.signed_in_at(secret_hash).await?.unwrap_or(0);
        Ok((RECENT_S - (now_us() - signed_in_us) / 1_000_000).clamp(0, RECENT_S))
    }

    async fn confirm_password(&self, account: AccountId, password: &str, address: IpAddr) -> Result<(), AccountError> {
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let password = Password::entered(password).ok_or(AccountError::WrongPassword)?;
        let check = async {
            let hash = self.store.password(account).await?;
            Ok(self.passwords.verify(password, hash).await?.then_some(()))
        };
        self.attempt(&[key("account", &account.0)], check).await?.ok_or(AccountError::WrongPassword)
    }

    /// Sets an account's password, against the current one if there is one, and signs every other browser out. Returns this browser's new
    /// secret.
    ///
    /// # Errors
    /// As [`Accounts::confirm`]; the new password is refused; [`AccountError::IsGuest`].
    pub(crate) async fn change_password(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        (current, new): (Option<&str>, &str),
        address: IpAddr,
    ) -> Result<BrowserSecret, AccountError> {
        if !account.keeps_name {
            return Err(AccountError::IsGuest);
        }
        let name = Name::new(&account.name).map_err(|_| AccountError::Failed)?;
        let new = Password::chosen(new, &name)?;
        let has_password = self.store.password(account.id).await?.is_some();
        match current {
            // However recent the sign-in: this signs everybody else out.
            None if has_password => return Err(AccountError::WrongPassword),
            current => self.confirm((account, secret_hash), current, address).await?,
        }
        let hash = self.passwords.hash(new).await?;
        let (secret, now_us) = (BrowserSecret::make(), now_us());
        self.store.change_password(account.id, &hash, sign_in(&secret, now_us), now_us).await?;
        Ok(secret)
    }

    /// Gives an account another name.
    ///
    /// # Errors
    /// [`AccountError::NameTaken`], [`AccountError::IsGuest`], too many names, or the database does not answer.
    pub(crate) async fn rename(&self, account: &Account, name: &OwnName) -> Result<(), AccountError> {
        if !account.keeps_name {
            return Err(AccountError::IsGuest);
        }
        self.renames.take(account.id, 1, self.context.clock.now()).map_err(AccountError::TooFast)?;
        match self.store.keep_name(account.id, name.name.as_str(), &name.looks).await {
            Err(StoreError::Conflict(_)) => {
                self.renames.give_back(&account.id, 1);
                Err(AccountError::NameTaken(name.name.clone()))
            }
            renamed => Ok(renamed?),
        }
    }

    /// What is set with an account; `None` as long as nothing is.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn settings(&self, account: AccountId) -> Result<Option<Map<String, Value>>, AccountError> {
        // Only objects are kept; a damaged database has none.
        Ok(self.store.settings(account).await?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Sets what is set with an account: the text of a JSON object, whose length the caller has checked.
    ///
    /// # Errors
    /// [`AccountError::IsGuest`], too many changes, or the database does not answer.
    pub(crate) async fn set_settings(&self, account: &Account, text: &str) -> Result<(), AccountError> {
        if !account.keeps_name {
            return Err(AccountError::IsGuest);
        }
        self.settings_changes.take(account.id, 1, self.context.clock.now()).map_err(AccountError::TooFast)?;
        Ok(self.store.set_settings(account.id, text, now_us()).await?)
    }

    /// Replaces an account's recovery codes. Returns the new ones, which nobody can show again.
    ///
    /// # Errors
    /// As [`Accounts::confirm`]; [`AccountError::IsGuest`].
    pub(crate) async fn make_recovery_codes(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<Vec<String>, AccountError> {
        if !account.keeps_name {
            return Err(AccountError::IsGuest);
        }
        self.confirm((account, secret_hash), password, address).await?;
        let codes: Vec<RecoveryCode> = (0..CODES).map(|_| RecoveryCode::make()).collect();
        let hashes: Vec<[u8; 32]> = codes.iter().map(RecoveryCode::hash).collect();
        self.store.set_recovery_codes(account.id, &hashes, now_us()).await?;
        Ok(codes.iter().map(RecoveryCode::text).collect())
    }

    /// Signs every browser of an account out, this one included.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn sign_out_everywhere(&self, account: AccountId) -> Result<(), AccountError> {
        self.store.sign_out_everywhere(account, None).await?;
        Ok(())
    }

    /// Deletes an account.
    ///
    /// # Errors
    /// As [`Accounts::confirm`].
    pub(crate) async fn delete(
        &self,
        (account, secret_hash): (&Account, SecretHash),
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        self.confirm((account, secret_hash), password, address).await?;
        Ok(self.store.delete_account(account.id).await?)
    }
}
