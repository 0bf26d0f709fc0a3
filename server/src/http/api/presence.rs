//! Where the owner of an account is at this moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_shared::ids::RoomId;
use broadside_shared::protocol::room::ModeId;
use broadside_store::accounts::AccountId;
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::app::App;
use crate::peers::Order;
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

    /// Where the owner of this account is: here, or where other nodes have them.
    pub(super) fn of(app: &App, account: AccountId, elsewhere: &Elsewhere) -> PresenceView {
        let here = here(app, account);
        let there = elsewhere.0.iter().find(|(online, _)| *online == account).map(|(_, room)| *room);
        let online = here.is_some() || there.is_some();
        let room = here.flatten().map(|room| PlayedRoomView::of(app, &room));
        PresenceView { online, room: room.or_else(|| PlayedRoomView::elsewhere(app, there.flatten()?)) }
    }
}

/// Whether the owner of an account is connected to this server, and the public room that they are in.
pub(crate) fn here(app: &App, account: AccountId) -> Option<Option<Arc<RoomEntry>>> {
    let sessions = app.lobby.sessions.of_account(account);
    let (mut online, mut room) = (false, None);
    for session in sessions {
        let (connection, seat) = app.lobby.sessions.whereabouts(session);
        online |= connection.is_some();
        let played = seat.filter(|_| connection.is_some()).and_then(|seat| app.rooms.get(seat.room));
        room = room.or(played.filter(|room| room.code.is_none()));
    }
    online.then_some(room)
}

/// Who is connected to other nodes of the cluster, with the public rooms that they are in.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(Vec<(AccountId, Option<RoomId>)>);

impl Elsewhere {
    /// Asks the other nodes for the owners of these accounts, and waits half a second at most.
    pub(super) async fn ask(app: &App, accounts: Vec<AccountId>) -> Elsewhere {
        let Some(peers) = app.lobby.peers.as_ref().filter(|_| !accounts.is_empty()) else {
            return Elsewhere::default();
        };
        let (sender, answered) = oneshot::channel();
        // Whoever does not wait any more does not need the answer.
        let answer = Box::new(move |found| drop(sender.send(found)));
        peers.order(Order::Presence { accounts, answer });
        // A queue that is full has dropped the sender.
        Elsewhere(answered.await.unwrap_or_default().online)
    }
}

impl PlayedRoomView {
    /// A room of another node, as that has announced it.
    fn elsewhere(app: &App, room: RoomId) -> Option<PlayedRoomView> {
        let (peers, now) = (app.lobby.peers.as_ref()?, app.lobby.context.clock.now());
        let view = peers.view();
        let record = view.room(room, now).filter(|record| record.code.is_none())?;
        let join = format!("{}/?room={room}", app.config.base_path);
        Some(PlayedRoomView {
            id: room.0,
            mode: app.game.mode_name(ModeId(record.mode)),
            joinable: record.taken < record.capacity,
            watch: format!("{join}&watch=1"),
            join,
        })
    }

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
