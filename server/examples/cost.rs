//! The cost of a room, part by part, on one thread and without sockets, from the inputs to the frames.
//!
//! `cargo run --release -p broadside-server --example cost [players] [ticks]`
//!
//! Every part is a function of its own that is never inlined, so that callgrind can count the instructions of each. That count is the
//! same on every run, whatever else the machine does. `cargo xtask bench` runs it with and without callgrind.

use broadside_arena::modes::Mode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broadside_arena::{Arena, ArenaInput};
use broadside_core::fanout::assembler::SnapshotAssembler;
use broadside_core::room::recycle::Recycled;
use broadside_core::room::{Room, RoomConfig, RoomOutput};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::name::Name;
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{Placement, WorldHistory, WorldState};
use broadside_shared::time::{MonoTime, Tick};

/// Ticks between two snapshots of a player: 20 Hz.
const EVERY: u32 = 3;
/// Ticks before anything is measured: the arena grows to its number of players, and the roster is sent to all.
const WARM_UP: u32 = 600;
/// The head of the table.
const HEAD: &str = "| players | ticks | records | frames | encoded_cells | inputs ns per player | step ns per player | frames ns per frame | capture ns per record | encode ns per record | assemble ns per frame |\n|---|---|---|---|---|---|---|---|---|---|---|";

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut number = |default: u32| match numbers.next() {
        None => default,
        Some(Ok(number)) if (1..=8000).contains(&number) => number,
        Some(_) => {
            eprintln!("cost: arguments are players and ticks, numbers from 1 to 8000");
            std::process::exit(2);
        }
    };
    let (players, ticks) = (number(0), number(300));
    println!("{HEAD}");
    let sizes: &[u32] = if players == 0 { &[100, 500, 1000, 2000, 3000] } else { &[players] };
    for players in sizes {
        println!("{}", Bench::new(*players as u16).run(ticks));
    }
}

/// The input of a player, from its number and the tick alone: it turns, thrusts and fires in bursts.
fn pattern(player: u16, tick: Tick) -> ArenaInput {
    let phase = tick.0 / 64 + u32::from(player) * 7;
    let drive = [ArenaInput::THRUST, ArenaInput::THRUST | ArenaInput::LEFT, 0, ArenaInput::THRUST][phase as usize % 4];
    let fire = if phase.is_multiple_of(3) { ArenaInput::FIRE } else { 0 };
    let turn = (u32::from(player) * 2477 + tick.0 * (1 + phase % 5) * 90) as u16;
    ArenaInput { aim: turn, buttons: drive | fire }
}

#[inline(never)]
fn take_inputs(room: &mut Room<Arena>, packets: &[InputPacket<ArenaInput>]) {
    for (player, packet) in packets.iter().enumerate() {
        room.input(PlayerId(player as u16), packet, MonoTime(0));
    }
}

#[inline(never)]
fn step_room(room: &mut Room<Arena>, tick: Tick, out: &mut RoomOutput) {
    room.step(tick, 0, out, |_| ());
}

#[inline(never)]
fn write_frames(assembler: &mut SnapshotAssembler, frame: &mut Vec<u8>) -> usize {
    let due = assembler.newest().map_or(0, |output| output.due.len());
    for at in 0..due {
        frame.clear();
        assembler.frame(at, 0, UpdateRateTier::Full, frame);
    }
    due
}

#[inline(never)]
fn capture_world(game: &Arena, tick: Tick, placement: &mut Placement) -> WorldState {
    let mut state = WorldState::default();
    state.capture(game, tick, placement);
    state
}

/// Assembles while nothing is encoded yet, and encodes on the way. Returns the number of cells encoded so far.
#[inline(never)]
fn view_cold(
    views: &mut [&mut Viewer],
    game: &Arena,
    due: &[u16],
    history: &mut WorldHistory,
    frame: &mut Vec<u8>,
) -> u64 {
    view(views, game, due, history, frame);
    // Besides being of use, the result makes this function differ from the next one: the compiler would merge equal ones.
    history.stats().encoded
}

/// Assembles while everything is encoded.
#[inline(never)]
fn view_warm(views: &mut [&mut Viewer], game: &Arena, due: &[u16], history: &mut WorldHistory, frame: &mut Vec<u8>) {
    view(views, game, due, history, frame);
}

fn view(views: &mut [&mut Viewer], game: &Arena, due: &[u16], history: &mut WorldHistory, frame: &mut Vec<u8>) {
    for (viewer, player) in views.iter_mut().zip(due) {
        let focus = game.player_state(PlayerId(*player)).map(Arena::focus).unwrap_or_default();
        frame.clear();
        viewer.write(history, &AreaOfInterest::new(focus, Arena::VIEW), UpdateRateTier::Full, frame);
    }
}

#[derive(Default)]
struct Times {
    inputs: Duration,
    step: Duration,
    frames: Duration,
    capture: Duration,
    cold: Duration,
    warm: Duration,
}

struct Bench {
    players: u16,
    room: Room<Arena>,
    outputs: Recycled<RoomOutput>,
    assembler: SnapshotAssembler,
    history: WorldHistory,
    placement: Placement,
    viewers: Vec<Viewer>,
    frame: Vec<u8>,
    tick: Tick,
    /// Cells encoded so far.
    encoded: u64,
}

impl Bench {
    fn new(players: u16) -> Bench {
        let config = RoomConfig { snapshot_every: EVERY, capacity: players, seed: 1, mode: Mode::Open.id() };
        let mut room = Room::<Arena>::new(config, &<Arena as Game>::Config::default(), MonoTime(0));
        let mut assembler = SnapshotAssembler::new::<Arena>(players);
        for player in 0..players {
            let name = Name::new(&format!("cost {player}")).expect("short and visible");
            room.join(name).expect("the room has a seat for each");
            assembler.reset(PlayerId(player));
        }
        let mut bench = Bench {
            players,
            room,
            outputs: Recycled::default(),
            assembler,
            history: WorldHistory::new(Arena::KINDS),
            placement: Placement::every(EVERY),
            viewers: vec![Viewer::default(); usize::from(players)],
            frame: Vec::new(),
            tick: Tick(0),
            encoded: 0,
        };
        for _ in 0..WARM_UP {
            let packets = bench.next_packets();
            bench.advance(&packets);
            write_warm_up(&mut bench);
        }
        bench
    }

    /// The packets of all players for the next tick.
    fn next_packets(&mut self) -> Vec<InputPacket<ArenaInput>> {
        self.tick = self.tick.after(1);
        let sample = |player| std::iter::once(pattern(player, self.tick)).collect();
        let packet =
            |player| InputPacket { acked: self.tick.before(1), first: self.tick, lag: 0, samples: sample(player) };
        (0..self.players).map(packet).collect()
    }

    fn advance(&mut self, packets: &[InputPacket<ArenaInput>]) {
        for (player, packet) in packets.iter().enumerate() {
            self.room.input(PlayerId(player as u16), packet, MonoTime(0));
        }
        let output = self.outputs.fill(|out| self.room.step(self.tick, 0, out, |_| ()));
        self.assembler.push(output);
    }

    /// Measures `ticks` ticks and returns the row of the table.
    fn run(&mut self, ticks: u32) -> String {
        let mut times = Times::default();
        let (mut records, mut frames, encoded) = (0, 0, self.encoded);
        for _ in 0..ticks {
            let packets = self.next_packets();
            timed(&mut times.inputs, || take_inputs(&mut self.room, &packets));
            let output = timed(&mut times.step, || self.outputs.fill(|out| step_room(&mut self.room, self.tick, out)));
            self.assembler.push(output);
            frames += timed(&mut times.frames, || write_frames(&mut self.assembler, &mut self.frame));
            records += self.look_twice(&mut times);
        }
        let per = |time: Duration, count: u64| time.as_nanos() as f64 / count as f64;
        let player_ticks = u64::from(self.players) * u64::from(ticks);
        format!(
            "| {} | {ticks} | {records} | {frames} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            self.players,
            self.encoded - encoded,
            per(times.inputs, player_ticks),
            per(times.step, player_ticks),
            per(times.frames, frames as u64),
            per(times.capture, records),
            per(times.cold.saturating_sub(times.warm), records),
            per(times.warm, frames as u64),
        )
    }

    /// Measures the codec alone: captures the tick's world once more and assembles it for every due player twice, first with nothing
    /// encoded, then with every cell encoded. Returns the number of records.
    fn look_twice(&mut self, times: &mut Times) -> u64 {
        let game = self.room.game();
        let state = timed(&mut times.capture, || capture_world(game, self.tick, &mut self.placement));
        let records = state.records().len() as u64;
        self.history.push(Arc::new(state));
        let due: Vec<u16> = (0..self.players).filter(|p| (self.tick.0 + u32::from(*p)).is_multiple_of(EVERY)).collect();
        let mut again: Vec<Viewer> = due.iter().map(|p| self.viewers[usize::from(*p)].clone()).collect();
        let is_due = |(p, _): &(u16, &mut Viewer)| (self.tick.0 + u32::from(*p)).is_multiple_of(EVERY);
        let mut views: Vec<&mut Viewer> =
            (0..).zip(&mut self.viewers).filter(is_due).map(|(_, viewer)| viewer).collect();
        self.encoded = timed(&mut times.cold, || view_cold(&mut views, game, &due, &mut self.history, &mut self.frame));
        let mut views: Vec<&mut Viewer> = again.iter_mut().collect();
        timed(&mut times.warm, || view_warm(&mut views, game, &due, &mut self.history, &mut self.frame));
        records
    }
}

/// The same as `write_frames` under another name, so that callgrind does not count the warm-up.
fn write_warm_up(bench: &mut Bench) {
    let due = bench.assembler.newest().map_or(0, |output| output.due.len());
    for at in 0..due {
        bench.frame.clear();
        bench.assembler.frame(at, 0, UpdateRateTier::Full, &mut bench.frame);
    }
}

fn timed<T>(total: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    *total += began.elapsed();
    result
}
