//! A player without a screen: everything a client does but draw, the same in the browser and in the bots.
//!
//! | module | what it holds |
//! |---|---|
//! | [`clock`] | the server's time, estimated from pings, slewed and never jumping |
//! | [`lead`] | how far ahead of the server the own ship is run, steered by how early inputs arrive |
//! | [`pace`] | how seldom the program context the client gets to send, and the lead that covers it |
//! | [`prediction`] | the own state ahead of the server, and its reconciliation with snapshots |
//! | [`interpolation`] | everything else, drawn a little in the past between two snapshots |
//! | [`stats`] | what a player feels, as figures |
//! | [`requests`] | what was asked for, and what came of it |
//! | `lobby` | another name, and who is there |
//! | [`retry`] | when to connect again |
//! | [`room_request`] | which room somebody wants, as text and as a link |
//! | `control` | what is said now and then, and asking for rooms |
//! | `snapshot` | what comes in each snapshot, taken apart |
//! | `types` | what a client is made from and what it gives: config, events, the view |
//!
//! [`Client`] has the shape of every core here: `handle_*` takes what happened and when, `poll_*` gives what to do next. It
//! never sees a socket or a clock. One `Client` lives as long as one session: a lost socket is followed by another.

pub mod clock;
mod control;
pub mod interpolation;
pub mod lead;
mod lobby;
pub mod pace;
pub mod prediction;
pub mod requests;
pub mod retry;
pub mod room_request;
mod snapshot;
pub mod stats;
mod types;

pub use types::{ClientConfig, ClientEvent, Detail, LocalPlayerView, Phase, Received, View};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clock::Clock;
use interpolation::{InterpolatedEntity, Interpolation};
use lead::Lead;
use prediction::Prediction;
use requests::{Answer, Requests};
use stats::Stats;

use crate::game::{Game, PlayerId, Standing};
use crate::history::ViewTime;
use crate::protocol::codec;
use crate::protocol::input::InputPacket;
use crate::protocol::limits::SAMPLES_MAX;
use crate::protocol::match_status::MatchStatus;
use crate::protocol::message::{ClientMsg, Request, Resume, RoomId};
use crate::protocol::name::Name;
use crate::protocol::room::{Mode, Role};
use crate::protocol::snapshot::SnapshotHead;
use crate::protocol::token::Token;
use crate::protocol::{FrameKind, REVISION};
use crate::replication::bits::WireError;
use crate::replication::replica::Replica;
use crate::time::{MonoTime, Tick, tick_us};

/// Events kept for a view that is not being drawn; the oldest go first.
const EVENTS_KEPT: usize = 256;
/// Client ticks run at the most in one [`Client::advance`]; further behind, the client jumps to the present. More than the ticks
/// of half a second, which a page that draws in software may take for an image, and the most that [`pace`] adds to them at once.
const CATCH_UP_TICKS: u32 = 84;
/// Inputs whose time of sampling is remembered, to measure the time to their acknowledgement.
const STAMPS: usize = 256;

/// A player without a screen. See the module.
pub struct Client<G: Game> {
    config: ClientConfig,
    phase: Phase,
    seat: Option<Seat>,
    clock: Clock,
    lead: Lead,
    prediction: Prediction<G>,
    interpolation: Interpolation,
    replica: Replica,
    context: G::PredictionContext,
    events: VecDeque<(Tick, G::Event)>,
    out_frames: VecDeque<Vec<u8>>,
    out_events: VecDeque<ClientEvent<G>>,
    names: BTreeMap<PlayerId, Name>,
    board: Vec<Standing>,
    players: u16,
    extent: u16,
    position: Option<u32>,
    following: Option<PlayerId>,
    match_status: Option<MatchStatus>,
    token: Option<Token>,
    /// Another room, or the lobby, was asked for, and the server has not said yet that it heard.
    strayed: bool,
    /// Joins that were sent over this connection and not answered, as far as can be told: a later one may take the answer of an earlier
    /// one away. While there is one, what is known may be of another world than that of the seat.
    joins_unanswered: u32,
    /// The seat of an earlier connection was given back, and is about to be named.
    resumed: bool,
    requests: Requests,
    away: BTreeSet<PlayerId>,
    newest: Option<(Tick, MonoTime)>,
    counters: Option<(u8, u8)>,
    input_missing_at: Option<Tick>,
    lag_compensation: bool,
    stamps: VecDeque<(Tick, MonoTime)>,
    acked_input: Tick,
    sent: Tick,
    next_ping_at: MonoTime,
    pings: u32,
    stats: Stats,
    view: View<G>,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    room: RoomId,
    player: PlayerId,
    mode: Mode,
    role: Role,
    tick_hz: u32,
    snapshot_every: u32,
    tick_zero: MonoTime,
}

impl Seat {
    /// The tick at a moment of the server's clock, with a fraction.
    fn tick_at(&self, server_us: f64) -> f64 {
        (server_us - self.tick_zero.0 as f64) * f64::from(self.tick_hz) / 1e6
    }
}

impl<G: Game> Client<G> {
    /// A client for one connection.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Client {
            prediction: Prediction::of(config.detail),
            config,
            phase: Phase::Greeting,
            seat: None,
            clock: Clock::default(),
            lead: Lead::default(),
            interpolation: Interpolation::new(G::KINDS, G::TICK_HZ),
            replica: Replica::default(),
            context: G::PredictionContext::default(),
            events: VecDeque::new(),
            out_frames: VecDeque::new(),
            out_events: VecDeque::new(),
            names: BTreeMap::new(),
            board: Vec::new(),
            players: 0,
            extent: 0,
            position: None,
            following: None,
            match_status: None,
            token: None,
            strayed: false,
            joins_unanswered: 0,
            resumed: false,
            requests: Requests::default(),
            away: BTreeSet::new(),
            newest: None,
            counters: None,
            input_missing_at: None,
            lag_compensation: true,
            stamps: VecDeque::new(),
            acked_input: Tick(0),
            sent: Tick(0),
            next_ping_at: MonoTime(0),
            pings: 0,
            stats: Stats::default(),
            view: View { tick: 0.0, own_tick: 0.0, own: None, things: Vec::new(), predicted_spawns: Vec::new() },
        }
    }

    /// The seat of an earlier connection is wanted back: this is what its welcome brought.
    pub fn set_token(&mut self, token: Token) {
        self.token = Some(token);
    }

    /// The socket is open: say hello. A later socket goes on where the one before it broke off: the same client asks for its seat,
    /// and for what it missed.
    pub fn handle_open(&mut self, now: MonoTime) {
        while let Some(id) = self.requests.drop_one() {
            self.out_events.push_back(ClientEvent::Answered { id, answer: Answer::None });
        }
        self.out_frames.clear();
        self.phase = Phase::Greeting;
        self.position = None;
        self.pings = 0;
        self.counters = None;
        if self.strayed || self.joins_unanswered > 0 {
            // The seat may be another one by now: what is known of the world is of no use there.
            self.forget_the_world();
        }
        self.joins_unanswered = 0;
        let resume = self.token.map(|token| {
            let have = self.newest.map_or(Tick(0), |(tick, _)| tick);
            Resume { token, have, cells: self.replica.keep_known(have) }
        });
        let hello = ClientMsg::Hello { revision: REVISION, agent: self.config.agent.clone(), resume };
        self.send(codec::encode_client(&hello));
        // The first ping goes along, so that the clock is set when the first snapshot comes.
        self.send_ping(now);
    }

    /// Takes a frame from the server.
    ///
    /// # Errors
    /// What is wrong with its bytes. The connection is then of no further use: close it and begin again.
    pub fn handle_frame(&mut self, now: MonoTime, frame: &[u8]) -> Result<Received, WireError> {
        self.stats.bytes_down += frame.len() as u64;
        let (kind, rest) = FrameKind::split(frame)?;
        match kind {
            FrameKind::Control => {
                self.handle_control(now, &codec::decode_server(rest)?);
                Ok(Received::Control)
            }
            FrameKind::State => self.handle_snapshot(now, frame.len(), rest).map(Received::Snapshot),
        }
    }

    /// Asks the server for something; gives the number that its answer will carry, or `None` when too much is asked for at once.
    pub fn request(&mut self, now: MonoTime, request: Request) -> Option<u32> {
        let (id, msg) = self.requests.send(now, request)?;
        self.send(codec::encode_client(&msg));
        Some(id)
    }

    /// Gives up the seat and ends the session: nothing may follow but the end of the socket.
    pub fn leave(&mut self) {
        self.token = None;
        self.send(codec::encode_client(&ClientMsg::Leave));
    }

    /// Runs the client ticks that are due by `now` with `input`, and queues what there is to send. Call it as often as ticks are due;
    /// called more seldom, the lead grows by as much as that takes, and nothing is lost but time.
    pub fn advance(&mut self, now: MonoTime, input: &G::Input) {
        self.ping_if_due(now);
        while let Some(id) = self.requests.give_up(now) {
            self.out_events.push_back(ClientEvent::Answered { id, answer: Answer::None });
        }
        if let Some(seat) = self.seat.filter(|seat| seat.role == Role::Spectate) {
            self.stats.snapshot_age_ms = self.age_ms(&seat, now);
            if self.phase == Phase::Playing {
                self.send_ack();
            }
            return;
        }
        let (Some(seat), true) = (self.seat, self.prediction.started()) else { return };
        let server_tick = seat.tick_at(self.clock.server_us(now));
        self.lead.handle_call(now);
        self.stats.snapshot_age_ms = self.age_ms(&seat, now);
        let target = self.lead.client_tick(now, server_tick);
        let due = Tick(target.max(0.0) as u32);
        let (behind, ahead) = (due.since(self.prediction.tick()), self.prediction.tick().since(due));
        // Ahead, when the server's clock turned out to be another one than was thought.
        if behind.max(ahead) > CATCH_UP_TICKS {
            self.prediction.jump_to(due.before(1));
            self.sent = self.sent.min(due.before(1));
        }
        while self.prediction.tick() < due {
            self.prediction.advance(input, &self.context);
            self.stamps.push_back((self.prediction.tick(), now));
            if self.stamps.len() > STAMPS {
                self.stamps.pop_front();
            }
        }
        self.stats.lead_ms = (target - server_tick) * 1000.0 / f64::from(seat.tick_hz);
        // Over a new socket, the seat is ours again only when the server says so.
        if self.phase == Phase::Playing {
            self.send_inputs(&seat, now, server_tick);
        }
    }

    /// The next frame to send, oldest first.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.out_frames.pop_front()
    }

    /// The next thing that happened. Game events come out as [`Client::view`] reaches their tick.
    pub fn poll_event(&mut self) -> Option<ClientEvent<G>> {
        self.out_events.pop_front()
    }

    /// What to draw at `now`.
    pub fn view(&mut self, now: MonoTime) -> &View<G> {
        let Some(seat) = self.seat else { return &self.view };
        let server_tick = seat.tick_at(self.clock.server_us(now));
        let tick = self.interpolation.advance(server_tick);
        self.stats.interpolation_ms = (server_tick - tick).max(0.0) * 1000.0 / f64::from(seat.tick_hz);
        self.stats.starved_frames = self.interpolation.starved();
        while self.events.front().is_some_and(|(at, _)| f64::from(at.0) <= tick) {
            if let Some((_, event)) = self.events.pop_front() {
                self.out_events.push_back(ClientEvent::Game(event));
            }
        }
        while self.out_events.len() > EVENTS_KEPT {
            self.out_events.pop_front();
        }
        self.view.tick = tick;
        self.view.predicted_spawns.clear();
        if self.prediction.hidden() {
            self.view.own_tick = tick;
            self.view.own = self.prediction.told_view(tick);
        } else {
            self.view.own_tick = self.lead.client_tick(now, server_tick);
            self.view.own = self.prediction.own_view(now, self.view.own_tick);
            self.prediction.show_spawns(self.view.own_tick, tick, &mut self.view.predicted_spawns);
        }
        let player_entity = self.view.own.as_ref().and_then(|own| G::player_entity(&own.current));
        let prediction = &self.prediction;
        let hidden = |sight: &InterpolatedEntity| {
            Some(sight.id) == player_entity || (!prediction.hidden() && prediction.shows(sight.id))
        };
        self.view.things.clear();
        self.interpolation.show(tick, hidden, &mut self.view.things);
        &self.view
    }

    /// Whether the server is told what we were looking at, so that it judges hits by that; on unless someone wants to see the
    /// difference.
    pub fn set_lag_compensation(&mut self, on: bool) {
        self.lag_compensation = on;
    }

    /// Whether the view shows the own ship and its shots as predicted; on unless someone wants to see the difference. Off, they
    /// are shown where and when the server says, at [`View::tick`]. Inputs are sampled and sent the same.
    pub fn set_prediction(&mut self, on: bool) {
        self.prediction.set_hidden(!on);
    }

    /// Whether the view draws the others between two snapshots, a little in the past; on unless someone wants to see the
    /// difference. Off, they stand where the newest snapshot has them until the next one comes.
    pub fn set_interpolation(&mut self, on: bool) {
        self.interpolation.set_plain(!on);
    }

    /// The own state that the server last sent, as of [`Client::snapshot_tick`]: what prediction is checked against.
    #[must_use]
    pub fn authority(&self) -> Option<&G::LocalPlayerState> {
        self.prediction.authority()
    }

    /// How far the connection has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Our number in the room, once seated.
    #[must_use]
    pub fn player(&self) -> Option<PlayerId> {
        self.seat.map(|seat| seat.player)
    }

    /// The own state at the newest client tick.
    #[must_use]
    pub fn local_player(&self) -> Option<&G::LocalPlayerState> {
        self.prediction.local_player()
    }

    /// The newest client tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.prediction.tick()
    }

    /// The newest snapshot's tick.
    #[must_use]
    pub fn snapshot_tick(&self) -> Option<Tick> {
        self.newest.map(|(tick, _)| tick)
    }

    /// The client's copy of the world context it, as of the newest snapshot.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// A player's name, if told.
    #[must_use]
    pub fn name_of(&self, player: PlayerId) -> Option<&str> {
        self.names.get(&player).map(Name::as_str)
    }

    /// The best scores, best first, about a second old.
    #[must_use]
    pub fn board(&self) -> &[Standing] {
        &self.board
    }

    /// How many play in the room, about a second old.
    #[must_use]
    pub fn players(&self) -> u16 {
        self.players
    }

    /// Distance from the origin to where the world ended about a second ago at the most, in world units; 0 where it does not end, or
    /// as long as nothing is known. Whoever plays finds the exact one in their own state, if the game has one.
    #[must_use]
    pub fn extent(&self) -> u16 {
        self.extent
    }

    /// The room we are in, its rules, and what we do there.
    #[must_use]
    pub fn room(&self) -> Option<(RoomId, Mode, Role)> {
        self.seat.map(|seat| (seat.room, seat.mode, seat.role))
    }

    /// Whom a spectator looks at.
    #[must_use]
    pub fn following(&self) -> Option<PlayerId> {
        self.following
    }

    /// How the match stands, at most a second old; `None` before the server has said.
    #[must_use]
    pub fn match_status(&self) -> Option<&MatchStatus> {
        self.match_status.as_ref()
    }

    /// How long ago a moment of the server's clock was, in milliseconds; 0 before the clock is known.
    #[must_use]
    pub fn age_ms_of(&self, at: MonoTime, now: MonoTime) -> f64 {
        if self.clock.is_set() { ((self.clock.server_us(now) - at.0 as f64) / 1000.0).max(0.0) } else { 0.0 }
    }

    /// Whether a player's connection is lost and their seat is kept.
    #[must_use]
    pub fn is_away(&self, player: PlayerId) -> bool {
        self.away.contains(&player)
    }

    /// The position in the join queue, 1 being the next; `None` outside it.
    #[must_use]
    pub fn queue_position(&self) -> Option<u32> {
        self.position
    }

    /// Steps per second of the room, and ticks from one of its snapshots to the next, once seated.
    #[must_use]
    pub fn rates(&self) -> Option<(u32, u32)> {
        self.seat.map(|seat| (seat.tick_hz, seat.snapshot_every))
    }

    /// When [`Client::advance`] will next have an input packet to send, if asked at `now`, at the earliest `now`; `None` before
    /// the first snapshot. For those who call it no more often than needed.
    #[must_use]
    pub fn next_input_at(&self, now: MonoTime) -> Option<MonoTime> {
        let seat = self.seat.filter(|_| self.prediction.started())?;
        let at = self.lead.client_tick(now, seat.tick_at(self.clock.server_us(now)));
        let ticks = f64::from(self.sent.0) + f64::from(self.input_every(&seat)) - at;
        Some(now.plus_us((ticks * 1e6 / f64::from(seat.tick_hz)).max(0.0).ceil() as u64))
    }

    /// What the player feels, as figures.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn send(&mut self, frame: Vec<u8>) {
        self.stats.bytes_up += frame.len() as u64;
        self.out_frames.push_back(frame);
    }

    /// The tick of the others' picture, with a fraction: the drawn one, or the newest snapshot where nobody draws.
    fn seen_tick(&self) -> f64 {
        match (self.config.detail, self.interpolation.drawn()) {
            (Detail::View, Some(drawn)) => drawn,
            (Detail::View, None) | (Detail::Replica | Detail::Decode, _) => {
                self.newest.map_or(0.0, |(tick, _)| f64::from(tick.0))
            }
        }
    }

    fn age_ms(&self, seat: &Seat, now: MonoTime) -> f64 {
        self.newest.map_or(0.0, |(tick, _)| {
            let behind = seat.tick_at(self.clock.server_us(now)) - f64::from(tick.0);
            behind.max(0.0) * 1000.0 / f64::from(seat.tick_hz)
        })
    }

    fn ping_if_due(&mut self, now: MonoTime) {
        if self.phase == Phase::Greeting || now < self.next_ping_at {
            return;
        }
        // The first ones come quickly, so that the clock is good before the first input.
        let pause_ms = match self.pings {
            0..6 => 60,
            6..16 => 500,
            _ => 1000,
        };
        self.next_ping_at = now.plus_ms(pause_ms);
        self.send_ping(now);
    }

    fn send_ping(&mut self, now: MonoTime) {
        self.pings += 1;
        self.send(codec::encode_client(&ClientMsg::Ping { client_time: now }));
    }

    /// Ticks from one input packet to the next: as from one snapshot to the next, also where those have become fewer. A server that
    /// is short of time is so for both.
    fn input_every(&self, seat: &Seat) -> u32 {
        (seat.snapshot_every * SnapshotHead::every(self.stats.budget)).min(SAMPLES_MAX as u32)
    }

    /// TeamLabel spectates has no inputs, but the server must know what came.
    fn send_ack(&mut self) {
        let Some((acked, _)) = self.newest.filter(|(tick, _)| *tick > self.sent) else { return };
        self.sent = acked;
        let samples = std::iter::once(G::Input::default()).collect();
        self.send(InputPacket { acked, first: acked, lag: 0, samples }.encode());
    }

    /// Sends the inputs of every tick since the last packet, in as many packets as it takes.
    fn send_inputs(&mut self, seat: &Seat, now: MonoTime, server_tick: f64) {
        let (tick, every, due) = (self.prediction.tick(), self.input_every(seat), self.sent.after(1));
        let ready = tick.since(self.sent);
        if ready == 0 || (ready < every && !self.lead.cannot_wait(now, server_tick, due, every)) {
            return;
        }
        if let Some((first, _)) = self.prediction.inputs_from(due).filter(|_| self.sent != Tick(0)) {
            self.lead.handle_sent(now, server_tick, (due, first), every);
        }
        // What was seen lies as far behind the newest sample as it lies behind the first.
        let seen = if self.lag_compensation { self.seen_tick() } else { f64::from(tick.0) };
        let lag = ViewTime::of(tick).parts_since(ViewTime::from_ticks(seen));
        let acked = self.newest.map_or(Tick(0), |(tick, _)| tick);
        // Older ones are too late whatever the lead.
        self.sent = self.sent.max(tick.before(CATCH_UP_TICKS));
        while let Some((first, samples)) = self.prediction.inputs_from(self.sent.after(1)) {
            self.sent = first.after(samples.len() as u32 - 1);
            self.send(InputPacket { acked, first, lag, samples }.encode());
        }
    }
}

/// Milliseconds per tick, for the modules here.
fn tick_ms(tick_hz: u32) -> f64 {
    tick_us(tick_hz, 1_000) as f64 / 1e6
}
