//! Buttons, menus and sound: everything the player does besides playing. A button's `data-act` names its action.

use broadside_shared::client::Client;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::game::{Game, ModeSpec};
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::message::Request;
use broadside_shared::protocol::room::RoomChoice;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event};

use super::App;
use super::chat::PendingRequest;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::hud::tab::TabFacts;
use crate::input::controls::Controls;
use crate::sound::SoundId;

impl<C: Cartridge> App<C> {
    /// Runs the action of the clicked button.
    pub(super) fn press(&mut self, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let button = target.and_then(|target| target.closest("[data-act]").ok().flatten());
        let Some(act) = button.and_then(|button| button.get_attribute("data-act")) else { return };
        let (verb, what) = act.split_once(':').unwrap_or((&act, ""));
        let room = || what.parse().map(|id| RoomChoice::Room(RoomId(id)));
        match verb {
            "mode" => {
                if let Some(mode) = ModeSpec::named(C::Game::MODES, what) {
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
                    self.go(RoomRequest::spectate(room));
                }
            }
            "join" => self.join_spectated_room(),
            "follow" => {
                if let Ok(player) = what.parse() {
                    self.follow(PlayerId(player));
                }
            }
            "scores" => self.toggle_scores(),
            "next" => self.follow_another(1),
            "free" => self.free_camera(),
            "previous" => self.follow_another(-1),
            "rooms" => self.request_rooms(),
            "create" => self.create_room(what),
            "enter" => self.enter_by_code(),
            "in" => self.go_by_invite(),
            "not-in" => self.lobby.close_invite(),
            "copy" => self.copy_link(),
            "share" => self.share_link(),
            "last-minute" => self.watch_last_minute(),
            "chat" => self.toggle_chat(),
            "channel" => self.chat.switch_channel(),
            "player" if self.client().is_some_and(|client| client.name().as_str() != what) => {
                self.chat.open_player_menu(what);
            }
            "message" | "report" => {
                let name = self.chat.close_player_menu();
                self.chat.begin_command(if verb == "message" { "w" } else { verb }, &name);
            }
            "mute" => {
                let name = self.chat.close_player_menu();
                self.send_request(Request::Mute { name: name.clone() }, PendingRequest::Mute(name));
            }
            "close-player" => drop(self.chat.close_player_menu()),
            "close-announcement" => self.lobby.announcement(""),
            "effects" => self.change_effects(),
            "score" => self.toggle_score(),
            // The game's, or that of another part of the page.
            _ => self.cartridge.press(verb),
        }
    }

    /// Opens or closes the menu over the game; an open chat is closed first.
    pub(super) fn toggle_pause(&mut self) {
        self.devices.borrow_mut().release();
        if browser::close_dialog(&self.document) {
            return;
        }
        if self.chat.is_open() {
            self.close_chat();
        } else if self.scoreboard.is_pinned() {
            self.toggle_scores();
        } else if self.flow.is_playing() {
            let open = !self.screens.paused();
            self.screens.pause(open);
            if !open {
                self.screens.focus_game();
            }
            self.speaker.click(SoundId::CLICK);
        }
    }

    pub(super) fn change_name(&mut self) {
        let Some(name) = self.screens.typed_name() else { return };
        self.forward(|flow| flow.handle_rename(name));
    }

    pub(super) fn visibility_changed(&mut self) {
        self.devices.borrow_mut().release();
        self.quality.forget();
        self.stale = true;
        let facts = browser::hidden().then(|| self.tab_facts());
        self.tab.handle_visibility(facts);
    }

    fn tab_facts(&self) -> TabFacts {
        let client = self.connection.as_ref().map(|connection| &connection.client);
        // Nobody comes back for what happens to others.
        let playing = client.filter(|_| self.flow.is_playing() && !self.flow.is_spectating());
        TabFacts {
            state: *self.flow.state(),
            match_phase: playing.and_then(Client::match_status).map(|status| (status.phase, status.round)),
            own: playing.and_then(Client::local_player).and_then(C::news),
            messages: self.chat.received(),
        }
    }

    /// Serves the connection outside of drawn images: on arrivals, and in the background.
    pub(super) fn wake(&mut self) {
        self.serve();
        if browser::hidden() && !self.is_asleep() {
            let idle = self.cartridge.input(&Controls { own: self.seen_at, ..Controls::default() });
            if let Some(connection) = &mut self.connection {
                connection.client.advance(browser::now(), &idle);
                connection.flush();
            }
            // No image takes them in the background, and the chat must be complete on return.
            self.take_events();
            let facts = self.tab_facts();
            self.tab.show(facts);
        }
    }

    /// Follows the next player (`step` 1) or the previous one (-1), as a spectator.
    pub(super) fn follow_another(&mut self, step: i32) {
        let Some(client) =
            self.connection.as_ref().map(|connection| &connection.client).filter(|_| self.flow.is_spectating())
        else {
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
        self.send_request(Request::Follow { player: others[next] }, PendingRequest::Follow);
    }

    /// Joins the room that is being spectated.
    fn join_spectated_room(&mut self) {
        let room = self.connection.as_ref().and_then(|connection| connection.client.room());
        match (self.flow.room().map(|request| request.room), room) {
            (Some(RoomChoice::Code(code)), _) => self.go(RoomRequest::play(RoomChoice::Code(code))),
            (_, Some((room, ..))) => self.go(RoomRequest::play(RoomChoice::Room(room))),
            (_, None) => {}
        }
    }
}
