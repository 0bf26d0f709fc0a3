//! Title, pause menu and notices.

use broadside_shared::protocol::limits::{NAME_CELLS_MAX, NAME_CHARS_MAX};
use broadside_shared::protocol::name::{Name, NameError};
use js_sys::JsString;
use wasm_bindgen::JsCast;
use web_sys::{Document, HtmlButtonElement, HtmlElement, HtmlInputElement};

use super::dom::{Shown, element, set_style};
use crate::browser;
use crate::flow::state::Notice;
use crate::input::LastUsed;
use crate::input::touch::Thumbs;
use crate::words::{say, say_or, say_with};

/// Storage key of the name.
const NAME_KEY: &str = "broadside.name";

/// The name in a frame of another site, where nobody is asked for one.
const EMBEDDED_NAME: &str = "guest";

/// The name of the address, or else the stored one.
fn known_name() -> Option<String> {
    let embedded = || browser::embedded_room().map(|_| EMBEDDED_NAME.to_owned());
    browser::parameter("name").or_else(|| browser::recall(NAME_KEY)).or_else(embedded)
}

/// A typed name, normalized as the server does it: the browser has the tables.
fn read_name(typed: &str) -> Result<Name, NameError> {
    Name::new(&String::from(JsString::from(typed).normalize("NFC")))
}

/// Why a name is not valid, in a sentence.
fn name_error(reason: &NameError) -> String {
    let of = |max: usize, count: &usize| [max, *count].map(|number| number.to_string());
    match reason {
        NameError::Empty => say("name.empty").to_owned(),
        NameError::Long(count) => {
            let [max, count] = of(NAME_CHARS_MAX, count);
            say_with("name.too-long", &[("max", &max), ("count", &count)])
        }
        NameError::Wide(count) => {
            let [max, count] = of(NAME_CELLS_MAX, count);
            say_with("name.too-wide", &[("max", &max), ("count", &count)])
        }
    }
}

/// Which screen the page shows; a class of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Menu,
    Play,
    /// The game, as a spectator.
    Spectate,
    /// A recorded match.
    Replay,
    /// The game, dimmed under a notice.
    Lost,
    /// What is behind the title, under a notice.
    Wait,
}

pub(crate) struct Screens {
    /// What players are called who chose no name.
    guest: &'static str,
    body: Shown,
    name: HtmlInputElement,
    note: Shown,
    pause: Shown,
    resume: HtmlElement,
    keys: Shown,
    notice: Shown,
    notice_title: Shown,
    notice_text: Shown,
    notice_now: Shown,
    notice_back: Shown,
    followed_name: Shown,
    volume: HtmlInputElement,
    mute: Shown,
    sticks: Shown,
    stick_left: (HtmlElement, HtmlElement),
    stick_right: (HtmlElement, HtmlElement),
    canvas: HtmlElement,
    play: HtmlButtonElement,
    account_link: Shown,
    own_pages: [Shown; 2],
}

impl Screens {
    pub(crate) fn new(document: &Document, guest: &'static str) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        let stick = |id: &str| -> Result<_, String> {
            let base = element::<HtmlElement>(document, id)?;
            let knob = base.first_element_child().and_then(|e| e.dyn_into().ok());
            Ok((base, knob.ok_or("a stick has no knob")?))
        };
        Ok(Screens {
            guest,
            body: Shown::of(document.body().ok_or("the page has no body")?),
            name: element(document, "name")?,
            note: shown("card-note")?,
            pause: shown("pause")?,
            resume: element(document, "resume")?,
            keys: shown("keys")?,
            notice: shown("notice")?,
            notice_title: shown("notice-title")?,
            notice_text: shown("notice-text")?,
            notice_now: shown("notice-now")?,
            notice_back: shown("notice-back")?,
            followed_name: shown("watch-name")?,
            volume: element(document, "volume")?,
            mute: shown("mute")?,
            sticks: shown("sticks")?,
            stick_left: stick("stick-left")?,
            stick_right: stick("stick-right")?,
            canvas: element(document, "view")?,
            play: element(document, "play")?,
            account_link: shown("account-link")?,
            own_pages: [shown("own-page")?, shown("match-over-page")?],
        })
    }

    /// Enables the play button and fills in the name.
    pub(crate) fn ready(&mut self) {
        self.name.set_value(&known_name().unwrap_or_default());
        self.play.set_disabled(false);
        let _ = self.name.focus();
    }

    /// Takes and stores the typed name, or a generated one if the field is empty. `None` for an invalid name; the reason is
    /// shown.
    pub(crate) fn take_name(&mut self) -> Option<Name> {
        if self.name.value().trim().is_empty() {
            // Nobody should have to choose a name before they have seen the game.
            self.name.set_value(&format!("{} {}", say_or("guest", self.guest), 100 + browser::entropy() % 900));
        }
        match read_name(&self.name.value()) {
            Ok(name) => {
                browser::remember(NAME_KEY, name.as_str());
                self.note("", false);
                Some(name)
            }
            Err(reason) => {
                self.note(&name_error(&reason), true);
                let _ = self.name.focus();
                None
            }
        }
    }

    /// Shows whose account it is, with links to their page, and their name where they typed no other.
    pub(crate) fn show_account(&mut self, name: &str) {
        self.account_link.text(name);
        let page = browser::address(&format!("u/{}", String::from(js_sys::encode_uri_component(name))));
        for link in &mut self.own_pages {
            let _ = link.element.set_attribute("href", &page);
            link.visible(true);
        }
        if browser::parameter("name").is_none() && self.name.value() == known_name().unwrap_or_default() {
            self.name.set_value(name);
            browser::remember(NAME_KEY, name);
        }
    }

    /// The typed name, if it is valid.
    #[must_use]
    pub(crate) fn typed_name(&self) -> Option<Name> {
        read_name(&self.name.value()).ok()
    }

    /// The name of the address or of an earlier visit, if it is valid.
    #[must_use]
    pub(crate) fn remembered_name(&self) -> Option<Name> {
        read_name(&known_name()?).ok()
    }

    /// Shows the name of the followed player.
    pub(crate) fn show_followed(&mut self, name: &str) {
        self.followed_name.text(name);
    }

    /// Shows a note below the name field.
    pub(crate) fn note(&mut self, text: &str, bad: bool) {
        self.note.text(text);
        self.note.class(if bad { "bad" } else { "" });
    }

    /// Shows a screen, with the controls of what the player used last.
    pub(crate) fn face(&mut self, face: Face, last_used: LastUsed) {
        let screen = match face {
            Face::Menu => "menu",
            Face::Play => "play",
            Face::Spectate => "play watch",
            Face::Replay => "play replay",
            Face::Wait => "wait",
            Face::Lost => "lost",
        };
        let device = match last_used {
            LastUsed::Mouse => "",
            LastUsed::Touch => " touch",
            LastUsed::Gamepad => " gamepad",
        };
        let touch = last_used == LastUsed::Touch;
        self.body.class(&[screen, device].concat());
        // A spectator steers nothing, but needs the menu button.
        self.sticks.visible(touch && matches!(face, Face::Play | Face::Spectate));
    }

    /// Moves the keyboard focus from the name field to the game.
    pub(crate) fn focus_game(&self) {
        let _ = self.name.blur();
        let _ = self.canvas.focus();
    }

    pub(crate) fn pause(&mut self, open: bool) {
        self.pause.visible(open);
        if open {
            let _ = self.resume.focus();
        }
    }

    #[must_use]
    pub(crate) fn paused(&self) -> bool {
        !self.pause.element.hidden()
    }

    pub(crate) fn help(&mut self, open: bool) {
        self.keys.visible(open);
    }

    pub(crate) fn sound(&mut self, volume: u32, muted: bool) {
        self.volume.set_value(&volume.to_string());
        self.mute.text(if muted { say("unmute") } else { say("mute") });
    }

    /// The volume of the slider, 0..=100.
    #[must_use]
    pub(crate) fn chosen_volume(&self) -> u32 {
        self.volume.value().parse().unwrap_or(70)
    }

    pub(crate) fn notice(&mut self, notice: &Notice) {
        self.notice_back.text(notice.back);
        self.notice_title.text(notice.title);
        self.notice_text.text(&notice.text);
        self.notice.class(if notice.busy { "panel" } else { "panel still" });
        self.notice_now.visible(notice.now.is_some());
        self.notice_now.text(notice.now.unwrap_or_default());
        let was_hidden = self.notice.element.hidden();
        self.notice.visible(true);
        // Where the only button gives up, a key that is still held must not press it.
        if was_hidden && notice.now.is_some() {
            let _ = self.notice_now.element.focus();
        }
    }

    pub(crate) fn no_notice(&mut self) {
        self.notice.visible(false);
    }

    /// Moves the sticks to the thumbs.
    pub(crate) fn thumbs(&self, thumbs: &Thumbs) {
        for ((base, knob), stick) in [(&self.stick_left, thumbs.left), (&self.stick_right, thumbs.right)] {
            let (position, push) = match stick {
                Some(stick) => {
                    let at = stick.origin;
                    (
                        format!("left:{}px;top:{}px;right:auto;bottom:auto;margin:-64px", at.x as i32, at.y as i32),
                        stick.knob(),
                    )
                }
                None => (String::new(), glam::Vec2::ZERO),
            };
            let style = base.style();
            if style.css_text().is_empty() != position.is_empty() {
                style.set_css_text(&position);
                base.set_class_name(if position.is_empty() { "stick" } else { "stick on" });
            }
            set_style(knob, "transform", &format!("translate({}px,{}px)", push.x as i32, push.y as i32));
        }
    }
}
