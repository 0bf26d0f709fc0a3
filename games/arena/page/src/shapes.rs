//! The shapes and textures of the arena in the full renderer.

use broadside_client::{Shaders, Shape};

use crate::hulls;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        $($(#[$doc])* pub(crate) const $name: Shape = Shape::own($number);)*

        /// The shader's constants, generated so that the numbers cannot differ.
        const NUMBERS: &[(&str, u8)] = &[$((stringify!($name), $number)),*];
    };
}

shapes! {
    /// An engine's flame that blows along -x; numbers: phase, length as a share of the quad.
    FLAME = 0,
    /// A hull with its bow at +x; numbers: silhouette 0..=5, how far it flashes white.
    SHIP = 1,
    /// A rock, lit from a fixed direction regardless of its turn; number: relief 0..=7.
    ROCK = 2,
    /// A shield's bubble; numbers: strength, how brightly it was just hit.
    SHIELD = 3,
    /// A pickup's badge; number: 0 repair, 1 rapid fire, 2 shield.
    PICKUP = 4,
    /// A piece of the arena's edge along x with the outside at +y; number: distance along the edge in world units.
    WALL = 5,
    /// A bar; numbers: share filled with the tint, share of its upper half filled with the accent.
    BAR = 6,
    /// A soft arc around +x; number: half its angle in radians.
    WOUND = 7,
    /// A star; number: strength of its rays.
    STAR = 8,
    /// A glow along the edges of the quad.
    EDGE = 9,
    /// An arrowhead that points along +x.
    ARROW = 10,
    /// The radar's dial.
    RADAR = 11,
    /// A rail's beam along x; numbers: share of its life that has passed, its length in world units.
    BEAM = 12,
    /// The zone of a match, in the color of its holder; numbers: how far its ring is filled with the accent, whether it is
    /// contested.
    ZONE = 13,
}

#[must_use]
pub(crate) fn shaders() -> Shaders {
    let numbers: String = NUMBERS.iter().map(|(name, number)| format!("const int {name} = {number};\n")).collect();
    Shaders {
        shapes: Some(format!("{numbers}{}{}", hulls::glsl(), include_str!("shaders/shapes.frag"))),
        texture: Some(include_str!("shaders/rocks.frag")),
        sky: Some(include_str!("shaders/sky.frag")),
    }
}
