//! Reports from the shell to the flow of the page, and the actions that the flow requests of the shell.

use broadside_shared::client::Phase;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;

use super::state::{ConnectionEnd, Notice, PageState};

/// The inputs of the page at its start.
#[derive(Debug, Default)]
pub(crate) struct PageStart<'a> {
    /// The path of the address, without its base and slash: `r/K7QF2M` for a private room, `replay/ID` for a
    /// recorded match.
    pub(crate) path: &'a str,
    /// The number of a public room, from the address.
    pub(crate) room_parameter: Option<&'a str>,
    /// `1` to watch that room instead of playing in it.
    pub(crate) watch_parameter: Option<&'a str>,
    /// The room that this tab was in before a reload, as [`RoomRequest::to_text`] writes it.
    pub(crate) stored_room: Option<&'a str>,
    /// Whether to play without a click.
    pub(crate) autojoin: bool,
    /// The name from the address or from an earlier visit.
    pub(crate) name: Option<Name>,
}

/// How far the connection and its client are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionReport {
    pub(crate) phase: Phase,
    /// The role in the room, while there is a seat.
    pub(crate) role: Option<Role>,
    /// Whether the server has sent the state of the local player.
    pub(crate) has_player_state: bool,
    pub(crate) queue_position: Option<u32>,
    /// Whether the socket was ever open.
    pub(crate) opened: bool,
}

/// A connection that has ended.
#[derive(Debug, Clone)]
pub(crate) struct LostConnection {
    pub(crate) end: ConnectionEnd,
    /// The reason in the server's close frame; empty without one.
    pub(crate) reason: String,
    /// The node that the server has sent this page to.
    pub(crate) redirect: Option<String>,
    /// The other nodes of the cluster, if the server has listed them.
    pub(crate) nodes: Option<Vec<String>>,
}

/// What the shell does next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PageAction {
    /// Reads the name field and answers with [`PageFlow::handle_name`](super::PageFlow::handle_name).
    TakeName,
    /// Opens a connection to the present one of [`PageFlow::nodes`](super::PageFlow::nodes) for the kept client, or for a new one, and answers with [`PageFlow::handle_connecting`](super::PageFlow::handle_connecting) or
    /// [`PageFlow::handle_connect_failed`](super::PageFlow::handle_connect_failed).
    Connect,
    /// Creates a client now, with the token that the tab still has, and keeps it for the next connection.
    KeepNewClient,
    DropKeptClient,
    RenameClient(Name),
    SwitchRoom(RoomRequest),
    ExitRoom,
    /// Stores the room in the tab for a reload, or deletes it.
    StoreRoom(Option<RoomRequest>),
    /// Deletes the tab's token, and the node that it is for.
    DeleteToken,
    /// Shows this path in the address; empty is the title.
    SetPath(String),
    Enter(PageState),
    /// Loads the recording with this id and shows it.
    OpenReplay(String),
    ShowNotice(Notice),
    /// Shows a note below the name field.
    ShowNote {
        text: String,
        is_error: bool,
    },
    ShowCodeError(&'static str),
    /// Shows the connection's status on the title; `tone` is a class of the style sheet.
    ShowConnectionStatus {
        text: String,
        tone: &'static str,
    },
    SetPlayLabel(&'static str),
    CloseInvite,
    Click,
    /// Asks the server for its health over HTTP and answers with [`PageFlow::handle_health`](super::PageFlow::handle_health) and the same number.
    AskHealth {
        retry: u32,
    },
    /// Writes to the console.
    Warn(String),
    ReloadPage,
    /// Reloads the page, unless that was done a moment ago and has not helped.
    RenewPage,
}
