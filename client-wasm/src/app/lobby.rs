//! The lobby's requests over HTTP: the list of rooms, private rooms and their links.

use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::protocol::room::RoomChoice;
use wasm_bindgen::{JsCast, JsValue};

use super::{App, wiring};
use crate::browser;
use crate::cartridge::Cartridge;
use crate::fetch::{self, Answer, text};
use crate::flow::LAST_MINUTE;
use crate::hud::lobby::RoomSummary;
use crate::probe::Report;
use crate::words::say;

/// Milliseconds between two updates of the list of rooms while it is visible.
const ROOMS_EVERY_MS: f64 = 3_000.0;

impl<C: Cartridge> App<C> {
    /// Updates the list of rooms when it is due.
    pub(super) fn refresh_lobby(&mut self, now_ms: f64) {
        if self.flow.is_at_title() && now_ms >= self.rooms_at_ms {
            self.request_rooms();
        }
    }

    pub(super) fn request_rooms(&mut self) {
        self.rooms_at_ms = browser::now_ms() + ROOMS_EVERY_MS;
        let Some(app) = self.shared.upgrade() else { return };
        fetch::ask("api/rooms", None, move |answer| {
            wiring::with(&app, |app| match answer {
                Ok(rooms) => app.lobby.show_rooms(RoomSummary::read_all(&rooms)),
                Err(why) => app.lobby.show_rooms_error(&why),
            });
        });
    }

    pub(super) fn create_room(&mut self, mode: &str) {
        let Some(app) = self.shared.upgrade() else { return };
        self.lobby.show_code_error("");
        let body = format!("{{\"mode\":\"{mode}\",\"private\":true}}");
        fetch::ask("api/rooms", Some(&body), move |answer| {
            wiring::with(&app, |app| app.show_created(answer));
        });
    }

    fn show_created(&mut self, answer: Answer) {
        let code = answer.and_then(|room| {
            let code = text(&room, "code");
            code.parse().map_err(|_| say("invite.no-code").to_owned())
        });
        match code {
            Ok(code) => {
                let invite = RoomRequest::play(RoomChoice::Code(Some(code)));
                self.invite = Some(invite);
                self.lobby.show_invite(code.as_str(), &browser::address(&invite.path()));
            }
            Err(why) => self.lobby.show_code_error(&why),
        }
    }

    pub(super) fn go_by_invite(&mut self) {
        if let Some(invite) = self.invite {
            self.lobby.close_invite();
            self.go(invite);
        }
    }

    pub(super) fn enter_by_code(&mut self) {
        if let Some(code) = self.lobby.take_code() {
            self.go(RoomRequest::play(RoomChoice::Code(Some(code))));
        }
    }

    /// Shows the link of a private room in the menu over the game.
    pub(super) fn show_own_link(&mut self) {
        let link = match self.flow.room() {
            Some(invite @ RoomRequest { room: RoomChoice::Code(_), .. }) => Some(browser::address(&invite.path())),
            Some(_) | None => None,
        };
        self.lobby.pause_invite(link.as_deref());
    }

    /// Shows the last minute of the room in a window of its own; the game goes on in this one.
    pub(super) fn watch_last_minute(&self) {
        let Some(client) = self.client() else { return };
        let Some((room, ..)) = client.room() else { return };
        // A private room is known by its code alone.
        let room = match self.flow.room() {
            Some(RoomRequest { room: RoomChoice::Code(Some(code)), .. }) => code.to_string(),
            Some(_) | None => room.0.to_string(),
        };
        let follow = client.player().map_or_else(String::new, |player| format!("&{}={}", browser::FOLLOW, player.0));
        let address = browser::address(&format!("replay/{LAST_MINUTE}?{}={room}{follow}", browser::ROOM));
        if let Some(window) = browser::window() {
            let _ = window.open_with_url_and_target_and_features(&address, "_blank", "noopener");
        }
    }

    /// Copies the link to the clipboard.
    pub(super) fn copy_link(&mut self) {
        let (Some(link), Some(app)) = (self.shared_link(), self.shared.upgrade()) else { return };
        // Pages that were loaded over plain HTTP from another machine have no clipboard.
        let clipboard = browser::window().map(|window| fetch::get(&window.navigator(), "clipboard"));
        let written = clipboard.filter(JsValue::is_object).and_then(|clipboard| {
            let write = fetch::get(&clipboard, "writeText");
            write.dyn_ref::<js_sys::Function>().and_then(|write| write.call1(&clipboard, &link.into()).ok())
        });
        match written {
            Some(written) => fetch::when_settled(&written, move |error| {
                wiring::with(&app, |app| app.show_copied(error.is_undefined()));
            }),
            None => self.show_copied(false),
        }
    }

    /// Hands the link to the system, which offers the programs that can send it.
    pub(super) fn share_link(&self) {
        let (Some(link), Some(share)) = (self.shared_link(), browser::share()) else { return };
        let what = Report::new().with("title", self.document.title()).with("url", link);
        if let Some(window) = browser::window()
            && let Ok(settled) = share.call1(&window.navigator(), &what.into())
        {
            // People who change their mind are no failure.
            fetch::ignore(&settled);
        }
    }

    /// The link of the room that was created here, or of the current one.
    fn shared_link(&self) -> Option<String> {
        let room = self.invite.filter(|_| self.flow.is_at_title()).or(self.flow.room());
        room.map(|room| browser::address(&room.path()))
    }

    fn show_copied(&mut self, done: bool) {
        self.lobby.copied(done, self.flow.is_playing());
        self.play.toast(if done { say("copied.toast") } else { say("copy-by-hand.toast") }, "");
    }
}
