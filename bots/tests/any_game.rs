//! The library with another game than the arena: nothing in it knows the game but its AI.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use broadside_bots::load::plan::LoadPlan;
use broadside_bots::load::run::Run;
use broadside_bots::player::Player;
use broadside_bots::report::Report;
use broadside_bots::socket::Target;
use broadside_server::config::Config;
use broadside_server::{Running, start};
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot, Game};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::toy::Toy;

/// Longest wait: far more than a busy machine needs, since only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the toy game on a free port, and its address.
async fn server() -> (Running<Toy>, Target) {
    // Its page is looked for at the start, and never asked for.
    let page = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("any-game-page");
    std::fs::create_dir_all(&page).expect("cargo has made the folder around it");
    std::fs::write(page.join("index.html"), "<!doctype html>").expect("it takes a file");
    let assets = Some(page);
    let limit_exempt = vec!["127.0.0.0/8".parse().expect("a network")];
    let config = Config { port: 0, assets, seed: Some(7), bots: 0, limit_exempt, ..Config::default() };
    let server = start::<Toy>(config, ()).await.expect("the system gives a free port");
    let target = Target::parse(&format!("ws://{}/ws", server.address)).expect("an address");
    (server, target)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_of_a_game_without_bots_moves_about_in_a_load_test() {
    let (server, target) = server().await;
    let config = ClientConfig {
        name: Name::new("Ann").expect("a fine name"),
        agent: "test".to_owned(),
        room: Some(RoomChoice::Quick),
        role: Role::Play,
        detail: Detail::Replica,
    };
    let bot = <<Toy as Game>::Bot as Bot<Toy>>::cheap(1);
    let mut ann = Player::<Toy>::connect(&target, config, bot).await.expect("it lets us in");
    let moves = async {
        while ann.client().local_player().is_none_or(|own| own.at.length() < 1.0) {
            ann.step(Instant::now() + Duration::from_millis(16)).await.expect("the server stays");
            ann.act().await.expect("the server stays");
        }
    };
    tokio::time::timeout(PATIENCE, moves).await.expect("its dot moves");
    ann.leave().await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_run_reports_corrections_in_the_games_words() {
    let (server, target) = server().await;
    let plan = LoadPlan {
        target,
        others: Vec::new(),
        operator_token: None,
        link: "clean".parse().expect("a profile"),
        players: 4,
        rate: 100.0,
        settle: Duration::ZERO,
        steady: Duration::from_secs(1),
        full_every: 2,
        decode_every: 1,
        skill: 0.5,
        rooms: 1,
        churn_percent: 0.0,
        threads: 1,
        seed: 1,
        recording: None,
    };
    let run = tokio::task::spawn_blocking(move || {
        let mut run = Run::start::<Toy>(plan.clone(), Arc::new(AtomicBool::new(false)), 2).expect("threads");
        run.ramp(plan.players);
        let report = Report::new(&plan, &run.measure(plan.steady));
        run.end().expect("every player leaves");
        report
    });
    let report = tokio::time::timeout(PATIENCE, run).await.expect("the run ends").expect("it does not panic");
    let report = serde_json::to_value(&report).expect("a report is JSON");
    assert_eq!((&report["joined"], &report["dropped"]), (&4.into(), &0.into()), "{report}");
    assert!(report["snapshots"].as_u64() > Some(0), "{report}");
    let causes: Vec<&String> = report["corrections_by_cause"].as_object().expect("a map").keys().collect();
    assert_eq!(causes, ["bump", "input", "respawn", "unknown"]);
    server.end().await;
}
