//! What stands over the picture: gauges, score, board, kill feed, menus. Plain elements of the page.
//!
//! | module | what it holds |
//! |---|---|
//! | [`dom`] | elements that change only when what they show changes |
//! | [`play`] | what the pilot reads in battle |
//! | [`lobby`] | rooms to go to, the best of all rooms, private rooms |
//! | [`chat`], [`said`] | what people write to each other; what a typed line means |
//! | [`match_status`] | both sides of a match, its clock, who won |
//! | [`feed`] | who sank whom |
//! | [`screens`] | title, pause, notices |
//! | [`net_graph`] | the line, drawn and in figures |
//! | [`lab`] | bad lines on purpose, and what helps against them |

pub(crate) mod chat;
pub(crate) mod chat_command;
pub(crate) mod dom;
pub(crate) mod kill_feed;
pub(crate) mod lobby;
pub(crate) mod match_status;
pub(crate) mod net_graph;
pub(crate) mod network_lab;
pub(crate) mod play;
pub(crate) mod screens;
