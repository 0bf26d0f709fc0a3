//! What the own ship leaves behind while its engines burn, as the player has chosen it. Only they see it.

use broadside_client::{Color, Particle, ParticleShape, Random};
use glam::Vec2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Trail {
    #[default]
    Usual,
    /// A long bright tail.
    Comet,
    /// Rings that widen.
    Rings,
    /// Sparks that spray.
    Sparks,
    /// Puffs of smoke.
    Smoke,
}

/// How a trail looks in either renderer.
pub(crate) struct TrailLook {
    pub(crate) shape: ParticleShape,
    /// Of all particles that a usual trail has.
    pub(crate) share: f32,
    /// Seconds.
    pub(crate) life: f32,
    /// Half sizes at the start and at the end, in world units.
    pub(crate) size: (f32, f32),
    /// How strongly it covers, at first.
    pub(crate) strength: f32,
    /// World units per second to all sides.
    spray: f32,
}

impl Trail {
    /// The trail with a name of the settings.
    #[must_use]
    pub(crate) fn named(name: &str) -> Trail {
        match name {
            "comet" => Trail::Comet,
            "rings" => Trail::Rings,
            "sparks" => Trail::Sparks,
            "smoke" => Trail::Smoke,
            _ => Trail::Usual,
        }
    }

    #[must_use]
    pub(crate) fn look(self) -> TrailLook {
        let look = |shape, share, life, size, strength, spray| TrailLook { shape, share, life, size, strength, spray };
        match self {
            Trail::Usual => look(ParticleShape::Glow, 1.0, 0.55, (6.5, 1.5), 0.42, 26.0),
            Trail::Comet => look(ParticleShape::Glow, 1.0, 1.3, (11.0, 1.0), 0.5, 8.0),
            Trail::Rings => look(ParticleShape::Ring, 0.22, 0.8, (3.0, 17.0), 0.9, 0.0),
            Trail::Sparks => look(ParticleShape::Spark, 1.3, 0.45, (2.6, 0.8), 1.0, 120.0),
            Trail::Smoke => look(ParticleShape::Smoke, 0.5, 1.1, (6.0, 22.0), 0.45, 14.0),
        }
    }

    /// A particle of it that leaves a ship at `at`; the ship moves with `velocity` and its exhaust with `away` of that.
    #[must_use]
    pub(crate) fn particle(
        self,
        at: Vec2,
        (velocity, away): (Vec2, Vec2),
        color: Color,
        random: &mut Random,
    ) -> Particle {
        let look = self.look();
        let life = look.life * random.range(0.64, 1.36);
        let hot = Color::hex(0x8f_dcff).mix(color, 0.55);
        let colors = (hot.alpha(look.strength), color.alpha(0.0));
        let particle = Particle::new(look.shape, at, life, look.size, colors);
        particle.flying(velocity * 0.35 + away + random.direction() * look.spray, 2.2)
    }
}
