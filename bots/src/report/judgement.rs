//! One claim about a run and its outcome.

use serde::Serialize;

/// One claim and how it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// As it was written.
    pub claim: String,
    /// Whether it held.
    pub held: bool,
    /// The value there was, with its unit.
    pub value: String,
}
