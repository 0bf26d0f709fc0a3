//! What the player has set, applied to the running page.

use super::App;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::probe::Report;
use crate::settings::{self, Settings};
use crate::sound::SoundId;
use crate::words::say;

impl<C: Cartridge> App<C> {
    /// The settings have changed.
    pub(super) fn apply_settings(&mut self) {
        let Settings { effects, image_s, volumes, swapped, graph, keys } = Settings::read();
        tell_choices(&mut self.cartridge);
        if browser::parameter("effects").is_none() {
            self.set_effects(effects);
        }
        self.image_min_s = image_s;
        self.camera.calm = calm();
        if self.speaker.volumes() != volumes {
            self.speaker.set_volumes(volumes);
            self.speaker.click(SoundId::MARK);
            self.show_volumes();
        }
        if self.graph.is_open() != graph {
            self.open_graph(graph);
        }
        self.devices.borrow_mut().set_hands(keys, swapped);
    }

    pub(super) fn show_volumes(&mut self) {
        let volumes = self.speaker.volumes();
        self.screens.sound(volumes.master, volumes.muted);
    }

    pub(super) fn toggle_mute(&mut self) {
        let mut volumes = self.speaker.volumes();
        volumes.muted = !volumes.muted;
        self.speaker.set_volumes(volumes);
        self.show_volumes();
        settings::change(Report::new().with("muted", volumes.muted));
    }

    pub(super) fn toggle_score(&mut self) {
        let mut volumes = self.speaker.volumes();
        volumes.score = !volumes.score;
        self.speaker.set_volumes(volumes);
        self.play.toast(if volumes.score { say("music.on") } else { say("music.off") }, "");
        settings::change(Report::new().with("score", volumes.score));
    }

    pub(super) fn change_volume(&mut self) {
        let mut volumes = self.speaker.volumes();
        (volumes.master, volumes.muted) = (self.screens.chosen_volume().min(100), false);
        self.speaker.set_volumes(volumes);
        self.show_volumes();
        self.speaker.click(SoundId::MARK);
        settings::change(Report::new().with("volume", volumes.master).with("muted", false));
    }
}

/// Tells the game what the player has chosen.
pub(super) fn tell_choices<C: Cartridge>(cartridge: &mut C) {
    for what in C::CHOICES {
        cartridge.choose(what, &settings::chosen(what));
    }
}

/// How much of its shaking a picture keeps.
pub(super) fn calm() -> f32 {
    if browser::wants_calm() { 0.2 } else { 1.0 }
}
