//! AIs against AIs without a network, for tuning: who wins, and by how much.
//!
//! `cargo run --release -p broadside-puck --example spar [matches]`

use broadside_puck::ai::{Ai, Seen};
use broadside_puck::{DiscView, Puck, PuckConfig};
use broadside_shared::game::{Game, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::{Tick, ViewTime};

/// Ticks after which a match must be over: eight minutes.
const TICKS_MAX: u32 = 8 * 60 * 60;

fn main() {
    let matches = std::env::args().nth(1).map_or(Ok(20), |text| text.parse::<u64>());
    let Ok(matches) = matches else {
        eprintln!("spar: the argument is a number of matches");
        std::process::exit(2);
    };
    println!("| each | left skill | right skill | left wins | draws | right wins | goals a match | seconds |");
    println!("|---|---|---|---|---|---|---|---|");
    for each in [1, 2, 3] {
        for (left, right) in [(0.2, 0.2), (0.5, 0.5), (0.8, 0.8), (0.5, 0.2), (0.8, 0.5), (0.8, 0.2)] {
            let (mut wins, mut goals, mut ticks) = ([0, 0, 0], [0, 0], 0);
            for seed in 0..matches {
                let (winner, scored, took) = play(each, [left, right], seed);
                wins[winner.map_or(1, |team| usize::from(team) * 2)] += 1;
                goals = [goals[0] + scored[0], goals[1] + scored[1]];
                ticks += took;
            }
            let [left_wins, draws, right_wins] = wins;
            let [a, b] = goals.map(|goals| goals as f32 / matches as f32);
            let seconds = f64::from(ticks) / 60.0 / matches as f64;
            println!(
                "| {each} | {left} | {right} | {left_wins} | {draws} | {right_wins} | {a:.1} : {b:.1} | {seconds:.0} |"
            );
        }
    }
}

/// Plays a match; gives its winner, the goals of each team and the ticks it took.
fn play(each: u16, skills: [f32; 2], seed: u64) -> (Option<u8>, [u32; 2], u32) {
    let mut puck = Puck::new(&PuckConfig::default(), ModeId(each as u8 - 1), seed);
    let mut events = Vec::new();
    let mut ais = Vec::new();
    for player in 0..2 * each {
        puck.join(PlayerId(player), Tick(1), &mut events);
        // Players join the teams in turns.
        ais.push(Ai::new(seed.wrapping_mul(64) + u64::from(player), skills[usize::from(player % 2)]));
    }
    for tick in (1..TICKS_MAX).map(Tick) {
        let discs: Vec<DiscView> = puck.play().discs.iter().map(DiscView::from).collect();
        let inputs: Vec<_> = (0..)
            .map(PlayerId)
            .zip(&mut ais)
            .map(|(player, ai)| {
                let own = puck.player_state(player).expect("seated");
                let input = ai.think(&Seen { tick, own, discs: &discs });
                PlayerInput { player, input, view: ViewTime::default() }
            })
            .collect();
        events.clear();
        puck.step(tick, &inputs, &History::default(), &mut events);
        let state = puck.match_state().expect("every mode has matches");
        if state.phase == MatchPhase::Results {
            return (state.winner, [state.teams[0].score, state.teams[1].score], tick.0);
        }
    }
    panic!("a match ends within eight minutes");
}
