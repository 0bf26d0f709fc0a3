//! What recording costs a tick: the same battle in two rooms, of which one is recorded.
//!
//! `cargo run --release -p broadside-server --example recording [players] [seconds]`
//!
//! Every player turns a little in each tick and changes buttons often, which is more than people do. The rooms take turns tick by tick, so
//! that both have the same machine.

use std::time::Instant;

use broadside_arena::{Arena, ArenaConfig, ArenaInput};
use broadside_core::room::{Room, RoomConfig, RoomOutput};
use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::{MonoTime, Tick};

/// Seconds before anything is counted.
const SETTLE_S: u32 = 2;

struct Measured {
    room: Room<Arena>,
    out: RoomOutput,
    /// How long each tick took, in milliseconds.
    took_ms: Vec<f64>,
}

impl Measured {
    fn new(players: u16, is_recorded: bool) -> Measured {
        let config = RoomConfig { snapshot_every: 3, capacity: players, seed: 5, mode: ModeId(0) };
        let mut room = Room::<Arena>::new(config, &ArenaConfig::default(), MonoTime(0));
        if is_recorded {
            room.record(0, RoomId(1), usize::MAX);
        }
        for player in 0..players {
            let name = Name::new(&format!("captain {player}")).expect("a fine name");
            room.join(name).expect("there is room for all");
        }
        Measured { room, out: RoomOutput::default(), took_ms: Vec::new() }
    }

    fn step(&mut self, tick: Tick, inputs: &[ArenaInput]) {
        for (player, input) in (0..).map(PlayerId).zip(inputs) {
            let samples = [*input].into_iter().collect();
            let packet = InputPacket { acked: Tick(0), first: tick, lag: 96, samples };
            self.room.input(player, &packet, MonoTime(0));
        }
        let began = Instant::now();
        self.room.step(tick, 0, &mut self.out, |_| {});
        if tick.0 > SETTLE_S * Arena::TICK_HZ {
            self.took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }

    fn print(&mut self, what: &str) {
        self.took_ms.sort_by(f64::total_cmp);
        let mean = self.took_ms.iter().sum::<f64>() / self.took_ms.len() as f64;
        let [p50, p99, most] =
            [0.5, 0.99, 1.0].map(|part| self.took_ms[((self.took_ms.len() - 1) as f64 * part) as usize]);
        println!("{what:>12}: mean {mean:.3} ms, p50 {p50:.3}, p99 {p99:.3}, longest {most:.3}");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let (players, seconds) = (arguments.next().unwrap_or(12u32) as u16, arguments.next().unwrap_or(30));
    let (mut plain, mut recorded) = (Measured::new(players, false), Measured::new(players, true));
    let (mut rng, mut inputs) = (fastrand::Rng::with_seed(3), vec![ArenaInput::default(); players.into()]);
    for tick in (1..=(SETTLE_S + seconds) * Arena::TICK_HZ).map(Tick) {
        for input in &mut inputs {
            input.aim = input.aim.wrapping_add_signed(rng.i16(-300..300));
            if rng.u8(..) < 20 {
                input.buttons = rng.u8(..64);
            }
        }
        plain.step(tick, &inputs);
        recorded.step(tick, &inputs);
    }
    plain.print("not recorded");
    recorded.print("recorded");
    let minutes = f64::from(SETTLE_S + seconds).min(70.0) / 60.0;
    let bytes = recorded.room.last_minute().map_or(0, |minute| minute.len());
    println!("{bytes} bytes in memory, about {:.0} for a player's minute", bytes as f64 / f64::from(players) / minutes);
}
