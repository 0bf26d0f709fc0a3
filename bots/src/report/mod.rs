//! What the players of a load run measured, and what it cost: as text, as JSON and as a page.
//!
//! | module | what it holds |
//! |---|---|
//! | `model` | the results, with the keys of the JSON report |
//! | `judgement`, `knee` | assertions about a run and their outcomes |
//! | `summary` | from counters to results |
//! | `verdict` | whether a run went as it should |
//! | `text`, `html` | the report for a terminal and for a browser |

mod html;
mod judgement;
mod knee;
mod model;
mod summary;
mod text;
mod verdict;

pub use html::{Histograms, html_page};
pub use judgement::Judgement;
pub use knee::{Knee, KneeLevel};
pub use model::Report;
