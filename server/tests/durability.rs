//! The program keeps results through kills and through a database that is gone, with players in it.
//!
//! `BROADSIDE_KILLS=100 BROADSIDE_PLAYERS=200 cargo test --release -p broadside-server --test durability -- --nocapture` is the long run of
//! `docs/OPERATIONS.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use broadside_arena::Arena;
use broadside_bots::player::{Player, Progress};
use broadside_bots::socket::Target;
use broadside_server::recordings::check;
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot as _, Game, ModeSpec};
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::recording::{block, pack};
use broadside_store::testing::{Stop, TestPostgres};
use nix::sys::signal::Signal;
use sqlx::{PgPool, Row, SqlitePool};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A stay of this length leaves a result, whatever its score.
const STAY: Duration = Duration::from_millis(10_200);
/// What left this long before a kill is on disk, on a machine that is busy with a test.
const ON_DISK_AFTER: Duration = Duration::from_secs(1);

/// A server writes no more snapshots than this that a client has not acknowledged.
const UNREAD_MAX: u32 = 16;

/// A number from the environment, for longer runs.
fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A folder that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("broadside-durability-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the system has a temporary folder");
        std::fs::write(path.join("index.html"), "<!doctype html>").expect("the temporary folder takes a file");
        Folder(path)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program with these flags.
fn program(folder: &Folder, database: Option<&str>, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broadside-server"));
    command.args(["--port", "0", "--bots", "0", "--limit-exempt", "127.0.0.1", "--metrics-allow", "127.0.0.1"]);
    command.arg("--assets").arg(&folder.0).arg("--data").arg(folder.data());
    command.args(database.iter().flat_map(|url| ["--database", url]));
    command.args(flags).env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts the program. Returns it with its address.
async fn start(folder: &Folder, database: Option<&str>, flags: &[&str]) -> (Child, String) {
    let mut command = program(folder, database, flags);
    let mut child = command.spawn().expect("the program is there");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let line = lines.next_line().await.expect("a pipe").expect("a line before it ends");
    let address = line.strip_prefix("listening on http://").expect("the address").to_owned();
    (child, address)
}

/// Who left a seat, and when.
type Left = Arc<Mutex<BTreeMap<String, Instant>>>;

/// Plays one stay after another, each under a new name, at whatever address there is.
async fn play(index: u32, mut address: watch::Receiver<Option<String>>, left: Left) {
    for stay in 0.. {
        let Ok(at) = address.wait_for(Option::is_some).await.map(|address| address.clone()) else { return };
        let target = Target::parse(&format!("ws://{}/ws", at.expect("it is some"))).expect("a fine address");
        let name = format!("p{index} {stay}");
        let one_stay = one_stay(&name, &target, Duration::from_millis(u64::from(index * 37 + stay * 101) % 2000));
        tokio::select! {
            stayed = one_stay => match stayed {
                Some(()) => drop(left.lock().expect("no panic").insert(name, Instant::now())),
                // The server was killed; it comes back.
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            () = async { while address.changed().await.is_ok() {} } => return,
        }
    }
}

async fn one_stay(name: &str, target: &Target, longer: Duration) -> Option<()> {
    let (agent, room) = ("test".to_owned(), Some(RoomChoice::Quick));
    let name = Name::new(name).expect("a fine name");
    let config = ClientConfig { name, agent, room, role: Role::Play, detail: Detail::Replica };
    let mut player = Player::<Arena>::connect(target, config, <Arena as Game>::Bot::cheap(1)).await.ok()?;
    let mut until = None;
    loop {
        player.step(Instant::now() + Duration::from_millis(20)).await.ok()?;
        player.act().await.ok()?;
        if player.joined() && *until.get_or_insert_with(|| Instant::now() + STAY + longer) < Instant::now() {
            break;
        }
    }
    player.leave().await;
    Some(())
}

/// How often the test's players are in a table of results, by name.
fn counted(rows: impl Iterator<Item = (String, i64)>) -> BTreeMap<String, i64> {
    rows.filter(|(name, _)| name.starts_with('p')).collect()
}

const COUNTS: &str = "SELECT name, COUNT(*) FROM results GROUP BY name";

async fn in_sqlite(data: &Path) -> BTreeMap<String, i64> {
    let url = format!("sqlite://{}", data.join("broadside.db").display());
    let pool = SqlitePool::connect(&url).await.expect("the database");
    let rows = sqlx::query(COUNTS).fetch_all(&pool).await.expect("the results");
    pool.close().await;
    counted(rows.iter().map(|row| (row.get(0), row.get(1))))
}

async fn in_postgres(url: &str) -> BTreeMap<String, i64> {
    let pool = PgPool::connect(url).await.expect("the database");
    let rows = sqlx::query(COUNTS).fetch_all(&pool).await.expect("the results");
    pool.close().await;
    counted(rows.iter().map(|row| (row.get(0), row.get(1))))
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A number of the metrics page.
async fn metric(address: &str, name: &str) -> f64 {
    let page = get(address, "/metrics").await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is a metric: {page}"))
}

fn signal(process: u32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.cast_signed()), signal).expect("it runs");
}

async fn terminate(mut child: Child) {
    signal(child.id().expect("it runs"), Signal::SIGTERM);
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("it ends");
    assert!(ended.expect("it is ours").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_result_that_was_on_disk_and_doubles_none() {
    let (kills, players) = (number("BROADSIDE_KILLS", 1), number("BROADSIDE_PLAYERS", 8));
    let folder = Folder::new("kills");
    let (address, at) = watch::channel(None);
    let left = Left::default();
    let playing: Vec<_> = (0..players).map(|index| tokio::spawn(play(index, at.clone(), Arc::clone(&left)))).collect();
    drop(at);
    let mut killed_at = Vec::new();
    for _ in 0..kills {
        let (mut child, listens) = start(&folder, None, &[]).await;
        address.send_replace(Some(listens));
        // Long enough for a stay to end, and then at any moment of the next one.
        tokio::time::sleep(STAY + Duration::from_millis(fastrand::u64(1500..9000))).await;
        address.send_replace(None);
        child.kill().await.expect("it runs");
        killed_at.push(Instant::now());
    }
    // The last run writes what waits on disk.
    let (child, listens) = start(&folder, None, &[]).await;
    drop(address);
    futures_util::future::join_all(playing).await;
    while !get(&listens, "/healthz").await.contains("\"results_on_disk_bytes\":0") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    terminate(child).await;
    let (found, left) = (in_sqlite(&folder.data()).await, left.lock().expect("no panic").clone());
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    let is_recent = |at: &Instant| killed_at.iter().any(|killed| *at < *killed && *at + ON_DISK_AFTER > *killed);
    let missing: Vec<_> = left.iter().filter(|(name, _)| !found.contains_key(*name)).collect();
    let lost: Vec<_> = missing.iter().filter(|(_, at)| !is_recent(at)).collect();
    println!(
        "{kills} kills, {players} players: {} stays ended, {} in the database, none doubled, {} lost that ended within {} ms of a kill",
        left.len(),
        found.len(),
        missing.len() - lost.len(),
        ON_DISK_AFTER.as_millis()
    );
    assert!(!left.is_empty() && lost.is_empty(), "{lost:?}");
}

fn target(listens: &str) -> Target {
    Target::parse(&format!("ws://{listens}/ws")).expect("a fine address")
}

/// A client that asks for a seat.
async fn asking(listens: &str, index: u64) -> Player<Arena> {
    asking_for(listens, index, RoomChoice::Quick).await
}

async fn asking_for(listens: &str, index: u64, room: RoomChoice) -> Player<Arena> {
    let name = Name::new(&format!("p{index}")).expect("a fine name");
    let room = Some(room);
    let config = ClientConfig { name, agent: "test".to_owned(), room, role: Role::Play, detail: Detail::Replica };
    Player::<Arena>::connect(&target(listens), config, <Arena as Game>::Bot::cheap(index)).await.expect("it listens")
}

/// Lets a client go on until this is true of it.
async fn until(player: &mut Player<Arena>, is_so: impl Fn(&Player<Arena>) -> bool) {
    while !is_so(player) {
        step(player).await;
    }
}

async fn step(player: &mut Player<Arena>) {
    player.step(Instant::now() + Duration::from_millis(20)).await.expect("it plays");
}

/// Players with seats.
async fn seated(listens: &str, count: u64) -> Vec<Player<Arena>> {
    let mut players = Vec::new();
    for index in 0..count {
        let mut player = asking(listens, index).await;
        until(&mut player, Player::joined).await;
        players.push(player);
    }
    players
}

/// As the client sees it.
type Room = (RoomId, ModeId, Role);

fn seats(players: &[Player<Arena>]) -> Vec<(Option<Room>, Option<PlayerId>)> {
    players.iter().map(|player| (player.client().room(), player.client().player())).collect()
}

/// Everyone gets more snapshots over the same connection than a server that has ended can have left in it.
async fn play_on(players: &mut [Player<Arena>]) {
    for player in players {
        let mut snapshots = 0;
        while snapshots < 2 * UNREAD_MAX {
            let progress =
                player.step(Instant::now() + Duration::from_millis(20)).await.expect("the connection goes on");
            snapshots += u32::from(matches!(progress, Progress::Snapshot(_)));
            player.act().await.expect("the connection goes on");
        }
    }
}

/// Everyone connects again, and gets a snapshot.
async fn come_back(players: &mut [Player<Arena>], listens: &str) {
    for player in players {
        player.reconnect(&target(listens)).await.expect("it listens");
        while !matches!(player.step(Instant::now() + Duration::from_secs(1)).await, Ok(Progress::Snapshot(_))) {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_gives_everyone_back_the_same_seat_and_the_same_place_in_the_queue() {
    let folder = Folder::new("crash");
    let (mut child, listens) = start(&folder, None, &["--capacity", "4"]).await;
    let mut players = seated(&listens, 4).await;
    let before = seats(&players);
    let mut waiting = Vec::new();
    for place in 1..=2 {
        let mut player = asking(&listens, 3 + u64::from(place)).await;
        until(&mut player, |player| player.client().queue_position() == Some(place)).await;
        waiting.push(player);
    }
    // Whatever is written from now on knows all of them.
    let written = metric(&listens, "broadside_checkpoint_bytes_total").await;
    while metric(&listens, "broadside_checkpoint_bytes_total").await < written + 4000.0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.kill().await.expect("it runs");
    let (child, listens) = start(&folder, None, &["--capacity", "4"]).await;
    // The last one, and a stranger, come before the one in front.
    let (mut stranger, [first, second]) = (asking(&listens, 9).await, &mut waiting[..]) else { panic!("two wait") };
    second.reconnect(&target(&listens)).await.expect("it listens");
    until(second, |second| second.client().queue_position() == Some(1)).await;
    until(&mut stranger, |stranger| stranger.client().queue_position() == Some(2)).await;
    first.reconnect(&target(&listens)).await.expect("it listens");
    until(first, |first| first.client().queue_position() == Some(1)).await;
    come_back(&mut players, &listens).await;
    assert_eq!(seats(&players), before);
    assert_eq!(metric(&listens, "broadside_players").await, 4.0, "nobody has two seats");
    players.pop().expect("four play").leave().await;
    until(first, Player::joined).await;
    for (behind, place) in [(second, 1), (&mut stranger, 2)] {
        until(behind, |behind| behind.client().queue_position() == Some(place)).await;
    }
    terminate(child).await;
    // After the orderly end there is nothing to go on from.
    let (child, listens) = start(&folder, None, &[]).await;
    assert_eq!(metric(&listens, "broadside_players").await, 0.0);
    terminate(child).await;
}

/// The only recording with this ending.
fn recording(folder: &Folder, ending: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.data().join("recordings")).expect("recordings are kept");
    let files = entries.map(|entry| entry.expect("it is there").path());
    let mut found = files.filter(|file| file.extension().is_some_and(|found| found == ending));
    let file = found.next();
    assert_eq!(found.next(), None, "a match has one file");
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_in_which_the_server_is_killed_has_one_recording_that_replays_from_start_to_end() {
    let folder = Folder::new("match");
    let (mut child, listens) = start(&folder, None, &[]).await;
    let duel = ModeSpec::named(Arena::MODES, "duel").map(RoomChoice::Mode).expect("the arena has duels");
    let mut players = Vec::new();
    for index in 0..2 {
        let mut player = asking_for(&listens, index, duel).await;
        until(&mut player, Player::joined).await;
        players.push(player);
    }
    // A second of the match is on disk, and then a checkpoint of it.
    let length = || recording(&folder, "part").map_or(0, |file| std::fs::metadata(file).expect("it is there").len());
    let mut beginning = 0;
    while beginning == 0 || length() == beginning {
        step(&mut players[0]).await;
        beginning = if beginning == 0 { length() } else { beginning };
    }
    let written = metric(&listens, "broadside_checkpoint_bytes_total").await;
    while metric(&listens, "broadside_checkpoint_bytes_total").await < written + 4000.0 {
        step(&mut players[0]).await;
    }
    child.kill().await.expect("it runs");
    let before = std::fs::read(recording(&folder, "part").expect("the match goes on")).expect("it is there");

    let (child, listens) = start(&folder, None, &[]).await;
    come_back(&mut players, &listens).await;
    // Who leaves a duel ends it.
    players.pop().expect("two play").leave().await;
    while recording(&folder, "part").is_some() || recording(&folder, "bsr").is_none() {
        step(&mut players[0]).await;
    }
    let file = recording(&folder, "bsr").expect("it ended");
    let replayed = check::replay::<Arena>(&file).expect("it agrees");
    assert!(replayed.ends_with("every hash agrees"), "it is whole: {replayed}");
    let bytes = std::fs::read(&file).expect("it is there");
    let whole = pack::unpack(&bytes).expect("it is small");
    assert!(whole.starts_with(&before[..block::open_length(&before)]), "it begins with what was there");
    let id = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let served = get(&listens, &format!("/api/recordings/{id}")).await;
    assert!(served.starts_with("HTTP/1.1 200"), "{served}");
    terminate(child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_takes_over_port_and_players_and_one_that_fails_changes_nothing() {
    let folder = Folder::new("hand-over");
    let (mut first, listens) = start(&folder, None, &[]).await;
    let mut players = seated(&listens, 3).await;
    let before = seats(&players);

    // It is ready, and fails once it has the state: the server goes on from that itself.
    let token = folder.0.join("no-such-token").display().to_string();
    let failing = program(&folder, None, &["--take-over", "--operator-token", &token]);
    let failed = { failing }.stderr(Stdio::piped()).output().await.expect("it ends");
    assert!(!failed.status.success());
    play_on(&mut players).await;
    assert_eq!(seats(&players), before);
    assert_eq!(first.try_wait().expect("it is ours"), None, "the server goes on");

    let (second, again) = start(&folder, None, &["--take-over"]).await;
    assert_eq!(again, listens, "the same port");
    let ended = tokio::time::timeout(Duration::from_secs(30), first.wait()).await.expect("it ends");
    assert!(ended.expect("it is ours").success());
    play_on(&mut players).await;
    assert_eq!(seats(&players), before);
    assert_eq!(metric(&listens, "broadside_players").await, 3.0, "nobody has two seats");
    for player in players {
        player.leave().await;
    }
    terminate(second).await;
    let counts = in_sqlite(&folder.data()).await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    // Without a server there is nothing to take over.
    let refused = { program(&folder, None, &["--take-over"]) }.stderr(Stdio::piped()).output().await.expect("it ends");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("no server runs with --data") && !refused.status.success(), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_is_told_which_process_serves_that_rooms_tick_and_that_it_ends() {
    let folder = Folder::new("notify");
    let path = folder.0.join("notify");
    let socket = UnixDatagram::bind(&path).expect("the folder takes a socket");
    let told = async |what: &str| {
        let mut words = [0; 1024];
        let told = async {
            loop {
                let length = socket.recv(&mut words).await.expect("it is bound");
                let text = String::from_utf8_lossy(&words[..length]).into_owned();
                if text.lines().any(|line| line.starts_with(what)) {
                    return text;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told).await.unwrap_or_else(|_| panic!("{what} is due"))
    };
    let main_process = |text: &str| text.lines().find_map(|line| line.strip_prefix("MAINPID=")?.parse::<u32>().ok());
    // As systemd does: the watchdog is for the process that it starts.
    let server = program(&folder, None, &[]);
    let mut command = Command::new("sh");
    command.args(["-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh"]).arg(server.as_std().get_program());
    command.args(server.as_std().get_args()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    let mut first = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program is there");
    assert_eq!(main_process(&told("READY=1").await), first.id());
    told("WATCHDOG=1").await;

    signal(first.id().expect("it runs"), Signal::SIGUSR2);
    let second = main_process(&told("READY=1").await).expect("its number");
    assert!(first.wait().await.expect("it is ours").success());
    told("WATCHDOG=1").await;
    signal(second, Signal::SIGTERM);
    told("STOPPING=1").await;
    // Closed once both have ended.
    let mut lines = String::new();
    first.stdout.take().expect("it is piped").read_to_string(&mut lines).await.expect("a pipe");
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn play_goes_on_without_the_database_and_results_arrive_later() {
    let players = number("BROADSIDE_PLAYERS", 8);
    let mut server = TestPostgres::start();
    let url = server.database("game");
    let folder = Folder::new("outage");
    let (child, listens) = start(&folder, Some(&url), &[]).await;
    let (address, at) = watch::channel(Some(listens.clone()));
    let left = Left::default();
    let playing: Vec<_> = (0..players).map(|index| tokio::spawn(play(index, at.clone(), Arc::clone(&left)))).collect();
    drop(at);
    let ticks = async || {
        let names = ["broadside_ticks_total", "broadside_ticks_missed_total", "broadside_tick_overruns_total"];
        let [mut all, mut missed, mut late] = [0.0; 3];
        for (of, name) in [&mut all, &mut missed, &mut late].into_iter().zip(names) {
            *of = metric(&listens, name).await;
        }
        (all, missed, late)
    };
    let phase = Duration::from_secs(u64::from(number("BROADSIDE_OUTAGE_SECONDS", 13)));
    // A control, then the same time without a database.
    let before = ticks().await;
    tokio::time::sleep(phase).await;
    let with = ticks().await;
    server.stop(Stop::Crash);
    tokio::time::sleep(phase).await;
    let without = ticks().await;
    let health = get(&listens, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"status\":\"failing\""), "{health}");
    assert_eq!(metric(&listens, "broadside_store_up").await, 0.0);
    server.resume();
    drop(address);
    futures_util::future::join_all(playing).await;
    let delivered = async {
        while !get(&listens, "/healthz").await.contains("\"results_on_disk_bytes\":0") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), delivered).await.expect("the results arrive");
    terminate(child).await;
    let (found, left) = (in_postgres(&url).await, left.lock().expect("no panic").clone());
    println!(
        "{players} players, ticks, missed and late ones: {:?} with the database, {:?} without; {} stays ended, {} in the database",
        (with.0 - before.0, with.1 - before.1, with.2 - before.2),
        (without.0 - with.0, without.1 - with.1, without.2 - with.2),
        left.len(),
        found.len()
    );
    let missing: Vec<_> = left.keys().filter(|name| found.get(*name) != Some(&1)).collect();
    assert!(!left.is_empty() && missing.is_empty(), "{missing:?}");
    assert!(found.values().all(|count| *count == 1), "{found:?}");
}
