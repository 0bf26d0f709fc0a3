//! The project commands: `cargo xtask play`, `cargo xtask test`.

fn main() -> std::process::ExitCode {
    broadside_xtask::game("my-game", env!("CARGO_MANIFEST_DIR"))
}
