//! The free camera: where keys and pointers take the picture, of a replay and of a spectator.

use broadside_shared::game::Game;
use glam::Vec2;

use super::App;
use super::chat::PendingRequest;
use super::replay::watched;
use crate::browser;
use crate::cartridge::{Cartridge, Focus};

/// How fast keys move the camera, in views per second.
pub(super) const PAN: f32 = 0.6;
/// Shortest time between two places that sent to the server, in milliseconds.
const LOOK_MS: f64 = 200.0;
/// Distance from the last place sent within which none is sent again, in world units.
const NEAR: f32 = 24.0;

/// What a spectator's free camera remembers.
#[derive(Debug, Default)]
pub(super) struct FreeCamera {
    /// Where the pointer was that drags the picture, in CSS pixels.
    dragged: Option<(i32, Vec2)>,
    /// How far the picture was dragged since the last image, in world units.
    push: Vec2,
    /// Whether it was asked for, though nothing has moved yet.
    wanted: bool,
    /// The place that was sent to the server last, and when, in milliseconds.
    sent: (Vec2, f64),
}

impl<C: Cartridge> App<C> {
    /// Where the keys push the camera, at most 1 in length, y down.
    pub(super) fn pan(&self) -> Vec2 {
        let devices = self.devices.borrow();
        let axis = |less: &str, more: &str| {
            f32::from(u8::from(devices.held.is_down(more))) - f32::from(u8::from(devices.held.is_down(less)))
        };
        Vec2::new(axis("KeyA", "KeyD"), axis("KeyW", "KeyS")).clamp_length_max(1.0)
    }

    /// A pointer that is down over the picture is at this place, in CSS pixels; `is_new` if it just came down.
    pub(super) fn drag_picture(&mut self, pointer: i32, at: Vec2, is_new: bool) {
        let is_replay = watched(&self.replay).is_some();
        if C::FRAMING.whole || !(is_replay || self.flow.is_spectating()) {
            return;
        }
        let units = self.camera.half.x * 2.0 / self.canvas.client_width().max(1) as f32;
        let before = self.free.dragged.replace((pointer, at)).filter(|(dragged, _)| *dragged == pointer && !is_new);
        let Some((_, before)) = before.filter(|(_, before)| *before != at) else { return };
        let by = (before - at) * units;
        if is_replay {
            self.push_replay(by);
        } else {
            self.free.push += by;
        }
    }

    /// The button for it: the camera stays where it is and follows nobody.
    pub(super) fn free_camera(&mut self) {
        self.free.wanted = true;
    }

    /// Moves a spectator's camera, and sends the server where it is.
    pub(super) fn look_freely(&mut self, now_ms: f64, dt: f32) {
        let push = std::mem::take(&mut self.free.push);
        let wanted = std::mem::take(&mut self.free.wanted);
        if !self.flow.is_spectating() || C::FRAMING.whole {
            return;
        }
        let steering = self.devices.borrow().steering;
        let push = push + if steering { self.pan() * C::Game::VIEW.x * PAN * dt } else { Vec2::ZERO };
        let Some(connection) = &mut self.connection else { return };
        let client = &mut connection.client;
        let (starts, was_free) = (wanted || push != Vec2::ZERO, client.following().is_none());
        let goes_on = was_free && self.free.sent.1 > 0.0;
        if !(starts || goes_on) {
            return;
        }
        let at = self.focus.at + push;
        let at = if client.extent() > 0 { at.clamp_length_max(client.extent().into()) } else { at };
        self.focus = Focus::at(at);
        let (sent, sent_ms) = self.free.sent;
        if (was_free && at.distance(sent) < NEAR) || now_ms - sent_ms < LOOK_MS {
            return;
        }
        self.free.sent = (at, now_ms);
        let asked = client.look(browser::now(), at);
        self.remember_request(asked, PendingRequest::Follow);
    }
}
