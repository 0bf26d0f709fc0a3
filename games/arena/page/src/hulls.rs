//! The silhouettes of ships: one table for both renderers.

use broadside_arena::rules::SHIP_RADIUS;
use glam::Vec2;

/// A hull is drawn a little larger than the circle that shots hit; otherwise its corners would seem armoured.
pub(crate) const HULL: f32 = SHIP_RADIUS * 1.42;
/// Corners of the upper half of a hull.
pub(crate) const CORNERS: usize = 9;

/// Upper halves of the hulls, bow at +x, mirrored in the x axis; a hull reaches about 1 from its middle.
pub(crate) const HULLS: [[(f32, f32); CORNERS]; 4] = [
    // dart: long nose, swept wings
    [
        (1.12, 0.0),
        (0.72, 0.13),
        (0.22, 0.22),
        (-0.12, 0.46),
        (-0.62, 0.92),
        (-0.86, 0.90),
        (-0.60, 0.44),
        (-0.78, 0.26),
        (-0.66, 0.0),
    ],
    // manta: broad and curved
    [
        (0.92, 0.0),
        (0.86, 0.20),
        (0.46, 0.40),
        (0.24, 0.78),
        (-0.20, 1.0),
        (-0.12, 0.62),
        (-0.56, 0.46),
        (-0.84, 0.20),
        (-0.58, 0.0),
    ],
    // fork: twin prongs ahead
    [
        (0.34, 0.0),
        (0.40, 0.22),
        (1.02, 0.36),
        (1.06, 0.52),
        (0.30, 0.62),
        (-0.30, 0.84),
        (-0.80, 0.72),
        (-0.58, 0.30),
        (-0.74, 0.0),
    ],
    // hammer: heavy bow, narrow waist
    [
        (1.0, 0.0),
        (0.98, 0.24),
        (0.60, 0.50),
        (0.22, 0.44),
        (0.04, 0.26),
        (-0.30, 0.34),
        (-0.52, 0.84),
        (-0.88, 0.62),
        (-0.64, 0.0),
    ],
];

/// The silhouette of a player's ship. All others of a team share one, so that teams differ not only by color.
#[must_use]
pub(crate) fn silhouette(player: u16, team: Option<u8>, own: bool) -> usize {
    if own {
        0
    } else if let Some(team) = team {
        (1 + usize::from(team)).min(HULLS.len() - 1)
    } else {
        usize::from(player.wrapping_mul(40_503) >> 6 & 3)
    }
}

/// Where the engines are, in shares of the hull: distance behind the middle, and to each side.
#[must_use]
pub(crate) fn engines(silhouette: usize) -> (f32, f32) {
    match silhouette {
        0 => (0.66, 0.20),
        1 => (0.64, 0.24),
        2 => (0.68, 0.48),
        _ => (0.66, 0.46),
    }
}

/// The middle of the cockpit, in shares of the hull ahead of the ship's own.
#[must_use]
pub(crate) fn cockpit(silhouette: usize) -> f32 {
    if silhouette == 2 { 0.04 } else { 0.30 }
}

/// The whole outline of a hull, starting at the bow.
pub(crate) fn outline(silhouette: usize) -> impl Iterator<Item = Vec2> {
    let half = &HULLS[silhouette];
    // The first and the last corner lie on the axis and have no mirror image.
    let mirrored = half[1..CORNERS - 1].iter().rev().map(|(x, y)| Vec2::new(*x, -y));
    half.iter().map(|(x, y)| Vec2::new(*x, *y)).chain(mirrored)
}

/// The table in GLSL.
#[must_use]
pub(crate) fn glsl() -> String {
    let corners: Vec<String> = HULLS.iter().flatten().map(|(x, y)| format!("vec2({x:?}, {y:?})")).collect();
    let (all, list) = (corners.len(), corners.join(", "));
    format!("const int CORNERS = {CORNERS};\nconst vec2 HULLS[{all}] = vec2[{all}]({list});\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hull_is_closed_symmetric_and_starts_and_ends_on_its_axis() {
        for (kind, hull) in HULLS.iter().enumerate() {
            assert_eq!((hull[0].1, hull[CORNERS - 1].1), (0.0, 0.0));
            let corners: Vec<Vec2> = outline(kind).collect();
            assert_eq!(corners.len(), 2 * CORNERS - 2);
            for corner in &corners {
                assert!(corners.contains(&Vec2::new(corner.x, -corner.y)), "{kind}: {corner}");
                assert!(corner.length() < 1.25, "{kind}: {corner}");
            }
        }
        assert!(glsl().contains("HULLS[36]") && glsl().contains("vec2(1.12, 0.0)"), "{}", glsl());
    }

    #[test]
    fn each_team_has_its_own_silhouette() {
        for player in 0..50 {
            assert_eq!(silhouette(player, Some(0), false), 1);
            assert_eq!(silhouette(player, Some(1), false), 2);
            assert_eq!(silhouette(player, Some(1), true), 0);
        }
    }
}
