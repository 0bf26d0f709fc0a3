//! The byte ledger: what the bytes of a snapshot are spent on in a battle of AI players, against three yardsticks from the same stream.
//!
//! `cargo run --release -p broadside-server --example ledger [players] [seconds] [ticks between snapshots]`
//!
//! AI players fight without a network; every player has a viewer as in a room. Yardsticks, all per subscribed record and snapshot:
//! raw floats (32 bits per field and a 32-bit id), every field quantized and in full with a 16-bit id, and the order-0 entropy of the
//! necessary information: residuals of the linear prediction for moving records, full fields for new ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadside_arena::Arena;
use broadside_arena::spar::Sparring;
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::snapshot::{SectionBytes, SnapshotHead};
use broadside_shared::replication::cells::CellId;
use broadside_shared::replication::delta::residuals;
use broadside_shared::replication::fields::{Motion, Record};
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{EncodedCell, Placement, WorldHistory, WorldState};
use broadside_shared::time::Tick;

/// Counts symbols, from which follows what an ideal coder that knows their frequencies needs.
#[derive(Default)]
struct Entropy {
    counts: BTreeMap<(u8, usize, i32), u64>,
    totals: BTreeMap<(u8, usize), u64>,
}

impl Entropy {
    fn add(&mut self, kind: u8, stream: usize, symbol: i32) {
        *self.counts.entry((kind, stream, symbol)).or_default() += 1;
        *self.totals.entry((kind, stream)).or_default() += 1;
    }

    fn bits(&self) -> f64 {
        let cost = |((kind, stream, _), count): (&(u8, usize, i32), &u64)| {
            let total = self.totals[&(*kind, *stream)] as f64;
            *count as f64 * (total / *count as f64).log2()
        };
        self.counts.iter().map(cost).sum()
    }
}

#[derive(Default)]
struct Ledger {
    snapshots: u64,
    subscribed: u64,
    in_view: u64,
    ships_subscribed: u64,
    raw_bits: u64,
    quantized_bits: u64,
    bytes: SectionBytes,
    entropy: Entropy,
    world_bits: u64,
    new_bits: u64,
    moving: u64,
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut number = |default: u32| match numbers.next() {
        None => default,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            eprintln!("ledger: arguments are players, seconds and ticks between snapshots, each a number above 0");
            std::process::exit(2);
        }
    };
    let (players, seconds, every) = (number(200), number(60), number(3));
    let skills: Vec<f32> = (0..players).map(|p| 0.3 + 0.6 * (p % 7) as f32 / 6.0).collect();
    let mut battle = Sparring::new(1, &skills);
    let mut history = WorldHistory::new(Arena::KINDS);
    let mut viewers = vec![Viewer::default(); players as usize];
    let (mut ledger, mut placement) = (Ledger::default(), Placement::default());
    // The arena needs a while to grow to its number of players.
    battle.run(Arena::TICK_HZ * 20);
    let from = Arena::TICK_HZ * 20;
    for tick in (from + 1..=from + seconds * Arena::TICK_HZ).map(Tick) {
        battle.run(1);
        let mut state = WorldState::default();
        state.capture(battle.arena(), tick, &mut placement);
        history.push(Arc::new(state));
        for (index, viewer) in viewers.iter_mut().enumerate() {
            if (tick.0 + index as u32).is_multiple_of(every) {
                let player = PlayerId(index as u16);
                view(&mut ledger, battle.arena(), &mut history, viewer, player, tick.0 > from + 60);
            }
        }
        if tick.0.is_multiple_of(every) {
            measure_changes(&mut ledger, &mut history, tick, every);
        }
    }
    print(&ledger, players, seconds, every);
    let stats = history.stats();
    println!(
        "encoded cells: {} served, {} encoded ({:.1} each)",
        stats.served,
        stats.encoded,
        stats.served as f64 / stats.encoded as f64
    );
}

fn view(
    ledger: &mut Ledger,
    arena: &Arena,
    history: &mut WorldHistory,
    viewer: &mut Viewer,
    player: PlayerId,
    counted: bool,
) {
    let Some(own) = arena.player_state(player) else { return };
    let focus = Arena::focus(own);
    let mut frame = Vec::new();
    let written = viewer.write(history, &AreaOfInterest::new(focus, Arena::VIEW), UpdateRateTier::Full, &mut frame);
    if !counted {
        return;
    }
    let newest = history.newest().expect("pushed above");
    let records = viewer.cells().flat_map(|cell| newest.cell(cell));
    for record in records {
        let spec = &Arena::KINDS[usize::from(record.kind)];
        ledger.subscribed += 1;
        ledger.ships_subscribed += u64::from(spec.motion == Motion::Moving);
        ledger.raw_bits += 32 + 32 * spec.fields.len() as u64;
        ledger.quantized_bits += 16 + spec.fields.iter().map(|f| u64::from(f.bits)).sum::<u64>();
        let at = glam::Vec2::new(spec.fields[0].unpack(record.values[0]), spec.fields[1].unpack(record.values[1]));
        ledger.in_view += u64::from((at - focus).abs().cmple(Arena::VIEW * 0.5).all());
    }
    let mut player_state_bytes = Vec::new();
    let mut bits = broadside_shared::replication::bits::BitWriter::new(&mut player_state_bytes);
    Arena::write_player_state(own, &mut bits);
    bits.finish();
    ledger.snapshots += 1;
    ledger.bytes.player_state += player_state_bytes.len() as u64 + SnapshotHead::BYTES as u64;
    ledger.bytes.cell_heads += written.head_bytes as u64;
    ledger.bytes.cells += written.encoded_cell_bytes as u64;
}

/// Adds the changes of the whole world: the bits that the codec spends on them once, as for a viewer of everything, and those that an
/// ideal coder needs.
fn measure_changes(ledger: &mut Ledger, history: &mut WorldHistory, tick: Tick, every: u32) {
    let before = tick.before(every);
    if history.state(before).is_none() {
        return;
    }
    for cell in (0..CellId::COUNT).map(CellId) {
        if let EncodedCell::Bytes(bytes) = history.encoded_cell(cell, Some(before), |_| true) {
            ledger.world_bits += bytes.len() as u64 * 8;
        }
    }
    let (Some(new), Some(base)) = (history.newest(), history.state(before)) else { return };
    let by_id: BTreeMap<u16, &Record> = base.records().iter().map(|r| (r.id.0, r)).collect();
    let mut stayed = 0;
    for record in new.records() {
        let spec = &Arena::KINDS[usize::from(record.kind)];
        match (by_id.get(&record.id.0).filter(|b| b.kind == record.kind), spec.motion) {
            (Some(before), Motion::Moving) => {
                stayed += 1;
                ledger.moving += 1;
                let residuals = residuals(spec, every, before, record);
                for (stream, symbol) in residuals.into_iter().take(spec.fields.len()).enumerate() {
                    ledger.entropy.add(record.kind, stream, symbol);
                }
            }
            (Some(_), Motion::Still) => stayed += 1,
            // A new record costs its kind and every field in full.
            (None, _) => {
                ledger.entropy.add(8, 0, i32::from(record.kind));
                ledger.new_bits += spec.fields.iter().map(|f| u64::from(f.bits)).sum::<u64>();
            }
        }
    }
    // Removed records.
    for at in 0..base.records().len() {
        ledger.entropy.add(9, 0, i32::from(at < stayed));
    }
}

fn print(ledger: &Ledger, players: u32, seconds: u32, every: u32) {
    let per_snapshot = |n: u64| n as f64 / ledger.snapshots as f64;
    let per_record = |bits: f64| bits / ledger.subscribed as f64;
    let hz = f64::from(Arena::TICK_HZ) / f64::from(every);
    let b = ledger.bytes;
    println!("{players} AI players, {seconds} s, snapshots at {hz} Hz, seed 1");
    println!(
        "per snapshot: {:.1} records in view, {:.1} subscribed ({:.1} of them ships)",
        per_snapshot(ledger.in_view),
        per_snapshot(ledger.subscribed),
        per_snapshot(ledger.ships_subscribed)
    );
    println!(
        "bits per subscribed record: raw floats {:.1}, quantized {:.1}",
        per_record(ledger.raw_bits as f64),
        per_record(ledger.quantized_bits as f64)
    );
    let cell_bits = ((b.cells + b.cell_heads) * 8) as f64;
    println!(
        "  sent {:.2} (encoded cells {:.2}, heads {:.2}); per record in view {:.2}",
        per_record(cell_bits),
        per_record((b.cells * 8) as f64),
        per_record((b.cell_heads * 8) as f64),
        cell_bits / ledger.in_view as f64
    );
    let floor = ledger.entropy.bits() + ledger.new_bits as f64;
    println!(
        "the whole world once: sent {:.1} bits per moving record, order-0 floor {:.1}: {:.2} x the floor",
        ledger.world_bits as f64 / ledger.moving as f64,
        floor / ledger.moving as f64,
        ledger.world_bits as f64 / floor
    );
    println!(
        "payload per player: {:.1} kbit/s (local player state {:.1}, cells {:.1}, heads {:.1}); events and updates come on top",
        per_snapshot(b.player_state + b.cells + b.cell_heads) * 8.0 * hz / 1000.0,
        per_snapshot(b.player_state) * 8.0 * hz / 1000.0,
        per_snapshot(b.cells) * 8.0 * hz / 1000.0,
        per_snapshot(b.cell_heads) * 8.0 * hz / 1000.0,
    );
}
