//! The server's own bots: they fill public rooms and make way for people.
//!
//! Each is a whole client with a session of its own; only the socket between the two is missing. What it sees and does comes and goes
//! as the bytes of the wire, so that it can do nothing that a client elsewhere could not. To the rooms all of them are one more shard.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fill`] | PURE. How many bots a room wants |
//! | `bot` | one bot: session and client, back to back |

mod bot;
pub mod fill;

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
use crate::driver::{ConnectionId, RoomCommand, RoomHandle};
use crate::net::inbox::{Poller, ShardCommand};
use crate::room::flow::{Decision, Socket};
use crate::room::outgoing::Outgoing;
use bot::Bot;
use fill::Crowd;

/// Time between two looks at the rooms, in microseconds.
const LOOK_EVERY_US: u64 = 250_000;
/// Time between two looks at what is due; a bot's hand is no faster.
const REST: Duration = Duration::from_millis(8);
/// Bots that come into one room at one look.
const COME_AT_ONCE: usize = 4;

/// A room with bots in it.
struct BotRoom {
    room: Arc<RoomHandle<Arena>>,
    outgoing: Option<Outgoing>,
    /// Keys of the bots here, those in line among them.
    bots: Vec<usize>,
    /// Until the room says that they are free. Whoever had one may be gone by then, and another bot may have its key.
    seats: BTreeMap<PlayerId, ConnectionId>,
    /// How many people were here, and since when.
    people: (u32, MonoTime),
    fresh: bool,
}

/// All bots of a server.
struct ServerBots {
    app: Arc<App<Arena>>,
    /// Our number among the shards.
    index: usize,
    rooms: BTreeMap<RoomId, BotRoom>,
    bots: Slab<Bot>,
    serial: u64,
    frame: Vec<u8>,
    look_at: MonoTime,
}

/// Starts the thread of the bots.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(app: Arc<App<Arena>>, index: usize, watch: Poller) -> std::io::Result<JoinHandle<()>> {
    let vital = app.supervisor.watch("bots");
    std::thread::Builder::new().name("bots".to_owned()).spawn(move || {
        let _vital = vital;
        // The waker must outlive the watch that it wakes, and nothing else is in it.
        let _watch = watch;
        let mut serial = 0;
        loop {
            let mut bots = ServerBots::new(&app, index, serial);
            let run = AssertUnwindSafe(|| app.context.shards[index].wait_as(REST, |commands| bots.turn(commands)));
            if std::panic::catch_unwind(run).is_ok() {
                return;
            }
            // What is still on its way was meant for those before.
            serial = bots.serial;
            app.lose_shard(index);
            if app.is_ending() {
                // The word that it ends may be among the command that it lost.
                return;
            }
        }
    })
}

impl ServerBots {
    fn new(app: &Arc<App<Arena>>, index: usize, serial: u64) -> Self {
        ServerBots {
            app: Arc::clone(app),
            index,
            rooms: BTreeMap::new(),
            bots: Slab::new(),
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
        for (_, bot) in &mut self.bots {
            bot.play(now, &self.app);
        }
        let failed = self.bots.iter().filter(|(_, bot)| bot.has_failed());
        for key in failed.map(|(key, _)| key).collect::<Vec<_>>() {
            self.dismiss(key);
        }
        true
    }

    fn take(&mut self, command: ShardCommand<Arena>, now: MonoTime) {
        match command {
            ShardCommand::Opened(room, updates) => {
                if let Some(room_bots) = self.rooms.get_mut(&room) {
                    let mut outgoing = Outgoing::new::<Arena>(room_bots.room.config.capacity);
                    outgoing.note(&updates);
                    room_bots.outgoing = Some(outgoing);
                }
            }
            ShardCommand::Seated(peer, room, seated) => {
                match (find(&mut self.bots, peer), self.rooms.get_mut(&room)) {
                    (Some(bot), Some(room_bots)) => {
                        if let Some(outgoing) = &mut room_bots.outgoing {
                            outgoing.reset(seated.player);
                        }
                        room_bots.seats.insert(seated.player, peer);
                        bot.handle_seated(seated, now, &self.app);
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
                if let Some(outgoing) = self.rooms.get_mut(&room).and_then(|room_bots| room_bots.outgoing.as_mut()) {
                    outgoing.note(&updates);
                }
            }
            ShardCommand::Tick(room, output) => {
                if let Some(room_bots) = self.rooms.get_mut(&room) {
                    room_bots.room.status.taken(self.index, &output);
                    if let Some(outgoing) = &mut room_bots.outgoing {
                        room_bots.fresh |= !output.due.is_empty();
                        outgoing.push(output);
                    }
                }
            }
            ShardCommand::Unseated(room, player) => {
                if let Some(room_bots) = self.rooms.get_mut(&room) {
                    room_bots.seats.remove(&player);
                }
            }
            ShardCommand::Emptied(room) => {
                if let Some(room_bots) = self.rooms.get_mut(&room) {
                    room_bots.outgoing = None;
                }
            }
            ShardCommand::Refused(peer, ..) => {
                if find(&mut self.bots, peer).is_some() {
                    self.dismiss(peer.key);
                }
            }
            ShardCommand::Failed(room) | ShardCommand::Ended(room) => {
                if let Some(room_bots) = self.rooms.remove(&room) {
                    room_bots.bots.iter().for_each(|key| self.forget(*key));
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
        for room_bots in self.rooms.values_mut() {
            if !std::mem::take(&mut room_bots.fresh) {
                continue;
            }
            let Some(outgoing) = &mut room_bots.outgoing else { continue };
            let interval_us = tick_us(Arena::TICK_HZ, room_bots.room.config.snapshot_every);
            let Some((tick, level, count)) = outgoing.newest().map(|o| (o.tick, o.level, o.due.len())) else {
                continue;
            };
            for at in 0..count {
                let Some(player) = outgoing.newest().map(|output| output.due[at].player) else { break };
                let holder = room_bots.seats.get(&player);
                let Some(bot) = holder.and_then(|holder| find(&mut self.bots, *holder)) else { continue };
                if let Decision::Write(tier) = bot.flow.decide(interval_us, Socket::Free, level) {
                    self.frame.clear();
                    outgoing.frame(at, bot.flow.level(level), tier, &mut self.frame);
                    bot.flow.wrote(tick, now);
                    bot.hear(now, &self.frame, &self.app);
                }
            }
        }
    }

    /// Bots come where they are wanted, and go where they are not.
    fn look_after_rooms(&mut self, now: MonoTime) {
        let fill = u32::from(self.app.config.bots);
        for room in self.app.directory.all().into_iter().filter(|room| room.code.is_none()) {
            let status = &room.status;
            let bots = self.rooms.get(&room.id).map_or(0, |room_bots| room_bots.bots.len()) as u32;
            let seated = self.rooms.get(&room.id).map_or(0, |room_bots| room_bots.seats.len()) as u32;
            status.bots.store(seated as u16, Ordering::Relaxed);
            let in_queue = status.waiting.load(Ordering::Relaxed).saturating_sub(bots - seated.min(bots));
            let people = u32::from(status.players.load(Ordering::Relaxed)).saturating_sub(seated);
            if bots == 0 && people + u32::from(status.spectators.load(Ordering::Relaxed)) == 0 {
                continue;
            }
            let room_bots = self.rooms.entry(room.id).or_insert_with(|| BotRoom::new(&room, now));
            if room_bots.people.0 != people {
                room_bots.people = (people, now);
            }
            let crowd = Crowd {
                mode: room.config.mode,
                people,
                spectators: status.spectators.load(Ordering::Relaxed).into(),
                coming: in_queue + u32::from(status.reserved.load(Ordering::Relaxed)),
                capacity: room.config.capacity.into(),
                steady_us: now.us_since(room_bots.people.1),
            };
            let wanted = fill::wanted(crowd, fill) as usize;
            for _ in room_bots.bots.len()..wanted.min(room_bots.bots.len() + COME_AT_ONCE) {
                self.invite(&room, now);
            }
            let surplus = self.rooms[&room.id].bots.iter().skip(wanted).copied().collect::<Vec<_>>();
            surplus.into_iter().for_each(|key| self.dismiss(key));
        }
        self.rooms.retain(|_, room_bots| !room_bots.bots.is_empty() || !room_bots.room.is_over());
    }

    fn invite(&mut self, room: &Arc<RoomHandle<Arena>>, now: MonoTime) {
        self.serial += 1;
        let entry = self.bots.vacant_entry();
        let me = ConnectionId { shard: self.index, key: entry.key(), serial: self.serial };
        let bot = Bot::new(me, room, now, &self.app);
        if let Some(room_bots) = self.rooms.get_mut(&room.id) {
            room_bots.bots.push(entry.key());
            entry.insert(bot);
        }
    }

    /// A bot goes.
    fn dismiss(&mut self, key: usize) {
        let Some(room) = self.bots.get(key).map(|bot| bot.room.id) else { return };
        if let Some(room_bots) = self.rooms.get_mut(&room) {
            room_bots.bots.retain(|bot| *bot != key);
        }
        self.forget(key);
    }

    fn forget(&mut self, key: usize) {
        if let Some(bot) = self.bots.try_remove(key) {
            bot.leave(&self.app);
        }
    }
}

/// The bot that this names, if it is still there.
fn find(bots: &mut Slab<Bot>, named: ConnectionId) -> Option<&mut Bot> {
    bots.get_mut(named.key).filter(|bot| bot.me == named)
}

impl BotRoom {
    fn new(room: &Arc<RoomHandle<Arena>>, now: MonoTime) -> BotRoom {
        BotRoom {
            room: Arc::clone(room),
            outgoing: None,
            bots: Vec::new(),
            seats: BTreeMap::new(),
            people: (0, now),
            fresh: false,
        }
    }
}
