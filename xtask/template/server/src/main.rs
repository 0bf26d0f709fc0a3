//! The server: `--help` lists its flags.

fn main() -> std::process::ExitCode {
    broadside_server::run::<my_game::World>()
}
