//! The harness: sessions, a room and its fan-out on one side, clients on the other, pipes between them.

use std::sync::Arc;

use broadside_server::room::flow::{Decision, Flow, Socket};
use broadside_server::room::outgoing::Outgoing;
use broadside_server::room::recycle::Recycled;
use broadside_server::room::{Room, RoomConfig, RoomOutput};
use broadside_server::session::{Session, SessionOutput};
use broadside_shared::client::stats::Arrival;
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail, Phase, Received};
use broadside_shared::game::{Game, PlayerId};
use broadside_shared::link::{LinkProfile, Pipe, Stalls};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Outcome, Refusal, RoomId, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Mode, Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::replication::cells::CellId;
use broadside_shared::time::{MonoTime, Tick, tick_us};

/// The server's clock began this much before the clients', so that nothing works by mistaking one for the other.
const SERVER_AHEAD_US: u64 = 3_600_000_000;
/// Virtual time moves in steps of this many microseconds.
const STEP_US: u64 = 1_000;
/// A client draws this often: 60 times a second.
const FRAME_US: u64 = 16_667;

/// The program around a client: how often it gets to run the client's ticks.
#[derive(Debug, Clone)]
pub struct Host {
    /// Microseconds from one call to the next, drawn evenly from this range.
    every_us: (u64, u64),
    /// Frames wait until it calls, as where drawing blocks everything else.
    blocked: bool,
    rng: fastrand::Rng,
}

impl Host {
    /// One that calls 60 times a second and takes frames as they come.
    pub fn smooth() -> Self {
        Host::every(FRAME_US, FRAME_US)
    }

    /// One whose calls are this far apart, in microseconds.
    pub fn every(least_us: u64, most_us: u64) -> Self {
        Host { every_us: (least_us, most_us), blocked: false, rng: fastrand::Rng::with_seed(least_us) }
    }

    /// The same, and whether frames wait for its calls.
    pub fn blocked(self, blocked: bool) -> Self {
        Host { blocked, ..self }
    }

    fn next_us(&mut self) -> u64 {
        self.rng.u64(self.every_us.0..=self.every_us.1)
    }
}

/// A whole system in virtual time.
pub struct Sim<G: Game> {
    pub now: MonoTime,
    pub clients: Vec<SimClient<G>>,
    pub room: Room<G>,
    pub outgoing: Outgoing,
    config: RoomConfig,
    outputs: Recycled<RoomOutput>,
    tick: Tick,
    tick_zero: MonoTime,
    frame: Vec<u8>,
}

/// A client, its line, and the server's end of it.
pub struct SimClient<G: Game> {
    pub client: Client<G>,
    pub events: Vec<ClientEvent<G>>,
    /// Every snapshot that came.
    pub arrivals: Vec<Arrival>,
    /// Whether it drew in this step.
    pub drew: bool,
    pub closed: Option<CloseCode>,
    pub flow: Flow,
    /// Until when the program stands still: it neither reads nor acts.
    pub frozen_until: MonoTime,
    pub host: Host,
    /// Its line is cut: nothing moves either way, pings are not answered.
    pub cut: bool,
    freezes: Option<Stalls>,
    down: Pipe,
    up: Pipe,
    session: Session<G>,
    player: Option<PlayerId>,
    next_frame_at: MonoTime,
}

/// Decides the inputs of a client, given its index.
pub type Drive<'a, G> = &'a mut dyn FnMut(usize, &Client<G>) -> <G as Game>::Input;

impl<G: Game<Config: Default>> Sim<G> {
    /// An empty room where everyone is for themselves.
    pub fn new(seed: u64, snapshot_every: u32) -> Self {
        Sim::of_mode(Mode::Open, seed, snapshot_every)
    }

    /// An empty room.
    pub fn of_mode(mode: Mode, seed: u64, snapshot_every: u32) -> Self {
        let config = RoomConfig { snapshot_every, capacity: 1000, seed, mode };
        let tick_zero = MonoTime(SERVER_AHEAD_US);
        Sim {
            now: MonoTime(0),
            clients: Vec::new(),
            outputs: Recycled::default(),
            room: Room::new(config, &G::config(mode), tick_zero),
            outgoing: Outgoing::new::<G>(config.capacity),
            config,
            tick: Tick(0),
            tick_zero,
            frame: Vec::new(),
        }
    }

    /// Connects a client over a line.
    pub fn connect(&mut self, line: &LinkProfile) -> usize {
        let index = self.clients.len();
        let name = Name::new(&format!("sim {index}")).expect("a fine name");
        let mut client = Client::new(ClientConfig {
            name,
            agent: "sim".to_owned(),
            room: Some(RoomChoice::Quick),
            role: Role::Play,
            detail: Detail::View,
        });
        client.handle_open(self.now);
        let seed = self.config.seed.wrapping_add(index as u64 * 977);
        let (down, up) = line.pipes(seed);
        self.clients.push(SimClient {
            client,
            events: Vec::new(),
            arrivals: Vec::new(),
            drew: false,
            closed: None,
            flow: Flow::default(),
            frozen_until: MonoTime(0),
            host: Host::smooth(),
            cut: false,
            freezes: line.freezes(seed),
            down,
            up,
            session: Session::new(server_time(self.now)),
            player: None,
            // Clients do not draw in step.
            next_frame_at: self.now.plus_us(index as u64 * 7919 % FRAME_US),
        });
        index
    }

    /// Lets `seconds` pass.
    pub fn run(&mut self, seconds: f64, drive: Drive<G>) {
        self.run_watching(seconds, drive, &mut |_| {});
    }

    /// Lets `seconds` pass, and calls `watch` after every step.
    pub fn run_watching(&mut self, seconds: f64, drive: Drive<G>, watch: &mut dyn FnMut(&mut Sim<G>)) {
        let end = self.now.plus_us((seconds * 1e6) as u64);
        while self.now < end {
            self.now = self.now.plus_us(STEP_US);
            self.serve();
            while server_time(self.now) >= self.room.due_at(self.tick.after(1)) {
                self.step_room();
            }
            for index in 0..self.clients.len() {
                self.run_client(index, drive);
            }
            watch(self);
        }
    }

    /// Closes a client's session from the server's side, as a lost socket does.
    pub fn drop_client(&mut self, index: usize) {
        if let Some(player) = self.clients[index].player.take() {
            self.room.leave(player);
        }
    }

    /// A client's socket is lost, and what was on its way with it; the seat is kept.
    pub fn lose_socket(&mut self, index: usize) {
        let c = &mut self.clients[index];
        c.cut = true;
        if let Some(player) = c.player {
            self.room.away(player);
        }
    }

    /// A client that lost its socket has another one, over the same line.
    pub fn reconnect(&mut self, index: usize, line: &LinkProfile) {
        let now = self.now;
        let c = &mut self.clients[index];
        (c.down, c.up) = line.pipes(self.config.seed.wrapping_add(index as u64 * 977 + 1));
        c.session = Session::new(server_time(now));
        c.cut = false;
        c.client.handle_open(now);
    }

    /// Whether every client is seated and knows its own state.
    pub fn all_play(&self) -> bool {
        self.clients.iter().all(|c| c.client.phase() == Phase::Playing && c.client.local_player().is_some())
    }

    fn serve(&mut self) {
        let now = server_time(self.now);
        for c in &mut self.clients {
            if c.closed.is_some() {
                continue;
            }
            while let Some(frame) = c.up.receive(self.now).filter(|_| !c.cut) {
                c.session.handle_frame(now, &frame);
            }
            if c.session.poll_timeout().is_some_and(|at| at <= now) {
                c.session.handle_timeout(now);
            }
            while let Some(output) = c.session.poll_output() {
                match output {
                    SessionOutput::Send(frame) => c.down.send(self.now, frame),
                    // A socket answers pings even if its program is frozen.
                    SessionOutput::Ping if !c.cut => c.session.handle_alive(now),
                    SessionOutput::Ping => {}
                    SessionOutput::Hello(resume) => {
                        let seat = resume.filter(|resume| Some(resume.token.session) == c.player.map(session_of));
                        match (seat, c.player) {
                            (Some(resume), Some(player)) => {
                                let behind =
                                    |(cell, ticks): (u16, u8)| (CellId(cell), resume.have.before(u32::from(ticks)));
                                self.outgoing.resume(player, resume.have, resume.cells.iter().copied().map(behind));
                                self.room.back(player);
                                c.flow = Flow::default();
                                let joined = joined::<G>(player, &self.config, self.tick_zero);
                                c.session.handle_welcome(resume.token, Some(&joined));
                            }
                            (_, _) => c.session.handle_welcome(Token { session: 0, signature: [0; 16] }, None),
                        }
                    }
                    SessionOutput::Request(id, _) => {
                        c.session.handle_outcome(id, Outcome::Refused(Refusal::NotAllowed));
                    }
                    SessionOutput::Join(name, ..) => match self.room.join(name) {
                        Ok(player) => {
                            c.player = Some(player);
                            self.outgoing.reset(player);
                            c.session.handle_seated(&joined::<G>(player, &self.config, self.tick_zero));
                            c.client.set_token(Token { session: session_of(player), signature: [0; 16] });
                        }
                        Err(_) => c.session.handle_close(CloseCode::RoomFull),
                    },
                    SessionOutput::Input(packet) => {
                        c.flow.handle_ack(packet.acked, now);
                        if let Some(player) = c.player {
                            self.room.input(player, &packet, now);
                        }
                    }
                    SessionOutput::Close(code) => {
                        c.closed = Some(code);
                        if let Some(player) = c.player.take() {
                            self.room.leave(player);
                        }
                    }
                }
            }
        }
    }

    fn step_room(&mut self) {
        self.tick = self.tick.after(1);
        let output = self.outputs.fill(|output| self.room.step(self.tick, 0, output, |_| {}));
        self.outgoing.push(Arc::clone(&output));
        let interval_us = tick_us(G::TICK_HZ, self.config.snapshot_every);
        for (at, due) in output.due.iter().enumerate() {
            let player = due.player;
            let Some(c) = self.clients.iter_mut().find(|c| c.player == Some(player)) else { continue };
            if let Decision::Write(tier) =
                c.flow.decide(interval_us, Socket::from_free(c.down.takes_more()), output.level)
            {
                self.frame.clear();
                self.outgoing.frame(at, c.flow.level(output.level), tier, &mut self.frame);
                c.flow.wrote(self.tick, server_time(self.now));
                c.down.send(self.now, self.frame.clone());
            }
        }
    }

    fn run_client(&mut self, index: usize, drive: Drive<G>) {
        let now = self.now;
        let c = &mut self.clients[index];
        if let Some(until) = c.freezes.as_mut().and_then(|stalls| stalls.stands_until(now)) {
            c.frozen_until = until;
        }
        if now < c.frozen_until || c.cut {
            return;
        }
        c.drew = now >= c.next_frame_at;
        if c.host.blocked && !c.drew {
            return;
        }
        while let Some(frame) = c.down.receive(now) {
            let received = c.client.handle_frame(now, &frame).expect("the server's bytes are good");
            if let Received::Snapshot(arrival) = received {
                c.arrivals.push(arrival);
            }
        }
        if c.drew {
            c.next_frame_at = now.plus_us(c.host.next_us());
            let input = drive(index, &c.client);
            c.client.advance(now, &input);
            c.client.view(now);
            while let Some(event) = c.client.poll_event() {
                c.events.push(event);
            }
        }
        while let Some(frame) = c.client.poll_frame() {
            c.up.send(now, frame);
        }
    }
}

/// The session of the player in a seat.
fn session_of(player: PlayerId) -> u64 {
    u64::from(player.0) + 1
}

fn joined<G: Game>(player: PlayerId, config: &RoomConfig, tick_zero: MonoTime) -> ServerMsg {
    ServerMsg::Joined {
        room: RoomId(1),
        player,
        tick_hz: G::TICK_HZ,
        snapshot_every: config.snapshot_every,
        tick_zero,
        mode: config.mode,
        role: Role::Play,
    }
}

fn server_time(now: MonoTime) -> MonoTime {
    now.plus_us(SERVER_AHEAD_US)
}
