//! One assertion about a run and its outcome.

use serde::Serialize;

/// The outcome of one assertion.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The assertion as it was written.
    pub(crate) assertion: String,
    /// Whether it held.
    pub(crate) held: bool,
    /// The measured value with its unit, or why there is none.
    pub(crate) value: String,
}
