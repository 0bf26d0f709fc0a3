//! Title, pause and notices: which of them is open, and what they say.

use broadside_shared::protocol::name::{Name, NameError};
use js_sys::JsString;
use web_sys::{Document, HtmlButtonElement, HtmlElement, HtmlInputElement};

use super::dom::{Shown, element, set_style};
use crate::browser;
use crate::flow::state::Notice;
use crate::input::touch::Thumbs;

/// Where the name is remembered.
const NAME_KEY: &str = "broadside.name";

/// A name from the address goes before a remembered one.
fn known_name() -> Option<String> {
    browser::parameter("name").or_else(|| browser::recall(NAME_KEY))
}

/// A name from what was typed, composed as the server composes it: the browser has the tables.
fn read_name(typed: &str) -> Result<Name, NameError> {
    Name::new(&String::from(JsString::from(typed).normalize("NFC")))
}

/// Which face the page shows; a class of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// The title.
    Menu,
    /// The game.
    Play,
    /// A game of others.
    Spectate,
    /// The game, dimmed under a notice.
    Lost,
    /// Nothing but the picture behind a notice.
    Wait,
}

/// The page's screens.
pub(crate) struct Screens {
    body: Shown,
    name: HtmlInputElement,
    note: Shown,
    pause: Shown,
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
}

impl Screens {
    /// The page's screens.
    ///
    /// # Errors
    /// If the page lacks one.
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        let stick = |id: &str| -> Result<_, String> {
            let base = element::<HtmlElement>(document, id)?;
            let knob = base.first_element_child().and_then(|e| wasm_bindgen::JsCast::dyn_into(e).ok());
            Ok((base, knob.ok_or("a stick has no knob")?))
        };
        Ok(Screens {
            body: Shown::of(document.body().ok_or("the page has no body")?),
            name: element(document, "name")?,
            note: shown("card-note")?,
            pause: shown("pause")?,
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
        })
    }

    /// The page is ready: the button may be pressed. A name from the address goes before a remembered one.
    pub(crate) fn ready(&mut self) {
        self.name.set_value(&known_name().unwrap_or_default());
        self.play.set_disabled(false);
        let _ = self.name.focus();
    }

    /// The typed name, or one that is made up if nothing was typed, remembered if it is one; otherwise the reason is shown and there is
    /// none.
    pub(crate) fn take_name(&mut self) -> Option<Name> {
        if self.name.value().trim().is_empty() {
            // Nobody should have to think of a name before they have seen the game.
            self.name.set_value(&format!("Captain {}", 100 + browser::entropy() % 900));
        }
        match read_name(&self.name.value()) {
            Ok(name) => {
                browser::remember(NAME_KEY, name.as_str());
                self.note("", false);
                Some(name)
            }
            Err(reason) => {
                self.note(&reason.to_string(), true);
                let _ = self.name.focus();
                None
            }
        }
    }

    /// The name in the field, if it is one.
    #[must_use]
    pub(crate) fn typed_name(&self) -> Option<Name> {
        read_name(&self.name.value()).ok()
    }

    /// The name that was brought along, by the address or from an earlier visit.
    #[must_use]
    pub(crate) fn remembered_name(&self) -> Option<Name> {
        read_name(&known_name()?).ok()
    }

    /// Whom we watch.
    pub(crate) fn show_followed(&mut self, name: &str) {
        self.followed_name.text(name);
    }

    /// Says something under the name.
    pub(crate) fn note(&mut self, text: &str, bad: bool) {
        self.note.text(text);
        self.note.class(if bad { "bad" } else { "" });
    }

    /// Shows a face. `touch` shows what thumbs need.
    pub(crate) fn face(&mut self, face: Face, touch: bool) {
        let class = match (face, touch) {
            (Face::Menu, false) => "menu",
            (Face::Menu, true) => "menu touch",
            (Face::Play, false) => "play",
            (Face::Play, true) => "play touch",
            (Face::Spectate, false) => "play watch",
            (Face::Spectate, true) => "play watch touch",
            (Face::Wait, false) => "wait",
            (Face::Wait, true) => "wait touch",
            (Face::Lost, false) => "lost",
            (Face::Lost, true) => "lost touch",
        };
        self.body.class(class);
        // Who watches has nothing to steer, but needs the menu.
        self.sticks.visible(touch && matches!(face, Face::Play | Face::Spectate));
    }

    /// Takes the keyboard from the name and gives it to the game.
    pub(crate) fn focus_game(&self) {
        let _ = self.name.blur();
        let _ = self.canvas.focus();
    }

    /// Opens or closes the pause menu.
    pub(crate) fn pause(&mut self, open: bool) {
        self.pause.visible(open);
    }

    /// Whether the pause menu is open.
    #[must_use]
    pub(crate) fn paused(&self) -> bool {
        !self.pause.element.hidden()
    }

    /// Shows or hides the controls.
    pub(crate) fn help(&mut self, open: bool) {
        self.keys.visible(open);
    }

    /// Shows the sound's settings.
    pub(crate) fn sound(&mut self, volume: u32, muted: bool) {
        self.volume.set_value(&volume.to_string());
        self.mute.text(if muted { "Unmute" } else { "Mute" });
    }

    /// The volume that was chosen, 0..=100.
    #[must_use]
    pub(crate) fn chosen_volume(&self) -> u32 {
        self.volume.value().parse().unwrap_or(70)
    }

    /// Shows a notice over the picture.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        self.notice_back.text(notice.back);
        self.notice_title.text(notice.title);
        self.notice_text.text(&notice.text);
        self.notice.class(if notice.busy { "panel" } else { "panel still" });
        self.notice_now.visible(notice.now.is_some());
        self.notice_now.text(notice.now.unwrap_or_default());
        self.notice.visible(true);
    }

    /// Closes the notice.
    pub(crate) fn no_notice(&mut self) {
        self.notice.visible(false);
    }

    /// Puts the sticks under the thumbs.
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
