//! Accounts: who a browser is signed in as. Everything about them that is not HTTP; the routes are in `http::api::accounts`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`secrets`] | the secret in a browser's cookie |
//! | [`passwords`] | which passwords are accepted, and their hashing |
//! | [`recovery`] | recovery codes |
//! | [`ceremonies`] | what waits between two steps that a browser takes |
//! | [`passkeys`] | passkeys are made, and sign in |
//! | [`provider`] | an OpenID Connect provider signs in; with the feature `oidc` |
//! | [`error`] | why something is refused |
//! | [`sign_in`](mod@sign_in) | a guest keeps a name, a browser signs in, an owner recovers |
//! | [`manage`] | what the owner of an account changes |
//! | [`export`] | everything that is kept of an account |
//!
//! A guest has an account as well, made when its browser first asks for a token; its name is not its own. Nothing here is in the way of
//! play: without a database there are only players without accounts.

pub(crate) mod ceremonies;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod manage;
pub(crate) mod passkeys;
pub(crate) mod passwords;
#[cfg(feature = "oidc")]
pub(crate) mod provider;
pub(crate) mod recovery;
pub(crate) mod secrets;
pub(crate) mod sign_in;

use std::net::IpAddr;

use broadside_store::Store;
use broadside_store::accounts::{Account, AccountId, SignIn};

use crate::limits::rates::{AddressRates, Rate, Rates};
use crate::metrics::labels::{AddressLimit, SignInResult};
use crate::rooms::context::ServerContext;
use crate::store::now_us;
use passkeys::Passkeys;
use passwords::Passwords;
use secrets::{BrowserSecret, SecretHash};
use sign_in::AttemptKey;

pub(crate) use error::AccountError;

/// How long a browser stays signed in, in seconds: the longest that browsers keep a cookie (RFC 6265bis, section 5.5).
pub(crate) const SIGNED_IN_S: u32 = 400 * 86_400;

/// The accounts of a server.
pub struct Accounts {
    store: Store,
    context: ServerContext,
    /// Guests that each address made lately.
    guests: AddressRates,
    /// Attempts of each address to prove something.
    credentials: AddressRates,
    /// Wrong passwords for each name and account.
    wrong_passwords: Rates<AttemptKey>,
    renames: Rates<AccountId>,
    settings_changes: Rates<AccountId>,
    passwords: Passwords,
    passkeys: Passkeys,
    #[cfg(feature = "oidc")]
    provider: Option<provider::Provider>,
}

impl Accounts {
    /// The accounts in this database.
    pub(crate) fn new(store: Store, context: ServerContext) -> Accounts {
        let refused = context.metrics.sign_ins.of(SignInResult::Busy).clone();
        Accounts {
            store,
            context,
            guests: AddressRates::new(Rate::NEW_GUESTS),
            credentials: AddressRates::new(Rate::CREDENTIALS),
            wrong_passwords: Rates::new(Rate::WRONG_PASSWORDS),
            renames: Rates::new(Rate::RENAMES),
            settings_changes: Rates::new(Rate::SETTINGS_CHANGES),
            passwords: Passwords::new(refused),
            passkeys: Passkeys::new(),
            #[cfg(feature = "oidc")]
            provider: None,
        }
    }

    /// The same, with a provider that signs in.
    #[cfg(feature = "oidc")]
    pub(crate) fn with_provider(self, provider: Option<provider::Provider>) -> Accounts {
        Accounts { provider, ..self }
    }

    /// Forgets what no longer limits anybody; once a second.
    pub(crate) fn sweep(&self) {
        let now = self.context.clock.now();
        self.guests.forget(now);
        self.credentials.forget(now);
        self.wrong_passwords.forget(now);
        self.renames.forget(now);
        self.settings_changes.forget(now);
    }

    /// The account that a browser with this secret is signed in to.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn signed_in(&self, secret_hash: SecretHash) -> Result<Option<Account>, AccountError> {
        Ok(self.store.signed_in(secret_hash, now_us()).await?)
    }

    /// Makes an account for a guest at this address. Returns it with the secret that its browser keeps.
    ///
    /// # Errors
    /// [`AccountError::TooFast`] if the address makes too many, or the database does not answer.
    pub(crate) async fn create_guest(&self, address: IpAddr) -> Result<(Account, BrowserSecret), AccountError> {
        self.limit(address, &self.guests, AddressLimit::Guests)?;
        let secret = BrowserSecret::make();
        let now_us = now_us();
        let account = self.store.create_guest(sign_in(&secret, now_us), now_us).await?;
        Ok((account, secret))
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn sign_out(&self, secret_hash: SecretHash) -> Result<(), AccountError> {
        Ok(self.store.sign_out(secret_hash).await?)
    }

    fn count(&self, result: SignInResult) {
        self.context.metrics.sign_ins.of(result).inc();
    }

    /// Counts one more use by an address.
    ///
    /// # Errors
    /// [`AccountError::TooFast`].
    fn limit(&self, address: IpAddr, rates: &AddressRates, limit: AddressLimit) -> Result<(), AccountError> {
        if self.context.limits.is_exempt(address) {
            return Ok(());
        }
        rates.take(address, 1, self.context.clock.now()).map_err(|wait_s| {
            self.context.refused(address, limit);
            AccountError::TooFast(wait_s)
        })
    }
}

fn sign_in(secret: &BrowserSecret, now_us: i64) -> SignIn {
    SignIn { secret_hash: secret.hash(), expires_us: now_us + i64::from(SIGNED_IN_S) * 1_000_000 }
}
