//! Accounts: who a browser is signed in as. Everything about them that is not HTTP; the routes are in `http::api::accounts`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`secrets`] | the secret in a browser's cookie |
//!
//! A guest has an account as well, made when its browser first asks for a token; its name is not its own. Nothing here is in the way of
//! play: without a database there are only players without accounts.

pub(crate) mod secrets;

use std::net::IpAddr;

use broadside_store::accounts::{Account, SignIn};
use broadside_store::{Store, StoreError};
use thiserror::Error;

use crate::limits::rates::{AddressRates, Rate};
use crate::metrics::labels::AddressLimit;
use crate::rooms::context::ServerContext;
use crate::store::now_us;
use secrets::{BrowserSecret, SecretHash};

/// How long a browser stays signed in, in seconds: the longest that browsers keep a cookie (RFC 6265bis, section 5.5).
pub(crate) const SIGNED_IN_S: u32 = 400 * 86_400;

/// The accounts of a server.
pub struct Accounts {
    store: Store,
    context: ServerContext,
    /// Guests that each address made lately.
    guests: AddressRates,
}

/// Why something about an account is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AccountError {
    /// The database does not answer.
    #[error("accounts cannot be used right now: the database does not answer; play goes on without one")]
    Unavailable,
    /// The database answers wrongly: a bug.
    #[error("the server failed; its log says why")]
    Failed,
    /// The address, or this account, asks too often. In how many seconds it may again.
    #[error("too many attempts; try again in {0} s")]
    TooFast(u64),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> AccountError {
        match error {
            StoreError::Unavailable(_) => AccountError::Unavailable,
            StoreError::Conflict(_) | StoreError::Failed(_) => {
                tracing::error!(%error, "a query about accounts failed");
                AccountError::Failed
            }
        }
    }
}

impl Accounts {
    /// The accounts in this database.
    pub(crate) fn new(store: Store, context: ServerContext) -> Accounts {
        Accounts { store, context, guests: AddressRates::new(Rate::NEW_GUESTS) }
    }

    /// Forgets what no longer limits anybody; once a second.
    pub(crate) fn sweep(&self) {
        self.guests.forget(self.context.clock.now());
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
