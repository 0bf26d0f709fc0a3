//! What stands over the picture: gauges, score, board, kill feed, menus. Plain elements of the page.
//!
//! | module | what it holds |
//! |---|---|
//! | [`dom`] | elements that change only when what they show changes |
//! | [`play`] | what the pilot reads in battle |
//! | [`feed`] | who sank whom |
//! | [`screens`] | title, pause, notices |
//! | [`netgraph`] | the line, drawn and in figures |
//! | [`lab`] | bad lines on purpose, and what helps against them |

pub mod dom;
pub mod feed;
pub mod lab;
pub mod netgraph;
pub mod play;
pub mod screens;
