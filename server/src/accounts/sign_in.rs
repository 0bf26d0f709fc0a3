//! Ways into an account: a guest keeps a name, a browser signs in, an owner recovers.

use std::net::IpAddr;

use broadside_shared::protocol::name::Name;
use broadside_store::StoreError;
use broadside_store::accounts::Renewal;
use broadside_store::accounts::{Account, AccountId};
use broadside_store::entrance::Credential;
use sha2::{Digest, Sha256};

use super::passwords::Password;
use super::recovery::RecoveryCode;
use super::secrets::{BrowserSecret, SecretHash};
use super::{AccountError, Accounts, sign_in};
use crate::lobby::names::{FitName, Looks};
use crate::metrics::labels::{AddressLimit, SignInResult};
use crate::store::now_us;

/// Whose wrong passwords are counted together: a name, by how it looks, or an account.
pub(super) type AttemptKey = [u8; 32];

/// A name that an account may have, with what it looks like.
pub(crate) struct OwnName {
    pub(crate) name: Name,
    pub(super) looks: Vec<String>,
}

impl OwnName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`AccountError::BadName`].
    pub(crate) fn chosen(text: &str) -> Result<OwnName, AccountError> {
        let bad = |why: String| AccountError::BadName(why);
        let name = Name::new(text).map_err(|error| bad(error.to_string()))?;
        let fit = FitName::new(&name).map_err(|error| bad(error.to_string()))?;
        let looks = Looks::of(fit.name()).each().map(str::to_owned).collect();
        Ok(OwnName { name: fit.name().clone(), looks })
    }
}

impl Accounts {
    /// Turns a guest into an account with this name and password. Returns the browser's new secret.
    ///
    /// # Errors
    /// The name or the password is refused, the name is taken, the account has one already, hashing is busy, or the database does not answer.
    pub(crate) async fn keep_name(
        &self,
        (guest, secret_hash): (&Account, SecretHash),
        name: &OwnName,
        password: &str,
        address: IpAddr,
    ) -> Result<BrowserSecret, AccountError> {
        let password = Password::chosen(password, &name.name)?;
        self.may_keep(guest, name).await?;
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let hash = self.passwords.hash(password).await?;
        self.claim(guest.id, name, Credential::Password(&hash), secret_hash).await
    }

    /// Whether a guest may keep a name, as far as is known now: before it is asked to make a credential for it.
    ///
    /// # Errors
    /// [`AccountError::KeepsName`], [`AccountError::NameTaken`], or the database does not answer.
    pub(crate) async fn may_keep(&self, guest: &Account, name: &OwnName) -> Result<(), AccountError> {
        if guest.keeps_name {
            return Err(AccountError::KeepsName);
        }
        match self.store.account_named(&name.looks).await? {
            Some(_) => Err(AccountError::NameTaken(name.name.clone())),
            None => Ok(()),
        }
    }

    /// Gives a guest a name and its first credential. Returns the browser's new secret.
    ///
    /// # Errors
    /// [`AccountError::NameTaken`], or the database does not answer.
    pub(crate) async fn claim(
        &self,
        guest: AccountId,
        name: &OwnName,
        credential: Credential<'_>,
        secret_hash: SecretHash,
    ) -> Result<BrowserSecret, AccountError> {
        let (secret, now_us) = (BrowserSecret::make(), now_us());
        let renewal = Renewal { replaces: Some(secret_hash), sign_in: sign_in(&secret, now_us) };
        let named = (name.name.as_str(), &*name.looks);
        match self.store.claim_name(guest, named, credential, renewal, now_us).await {
            Ok(()) => Ok(secret),
            // Somebody was faster since `may_keep`.
            Err(StoreError::Conflict(_)) => Err(AccountError::NameTaken(name.name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Signs a browser in by name and password. Does the same work whether there is such an account or not. Returns the account and the
    /// browser's new secret.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`], too many attempts, hashing is busy, or the database does not answer.
    pub(crate) async fn sign_in(
        &self,
        (name, password): (&str, &str),
        replaces: Option<SecretHash>,
        address: IpAddr,
    ) -> Result<(Account, BrowserSecret), AccountError> {
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        // What no account can have needs no work: that depends on nothing but the request.
        let name = Name::new(name).map_err(|_| AccountError::WrongCredentials)?;
        let password = Password::entered(password).ok_or(AccountError::WrongCredentials)?;
        let looks: Vec<String> = Looks::of(&name).each().map(str::to_owned).collect();
        let keys: Vec<AttemptKey> = looks.iter().map(|look| key("name", look.as_bytes())).collect();
        let account = self.attempt(&keys, self.owner(&looks, password)).await?.ok_or(AccountError::WrongCredentials)?;
        let secret = self.enter(account.id, replaces).await?;
        Ok((account, secret))
    }

    /// The account with this name, if it has this password.
    async fn owner(&self, looks: &[String], password: Password) -> Result<Option<Account>, AccountError> {
        let account = self.store.account_named(looks).await?;
        let id = account.as_ref().map_or(AccountId([0; 16]), |account| account.id);
        let hash = self.store.password(id).await?;
        let is_right = self.passwords.verify(password, hash).await?;
        Ok(account.filter(|_| is_right))
    }

    /// Signs a browser in to an account that it has proven to own. Returns its new secret: whoever knew the former one, of a guest or of
    /// another account, learns nothing of this.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn enter(
        &self,
        account: AccountId,
        replaces: Option<SecretHash>,
    ) -> Result<BrowserSecret, AccountError> {
        let (secret, now_us) = (BrowserSecret::make(), now_us());
        let renewal = Renewal { replaces, sign_in: sign_in(&secret, now_us) };
        match self.store.sign_in(account, renewal, now_us).await {
            Ok(()) => {
                self.count(SignInResult::SignedIn);
                Ok(secret)
            }
            // It was deleted in between.
            Err(StoreError::Conflict(_)) => Err(AccountError::WrongCredentials),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a new password by a recovery code, and signs every other browser out. Returns the account and the browser's new secret.
    ///
    /// # Errors
    /// [`AccountError::WrongCode`], the password is refused, too many attempts, hashing is busy, or the database does not answer.
    pub(crate) async fn recover(
        &self,
        (code, password): (&str, &str),
        replaces: Option<SecretHash>,
        address: IpAddr,
    ) -> Result<(Account, BrowserSecret), AccountError> {
        self.limit(address, &self.credentials, AddressLimit::Credentials)?;
        let code = RecoveryCode::parse(code).ok_or(AccountError::WrongCode)?;
        let owner = self.store.account_of_recovery_code(code.hash()).await?.ok_or(AccountError::WrongCode)?;
        let name = Name::new(&owner.name).map_err(|_| AccountError::Failed)?;
        let hash = self.passwords.hash(Password::chosen(password, &name)?).await?;
        let (secret, now_us) = (BrowserSecret::make(), now_us());
        let renewal = Renewal { replaces, sign_in: sign_in(&secret, now_us) };
        let recovered = self.store.recover(code.hash(), &hash, renewal, now_us).await?;
        if recovered.is_some() {
            self.count(SignInResult::SignedIn);
        }
        recovered.map(|_| (owner, secret)).ok_or(AccountError::WrongCode)
    }

    /// Carries out an attempt at a password; `None` if that was wrong. It counts from its start, so that attempts at the same time count too,
    /// unless it turns out to be right, or nobody could say.
    ///
    /// # Errors
    /// [`AccountError::TooFast`] after too many wrong ones, and those of the attempt.
    pub(super) async fn attempt<T>(
        &self,
        keys: &[AttemptKey],
        attempt: impl Future<Output = Result<Option<T>, AccountError>>,
    ) -> Result<Option<T>, AccountError> {
        let now = self.context.clock.now();
        let give_back = |keys: &[AttemptKey]| keys.iter().for_each(|key| self.wrong_passwords.give_back(key, 1));
        for (at, key) in keys.iter().enumerate() {
            if let Err(wait_s) = self.wrong_passwords.take(*key, 1, now) {
                give_back(&keys[..at]);
                self.count(SignInResult::TooFast);
                return Err(AccountError::TooFast(wait_s));
            }
        }
        let found = attempt.await;
        match found {
            Ok(None) => self.count(SignInResult::Wrong),
            Ok(Some(_)) | Err(_) => give_back(keys),
        }
        found
    }
}

/// The key for attempts at something of this kind.
pub(super) fn key(kind: &str, what: &[u8]) -> AttemptKey {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(what).finalize().into()
}
