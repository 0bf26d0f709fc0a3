//! The lobby on the title: rooms, leaderboard, private rooms and their links.

use broadside_shared::game::ModeSpec;
use broadside_shared::protocol::message::Leader;
use broadside_shared::protocol::room::RoomCode;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement};

use super::dom::{Shown, element, make};
use crate::browser;
use crate::fetch::{get, number, text};
use crate::words::{self, say, say_count, say_or, say_with};

const LEADERS: usize = 8;

/// A room in the server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomSummary {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) mode: String,
    /// People and bots.
    pub(crate) players: u32,
    /// Seats.
    pub(crate) capacity: u32,
    /// Length of the join queue.
    pub(crate) queued: u32,
    pub(crate) spectators: u32,
}

impl RoomSummary {
    /// Reads the reply of `GET /api/rooms`; private rooms are left out.
    #[must_use]
    pub(crate) fn read_all(list: &JsValue) -> Vec<RoomSummary> {
        let Some(list) = list.dyn_ref::<js_sys::Array>() else { return Vec::new() };
        let read = |room: JsValue| RoomSummary {
            id: number(&room, "id"),
            name: text(&room, "name"),
            mode: text(&room, "mode"),
            players: number(&room, "players"),
            capacity: number(&room, "capacity"),
            queued: number(&room, "waiting"),
            spectators: number(&room, "spectators"),
        };
        let open = |room: &JsValue| get(room, "private").as_bool() != Some(true);
        list.iter().filter(open).map(read).collect()
    }

    fn seats(&self) -> String {
        let [players, capacity, queued] = [self.players, self.capacity, self.queued].map(count);
        let mut text = say_with("room.seats", &[("players", &players), ("capacity", &capacity)]);
        if self.queued > 0 {
            text.push_str(&say_with("room.queued", &[("count", &queued)]));
        }
        if self.spectators > 0 {
            text.push_str(&say_count("room.spectators", self.spectators));
        }
        text
    }
}

/// A word for a mode.
fn mode_short(mode: &str) -> &str {
    say_or(&["mode.", mode, ".short"].concat(), mode)
}

/// A number as the player's language writes it.
fn count(number: u32) -> String {
    words::number(f64::from(number), 0)
}

/// A room's row on the page.
struct RoomRow {
    id: u32,
    name: Shown,
    seats: Shown,
    fill: Shown,
}

pub(crate) struct Lobby {
    document: Document,
    list: HtmlElement,
    rows: Vec<RoomRow>,
    rooms: Vec<RoomSummary>,
    rooms_note: Shown,
    leaders: HtmlElement,
    leaders_panel: Shown,
    connection_note: Shown,
    invite: Shown,
    invite_code: Shown,
    invite_link: HtmlInputElement,
    copy: Shown,
    pause_invite: Shown,
    pause_link: HtmlInputElement,
    code: HtmlInputElement,
    code_note: Shown,
    play: Shown,
    announcement: Shown,
    announcement_text: Shown,
}

impl Lobby {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        let can_share = browser::share().is_some();
        for button in ["invite-share", "pause-share"] {
            shown(button)?.visible(can_share);
        }
        Ok(Lobby {
            document: document.clone(),
            list: element(document, "rooms")?,
            rows: Vec::new(),
            rooms: Vec::new(),
            rooms_note: shown("rooms-note")?,
            leaders: element(document, "leaders")?,
            leaders_panel: shown("best")?,
            connection_note: shown("connection-note")?,
            invite: shown("invite")?,
            invite_code: shown("invite-code")?,
            invite_link: element(document, "invite-link")?,
            copy: shown("invite-copy")?,
            pause_invite: shown("pause-invite")?,
            pause_link: element(document, "pause-link")?,
            code: element(document, "code")?,
            code_note: shown("code-note")?,
            play: shown("play")?,
            announcement: shown("announcement")?,
            announcement_text: shown("announcement-text")?,
        })
    }

    /// Makes a card for each mode, and buttons for private games and for the menu over the game. With a single mode, the play button
    /// is enough. `reword` has other words for the card of a mode.
    pub(crate) fn show_modes(
        &self,
        modes: &[ModeSpec],
        reword: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<(), String> {
        let cards: HtmlElement = element(&self.document, "modes")?;
        let others: HtmlElement = element(&self.document, "pause-modes")?;
        let private: HtmlElement = element(&self.document, "create-modes")?;
        let button = |parent: &HtmlElement, class: &str, act: &str, label: &str| {
            let button = make(&self.document, "button", class, label)?;
            let _ = button.set_attribute("type", "button");
            let _ = button.set_attribute("data-act", act);
            parent.append_child(&button).ok()?;
            Some(button)
        };
        for ModeSpec { name, title, summary, .. } in modes {
            let title = say_or(&["mode.", name].concat(), title);
            let summary = reword(name).unwrap_or_else(|| say_or(&["mode.", name, ".summary"].concat(), summary));
            button(&private, "", &format!("create:{name}"), title);
            button(&others, "", &format!("mode:{name}"), title);
            let Some(card) = button(&cards, &format!("mode {name}"), &format!("mode:{name}"), "") else { continue };
            let icon = self.document.get_element_by_id(&format!("icon-{name}"));
            let parts = [make(&self.document, "b", "", title), make(&self.document, "small", "", summary)];
            for part in icon.into_iter().chain(parts.into_iter().flatten()) {
                let _ = card.append_child(&part);
            }
        }
        for choice in ["modes", "pause-other"] {
            Shown::new(&self.document, choice)?.visible(modes.len() > 1);
        }
        Ok(())
    }

    /// Shows the rooms. Rows of known rooms are updated and not replaced, so that a click on them is not lost.
    pub(crate) fn show_rooms(&mut self, rooms: Vec<RoomSummary>) {
        self.rooms_note.text(if rooms.is_empty() { say("games.none") } else { "" });
        if !self.rows.iter().map(|row| row.id).eq(rooms.iter().map(|room| room.id)) {
            self.list.set_text_content(None);
            self.rows = rooms.iter().filter_map(|room| self.make_row(room)).collect();
        }
        for (row, room) in self.rows.iter_mut().zip(&rooms) {
            // A room that is called like its mode has no name of its own.
            row.name.text(if room.name == room.mode { mode_short(&room.mode) } else { &room.name });
            row.seats.text(&room.seats());
            row.fill.fill(room.players as f32 / room.capacity.max(1) as f32);
        }
        self.rooms = rooms;
    }

    pub(crate) fn show_rooms_error(&mut self, why: &str) {
        self.rooms_note.text(why);
    }

    #[must_use]
    pub(crate) fn room_name(&self, id: u32) -> Option<&str> {
        self.rooms.iter().find(|room| room.id == id).map(|room| room.name.as_str())
    }

    fn make_row(&self, room: &RoomSummary) -> Option<RoomRow> {
        let row = make(&self.document, "li", &room.mode, "")?;
        let add = |parent: &Element, tag: &str, class: &str, text: &str| {
            let part = make(&self.document, tag, class, text)?;
            parent.append_child(&part).ok()?;
            part.dyn_into::<HtmlElement>().ok()
        };
        add(&row, "i", "", mode_short(&room.mode))?;
        let name = Shown::of(add(&row, "b", "", "")?);
        let seats = Shown::of(add(&row, "small", "", "")?);
        let bar = add(&row, "u", "", "")?;
        let fill = Shown::of(add(&bar, "s", "", "")?);
        for (label, act) in [(say("join"), "room"), (say("watch"), "watch")] {
            let button = add(&row, "button", act, label)?;
            let _ = button.set_attribute("type", "button");
            let _ = button.set_attribute("data-act", &format!("{act}:{}", room.id));
        }
        self.list.append_child(&row).ok()?;
        Some(RoomRow { id: room.id, name, seats, fill })
    }

    /// Shows the leaderboard.
    pub(crate) fn show_leaders(&mut self, leaders: &[Leader]) {
        self.leaders.set_text_content(None);
        self.leaders_panel.visible(!leaders.is_empty());
        for leader in leaders.iter().take(LEADERS) {
            let room = self
                .room_name(leader.room.0)
                .map_or_else(|| say_with("room", &[("number", &leader.room.to_string())]), str::to_owned);
            let Some(line) = make(&self.document, "li", "", "") else { return };
            for (tag, text) in
                [("b", leader.name.as_str()), ("small", &room), ("span", &words::number(f64::from(leader.score), 0))]
            {
                if let Some(part) = make(&self.document, tag, "", text) {
                    let _ = line.append_child(&part);
                }
            }
            let _ = self.leaders.append_child(&line);
        }
    }

    /// Shows the connection's status; `tone` is a class of the style sheet.
    pub(crate) fn connection_status(&mut self, text: &str, tone: &str) {
        self.connection_note.text(text);
        self.connection_note.class(tone);
    }

    pub(crate) fn set_play_label(&mut self, text: &str) {
        self.play.text(text);
    }

    /// Shows the code and the link of a new private room.
    pub(crate) fn show_invite(&mut self, code: &str, link: &str) {
        self.invite_code.text(code);
        self.invite_link.set_value(link);
        self.copy.text(say("copy-link"));
        self.invite.visible(true);
        let _ = self.copy.element.focus();
    }

    pub(crate) fn close_invite(&mut self) {
        self.invite.visible(false);
    }

    /// Shows the link of the current private room in the menu over the game, or hides it.
    pub(crate) fn pause_invite(&mut self, link: Option<&str>) {
        self.pause_invite.visible(link.is_some());
        self.pause_link.set_value(link.unwrap_or_default());
    }

    /// Shows whether the link was copied. If not, selects it: in the menu over the game while playing, otherwise in the
    /// invitation.
    pub(crate) fn copied(&mut self, done: bool, playing: bool) {
        self.copy.text(if done { say("copied") } else { say("copy-by-hand") });
        if !done {
            let link = if playing { &self.pause_link } else { &self.invite_link };
            link.select();
        }
    }

    /// Takes the typed code, if it is valid; a whole link also works.
    pub(crate) fn take_code(&mut self) -> Option<RoomCode> {
        let typed = self.code.value();
        let typed = typed.trim().trim_end_matches('/');
        match typed.rsplit('/').next().unwrap_or(typed).parse::<RoomCode>() {
            Ok(code) => {
                self.code.set_value("");
                self.show_code_error("");
                Some(code)
            }
            Err(_) => {
                self.show_code_error(say("code.bad"));
                None
            }
        }
    }

    pub(crate) fn show_code_error(&mut self, text: &str) {
        self.code_note.text(text);
    }

    /// Shows the operator's announcement; an empty one hides it.
    pub(crate) fn announcement(&mut self, text: &str) {
        self.announcement_text.text(text);
        self.announcement.visible(!text.is_empty());
    }
}
