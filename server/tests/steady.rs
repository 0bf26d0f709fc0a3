//! A steady tick allocates nothing: from the bytes of the inputs to the bytes of every frame, counted by the allocator.
//!
//! The board goes out once a second, and that tick may allocate, as may a tick in which a player joins or leaves.

#![expect(unsafe_code, reason = "an allocator cannot be written without it; this one counts and passes every call on")]

use broadside_arena::modes::Mode;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use broadside_arena::{Arena, ArenaInput};
use broadside_core::fanout::assembler::SnapshotAssembler;
use broadside_core::fanout::flow::{Decision, Flow, SocketState};
use broadside_core::room::recycle::Recycled;
use broadside_core::room::{Room, RoomConfig};
use broadside_shared::game::Game;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::name::Name;
use broadside_shared::time::{MonoTime, Tick, tick_us};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const PLAYERS: u16 = 120;
const EVERY: u32 = 3;
/// Ticks until every buffer has seen its largest load: the border has settled, and ships have sunk and respawned.
const WARM: u32 = 60 * 60;
const MEASURED: u32 = 60 * 5;

/// A player's input: curves, and fire most of the time.
fn input(player: u16, tick: u32) -> ArenaInput {
    let phase = u32::from(player) * 37;
    let fire = if (tick / 90 + phase).is_multiple_of(3) { 0 } else { ArenaInput::FIRE };
    ArenaInput { aim: (u32::from(player) * 7919 + (tick + phase) * 300) as u16, buttons: ArenaInput::THRUST | fire }
}

#[test]
fn a_steady_tick_allocates_nothing() {
    let config = RoomConfig { snapshot_every: EVERY, capacity: PLAYERS, seed: 11, mode: Mode::Open.id() };
    let mut room = Room::<Arena>::new(config, &<Arena as Game>::Config::default(), MonoTime(0));
    let (mut assembler, mut outputs) = (SnapshotAssembler::new::<Arena>(PLAYERS), Recycled::default());
    let mut flows = vec![Flow::default(); usize::from(PLAYERS)];
    for number in 0..PLAYERS {
        let player = room.join(Name::new(&format!("ship {number}")).expect("a fine name")).expect("a free seat");
        assembler.reset(player);
    }
    // The clients' packets are prepared before allocations are counted.
    let packets: Vec<Vec<Vec<u8>>> = (0..WARM + MEASURED)
        .map(|tick| {
            let due = (0..PLAYERS).filter(|player| (tick + u32::from(*player)).is_multiple_of(EVERY));
            let packet = |player: u16| {
                let first = Tick(tick + 2);
                let samples = (0..EVERY).map(|after| input(player, first.after(after).0)).collect();
                InputPacket { acked: Tick(tick.saturating_sub(3)), first, lag: 40, samples }.encode()
            };
            due.map(packet).collect()
        })
        .collect();
    let mut frame = Vec::with_capacity(64 * 1024);
    let (mut allocating, mut frames, mut bytes) = (Vec::with_capacity(1000), 0u64, 0u64);
    for tick in 1..WARM + MEASURED {
        let now = MonoTime(tick_us(Arena::TICK_HZ, tick));
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let due = (0..PLAYERS).filter(|player| (tick + u32::from(*player)).is_multiple_of(EVERY));
        for (player, packet) in due.zip(&packets[tick as usize]) {
            let packet = InputPacket::decode(&packet[1..]).expect("our own packet");
            flows[usize::from(player)].handle_ack(packet.acked, now);
            room.input(broadside_shared::ids::PlayerId(player), &packet, now);
        }
        let output = outputs.fill(|output| room.step(Tick(tick), 0, output, |_| {}));
        assembler.push(std::sync::Arc::clone(&output));
        for (at, due) in output.due.iter().enumerate() {
            let flow = &mut flows[usize::from(due.player.0)];
            if let Decision::Write(tier) = flow.decide(50_000, SocketState::Free, 0) {
                frame.clear();
                assembler.frame(at, 0, tier, &mut frame);
                flow.wrote(Tick(tick), now);
                frames += 1;
                bytes += frame.len() as u64;
            }
        }
        let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
        if tick > WARM && allocated > 0 && !tick.is_multiple_of(Arena::TICK_HZ) {
            allocating.push((tick, allocated));
        }
    }
    assert!(frames > u64::from(WARM / EVERY) * u64::from(PLAYERS) * 9 / 10, "{frames} frames");
    assert!(bytes / frames > 100, "{} bytes per frame", bytes / frames);
    assert!(allocating.is_empty(), "(tick, allocations): {allocating:?}");
}
