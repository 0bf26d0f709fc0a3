//! The arena's server.

use std::process::ExitCode;

fn main() -> ExitCode {
    broadside_server::run::<broadside_arena::Arena>()
}
