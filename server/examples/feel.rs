//! The feel table: battles of brains in virtual time over every named line.
//!
//! `cargo run --release -p broadside-server --example feel [players] [seconds]`

#[path = "../tests/sim/feel.rs"]
mod feel;
#[path = "../tests/sim/harness.rs"]
mod harness;

use broadside_shared::game::Interference;
use broadside_shared::link::LinkProfile;
use feel::Feel;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut number = |default: u32| match numbers.next() {
        None => default,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            eprintln!("feel: arguments are players and seconds, each a number above 0");
            std::process::exit(2);
        }
    };
    let (players, seconds) = (number(32), number(60));
    println!("{players} brains, {seconds} s per line, snapshots and inputs at 20 Hz, seed 1");
    println!();
    println!(
        "| line | age p50 / p99 ms | gap p99 ms | delay ms | starved | error p50 / p99 units | corrections per minute | others RMS units | skipped |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for line in LinkProfile::ALL {
        let f = Feel::measure(&line, players as usize, f64::from(seconds), 1);
        let causes = Interference::ALL
            .into_iter()
            .filter(|cause| f.per_minute(*cause) >= 0.05)
            .map(|cause| format!("{} {:.1}", cause.name(), f.per_minute(cause)))
            .collect::<Vec<_>>()
            .join(", ");
        println!(
            "| {} | {:.0} / {:.0} | {:.0} | {:.0} | {:.2} % | {:.2} / {:.1} | {} | {:.2} | {} |",
            line.name,
            f.age_ms(0.5),
            f.age_ms(0.99),
            f.gap_ms(0.99),
            f.delay_ms(0.5),
            f.starved_share() * 100.0,
            f.error_units(0.5),
            f.error_units(0.99),
            if causes.is_empty() { "none".to_owned() } else { causes },
            f.remote_rms(),
            f.skipped(),
        );
    }
}
