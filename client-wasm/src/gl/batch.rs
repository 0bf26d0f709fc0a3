//! Sprites, each drawn as one quad, and the buffer they are packed into.

use glam::Vec2;

use crate::color::Color;

/// What a sprite looks like: the fragment shader draws each. The shell's are constants here; those of a game are
/// [`Shape::own`], drawn by its [`Shaders`](crate::Shaders).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape(u8);

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl Shape {
            $($(#[$doc])* pub const $name: Shape = Shape($number);)*

            /// The shader's constants, generated so that the numbers cannot differ.
            #[must_use]
            pub(crate) fn glsl() -> String {
                let shapes = [$((stringify!($name), $number)),*];
                shapes.iter().map(|(name, number)| format!("const int {name} = {number};\n")).collect()
            }
        }
    };
}

shapes! {
    /// A soft round light.
    GLOW = 0,
    /// A sharp disc.
    DISC = 1,
    /// A soft ring; numbers: radius and thickness as shares of the quad.
    RING = 2,
    /// A bolt that flies along +x.
    BOLT = 3,
    /// A sharp rectangle.
    RECT = 4,
    /// A sharp part of a circle around +x; numbers: thickness as a share of the quad, half its angle in radians.
    ARC = 5,
    /// A sharp triangle on the lower edge of the quad, whose other edges are not softened, so that triangles join to a polygon;
    /// numbers: x of the upper corner, and x of the base's end on that side if the corner is above none of the base.
    TRIANGLE = 6,
    /// A text; numbers: its slot in the text atlas, the share of the slot it fills.
    TEXT = 7,
    /// A splinter; numbers: seed, how hot its edge glows in the accent.
    SHARD = 8,
    /// A puff of smoke; number: seed.
    SMOKE = 9,
}

/// Number of the first shape of a game, and of the last one.
const OWN: u8 = 32;
const LAST: u8 = 63;

impl Shape {
    /// The game's shape with this number, 0..=31: what its GLSL draws for it.
    ///
    /// # Panics
    /// If the number is larger; in a constant, at compile time.
    #[must_use]
    pub const fn own(number: u8) -> Shape {
        assert!(number <= LAST - OWN, "a game has at most 32 shapes");
        Shape(OWN + number)
    }
}

/// How a sprite is blended with what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blend {
    Cover,
    /// It adds light.
    Add,
}

/// One quad of the full renderer. Build it with [`Sprite::new`] and the methods that follow.
#[derive(Debug, Clone, Copy)]
pub struct Sprite {
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
    pub fn new(shape: Shape, at: Vec2, half: Vec2, tint: Color) -> Self {
        Sprite { at, half, turn: 0.0, shape, blend: Blend::Cover, numbers: [0.0; 2], tint, accent: Color::WHITE }
    }

    /// The same, adding its light to what is behind it.
    #[must_use]
    pub fn light(shape: Shape, at: Vec2, half: Vec2, tint: Color) -> Self {
        Sprite { blend: Blend::Add, ..Sprite::new(shape, at, half, tint) }
    }

    /// Turns it by `radians` from +x toward +y.
    #[must_use]
    pub fn turned(self, radians: f32) -> Self {
        Sprite { turn: radians, ..self }
    }

    /// Sets the two numbers of its shape.
    #[must_use]
    pub fn with(self, first: f32, second: f32) -> Self {
        Sprite { numbers: [first, second], ..self }
    }

    /// Sets its second color; what that colors is up to the shape.
    #[must_use]
    pub fn accent(self, accent: Color) -> Self {
        Sprite { accent, ..self }
    }
}

/// Bytes of one instance: position and size 16, turn, shape and numbers 16, tint 4, accent 4.
pub(crate) const INSTANCE_BYTES: usize = 40;
/// Most sprites of one image; later ones are left out.
pub(crate) const SPRITES_MAX: usize = 12_000;

/// Which sprites cover which, from back to front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The ground, stars, smoke.
    Back,
    /// Things. What a [`Pen`](crate::Pen) draws is here.
    Solid,
    /// Flames, shots, sparks.
    Light,
    /// Names, marks, maps.
    Top,
}

/// An image's sprites by layer. Kept between images, so that a steady image allocates nothing.
#[derive(Debug, Default)]
pub struct Batch {
    layers: [Vec<u8>; 4],
}

impl Batch {
    /// Removes every sprite and keeps the allocations.
    pub(crate) fn clear(&mut self) {
        self.layers.iter_mut().for_each(Vec::clear);
    }

    /// Adds a sprite on top of its layer.
    pub fn add(&mut self, layer: Layer, sprite: &Sprite) {
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
            f32::from(sprite.shape.0) + added,
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
        let sprite = |tint| Sprite::new(Shape::DISC, Vec2::new(1.0, 2.0), Vec2::ONE, tint);
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
        assert_eq!(Shape::own(31), Shape(LAST));
        const { assert!(Shape::SMOKE.0 < OWN && LAST < 64) };
        assert!(Shape::glsl().contains("const int GLOW = 0;"));
    }
}
