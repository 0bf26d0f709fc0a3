//! How a game's own values lie in their bits, as data: `GET /api/schema` serves it, and clients in other languages read
//! and write by it.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Layout {
    /// As [`codec::write_value`](crate::protocol::codec::write_value) writes it: the server finds the fields of the type
    /// by itself.
    Codec,
    /// A plain number of this many bits, 1 to 32.
    Bits(u8),
    /// A number of `bits` bits, plus `lowest`, times `step`.
    Scaled {
        /// Bits of the number, 1 to 32.
        bits: u8,
        /// What is added to it.
        lowest: i32,
        /// What the sum is multiplied by.
        step: f32,
    },
    /// One bit.
    Flag,
    /// A float of 32 bits.
    F32,
    /// An unsigned number in a Golomb code of this order.
    Golomb(u8),
    /// A signed number in a Golomb code of this order.
    Signed(u8),
    /// A flag, then the value if it is 1.
    Option(&'static Layout),
    /// The number of elements in a Golomb code of order `k`, then the elements.
    List {
        /// Order of the code.
        k: u8,
        /// The layout of each element.
        of: &'static Layout,
    },
    /// One after the other, each with its name. Without fields, nothing.
    Fields(&'static [(&'static str, Layout)]),
    /// The number of a variant in `bits` bits, then that variant.
    Choice {
        /// Bits of the number.
        bits: u8,
        /// The variants with their names, from 0.
        variants: &'static [(&'static str, Layout)],
    },
}

impl Layout {
    /// Nothing: the content of a variant that is only a name.
    pub const NOTHING: Layout = Layout::Fields(&[]);
}
