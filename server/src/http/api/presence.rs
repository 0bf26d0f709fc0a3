//! Where the owner of an account is at this moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_store::accounts::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::rooms::entry::RoomEntry;

/// Where a player is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PresenceView {
    /// Whether a page of the player is connected.
    online: bool,
    /// The public room that the player is in; null in none, and in a private one.
    room: Option<PlayedRoomView>,
}

/// A public room that a player is in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlayedRoomView {
    /// Room number.
    id: u32,
    /// Name of its mode.
    mode: &'static str,
    /// Whether a seat is free; bots make way.
    joinable: bool,
    /// Path of the page that joins it, with the server's base path if there is one.
    join: String,
    /// Path of the page that watches it.
    watch: String,
}

impl PresenceView {
    /// Nowhere, or nowhere that is shown.
    pub(super) const HIDDEN: PresenceView = PresenceView { online: false, room: None };

    /// Where the owner of this account is.
    pub(super) fn of(app: &App, account: AccountId) -> PresenceView {
        let sessions = app.lobby.sessions.of_account(account);
        let (mut online, mut room) = (false, None);
        for session in sessions {
            let (connection, seat) = app.lobby.sessions.whereabouts(session);
            online |= connection.is_some();
            let played = seat.filter(|_| connection.is_some()).and_then(|seat| app.rooms.get(seat.room));
            room = room.or(played.filter(|room| room.code.is_none()));
        }
        PresenceView { online, room: room.map(|room| PlayedRoomView::of(app, &room)) }
    }
}

impl PlayedRoomView {
    fn of(app: &App, room: &Arc<RoomEntry>) -> PlayedRoomView {
        let (status, config) = (&room.status, room.info.config);
        let people = status.players.load(Ordering::Relaxed).saturating_sub(status.bots.load(Ordering::Relaxed));
        let join = format!("{}/?room={}", app.config.base_path, room.id());
        PlayedRoomView {
            id: room.id().0,
            mode: app.game.mode_name(config.mode),
            joinable: people + status.reserved.load(Ordering::Relaxed) < config.capacity,
            watch: format!("{join}&watch=1"),
            join,
        }
    }
}
