//! The laboratory: a bad line on purpose, and what the client does against it switched off one by one, so that anyone can see
//! what it is good for.

use broadside_shared::arena::Arena;
use broadside_shared::client::Client;
use broadside_shared::link::LinkProfile;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement};

use super::dom::{Shown, element, make};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wishes {
    /// The line between socket and client.
    pub line: LinkProfile,
    /// Whether the own ship is drawn as predicted.
    pub prediction: bool,
    /// Whether the others are drawn between two snapshots.
    pub interpolation: bool,
    /// Whether the server judges hits by what we saw.
    pub lag_compensation: bool,
    /// Whether the ship is drawn a second time, where the server last had it.
    pub split: bool,
}

impl Wishes {
    /// Tells a client what is wanted of it.
    pub fn apply(&self, client: &mut Client<Arena>) {
        client.set_prediction(self.prediction);
        client.set_interpolation(self.interpolation);
        client.set_lag_compensation(self.lag_compensation);
    }
}

impl Default for Wishes {
    fn default() -> Self {
        Wishes { line: LinkProfile::CLEAN, prediction: true, interpolation: true, lag_compensation: true, split: false }
    }
}

/// The panel.
pub struct Lab {
    /// What is wanted.
    pub wishes: Wishes,
    document: Document,
    panel: Shown,
    lines: HtmlElement,
    /// A button for each line, made when the panel is first opened.
    buttons: Vec<Element>,
    delay: (HtmlInputElement, Shown),
    jitter: (HtmlInputElement, Shown),
    prediction: HtmlInputElement,
    interpolation: HtmlInputElement,
    lag_compensation: HtmlInputElement,
    split: HtmlInputElement,
}

impl Lab {
    /// The page's panel, closed. `line` is the name of a line to begin with; an unknown one is no line.
    ///
    /// # Errors
    /// If the page has none.
    pub fn new(document: &Document, line: Option<&str>) -> Result<Self, String> {
        let slider = |id: &str, shown: &str| -> Result<_, String> {
            Ok((element::<HtmlInputElement>(document, id)?, Shown::new(document, shown)?))
        };
        let wanted = line.and_then(LinkProfile::named);
        if let (Some(name), None) = (line, wanted) {
            let names = LinkProfile::names();
            web_sys::console::warn_1(&format!("no line is called {name}: use one of {names}").into());
        }
        Ok(Lab {
            wishes: Wishes { line: wanted.unwrap_or(LinkProfile::CLEAN), ..Wishes::default() },
            document: document.clone(),
            panel: Shown::new(document, "lab")?,
            lines: element(document, "lab-lines")?,
            buttons: Vec::new(),
            delay: slider("lab-delay", "lab-delay-ms")?,
            jitter: slider("lab-jitter", "lab-jitter-ms")?,
            prediction: element(document, "lab-prediction")?,
            interpolation: element(document, "lab-interpolation")?,
            lag_compensation: element(document, "lab-lag")?,
            split: element(document, "lab-split")?,
        })
    }

    /// Opens it, or closes it.
    pub fn toggle(&mut self) {
        let open = self.panel.element.hidden();
        if open && self.buttons.is_empty() {
            for profile in LinkProfile::ALL {
                if let Some(button) = make(&self.document, "button", "", profile.name) {
                    let _ = self.lines.append_child(&button);
                    self.buttons.push(button);
                }
            }
        }
        self.show();
        self.panel.visible(open);
    }

    /// Wants the line with this name, if there is one.
    pub fn choose(&mut self, name: &str) {
        if let Some(line) = LinkProfile::named(name) {
            self.wishes.line = line;
            self.show();
        }
    }

    /// Takes what the sliders and boxes say.
    pub fn read(&mut self) {
        let line = &mut self.wishes.line;
        (line.delay_ms, line.jitter_ms) = (self.delay.0.value_as_number(), self.jitter.0.value_as_number());
        self.wishes.prediction = self.prediction.checked();
        self.wishes.interpolation = self.interpolation.checked();
        self.wishes.lag_compensation = self.lag_compensation.checked();
        self.wishes.split = self.split.checked();
        self.show();
    }

    fn show(&mut self) {
        let wishes = &self.wishes;
        let line = &wishes.line;
        for button in &self.buttons {
            let chosen = button.text_content().is_some_and(|name| name == line.name);
            button.set_class_name(if chosen { "chosen" } else { "" });
        }
        for ((slider, shown), ms) in [(&mut self.delay, line.delay_ms), (&mut self.jitter, line.jitter_ms)] {
            slider.set_value_as_number(ms);
            shown.text(&format!("{} ms", ms.round() as u32));
        }
        self.prediction.set_checked(wishes.prediction);
        self.interpolation.set_checked(wishes.interpolation);
        self.lag_compensation.set_checked(wishes.lag_compensation);
        self.split.set_checked(wishes.split);
    }
}
