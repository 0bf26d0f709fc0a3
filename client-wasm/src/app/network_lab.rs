//! The net graph and the network lab: opens and closes them and applies the settings.

use glam::Vec2;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use web_sys::{Element, Event};

use super::App;
use crate::browser;
use crate::cartridge::Cartridge;
use crate::hud::net_graph::GraphContext;
use crate::probe::Report;
use crate::settings::{self, Settings};
use crate::words::say;
use broadside_shared::game::{CorrectionCause, Game};

impl<C: Cartridge> App<C> {
    /// Opens the net graph if the address or the settings ask for it.
    pub(super) fn open_net(&mut self) {
        if browser::parameter("net").as_deref() == Some("1") || Settings::read().graph {
            self.graph.open(true);
        }
    }

    pub(super) fn toggle_net(&mut self) {
        let open = !self.graph.is_open();
        self.open_graph(open);
        settings::change(Report::new().with("graph", open));
    }

    pub(super) fn open_graph(&mut self, open: bool) {
        self.graph.open(open);
        if let Some(connection) = self.connection.as_mut().filter(|_| !open) {
            connection.tap = None;
        }
    }

    pub(super) fn toggle_lab(&mut self) {
        self.devices.borrow_mut().release();
        self.lab.toggle();
    }

    pub(super) fn choose_link(&mut self, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        if let Some(name) = target.and_then(|target| target.text_content()) {
            self.lab.choose(&name);
            self.apply_lab_settings();
        }
    }

    /// A slider or a box of the network lab was changed.
    pub(super) fn change_lab(&mut self) {
        self.lab.read();
        self.apply_lab_settings();
    }

    /// Applies the network lab's settings to the connection.
    pub(super) fn apply_lab_settings(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.set_link(self.lab.settings.link);
            self.lab.settings.apply(&mut connection.client);
        }
    }

    /// Whether the simulated link freezes the tab; shows a message when that changes.
    pub(super) fn is_asleep(&mut self) -> bool {
        let asleep = self.connection.as_mut().is_some_and(|connection| connection.is_frozen());
        if asleep != self.asleep {
            self.asleep = asleep;
            self.play.toast(if asleep { say("lab.asleep") } else { say("lab.awake") }, "");
        }
        // What happened meanwhile is not shown all at once.
        self.stale |= asleep;
        asleep
    }

    /// Adds one image to the net graph.
    pub(super) fn show_net(&mut self, now_ms: f64) {
        let fps = self.fps();
        let Some(connection) = &mut self.connection else { return };
        if self.graph.is_open() {
            let tap = connection.tap.get_or_insert_default();
            let moment = GraphContext { now_ms, fps, link: self.lab.settings.link };
            self.graph.show::<C::Game>(connection.client.stats(), tap, moment);
        }
    }

    /// The connection's state, for tests.
    pub(super) fn report_net(&self) -> JsValue {
        let Some(connection) = &self.connection else { return JsValue::NULL };
        let (client, stats, settings) = (&connection.client, connection.client.stats(), &self.lab.settings);
        let corrections = CorrectionCause::all::<C::Game>().zip(stats.corrections);
        let corrections = corrections
            .fold(Report::new(), |record, (cause, count)| record.with(cause.name::<C::Game>(), count as f64));
        let phase = match client.phase() {
            broadside_shared::client::Phase::Greeting => "greeting",
            broadside_shared::client::Phase::Lobby => "lobby",
            broadside_shared::client::Phase::Joining => "joining",
            broadside_shared::client::Phase::Playing => "playing",
        };
        let place = |at: Vec2| Report::new().with("x", at.x).with("y", at.y);
        Report::new()
            .with("phase", phase)
            .with("rtt_ms", stats.rtt_ms)
            .with("jitter_ms", stats.jitter_ms)
            .with("age_ms", stats.snapshot_age_ms)
            .with("delay_ms", stats.interpolation_ms)
            .with("lead_ms", stats.lead_ms)
            .with("starved", stats.starved_frames as f64)
            .with("inputs_missing", stats.inputs_missing as f64)
            .with("inputs_dropped", stats.inputs_dropped as f64)
            .with("corrected_units", stats.corrected_units)
            .with("corrections", corrections)
            .with("largest_correction_units", stats.largest_correction_units)
            .with("bytes_down", stats.bytes_down as f64)
            .with("bytes_up", stats.bytes_up as f64)
            .with("prediction", settings.prediction)
            .with("interpolation", settings.interpolation)
            .with("lag_compensation", settings.lag_compensation)
            .with("frozen", self.asleep)
            .with("authority", client.authority().map(C::Game::focus).map(place))
            .with("shown", place(self.seen_at))
            .into()
    }
}
