//! The headless client: everything a client does except drawing, the same in the browser and in the bots.
//!
//! | module | what it holds |
//! |---|---|
//! | `session` | the session with the server: token, seat, clock, requests |
//! | `world` | the copy of the room: replica, roster, standings, match |
//! | `local_player` | the client ticks, their inputs, and the comparison of the prediction with each snapshot |
//! | `control` | control messages, and moving between lobby and rooms |
//! | `snapshot` | reading a snapshot |
//! | `status` | the read-only methods of [`Client`] |
//! | `output` | the queues of frames and events to hand out |
//! | `types` | configuration, events and the view |
//! | `clock` | the server's time, estimated from pings, slewed and never jumping |
//! | `lead` | the input lead, steered by how early inputs arrive |
//! | `pace` | how rarely the program calls the client, and the lead that covers it |
//! | `prediction` | the own state ahead of the server, and its reconciliation with snapshots |
//! | `companion` | an entity that is predicted along with the own player |
//! | `replayed` | a client that shows a replayed world |
//! | [`interpolation`] | all other entities, drawn a little in the past between two snapshots |
//! | [`stats`] | running statistics |
//! | [`requests`] | unanswered requests |
//! | [`retry`] | pauses before connecting again |
//! | [`nodes`] | which node of a cluster to connect to, and when |
//! | [`room_request`] | a requested room, as text and as a link |
//!
//! [`Client`] has the shape of every core here: `handle_*` takes what happened and when, `poll_*` gives what to do next. It
//! never sees a socket or a clock. One `Client` lives as long as one session: a lost socket is followed by another.

mod clock;
mod companion;
mod control;
pub mod interpolation;
mod lead;
mod local_player;
pub mod nodes;
mod output;
mod pace;
mod prediction;
mod replayed;
pub mod requests;
pub mod retry;
pub mod room_request;
mod session;
mod snapshot;
pub mod stats;
mod status;
mod types;
mod world;

pub use replayed::ReplayedTick;
pub use types::{ClientConfig, ClientEvent, Detail, LocalPlayerView, Phase, Received, View};

use companion::{Companion, Jumps};
use interpolation::{InterpolatedEntity, Interpolation};
use local_player::LocalPlayer;
use nodes::Arrival;
use output::Output;
use prediction::SMOOTHED_MAX;
use session::Session;
use world::World;

use glam::Vec2;

use crate::game::{Bot as _, Game, check_game};
use crate::protocol::FrameKind;
use crate::protocol::codec;
use crate::protocol::message::{ClientMsg, Request};
use crate::protocol::room::Role;
use crate::protocol::token::{AccountToken, Token};
use crate::replication::bits::WireError;
use crate::time::{MonoTime, tick_us};

/// A client without a screen. See the module.
pub struct Client<G: Game> {
    session: Session,
    world: World<G>,
    local: LocalPlayer<G>,
    out: Output<G>,
    view: View<G>,
    companion: Option<Companion>,
}

impl<G: Game> Client<G> {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        const { check_game::<G>() };
        Client {
            local: LocalPlayer::new(config.detail),
            session: Session::new(config),
            world: World::new(),
            out: Output::new(),
            view: View { tick: 0.0, own_tick: 0.0, own: None, entities: Vec::new(), predicted_spawns: Vec::new() },
            companion: None,
        }
    }

    /// Resumes an earlier session, whose welcome brought this token, with the next connection.
    pub fn set_token(&mut self, token: Token) {
        self.session.token = Some(token);
    }

    /// Plays for an account from the next connection on; `None` for none. Tokens are short-lived: set a new one before each connection.
    pub fn set_account(&mut self, account: Option<AccountToken>) {
        self.session.account = account;
    }

    /// The socket is open: sends the hello. Over a later socket the client asks for its seat and for the ticks it missed.
    pub fn handle_open(&mut self, now: MonoTime) {
        self.handle_open_at(now, Arrival::Same);
    }

    /// The socket is open, maybe to another node than the one before: as [`Client::handle_open`]. Where a redirect led that names a room, the
    /// client asks for that room in a new session.
    pub fn handle_open_at(&mut self, now: MonoTime, arrival: Arrival) {
        self.session.start_connection(arrival, &mut self.out);
        self.start_counting();
        let resume = self.session.token.map(|token| self.world.resume(token));
        self.session.send_hello(now, resume, &mut self.out);
    }

    /// A server counts from nothing: inputs that were late, and joins.
    fn start_counting(&mut self) {
        self.local.counters = None;
        if self.session.move_pending || self.session.joins_unanswered > 0 {
            // The seat may be another one by now, where nothing of this world is of use.
            self.reset_room();
        }
        self.session.joins_unanswered = 0;
    }

    /// Takes a frame from the server.
    ///
    /// # Errors
    /// What is wrong with its bytes. The connection is of no further use: close it and open another.
    pub fn handle_frame(&mut self, now: MonoTime, frame: &[u8]) -> Result<Received, WireError> {
        self.out.stats.bytes_down += frame.len() as u64;
        let (kind, rest) = FrameKind::split(frame)?;
        match kind {
            FrameKind::Control => {
                self.handle_control(now, &codec::decode_server(rest)?);
                Ok(Received::Control)
            }
            FrameKind::State => self.handle_snapshot(now, frame.len(), rest).map(Received::Snapshot),
        }
    }

    /// Sends a request; gives the number that its answer will carry, or `None` while
    /// [`UNANSWERED_MAX`](requests::UNANSWERED_MAX) requests are unanswered.
    pub fn request(&mut self, now: MonoTime, request: Request) -> Option<u32> {
        self.session.request(now, request, &mut self.out)
    }

    /// Follows nobody from now on and looks at a place, in world units; for spectators. Otherwise as [`Client::request`].
    pub fn look(&mut self, now: MonoTime, at: Vec2) -> Option<u32> {
        self.world.following = None;
        self.request(now, Request::Look { x: at.x as i32, y: at.y as i32 })
    }

    /// Sends a request of the game to the room; otherwise as [`Client::request`].
    pub fn request_game(&mut self, now: MonoTime, request: &G::Request) -> Option<u32> {
        self.request(now, Request::Game { body: codec::encode_value(request) })
    }

    /// Gives up the seat and ends the session: the only thing that may follow is the end of the socket.
    pub fn leave(&mut self) {
        self.session.token = None;
        self.out.send(&ClientMsg::Leave);
    }

    /// Runs the client ticks that are due by `now` with `input`, and queues the frames to send. Call it as often as ticks are due;
    /// called less often, the lead grows by the time between calls, and only latency is lost.
    pub fn advance(&mut self, now: MonoTime, input: &G::Input) {
        self.session.ping_if_due(now, &mut self.out);
        self.session.expire_requests(now, &mut self.out);
        let Some(room_time) = self.session.room_time(now) else { return };
        // Over a new socket, the seat counts only after the server has confirmed it.
        let is_seated = self.session.phase == Phase::Playing;
        if room_time.seat.role == Role::Spectate {
            self.out.stats.snapshot_age_ms = self.world.age_ms(&room_time);
            if is_seated {
                self.local.send_ack(self.world.newest_tick(), &mut self.out);
            }
            return;
        }
        if !self.local.prediction.started() {
            return;
        }
        self.out.stats.snapshot_age_ms = self.world.age_ms(&room_time);
        self.local.advance(&room_time, input, &mut self.out.stats);
        if is_seated {
            self.local.send_inputs(&room_time, &self.world, self.session.config.detail, &mut self.out);
        }
    }

    /// [`Client::advance`] with what a bot decides, and asks the game for.
    pub fn advance_bot(&mut self, now: MonoTime, bot: &mut G::Bot) {
        let decided = self.bot_view().map(|view| (bot.request(&view), bot.decide(&view)));
        let (request, input) = decided.unwrap_or_default();
        if let Some(request) = request {
            self.request_game(now, &request);
        }
        self.advance(now, &input);
    }

    /// When [`Client::advance`] has the next input packet to send, as of `now` and not before it; `None` before the first snapshot.
    /// For programs that call it no more often than needed.
    #[must_use]
    pub fn next_input_at(&self, now: MonoTime) -> Option<MonoTime> {
        let room_time = self.session.room_time(now).filter(|_| self.local.prediction.started())?;
        Some(self.local.next_input_at(&room_time, &self.out.stats))
    }

    /// Where the server has sent the client over this connection, once: to be followed when the connection has ended, with
    /// [`Nodes`](nodes::Nodes::handle_redirect).
    pub fn take_redirect(&mut self) -> Option<String> {
        self.session.redirect.take()
    }

    /// The other nodes of the cluster, once after each time that the server has listed them.
    pub fn take_nodes(&mut self) -> Option<Vec<String>> {
        self.session.nodes.take()
    }

    /// The next frame to send, oldest first.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.out.frames.pop_front()
    }

    /// The next event, oldest first. Game events come out as [`Client::view`] reaches their tick.
    pub fn poll_event(&mut self) -> Option<ClientEvent<G>> {
        self.out.events.pop_front()
    }

    /// What to draw at `now`.
    pub fn view(&mut self, now: MonoTime) -> &View<G> {
        let Some(room_time) = self.session.room_time(now) else { return &self.view };
        let server_tick = room_time.server_tick;
        let (interpolation, prediction) = (&mut self.world.interpolation, &mut self.local.prediction);
        let tick = interpolation.advance(server_tick);
        self.out.stats.interpolation_ms = room_time.ms((server_tick - tick).max(0.0));
        self.out.stats.starved_frames = interpolation.starved();
        self.view.tick = tick;
        self.view.predicted_spawns.clear();
        if prediction.hidden() {
            self.view.own_tick = tick;
            self.view.own = prediction.authority_view(tick);
        } else {
            self.view.own_tick = self.local.lead.client_tick(now, server_tick);
            self.view.own = prediction.own_view(now, self.view.own_tick);
            prediction.show_spawns(self.view.own_tick, tick, &mut self.view.predicted_spawns);
        }
        let player_entity = self.view.own.as_ref().and_then(|own| G::player_entity(&own.current));
        let is_hidden = |entity: &InterpolatedEntity| {
            Some(entity.id) == player_entity || (!prediction.hidden() && prediction.shows(entity.id))
        };
        self.view.entities.clear();
        interpolation.show(tick, is_hidden, &mut self.view.entities);
        self.draw_companion(now);
        self.world.emit_events(tick, &mut self.out);
        &self.view
    }

    /// Puts the entity that is predicted along with the own player where it is drawn.
    fn draw_companion(&mut self, now: MonoTime) {
        let (prediction, interpolation) = (&self.local.prediction, &self.world.interpolation);
        let predicted = prediction.local_player().and_then(G::companion).filter(|_| !prediction.hidden());
        self.companion = predicted.and_then(|predicted| {
            // The own player is drawn between the last two ticks, which is one tick before `own_tick`.
            let own_tick = self.view.own_tick - 1.0;
            let goal = if predicted.is_near { own_tick } else { self.view.tick };
            let path = |tick| {
                prediction.companion_at(predicted.id, tick).or_else(|| interpolation.position_at(predicted.id, tick))
            };
            let jumps = Jumps::new(G::TICK_HZ, SMOOTHED_MAX * G::CELL);
            Companion::follow(self.companion, now, predicted.id, (goal, own_tick), jumps, path)
        });
        let Some((id, tick, at)) = self.companion.map(|companion| companion.drawn()) else { return };
        if let Some(entity) = self.view.entities.iter_mut().find(|entity| entity.id == id) {
            (entity.tick, entity.values[0], entity.values[1]) = (tick, at.x, at.y);
        }
    }

    /// Whether the server learns which picture the player saw, so that it judges hits by that. On by default; off shows the
    /// difference.
    pub fn set_lag_compensation(&mut self, on: bool) {
        self.local.lag_compensation = on;
    }

    /// Whether the view shows the own player and their spawns as predicted. On by default; off, they are shown where and when the server
    /// has them, at [`View::tick`]. Inputs are sampled and sent the same.
    pub fn set_prediction(&mut self, on: bool) {
        self.local.prediction.set_hidden(!on);
    }

    /// Whether the view draws other entities between two snapshots, a little in the past. On by default; off, they stand where the
    /// newest snapshot has them until the next one arrives.
    pub fn set_interpolation(&mut self, on: bool) {
        self.world.interpolation.set_plain(!on);
    }
}

/// Milliseconds per tick, for the modules here.
fn tick_ms(tick_hz: u32) -> f64 {
    tick_us(tick_hz, 1_000) as f64 / 1e6
}
