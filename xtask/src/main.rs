//! The program of this workspace.

use std::process::ExitCode;

fn main() -> ExitCode {
    broadside_xtask::broadside()
}
