//! The layout of one cell at one tick, as a delta against an earlier state or as a keyframe, and its decoding.
//!
//! Law: decoding the encoding of `new` against `base` gives `new`, for all states. Records are in
//! order of id on both sides, so that retained ones need no number. An entity that migrated from a neighbour cell is
//! named by its index there, for readers that have the neighbour at the same baseline; other readers receive it in
//! full.
//!
//! ```text
//! cell      := keyframe:1, [not keyframe: cross_cell:1, removed, update of each retained record that moves,
//!              [cross_cell: migrated]], spawned, padding to a byte
//! removed   := any:1, [any: kept:1 for each base record]
//! update    := as_predicted:1, [not: dv x, dv y, dp x, dp y, the turn of each angle (signed codes), rest_same:1,
//!              [not: for each other field same:1, [diff (signed code)]]]
//! migrated  := count (golomb 0), then for each in order of id: direction:3, index in the neighbour's base records (in as
//!              many bits as their number needs), [moves: update]
//! spawned   := count (golomb 0), then for each in order of id: id gap - 1 (golomb 13), kind:3, every field in full
//! ```

use super::bits::{BitReader, WireError};
use super::cells::CellId;
use super::fields::{FIELDS_MAX, FieldRole, FieldSpec, KindSpec, Motion, Record, VELOCITY_TICKS};
use crate::ids::EntityId;
use crate::time::Tick;

/// Most records that are sent of a cell. A larger cell (in play few entities overlap, so that there is none) sends those with
/// the lowest ids.
pub const CELL_RECORDS_MAX: usize = 4096;
/// Order of the code of the gap between the ids of spawned entities: in a busy world they are spread over all 16 bits.
pub(super) const ID_GAP_K: u32 = 13;

/// The state of a cell that the reader has.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    /// Its records, in order of id.
    pub records: &'a [Record],
    /// Their tick.
    pub tick: Tick,
    /// The records of the neighbour cell in a direction of [`CellId::neighbour`], at the same tick; empty if the reader
    /// does not have that cell. Called only for migrated entities.
    pub around: &'a dyn Fn(u8) -> &'a [Record],
}

/// The records of a cell that are sent.
pub(super) fn bounded(records: &[Record]) -> &[Record] {
    &records[..records.len().min(CELL_RECORDS_MAX)]
}

/// Decodes one cell and appends its records to `out`, in order of id. Leaves `bits` at the first byte after the cell.
/// # Errors
/// [`WireError::Baseline`] for a delta without `base`; otherwise what is wrong with the bytes. The appended records are
/// then invalid.
pub(crate) fn decode(
    kinds: &[KindSpec],
    cell: CellId,
    tick: Tick,
    base: Option<Base>,
    bits: &mut BitReader,
    out: &mut Vec<Record>,
) -> Result<(), WireError> {
    let from = out.len();
    let keyframe = bits.flag()?;
    if !keyframe {
        let base = base.ok_or(WireError::Baseline)?;
        let (cross_cell, ticks) = (bits.flag()?, tick.since(base.tick));
        read_retained(kinds, ticks, bounded(base.records), bits, out)?;
        if cross_cell {
            read_migrated(kinds, ticks, base.around, bits, out)?;
        }
    }
    read_spawned(kinds, cell, tick, bits, out)?;
    bits.align()?;
    in_order(&mut out[from..])
}

fn read_retained(
    kinds: &[KindSpec],
    ticks: u32,
    base: &[Record],
    bits: &mut BitReader,
    out: &mut Vec<Record>,
) -> Result<(), WireError> {
    let from = out.len();
    if bits.flag()? {
        for before in base {
            if bits.flag()? {
                out.push(*before);
            }
        }
    } else {
        out.extend_from_slice(base);
    }
    for record in &mut out[from..] {
        let kind = &kinds[usize::from(record.kind)];
        match kind.motion {
            Motion::Moving => read_update(kind, ticks, record, bits)?,
            Motion::Still => {}
        }
    }
    Ok(())
}

/// The expected position, `ticks` later, of an entity that moves from `from` with velocity steps `before`, then
/// `after`: at the mean of both velocities, rounded to the nearest step. Integers, so that all machines agree.
pub(super) fn expected(from: i32, before: i32, after: i32, ticks: u32) -> i64 {
    let twice = (i64::from(before) + i64::from(after)) * i64::from(ticks);
    i64::from(from) + (twice + i64::from(VELOCITY_TICKS)).div_euclid(2 * i64::from(VELOCITY_TICKS))
}

/// The difference of each field from its expected value, in the order of the table, for a moving record that goes from
/// `before` to `after` in `ticks`. For measuring codes.
#[must_use]
pub fn residuals(kind: &KindSpec, ticks: u32, before: &Record, after: &Record) -> [i32; FIELDS_MAX] {
    let (b, a) = (&before.values, &after.values);
    let mut out = [0; FIELDS_MAX];
    for (at, field) in kind.fields.iter().enumerate() {
        out[at] = match at {
            0 | 1 => (i64::from(a[at]) - expected(b[at], b[at + 2], a[at + 2], ticks)) as i32,
            _ => field.difference(b[at], a[at]),
        };
    }
    out
}

/// The angle fields of a moving kind, which nearly always change.
fn turning(kind: &KindSpec) -> impl Iterator<Item = (usize, &FieldSpec)> {
    kind.fields.iter().enumerate().skip(4).filter(|(_, field)| field.role == FieldRole::Angle)
}

/// The other fields after the velocity, which seldom change.
fn resting(kind: &KindSpec) -> impl Iterator<Item = (usize, &FieldSpec)> {
    kind.fields.iter().enumerate().skip(4).filter(|(_, field)| field.role != FieldRole::Angle)
}

fn read_update(kind: &KindSpec, ticks: u32, record: &mut Record, bits: &mut BitReader) -> Result<(), WireError> {
    let before = record.values;
    let values = &mut record.values;
    let as_predicted = bits.flag()?;
    let mut miss = [0; 2];
    if !as_predicted {
        values[2] = kind.fields[2].add(before[2], bits.signed(u32::from(kind.fields[2].k))?)?;
        values[3] = kind.fields[3].add(before[3], bits.signed(u32::from(kind.fields[3].k))?)?;
        miss = [bits.signed(u32::from(kind.fields[0].k))?, bits.signed(u32::from(kind.fields[1].k))?];
    }
    for axis in 0..2 {
        let at = expected(before[axis], before[axis + 2], values[axis + 2], ticks) + i64::from(miss[axis]);
        values[axis] = kind.fields[axis].check(at)?;
    }
    if as_predicted {
        return Ok(());
    }
    for (at, field) in turning(kind) {
        values[at] = field.add(before[at], bits.signed(u32::from(field.k))?)?;
    }
    if bits.flag()? {
        return Ok(());
    }
    for (at, field) in resting(kind) {
        if !bits.flag()? {
            values[at] = field.add(before[at], bits.signed(u32::from(field.k))?)?;
        }
    }
    Ok(())
}

fn read_migrated<'a>(
    kinds: &[KindSpec],
    ticks: u32,
    around: &dyn Fn(u8) -> &'a [Record],
    bits: &mut BitReader,
    out: &mut Vec<Record>,
) -> Result<(), WireError> {
    let count = bits.count(0, CELL_RECORDS_MAX, "migrated records")?;
    for _ in 0..count {
        let base = bounded(around(bits.bits(3)? as u8));
        let at = bits.bits(index_bits(base.len()))? as usize;
        let mut record = *base.get(at).ok_or(WireError::Baseline)?;
        let kind = &kinds[usize::from(record.kind)];
        match kind.motion {
            Motion::Moving => read_update(kind, ticks, &mut record, bits)?,
            Motion::Still => {}
        }
        out.push(record);
    }
    Ok(())
}

/// Bits of an index below `count`.
pub(super) fn index_bits(count: usize) -> u32 {
    usize::BITS - count.saturating_sub(1).leading_zeros()
}

fn read_spawned(
    kinds: &[KindSpec],
    cell: CellId,
    tick: Tick,
    bits: &mut BitReader,
    out: &mut Vec<Record>,
) -> Result<(), WireError> {
    let count = bits.count(0, CELL_RECORDS_MAX, "records of a cell")?;
    let mut next = 0u64;
    for _ in 0..count {
        let id = next + u64::from(bits.golomb(ID_GAP_K)?);
        next = id + 1;
        let limit = u64::from(u16::MAX);
        let id = u16::try_from(id).map_err(|_| WireError::Range { what: "entity id", value: id, limit })?;
        let kind = bits.bits(3)?;
        let limit = kinds.len() as u64 - 1;
        let spec =
            kinds.get(kind as usize).ok_or(WireError::Range { what: "entity kind", value: kind.into(), limit })?;
        out.push(Record::read_raw(EntityId(id), kind as u8, spec, cell, tick, bits)?);
    }
    Ok(())
}

/// Sorts the records of a cell by id. A repeated id would give later deltas different meanings on the two ends.
fn in_order(records: &mut [Record]) -> Result<(), WireError> {
    let rises = |pair: &[Record]| pair[0].id < pair[1].id;
    if !records.windows(2).all(rises) {
        records.sort_by_key(|r| r.id);
        if let Some(pair) = records.windows(2).find(|pair| !rises(pair)) {
            return Err(WireError::Range { what: "repeated entity id", value: pair[0].id.0.into(), limit: 1 });
        }
    }
    if records.len() > CELL_RECORDS_MAX {
        let (value, limit) = (records.len() as u64, CELL_RECORDS_MAX as u64);
        return Err(WireError::Range { what: "records of a cell", value, limit });
    }
    Ok(())
}

impl FieldSpec {
    /// The difference to add to `from` to get `to`; angles take the short way round.
    pub(super) fn difference(&self, from: i32, to: i32) -> i32 {
        match self.role {
            FieldRole::Angle => {
                let turn = 1 << self.bits;
                (to - from + turn / 2).rem_euclid(turn) - turn / 2
            }
            FieldRole::X
            | FieldRole::Y
            | FieldRole::Velocity
            | FieldRole::Plain
            | FieldRole::Signed
            | FieldRole::Start => to - from,
        }
    }

    fn add(&self, from: i32, difference: i32) -> Result<i32, WireError> {
        let sum = i64::from(from) + i64::from(difference);
        match self.role {
            FieldRole::Angle => Ok(sum.rem_euclid(1 << self.bits) as i32),
            FieldRole::X
            | FieldRole::Y
            | FieldRole::Velocity
            | FieldRole::Plain
            | FieldRole::Signed
            | FieldRole::Start => self.check(sum),
        }
    }

    /// The value, if it is in the field's range.
    pub(super) fn check(&self, value: i64) -> Result<i32, WireError> {
        let (low, high) = self.range();
        if (low..=high).contains(&value) {
            Ok(value as i32)
        } else {
            Err(WireError::Range { what: self.name, value: value as u64, limit: high as u64 })
        }
    }
}

const _: () = assert!(FIELDS_MAX >= 4);

#[cfg(test)]
mod tests {
    use super::super::encode::{self, Refer, Scratch, Subject};
    use super::super::fields::{angle, check_kinds, plain, start, velocity};
    use super::super::state::{Placement, WorldState};
    use super::*;
    use glam::Vec2;

    const KINDS: &[KindSpec] = &[
        KindSpec {
            name: "mover",
            motion: Motion::Moving,
            fields: &[
                FieldSpec::X,
                FieldSpec::Y,
                velocity("vx", 8, 60),
                velocity("vy", 8, 60),
                angle("heading", 8),
                plain("hull", 7, 1.0),
            ],
        },
        KindSpec {
            name: "shot",
            motion: Motion::Still,
            fields: &[FieldSpec::X, FieldSpec::Y, start("start", 8), plain("owner", 12, 1.0)],
        },
    ];
    const _: () = check_kinds(KINDS, CellId::SIZE, 60);

    fn random_cell(rng: &mut fastrand::Rng, cell: CellId, tick: Tick, before: &[Record]) -> Vec<Record> {
        let (x, y) = cell.corner();
        let mut records: Vec<Record> = before.iter().filter(|_| rng.u8(..) > 30).copied().collect();
        for r in records.iter_mut().filter(|r| r.kind == 0) {
            r.values[0] = (r.values[0] + rng.i32(-60..60)).clamp(x, x + 2047);
            r.values[1] = (r.values[1] + rng.i32(-60..60)).clamp(y, y + 2047);
            r.values[2] = (r.values[2] + rng.i32(-3..=3)).clamp(-128, 127);
            r.values[4] = (r.values[4] + rng.i32(-9..=9)).rem_euclid(256);
            r.values[5] = rng.i32(0..128);
        }
        for _ in 0..rng.usize(0..6) {
            let id = EntityId(rng.u16(..));
            if records.iter().any(|r| r.id == id) {
                continue;
            }
            let kind = rng.u8(0..2);
            let (px, py) = (x + rng.i32(0..2048), y + rng.i32(0..2048));
            let values = if kind == 0 {
                [px, py, rng.i32(-128..128), rng.i32(-128..128), rng.i32(0..256), 100, 0, 0, 0, 0]
            } else {
                [px, py, (tick.0 - rng.u32(0..150)) as i32, rng.i32(0..4096), 0, 0, 0, 0, 0, 0]
            };
            records.push(Record { id, kind, values });
        }
        records.sort_by_key(|r| r.id);
        records
    }

    #[test]
    fn applying_a_delta_gives_the_new_state() {
        let mut rng = fastrand::Rng::with_seed(7);
        let cell = CellId::of(Vec2::new(-700.0, 1300.0));
        for round in 0..2000 {
            let base = random_cell(&mut rng, cell, Tick(1000), &[]);
            let base = random_cell(&mut rng, cell, Tick(1001), &base);
            let tick = Tick(1001 + rng.u32(1..60));
            let mut new = random_cell(&mut rng, cell, tick, &base);
            // Some entities of a neighbour migrate, for readers that have the neighbour.
            let mut over = random_cell(&mut rng, cell, Tick(1001), &[]);
            over.retain(|r| !base.iter().any(|b| b.id == r.id));
            new.extend(over.iter().filter(|r| !new.iter().any(|n| n.id == r.id)).copied().collect::<Vec<_>>());
            new.sort_by_key(|r| r.id);
            let direction = rng.u8(0..8);
            let near = cell.neighbour(direction).expect("the cell is far from the edge of the world");
            let refer = if round % 3 == 0 { Refer::ToNeighbours } else { Refer::ToNothing };
            let around = |from: u8| if round % 3 == 0 && from == direction { over.as_slice() } else { &[] };
            let reader = (round % 2 == 1).then_some(Base { records: &base, tick: Tick(1001), around: &around });
            let (mut encoded_cell, mut scratch) = (Vec::new(), Scratch::default());
            let subject = Subject { kinds: KINDS, cell, tick, records: &new };
            if reader.is_some() {
                let known = base.iter().map(|r| (cell.centre(), *r)).chain(over.iter().map(|r| (near.centre(), *r)));
                let mut was = WorldState::default();
                was.place(Tick(1001), known, &mut Placement::default());
                if encode::delta(&subject, &was, refer, &mut scratch, &mut encoded_cell).is_none() {
                    assert_eq!((&encoded_cell, &base), (&Vec::new(), &new), "nothing to send");
                    continue;
                }
            } else {
                encode::keyframe(&subject, &mut encoded_cell);
            }
            let (mut bits, mut back) = (BitReader::new(&encoded_cell), Vec::new());
            decode(KINDS, cell, tick, reader, &mut bits, &mut back).expect("encoded bytes decode");
            assert_eq!(back, new, "round {round}");
            assert_eq!(bits.finish(), Ok(()), "round {round}");
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_records_in_order_and_in_range() {
        let mut rng = fastrand::Rng::with_seed(11);
        let cell = CellId(4000);
        let base = random_cell(&mut rng, cell, Tick(1000), &[]);
        let mut good = Vec::new();
        let reader = Base { records: &base, tick: Tick(1000), around: &|_| &[] };
        let mut was = WorldState::default();
        was.place(Tick(1000), base.iter().map(|r| (cell.centre(), *r)), &mut Placement::default());
        let new = random_cell(&mut rng, cell, Tick(1002), &base);
        let subject = Subject { kinds: KINDS, cell, tick: Tick(1002), records: &new };
        encode::delta(&subject, &was, Refer::ToNothing, &mut Scratch::default(), &mut good);
        let (mut accepted, mut out) = (0, Vec::new());
        for round in 0..20_000 {
            let bytes: Vec<u8> = if round % 2 == 0 {
                (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect()
            } else {
                let mut bytes = good.clone();
                let at = rng.usize(0..bytes.len());
                bytes[at] ^= 1 << rng.u8(0..8);
                bytes
            };
            out.clear();
            let tick = Tick(rng.u32(900..1100));
            let read = decode(KINDS, cell, tick, Some(reader), &mut BitReader::new(&bytes), &mut out);
            if read.is_ok() {
                accepted += 1;
                assert!(out.len() <= CELL_RECORDS_MAX && out.is_sorted_by(|a, b| a.id < b.id), "round {round}");
                for record in &out {
                    let kind = &KINDS[usize::from(record.kind)];
                    for (field, value) in kind.fields.iter().zip(record.values) {
                        let (low, high) = field.range();
                        assert!((low..=high).contains(&i64::from(value)), "{record:?}: {}", field.name);
                    }
                }
            }
        }
        assert!(accepted > 0 && accepted < 20_000, "both outcomes occur: {accepted}");
    }
}
