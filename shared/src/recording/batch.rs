//! The ticks of a second: what the game was called with, and hashes of its world.
//!
//! ```text
//! batch   := first tick:u32, ticks (golomb 5), gap to the next tick - 1 (golomb 0)...,
//!            calls (golomb 0), call..., columns (golomb 4), column...,
//!            hashed ticks (golomb 5), low byte of each hash..., whole:bit, [hash:u64], padding
//! call    := tick (golomb 5), bytes (golomb 4), the call as the codec of control messages writes it
//! column  := player:u16, input changes, lag changes
//! changes := { 1:bit, ticks since the last change (golomb 2), value }... 0:bit
//! ```
//! A column has the inputs of one player: held inputs, of which there are many, take no space. The first input of a column is written as in
//! a packet. If all fields of an input are numbers, each later one is: for each field, a bit whether it is another, and the difference.

use crate::game::Game;
use crate::ids::PlayerId;
use crate::protocol::input::GameInput;
use crate::protocol::name::Name;
use crate::replication::bits::{BitReader, BitWriter, WireError};
use crate::replication::layout::Layout;
use crate::saved;
use crate::time::Tick;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Most ticks of a batch: a second at the highest rate.
const TICKS_MAX: usize = 120;
/// Most calls and most columns: every seat of the largest room, more than once.
const CALLS_MAX: usize = 1 << 18;
/// Most bytes of a call.
const CALL_BYTES_MAX: usize = 4096;

/// What a game is called with before a tick, besides inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "R: Serialize + DeserializeOwned")]
pub enum Call<R> {
    Join {
        player: PlayerId,
        name: Name,
    },
    Leave {
        player: PlayerId,
    },
    /// The game is not called: only the name is another.
    Rename {
        player: PlayerId,
        name: Name,
    },
    Request {
        player: PlayerId,
        request: R,
    },
}

/// The inputs of one player, as changes: each with its place among the ticks of the batch, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<I> {
    pub player: PlayerId,
    pub inputs: Vec<(u16, I)>,
    /// How far behind the tick the player saw, in sixteenths of a tick.
    pub lags: Vec<(u16, u32)>,
}

impl<I> Column<I> {
    pub fn new(player: PlayerId) -> Self {
        Column { player, inputs: Vec::new(), lags: Vec::new() }
    }
}

/// The ticks of about a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<G: Game> {
    /// In order; ticks may be left out.
    pub ticks: Vec<Tick>,
    /// Before which tick, by its place, and what.
    pub calls: Vec<(u16, Call<G::Request>)>,
    /// In order of player.
    pub columns: Vec<Column<G::Input>>,
    /// The low byte of the world's hash after each tick, as far as they were stepped; empty where that would cost too much.
    pub hashes: Vec<u8>,
    /// The hash after the last tick; `None` if that was not stepped.
    pub hash: Option<u64>,
}

impl<G: Game> Default for Batch<G> {
    fn default() -> Self {
        Batch { ticks: Vec::new(), calls: Vec::new(), columns: Vec::new(), hashes: Vec::new(), hash: None }
    }
}

impl<G: Game> Batch<G> {
    /// The batch as the payload of a block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = BitWriter::new(&mut bytes);
        out.bits(self.ticks.first().map_or(0, |tick| tick.0), 32);
        out.golomb(self.ticks.len() as u32, 5);
        for pair in self.ticks.windows(2) {
            out.golomb(pair[1].since(pair[0]) - 1, 0);
        }
        out.golomb(self.calls.len() as u32, 0);
        for (at, call) in &self.calls {
            let call = saved::save(call);
            out.golomb((*at).into(), 5);
            out.golomb(call.len() as u32, 4);
            call.iter().for_each(|byte| out.bits((*byte).into(), 8));
        }
        let widths = widths(&G::Input::LAYOUT);
        out.golomb(self.columns.len() as u32, 4);
        for Column { player, inputs, lags } in &self.columns {
            out.bits(player.0.into(), 16);
            let mut before = None;
            write_changes(inputs, &mut out, |input, out| {
                write_input::<G::Input>(*input, before, &widths, out);
                before = Some(*input);
            });
            write_changes(lags, &mut out, |lag, out| out.golomb(*lag, 6));
        }
        out.golomb(self.hashes.len() as u32, 5);
        self.hashes.iter().for_each(|hash| out.bits((*hash).into(), 8));
        out.flag(self.hash.is_some());
        if let Some(hash) = self.hash {
            out.bits(hash as u32, 32);
            out.bits((hash >> 32) as u32, 32);
        }
        out.finish();
        bytes
    }

    /// Reads what [`Batch::encode`] wrote.
    ///
    /// # Errors
    /// The reason the bytes are not a batch.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut bits = BitReader::new(bytes);
        let first = Tick(bits.bits(32)?);
        let count = bits.count(5, TICKS_MAX, "ticks of a batch")?;
        let mut ticks = Vec::with_capacity(count);
        for _ in 0..count {
            let tick =
                ticks.last().map_or(Ok(first), |last: &Tick| Ok(last.after(bits.golomb(0)?.saturating_add(1))))?;
            ticks.push(tick);
        }
        let mut calls = Vec::new();
        for _ in 0..bits.count(0, CALLS_MAX, "calls of a batch")? {
            let at = place(bits.golomb(5)?, count + 1)?;
            let length = bits.count(4, CALL_BYTES_MAX, "bytes of a call")?;
            let call = (0..length).map(|_| Ok(bits.bits(8)? as u8)).collect::<Result<Vec<u8>, WireError>>()?;
            calls.push((at, saved::load(&call)?));
        }
        let widths = widths(&G::Input::LAYOUT);
        let mut columns = Vec::new();
        for _ in 0..bits.count(4, CALLS_MAX, "columns of a batch")? {
            let player = PlayerId(bits.bits(16)? as u16);
            let mut before = None;
            let inputs = read_changes(count, &mut bits, |bits| {
                let input = read_input::<G::Input>(before, &widths, bits)?;
                before = Some(input);
                Ok(input)
            })?;
            let lags = read_changes(count, &mut bits, |bits| bits.golomb(6))?;
            columns.push(Column { player, inputs, lags });
        }
        let hashed = bits.count(5, count, "hashes of a batch")?;
        let hashes = (0..hashed).map(|_| Ok(bits.bits(8)? as u8)).collect::<Result<Vec<u8>, WireError>>()?;
        let hash = match bits.flag()? {
            true => Some(u64::from(bits.bits(32)?) | u64::from(bits.bits(32)?) << 32),
            false => None,
        };
        bits.finish()?;
        Ok(Batch { ticks, calls, columns, hashes, hash })
    }
}

/// The widths of an input's fields in bits, if all of them are numbers of a fixed width; otherwise nothing.
fn widths(layout: &Layout) -> Vec<u32> {
    let Layout::Fields(fields) = layout else { return Vec::new() };
    let width = |(_, layout): &(&str, Layout)| match layout {
        Layout::Bits(bits) | Layout::Scaled { bits, .. } => Some(u32::from(*bits)),
        Layout::Flag => Some(1),
        _ => None,
    };
    fields.iter().map(width).collect::<Option<Vec<u32>>>().unwrap_or_default()
}

fn write_input<I: GameInput>(input: I, before: Option<I>, widths: &[u32], out: &mut BitWriter) {
    let (Some(before), false) = (before, widths.is_empty()) else { return input.write(out) };
    for ((value, before), width) in fields(input, widths).into_iter().zip(fields(before, widths)).zip(widths) {
        out.flag(value != before);
        if value != before {
            out.signed(difference(value, before, *width), width / 2);
        }
    }
}

fn read_input<I: GameInput>(before: Option<I>, widths: &[u32], bits: &mut BitReader<'_>) -> Result<I, WireError> {
    let (Some(before), false) = (before, widths.is_empty()) else { return I::read(bits) };
    let mut bytes = Vec::new();
    let mut out = BitWriter::new(&mut bytes);
    for (before, width) in fields(before, widths).into_iter().zip(widths) {
        let difference = if bits.flag()? { bits.signed(width / 2)? } else { 0 };
        out.bits(before.wrapping_add_signed(difference) & mask(*width), *width);
    }
    out.finish();
    I::read(&mut BitReader::new(&bytes))
}

/// The fields of an input as numbers.
fn fields<I: GameInput>(input: I, widths: &[u32]) -> Vec<u32> {
    let mut bytes = Vec::new();
    let mut out = BitWriter::new(&mut bytes);
    input.write(&mut out);
    out.finish();
    let mut bits = BitReader::new(&bytes);
    widths.iter().map(|width| bits.bits(*width).expect("an input has the bits of its layout")).collect()
}

/// The shorter way from one number of so many bits to another, as from 359 to 1 degrees.
fn difference(value: u32, before: u32, width: u32) -> i32 {
    let unused = 32 - width;
    ((value.wrapping_sub(before) << unused).cast_signed()) >> unused
}

fn mask(width: u32) -> u32 {
    u32::MAX >> (32 - width)
}

fn write_changes<T>(changes: &[(u16, T)], out: &mut BitWriter, mut write: impl FnMut(&T, &mut BitWriter)) {
    let mut last = 0;
    for (at, value) in changes {
        out.flag(true);
        out.golomb(u32::from(at - last), 2);
        write(value, out);
        last = *at;
    }
    out.flag(false);
}

fn read_changes<T>(
    ticks: usize,
    bits: &mut BitReader<'_>,
    mut read: impl FnMut(&mut BitReader<'_>) -> Result<T, WireError>,
) -> Result<Vec<(u16, T)>, WireError> {
    let (mut changes, mut last) = (Vec::new(), 0u32);
    while bits.flag()? {
        last = last.saturating_add(bits.golomb(2)?);
        let at = place(last, ticks)?;
        changes.push((at, read(bits)?));
        if changes.len() > ticks {
            return Err(WireError::Range {
                what: "changes of a column",
                value: changes.len() as u64,
                limit: ticks as u64,
            });
        }
    }
    Ok(changes)
}

/// A place among `ticks` ticks.
fn place(at: u32, ticks: usize) -> Result<u16, WireError> {
    match u16::try_from(at) {
        Ok(place) if usize::from(place) < ticks => Ok(place),
        _ => Err(WireError::Range { what: "tick of a batch", value: at.into(), limit: ticks as u64 }),
    }
}
