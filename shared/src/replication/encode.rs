//! Encoding of a cell, as a keyframe or as a delta against an earlier state. The layout is in [`delta`](super::delta).

use super::bits::BitWriter;
use super::cells::CellId;
use super::delta::{CELL_RECORDS_MAX, ID_GAP_K, bounded, expected, index_bits};
use super::fields::{FieldRole, KindSpec, Motion, Record};
use super::state::{Origin, WorldState};
use crate::time::Tick;

/// Whether an encoded cell may refer to the neighbour cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refer {
    /// Its readers have the neighbours at the same baseline.
    ToNeighbours,
    /// Its readers may not have them.
    ToNothing,
}

/// Buffers for encoding, reused from cell to cell.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Indices of the retained records, in the base and in the new state.
    retained: Vec<(u16, u16)>,
    /// Indices of the new records that are not retained.
    spawned: Vec<u16>,
    /// Of those, the ones that migrated from a neighbour.
    migrated: Vec<(u16, Origin)>,
}

/// A cell to encode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The game's kinds.
    pub kinds: &'a [KindSpec],
    /// The cell.
    pub cell: CellId,
    /// The tick of the records.
    pub tick: Tick,
    /// The records, in order of id.
    pub records: &'a [Record],
}

/// Appends a keyframe of one cell.
pub(super) fn keyframe(subject: &Subject, out: &mut Vec<u8>) {
    let &Subject { kinds, cell, tick, records } = subject;
    let new = bounded(records);
    let mut bits = BitWriter::new(out);
    bits.flag(true);
    write_spawned(kinds, cell, tick, new.len(), new.iter(), &mut bits);
    bits.finish();
}

/// Appends the delta of one cell from `base` to the subject; gives the directions of the neighbours it refers to, as
/// bits. `None`, and nothing is written, if nothing has changed and nothing in the cell moves.
pub(super) fn delta(
    subject: &Subject,
    base: &WorldState,
    refer: Refer,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Option<u8> {
    let &Subject { kinds, cell, tick, records } = subject;
    let (before, new) = (bounded(base.cell(cell)), bounded(records));
    let Scratch { retained, spawned, migrated } = scratch;
    let any_moving = match_up(kinds, before, new, retained, spawned);
    let any_removed = retained.len() < before.len();
    if !any_removed && spawned.is_empty() && !any_moving {
        return None;
    }
    let sources = match refer {
        Refer::ToNeighbours if !spawned.is_empty() => find_migrated(kinds, cell, base, new, spawned, migrated),
        Refer::ToNeighbours | Refer::ToNothing => 0,
    };
    let ticks = tick.since(base.tick);
    let mut bits = BitWriter::new(out);
    bits.flag(false);
    bits.flag(sources != 0);
    bits.flag(any_removed);
    if any_removed {
        write_removed(before.len(), retained, &mut bits);
    }
    for (was, is) in retained.iter() {
        let (was, is) = (&before[usize::from(*was)], &new[usize::from(*is)]);
        write_change(kinds, ticks, was, is, &mut bits);
    }
    if sources != 0 {
        bits.golomb(migrated.len() as u32, 0);
        for (is, origin) in migrated.iter() {
            bits.bits(u32::from(origin.direction), 3);
            bits.bits(u32::from(origin.at), index_bits(usize::from(origin.count)));
            write_change(kinds, ticks, base.record_of(origin), &new[usize::from(*is)], &mut bits);
        }
    }
    write_spawned(kinds, cell, tick, spawned.len(), spawned.iter().map(|is| &new[usize::from(*is)]), &mut bits);
    bits.finish();
    Some(sources)
}

/// Matches both lists, which are in order of id. Says whether any new record moves.
fn match_up(
    kinds: &[KindSpec],
    before: &[Record],
    new: &[Record],
    retained: &mut Vec<(u16, u16)>,
    spawned: &mut Vec<u16>,
) -> bool {
    retained.clear();
    spawned.clear();
    let (mut was, mut any_moving) = (0, false);
    for (is, record) in new.iter().enumerate() {
        any_moving |= kinds[usize::from(record.kind)].motion == Motion::Moving;
        while was < before.len() && before[was].id < record.id {
            was += 1;
        }
        if was < before.len() && before[was].id == record.id && continues(kinds, &before[was], record) {
            retained.push((was as u16, is as u16));
        } else {
            spawned.push(is as u16);
        }
    }
    any_moving
}

/// Whether `record` continues `before`, which has the same id: it has the same kind and, in kinds that never change,
/// the same fields.
fn continues(kinds: &[KindSpec], before: &Record, record: &Record) -> bool {
    before.kind == record.kind
        && match kinds[usize::from(record.kind)].motion {
            Motion::Still => before.values == record.values,
            Motion::Moving => true,
        }
}

/// Separates migrated records from the spawned ones; gives the directions they came from, as bits.
fn find_migrated(
    kinds: &[KindSpec],
    cell: CellId,
    base: &WorldState,
    new: &[Record],
    spawned: &mut Vec<u16>,
    migrated: &mut Vec<(u16, Origin)>,
) -> u8 {
    migrated.clear();
    let mut sources = 0;
    spawned.retain(|is| {
        let record = &new[usize::from(*is)];
        let origin = base.origin(cell, record.id).filter(|origin| continues(kinds, base.record_of(origin), record));
        if let Some(origin) = origin {
            sources |= 1 << origin.direction;
            migrated.push((*is, origin));
        }
        origin.is_none()
    });
    sources
}

fn write_removed(count: usize, retained: &[(u16, u16)], out: &mut BitWriter) {
    let mut next = 0;
    for (was, _) in retained {
        for _ in next..*was {
            out.flag(false);
        }
        out.flag(true);
        next = *was + 1;
    }
    for _ in usize::from(next)..count {
        out.flag(false);
    }
}

fn write_change(kinds: &[KindSpec], ticks: u32, before: &Record, after: &Record, out: &mut BitWriter) {
    let kind = &kinds[usize::from(before.kind)];
    match kind.motion {
        Motion::Moving => write_update(kind, ticks, before, after, out),
        Motion::Still => {}
    }
}

fn write_update(kind: &KindSpec, ticks: u32, before: &Record, after: &Record, out: &mut BitWriter) {
    let (b, a) = (&before.values, &after.values);
    let expect = [expected(b[0], b[2], a[2], ticks), expected(b[1], b[3], a[3], ticks)];
    let miss = [i64::from(a[0]) - expect[0], i64::from(a[1]) - expect[1]];
    let as_predicted = miss == [0, 0] && b[2..] == a[2..];
    out.flag(as_predicted);
    if as_predicted {
        return;
    }
    let fields = kind.fields;
    out.signed(a[2] - b[2], u32::from(fields[2].k));
    out.signed(a[3] - b[3], u32::from(fields[3].k));
    out.signed(miss[0] as i32, u32::from(fields[0].k));
    out.signed(miss[1] as i32, u32::from(fields[1].k));
    let behind = || fields.iter().zip(b.iter().zip(a)).skip(4);
    // Angles nearly always change, the rest seldom.
    let mut rest_same = true;
    for (field, (b, a)) in behind() {
        if field.role == FieldRole::Angle {
            out.signed(field.difference(*b, *a), u32::from(field.k));
        } else {
            rest_same &= b == a;
        }
    }
    out.flag(rest_same);
    if rest_same {
        return;
    }
    for (field, (b, a)) in behind().filter(|(field, _)| field.role != FieldRole::Angle) {
        out.flag(b == a);
        if b != a {
            out.signed(field.difference(*b, *a), u32::from(field.k));
        }
    }
}

fn write_spawned<'a>(
    kinds: &[KindSpec],
    cell: CellId,
    tick: Tick,
    count: usize,
    records: impl Iterator<Item = &'a Record>,
    out: &mut BitWriter,
) {
    out.golomb(count as u32, 0);
    let mut next = 0;
    for record in records {
        out.golomb(u32::from(record.id.0) - next, ID_GAP_K);
        next = u32::from(record.id.0) + 1;
        out.bits(u32::from(record.kind), 3);
        record.write_raw(&kinds[usize::from(record.kind)], cell, tick, out);
    }
}

const _: () = assert!(CELL_RECORDS_MAX <= 1 << 16, "indices of a cell's records take 16 bits");
