//! The bar below a recorded match: play and pause, the moment, the speed, whom to follow.

use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlInputElement, HtmlSelectElement};

use super::dom::{Shown, element, make};
use super::match_status::clock;
use crate::words::{say, say_with};

/// The value of the choice to follow nobody.
const NOBODY: &str = "";

/// What the bar shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarState<'a> {
    /// Seconds from the start.
    pub(crate) at_s: f64,
    pub(crate) length_s: f64,
    pub(crate) is_paused: bool,
    pub(crate) has_ended: bool,
    /// The place of the speed.
    pub(crate) speed: usize,
    /// The number of the followed player.
    pub(crate) followed: Option<u16>,
    /// What following nobody is called.
    pub(crate) nobody: &'a str,
}

pub(crate) struct ReplayBar {
    document: Document,
    all: Shown,
    play: Shown,
    at: HtmlInputElement,
    time: Shown,
    speed: HtmlSelectElement,
    follow: HtmlSelectElement,
    note: Shown,
    /// What the slider shows.
    shown_at: String,
    /// What is to choose from, and what is chosen.
    players: String,
    chosen: String,
}

impl ReplayBar {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        Ok(ReplayBar {
            document: document.clone(),
            all: shown("replay")?,
            play: shown("replay-play")?,
            at: element(document, "replay-at")?,
            time: shown("replay-time")?,
            speed: element(document, "replay-speed")?,
            follow: element(document, "replay-follow")?,
            note: shown("replay-note")?,
            shown_at: String::new(),
            players: "\0".to_owned(),
            chosen: "\0".to_owned(),
        })
    }

    /// Shows the bar of another match, and gives the button to play the keyboard. Below a picture that shows the `whole` world, it covers
    /// nothing.
    pub(crate) fn open(&mut self, speeds: &[f64], whole: bool) {
        self.all.class(if whole { "whole" } else { "" });
        self.all.visible(true);
        self.note.text("");
        (self.shown_at, self.players) = (String::new(), "\0".to_owned());
        self.speed.set_inner_html("");
        for (place, speed) in speeds.iter().enumerate() {
            add_option(&self.document, &self.speed, &place.to_string(), &format!("{speed}×"));
        }
        let _ = self.play.element.focus();
    }

    pub(crate) fn hide(&mut self) {
        self.all.visible(false);
    }

    pub(crate) fn show<'a>(&mut self, state: BarState<'_>, players: impl Iterator<Item = (u16, &'a str)> + Clone) {
        let BarState { at_s, length_s, is_paused, has_ended, speed, followed, nobody } = state;
        let (label, class) = match (has_ended, is_paused) {
            (true, _) => (say("replay.again"), "again"),
            (false, true) => (say("replay.play"), "paused"),
            (false, false) => (say("replay.pause"), "playing"),
        };
        self.play.label(label);
        self.play.class(class);
        let [at, length] = [at_s, length_s].map(|seconds| clock(seconds as u32));
        self.time.text(&format!("{at} / {length}"));
        let value = format!("{at_s:.1}");
        if value != self.shown_at {
            self.at.set_max(&format!("{length_s:.1}"));
            self.at.set_value(&value);
            let _ =
                self.at.set_attribute("aria-valuetext", &say_with("replay.at", &[("at", &at), ("length", &length)]));
            self.shown_at = value;
        }
        self.speed.set_selected_index(speed as i32);
        let text = players.clone().fold(nobody.to_owned(), |text, (player, name)| format!("{text}\n{player} {name}"));
        if text != self.players {
            self.players = text;
            self.follow.set_inner_html("");
            add_option(&self.document, &self.follow, NOBODY, nobody);
            players.for_each(|(player, name)| add_option(&self.document, &self.follow, &player.to_string(), name));
            self.chosen = "\0".to_owned();
        }
        let chosen = followed.map_or_else(|| NOBODY.to_owned(), |player| player.to_string());
        if chosen != self.chosen {
            self.follow.set_value(&chosen);
            self.chosen = chosen;
        }
    }

    /// The moment of the slider, in seconds.
    #[must_use]
    pub(crate) fn wanted_at_s(&self) -> f64 {
        self.at.value_as_number().max(0.0)
    }

    /// The place of the chosen speed.
    #[must_use]
    pub(crate) fn wanted_speed(&self) -> usize {
        usize::try_from(self.speed.selected_index()).unwrap_or(0)
    }

    /// The number of the chosen player; `None` for nobody.
    #[must_use]
    pub(crate) fn wanted_player(&self) -> Option<u16> {
        self.follow.value().parse().ok()
    }

    /// Tells people who do not see the picture.
    pub(crate) fn say(&mut self, text: &str) {
        self.note.text(text);
    }
}

fn add_option(document: &Document, list: &Element, value: &str, text: &str) {
    if let Some(option) = make(document, "option", "", text) {
        let _ = option.set_attribute("value", value);
        let _ = list.append_child(option.unchecked_ref());
    }
}
