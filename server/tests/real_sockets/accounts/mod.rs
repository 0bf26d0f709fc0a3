//! Accounts, and attacks on them.
//!
//! | module | what it shows |
//! |---|---|
//! | [`browser`] | fixture: a browser with a page of the server open |
//! | [`guests`] | guests get an account, limits, a database that is gone |
//! | [`sites`] | pages of other sites change nothing |
//! | [`passwords`] | names with passwords, recovery, export, deletion, guessing |
//! | [`play`] | an account in the game: its name, and the end of its games |
//! | [`authenticator`] | fixture: an authenticator in software |
//! | [`passkeys`] | passkeys, and what is refused of them |
//! | `test_provider` | fixture: an OpenID Connect provider |
//! | `provider` | an identity at a provider signs in, and attacks on that |

mod authenticator;
pub(crate) mod browser;
mod guests;
mod passkeys;
mod passwords;
mod play;
#[cfg(feature = "oidc")]
mod provider;
mod sites;
#[cfg(feature = "oidc")]
mod test_provider;
