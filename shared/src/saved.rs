//! Worlds as bytes: checkpoints and recordings hold them, and a world that is read back goes on as the one that was saved.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::codec;
use crate::replication::bits::WireError;

/// A value as bytes, with nothing lost. They are read by the same build only: whoever keeps them also keeps what tells builds apart.
#[must_use]
pub fn save<T: Serialize>(value: &T) -> Vec<u8> {
    codec::encode_value(value)
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// The bytes are not such a value, or not of this build.
pub fn load<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    codec::decode_world(bytes)
}

/// Reads the first of the values that [`save`] wrote as a tuple.
///
/// # Errors
/// As [`load`].
pub fn load_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    codec::decode_first(bytes)
}

/// A generator of random numbers, with its place in the sequence: `#[serde(with = "broadside_shared::saved::rng")]`.
pub mod rng {
    use fastrand::Rng;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// See the module.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(rng: &Rng, to: S) -> Result<S::Ok, S::Error> {
        rng.get_seed().serialize(to)
    }

    /// See the module.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Rng, D::Error> {
        u64::deserialize(from).map(Rng::with_seed)
    }
}
