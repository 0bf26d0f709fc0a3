//! What encoding costs against the number of players: it should follow the entities and not the viewers.
//!
//! `cargo run --release -p broadside-server --example encode [seconds per size]`
//!
//! Every snapshot is assembled twice for every player: first with nothing encoded yet, then with every blob there already. The
//! difference is the encoding. Times are of one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broadside_shared::arena::Arena;
use broadside_shared::arena::spar::Sparring;
use broadside_shared::game::{Game, PlayerId};
use broadside_shared::replication::viewer::{Thinning, Viewer};
use broadside_shared::replication::world::{HISTORY_TICKS, Placement, WorldHistory, WorldState};
use broadside_shared::time::Tick;

/// Ticks between two snapshots of a player: 20 Hz.
const EVERY: u32 = 3;

#[derive(Default)]
struct Times {
    capture: Duration,
    cold: Duration,
    warm: Duration,
    frames: u64,
    records: u64,
    ticks: u64,
}

fn main() {
    let seconds = match std::env::args().nth(1).map(|text| text.parse::<u32>()) {
        None => 5,
        Some(Ok(seconds)) if seconds > 0 => seconds,
        Some(_) => {
            eprintln!("encode: the argument is seconds per size, a number above 0");
            std::process::exit(2);
        }
    };
    println!(
        "| players | records | capture us per tick | encode us per tick | encode ns per record | assemble ns per frame | served per blob |"
    );
    println!("|---|---|---|---|---|---|---|");
    for players in [100u16, 500, 1000, 2000, 3000] {
        measure(players, seconds);
    }
}

fn measure(players: u16, seconds: u32) {
    let mut battle = Sparring::new(1, &vec![0.5; usize::from(players)]);
    let mut history = WorldHistory::new(Arena::KINDS);
    let mut viewers = vec![Viewer::default(); usize::from(players)];
    let (mut placement, mut times, mut frame) = (Placement::every(EVERY), Times::default(), Vec::new());
    // As in a room, a state is used again once the history has let go of it.
    let mut states: Vec<Arc<WorldState>> = (0..HISTORY_TICKS + 2).map(|_| Arc::default()).collect();
    // The arena needs a while to grow to its crowd.
    let from = Arena::TICK_HZ * 15;
    battle.run(from);
    for tick in from + 1..=from + seconds * Arena::TICK_HZ {
        battle.run(1);
        states.rotate_left(1);
        let began = Instant::now();
        let state = Arc::get_mut(&mut states[0]).expect("the history is shorter than this ring");
        state.capture(battle.arena(), Tick(tick), &mut placement);
        times.capture += began.elapsed();
        times.records += state.records().len() as u64;
        history.push(Arc::clone(&states[0]));
        let due: Vec<usize> = (0..viewers.len()).filter(|p| (tick + *p as u32).is_multiple_of(EVERY)).collect();
        let mut again: Vec<Viewer> = due.iter().map(|p| viewers[*p].clone()).collect();
        let focus = |player: usize| battle.arena().own(PlayerId(player as u16)).map(Arena::focus).unwrap_or_default();
        let mut assemble = |viewer: &mut Viewer, player: usize| {
            frame.clear();
            viewer.write(&mut history, focus(player), Arena::VIEW, Thinning::None, &mut frame);
        };
        let began = Instant::now();
        due.iter().for_each(|p| assemble(&mut viewers[*p], *p));
        times.cold += began.elapsed();
        let began = Instant::now();
        due.iter().zip(&mut again).for_each(|(p, viewer)| assemble(viewer, *p));
        times.warm += began.elapsed();
        times.frames += due.len() as u64;
        times.ticks += 1;
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6 / times.ticks as f64;
    let encode = times.cold.saturating_sub(times.warm);
    let stats = history.stats();
    println!(
        "| {players} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
        times.records / times.ticks,
        us(times.capture),
        us(encode),
        encode.as_secs_f64() * 1e9 / times.records as f64,
        times.warm.as_secs_f64() * 1e9 / times.frames as f64,
        stats.served as f64 / 2.0 / stats.encoded as f64,
    );
}
