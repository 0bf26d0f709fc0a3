//! Unguessable numbers for room codes, reservations, and sessions, from the operating system: the outputs of a non-cryptographic generator
//! would reveal its later ones.

/// A random number that is not 0.
///
/// # Panics
/// The operating system has no random numbers, although it had at startup: a guessable number would be worse.
pub(crate) fn number() -> u64 {
    getrandom::u64().expect("the system had random numbers when the server started").max(1)
}
