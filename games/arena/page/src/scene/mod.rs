//! The arena with the full renderer: from the stage to sprites.
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

use broadside_client::{Camera, Color, EffectsLevel, FullSurface, Particles, Pen, Random, Window};
use broadside_shared::ids::PlayerId;

use crate::stage::Stage;
use effect_particles::EffectParticles;
use markers::Markers;
use ships::Ships;
use sky::Sky;

const PARTICLES: usize = 2400;

/// The colors that a player can choose for their own ship, as the settings name them.
const PAINTS: [(&str, Color); 6] = [
    ("amber", Color::hex(0xffb454)),
    ("lime", Color::hex(0xa8f25a)),
    ("rose", Color::hex(0xff7ab8)),
    ("violet", Color::hex(0xb79bff)),
    ("silver", Color::hex(0xe4ecf6)),
    ("coral", Color::hex(0xff7a5c)),
];

/// The color of this name; `None` for the usual one.
#[must_use]
pub(crate) fn paint_named(name: &str) -> Option<Color> {
    PAINTS.iter().find(|(known, _)| *known == name).map(|(_, color)| *color)
}

/// The color of a player as the own or the followed player sees it.
#[must_use]
pub(crate) fn paint_of(stage: &Stage, player: u16) -> Color {
    match stage.team_of(player) {
        // In a team, the own ship differs only in brightness.
        Some(team) if stage.own == Some(player) => Color::of_team(team).mix(Color::WHITE, 0.3),
        Some(team) => Color::of_team(team),
        None if stage.own == Some(player) => stage.paint.unwrap_or(Color::OWN),
        None => Color::of_player(PlayerId(player)),
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

/// Gives a player's name.
pub(crate) type Names<'a> = &'a dyn Fn(u16) -> Option<&'a str>;

/// The time of an image, and what it shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) camera: &'a Camera,
    pub(crate) window: Window,
    /// Seconds of the page's clock.
    pub(crate) seconds: f64,
    /// Seconds since the previous image.
    pub(crate) dt: f32,
}

impl<'a> Moment<'a> {
    #[must_use]
    pub(crate) fn of(pen: &Pen<'a>) -> Self {
        Moment { camera: pen.camera, window: pen.window, seconds: pen.seconds, dt: pen.dt }
    }
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

    /// Adds the sprites of one image of the stage.
    pub(crate) fn show(&mut self, stage: &Stage, moment: Moment<'_>, names: Names<'_>, full: &mut FullSurface<'_>) {
        let Moment { camera, window, seconds, dt } = moment;
        let share = match full.effects {
            EffectsLevel::Low => 0.3,
            EffectsLevel::Medium => 0.75,
            EffectsLevel::High => 1.0,
        };
        self.particles.thin(share);
        self.particles.advance(dt);
        self.ships.apply_effects(stage);
        self.markers.apply_effects(stage, dt);
        EffectParticles { particles: &mut self.particles, random: &mut self.random }.show(stage);

        full.sky_number = stage.edge;
        let batch = &mut *full.batch;
        self.sky.draw(batch, camera, seconds, share);
        objects::edge(stage, camera, batch);
        objects::zone(stage, camera, batch);
        objects::rocks(stage, camera, seconds, batch);
        objects::pickups(stage, camera, seconds, batch);
        objects::mines(stage, camera, seconds, batch);
        self.ships.draw(stage, camera, seconds, dt, (&mut *batch, &mut self.particles, &mut self.random));
        objects::shots(stage, camera, batch);
        objects::beams(stage, camera, batch);
        self.particles.draw_sprites(batch, |at, reach| camera.sees(at, reach));
        if stage.own.is_some() || stage.followed.is_some() {
            markers::labels(stage, camera, window, names, full);
        }
        self.markers.draw(stage, camera, window, seconds, full.batch);
    }
}
