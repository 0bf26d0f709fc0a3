//! Trigonometry that gives the same bits natively and in wasm.
//!
//! The standard library delegates `sin`, `cos` and `atan2` to the platform, whose last bits differ from machine to
//! machine. The pure-Rust `libm` does not. `+ - * /` and `sqrt` are exact by IEEE 754; fused multiply-add is never
//! used.

use glam::Vec2;
use std::f32::consts::{PI, TAU};

/// Sine of `radians`.
#[must_use]
pub fn sin(radians: f32) -> f32 {
    libm::sinf(radians)
}

/// Cosine of `radians`.
#[must_use]
pub fn cos(radians: f32) -> f32 {
    libm::cosf(radians)
}

/// Angle of the vector `v` in radians, -PI..=PI, 0 along +x; 0 for the zero vector.
#[must_use]
pub fn angle_of(v: Vec2) -> f32 {
    libm::atan2f(v.y, v.x)
}

/// The unit vector at `radians`.
#[must_use]
pub fn heading(radians: f32) -> Vec2 {
    let (sin, cos) = libm::sincosf(radians);
    Vec2::new(cos, sin)
}

/// The largest integer at or below `value`, saturating at the limits of `i32`; 0 for NaN. Equal to `libm::floorf`,
/// without the call.
#[must_use]
#[inline]
pub fn floor(value: f32) -> i32 {
    let whole = value as i32;
    whole.saturating_sub(i32::from(whole as f32 > value))
}

/// `radians` wrapped into -PI..PI, for angles at most a few turns away.
#[must_use]
pub fn wrap_angle(radians: f32) -> f32 {
    let mut a = radians % TAU;
    if a >= PI {
        a -= TAU;
    } else if a < -PI {
        a += TAU;
    }
    a
}

/// The shortest turn from one angle to another, -PI..PI.
#[must_use]
pub fn turn_between(from: f32, to: f32) -> f32 {
    wrap_angle(to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_the_cosine_and_the_sine() {
        let mut rng = fastrand::Rng::with_seed(29);
        let turns = (0..=u16::MAX).map(|turn| f32::from(turn) * (TAU / 65_536.0));
        let random = (0..1_000_000).map(|_| f32::from_bits(rng.u32(..)));
        for radians in turns.chain(random).flat_map(|radians| [radians, -radians]).filter(|r| r.is_finite()) {
            let (heading, apart) = (heading(radians), [cos(radians), sin(radians)]);
            assert_eq!(heading.to_array().map(f32::to_bits), apart.map(f32::to_bits), "{radians}");
        }
    }

    #[test]
    fn a_floor_is_that_of_the_mathematical_library() {
        let mut rng = fastrand::Rng::with_seed(23);
        let edges = [0.0, -0.0, 1.0, -1.0, -0.1, 0.9, 3e9, -3e9, 16_777_217.0, -8_388_607.5, f32::NAN, f32::INFINITY];
        let random = (0..200_000).map(|_| f32::from_bits(rng.u32(..)));
        for value in edges.into_iter().chain(random) {
            assert_eq!(floor(value), libm::floorf(value) as i32, "{value}");
        }
    }

    #[test]
    fn the_shortest_turn_crosses_the_seam() {
        let turn = turn_between(PI - 0.1, -PI + 0.1);
        assert!((turn - 0.2).abs() < 1e-5, "{turn}");
        let back = turn_between(-PI + 0.1, PI - 0.1);
        assert!((back + 0.2).abs() < 1e-5, "{back}");
    }
}
