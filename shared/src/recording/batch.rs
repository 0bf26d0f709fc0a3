//! The ticks of a second: what the game was called with, and hashes of its world.
//!
//! ```text
//! batch   := first tick, ticks, gap to the next tick - 1...,
//!            calls, { tick, bytes, call }..., columns, player - the one before..., changes of inputs, input..., changes of lags, lag...,
//!            hashed ticks, low four bits of each hash..., 0 or { 1, hash:u64 }
//! changes := how many of each column..., ticks since the last change...
//! ```
//! Numbers are LEB128, and a call is as the codec of control messages writes it. A column has the inputs of one player: held inputs, of which
//! there are many, take no space. If all fields of an input are numbers, the inputs are written field by field, and within a field the high bytes of all
//! inputs first: like stands beside like, which [`pack`](super::pack) makes use of. A field of more than eight bits is written as the difference from the input before.
//! Other inputs are written as in a packet, one after the other.

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
    /// The low four bits of the world's hash after each tick, as far as they were stepped; empty where that would cost too much.
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
        let mut out = Vec::new();
        number(self.ticks.first().map_or(0, |tick| tick.0), &mut out);
        number(self.ticks.len() as u32, &mut out);
        self.ticks.windows(2).for_each(|pair| number(pair[1].since(pair[0]) - 1, &mut out));
        number(self.calls.len() as u32, &mut out);
        for (at, call) in &self.calls {
            let call = saved::save(call);
            number((*at).into(), &mut out);
            number(call.len() as u32, &mut out);
            out.extend(call);
        }
        number(self.columns.len() as u32, &mut out);
        let mut before = 0;
        for column in &self.columns {
            number((column.player.0 - before).into(), &mut out);
            before = column.player.0;
        }
        write_changes(self.columns.iter().map(|column| &column.inputs), &mut out);
        self.write_inputs(&mut out);
        write_changes(self.columns.iter().map(|column| &column.lags), &mut out);
        self.columns.iter().flat_map(|column| &column.lags).for_each(|(_, lag)| number(*lag, &mut out));
        number(self.hashes.len() as u32, &mut out);
        out.extend(self.hashes.chunks(2).map(|pair| pair[0] | pair.get(1).map_or(0, |second| second << 4)));
        out.push(self.hash.is_some().into());
        self.hash.into_iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        out
    }

    fn write_inputs(&self, out: &mut Vec<u8>) {
        let widths = widths(&G::Input::LAYOUT);
        if widths.is_empty() {
            let mut bits = BitWriter::new(out);
            self.columns.iter().flat_map(|column| &column.inputs).for_each(|(_, input)| input.write(&mut bits));
            return bits.finish();
        }
        let mut numbers = Vec::new();
        for column in &self.columns {
            let mut before = fields(G::Input::default(), &widths);
            for (_, input) in &column.inputs {
                let input = fields(*input, &widths);
                let fields = input.iter().zip(&before).zip(&widths);
                numbers.extend(fields.map(|((value, before), width)| match width {
                    ..=8 => *value,
                    _ => zigzag(difference(*value, *before, *width)),
                }));
                before = input;
            }
        }
        for (field, width) in widths.iter().enumerate() {
            for byte in (0..width.div_ceil(8)).rev() {
                out.extend(numbers.iter().skip(field).step_by(widths.len()).map(|number| (number >> (8 * byte)) as u8));
            }
        }
    }

    /// Reads what [`Batch::encode`] wrote.
    ///
    /// # Errors
    /// The reason the bytes are not a batch.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut from = Bytes(bytes);
        let first = Tick(from.number()?);
        let count = from.count(TICKS_MAX, "ticks of a batch")?;
        let mut ticks = Vec::with_capacity(count);
        for _ in 0..count {
            let tick =
                ticks.last().map_or(Ok(first), |last: &Tick| Ok(last.after(from.number()?.saturating_add(1))))?;
            ticks.push(tick);
        }
        let mut calls = Vec::new();
        for _ in 0..from.count(CALLS_MAX, "calls of a batch")? {
            let at = place(from.number()?, count + 1)?;
            let length = from.count(CALL_BYTES_MAX, "bytes of a call")?;
            calls.push((at, saved::load(from.take(length)?)?));
        }
        let mut columns: Vec<Column<G::Input>> = Vec::new();
        for _ in 0..from.count(CALLS_MAX, "columns of a batch")? {
            let before = columns.last().map_or(0, |column| column.player.0);
            columns.push(Column::new(PlayerId(before.wrapping_add(from.number()? as u16))));
        }
        for (column, places) in from.changes(columns.len(), count)?.into_iter().enumerate() {
            columns[column].inputs = places.into_iter().map(|place| (place, G::Input::default())).collect();
        }
        read_inputs(&mut columns, &mut from)?;
        for (column, places) in from.changes(columns.len(), count)?.into_iter().enumerate() {
            columns[column].lags = places.into_iter().map(|place| (place, 0)).collect();
        }
        for (_, lag) in columns.iter_mut().flat_map(|column| &mut column.lags) {
            *lag = from.number()?;
        }
        let hashed = from.count(count, "hashes of a batch")?;
        let packed = from.take(hashed.div_ceil(2))?;
        let hashes = packed.iter().flat_map(|pair| [pair & 15, pair >> 4]).take(hashed).collect();
        let hash = match from.number()? {
            0 => None,
            _ => Some(u64::from_le_bytes(from.take(8)?.try_into().expect("eight bytes"))),
        };
        if !from.0.is_empty() {
            return Err(WireError::Long(from.0.len()));
        }
        Ok(Batch { ticks, calls, columns, hashes, hash })
    }
}

fn read_inputs<I: GameInput>(columns: &mut [Column<I>], from: &mut Bytes<'_>) -> Result<(), WireError> {
    let widths = widths(&I::LAYOUT);
    if widths.is_empty() {
        let mut bits = BitReader::new(from.0);
        for (_, input) in columns.iter_mut().flat_map(|column| &mut column.inputs) {
            *input = I::read(&mut bits)?;
        }
        from.take(bits.align()?)?;
        return Ok(());
    }
    let inputs = columns.iter().map(|column| column.inputs.len()).sum::<usize>();
    let mut numbers = vec![0u32; inputs * widths.len()];
    for (field, width) in widths.iter().enumerate() {
        for _ in 0..width.div_ceil(8) {
            let bytes = from.take(inputs)?;
            for (number, byte) in numbers.iter_mut().skip(field).step_by(widths.len()).zip(bytes) {
                *number = *number << 8 | u32::from(*byte);
            }
        }
    }
    let mut numbers = numbers.chunks(widths.len());
    for column in columns {
        let mut before = fields(I::default(), &widths);
        for (_, input) in &mut column.inputs {
            let numbers = numbers.next().unwrap_or_default();
            let mut bytes = Vec::new();
            let mut out = BitWriter::new(&mut bytes);
            for ((number, before), width) in numbers.iter().zip(&mut before).zip(&widths) {
                *before = mask(*width)
                    & match width {
                        ..=8 => *number,
                        _ => before.wrapping_add_signed(unzigzag(*number)),
                    };
                out.bits(*before, *width);
            }
            out.finish();
            *input = I::read(&mut BitReader::new(&bytes))?;
        }
    }
    Ok(())
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

/// Small numbers for differences of either sign.
fn zigzag(difference: i32) -> u32 {
    (difference << 1 ^ difference >> 31).cast_unsigned()
}

fn unzigzag(number: u32) -> i32 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// A number in LEB128.
fn number(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_changes<'a, T: 'a>(columns: impl Iterator<Item = &'a Vec<(u16, T)>> + Clone, out: &mut Vec<u8>) {
    columns.clone().for_each(|changes| number(changes.len() as u32, out));
    for changes in columns {
        let mut last = 0;
        for (at, _) in changes {
            number(u32::from(at - last), out);
            last = *at;
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, WireError> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(WireError::Range { what: "number of a batch", value: u64::from(u32::MAX) + 1, limit: u32::MAX.into() })
    }

    fn count(&mut self, max: usize, what: &'static str) -> Result<usize, WireError> {
        let count = self.number()?;
        if count as usize > max {
            return Err(WireError::Range { what, value: count.into(), limit: max as u64 });
        }
        Ok(count as usize)
    }

    /// The places of the changes of so many columns, among so many ticks.
    fn changes(&mut self, columns: usize, ticks: usize) -> Result<Vec<Vec<u16>>, WireError> {
        let counts = (0..columns).map(|_| self.count(ticks, "changes of a column"));
        let counts = counts.collect::<Result<Vec<_>, _>>()?;
        let mut column = |count| {
            let mut last = 0u32;
            let mut next = || {
                last = last.saturating_add(self.number()?);
                place(last, ticks)
            };
            (0..count).map(|_| next()).collect()
        };
        counts.into_iter().map(&mut column).collect()
    }
}

/// A place among `ticks` ticks.
fn place(at: u32, ticks: usize) -> Result<u16, WireError> {
    match u16::try_from(at) {
        Ok(place) if usize::from(place) < ticks => Ok(place),
        _ => Err(WireError::Range { what: "tick of a batch", value: at.into(), limit: ticks as u64 }),
    }
}
