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

pub mod chat;
pub mod chat_command;
pub mod dom;
pub mod kill_feed;
pub mod lobby;
pub mod match_status;
pub mod net_graph;
pub mod network_lab;
pub mod play;
pub mod screens;
