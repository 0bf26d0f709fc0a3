//! Checks that run one after the other, ending at the first that fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

/// Runs every step of `S`, or the chosen one, in the order of its variants. `about` says what is true when a step has passed.
pub(crate) fn run_in_order<S: ValueEnum + Copy + PartialEq>(
    only: Option<S>,
    about: impl Fn(S) -> &'static str,
    run: impl Fn(S) -> Result<()>,
) -> Result<()> {
    let chosen = |step: &S| only.is_none_or(|only| only == *step);
    let steps: Vec<S> = S::value_variants().iter().copied().filter(chosen).collect();
    let started_at = Instant::now();
    for (step, number) in steps.iter().zip(1..) {
        let (name, step_started_at) = (name(step), Instant::now());
        println!("[{number}/{}] {name}: {}", steps.len(), about(*step));
        run(*step).with_context(|| format!("{name} failed; `cargo xtask test --only {name}` repeats it"))?;
        println!("[{number}/{}] {name}: good after {}", steps.len(), seconds(step_started_at.elapsed()));
    }
    println!("all good after {}", seconds(started_at.elapsed()));
    Ok(())
}

fn name(step: &impl ValueEnum) -> String {
    step.to_possible_value().expect("no step is hidden").get_name().to_string()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
