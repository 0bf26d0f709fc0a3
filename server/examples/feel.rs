//! The feel table: battles of AI players in virtual time over every named link profile.
//!
//! `cargo run --release -p broadside-server --example feel [players] [seconds]`

#[path = "../tests/sim/feel.rs"]
mod feel;

use broadside_shared::link::LinkProfile;
use feel::{COLUMNS, Feel};

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
    println!("{players} AI players, {seconds} s per link, snapshots and inputs at 20 Hz, seed 1");
    println!();
    println!("| link | {COLUMNS} |");
    println!("|---|{}", "---|".repeat(COLUMNS.split('|').count()));
    for profile in LinkProfile::ALL {
        println!("| {} | {} |", profile.name, Feel::measure(&profile, players as usize, f64::from(seconds), 1));
    }
}
