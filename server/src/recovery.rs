//! Going on from another server: its rooms, sessions and topics are given back as they were.
//!
//! The clock goes on where that of the other server would stand, so tokens, ticks and deadlines mean what they meant.

use std::collections::BTreeMap;

use broadside_core::room_loop::SavedRoom;
use broadside_core::subscriptions::ParkedSession;
use broadside_shared::game::Game;
use broadside_shared::saved;
use broadside_shared::time::MonoTime;
use serde::{Deserialize, Serialize};

use crate::checkpoints::moment::Moment;
use crate::checkpoints::segment::{self, Segment};
use crate::checkpoints::{Lasting, SavedEntry, read_room};
use crate::config::Config;
use crate::lobby::ServerLobby;
use crate::lobby::sessions::SavedSession;
use crate::topics::SavedTopics;

/// After a boot the clocks of two servers cannot be compared: this many microseconds are certain to have passed for every client.
const AFTER_BOOT_US: u64 = 2_000_000;

/// Sessions and topics as they were.
#[derive(Serialize, Deserialize)]
struct SavedLobby {
    moment: Moment,
    next_room: u32,
    topics: SavedTopics,
    sessions: Vec<SavedSession>,
}

/// Another server, to go on from.
pub struct Predecessor<G: Game> {
    pub lasting: Lasting,
    /// What the clock is to read.
    pub now: MonoTime,
    lobby: SavedLobby,
    rooms: Vec<(SavedEntry, SavedRoom, G)>,
}

/// What was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    pub rooms: usize,
    pub seats: usize,
}

/// Sessions and topics as bytes.
#[must_use]
pub fn save_lobby<G: Game>(lobby: &ServerLobby<G>) -> Vec<u8> {
    // Topics last: what a session has received is among them, or was published since.
    let sessions = lobby.sessions.save();
    saved::save(&SavedLobby {
        moment: Moment::at(lobby.context.clock.now()),
        next_room: lobby.directory.next_id(),
        topics: lobby.context.topics.save(),
        sessions,
    })
}

/// The predecessor that left checkpoints in the folder of the flags, if its players still wait for it. Why there is none is in the log.
#[must_use]
pub fn find<G: Game>(config: &Config, rules: u64) -> Option<Predecessor<G>> {
    let folder = config.checkpoints()?;
    let segment = segment::newest(&folder, G::NAME, rules)?;
    let Some(found) = Predecessor::<G>::read(segment) else {
        tracing::warn!(folder = %folder.display(), "the checkpoint cannot be read by this build: everything starts anew");
        return None;
    };
    let now = Moment::at(MonoTime(0));
    let Some(away_us) = found.lobby.moment.us_until(&now) else {
        tracing::warn!("the clock was set back while the server was away: everything starts anew");
        return None;
    };
    let grace_us = u64::from(config.grace) * 1_000_000;
    if away_us > grace_us {
        tracing::info!(
            away_s = away_us / 1_000_000,
            grace_s = config.grace,
            "the server was away for longer than --grace: everything starts anew"
        );
        return None;
    }
    let away_us = if found.lobby.moment.is_same_boot(&now) { away_us } else { away_us.max(AFTER_BOOT_US) };
    let now = found.lobby.moment.now.plus_us(away_us);
    tracing::info!(rooms = found.rooms.len(), away_ms = away_us / 1000, "the server goes on after a crash");
    Some(Predecessor { now, ..found })
}

impl<G: Game> Predecessor<G> {
    /// Reads a segment; `None` if this build cannot. A room that it cannot read is left out.
    #[must_use]
    pub fn read(segment: Segment) -> Option<Self> {
        let lobby: SavedLobby = saved::load(&segment.lobby).ok()?;
        if segment.is_torn {
            tracing::info!("the last write of the checkpoint was cut off; what came before it counts");
        }
        let mut rooms = Vec::new();
        for (id, payload) in &segment.rooms {
            match read_whole_room::<G>(payload) {
                Some(room) => rooms.push(room),
                None => tracing::warn!(room = %id, "a room cannot be read, and is lost"),
            }
        }
        Some(Predecessor { lasting: segment.head.lasting, now: lobby.moment.now, lobby, rooms })
    }

    /// Gives everything back. No shard, no room and no listener may run yet. The first `sockets` of the shards have clients.
    pub fn restore(self, lobby: &ServerLobby<G>, sockets: usize) -> Restored {
        let Predecessor { lobby: SavedLobby { next_room, topics, sessions, .. }, rooms, .. } = self;
        lobby.directory.skip_to(next_room);
        lobby.context.topics.restore(topics);
        let newest = lobby.context.topics.newest();
        let mut parked: BTreeMap<_, _> = sessions.into_iter().map(|saved| (saved.id, saved)).collect();
        let mut restored = Restored { rooms: rooms.len(), seats: 0 };
        for (entry, saved, world) in rooms {
            let info = entry.info();
            for seat in &saved.seats {
                let state = parked.remove(&seat.session).map_or_else(ParkedSession::default, |mut saved| {
                    if saved.is_connected {
                        saved.parked.subscriptions.mark_all_received(|_| newest);
                    }
                    saved.parked
                });
                let location = seat.location(&info, sockets);
                lobby.sessions.restore(seat.session, &seat.occupant.name, seat.account, location, state);
                restored.seats += 1;
            }
            lobby.directory.restore(entry, (saved, world), sockets);
        }
        restored
    }
}

fn read_whole_room<G: Game>(payload: &[u8]) -> Option<(SavedEntry, SavedRoom, G)> {
    let (entry, room) = read_room(payload)?;
    let (saved, world) = saved::load(room).ok()?;
    Some((entry, saved, world))
}
