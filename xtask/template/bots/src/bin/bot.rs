//! Bots that play over the network: `bot ws://127.0.0.1:8080/ws --count 8`.

fn main() -> std::process::ExitCode {
    broadside_bots::bot::<my_game::World>()
}
