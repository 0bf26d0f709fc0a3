//! A recorded match: loads it, lets it play, and does what the bar and the keys ask for.

use std::sync::Arc;

use broadside_shared::client::{Client, ClientEvent};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::playback::{Playback, PlaybackEnd, SPEEDS};
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::recording::replay::RecordingError;
use broadside_shared::trial::rules_hash;
use glam::Vec2;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, KeyboardEvent};

use super::free_camera::PAN;
use super::{App, wiring};
use crate::browser;
use crate::cartridge::{Cartridge, Focus, Place};
use crate::connection::ServerConnection;
use crate::fetch;
use crate::flow::LAST_MINUTE;
use crate::hud::match_status::clock;
use crate::hud::replay_bar::BarState;
use crate::probe::Report;
use crate::words::{say, say_with};

/// Whether this program can show recorded matches. That of the game's page cannot: what reads and steps a recording would make it a
/// quarter larger, and a constant leaves it out.
const CAN_REPLAY: bool = cfg!(feature = "replay");
/// What an arrow key moves the moment by, in seconds.
const SKIP_S: f64 = 5.0;
/// Longest that one image steps the replay, in milliseconds: on a slow machine the match plays more slowly.
const STEPPING_MS: f64 = 12.0;
/// The same during a seek: the picture stands still anyway.
const SEEKING_MS: f64 = 40.0;
/// Shortest time between two changes of the address, in milliseconds; browsers refuse more.
const ADDRESS_MS: f64 = 500.0;

/// The match that is watched.
pub(super) struct WatchedReplay<G: Game> {
    pub(super) playback: Playback<G>,
    /// Where the camera is while it follows nobody.
    free_at: Vec2,
    /// When the seek under way began, and how long the last one took, in milliseconds.
    seek_began_ms: Option<f64>,
    seek_ms: f64,
    /// Whether the address is to name another moment, and when it was changed last.
    is_address_due: bool,
    address_at_ms: f64,
}

impl<G: Game> WatchedReplay<G> {
    fn seek(&mut self, to_s: f64) {
        self.seek_began_ms = Some(browser::now_ms());
        self.playback.seek(to_s);
        self.is_address_due = true;
    }

    fn follow(&mut self, player: Option<PlayerId>, from: Vec2) {
        if player.is_none() && self.playback.client().following().is_some() {
            self.free_at = from;
        }
        self.playback.follow(player);
    }

    /// The length of an image in the match, in seconds.
    pub(super) fn dt(&self, dt: f32) -> f32 {
        if self.stands_still() { 0.0 } else { dt * self.playback.speed() as f32 }
    }

    pub(super) fn stands_still(&self) -> bool {
        let playback = &self.playback;
        playback.is_paused() || playback.has_ended() || playback.is_seeking()
    }
}

/// The match that is watched. Every use goes through here or [`watched_mut`].
#[inline(always)]
pub(super) fn watched<G: Game>(replay: &Option<WatchedReplay<G>>) -> Option<&WatchedReplay<G>> {
    if CAN_REPLAY { replay.as_ref() } else { None }
}

/// See [`watched`].
#[inline(always)]
fn watched_mut<G: Game>(replay: &mut Option<WatchedReplay<G>>) -> Option<&mut WatchedReplay<G>> {
    if CAN_REPLAY { replay.as_mut() } else { None }
}

/// The client whose world is shown: that of the replay, or of the connection.
pub(super) fn shown_client<'a, G: Game>(
    replay: &'a Option<WatchedReplay<G>>,
    connection: &'a Option<ServerConnection<G>>,
) -> Option<&'a Client<G>> {
    let replayed = watched(replay).map(|replay| replay.playback.client());
    replayed.or(connection.as_ref().map(|connection| &connection.client))
}

impl<C: Cartridge> App<C> {
    /// Loads a recording, and shows it; or that of the last minute of the room that the address names.
    pub(super) fn open_replay(&self, id: &str) {
        let Some(app) = self.shared.upgrade() else { return };
        if id == LAST_MINUTE {
            let room = browser::parameter(browser::ROOM).unwrap_or_default();
            let room = String::from(js_sys::encode_uri_component(&room));
            return fetch::ask(&format!("api/rooms/{room}/last-minute"), Some("{}"), move |answer| {
                wiring::with(&app, |app| match answer {
                    Ok(answer) => {
                        let id = fetch::text(&answer, "recording");
                        browser::set_path(&format!("replay/{id}"));
                        app.open_replay(&id);
                    }
                    Err(why) => app.take_recording(Err(why)),
                });
            });
        }
        fetch::bytes(&format!("api/recordings/{id}"), move |bytes| {
            wiring::with(&app, |app| app.take_recording(bytes));
        });
    }

    fn take_recording(&mut self, bytes: Result<Vec<u8>, String>) {
        if !CAN_REPLAY || !self.flow.is_replaying() {
            return;
        }
        let opened = bytes.and_then(|bytes| {
            Playback::<C::Game>::new(Arc::from(bytes), rules_hash::<C::Game>()).map_err(|wrong| refusal(&wrong))
        });
        let playback = match opened {
            Ok(playback) => playback,
            Err(why) => return self.forward(|flow| flow.handle_no_replay(why)),
        };
        self.screens.no_notice();
        self.enter_place(Place::Room);
        let mut replay = WatchedReplay {
            playback,
            free_at: Vec2::ZERO,
            seek_began_ms: None,
            seek_ms: 0.0,
            is_address_due: false,
            address_at_ms: 0.0,
        };
        // Rust's own reading of fractions brings tables that are larger than this module.
        let moment = browser::parameter(browser::MOMENT).map(|text| js_sys::parse_float(&text));
        if let Some(at_s) = moment.filter(|at_s| at_s.is_finite()) {
            replay.seek(at_s);
            replay.playback.pause();
        }
        let follow = browser::parameter(browser::FOLLOW).and_then(|player| player.parse().ok());
        if let Some(player) = follow.map(PlayerId) {
            replay.follow(Some(player), Vec2::ZERO);
        }
        self.replay = Some(replay);
        self.replay_bar.open(&SPEEDS, C::FRAMING.whole);
    }

    /// Leaves the match that is watched, if there is one.
    pub(super) fn close_replay(&mut self) {
        self.replay = None;
        self.replay_bar.hide();
    }

    /// Shows the match for an image of `elapsed` seconds.
    pub(super) fn show_replay(&mut self, now_ms: f64, elapsed: f32) {
        let Some(replay) = watched_mut(&mut self.replay) else { return };
        let was_over = replay.playback.has_ended();
        replay.playback.handle_time(browser::now());
        let limit_ms = if replay.playback.is_seeking() { SEEKING_MS } else { STEPPING_MS };
        while replay.playback.is_behind() && browser::now_ms() - now_ms < limit_ms {
            replay.playback.step();
        }
        if !replay.playback.is_seeking()
            && let Some(began_ms) = replay.seek_began_ms.take()
        {
            replay.seek_ms = browser::now_ms() - began_ms;
        }
        replay.playback.view();
        let (dt, is_over) = (replay.dt(elapsed), replay.playback.has_ended());
        if is_over && !was_over {
            let end = replay.playback.end();
            self.replay_bar.say(end_text(end));
            if end.is_some_and(|end| end != PlaybackEnd::Ended) {
                self.play.toast(end_text(end), "");
            }
        }
        self.stage(dt, |cartridge, image, cues| cartridge.look(image, cues));
        while let Some(event) =
            watched_mut(&mut self.replay).and_then(|replay| replay.playback.client_mut().poll_event())
        {
            if let ClientEvent::Game(event) = event {
                self.take_game_event(&event);
            }
        }
        self.look_at_replay(elapsed);
        self.show_play();
        self.show_replay_bar(now_ms);
    }

    /// Moves the camera: to whom it follows, or where keys and pointers take it.
    fn look_at_replay(&mut self, elapsed: f32) {
        let followed = self.stage(0.0, |cartridge, image, _| cartridge.focus(image)).flatten();
        let pan = self.pan();
        let Some(replay) = watched_mut(&mut self.replay) else { return };
        if pan != Vec2::ZERO && !C::FRAMING.whole {
            replay.follow(None, self.camera.at);
            replay.free_at += pan * C::Game::VIEW.x * PAN * elapsed;
        }
        let client = replay.playback.client();
        let is_free = client.following().is_none() && !C::FRAMING.whole;
        if client.extent() > 0 {
            replay.free_at = replay.free_at.clamp_length_max(client.extent().into());
        }
        self.focus = match followed {
            _ if is_free => Focus::at(replay.free_at),
            Some(focus) => focus,
            None => Focus::at(self.focus.at),
        };
        self.camera.follow(self.focus.at, self.focus.velocity, Vec2::ZERO, elapsed);
    }

    fn show_replay_bar(&mut self, now_ms: f64) {
        let Some(replay) = watched_mut(&mut self.replay) else { return };
        let playback = &replay.playback;
        let client = playback.client();
        let state = BarState {
            at_s: playback.at_s(),
            length_s: playback.length_s(),
            is_paused: playback.is_paused(),
            has_ended: playback.has_ended(),
            speed: playback.speed_place(),
            followed: client.following().map(|player| player.0),
            nobody: if C::FRAMING.whole { say("replay.nobody") } else { say("replay.free") },
        };
        if !playback.is_seeking() {
            self.replay_bar.show(state, client.roster().map(|(player, name)| (player.0, name)));
        }
        if replay.is_address_due && now_ms - replay.address_at_ms > ADDRESS_MS {
            (replay.is_address_due, replay.address_at_ms) = (false, now_ms);
            let moment = replay.playback.is_paused().then(|| format!("{:.1}", replay.playback.at_s()));
            browser::set_parameter(browser::MOMENT, moment.as_deref());
        }
    }

    /// The button to play and pause.
    pub(super) fn toggle_replay(&mut self) {
        let Some(replay) = watched_mut(&mut self.replay) else { return };
        let playback = &mut replay.playback;
        if playback.has_ended() {
            replay.seek_began_ms = Some(browser::now_ms());
            playback.play();
            self.cartridge.skip();
            self.replay_bar.say(say("replay.from-start"));
        } else if playback.is_paused() {
            playback.play();
            self.replay_bar.say(say("replay.playing"));
        } else {
            playback.pause();
            let at = clock(playback.at_s() as u32);
            self.replay_bar.say(&say_with("replay.paused-at", &[("at", &at)]));
        }
        replay.is_address_due = true;
    }

    /// The slider was moved.
    pub(super) fn seek_replay(&mut self) {
        self.seek_replay_to(self.replay_bar.wanted_at_s());
    }

    fn seek_replay_to(&mut self, to_s: f64) {
        if let Some(replay) = watched_mut(&mut self.replay) {
            replay.seek(to_s);
            self.play.reset();
            self.match_status.hide();
            self.cartridge.skip();
        }
    }

    /// Another speed was chosen.
    pub(super) fn change_replay_speed(&mut self) {
        self.set_replay_speed(self.replay_bar.wanted_speed());
    }

    fn set_replay_speed(&mut self, place: usize) {
        if let Some(replay) = watched_mut(&mut self.replay) {
            replay.playback.set_speed(place);
            self.replay_bar.say(&say_with("replay.times", &[("speed", &replay.playback.speed().to_string())]));
        }
    }

    /// Another player was chosen.
    pub(super) fn change_replay_follow(&mut self) {
        self.follow_in_replay(self.replay_bar.wanted_player().map(PlayerId));
    }

    pub(super) fn follow_in_replay(&mut self, player: Option<PlayerId>) {
        if let Some(replay) = watched_mut(&mut self.replay) {
            replay.follow(player, self.camera.at);
            let name = player.and_then(|player| replay.playback.client().name_of(player));
            let text = name.map_or_else(
                || say("replay.following-nobody").to_owned(),
                |name| say_with("replay.following", &[("name", name)]),
            );
            self.replay_bar.say(&text);
        }
    }

    /// A key was pressed somewhere on the page.
    pub(super) fn press_replay_key(&mut self, event: &KeyboardEvent) {
        let Some(replay) = watched(&self.replay) else { return };
        let tag = event.target().and_then(|target| target.dyn_into::<Element>().ok()).map(|target| target.tag_name());
        let tag = tag.as_deref().unwrap_or_default();
        // In a list, keys choose.
        if event.ctrl_key() || event.alt_key() || event.meta_key() || tag == "SELECT" {
            return;
        }
        let (at_s, length_s, speed) =
            (replay.playback.at_s(), replay.playback.length_s(), replay.playback.speed_place());
        match event.code().as_str() {
            "Space" if matches!(tag, "BUTTON" | "A") => return,
            "Space" | "KeyK" if event.repeat() => {}
            "Space" | "KeyK" => self.toggle_replay(),
            "ArrowLeft" => self.seek_replay_to(at_s - SKIP_S),
            "ArrowRight" => self.seek_replay_to(at_s + SKIP_S),
            "Home" => self.seek_replay_to(0.0),
            "End" => self.seek_replay_to(length_s),
            "Comma" => self.set_replay_speed(speed.saturating_sub(1)),
            "Period" => self.set_replay_speed(speed + 1),
            _ => return,
        }
        event.prevent_default();
    }

    /// The picture was dragged by this much, in world units.
    pub(super) fn push_replay(&mut self, by: Vec2) {
        if let Some(replay) = watched_mut(&mut self.replay) {
            replay.follow(None, self.camera.at);
            replay.free_at += by;
        }
    }

    /// Asks for the recording of the match whose results are shown, once, and shows a link to it.
    pub(super) fn offer_replay(&mut self) {
        let client = shown_client(&self.replay, &self.connection);
        let phase = client.and_then(Client::match_status).map(|status| status.phase);
        let is_over = phase == Some(MatchPhase::Results) && watched(&self.replay).is_none();
        if is_over == self.asked_recording {
            return;
        }
        self.asked_recording = is_over;
        self.match_status.offer_replay(None);
        let Some((number, ..)) = client.and_then(Client::room).filter(|_| is_over) else { return };
        let room = match self.flow.room().map(|request| request.room) {
            Some(RoomChoice::Code(Some(code))) => code.to_string(),
            _ => number.to_string(),
        };
        let Some(app) = self.shared.upgrade() else { return };
        fetch::ask(&format!("api/rooms/{room}"), None, move |answer| {
            let id = answer.map(|room| fetch::text(&room, "last_recording")).unwrap_or_default();
            wiring::with(&app, |app| {
                if app.asked_recording && !id.is_empty() {
                    app.match_status.offer_replay(Some(&browser::address(&format!("replay/{id}"))));
                }
            });
        });
    }

    /// The state of the replay, for tests.
    pub(super) fn report_replay(&self) -> JsValue {
        let Some(replay) = watched(&self.replay) else { return JsValue::NULL };
        let playback = &replay.playback;
        let client = playback.client();
        let (tick, hash) = playback.world();
        let followed = client.following().and_then(|player| client.name_of(player));
        Report::new()
            .with("at_s", playback.at_s())
            .with("length_s", playback.length_s())
            .with("tick", tick.0)
            .with("hash", format!("{hash:016x}"))
            .with("paused", playback.is_paused())
            .with("ended", playback.has_ended())
            .with("diverged", matches!(playback.end(), Some(PlaybackEnd::Diverged(_))))
            .with("seeking", playback.is_seeking())
            .with("seek_ms", replay.seek_ms)
            .with("speed", playback.speed())
            .with("followed", followed)
            .with("entities", client.last_view().entities.len() as f64)
            .into()
    }
}

fn end_text(end: Option<PlaybackEnd>) -> &'static str {
    match end {
        None | Some(PlaybackEnd::Ended) => say("replay.ended"),
        Some(PlaybackEnd::Diverged(_)) => say("replay.diverged"),
        Some(PlaybackEnd::Unreadable(_)) => say("replay.unreadable"),
    }
}

/// Why a recording is not shown, in a sentence.
fn refusal(wrong: &RecordingError) -> String {
    match wrong {
        RecordingError::OtherRules { .. } | RecordingError::OtherFormat(_) => say("replay.other-version"),
        RecordingError::OtherGame(..) => say("replay.other-game"),
        RecordingError::NotARecording | RecordingError::Damaged(_) | RecordingError::TooLarge => say("replay.damaged"),
    }
    .to_owned()
}
