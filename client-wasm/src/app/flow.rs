//! From state to state: into a room and out of it, and back to the title.

use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::client::{Client, ClientConfig, Detail, Phase};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::Token;

use super::state::{Pause, Remedy, State, countdown, offer, queue_text, unreached, verdict};
use super::{App, wiring};
use crate::backdrop::Backdrop;
use crate::browser;
use crate::connection::{ConnectionEnd, ServerConnection, TOKEN_KEY};
use crate::fetch;
use crate::hud::screens::Face;
use crate::synth::Sound;

/// Where the room one is in is kept: in the tab, like the token.
const ROOM_KEY: &str = "broadside.room";
/// Games in which the controls are shown at first, and for how long.
const HELPED_KEY: &str = "broadside.helped";
const HELPED_GAMES: u32 = 3;
const HELP_MS: f64 = 9_000.0;
/// Sockets in a row that did not open, after which the server is asked over HTTP whether it is there at all.
const UNREACHED: u32 = 2;
/// What to call who has not yet said.
const GUEST: &str = "guest";

impl App {
    /// Shows the title; goes on into a room if the tab was in one, if the address names one, or if it says so.
    pub(super) fn open_title(&mut self) {
        self.screens.ready();
        self.name = self.screens.remembered_name();
        self.screens.sound(self.speaker.volume(), self.speaker.muted());
        self.enter(State::Menu);
        self.open_net();
        self.show_effects();
        let path = browser::path();
        let private = RoomRequest::from_path(&path);
        if private.is_none() && path.starts_with("r/") {
            self.lobby.show_code_error(
                "That link has no room code. A room link ends in six letters and digits, such as K7QF2M.",
            );
            browser::set_path("");
        }
        let public = browser::parameter(browser::ROOM).and_then(|id| RoomRequest::from_text(&format!("room:{id}")));
        let linked = private.or(public);
        // A reload in the middle of a battle goes on with it, unless the address names another.
        let kept = browser::recall_in_tab(ROOM_KEY).and_then(|text| RoomRequest::from_text(&text));
        let kept = kept.filter(|kept| linked.is_none_or(|linked| linked.room == kept.room));
        let auto = browser::parameter("autojoin").as_deref() == Some("1");
        self.asked = kept.or(linked).or(auto.then_some(RoomRequest::play(RoomChoice::Quick)));
        if linked.is_some() {
            self.lobby.set_play_label("Join");
            let invited =
                if private.is_some() { "You are invite to a private battle." } else { "You are invite to a battle." };
            self.screens.note(invited, false);
            if kept.is_none() {
                // The tab may have a seat elsewhere: it is given back first, and then left for this room.
                self.previous_client = Some(self.new_client());
            }
        }
        match self.asked {
            Some(room_request) if self.name.is_some() => self.go(room_request),
            Some(_) | None => self.connect(),
        }
    }

    /// The button beside the name.
    pub(super) fn press_play(&mut self) {
        self.go(self.asked.unwrap_or(RoomRequest::play(RoomChoice::Quick)));
    }

    /// Goes into a room, from wherever we are, over the connection there is.
    pub(super) fn go(&mut self, room_request: RoomRequest) {
        let Some(name) = self.screens.take_name() else {
            // As soon as there is a name.
            self.asked = Some(room_request);
            return;
        };
        self.lobby.close_invite();
        self.lobby.set_play_label("Play");
        (self.asked, self.room_request) = (None, Some(room_request));
        browser::remember_in_tab(ROOM_KEY, Some(&room_request.to_text()));
        if self
            .connection
            .as_ref()
            .map_or(self.previous_client.is_some(), |connection| connection.phase() == Phase::Greeting)
        {
            // The seat that this stands for is not wanted any more, also by who reloads before the server knows. Its welcome brings it again.
            browser::remember_in_tab(TOKEN_KEY, None);
        }
        browser::set_path(&room_request.path());
        // A name that the server has put a number behind is not asked for again.
        let renamed = self.name.as_ref() != Some(&name);
        self.name = Some(name.clone());
        self.interrupted = false;
        self.speaker.click(Sound::Click);
        self.enter(State::Connecting { again: false });
        let now = browser::now();
        if let Some(client) =
            self.connection.as_mut().map(|connection| &mut connection.client).or(self.previous_client.as_mut())
        {
            if renamed {
                client.rename(now, name);
            }
            client.switch(now, room_request.room, room_request.role);
        }
        match &mut self.connection {
            Some(connection) => connection.flush(),
            None => self.connect(),
        }
    }

    /// Leaves the room, the line, or the wait for a connection, and goes back to the title. The socket stays.
    pub(super) fn leave(&mut self) {
        self.speaker.click(Sound::Click);
        if matches!(self.state, State::Refused { .. }) {
            // Another tab has the seat, or the server does not want us: from here on we are somebody new.
            self.previous_client = None;
            browser::remember_in_tab(TOKEN_KEY, None);
        }
        self.return_to_title();
        if let Some(client) =
            self.connection.as_mut().map(|connection| &mut connection.client).or(self.previous_client.as_mut())
        {
            client.exit(browser::now());
        }
        match &mut self.connection {
            Some(connection) => connection.flush(),
            None => self.connect(),
        }
    }

    fn return_to_title(&mut self) {
        (self.room_request, self.asked) = (None, None);
        browser::remember_in_tab(ROOM_KEY, None);
        browser::set_path("");
        self.enter(State::Menu);
    }

    /// The first button of a notice: does not wait for the countdown, or does what helps.
    pub(super) fn try_now(&mut self) {
        match self.state {
            State::Lost => self.connect(),
            State::Refused { remedy: Remedy::PlayHere, .. } => {
                self.enter(State::Connecting { again: true });
                self.connect();
            }
            State::Refused { .. } => {
                if let Some(window) = browser::window() {
                    let _ = window.location().reload();
                }
            }
            State::Menu | State::Connecting { .. } | State::Playing => {}
        }
    }

    /// The machine found a network again: no need to sit the pause out.
    pub(super) fn network_is_back(&mut self) {
        if self.pause.is_some() {
            self.connect();
        }
    }

    /// Looks after the connection: what arrived, what is due.
    pub(super) fn serve(&mut self) {
        if let Some(connection) = &mut self.connection {
            let end = connection.pump();
            if !matches!(self.state, State::Playing) {
                connection.client.advance(browser::now(), &Default::default());
            }
            connection.flush();
            let phase = connection.phase();
            // Seated, and told where: until then the battle behind the title goes on.
            let watches = connection.client.room().is_some_and(|(_, _, role)| role == Role::Spectate);
            let seated = phase == Phase::Playing && (watches || connection.client.local_player().is_some());
            let place = connection.client.queue_position().filter(|_| phase == Phase::Joining);
            if matches!(phase, Phase::Playing | Phase::Lobby) || place.is_some() {
                // Not yet with the welcome: one that is sent away again after it comes back ever more seldom.
                self.backoff.reset();
            }
            if phase == Phase::Playing && matches!(self.state, State::Menu) {
                // A seat that was given back to somebody who meanwhile went to the title.
                connection.client.exit(browser::now());
            }
            if let Some(end) = end {
                self.end(end);
            } else if phase == Phase::Lobby && matches!(self.state, State::Connecting { .. } | State::Playing) {
                // The server put us out: the room is over.
                self.return_to_title();
                self.screens.note("That battle has ended. Choose another one.", false);
            } else if phase == Phase::Joining && matches!(self.state, State::Playing) {
                // That seat was of an earlier room_request.
                self.enter(State::Connecting { again: false });
            } else if seated && (matches!(self.state, State::Connecting { .. }) || self.shows_otherwise(watches)) {
                self.enter(State::Playing);
            } else if let (State::Connecting { .. }, Some(place)) = (&self.state, place) {
                self.screens.notice("Join queue", &queue_text(place), true, (None, "Leave the queue"));
            }
        }
        if !matches!(self.state, State::Playing) {
            self.take_events();
        }
        self.serve_pause();
    }

    /// Whether the game is shown as to a player and we watch, or the other way round.
    fn shows_otherwise(&self, watches: bool) -> bool {
        matches!(self.state, State::Playing) && self.spectating != watches
    }

    /// The countdown, in a room over the picture, and at the title in a line of its own.
    fn serve_pause(&mut self) {
        let menu = matches!(self.state, State::Menu);
        if let Some(pause) = &self.pause {
            let left_ms = pause.until_ms - browser::now_ms();
            let text = countdown(&pause.why, left_ms);
            if menu {
                self.lobby.connection_status(&text, "bad");
            } else {
                self.screens.notice("Connection lost", &text, true, (Some("Try now"), "Back to title"));
            }
            if left_ms <= 0.0 {
                self.connect();
            }
        } else if menu {
            let connected = self.connection.as_ref().is_some_and(|connection| connection.phase() != Phase::Greeting);
            self.lobby.connection_status(
                if connected { "connected" } else { "connecting" },
                if connected { "good" } else { "" },
            );
        }
    }

    fn connect(&mut self) {
        self.pause = None;
        let client = self.previous_client.take().unwrap_or_else(|| {
            // Another client counts its requests from 1.
            self.pending_requests.clear();
            self.new_client()
        });
        match ServerConnection::open(client, std::rc::Rc::clone(&self.wake)) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.sockets += 1;
                self.graph.forget();
                self.apply_lab_settings();
                if matches!(self.state, State::Lost) {
                    self.enter(State::Connecting { again: self.interrupted });
                }
            }
            Err(reason) => {
                let why = format!("This page cannot open a connection: {reason}.");
                self.enter(State::Refused { why, remedy: Remedy::Reload });
            }
        }
    }

    fn new_client(&self) -> Client<broadside_shared::arena::Arena> {
        let name = self.name.clone().unwrap_or_else(|| Name::new(GUEST).expect("a fine name"));
        let agent = concat!("browser ", env!("CARGO_PKG_VERSION")).to_owned();
        let (room, role) =
            self.room_request.map_or((None, Role::Play), |room_request| (Some(room_request.room), room_request.role));
        let mut client = Client::new(ClientConfig { name, agent, room, role, detail: Detail::View });
        // One that outlived a reload.
        if let Some(token) = browser::recall_in_tab(TOKEN_KEY).and_then(|text| Token::from_text(&text)) {
            client.set_token(token);
        }
        client
    }

    fn end(&mut self, end: ConnectionEnd) {
        let was_playing = matches!(self.state, State::Playing);
        self.interrupted |= was_playing;
        let connection = self.connection.take();
        let (reason, opened) =
            connection.as_ref().map_or(("", false), |connection| (&connection.reason, connection.was_open()));
        let (why, remedy) = verdict(end, reason, was_playing);
        // The same client asks for its seat over the next connection.
        self.previous_client = connection.map(|connection| connection.client);
        match remedy {
            Remedy::Wait => {
                self.wait(why);
                if !opened && self.backoff.attempts() >= UNREACHED {
                    self.ask_for_health();
                }
            }
            Remedy::Lobby => {
                self.previous_client = None;
                self.return_to_title();
                self.screens.note(&why, true);
                self.wait(String::new());
            }
            Remedy::PlayHere | Remedy::Reload => self.enter(State::Refused { why, remedy }),
        }
    }

    /// No socket opens: asks the server over HTTP how it is, and tells while waiting what that means.
    fn ask_for_health(&mut self) {
        let Some(app) = self.shared.upgrade() else { return };
        let Some(asked_in) = self.pause.as_ref().map(|pause| pause.until_ms) else { return };
        fetch::ask("healthz", None, move |health| {
            wiring::with(&app, |app| {
                let health = health.as_ref().map(|_| ()).map_err(String::as_str);
                // A later pause has a reason of its own.
                let pause = app.pause.as_mut().filter(|pause| pause.until_ms == asked_in);
                if let (Some(pause), Some(why)) = (pause, unreached(health)) {
                    pause.why = why;
                }
            });
        });
    }

    fn wait(&mut self, why: String) {
        let until_ms = browser::now_ms() + f64::from(self.backoff.next_pause_ms());
        self.pause = Some(Pause { until_ms, why });
        if !matches!(self.state, State::Menu) {
            self.enter(State::Lost);
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.screens.pause(false);
        self.screens.no_notice();
        self.devices.borrow_mut().release();
        self.spectating = false;
        match &state {
            State::Menu => {
                self.interrupted = false;
                self.play.reset();
                self.chat.set_in_room(false);
                self.lobby.pause_invite(None);
                self.rooms_at_ms = 0.0;
                self.clear_scene();
                self.stage.clear();
                self.stage.forget_teams();
                self.match_status.hide();
                self.backdrop = Some(Backdrop::new(browser::entropy()));
                self.screens.face(Face::Menu, self.devices.borrow().touch);
                self.screens.help(false);
            }
            State::Connecting { again } => {
                self.chat.set_in_room(false);
                let title = if *again { "Reconnecting" } else { "Setting sail" };
                self.screens.notice(title, "looking for a seat", true, (None, "Back to title"));
            }
            State::Playing => self.begin_play(),
            State::Lost => {}
            State::Refused { why, remedy } => {
                let (title, button) = offer(*remedy);
                self.screens.notice(title, why, false, (Some(button), "Back to title"));
            }
        }
        self.state = state;
    }

    fn begin_play(&mut self) {
        let touch = self.devices.borrow().touch;
        self.backdrop = None;
        self.play.reset();
        self.clear_scene();
        self.stage.clear();
        self.stage.forget_teams();
        self.match_status.hide();
        self.sunk_by.clear();
        self.spectating = self.client().and_then(Client::room).is_some_and(|(_, _, role)| role == Role::Spectate);
        self.screens.face(if self.spectating { Face::Spectate } else { Face::Play }, touch);
        self.screens.focus_game();
        self.show_own_link();
        if self.interrupted {
            self.play.toast("back again", "good");
            self.interrupted = false;
        } else if !self.spectating {
            let name = self.client().map(|client| client.name().to_string()).unwrap_or_default();
            self.play.toast(&format!("good hunting, {name}"), "");
            let helped: u32 = browser::recall(HELPED_KEY).and_then(|n| n.parse().ok()).unwrap_or(0);
            if helped < HELPED_GAMES {
                browser::remember(HELPED_KEY, &(helped + 1).to_string());
                self.help_until_ms = browser::now_ms() + HELP_MS;
                self.screens.help(true);
            }
        }
    }
}
