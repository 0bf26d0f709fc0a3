//! The network lab: simulated links, and switches for the techniques that hide lag, so that anyone can see what each does.

use broadside_shared::client::Client;
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement};

use super::dom::{Shown, element, make};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LabSettings {
    /// The simulated link.
    pub(crate) link: LinkProfile,
    /// Draw the own player as predicted.
    pub(crate) prediction: bool,
    /// Draw the others between two snapshots.
    pub(crate) interpolation: bool,
    /// Let the server judge hits by what we saw.
    pub(crate) lag_compensation: bool,
    /// Draw the own player a second time, where the server last had it.
    pub(crate) split: bool,
}

impl LabSettings {
    pub(crate) fn apply<G: Game>(&self, client: &mut Client<G>) {
        client.set_prediction(self.prediction);
        client.set_interpolation(self.interpolation);
        client.set_lag_compensation(self.lag_compensation);
    }
}

impl Default for LabSettings {
    fn default() -> Self {
        LabSettings {
            link: LinkProfile::CLEAN,
            prediction: true,
            interpolation: true,
            lag_compensation: true,
            split: false,
        }
    }
}

pub(crate) struct NetworkLab {
    pub(crate) settings: LabSettings,
    document: Document,
    panel: Shown,
    links: HtmlElement,
    /// A button for each profile, created when the panel is first opened.
    buttons: Vec<Element>,
    delay: (HtmlInputElement, Shown),
    jitter: (HtmlInputElement, Shown),
    prediction: HtmlInputElement,
    interpolation: HtmlInputElement,
    lag_compensation: HtmlInputElement,
    split: HtmlInputElement,
}

impl NetworkLab {
    /// The page's panel, closed. `link` is the name of a profile to start with; an unknown one gives none, and a warning.
    ///
    /// # Errors
    /// As [`element`].
    pub(crate) fn new(document: &Document, link: Option<&str>) -> Result<Self, String> {
        let slider = |id: &str, shown: &str| -> Result<_, String> {
            Ok((element::<HtmlInputElement>(document, id)?, Shown::new(document, shown)?))
        };
        let wanted = link.and_then(LinkProfile::named);
        if let (Some(name), None) = (link, wanted) {
            let names = LinkProfile::names();
            web_sys::console::warn_1(&format!("no simulated link is called {name}; use one of {names}").into());
        }
        Ok(NetworkLab {
            settings: LabSettings { link: wanted.unwrap_or(LinkProfile::CLEAN), ..LabSettings::default() },
            document: document.clone(),
            panel: Shown::new(document, "lab")?,
            links: element(document, "lab-links")?,
            buttons: Vec::new(),
            delay: slider("lab-delay", "lab-delay-ms")?,
            jitter: slider("lab-jitter", "lab-jitter-ms")?,
            prediction: element(document, "lab-prediction")?,
            interpolation: element(document, "lab-interpolation")?,
            lag_compensation: element(document, "lab-lag")?,
            split: element(document, "lab-split")?,
        })
    }

    pub(crate) fn toggle(&mut self) {
        let open = self.panel.element.hidden();
        if open && self.buttons.is_empty() {
            for profile in LinkProfile::ALL {
                if let Some(button) = make(&self.document, "button", "", profile.name) {
                    let _ = self.links.append_child(&button);
                    self.buttons.push(button);
                }
            }
        }
        self.show();
        self.panel.visible(open);
    }

    /// Chooses the profile with this name, if there is one.
    pub(crate) fn choose(&mut self, name: &str) {
        if let Some(link) = LinkProfile::named(name) {
            self.settings.link = link;
            self.show();
        }
    }

    /// Reads the sliders and boxes.
    pub(crate) fn read(&mut self) {
        let link = &mut self.settings.link;
        (link.delay_ms, link.jitter_ms) = (self.delay.0.value_as_number(), self.jitter.0.value_as_number());
        self.settings.prediction = self.prediction.checked();
        self.settings.interpolation = self.interpolation.checked();
        self.settings.lag_compensation = self.lag_compensation.checked();
        self.settings.split = self.split.checked();
        self.show();
    }

    fn show(&mut self) {
        let settings = &self.settings;
        let link = &settings.link;
        for button in &self.buttons {
            let chosen = button.text_content().is_some_and(|name| name == link.name);
            button.set_class_name(if chosen { "chosen" } else { "" });
        }
        for ((slider, shown), ms) in [(&mut self.delay, link.delay_ms), (&mut self.jitter, link.jitter_ms)] {
            slider.set_value_as_number(ms);
            shown.text(&format!("{} ms", ms.round() as u32));
        }
        self.prediction.set_checked(settings.prediction);
        self.interpolation.set_checked(settings.interpolation);
        self.lag_compensation.set_checked(settings.lag_compensation);
        self.split.set_checked(settings.split);
    }
}
