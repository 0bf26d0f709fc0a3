//! From state to state: play, lost, retry, leave.

use std::rc::Rc;

use broadside_shared::arena::{ArenaInput, Cause};
use broadside_shared::client::{ClientEvent, Phase};
use broadside_shared::game::PlayerId;
use broadside_shared::protocol::close::Retry;
use broadside_shared::protocol::message::Notice;

use super::App;
use super::state::{State, countdown, verdict, waiting};
use crate::backdrop::Backdrop;
use crate::browser;
use crate::hud::feed::Who;
use crate::hud::screens::Face;
use crate::live;
use crate::session::{Ending, Session, TOKEN_KEY};
use crate::synth::Sound;

/// Games in which the controls are shown at first, and for how long.
const HELPED_KEY: &str = "broadside.helped";
const HELPED_GAMES: u32 = 3;
const HELP_MS: f64 = 9_000.0;

impl App {
    /// Shows the title; joins at once if the address says so.
    pub(super) fn open_title(&mut self) {
        self.screens.ready();
        self.screens.sound(self.speaker.volume(), self.speaker.muted());
        self.enter(State::Menu);
        self.open_net();
        // A reload in the middle of a battle goes on with it.
        let reloaded = browser::recall_in_tab(TOKEN_KEY).is_some();
        if reloaded || browser::parameter("autojoin").as_deref() == Some("1") {
            self.press_play();
        }
    }

    /// The button on the title.
    pub(super) fn press_play(&mut self) {
        if !matches!(self.state, State::Menu) {
            return;
        }
        if let Some(name) = self.screens.take_name() {
            self.name = Some(name);
            self.backoff.reset();
            self.interrupted = false;
            self.speaker.click(Sound::Click);
            self.connect();
        }
    }

    /// Leaves the game, or stops trying, and goes back to the title.
    pub(super) fn leave(&mut self) {
        self.speaker.click(Sound::Click);
        browser::remember_in_tab(TOKEN_KEY, None);
        if let Some(session) = &mut self.session {
            session.leave();
        }
        self.enter(State::Menu);
    }

    /// Does not wait for the countdown.
    pub(super) fn try_now(&mut self) {
        match self.state {
            State::Lost { .. } => self.connect(),
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
        if matches!(self.state, State::Lost { .. }) {
            self.connect();
        }
    }

    /// Opens or closes the menu over the game.
    pub(super) fn toggle_pause(&mut self) {
        if matches!(self.state, State::Playing) {
            let open = !self.screens.paused();
            self.screens.pause(open);
            self.devices.borrow_mut().release();
            self.speaker.click(Sound::Click);
        }
    }

    /// Sound on or off.
    pub(super) fn toggle_mute(&mut self) {
        self.speaker.toggle_mute();
        self.screens.sound(self.speaker.volume(), self.speaker.muted());
    }

    /// The slider was moved.
    pub(super) fn change_volume(&mut self) {
        self.speaker.set_volume(self.screens.chosen_volume());
        self.screens.sound(self.speaker.volume(), self.speaker.muted());
        self.speaker.click(Sound::Mark);
    }

    /// The tab went to the background or came back.
    pub(super) fn visibility_changed(&mut self) {
        self.devices.borrow_mut().release();
        self.stale = true;
    }

    /// Something arrived, or time passed in the background.
    pub(super) fn wake(&mut self) {
        self.serve();
        if browser::hidden() && !self.is_asleep() {
            let idle = self.session.as_ref().and_then(|s| s.client.own());
            let idle = ArenaInput { aim: idle.map_or(0, |own| own.heading), buttons: 0 };
            if let Some(session) = &mut self.session {
                session.client.advance(browser::now(), &idle);
                session.flush();
            }
        }
    }

    /// Looks after the connection: what arrived, what is due.
    pub(super) fn serve(&mut self) {
        if let Some(session) = &mut self.session {
            let ending = session.pump();
            session.flush();
            // Seated, and told where: until then the battle behind the title goes on.
            let seated = session.client.phase() == Phase::Playing && session.client.own().is_some();
            let place = session.client.place_in_line();
            if let Some(ending) = ending {
                self.end(ending);
            } else if seated && matches!(self.state, State::Connecting { .. }) {
                self.enter(State::Playing);
            } else if let (State::Connecting { .. }, Some(place)) = (&self.state, place) {
                self.screens.notice("In line", &waiting(place), true, None);
            }
        }
        if let State::Lost { until_ms, why } = &self.state {
            let left = until_ms - browser::now_ms();
            let text = countdown(why, left);
            self.screens.notice("Connection lost", &text, true, Some("Try now"));
            if left <= 0.0 {
                self.connect();
            }
        }
    }

    fn connect(&mut self) {
        let Some(name) = self.name.clone() else { return };
        match Session::open(name, self.former.take(), Rc::clone(&self.wake)) {
            Ok(session) => {
                self.session = Some(session);
                self.graph.forget();
                self.apply_wishes();
                self.enter(State::Connecting { again: self.interrupted });
            }
            Err(reason) => self.enter(State::Refused { why: format!("This page cannot open a connection: {reason}.") }),
        }
    }

    fn end(&mut self, ending: Ending) {
        let was_playing = matches!(self.state, State::Playing);
        self.interrupted |= was_playing;
        let (why, retry) = verdict(ending, was_playing);
        // The same client asks for its seat over the next connection.
        self.former = self.session.take().map(|session| session.client).filter(|_| retry == Retry::ByItself);
        match retry {
            Retry::ByItself => {
                let pause = f64::from(self.backoff.next_pause_ms());
                self.enter(State::Lost { until_ms: browser::now_ms() + pause, why });
            }
            Retry::ByHand => self.enter(State::Refused { why }),
        }
    }

    fn enter(&mut self, state: State) {
        self.screens.pause(false);
        self.screens.no_notice();
        self.devices.borrow_mut().release();
        let touch = self.devices.borrow().touch;
        match &state {
            State::Menu => {
                (self.session, self.former) = (None, None);
                self.interrupted = false;
                self.play.reset();
                self.scene.clear();
                self.screens.face(Face::Menu, touch);
                self.screens.help(false);
                if self.backdrop.is_none() {
                    self.backdrop = Some(Backdrop::new(browser::entropy()));
                }
            }
            State::Connecting { again } => {
                let title = if *again { "Coming back" } else { "Setting sail" };
                self.screens.notice(title, "connecting to the arena", true, None);
            }
            State::Playing => self.begin_play(touch),
            State::Lost { .. } => {}
            State::Refused { why } => {
                self.screens.notice("Cannot play", why, false, Some("Reload"));
            }
        }
        self.state = state;
    }

    fn begin_play(&mut self, touch: bool) {
        self.backoff.reset();
        self.backdrop = None;
        self.play.reset();
        self.scene.clear();
        self.stage.clear();
        self.sunk_by.clear();
        self.screens.face(Face::Play, touch);
        self.screens.focus_game();
        if self.interrupted {
            self.play.toast("back again", "good");
            self.interrupted = false;
        } else {
            let name = self.name.as_ref().map_or("", |name| name.as_str());
            self.play.toast(&format!("good hunting, {name}"), "");
            let helped: u32 = browser::recall(HELPED_KEY).and_then(|n| n.parse().ok()).unwrap_or(0);
            if helped < HELPED_GAMES {
                browser::remember(HELPED_KEY, &(helped + 1).to_string());
                self.help_until_ms = browser::now_ms() + HELP_MS;
                self.screens.help(true);
            }
        }
    }

    /// Takes the client's events: onto the stage, into the feed. Skips the show of them when nobody was looking.
    pub(super) fn take_events(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        let seconds = browser::now_ms() / 1000.0;
        let Some(session) = &mut self.session else { return };
        while let Some(event) = session.client.poll_event() {
            match event {
                ClientEvent::Joined { .. } | ClientEvent::Answered { .. } | ClientEvent::Published { .. } => {}
                ClientEvent::Welcomed(token) => browser::remember_in_tab(TOKEN_KEY, Some(&token.to_text())),
                ClientEvent::Told { from, text } => self.play.toast(&format!("{from}: {text}"), ""),
                ClientEvent::Notice(notice) => {
                    if let Some(text) = heard(&notice) {
                        self.play.toast(&text, "");
                    }
                }
                ClientEvent::Game(event) => {
                    if stale {
                        continue;
                    }
                    live::notice(&event, &mut self.stage);
                    if let broadside_shared::arena::ArenaEvent::Felled { victim, by, cause } = event {
                        let own = session.client.player();
                        let who = |player: PlayerId| Who {
                            name: session.client.name_of(player).unwrap_or("someone").to_owned(),
                            own: Some(player) == own,
                        };
                        let (victim, by) = (who(victim), by.map(who));
                        match &by {
                            Some(by) => self.play.feed.add(seconds, by, deed(cause), Some(&victim)),
                            None => self.play.feed.add(seconds, &victim, fate(cause), None),
                        }
                        if victim.own {
                            self.sunk_by = match &by {
                                Some(by) => format!("by {}", by.name),
                                None => format!("you {}", fate(cause)),
                            };
                        } else if by.is_some_and(|by| by.own) {
                            self.play.toast(&format!("you sank {}", victim.name), "kill");
                            self.speaker.click(Sound::Kill);
                        }
                    }
                }
            }
        }
        if stale {
            self.scene.clear();
        }
    }
}

/// What a notice of the server says, if it is worth a line.
fn heard(notice: &Notice) -> Option<String> {
    match notice {
        Notice::Muted => Some("somebody does not want to hear you".to_owned()),
        Notice::RoomEnds { seconds } => Some(format!("this battle ends in {seconds} s")),
        Notice::FriendJoined { name } => Some(format!("{name} came by your link")),
        Notice::Called { name } => Some(format!("that name was taken: you are {name}")),
        Notice::Following { .. } | Notice::Missed { .. } => None,
    }
}

/// What one ship did to another.
fn deed(cause: Cause) -> &'static str {
    match cause {
        Cause::Rail => "speared",
        Cause::Cannon | Cause::Rock | Cause::Border => "sank",
    }
}

/// What a ship did that sank by itself.
fn fate(cause: Cause) -> &'static str {
    match cause {
        Cause::Cannon | Cause::Rail => "went down under fire",
        Cause::Rock => "hit a rock",
        Cause::Border => "got lost in the void",
    }
}
