//! Discs, the puck and its trail.

use std::collections::VecDeque;

use broadside_client::{Color, Pen};
use broadside_puck::DiscView;
use broadside_puck::rules::{DISC, KICK_GAP, PUCK};
use broadside_shared::ids::EntityId;
use glam::Vec2;

/// Seconds of the puck's way that are drawn behind it.
const TRAIL_S: f32 = 0.28;
/// The trail is broken where the puck was put somewhere else, in units between two images.
const TRAIL_GAP: f32 = 150.0;
const PUCK_COLOR: Color = Color::hex(0xf4_f8ff);
const EDGE: Color = Color::hex(0x0b_1018);

/// A disc to draw.
pub(crate) struct Body {
    pub(crate) disc: DiscView,
    pub(crate) name: String,
    pub(crate) is_own: bool,
    /// Where the server has it, for the network lab.
    pub(crate) ghost: Option<Vec2>,
}

impl Body {
    pub(crate) fn draw(&self, pen: &mut Pen<'_>) {
        let DiscView { at, team, kick, .. } = self.disc;
        let color = Color::of_team(team);
        if let Some(ghost) = self.ghost {
            pen.ring(ghost, DISC, 2.0, Color::WHITE.alpha(0.5));
        }
        pen.disc(at + Vec2::new(3.0, 5.0), DISC, Color::hex(0).alpha(0.35));
        if self.is_own {
            pen.glow(at, DISC * 2.6, color.alpha(0.45));
        }
        if kick {
            pen.ring(at, DISC + KICK_GAP * 0.8, 3.0, Color::WHITE.alpha(0.7));
        }
        pen.disc(at, DISC, if self.is_own { Color::WHITE } else { EDGE });
        pen.disc(at, DISC - 3.0, color.mix(EDGE, 0.25));
        pen.disc(at - Vec2::new(2.0, 3.0), DISC - 8.0, color);
        pen.disc(at, DISC * 0.28, color.mix(EDGE, 0.45));
    }

    pub(crate) fn draw_name(&self, pen: &mut Pen<'_>) {
        if !self.name.is_empty() {
            let color = if self.is_own { Color::WHITE } else { Color::of_team(self.disc.team).mix(Color::WHITE, 0.35) };
            let below = Vec2::Y * (DISC + 13.0 * pen.px().max(1.0));
            pen.text(&self.name, self.disc.at + below, 13.0, color);
        }
    }
}

pub(crate) fn draw_puck(pen: &mut Pen<'_>, at: Vec2) {
    pen.disc(at + Vec2::new(2.0, 4.0), PUCK, Color::hex(0).alpha(0.4));
    pen.glow(at, PUCK * 3.0, Color::WHITE.alpha(0.30));
    pen.disc(at, PUCK, PUCK_COLOR);
    pen.ring(at, PUCK - 4.0, 2.0, EDGE.alpha(0.35));
}

/// Where the puck was in the last images.
#[derive(Default)]
pub(crate) struct Trail {
    of: Option<EntityId>,
    /// Newest first: each place and its age in seconds.
    places: VecDeque<(Vec2, f32)>,
}

impl Trail {
    pub(crate) fn advance(&mut self, puck: Option<(EntityId, Vec2)>, dt: f32) {
        for (_, age) in &mut self.places {
            *age += dt;
        }
        let far = |at: Vec2| self.places.front().is_some_and(|(before, _)| before.distance(at) > TRAIL_GAP);
        if puck.is_none_or(|(id, at)| self.of != Some(id) || far(at)) {
            self.places.clear();
        }
        self.of = puck.map(|(id, _)| id);
        if let Some((_, at)) = puck {
            self.places.push_front((at, 0.0));
        }
        while self.places.back().is_some_and(|(_, age)| *age > TRAIL_S) {
            self.places.pop_back();
        }
    }

    pub(crate) fn draw(&self, pen: &mut Pen<'_>) {
        for ((to, _), (from, age)) in self.places.iter().zip(self.places.iter().skip(1)) {
            let fresh = 1.0 - age / TRAIL_S;
            if to.distance_squared(*from) > 1.0 && fresh > 0.0 {
                pen.line(*from, *to, 2.0 * PUCK * (0.25 + 0.6 * fresh), PUCK_COLOR.alpha(0.28 * fresh));
            }
        }
    }
}
