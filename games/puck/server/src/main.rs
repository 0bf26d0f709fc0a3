//! Puck's server.

use std::process::ExitCode;

fn main() -> ExitCode {
    broadside_server::run::<broadside_puck::Puck>()
}
