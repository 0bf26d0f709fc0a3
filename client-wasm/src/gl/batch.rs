//! Sprites, each drawn as one quad, and the buffer they are packed into.

use glam::Vec2;

use crate::color::Color;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $glsl:literal,)*) => {
        /// What a sprite looks like; the fragment shader draws each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Shape { $($(#[$doc])* $name,)* }

        impl Shape {
            /// The shader's constants, generated so that the numbers cannot differ.
            #[must_use]
            pub(crate) fn glsl() -> String {
                let mut source = String::new();
                $(source.push_str(&format!("const int {} = {};\n", $glsl, Shape::$name as u8));)*
                source
            }
        }
    };
}

shapes! {
    /// A soft round light.
    Glow = "GLOW",
    /// A sharp disc.
    Disc = "DISC",
    /// A soft ring; numbers: radius and thickness as shares of the quad.
    Ring = "RING",
    /// A bolt that flies along +x.
    Bolt = "BOLT",
    /// An engine's flame that blows along -x; numbers: phase, length as a share of the quad.
    Flame = "FLAME",
    /// A hull with its bow at +x; numbers: silhouette 0..=3, how far it flashes white.
    Ship = "SHIP",
    /// A rock, lit from a fixed direction regardless of its turn; number: relief 0..=7.
    Rock = "ROCK",
    /// A shield's bubble; numbers: strength, how brightly it was just hit.
    Shield = "SHIELD",
    /// A pickup's badge; number: 0 repair, 1 rapid fire, 2 shield.
    Pickup = "PICKUP",
    /// A piece of the arena's edge along x with the outside at +y; number: distance along the edge in world units.
    Wall = "WALL",
    /// A text; numbers: its slot in the text atlas, the share of the slot it fills.
    Text = "TEXT",
    /// A bar; numbers: share filled with the tint, share of its upper half filled with the accent.
    Bar = "BAR",
    /// A soft arc around +x; number: half its angle in radians.
    Arc = "ARC",
    /// A star; number: strength of its rays.
    Star = "STAR",
    /// A splinter; numbers: seed, how hot its edge glows in the accent.
    Shard = "SHARD",
    /// A glow along the edges of the quad.
    Edge = "EDGE",
    /// An arrowhead that points along +x.
    Arrow = "ARROW",
    /// The radar's dial.
    Radar = "RADAR",
    /// A rail's beam along x; numbers: share of its life that has passed, its length in world units.
    Beam = "BEAM",
    /// A puff of smoke; number: seed.
    Smoke = "SMOKE",
    /// The zone of a match, in the color of its holder; numbers: how far its ring is filled with the accent, whether it is
    /// contested.
    Zone = "ZONE",
}

/// How a sprite is blended with what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blend {
    Cover,
    /// It adds light.
    Add,
}

/// One quad. Build it with [`Sprite::new`] and the methods that follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sprite {
    at: Vec2,
    half: Vec2,
    turn: f32,
    shape: Shape,
    blend: Blend,
    numbers: [f32; 2],
    tint: Color,
    accent: Color,
}

impl Sprite {
    /// A covering sprite with half size `half` at `at`, both in world units.
    #[must_use]
    pub(crate) fn new(shape: Shape, at: Vec2, half: Vec2, tint: Color) -> Self {
        Sprite { at, half, turn: 0.0, shape, blend: Blend::Cover, numbers: [0.0; 2], tint, accent: Color::WHITE }
    }

    #[must_use]
    pub(crate) fn light(shape: Shape, at: Vec2, half: Vec2, tint: Color) -> Self {
        Sprite { blend: Blend::Add, ..Sprite::new(shape, at, half, tint) }
    }

    /// Turns it by `radians` from +x toward +y.
    #[must_use]
    pub(crate) fn turned(self, radians: f32) -> Self {
        Sprite { turn: radians, ..self }
    }

    /// Sets the two numbers of its shape.
    #[must_use]
    pub(crate) fn with(self, first: f32, second: f32) -> Self {
        Sprite { numbers: [first, second], ..self }
    }

    #[must_use]
    pub(crate) fn accent(self, accent: Color) -> Self {
        Sprite { accent, ..self }
    }
}

/// Bytes of one instance: position and size 16, turn, shape and numbers 16, tint 4, accent 4.
pub(crate) const INSTANCE_BYTES: usize = 40;
/// Most sprites of one image; later ones are left out.
pub(crate) const SPRITES_MAX: usize = 12_000;

/// Which sprites cover which, from back to front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Stars, the arena's edge, smoke.
    Back,
    /// Rocks, pickups, ships.
    Solid,
    /// Flames, shots, sparks.
    Light,
    /// Names, bars, radar.
    Top,
}

/// An image's sprites by layer. Kept between images, so that a steady image allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    layers: [Vec<u8>; 4],
}

impl Batch {
    /// Removes every sprite and keeps the allocations.
    pub(crate) fn clear(&mut self) {
        self.layers.iter_mut().for_each(Vec::clear);
    }

    /// Adds a sprite on top of its layer.
    pub(crate) fn add(&mut self, layer: Layer, sprite: &Sprite) {
        let bytes = &mut self.layers[layer as usize];
        if bytes.len() >= SPRITES_MAX * INSTANCE_BYTES / 2 {
            return; // A layer full of sparks looks the same without the last ones.
        }
        let added = match sprite.blend {
            Blend::Cover => 0.0,
            Blend::Add => 64.0,
        };
        let floats = [
            sprite.at.x,
            sprite.at.y,
            sprite.half.x,
            sprite.half.y,
            sprite.turn,
            f32::from(sprite.shape as u8) + added,
            sprite.numbers[0],
            sprite.numbers[1],
        ];
        for float in floats {
            bytes.extend_from_slice(&float.to_le_bytes());
        }
        bytes.extend_from_slice(&sprite.tint.bytes());
        bytes.extend_from_slice(&sprite.accent.bytes());
    }

    /// Every layer's instances, back to front.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &[u8]> {
        self.layers.iter().map(Vec::as_slice)
    }

    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.layers.iter().map(Vec::len).sum::<usize>() / INSTANCE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sprite_takes_one_instance_and_layers_keep_their_order() {
        let mut batch = Batch::default();
        let sprite = |tint| Sprite::new(Shape::Ship, Vec2::new(1.0, 2.0), Vec2::ONE, tint);
        batch.add(Layer::Top, &sprite(Color::hex(0x11_2233)));
        batch.add(Layer::Back, &sprite(Color::hex(0x44_5566)));
        let bytes: Vec<u8> = batch.layers().flatten().copied().collect();
        assert_eq!(bytes.len(), 2 * INSTANCE_BYTES);
        assert_eq!(&bytes[32..36], &[0x44, 0x55, 0x66, 0xff]);
        assert_eq!(batch.len(), 2);
        batch.clear();
        assert_eq!(batch.len(), 0);
    }

    #[test]
    fn every_shape_fits_below_the_bit_that_means_light() {
        assert!((Shape::Zone as u8) < 64);
        assert!(Shape::glsl().contains("const int GLOW = 0;"));
    }
}
