//! Headless players of the arena.

use std::process::ExitCode;

fn main() -> ExitCode {
    broadside_bots::bot::<broadside_arena::Arena>()
}
