//! Why something about an account is refused.

use broadside_shared::protocol::name::Name;
use broadside_store::StoreError;
use thiserror::Error;

use super::manage::RECENT_S;

/// Why something about an account is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AccountError {
    /// The database does not answer.
    #[error("accounts cannot be used right now: the database does not answer; play goes on without one")]
    Unavailable,
    /// A bug, or a damaged database.
    #[error("the server failed; its log says why")]
    Failed,
    /// The address, or this account, asks too often. In how many seconds it may again.
    #[error("too many attempts; try again in {0} s")]
    TooFast(u64),
    /// Too many passwords wait to be hashed. In how many seconds it is worth trying again.
    #[error("too many people sign in at this moment; try again in {0} s")]
    Busy(u64),
    /// The same for a wrong name and a wrong password.
    #[error("name or password is wrong")]
    WrongCredentials,
    /// The password of the account that the browser is signed in to.
    #[error("the password is wrong")]
    WrongPassword,
    #[error("there is no such recovery code, or it was used")]
    WrongCode,
    /// The ways to sign in may only be changed by who proves to own the account.
    #[error("confirm that it is you: send the password, or sign in again and retry within {} minutes", RECENT_S / 60)]
    NotConfirmed,
    /// Why the name cannot be given to anybody.
    #[error("name: {0}")]
    BadName(String),
    /// Why the password cannot be chosen.
    #[error("the password {0}")]
    BadPassword(String),
    #[error("the name `{0}` belongs to another account, or looks like one that does; choose another one")]
    NameTaken(Name),
    /// A name was to be kept by an account that keeps one.
    #[error("this account keeps a name already; PUT /api/account/name changes it")]
    KeepsName,
    /// Only accounts that keep their name have this.
    #[error("a guest has no such thing; POST /api/account/keep-name makes the guest an account")]
    IsGuest,
    #[error("passkeys are bound to a name: open the game as localhost, or start the server with --public-host")]
    NoPasskeys,
    /// Why a passkey cannot be added.
    #[error("the passkey was refused: {0}")]
    PasskeyRefused(String),
    /// Nothing waits for this second step.
    #[error("this took too long, or was done already; begin again")]
    NoCeremony,
    #[error("this passkey signs in to no account here")]
    UnknownPasskey,
    /// The account has no such passkey or identity.
    #[error("the account has no such thing; GET /api/account lists what it has")]
    NotFound,
    #[error("nothing else signs in to this account; add a password or a passkey first")]
    LastWayIn,
    /// The provider's identity signs in to another account.
    #[cfg(feature = "oidc")]
    #[error(
        "this identity signs in to another account; finish with the intent sign_in to use that one, or keep this one without it"
    )]
    IdentityTaken,
    #[cfg(feature = "oidc")]
    #[error("no account has this identity; finish with the intent link, and a name if this is a guest")]
    UnknownIdentity,
    /// The server has no provider.
    #[cfg(feature = "oidc")]
    #[error("no provider signs in here; the server starts with --oidc-issuer")]
    NoProvider,
    #[cfg(feature = "oidc")]
    #[error("the provider does not answer; try again later, or sign in another way")]
    ProviderUnavailable,
    /// Its answer is not what was asked for.
    #[cfg(feature = "oidc")]
    #[error("the provider's answer cannot be trusted; begin again")]
    ProviderRefused,
}

impl AccountError {
    /// The reason in a word, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            AccountError::Unavailable => "unavailable",
            AccountError::Failed => "failed",
            AccountError::TooFast(_) => "too_fast",
            AccountError::Busy(_) => "busy",
            AccountError::WrongCredentials => "wrong_credentials",
            AccountError::WrongPassword => "wrong_password",
            AccountError::WrongCode => "wrong_code",
            AccountError::NotConfirmed => "not_confirmed",
            AccountError::BadName(_) => "bad_name",
            AccountError::BadPassword(_) => "bad_password",
            AccountError::NameTaken(_) => "name_taken",
            AccountError::KeepsName => "keeps_name",
            AccountError::IsGuest => "is_guest",
            AccountError::NoPasskeys => "no_passkeys",
            AccountError::PasskeyRefused(_) => "passkey_refused",
            AccountError::NoCeremony => "no_ceremony",
            AccountError::UnknownPasskey => "unknown_passkey",
            AccountError::NotFound => "not_found",
            AccountError::LastWayIn => "last_way_in",
            #[cfg(feature = "oidc")]
            AccountError::IdentityTaken => "identity_taken",
            #[cfg(feature = "oidc")]
            AccountError::UnknownIdentity => "unknown_identity",
            #[cfg(feature = "oidc")]
            AccountError::NoProvider => "no_provider",
            #[cfg(feature = "oidc")]
            AccountError::ProviderUnavailable => "provider_unavailable",
            #[cfg(feature = "oidc")]
            AccountError::ProviderRefused => "provider_refused",
        }
    }
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
