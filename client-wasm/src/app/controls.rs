//! What the player does to the page besides flying: menus, sound, and what buttons with a `data-act` ask for.

use broadside_shared::arena::ArenaInput;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::game::PlayerId;
use broadside_shared::protocol::message::{Request, RoomId};
use broadside_shared::protocol::room::RoomChoice;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event};

use super::App;
use super::state::State;
use super::talk::Asked;
use crate::browser;
use crate::synth::Sound;

impl App {
    /// A button was pressed that says what it is for.
    pub(super) fn press(&mut self, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let button = target.and_then(|target| target.closest("[data-act]").ok().flatten());
        let Some(act) = button.and_then(|button| button.get_attribute("data-act")) else { return };
        let (verb, what) = act.split_once(':').unwrap_or((&act, ""));
        let room = || what.parse().map(|id| RoomChoice::Room(RoomId(id)));
        match verb {
            "mode" => {
                if let Ok(mode) = what.parse() {
                    self.go(RoomRequest::play(RoomChoice::Mode(mode)));
                }
            }
            "room" => {
                if let Ok(room) = room() {
                    self.go(RoomRequest::play(room));
                }
            }
            "watch" => {
                if let Ok(room) = room() {
                    self.go(RoomRequest::watch(room));
                }
            }
            "join" => self.join_what_is_watched(),
            "next" => self.follow_another(1),
            "previous" => self.follow_another(-1),
            "rooms" => self.look_for_rooms(),
            "create" => self.create_room(what),
            "enter" => self.enter_by_code(),
            "in" => self.go_by_invite(),
            "not-in" => self.lobby.close_invite(),
            "copy" => self.copy_link(),
            "chat" => self.toggle_chat(),
            "channel" => self.chat.switch_channel(),
            "who" if self.client().is_some_and(|client| client.name().as_str() != what) => self.chat.ask_about(what),
            "tell" | "report" => {
                let name = self.chat.take_chosen();
                self.chat.begin(if verb == "tell" { "w" } else { verb }, &name);
            }
            "mute" => {
                let name = self.chat.take_chosen();
                self.ask(Request::Mute { name: name.clone() }, Asked::Mute(name));
            }
            "nothing" => drop(self.chat.take_chosen()),
            "word" => self.lobby.word(""),
            "effects" => self.change_effects(),
            // A button of another part of the page.
            _ => {}
        }
    }

    /// Opens or closes the menu over the game; what is open over that goes first.
    pub(super) fn toggle_pause(&mut self) {
        self.devices.borrow_mut().release();
        if self.chat.is_open() {
            self.close_chat();
        } else if matches!(self.state, State::Playing) {
            let open = !self.screens.paused();
            self.screens.pause(open);
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

    /// Another name stands in the field.
    pub(super) fn change_name(&mut self) {
        let Some(name) = self.screens.typed_name() else { return };
        self.name = Some(name.clone());
        if let Some(session) = &mut self.session {
            session.client.rename(browser::now(), name);
            session.flush();
        }
    }

    /// The tab went to the background or came back.
    pub(super) fn visibility_changed(&mut self) {
        self.devices.borrow_mut().release();
        self.quality.forget();
        self.stale = true;
    }

    /// Something arrived, or time passed in the background.
    pub(super) fn wake(&mut self) {
        self.serve();
        if browser::hidden() && !self.is_asleep() {
            let idle = self.session.as_ref().and_then(|s| s.client.local_player());
            let idle = ArenaInput { aim: idle.map_or(0, |own| own.heading), buttons: 0 };
            if let Some(session) = &mut self.session {
                session.client.advance(browser::now(), &idle);
                session.flush();
            }
            // No image comes that would: who looks again later wants to read what was said.
            self.take_events();
        }
    }

    /// Who watches looks at the next player, or the one before.
    pub(super) fn follow_another(&mut self, step: i32) {
        let Some(client) = self.session.as_ref().map(|session| &session.client).filter(|_| self.watching) else {
            return;
        };
        let own = client.player();
        let others: Vec<PlayerId> = client.roster().map(|(player, _)| player).filter(|p| Some(*p) != own).collect();
        if others.is_empty() {
            return;
        }
        let at = client.following().and_then(|player| others.iter().position(|other| *other == player));
        let next = match at {
            Some(at) => (at as i32 + step).rem_euclid(others.len() as i32) as usize,
            None => 0,
        };
        self.ask(Request::Follow { player: others[next] }, Asked::Follow);
    }

    /// Who watches wants to play there.
    fn join_what_is_watched(&mut self) {
        let room = self.session.as_ref().and_then(|session| session.client.room());
        match (self.room_request.map(|room_request| room_request.room), room) {
            (Some(RoomChoice::Code(code)), _) => self.go(RoomRequest::play(RoomChoice::Code(code))),
            (_, Some((room, ..))) => self.go(RoomRequest::play(RoomChoice::Room(room))),
            (_, None) => {}
        }
    }
}
