//! The load tester with players of the arena.

use std::process::ExitCode;

use broadside_bots::MiMalloc;

/// Thousands of clients allocate constantly; this allocator is faster than most system allocators.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    broadside_bots::load::<broadside_arena::Arena>("broadside-server")
}
