//! Elements of the page over the picture: gauges, score, board, kill feed, menus.
//!
//! | module | what it holds |
//! |---|---|
//! | [`dom`] | elements that change only when what they show changes |
//! | [`play`] | the gauges of play |
//! | [`lobby`] | rooms, leaderboard, private rooms |
//! | [`chat`], [`chat_command`] | the chat; what a typed line means |
//! | [`match_status`] | both teams, the clock, the result |
//! | [`kill_feed`] | who sank whom |
//! | [`replay_bar`] | the bar below a recorded match |
//! | [`scoreboard`] | all players of the room, while Tab is held |
//! | [`screens`] | title, pause, notices |
//! | [`tab`] | the title of the browser's tab |
//! | [`net_graph`] | the link's behavior, drawn and in numbers |
//! | [`network_lab`] | simulated links, and switches for what hides lag |

pub(crate) mod chat;
pub(crate) mod chat_command;
pub(crate) mod dom;
pub(crate) mod kill_feed;
pub(crate) mod lobby;
pub(crate) mod match_status;
pub(crate) mod net_graph;
pub(crate) mod network_lab;
pub(crate) mod play;
pub(crate) mod replay_bar;
pub(crate) mod scoreboard;
pub(crate) mod screens;
pub(crate) mod tab;
