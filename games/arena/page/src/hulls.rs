//! The silhouettes of ships: one table for both renderers.

use broadside_arena::Craft;
use broadside_arena::rules::SHIP_RADIUS;
use glam::Vec2;

/// A hull is drawn a little larger than the circle that shots hit; otherwise its corners would seem armoured.
pub(crate) const HULL: f32 = SHIP_RADIUS * 1.42;
/// Corners of the upper half of a hull.
pub(crate) const CORNERS: usize = 9;

/// Upper halves of the hulls, bow at +x, mirrored in the x axis; a hull reaches about 1 from its middle. Two of each craft: the second
/// has a forked bow, and is that of the second team.
pub(crate) const HULLS: [[(f32, f32); CORNERS]; 6] = [
    // sloop: long nose, swept wings
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
    // twin prongs ahead
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
    // skiff: a needle with narrow wings
    [
        (1.16, 0.0),
        (0.80, 0.10),
        (0.30, 0.16),
        (-0.10, 0.24),
        (-0.50, 0.66),
        (-0.92, 0.74),
        (-0.62, 0.34),
        (-0.82, 0.18),
        (-0.70, 0.0),
    ],
    // thin prongs, swallow's tail
    [
        (0.18, 0.0),
        (0.24, 0.16),
        (0.98, 0.24),
        (1.10, 0.34),
        (0.30, 0.42),
        (-0.34, 0.56),
        (-0.94, 0.76),
        (-0.62, 0.26),
        (-0.66, 0.0),
    ],
    // brig: heavy bow, narrow waist
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
    // broad, with a notch in the bow
    [
        (0.52, 0.0),
        (0.56, 0.20),
        (0.94, 0.34),
        (0.98, 0.60),
        (0.44, 0.78),
        (-0.34, 0.86),
        (-0.82, 0.74),
        (-0.86, 0.34),
        (-0.72, 0.0),
    ],
];
/// Of each hull: the distance of the engines behind the middle and to each side, and of the cockpit ahead, in shares of the hull.
const PARTS: [(f32, f32, f32); 6] = [
    (0.66, 0.20, 0.30),
    (0.68, 0.48, 0.04),
    (0.74, 0.16, 0.26),
    (0.60, 0.20, -0.08),
    (0.66, 0.46, 0.30),
    (0.80, 0.50, 0.06),
];

/// The silhouette of a ship: its craft's. All others of a team share a bow, so that teams differ not only by color.
#[must_use]
pub(crate) fn silhouette(craft: Craft, team: Option<u8>, player: u16, own: bool) -> usize {
    let bow = match team {
        _ if own => 0,
        Some(team) => u16::from(team),
        None => player.wrapping_mul(40_503) >> 6,
    };
    2 * usize::from(craft.number()) + usize::from(bow & 1)
}

/// How large a silhouette is drawn, as a share of [`HULL`]: the same circle is hit in all of them.
#[must_use]
pub(crate) fn size(silhouette: usize) -> f32 {
    [1.0, 0.92, 1.16][silhouette / 2]
}

/// Where the engines are, in shares of the hull: distance behind the middle, and to each side.
#[must_use]
pub(crate) fn engines(silhouette: usize) -> (f32, f32) {
    let (behind, apart, _) = PARTS[silhouette];
    (behind, apart)
}

/// The middle of the cockpit, in shares of the hull ahead of the ship's own.
#[must_use]
pub(crate) fn cockpit(silhouette: usize) -> f32 {
    PARTS[silhouette].2
}

/// The whole outline of a hull, starting at the bow.
pub(crate) fn outline(silhouette: usize) -> impl Iterator<Item = Vec2> {
    let half = &HULLS[silhouette];
    // The first and the last corner lie on the axis and have no mirror image.
    let mirrored = half[1..CORNERS - 1].iter().rev().map(|(x, y)| Vec2::new(*x, -y));
    half.iter().map(|(x, y)| Vec2::new(*x, *y)).chain(mirrored)
}

/// The table in GLSL. Its numbers are hundredths, which the shader divides: what writes fractions would be a part of a first visit.
#[must_use]
pub(crate) fn glsl() -> String {
    let hundredths = |number: f32| ((number * 100.0).round() as i32).to_string();
    let corners =
        HULLS.iter().flatten().map(|(x, y)| ["vec2(", &hundredths(*x), ",", &hundredths(*y), ")/1e2"].concat());
    let (all, list) = (HULLS.len() * CORNERS, corners.collect::<Vec<_>>().join(","));
    let (hulls, glass) = (HULLS.len(), PARTS.map(|(.., cockpit)| hundredths(cockpit) + ".0/1e2").join(","));
    format!(
        "const int CORNERS = {CORNERS};\nconst vec2 HULLS[{all}] = vec2[{all}]({list});\n\
         const float COCKPITS[{hulls}] = float[{hulls}]({glass});\n"
    )
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
        assert!(glsl().contains("HULLS[54]") && glsl().contains("vec2(112,0)/1e2"), "{}", glsl());
    }

    #[test]
    fn each_craft_has_its_own_silhouettes_and_each_team_one_of_them() {
        for (at, craft) in Craft::ALL.into_iter().enumerate() {
            for player in 0..50 {
                assert_eq!(silhouette(craft, Some(0), player, false), 2 * at);
                assert_eq!(silhouette(craft, Some(1), player, false), 2 * at + 1);
                assert_eq!(silhouette(craft, Some(1), player, true), 2 * at);
                assert_eq!(silhouette(craft, None, player, false) / 2, at);
            }
        }
    }
}
