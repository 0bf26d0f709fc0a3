//! Accounts, and attacks on them.
//!
//! | module | what it shows |
//! |---|---|
//! | [`browser`] | fixture: a browser with a page of the server open |
//! | [`guests`] | guests get an account, limits, a database that is gone |
//! | [`passwords`] | names with passwords, recovery, export, deletion, guessing |
//! | [`sites`] | pages of other sites change nothing |

mod browser;
mod guests;
mod passwords;
mod sites;
