//! One claim about a run and its outcome.

use serde::Serialize;

/// The outcome of one claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The claim as it was written.
    pub(crate) claim: String,
    /// Whether it held.
    pub(crate) held: bool,
    /// The measured value with its unit, or why there is none.
    pub(crate) value: String,
}
