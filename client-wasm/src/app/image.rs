//! One drawn image: input, stage, drawing, gauges, sound. Also runs the client's ticks between images.

use broadside_shared::client::{Client, Phase};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::Tick;
use glam::Vec2;
use wasm_bindgen::JsValue;

use super::App;
use super::replay::{WatchedReplay, shown_client, watched};
use crate::browser;
use crate::cartridge::{Cartridge, Cues, Focus, Image};
use crate::flow::PageFlow;
use crate::flow::state::PageState;
use crate::hud::match_status::{Cue, MatchViewer};
use crate::hud::network_lab::NetworkLab;
use crate::hud::play::Meter;
use crate::hud::screens::Face;
use crate::input::LastUsed;
use crate::input::controls::Controls;
use crate::input::gamepad_shell;
use crate::input::keys::Command;
use crate::probe::Report;
use crate::rest;
use crate::sound::{Ear, SoundId};
use crate::words::{say, say_or};

/// Longest time that one image advances the world, in seconds: after a stall the world jumps instead of rushing.
const DT_MAX: f32 = 0.1;
/// Shortest time between two images in a window without focus, in seconds: about 30 images per second.
const UNFOCUSED_S: f32 = 0.030;
/// Volume of what is behind the title, as a share.
const BACKDROP_LOUD: f32 = 0.28;

/// The phases of a match as tests read them, in the order of [`MatchPhase`](broadside_shared::protocol::match_status::MatchPhase).
const PHASES: [&str; 6] = ["open", "waiting", "countdown", "playing", "pause", "results"];

/// What there is to draw of a client's world, as it was last viewed.
pub(super) fn image_of<'a, G: Game>(client: &'a Client<G>, flow: &PageFlow, lab: &NetworkLab, dt: f32) -> Image<'a, G> {
    let authority = if lab.settings.split { client.authority() } else { None };
    let spectating = flow.is_spectating() || flow.is_replaying();
    Image { client, view: client.last_view(), spectating, authority, dt }
}

impl<C: Cartridge> App<C> {
    /// Draws one image; the browser calls it before each repaint.
    pub(super) fn image(&mut self) {
        let now_ms = browser::now_ms();
        let elapsed = ((now_ms - self.last_ms) / 1000.0) as f32;
        let focused = browser::focused();
        // A window without focus needs at most half of the images, and some browsers request them in hidden tabs too.
        if browser::hidden() || elapsed < if focused { self.image_min_s } else { UNFOCUSED_S.max(self.image_min_s) } {
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
        let elapsed = elapsed.clamp(0.0, DT_MAX);
        let dt = match watched(&self.replay) {
            Some(replay) => replay.dt(elapsed),
            None if self.is_frozen() || asleep => 0.0,
            None => elapsed,
        };
        self.take_commands(now_ms);
        self.serve();
        self.refresh_lobby(now_ms);
        self.chat.advance(now_ms);
        self.resize();
        match *self.flow.state() {
            PageState::Title => self.show_title_world(dt),
            PageState::Playing { .. } if asleep => {}
            PageState::Playing { .. } => {
                self.load_rest(elapsed);
                self.show_game(dt);
                self.send_game_requests();
                self.show_scores();
                self.show_net(now_ms);
            }
            PageState::Replaying if watched(&self.replay).is_some() => self.show_replay(now_ms, elapsed),
            PageState::Connecting { .. } | PageState::Replaying | PageState::Lost | PageState::Refused { .. } => {
                self.show_title_world(dt);
            }
        }
        self.draw(now_ms / 1000.0, dt);
        self.images += 1;
        self.update_sound(elapsed);
        self.rumble();
    }

    /// Runs the client's due ticks with the current input and sends what is due: many times per second, however rarely an image
    /// is drawn. Aims from where the own player was last drawn, because the player aims by the picture.
    pub(super) fn steer(&mut self) {
        if !self.flow.is_playing() {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        if connection.is_frozen() {
            return;
        }
        let input = self.cartridge.input(&self.devices.borrow().controls(self.seen_at, &self.camera));
        connection.client.advance(browser::now(), &input);
        connection.flush();
    }

    /// Whether the picture is frozen: a game was interrupted. Before the first one, the world behind the title continues.
    fn is_frozen(&self) -> bool {
        !(self.behind_title || self.flow.is_at_title() || self.flow.is_playing() || watched(&self.replay).is_some())
    }

    /// Images per second, as a running mean.
    pub(super) fn fps(&self) -> f32 {
        1.0 / self.image_s.max(0.001)
    }

    /// Loads the rest of the program once the player has played for a moment.
    fn load_rest(&mut self, elapsed: f32) {
        if self.rest_in_s > 0.0 {
            self.rest_in_s -= elapsed;
            if self.rest_in_s <= 0.0 {
                rest::load();
            }
        }
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
                Some(Command::Score) => self.toggle_score(),
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
        // In a menu and in an open scoreboard, keys move the focus.
        devices.steering = playing && !self.screens.paused() && !self.scoreboard.is_pinned();
        let watches = devices.steering && self.flow.is_spectating();
        let mut held = if watches { devices.held.buttons() } else { 0 };
        if C::FRAMING.whole {
            // Nothing to look around in: what would move the camera changes the player as well.
            held |= if held & Controls::PRIMARY != 0 { Controls::RIGHT } else { 0 };
        } else if watches && devices.held.is_down("Space") {
            held |= Controls::RIGHT;
        } else if devices.held.is_down("KeyA") || devices.held.is_down("KeyD") {
            // They move the free camera.
            held &= !(Controls::LEFT | Controls::RIGHT);
        }
        let face = match *self.flow.state() {
            PageState::Title => Face::Menu,
            PageState::Playing { .. } if self.flow.is_spectating() => Face::Spectate,
            PageState::Playing { .. } => Face::Play,
            PageState::Replaying if watched(&self.replay).is_some() => Face::Replay,
            PageState::Connecting { .. } | PageState::Replaying | PageState::Lost | PageState::Refused { .. }
                if self.behind_title =>
            {
                Face::Wait
            }
            PageState::Connecting { .. } | PageState::Replaying | PageState::Lost | PageState::Refused { .. } => {
                Face::Lost
            }
        };
        self.screens.face(face, devices.last_used);
        if devices.touch() {
            self.screens.thumbs(&devices.thumbs);
        }
        drop(devices);
        let pressed = held & !std::mem::replace(&mut self.held, held);
        if pressed & Controls::LEFT != 0 {
            self.follow_another(-1);
        } else if pressed & Controls::RIGHT != 0 {
            self.follow_another(1);
        }
    }

    /// Calls the cartridge about the world as it was last viewed, if there is one.
    pub(super) fn stage<T>(
        &mut self,
        dt: f32,
        call: impl FnOnce(&mut C, &Image<'_, C::Game>, &mut Cues<'_>) -> T,
    ) -> Option<T> {
        let client = shown_client(&self.replay, &self.connection)?;
        let image = image_of(client, &self.flow, &self.lab, dt);
        let mut cues =
            Cues { sounds: &mut self.sounds, camera: &mut self.camera, play: &mut self.play, rumble: &mut self.rumble };
        Some(call(&mut self.cartridge, &image, &mut cues))
    }

    fn show_title_world(&mut self, dt: f32) {
        if self.behind_title {
            let mut cues = Cues {
                sounds: &mut self.sounds,
                camera: &mut self.camera,
                play: &mut self.play,
                rumble: &mut self.rumble,
            };
            let at = self.cartridge.advance_title(dt, &mut cues);
            self.camera.follow(at, Vec2::ZERO, Vec2::ZERO, dt);
        }
    }

    fn show_game(&mut self, dt: f32) {
        let now = browser::now();
        let Some(connection) = &mut self.connection else { return };
        connection.client.view(now);
        self.see_own(dt);
        self.steer();
        let Some(connection) = &mut self.connection else { return };
        connection.client.view(now);
        self.see_own(dt);
        self.stage(dt, |cartridge, image, cues| cartridge.look(image, cues));
        self.take_events();
        let focus = self.stage(dt, |cartridge, image, _| cartridge.focus(image)).flatten();
        self.focus = focus.unwrap_or(Focus::at(self.focus.at));
        self.look_freely(browser::now_ms(), dt);
        let devices = self.devices.borrow();
        let is_mouse = devices.last_used == LastUsed::Mouse && !self.flow.is_spectating();
        let pointer = if is_mouse { devices.pointer } else { Vec2::ZERO };
        drop(devices);
        self.camera.follow(self.focus.at, self.focus.velocity, pointer, dt);
        self.show_play();
    }

    /// Remembers where the own player is drawn.
    fn see_own(&mut self, dt: f32) {
        let at = self.stage(dt, |cartridge, image, _| cartridge.own_at(image)).flatten();
        self.seen_at = at.unwrap_or(self.seen_at);
    }

    /// Shows scores, match and numbers.
    pub(super) fn show_play(&mut self) {
        self.offer_replay();
        let Some(client) = shown_client(&self.replay, &self.connection) else { return };
        let cartridge = &self.cartridge;
        let image = image_of(client, &self.flow, &self.lab, 0.0);
        let meter = Meter { ping_ms: client.stats().rtt_ms, fps: self.fps(), muted: self.speaker.volumes().muted };
        if self.flow.is_spectating() {
            let name = client.following().map_or(say("replay.free"), |player| client.name_of(player).unwrap_or("…"));
            self.screens.show_followed(name);
        }
        let names = |player: PlayerId| client.name_of(player).unwrap_or("…");
        let team_of = |player: PlayerId| cartridge.team_of(player);
        let seconds = browser::now_ms() / 1000.0;
        let mode = client.mode().and_then(|mode| C::Game::MODES.get(usize::from(mode.0)));
        let match_status = client.match_status();
        let viewer = MatchViewer {
            tick: Tick(image.view.own_tick.max(0.0) as u32),
            tick_hz: client.rates().map_or(C::Game::TICK_HZ, |(tick_hz, _)| tick_hz),
            player: client.player(),
            team: image.own_player().or(image.followed()).and_then(team_of),
            mode: mode.map_or("", |mode| mode.name),
            note: match_status.map_or_else(String::new, |status| cartridge.match_note(status, &image)),
            still_s: cartridge.still_clock(&image),
            go: say_or("go", C::GO),
            board: client.board(),
            name_of: &names,
            team_of: &team_of,
        };
        let cue = self.match_status.show(match_status, &viewer);
        self.play.score(own_score::<C>(client));
        self.play.slow(seconds, meter, client.player(), (client.board(), client.players()), (names, team_of));
        if let Some(cue) = cue {
            self.speaker.click(match cue {
                Cue::Count => SoundId::MARK,
                Cue::Begin => SoundId::BEGIN,
                Cue::Won => SoundId::WON,
                Cue::Over => SoundId::CLICK,
            });
        }
    }

    /// Lets the gamepad of a player rumble as this image asked for.
    fn rumble(&mut self) {
        let strength = std::mem::take(&mut self.rumble);
        let plays = self.flow.is_playing() && !self.flow.is_spectating();
        let holds = self.devices.borrow().last_used == LastUsed::Gamepad;
        if strength > 0.0 && plays && holds && !browser::wants_calm() {
            gamepad_shell::rumble(strength);
        }
    }

    fn update_sound(&mut self, dt: f32) {
        self.speaker.prepare();
        let loud = match *self.flow.state() {
            PageState::Playing { .. } => 1.0,
            PageState::Replaying if watched(&self.replay).is_some_and(WatchedReplay::stands_still) => 0.0,
            PageState::Replaying if watched(&self.replay).is_some() => 1.0,
            _ if self.is_frozen() => 0.0,
            _ => BACKDROP_LOUD,
        };
        self.speaker.play(&mut self.sounds, Ear { at: self.camera.at, view: C::Game::VIEW.x, loud }, dt);
    }

    /// The page's state, for tests.
    pub(super) fn report(&self) -> JsValue {
        let client = shown_client(&self.replay, &self.connection);
        let stats = client.map(|client| *client.stats()).unwrap_or_default();
        let roster = client.into_iter().flat_map(Client::roster);
        let away = roster.filter(|(player, _)| client.is_some_and(|client| client.is_away(*player)));
        let away: js_sys::Array = away.map(|(_, name)| JsValue::from(name)).collect();
        let mode = client.and_then(Client::mode).and_then(|mode| C::Game::MODES.get(usize::from(mode.0)));
        let board = client.into_iter().flat_map(|client| {
            client.board().iter().map(|line| {
                let name = client.name_of(line.player).unwrap_or_default();
                Report::new().with("name", name).with("score", line.score)
            })
        });
        let match_report = client.and_then(Client::match_status).map(|status| {
            let teams = status.teams.iter().map(|team| {
                Report::new().with("name", &*team.name).with("score", team.score).with("rounds", team.rounds)
            });
            Report::new()
                .with("phase", PHASES[status.phase as usize])
                .with("round", status.round)
                .with("winner", status.winner)
                .with_all("teams", teams)
        });
        let report = Report::new()
            .with("phase", self.flow.state().name())
            .with("name", self.flow.name().map(|name| JsValue::from(name.as_str())))
            .with("player", client.and_then(|client| client.player()).map(|player| player.0))
            .with("tick", client.map_or(0, |client| client.tick().0))
            .with("ping_ms", stats.rtt_ms)
            .with("age_ms", stats.snapshot_age_ms)
            .with("snapshots", stats.snapshots as f64)
            .with("room", client.and_then(|client| client.room()).map(|(room, ..)| room.0))
            .with("mode", mode.map(|mode| mode.name))
            .with("spectating", self.flow.is_spectating())
            .with("held", self.devices.borrow().held.buttons())
            .with("sockets", self.sockets)
            .with("away", away)
            .with("queue_position", client.and_then(|client| client.queue_position()))
            .with("server_name", client.map(|client| client.name().as_str()))
            .with("connected", self.connection.as_ref().is_some_and(|connection| connection.phase() != Phase::Greeting))
            .with_all(
                "chat",
                self.chat
                    .lines()
                    .map(|(kind, from, text)| Report::new().with("kind", kind).with("from", from).with("text", text)),
            )
            .with("score", client.and_then(own_score::<C>))
            .with_all("board", board)
            .with("match", match_report)
            .with("sprites", self.batch.len() as f64)
            .with("fps", self.fps())
            .with("renderer", self.quality.renderer.name())
            .with("images", self.images)
            .with("link", self.lab.settings.link.name)
            .with("replay", self.report_replay())
            .with("camera", Report::new().with("x", self.camera.at.x).with("y", self.camera.at.y))
            .with("net", self.report_net());
        self.cartridge.report(client, report).into()
    }
}

/// The own score: as the own state has it, or else as it stood about a second ago.
fn own_score<C: Cartridge>(client: &Client<C::Game>) -> Option<i32> {
    let own = client.local_player().and_then(C::score);
    own.or_else(|| client.board().iter().find(|line| Some(line.player) == client.player()).map(|line| line.score))
}
