//! From the stage to sprites: how the world looks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sky`] | stars and dust |
//! | [`objects`] | rocks, pickups, shots, the arena's edge |
//! | [`ships`] | hulls, flames, shields |
//! | [`effect_particles`] | the effects, as particles |
//! | [`markers`] | names, arrows, damage, radar |

pub(crate) mod effect_particles;
pub(crate) mod markers;
pub(crate) mod objects;
pub(crate) mod ships;
pub(crate) mod sky;

use crate::camera::Camera;
use crate::color::{self, Color};
use crate::gl::EffectsLevel;
use crate::gl::batch::Batch;
use crate::particles::Particles;
use crate::random::Random;
use crate::stage::{Effect, Stage};
use effect_particles::EffectParticles;
use markers::{Markers, NameSlots, Window};
use ships::Ships;
use sky::Sky;

const PARTICLES: usize = 2400;

/// The color of a player as the own or the followed player sees it.
#[must_use]
pub(crate) fn paint_of(stage: &Stage, player: u16) -> Color {
    match stage.team_of(player) {
        // In a team, the own ship differs only in brightness.
        Some(team) if stage.own == Some(player) => color::of_team(team).mix(Color::WHITE, 0.3),
        Some(team) => color::of_team(team),
        None if stage.own == Some(player) => color::OWN,
        None => color::of_player(player),
    }
}

/// What lasts from image to image.
pub(crate) struct Scene {
    sky: Sky,
    ships: Ships,
    markers: Markers,
    particles: Particles,
    random: Random,
}

/// The time and the settings of one image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageContext {
    /// Seconds of the page's clock.
    pub(crate) seconds: f64,
    /// Seconds since the previous image.
    pub(crate) dt: f32,
    pub(crate) quality: EffectsLevel,
    pub(crate) window: Window,
}

impl Scene {
    #[must_use]
    pub(crate) fn new() -> Self {
        Scene {
            sky: Sky::new(),
            ships: Ships::default(),
            markers: Markers::default(),
            particles: Particles::new(PARTICLES),
            random: Random::new(99),
        }
    }

    /// Removes all particles and markers, after a jump in time or for another world.
    pub(crate) fn clear(&mut self) {
        self.particles.clear();
        self.markers.clear();
    }

    /// Fills the batch with one image of the stage, and shakes the camera for its effects.
    pub(crate) fn show(
        &mut self,
        stage: &Stage,
        camera: &mut Camera,
        image: ImageContext,
        names: NameSlots<'_>,
        batch: &mut Batch,
    ) {
        let full = match image.quality {
            EffectsLevel::Low => 0.3,
            EffectsLevel::Medium => 0.75,
            EffectsLevel::High => 1.0,
        };
        self.particles.thin(full);
        self.particles.advance(image.dt);
        self.ships.apply_effects(stage);
        self.markers.apply_effects(stage, image.dt);
        EffectParticles { particles: &mut self.particles, random: &mut self.random }.show(stage);
        shake(stage, camera);

        batch.clear();
        self.sky.draw(batch, camera, image.seconds, full);
        objects::edge(stage, camera, batch);
        objects::zone(stage, camera, batch);
        objects::rocks(stage, camera, image.seconds, batch);
        objects::pickups(stage, camera, image.seconds, batch);
        let out = (&mut *batch, &mut self.particles, &mut self.random);
        self.ships.draw(stage, camera, image.seconds, image.dt, out);
        objects::shots(stage, camera, batch);
        objects::beams(stage, camera, batch);
        self.particles.draw(batch, |at, reach| camera.sees(at, reach));
        if stage.own.is_some() || stage.followed.is_some() {
            markers::labels(stage, camera, image.window, names, batch);
        }
        self.markers.draw(stage, camera, image.window, image.seconds, batch);
    }
}

/// Shakes the camera for hits on the own ship and for wrecks nearby.
pub(crate) fn shake(stage: &Stage, camera: &mut Camera) {
    for effect in &stage.effects {
        match *effect {
            Effect::Struck { player, shielded, heavy, .. } if stage.own == Some(player) => {
                camera.shake(if shielded { 0.25 } else { 0.45 } + if heavy { 0.3 } else { 0.0 });
            }
            Effect::Sunk { player, at, .. } => {
                let near = 1.0 - ((at - camera.at).length() / 900.0).min(1.0);
                camera.shake(if stage.own == Some(player) { 1.0 } else { 0.55 * near });
            }
            Effect::Fired { player, .. } if stage.own == Some(player) => camera.shake(0.05),
            Effect::Railed { player, .. } if stage.own == Some(player) => camera.shake(0.22),
            Effect::Fired { .. }
            | Effect::Railed { .. }
            | Effect::Judged { .. }
            | Effect::Struck { .. }
            | Effect::Chipped { .. }
            | Effect::Taken { .. }
            | Effect::Dealt { .. }
            | Effect::Launched { .. } => {}
        }
    }
}
