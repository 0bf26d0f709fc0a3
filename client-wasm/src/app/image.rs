//! One drawn image: input, stage, drawing, gauges, sound. Also runs the client's ticks between images.

use broadside_arena::ArenaInput;
use broadside_arena::modes::Mode;
use broadside_shared::client::{Client, Phase};
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::Tick;
use glam::Vec2;
use wasm_bindgen::JsValue;

use super::App;
use crate::browser;
use crate::flow::state::PageState;
use crate::hud::match_status::{Cue, MatchViewer, mode_name};
use crate::hud::play::Meter;
use crate::hud::screens::Face;
use crate::input::keys::Command;
use crate::live;
use crate::probe::{JsRecord, list};
use crate::synth::Sound;

/// Longest time that one image advances the world, in seconds: after a stall the world jumps instead of rushing.
const DT_MAX: f32 = 0.1;
/// Shortest time between two images in a window without focus, in seconds: about 30 images per second.
const UNFOCUSED_S: f32 = 0.030;
/// Volume of the battle behind the title, as a share.
const BACKDROP_LOUD: f32 = 0.28;

impl App {
    /// Draws one image; the browser calls it before each repaint.
    pub(super) fn image(&mut self) {
        let now_ms = browser::now_ms();
        let elapsed = ((now_ms - self.last_ms) / 1000.0) as f32;
        let focused = browser::focused();
        // A window without focus needs at most half of the images, and some browsers request them in hidden tabs too.
        if browser::hidden() || (!focused && elapsed < UNFOCUSED_S) {
            return;
        }
        self.last_ms = now_ms;
        if focused {
            self.quality.measure(elapsed);
        } else {
            self.quality.forget();
        }
        self.choose_renderer();
        self.image_s += (elapsed - self.image_s) * 0.05;
        // After a lost connection the picture freezes, particles included.
        let asleep = self.is_asleep();
        let dt = if self.is_frozen() || asleep { 0.0 } else { elapsed.clamp(0.0, DT_MAX) };
        self.take_commands(now_ms);
        self.serve();
        self.refresh_lobby(now_ms);
        self.chat.advance(now_ms);
        self.resize();
        match *self.flow.state() {
            PageState::Title => self.show_backdrop(dt),
            PageState::Playing { .. } if asleep => self.stage.effects.clear(),
            PageState::Playing { .. } => {
                self.show_game(dt);
                self.show_net(now_ms);
            }
            PageState::Connecting { .. } | PageState::Lost | PageState::Refused { .. } if self.is_frozen() => {
                self.stage.effects.clear();
            }
            PageState::Connecting { .. } | PageState::Lost | PageState::Refused { .. } => self.show_backdrop(dt),
        }
        self.draw(now_ms / 1000.0, dt);
        self.images += 1;
        self.update_sound();
    }

    /// Runs the client's due ticks with the current input and sends what is due: many times per second, however rarely an image
    /// is drawn. Aims from the position at which the ship was last drawn, because the player aims by the picture.
    pub(super) fn steer(&mut self) {
        if !self.flow.is_playing() {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        if connection.is_frozen() {
            return;
        }
        let (ship, heading) = self.seen_at;
        let input = self.devices.borrow().input(ship, heading, &self.camera);
        connection.client.advance(browser::now(), &input);
        connection.flush();
    }

    /// Whether the picture is frozen: a battle was interrupted. Before the first one, the battle behind the title continues.
    fn is_frozen(&self) -> bool {
        self.backdrop.is_none() && !(self.flow.is_at_title() || self.flow.is_playing())
    }

    /// Images per second, as a running mean.
    pub(super) fn fps(&self) -> f32 {
        1.0 / self.image_s.max(0.001)
    }

    fn take_commands(&mut self, now_ms: f64) {
        if self.help_until_ms > 0.0 && now_ms > self.help_until_ms {
            self.help_until_ms = 0.0;
            self.screens.help(false);
        }
        let playing = self.flow.is_playing();
        loop {
            let command = self.devices.borrow_mut().poll();
            match command {
                Some(Command::Menu) => self.toggle_pause(),
                Some(Command::Mute) => self.toggle_mute(),
                Some(Command::Net) => self.toggle_net(),
                Some(Command::Lab) => self.toggle_lab(),
                Some(Command::Help) if playing => {
                    let open = self.help_until_ms > 0.0;
                    self.help_until_ms = if open { 0.0 } else { f64::INFINITY };
                    self.screens.help(!open);
                }
                Some(Command::Help) => {}
                None => break,
            }
        }
        let mut devices = self.devices.borrow_mut();
        devices.steering = playing && !self.screens.paused();
        let held = if devices.steering && self.flow.is_spectating() { devices.held.buttons() } else { 0 };
        let face = match *self.flow.state() {
            PageState::Title => Face::Menu,
            PageState::Playing { .. } if self.flow.is_spectating() => Face::Spectate,
            PageState::Playing { .. } => Face::Play,
            PageState::Connecting { .. } | PageState::Lost | PageState::Refused { .. } if self.backdrop.is_some() => {
                Face::Wait
            }
            PageState::Connecting { .. } | PageState::Lost | PageState::Refused { .. } => Face::Lost,
        };
        self.screens.face(face, devices.touch);
        if devices.touch {
            self.screens.thumbs(&devices.thumbs);
        }
        drop(devices);
        let pressed = held & !std::mem::replace(&mut self.held, held);
        if pressed & ArenaInput::LEFT != 0 {
            self.follow_another(-1);
        } else if pressed & (ArenaInput::RIGHT | ArenaInput::FIRE) != 0 {
            self.follow_another(1);
        }
    }

    fn show_backdrop(&mut self, dt: f32) {
        let Some(backdrop) = &mut self.backdrop else { return };
        backdrop.show(dt, &mut self.stage);
        self.camera.follow(backdrop.focus, Vec2::ZERO, Vec2::ZERO, dt);
    }

    fn show_game(&mut self, dt: f32) {
        let now = browser::now();
        let Some(connection) = &mut self.connection else { return };
        self.seen_at = live::own_pose(connection.client.view(now));
        self.steer();
        let Some(connection) = &mut self.connection else { return };
        let devices = self.devices.borrow();
        let burning = devices.input(self.seen_at.0, self.seen_at.1, &self.camera).has(ArenaInput::THRUST);
        let pointer = if devices.touch || self.flow.is_spectating() { Vec2::ZERO } else { devices.pointer };
        drop(devices);
        let view = connection.client.view(now);
        live::fill(view, burning, &mut self.stage);
        let plays = view.own.is_some();
        let (view_tick, own_tick) = (view.tick, Tick(view.own_tick.max(0.0) as u32));
        let (ship, _) = live::own_pose(view);
        let velocity = view.own.as_ref().map_or(Vec2::ZERO, |own| own.current.velocity);
        if let Some(own) = &view.own {
            self.play.own(&own.current, &self.sunk_by);
        }
        if !plays {
            self.stage.edge = live::spectator_edge(self.stage.edge, connection.client.extent(), dt);
        }
        let followed = if self.flow.is_spectating() { connection.client.following() } else { None };
        let (ship, velocity) = match followed.and_then(|player| self.stage.ship_of(player.0)) {
            Some(look) => (look.at, look.velocity),
            None if self.flow.is_spectating() => (self.spectated_at, Vec2::ZERO),
            None => (ship, velocity),
        };
        self.spectated_at = ship;
        self.stage.followed = followed.map(|player| player.0);
        self.stage.away = live::away(&self.stage, |player| connection.client.is_away(player));
        self.stage.record_teams();
        let match_status = connection.client.match_status();
        self.stage.zone = connection.client.room_state().as_ref().map(|zone| live::zone_look(zone, view_tick));
        self.play.between_rounds =
            match_status.is_some_and(|c| Mode::of(c.mode) == Mode::Duel && c.phase != MatchPhase::Waiting);
        self.stage.add_shot_effects();
        self.take_events();
        self.camera.follow(ship, velocity, pointer, dt);
        let Some(connection) = &self.connection else { return };
        let client = &connection.client;
        let meter = Meter { ping_ms: client.stats().rtt_ms, fps: self.fps(), muted: self.speaker.muted() };
        if self.flow.is_spectating() {
            self.screens.show_followed(client.following().and_then(|player| client.name_of(player)).unwrap_or("…"));
        }
        let names = |player: PlayerId| client.name_of(player).unwrap_or("…");
        let seconds = browser::now_ms() / 1000.0;
        let team_of = |player: PlayerId| self.stage.team_of(player.0);
        let viewer = MatchViewer {
            tick: own_tick,
            player: client.player(),
            team: self.stage.own_team(),
            zone: client.room_state().as_ref(),
            board: client.board(),
            name_of: &names,
            team_of: &team_of,
        };
        let cue = self.match_status.show(client.match_status(), &viewer);
        self.play.slow(seconds, meter, client.player(), (client.board(), client.players()), (names, team_of));
        if let Some(cue) = cue {
            self.speaker.click(match cue {
                Cue::Count => Sound::Mark,
                Cue::Begin => Sound::Launch,
                Cue::Won => Sound::Pickup,
                Cue::Over => Sound::Click,
            });
        }
    }

    fn update_sound(&mut self) {
        self.speaker.prepare();
        let loud = match *self.flow.state() {
            PageState::Playing { .. } => 1.0,
            _ if self.is_frozen() => 0.0,
            _ => BACKDROP_LOUD,
        };
        self.speaker.play_effects(&self.stage, self.camera.at, loud);
    }

    /// The page's state, for tests.
    pub(super) fn report(&self) -> JsValue {
        let client = self.connection.as_ref().map(|connection| &connection.client);
        let own = client.and_then(|client| client.local_player());
        let ship = own.filter(|own| own.afloat()).map_or(JsValue::NULL, |own| {
            JsRecord::new()
                .with("x", own.position.x)
                .with("y", own.position.y)
                .with("heading", own.heading_radians())
                .with("hull", own.hull_points())
                .into()
        });
        let me = client.and_then(|client| client.player());
        let others = self.stage.ships.iter().filter(|ship| me.is_some_and(|me| me.0 != ship.player)).map(|ship| {
            let name = client.and_then(|client| client.name_of(PlayerId(ship.player))).unwrap_or_default();
            JsRecord::new()
                .with("id", ship.id)
                .with("player", ship.player)
                .with("name", name)
                .with("x", ship.at.x)
                .with("y", ship.at.y)
        });
        let stats = client.map(|client| *client.stats()).unwrap_or_default();
        let roster = client.into_iter().flat_map(Client::roster);
        let away = roster.filter(|(player, _)| client.is_some_and(|client| client.is_away(*player)));
        let away: js_sys::Array = away.map(|(_, name)| JsValue::from(name)).collect();
        JsRecord::new()
            .with("phase", self.flow.state().name())
            .with("name", self.flow.name().map_or(JsValue::NULL, |name| name.as_str().into()))
            .with("player", me.map_or(JsValue::NULL, |me| me.0.into()))
            .with("ship", ship)
            .with("others", list(others))
            .with("tick", client.map_or(0, |client| client.tick().0))
            .with("ping_ms", stats.rtt_ms)
            .with("age_ms", stats.snapshot_age_ms)
            .with("snapshots", stats.snapshots as f64)
            .with("room", client.and_then(|client| client.room()).map_or(JsValue::NULL, |(room, ..)| room.0.into()))
            .with("mode", client.and_then(|client| client.mode()).map_or(JsValue::NULL, |mode| mode_name(mode).into()))
            .with("spectating", self.flow.is_spectating())
            .with("held", self.devices.borrow().held.buttons())
            .with("sockets", self.sockets)
            .with("away", away)
            .with("queue_position", client.and_then(|client| client.queue_position()).map_or(JsValue::NULL, Into::into))
            .with("server_name", client.map_or(JsValue::NULL, |client| client.name().as_str().into()))
            .with("connected", self.connection.as_ref().is_some_and(|connection| connection.phase() != Phase::Greeting))
            .with(
                "chat",
                list(self.chat.lines().map(|(kind, from, text)| {
                    JsRecord::new().with("kind", kind).with("from", from).with("text", text)
                })),
            )
            .with("score", own.map_or(0, |own| own.score))
            .with("sprites", self.batch.len() as f64)
            .with("fps", self.fps())
            .with("renderer", self.quality.renderer.name())
            .with("images", self.images)
            .with("link", self.lab.settings.link.name)
            .with("net", self.report_net())
            .into()
    }
}
