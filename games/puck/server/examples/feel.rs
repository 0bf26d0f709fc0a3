//! The feel table of puck: matches of AI players in virtual time over every named link profile.
//!
//! `cargo run --release -p broadside-puck-server --example feel [seconds]`

#[path = "../tests/feel/measure.rs"]
#[expect(dead_code, reason = "the test uses more of it")]
mod measure;

use broadside_shared::link::LinkProfile;
use measure::{COLUMNS, Feel};

fn main() {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |text| text.parse::<u32>());
    let Some(seconds) = seconds.ok().filter(|seconds| *seconds > 0) else {
        eprintln!("feel: the argument is a number of seconds above 0");
        std::process::exit(2);
    };
    println!("three on three, {seconds} s per link, snapshots and inputs at 30 Hz, seed 1");
    println!();
    println!("| link | {COLUMNS} |");
    println!("|---|{}", "---|".repeat(COLUMNS.split('|').count()));
    for profile in LinkProfile::ALL {
        println!("| {} | {} |", profile.name, Feel::measure(&profile, f64::from(seconds), 1));
    }
}
