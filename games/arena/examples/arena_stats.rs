//! Lets bots of several skills fight for some time and prints what each skill achieved, for tuning the rules and the
//! AI; then as many bots of each craft against each other, whose shares of the sunk ships show whether the crafts are fair.
//!
//! ```text
//! cargo run --release -p broadside-arena --example arena_stats -- [seed] [seconds] [bots per skill]
//! ```

use broadside_arena::Craft;
use broadside_arena::spar::{AiStats, Sparring, tournament};

const SKILLS: [f32; 5] = [0.2, 0.4, 0.6, 0.75, 0.9];

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let mut next = |default: u64| args.next().and_then(Result::ok).unwrap_or(default);
    let (seed, seconds, each) = (next(1), next(120), next(4) as usize);

    let skills: Vec<f32> = SKILLS.iter().flat_map(|skill| std::iter::repeat_n(*skill, each)).collect();
    let mut sparring = Sparring::new(seed, &skills);
    sparring.run(seconds as u32 * 60);

    let per_minute = 60.0 / seconds as f64 / each as f64;
    println!("per bot and minute, seed {seed}, {seconds} s, {} bots", skills.len());
    println!("skill  kills deaths wrecks shots  hit% beams  hit% kill%  pickups wait/s fight/s idle%");
    let tallies: Vec<AiStats> = sparring.stats().collect();
    for (skill, group) in SKILLS.iter().zip(tallies.chunks(each)) {
        let sum = |field: fn(&AiStats) -> u32| group.iter().map(|stats| f64::from(field(stats))).sum::<f64>();
        let by_others = sum(|t| t.deaths) - sum(|t| t.wrecked);
        println!(
            "{skill:5.2} {:6.1} {:6.1} {:6.1} {:5.0} {:5.1} {:5.0} {:5.1} {:5.1} {:8.1} {:6.1} {:7.1} {:5.1}",
            sum(|t| t.kills) * per_minute,
            sum(|t| t.deaths) * per_minute,
            sum(|t| t.wrecked) * per_minute,
            sum(|t| t.shots) * per_minute,
            100.0 * sum(|t| t.hits) / sum(|t| t.shots).max(1.0),
            sum(|t| t.beams) * per_minute,
            100.0 * sum(|t| t.beam_hits) / sum(|t| t.beams).max(1.0),
            100.0 * sum(|t| t.beam_kills) / sum(|t| t.kills).max(1.0),
            sum(|t| t.pickups) * per_minute,
            sum(|t| t.waits) / 60.0 / sum(|t| t.meetings).max(1.0),
            sum(|t| t.fights) / 60.0 / by_others.max(1.0),
            100.0 * sum(|t| t.idle) / sum(|t| t.afloat).max(1.0),
        );
    }
    crafts(seed, seconds as u32 * 60);
}

/// What each craft sank and lost, in fights of all of them and of two.
fn crafts(seed: u64, ticks: u32) {
    println!("crafts: per cent of the ships sunk, and of the ships lost");
    let [sloop, skiff, brig] = Craft::ALL;
    for fight in [&Craft::ALL[..], &[sloop, skiff], &[sloop, brig], &[skiff, brig]] {
        let mut sums = vec![(0, 0); fight.len()];
        for round in 0..8 {
            for (sum, (kills, deaths)) in sums.iter_mut().zip(tournament(seed * 100 + round, ticks, fight)) {
                *sum = (sum.0 + kills, sum.1 + deaths);
            }
        }
        let all = sums.iter().fold((0, 0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
        for (craft, (kills, deaths)) in fight.iter().zip(sums) {
            let share = |part: u32, of: u32| 100.0 * f64::from(part) / f64::from(of.max(1));
            print!("{:5} {:5.1} {:5.1}   ", craft.spec().name, share(kills, all.0), share(deaths, all.1));
        }
        println!("of {}", all.0);
    }
}
