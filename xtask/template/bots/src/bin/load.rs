//! The load tester: `load --spawn --players 1000` starts a server and says what its players feel.

fn main() -> std::process::ExitCode {
    broadside_bots::load::<my_game::World>("my-game-server")
}
