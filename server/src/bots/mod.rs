//! The server's own bots: they fill public rooms and make way for people.
//!
//! A bot is a whole client; its socket is a call in memory to the [`ShardCore`] that all bots share. It sends and receives the bytes of
//! the wire, so it can do nothing that a client elsewhere could not.
//!
//! | module | what it holds |
//! |---|---|
//! | [`fill`] | how many bots a room gets |

pub mod fill;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use broadside_core::commands::{ConnectionId, ShardCommand};
use broadside_core::connection::{Origin, Output};
use broadside_core::fanout::flow::SocketState;
use broadside_core::fanout::room_fanout::Sockets;
use broadside_core::shard::ShardCore;
use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::game::{Bot as _, BotFill, Game};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;
use slab::Slab;

use crate::app::App;
use crate::inbox::Wakeup;
use crate::lobby::ServerLobby;
use crate::rooms::handle::RoomHandle;
use fill::Occupancy;

/// Interval at which bots are added to and removed from rooms, in microseconds.
const BALANCE_EVERY_US: u64 = 250_000;
/// Longest time between two turns: bots need not react faster.
const REST: Duration = Duration::from_millis(8);
/// Bots that join one room per interval.
const JOINS_PER_BALANCE: usize = 4;
struct Bot<G: Game> {
    room: RoomId,
    client: Client<G>,
    ai: G::Bot,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Playing,
    /// It was closed, or failed to decode a frame: it is removed, and another one joins.
    Done,
}

/// A room with bots in it.
struct BotRoom<G: Game> {
    handle: Arc<RoomHandle<G>>,
    /// Keys of the bots, including those in the join queue.
    bots: Vec<usize>,
    /// Number of people in the room, and since when it has been unchanged.
    people: (u32, MonoTime),
}

/// All bots of a server.
struct ServerBots<G: Game> {
    app: Arc<App>,
    lobby: Arc<ServerLobby<G>>,
    core: ShardCore<G>,
    /// Number of this shard.
    index: usize,
    bots: Slab<Bot<G>>,
    rooms: BTreeMap<RoomId, BotRoom<G>>,
    serial: u64,
    balance_at: MonoTime,
}

/// Starts the thread of the bots. If it panics, it is restarted without its bots.
///
/// # Errors
/// When the operating system cannot start a thread.
pub fn spawn<G: Game>(
    app: Arc<App>,
    lobby: Arc<ServerLobby<G>>,
    index: usize,
    wakeup: Arc<Wakeup>,
) -> std::io::Result<JoinHandle<()>> {
    let vital = app.supervisor.watch("bots");
    std::thread::Builder::new().name("bots".to_owned()).spawn(move || {
        let _vital = vital;
        wakeup.read_here();
        let mut serial = 0;
        loop {
            let mut bots = ServerBots::new(&app, &lobby, index, serial);
            let run = AssertUnwindSafe(|| bots.run(&wakeup));
            if std::panic::catch_unwind(run).is_ok() {
                return;
            }
            // Serials continue, so that commands for the former bots do not reach the new ones.
            serial = bots.serial;
            lobby.lose_shard(index);
            if app.is_ending() {
                // The shutdown command may be among those that the panic lost.
                return;
            }
        }
    })
}

impl<G: Game> ServerBots<G> {
    fn new(app: &Arc<App>, lobby: &Arc<ServerLobby<G>>, index: usize, serial: u64) -> Self {
        ServerBots {
            app: Arc::clone(app),
            lobby: Arc::clone(lobby),
            core: ShardCore::new(index),
            index,
            bots: Slab::new(),
            rooms: BTreeMap::new(),
            serial,
            balance_at: MonoTime(0),
        }
    }

    /// Runs until the server ends.
    fn run(&mut self, wakeup: &Wakeup) {
        let mut commands = Vec::new();
        loop {
            wakeup.park(REST);
            wakeup.take();
            self.app.lobby.context.shards[self.index].take(&mut commands);
            let now = self.app.lobby.context.clock.now();
            for command in commands.drain(..) {
                if matches!(command, ShardCommand::Shutdown(_)) {
                    return;
                }
                self.handle_command(command, now);
                // Tick by tick: the bots' snapshots cost no socket, so none is left out.
                self.fan_out(now);
            }
            self.turn(now);
        }
    }

    fn handle_command(&mut self, command: ShardCommand, now: MonoTime) {
        let over = match &command {
            ShardCommand::RoomFailed(room) | ShardCommand::RoomEnded(room) => Some(*room),
            _ => None,
        };
        self.core.handle_command(now, command, &*self.lobby);
        self.drain(now);
        let bots = over.and_then(|room| self.rooms.remove(&room)).map(|room| room.bots).unwrap_or_default();
        bots.into_iter().for_each(|key| self.remove(key, now));
    }

    /// Balances the rooms, and advances each bot.
    fn turn(&mut self, now: MonoTime) {
        if now >= self.balance_at {
            self.balance_at = now.plus_us(BALANCE_EVERY_US);
            self.balance_rooms(now);
        }
        for key in self.bots.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            let bot = &mut self.bots[key];
            bot.client.advance_bot(now, &mut bot.ai);
            while bot.client.poll_event().is_some() {}
            self.exchange(key, now);
        }
        self.core.flush_inputs(&*self.lobby);
        let done = self.bots.iter().filter(|(_, bot)| bot.state == State::Done);
        for key in done.map(|(key, _)| key).collect::<Vec<_>>() {
            self.dismiss(key, now);
        }
    }

    /// Sends the bots their snapshots.
    fn fan_out(&mut self, now: MonoTime) {
        let mut sockets = BotSockets { bots: &mut self.bots, app: &self.app, now };
        while self.core.fan_out_next(now, &mut sockets).is_some() {}
    }

    /// Carries frames between a bot and the core until neither has any.
    fn exchange(&mut self, key: usize, now: MonoTime) {
        while let Some(frame) = self.bots.get_mut(key).and_then(|bot| bot.client.poll_frame()) {
            self.core.handle_frame(now, key, &frame, &*self.lobby);
            self.drain(now);
        }
    }

    /// Carries out the outputs of the core.
    fn drain(&mut self, now: MonoTime) {
        while let Some(output) = self.core.poll_output() {
            let mut sockets = BotSockets { bots: &mut self.bots, app: &self.app, now };
            match output {
                Output::Frame(key, frame) => sockets.receive(key, &frame),
                Output::Message(key, message) => {
                    sockets.receive(key, &message.frame());
                }
                Output::Ping(key) => self.core.handle_alive(now, key, &*self.lobby),
                Output::Close(key, code) => {
                    if let Some(bot) = self.bots.get_mut(key) {
                        bot.state = State::Done;
                    }
                    if is_fault(code) {
                        tracing::error!(code = code.code(), "a bot was closed for what it sent");
                        self.app.metrics.bot_failures.inc();
                    }
                }
                Output::Migrate(..) => unreachable!("a bot never resumes a seat"),
            }
        }
    }

    /// Adds bots to rooms that have too few, and removes them from rooms that have too many.
    fn balance_rooms(&mut self, now: MonoTime) {
        let fill = u32::from(self.app.config.bots);
        for room in self.lobby.directory.all().into_iter().filter(|room| room.code.is_none()) {
            let (id, status) = (room.id(), &room.status);
            let bots = self.rooms.get(&id).map_or(0, |room| room.bots.len()) as u32;
            let seated = self.core.fanouts().get(&id).map_or(0, |fanout| fanout.recipients().count()) as u32;
            status.bots.store(seated as u16, Ordering::Relaxed);
            let queued = status.waiting.load(Ordering::Relaxed).saturating_sub(bots - seated.min(bots));
            let people = u32::from(status.players.load(Ordering::Relaxed)).saturating_sub(seated);
            let spectators = u32::from(status.spectators.load(Ordering::Relaxed));
            if bots == 0 && people + spectators == 0 {
                continue;
            }
            let here = self.rooms.entry(id).or_insert_with(|| BotRoom {
                handle: Arc::clone(&room),
                bots: Vec::new(),
                people: (0, now),
            });
            if here.people.0 != people {
                here.people = (people, now);
            }
            let wanted = fill::wanted(
                Occupancy {
                    bots: G::MODES.get(usize::from(room.info.config.mode.0)).map_or(BotFill::Never, |mode| mode.bots),
                    people,
                    spectators,
                    coming: queued + u32::from(status.reserved.load(Ordering::Relaxed)),
                    capacity: room.info.config.capacity.into(),
                    steady_us: now.us_since(here.people.1),
                },
                fill,
            ) as usize;
            let have = here.bots.len();
            let surplus: Vec<usize> = here.bots.iter().skip(wanted).copied().collect();
            for _ in have..wanted.min(have + JOINS_PER_BALANCE) {
                self.invite(id, now);
            }
            surplus.into_iter().for_each(|key| self.dismiss(key, now));
        }
        self.rooms.retain(|_, room| !room.bots.is_empty() || !room.handle.is_over());
    }

    fn invite(&mut self, room: RoomId, now: MonoTime) {
        self.serial += 1;
        let name = bot_name::<G>();
        let mut client = Client::new(ClientConfig {
            name,
            agent: "server bot".to_owned(),
            room: Some(RoomChoice::Room(room)),
            role: Role::Play,
            detail: Detail::Replica,
        });
        client.handle_open(now);
        let ai = G::Bot::new(fastrand::u64(..), fastrand::f32() * 0.6 + 0.2);
        let key = self.bots.insert(Bot { room, client, ai, state: State::Playing });
        let id = ConnectionId { shard: self.index, key, serial: self.serial };
        self.core.handle_connect(now, id, Origin::Bot, None, None, &*self.lobby);
        self.exchange(key, now);
        if let Some(room) = self.rooms.get_mut(&room) {
            room.bots.push(key);
        }
    }

    /// Removes a bot and frees its seat.
    fn dismiss(&mut self, key: usize, now: MonoTime) {
        let room = self.bots.get(key).and_then(|bot| self.rooms.get_mut(&bot.room));
        if let Some(room) = room {
            room.bots.retain(|bot| *bot != key);
        }
        self.remove(key, now);
    }

    fn remove(&mut self, key: usize, now: MonoTime) {
        let lobby = &*self.lobby;
        self.core.handle_frame(now, key, &codec::encode_client(&ClientMsg::Leave), lobby);
        self.core.handle_lost(now, key, lobby);
        self.drain(now);
        self.bots.try_remove(key);
    }
}

/// One of the game's names, marked as a bot's.
fn bot_name<G: Game>() -> Name {
    let name = fastrand::choice(G::BOT_NAMES).copied().unwrap_or_default();
    Name::new(&format!("bot {name}")).or_else(|_| Name::new("bot")).expect("short and visible")
}

/// Whether only a bug can close one of the server's own bots with this code.
fn is_fault(code: CloseCode) -> bool {
    matches!(code, CloseCode::Malformed | CloseCode::TooManyFrames | CloseCode::WrongRevision | CloseCode::TooSlow)
}

/// The bots as the sockets of their connections.
struct BotSockets<'a, G: Game> {
    bots: &'a mut Slab<Bot<G>>,
    app: &'a App,
    now: MonoTime,
}

impl<G: Game> BotSockets<'_, G> {
    fn receive(&mut self, key: usize, frame: &[u8]) {
        let Some(bot) = self.bots.get_mut(key).filter(|bot| bot.state == State::Playing) else { return };
        if let Err(wrong) = bot.client.handle_frame(self.now, frame) {
            // The server's own bytes: a bug to log, but no reason to stop the server.
            tracing::error!(%wrong, room = %bot.room, "a bot cannot decode the server's frame and is removed");
            self.app.metrics.bot_failures.inc();
            bot.state = State::Done;
        }
    }
}

impl<G: Game> Sockets for BotSockets<'_, G> {
    const HEADROOM: usize = 0;

    fn state(&self, key: usize) -> Option<SocketState> {
        self.bots.contains(key).then_some(SocketState::Free)
    }

    fn write(&mut self, key: usize, frame: &mut [u8]) -> bool {
        self.receive(key, frame);
        true
    }
}
