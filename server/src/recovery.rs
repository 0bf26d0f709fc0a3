//! Going on from another server: its rooms, sessions and topics are given back as they were.
//!
//! The clock goes on where that of the other server would stand, so tokens, ticks and deadlines mean what they meant.

use std::collections::BTreeMap;

use broadside_core::commands::RoomInfo;
use broadside_core::room_loop::{SavedRoom, SavedSeat};
use broadside_core::subscriptions::ParkedSession;
use broadside_shared::game::Game;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::saved;
use broadside_shared::time::MonoTime;
use serde::{Deserialize, Serialize};

use crate::checkpoints::moment::Moment;
use crate::checkpoints::segment::{self, Segment};
use crate::checkpoints::{Lasting, SavedEntry, read_room};
use crate::config::Config;
use crate::lobby::ServerLobby;
use crate::lobby::sessions::{RestoredWith, SavedSession};
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
    lobby: SavedLobby,
    /// A room without a world is one whose rules are others: its world begins anew.
    rooms: Vec<(SavedEntry, SavedRoom, Option<G>)>,
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
    let Some(found) = Predecessor::<G>::read(&segment, rules) else {
        tracing::warn!(folder = %folder.display(), "the checkpoint cannot be read by this build: everything starts anew");
        return None;
    };
    let Some(away_us) = found.away_us() else {
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
    tracing::info!(rooms = found.rooms.len(), away_ms = away_us / 1000, "the server goes on after a crash");
    Some(found)
}

impl<G: Game> Predecessor<G> {
    /// Reads the state that another process hands over.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn of_state(state: &[u8], rules: u64, may_migrate: bool) -> Result<Self, String> {
        let segment = segment::read(state, G::NAME, (!may_migrate).then_some(rules)).map_err(|why| why.to_string())?;
        let found = Self::read(&segment, rules).ok_or("this build cannot read its state")?;
        tracing::info!(
            rooms = found.rooms.len(),
            stall_ms = found.away_us().unwrap_or(0) / 1000,
            "the server is taken over"
        );
        Ok(found)
    }

    /// How long the server has been away, in microseconds; `None` if nobody knows.
    fn away_us(&self) -> Option<u64> {
        let (then, now) = (&self.lobby.moment, Moment::at(MonoTime(0)));
        let away_us = then.us_until(&now)?;
        Some(if then.is_same_boot(&now) { away_us } else { away_us.max(AFTER_BOOT_US) })
    }

    /// What the clock is to read now.
    pub(crate) fn now(&self) -> MonoTime {
        self.lobby.moment.now.plus_us(self.away_us().unwrap_or(0))
    }

    /// Reads a segment; `None` if this build cannot. A room that it cannot read is left out.
    #[must_use]
    pub fn read(segment: &Segment, rules: u64) -> Option<Self> {
        let lobby: SavedLobby = saved::load(&segment.lobby).ok()?;
        if segment.is_torn {
            tracing::info!("the last write of the checkpoint was cut off; what came before it counts");
        }
        let mut rooms = Vec::new();
        for (id, payload) in &segment.rooms {
            match read_whole_room::<G>(payload, segment.head.rules == rules) {
                Some(room) => rooms.push(room),
                None => tracing::warn!(room = %id, "a room cannot be read, and is lost"),
            }
        }
        Some(Predecessor { lasting: segment.head.lasting, lobby, rooms })
    }

    /// Gives everything back. No shard, no room and no listener may run yet. The first `sockets` of the shards have clients.
    pub fn restore(self, lobby: &ServerLobby<G>, sockets: usize) {
        let Predecessor { lobby: SavedLobby { next_room, topics, sessions, .. }, rooms, .. } = self;
        lobby.directory.skip_to(next_room);
        lobby.context.topics.restore(topics);
        let newest = lobby.context.topics.newest();
        let mut parked: BTreeMap<_, _> = sessions.into_iter().map(|saved| (saved.id, saved)).collect();
        let (count, mut seats) = (rooms.len(), 0);
        // Rooms leave their state at different moments: who changed rooms in between has two seats, of which the later one counts. In one
        // room somebody has two seats until a shard has given up the first.
        let place = |room: RoomId, seat: &SavedSeat| (seat.since_us::<G>(), room, seat.assignment.player);
        let mut newest_seat = BTreeMap::new();
        for (entry, saved, _) in &rooms {
            for seat in &saved.seats {
                let place = place(entry.info().id, seat);
                newest_seat.entry(seat.session).and_modify(|newest| *newest = place.max(*newest)).or_insert(place);
            }
        }
        for (entry, mut saved, world) in rooms {
            saved.leave_out(|seat| newest_seat.get(&seat.session) != Some(&place(entry.info().id, seat)));
            let info = entry.info();
            for seat in &saved.seats {
                let mut session = parked.remove(&seat.session).unwrap_or_else(|| SavedSession {
                    // It was seated after the sessions were saved.
                    id: seat.session,
                    name: Some(seat.occupant.name.clone()),
                    account: seat.account,
                    is_connected: true,
                    parked: ParkedSession::default(),
                });
                mark_received(&mut session, newest);
                lobby.sessions.restore(session, RestoredWith::Seat(seat.location(&info, sockets)));
                seats += 1;
            }
            lobby.directory.restore(entry, (saved, world), sockets);
        }
        // Without a seat: in the lobby or in a join queue. Bots come back as others.
        let until = lobby.context.clock.now().plus_us(u64::from(lobby.context.grace_s) * 1_000_000);
        for mut session in parked.into_values() {
            mark_received(&mut session, newest);
            lobby.sessions.restore(session, RestoredWith::Nothing(until));
        }
        tracing::info!(rooms = count, seats, "rooms and seats are back");
    }
}

/// What has moved from another node to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedIn {
    pub rooms: usize,
    pub seats: usize,
}

/// Goes on with the rooms and sessions of another node of the cluster, beside those that are here. `state` is what it would have handed over
/// `still_us` microseconds ago; the first `sockets` of the shards have clients. Rooms get other numbers, since that node opens more once it
/// is back; their ticks go on as they were.
///
/// # Errors
/// Why nothing has moved.
pub fn move_in<G: Game>(
    lobby: &ServerLobby<G>,
    state: &[u8],
    rules: u64,
    still_us: u64,
    sockets: usize,
) -> Result<MovedIn, String> {
    let segment = segment::read(state, G::NAME, Some(rules)).map_err(|why| why.to_string())?;
    let found = Predecessor::<G>::read(&segment, rules).ok_or("the build of the other node cannot read the state")?;
    let Predecessor { lobby: SavedLobby { moment, topics, sessions, .. }, rooms, .. } = found;
    let now = lobby.context.clock.now();
    let by_us = now.0.cast_signed() - moment.now.plus_us(still_us).0.cast_signed();
    // All of them, or none.
    let played = rooms.into_iter().filter(|(_, saved, _)| !saved.is_empty());
    let moved = played.map(|(entry, saved, world)| Some((entry, saved.by_another_clock(by_us)?, world)));
    let moved: Option<Vec<_>> = moved.collect();
    let moved = moved.ok_or("the other node is younger than the rooms")?;
    let numbers: BTreeMap<RoomId, RoomId> =
        moved.iter().map(|(entry, ..)| (entry.id, lobby.directory.next_free())).collect();
    let chats = lobby.context.topics.move_in(topics, &numbers, by_us);
    // What was said here while the other node stood still is news to its players.
    let heard = lobby.context.topics.said_by(Topic::LobbyChat, MonoTime(now.0.saturating_sub(still_us)));
    let newest = lobby.context.topics.newest();
    let renumbered = |topic: Topic, received: u64| match topic {
        Topic::LobbyChat => Some((topic, heard)),
        Topic::Leaderboard | Topic::Notices => Some((topic, newest)),
        Topic::RoomChat(room) => match chats.get(&topic) {
            Some((here, all)) => {
                Some((*here, all.iter().rev().find(|(there, _)| *there <= received).map_or(0, |(_, here)| *here)))
            }
            None => numbers.get(&room).map(|room| (Topic::RoomChat(*room), 0)),
        },
        Topic::RoomFeed(room) => numbers.get(&room).map(|room| (Topic::RoomFeed(*room), newest)),
        Topic::RoomMatch(room) => numbers.get(&room).map(|room| (Topic::RoomMatch(*room), newest)),
    };
    let mut parked: BTreeMap<_, _> = sessions.into_iter().map(|saved| (saved.id, saved)).collect();
    let (count, mut seats) = (moved.len(), 0);
    for (entry, saved, world) in moved {
        let here = numbers[&entry.id];
        let info = RoomInfo { id: here, ..entry.info() };
        for seat in &saved.seats {
            let Some(mut session) = parked.remove(&seat.session) else { continue };
            session.parked.subscriptions.renumber(renumbered);
            lobby.sessions.restore(session, RestoredWith::Seat(seat.location(&info, sockets)));
            seats += 1;
        }
        lobby.directory.move_in(entry, here, (saved, world), sockets);
    }
    let until = now.plus_us(u64::from(lobby.context.grace_s) * 1_000_000);
    for mut session in parked.into_values() {
        session.parked.subscriptions.renumber(renumbered);
        lobby.sessions.restore(session, RestoredWith::Nothing(until));
    }
    tracing::info!(rooms = count, seats, still_ms = still_us / 1000, "the rooms of another node have moved here");
    Ok(MovedIn { rooms: count, seats })
}

/// A session that had a connection has received what was published until `newest`, as far as anyone knows.
fn mark_received(session: &mut SavedSession, newest: u64) {
    if session.is_connected {
        session.parked.subscriptions.mark_all_received(newest);
    }
}

fn read_whole_room<G: Game>(payload: &[u8], is_same: bool) -> Option<(SavedEntry, SavedRoom, Option<G>)> {
    let (entry, room) = read_room(payload)?;
    if !is_same {
        return Some((entry, saved::load_first(room).ok()?, None));
    }
    let (saved, world) = saved::load(room).ok()?;
    Some((entry, saved, Some(world)))
}
