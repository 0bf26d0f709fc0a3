//! Unguessable numbers for room codes, reservations, and sessions, from the operating system: the outputs of a non-cryptographic generator
//! would reveal its later ones.

/// A random number that is not 0.
///
/// # Panics
/// The operating system has no random numbers, although it had at startup: a guessable number would be worse.
pub(crate) fn number() -> u64 {
    getrandom::u64().expect("the system had random numbers when the server started").max(1)
}

/// Two keys to sign with.
///
/// # Errors
/// The operating system has no random numbers.
pub(crate) fn keys() -> anyhow::Result<[[u8; 32]; 2]> {
    let mut keys = [[0; 32]; 2];
    getrandom::fill(keys.as_flattened_mut())
        .map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    Ok(keys)
}
