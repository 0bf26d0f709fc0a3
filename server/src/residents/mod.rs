//! The server's own bots: they fill public rooms and make way for people.
//!
//! Each is a whole client with a session of its own; only the socket between the two is missing. What it sees and does comes and goes
//! as the bytes of the wire, so that it can do nothing that a client elsewhere could not. To the rooms all of them are one more shard.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fill`] | PURE. How many bots a room wants |
//! | `resident` | one bot: session and client, back to back |

pub mod fill;
mod resident;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use broadside_shared::arena::Arena;
use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::message::RoomId;
use broadside_shared::time::{MonoTime, tick_us};
use slab::Slab;

use crate::App;
use crate::driver::{PeerRef, RoomCommand, RoomHandle};
use crate::net::inbox::{Poller, ShardCommand};
use crate::room::flow::{Decision, Socket};
use crate::room::outgoing::Outgoing;
use fill::Crowd;
use resident::Resident;

/// Time between two looks at the rooms, in microseconds.
const LOOK_EVERY_US: u64 = 250_000;
/// Time between two looks at what is due; a bot's hand is no faster.
const REST: Duration = Duration::from_millis(8);
/// Bots that come into one room at one look.
const COME_AT_ONCE: usize = 4;

/// A room with bots in it.
struct Hall {
    room: Arc<RoomHandle<Arena>>,
    outgoing: Option<Outgoing>,
    /// Keys of the bots here, those in line among them.
    residents: Vec<usize>,
    /// Until the room says that they are free. Whoever had one may be gone by then, and another bot may have its key.
    seats: BTreeMap<PlayerId, PeerRef>,
    /// How many people were here, and since when.
    people: (u32, MonoTime),
    fresh: bool,
}

/// All bots of a server.
struct Residents {
    app: Arc<App<Arena>>,
    /// Our number among the shards.
    index: usize,
    halls: BTreeMap<RoomId, Hall>,
    residents: Slab<Resident>,
    serial: u64,
    frame: Vec<u8>,
    look_at: MonoTime,
}

/// Starts the thread of the bots.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(app: Arc<App<Arena>>, index: usize, watch: Poller) -> std::io::Result<JoinHandle<()>> {
    let vital = app.supervisor.watch("residents");
    std::thread::Builder::new().name("residents".to_owned()).spawn(move || {
        let _vital = vital;
        // The waker must outlive the watch that it wakes, and nothing else is in it.
        let _watch = watch;
        let mut serial = 0;
        loop {
            let mut residents = Residents::new(&app, index, serial);
            let run = AssertUnwindSafe(|| app.context.shards[index].wait_as(REST, |commands| residents.turn(commands)));
            if std::panic::catch_unwind(run).is_ok() {
                return;
            }
            // What is still on its way was meant for those before.
            serial = residents.serial;
            app.lose_shard(index);
            if app.is_ending() {
                // The word that it ends may be among the command that it lost.
                return;
            }
        }
    })
}

impl Residents {
    fn new(app: &Arc<App<Arena>>, index: usize, serial: u64) -> Self {
        Residents {
            app: Arc::clone(app),
            index,
            halls: BTreeMap::new(),
            residents: Slab::new(),
            serial,
            frame: Vec::new(),
            look_at: MonoTime(0),
        }
    }

    /// Takes what came, lets everyone who is due think, and looks after the rooms. False when the server ends.
    fn turn(&mut self, commands: &mut Vec<ShardCommand<Arena>>) -> bool {
        let now = self.app.clock.now();
        for command in commands.drain(..) {
            if matches!(command, ShardCommand::End) {
                return false;
            }
            self.take(command, now);
        }
        self.tell(now);
        if now >= self.look_at {
            self.look_at = now.plus_us(LOOK_EVERY_US);
            self.look_after_rooms(now);
        }
        for (_, resident) in &mut self.residents {
            resident.play(now, &self.app);
        }
        let failed = self.residents.iter().filter(|(_, resident)| resident.has_failed());
        for key in failed.map(|(key, _)| key).collect::<Vec<_>>() {
            self.dismiss(key);
        }
        true
    }

    fn take(&mut self, command: ShardCommand<Arena>, now: MonoTime) {
        match command {
            ShardCommand::Opened(room, updates) => {
                if let Some(hall) = self.halls.get_mut(&room) {
                    let mut outgoing = Outgoing::new::<Arena>(hall.room.config.capacity);
                    outgoing.note(&updates);
                    hall.outgoing = Some(outgoing);
                }
            }
            ShardCommand::Seated(peer, room, seated) => {
                match (find(&mut self.residents, peer), self.halls.get_mut(&room)) {
                    (Some(resident), Some(hall)) => {
                        if let Some(outgoing) = &mut hall.outgoing {
                            outgoing.reset(seated.player);
                        }
                        hall.seats.insert(seated.player, peer);
                        resident.handle_seated(seated, now, &self.app);
                    }
                    (_, _) => {
                        // It went away while it stood in line.
                        if let Some(room) = self.app.directory.get(room) {
                            let _ = room.send(RoomCommand::Leave(seated));
                        }
                    }
                }
            }
            ShardCommand::Notes(room, updates) => {
                if let Some(outgoing) = self.halls.get_mut(&room).and_then(|hall| hall.outgoing.as_mut()) {
                    outgoing.note(&updates);
                }
            }
            ShardCommand::Tick(room, output) => {
                if let Some(hall) = self.halls.get_mut(&room) {
                    hall.room.status.taken(self.index, &output);
                    if let Some(outgoing) = &mut hall.outgoing {
                        hall.fresh |= !output.due.is_empty();
                        outgoing.push(output);
                    }
                }
            }
            ShardCommand::Unseated(room, player) => {
                if let Some(hall) = self.halls.get_mut(&room) {
                    hall.seats.remove(&player);
                }
            }
            ShardCommand::Emptied(room) => {
                if let Some(hall) = self.halls.get_mut(&room) {
                    hall.outgoing = None;
                }
            }
            ShardCommand::Refused(peer, ..) => {
                if find(&mut self.residents, peer).is_some() {
                    self.dismiss(peer.key);
                }
            }
            ShardCommand::Failed(room) | ShardCommand::Ended(room) => {
                if let Some(hall) = self.halls.remove(&room) {
                    hall.residents.iter().for_each(|key| self.forget(*key));
                }
            }
            // Bots stand in line without being told, do not chat, and are on no socket.
            ShardCommand::Queued(..)
            | ShardCommand::Published(_)
            | ShardCommand::Deliver(..)
            | ShardCommand::Connected(_)
            | ShardCommand::Migrated(_)
            | ShardCommand::End => {}
        }
    }

    /// Tells the bots of the newest tick of their rooms.
    fn tell(&mut self, now: MonoTime) {
        for hall in self.halls.values_mut() {
            if !std::mem::take(&mut hall.fresh) {
                continue;
            }
            let Some(outgoing) = &mut hall.outgoing else { continue };
            let interval_us = tick_us(Arena::TICK_HZ, hall.room.config.snapshot_every);
            let Some((tick, level, count)) = outgoing.newest().map(|o| (o.tick, o.level, o.due.len())) else {
                continue;
            };
            for at in 0..count {
                let Some(player) = outgoing.newest().map(|output| output.due[at].player) else { break };
                let holder = hall.seats.get(&player);
                let Some(resident) = holder.and_then(|holder| find(&mut self.residents, *holder)) else { continue };
                if let Decision::Write(tier) = resident.flow.decide(interval_us, Socket::Free, level) {
                    self.frame.clear();
                    outgoing.frame(at, resident.flow.level(level), tier, &mut self.frame);
                    resident.flow.wrote(tick, now);
                    resident.hear(now, &self.frame, &self.app);
                }
            }
        }
    }

    /// Bots come where they are wanted, and go where they are not.
    fn look_after_rooms(&mut self, now: MonoTime) {
        let fill = u32::from(self.app.config.bots);
        for room in self.app.directory.all().into_iter().filter(|room| room.code.is_none()) {
            let status = &room.status;
            let bots = self.halls.get(&room.id).map_or(0, |hall| hall.residents.len()) as u32;
            let seated = self.halls.get(&room.id).map_or(0, |hall| hall.seats.len()) as u32;
            status.bots.store(seated as u16, Ordering::Relaxed);
            let in_queue = status.waiting.load(Ordering::Relaxed).saturating_sub(bots - seated.min(bots));
            let people = u32::from(status.players.load(Ordering::Relaxed)).saturating_sub(seated);
            if bots == 0 && people + u32::from(status.spectators.load(Ordering::Relaxed)) == 0 {
                continue;
            }
            let hall = self.halls.entry(room.id).or_insert_with(|| Hall::new(&room, now));
            if hall.people.0 != people {
                hall.people = (people, now);
            }
            let crowd = Crowd {
                mode: room.config.mode,
                people,
                spectators: status.spectators.load(Ordering::Relaxed).into(),
                coming: in_queue + u32::from(status.reserved.load(Ordering::Relaxed)),
                capacity: room.config.capacity.into(),
                steady_us: now.us_since(hall.people.1),
            };
            let wanted = fill::wanted(crowd, fill) as usize;
            for _ in hall.residents.len()..wanted.min(hall.residents.len() + COME_AT_ONCE) {
                self.invite(&room, now);
            }
            let surplus = self.halls[&room.id].residents.iter().skip(wanted).copied().collect::<Vec<_>>();
            surplus.into_iter().for_each(|key| self.dismiss(key));
        }
        self.halls.retain(|_, hall| !hall.residents.is_empty() || !hall.room.is_over());
    }

    fn invite(&mut self, room: &Arc<RoomHandle<Arena>>, now: MonoTime) {
        self.serial += 1;
        let entry = self.residents.vacant_entry();
        let me = PeerRef { shard: self.index, key: entry.key(), serial: self.serial };
        let resident = Resident::new(me, room, now, &self.app);
        if let Some(hall) = self.halls.get_mut(&room.id) {
            hall.residents.push(entry.key());
            entry.insert(resident);
        }
    }

    /// A bot goes.
    fn dismiss(&mut self, key: usize) {
        let Some(room) = self.residents.get(key).map(|resident| resident.room.id) else { return };
        if let Some(hall) = self.halls.get_mut(&room) {
            hall.residents.retain(|resident| *resident != key);
        }
        self.forget(key);
    }

    fn forget(&mut self, key: usize) {
        if let Some(resident) = self.residents.try_remove(key) {
            resident.leave(&self.app);
        }
    }
}

/// The bot that this names, if it is still there.
fn find(residents: &mut Slab<Resident>, named: PeerRef) -> Option<&mut Resident> {
    residents.get_mut(named.key).filter(|resident| resident.me == named)
}

impl Hall {
    fn new(room: &Arc<RoomHandle<Arena>>, now: MonoTime) -> Hall {
        Hall {
            room: Arc::clone(room),
            outgoing: None,
            residents: Vec::new(),
            seats: BTreeMap::new(),
            people: (0, now),
            fresh: false,
        }
    }
}
