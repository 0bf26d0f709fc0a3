//! Numbers that nobody can guess: codes, reservations, sessions. From the operating system; a generator of our own would show in what it
//! gives to one what it gives to the next.

/// A number from 1 on.
///
/// # Panics
/// When the operating system has no random numbers, as it had when the server started: a guessable number would be worse.
#[must_use]
pub fn number() -> u64 {
    getrandom::u64().expect("the system had random numbers when the server started").max(1)
}
