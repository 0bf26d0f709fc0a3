//! The programs `bot` and `load`: what they print and their exit statuses.

mod cluster;
#[cfg(unix)]
mod exits;
#[cfg(unix)]
mod unmeasured;

use broadside_arena::Arena;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use broadside_server::config::Config;
use broadside_server::network::Network;
use broadside_server::{Running, start};
use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::protocol::close::CloseCode;
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const BOT: &str = env!("CARGO_BIN_EXE_bot");
const LOAD: &str = env!("CARGO_BIN_EXE_load");

/// Longest wait for a program: far more than a busy machine needs, since only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("broadside-programs-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the system has a temporary folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The addresses that the programs connect from.
fn loopback() -> Vec<Network> {
    vec!["127.0.0.0/8".parse().expect("a network")]
}

/// Starts a server on a free port; also gives the folder it serves.
async fn server(capacity: u16) -> (Running<Arena>, Folder) {
    let folder = Folder::new();
    std::fs::write(folder.0.join("index.html"), "<!doctype html>").expect("the temporary folder takes a file");
    let config = Config {
        port: 0,
        assets: Some(folder.0.clone()),
        capacity,
        seed: Some(7),
        bots: 0,
        limit_exempt: loopback(),
        ..Config::default()
    };
    (start::<Arena>(config, Default::default()).await.expect("the system gives a free port"), folder)
}

fn command(program: &str, url: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg(url).args(flags).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a program until it exits.
async fn run(program: &str, url: &str, flags: &[&str]) -> Output {
    let output = command(program, url, flags).output();
    tokio::time::timeout(PATIENCE, output).await.expect("the program ends").expect("the program runs")
}

fn url_of(listener: &TcpListener) -> String {
    format!("ws://{}/ws", listener.local_addr().expect("a bound address"))
}

/// The non-empty lines that a program wrote to standard error.
fn stderr_lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn name_of(program: &str) -> String {
    Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Checks that a program failed with a one-line error that contains all of `says`.
fn failed_with(program: &str, output: &Output, says: &[&str]) {
    let lines = stderr_lines(output);
    assert_eq!(output.status.code(), Some(1), "{program}: {lines:?}");
    assert_eq!(lines.len(), 1, "{program}: {lines:?}");
    let all = std::iter::once(format!("{}: ", name_of(program))).chain(says.iter().map(|part| (*part).to_owned()));
    for part in all {
        assert!(lines[0].contains(&part), "{program}: {part:?} is missing in {lines:?}");
    }
}

#[tokio::test]
async fn a_wrong_url_is_refused_with_the_reason_and_an_example() {
    for program in [BOT, LOAD] {
        for (url, says) in [("http://127.0.0.1/ws", "scheme is http"), ("127.0.0.1:8080", "scheme is missing")] {
            let output = run(program, url, &[]).await;
            let lines = stderr_lines(&output);
            assert_eq!(output.status.code(), Some(2), "{program} {url}");
            assert!(
                lines[0].contains(says) && lines[0].contains("ws://127.0.0.1:8080/ws"),
                "{program} {url}: {lines:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_port_without_a_listener_is_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    drop(listener);
    for program in [BOT, LOAD] {
        let output = run(program, &url, &[]).await;
        failed_with(program, &output, &["cannot reach", &url, "is the server running?"]);
    }
}

/// Answers every connection in the same way until the test ends.
fn answer_all<F: Future<Output = ()> + Send>(listener: TcpListener, how: impl Fn(TcpStream) -> F + Send + 'static) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            how(stream).await;
        }
    });
}

#[tokio::test]
async fn a_server_that_is_no_game_server_is_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    answer_all(listener, |mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 8\r\n\r\nnot here").await;
    });
    for program in [BOT, LOAD] {
        let output = run(program, &url, &[]).await;
        failed_with(program, &output, &["refused the handshake", "404"]);
    }
}

#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn with_subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

#[tokio::test]
async fn a_server_of_another_revision_is_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    answer_all(listener, |stream| async move {
        let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, with_subprotocol).await else { return };
        // A server of another revision closes with this code after the hello.
        if let Some(Ok(Message::Binary(_))) = socket.next().await {
            let code = CloseCode::WrongRevision;
            let frame = CloseFrame { code: code.code().into(), reason: code.reason().into() };
            let _ = socket.send(Message::Close(Some(frame))).await;
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    for (program, flags) in
        [(BOT, &["--count", "1"][..]), (LOAD, &["--players", "2", "--seconds", "1", "--settle", "0"])]
    {
        let output = run(program, &url, flags).await;
        failed_with(program, &output, &["wrong protocol revision", "4001"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_play_for_the_requested_time_and_print_a_summary() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let output = run(BOT, &url, &["--count", "3", "--seconds", "3", "--skill", "0.7"]).await;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}\n{:?}", stderr_lines(&output));
    assert!(stdout.lines().filter(|line| line.contains("/3 playing")).count() >= 2, "a line per second: {stdout}");
    let last = stdout.lines().last().unwrap_or("");
    for part in ["with 3 bots", "snapshots", "gap p50", "rtt", "best score"] {
        assert!(last.contains(part), "{part:?} is missing in {last:?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shuts_down_is_one_line() {
    for program in [BOT, LOAD] {
        let (server, _folder) = server(100).await;
        let url = format!("ws://{}/ws", server.address);
        let flags: &[&str] =
            if program == BOT { &["--count", "2", "--retry", "0"] } else { &["--players", "2", "--seconds", "600"] };
        let mut child = command(program, &url, flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        seated(&server, 2).await;
        // Wait for the bots' own output too: a seated bot may not have received its first snapshot.
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        if program == BOT {
            let playing = async {
                while let Ok(Some(line)) = stdout.next_line().await {
                    if line.contains("2/2 playing") {
                        return;
                    }
                }
                panic!("the bots end before they play");
            };
            tokio::time::timeout(PATIENCE, playing).await.expect("the bots play");
        }
        server.end().await;
        let rest = tokio::spawn(async move { while let Ok(Some(_)) = stdout.next_line().await {} });
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.expect("the program ends").expect("the program ran");
        failed_with(program, &output, &["server is shutting down", "1001"]);
        rest.await.expect("reading does not panic");
    }
}

/// Polls the list of rooms until `players` are seated.
async fn seated(server: &Running<Arena>, players: u64) {
    let polling = async {
        loop {
            let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
            let request = "GET /api/rooms HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.expect("the server takes a request");
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.expect("the server answers");
            let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let rooms: Value = serde_json::from_str(body).expect("the list of rooms is JSON");
            if rooms[0]["players"] == players {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polling).await.expect("the players are seated");
}

/// Every key of the report with its inner keys; each value is a number.
const REPORT: [(&str, &[&str]); 27] = [
    ("players", &[]),
    ("joined", &[]),
    ("refused", &[]),
    ("queued", &[]),
    ("dropped", &[]),
    ("rejoined", &[]),
    ("seconds", &[]),
    ("snapshot_rate_hz", &["p50", "min"]),
    ("share_received", &["p50", "min", "all"]),
    ("snapshot_age_ms", &["p50", "p95", "p99", "max"]),
    ("snapshot_gap_ms", &["p50", "p95", "p99", "max"]),
    ("input_to_ack_ms", &["p50", "p99"]),
    ("input_to_effect_ms", &["p50", "p99"]),
    ("prediction_error", &["p99"]),
    ("corrections_per_min", &[]),
    ("corrections_by_cause", &["input", "collision", "hit", "pickup", "respawn", "unknown"]),
    ("join_ms", &["p50", "p99"]),
    ("bits_per_record", &["mean"]),
    ("in_view", &["mean"]),
    ("subscribed", &["mean"]),
    ("bytes_down_per_s", &["mean", "max"]),
    ("bytes_up_per_s", &["mean"]),
    ("bytes_by_class", &["local_player", "cells_near", "cells_far", "events", "updates", "control", "headers"]),
    ("kbit_per_s", &["payload_down", "down", "down_max", "up"]),
    ("rtt_ms", &["p50"]),
    ("socket_bytes_per_s", &["down", "up"]),
    ("load", &["cpu_cores", "socket_errors", "threads"]),
];
/// Keys whose values may be 0 in a short run.
const MAYBE_ZERO: [&str; 9] = [
    "queued",
    "refused",
    "dropped",
    "rejoined",
    "prediction_error",
    "corrections_per_min",
    "corrections_by_cause",
    "bytes_by_class",
    "load",
];
/// Keys of the server's metrics, null if they cannot be read.
const SERVER: [&str; 9] = [
    "cpu_cores",
    "cpu_us_per_client_snapshot",
    "rss_mb",
    "tick_ms",
    "lateness_ms",
    "missed_ticks",
    "skips",
    "budget_steps",
    "unavailable",
];

/// Checks that a report has every key.
fn has_every_key(report: &Value) {
    for (key, inner) in REPORT {
        let values: Vec<(String, &Value)> = match inner {
            [] => vec![(key.to_owned(), &report[key])],
            inner => inner.iter().map(|part| (format!("{key}.{part}"), &report[key][part])).collect(),
        };
        for (name, value) in values {
            let least = if MAYBE_ZERO.contains(&key) { -1e-9 } else { 1e-9 };
            assert!(value.as_f64().is_some_and(|number| number > least), "{name} in {report}");
        }
    }
    for key in SERVER {
        assert!(report["server"].get(key).is_some(), "server.{key} in {report}");
    }
    assert!(report["load"]["lateness_ms"]["p99"].is_number(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_run_reports_every_measurement() {
    let (server, folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let file = folder.0.join("report.json");
    let path = file.to_string_lossy().into_owned();
    let page = folder.0.join("report.html").to_string_lossy().into_owned();
    let output =
        run(LOAD, &url, &["--players", "5", "--seconds", "2", "--settle", "0", "--json", &path, "--html", &page]).await;
    assert!(output.status.success(), "{:?}", stderr_lines(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("5 of 5 joined, 0 dropped"));
    let json = std::fs::read_to_string(&file).expect("the report was written");
    let report: Value = serde_json::from_str(&json).expect("the report is JSON");
    has_every_key(&report);
    assert_eq!((&report["players"], &report["joined"], &report["dropped"]), (&5.into(), &5.into(), &0.into()));
    let gap = &report["snapshot_gap_ms"];
    assert!(gap["p50"].as_f64() <= gap["p99"].as_f64() && gap["p99"].as_f64() <= gap["max"].as_f64(), "{gap}");
    let page = std::fs::read_to_string(&page).expect("the page was written");
    assert!(page.contains("snapshot_age_ms") && !page.contains("NUMBERS"), "the numbers are in the page");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_sets_the_exit_status() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let flags = ["--players", "3", "--seconds", "1", "--settle", "0", "--assert"];
    let held = run(LOAD, &url, &[&flags[..], &["age_p99<30s,dropped<=0,joined>=3"]].concat()).await;
    assert!(held.status.success(), "{:?}", stderr_lines(&held));
    let broken = run(LOAD, &url, &[&flags[..], &["age_p99<1us,dropped<=0"]].concat()).await;
    failed_with(LOAD, &broken, &["age_p99<1us does not hold", "ms"]);
    let wrong = run(LOAD, &url, &[&flags[..], &["age<1ms"]].concat()).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr_lines(&wrong)[0].contains("must be one of age_p50"), "{:?}", stderr_lines(&wrong));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_on_bad_links_leave_and_reconnect_without_counting_as_dropped() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let flags = [
        "--players",
        "8",
        "--seconds",
        "3",
        "--settle",
        "0",
        "--link",
        "far:1,wifi:1",
        "--churn",
        "1000",
        "--json",
        "-",
    ];
    let output = run(LOAD, &url, &flags).await;
    assert!(output.status.success(), "{:?}", stderr_lines(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("standard output contains only the report");
    assert_eq!((&report["dropped"], &report["refused"]), (&0.into(), &0.into()), "{report}");
    assert!(report["rejoined"].as_u64() > Some(0), "{report}");
    // Half of the players are on a link of 60 ms each way, so no snapshot of theirs is younger.
    assert!(report["snapshot_age_ms"]["p95"].as_f64() > Some(60.0), "{}", report["snapshot_age_ms"]);
    assert!(report["snapshot_age_ms"]["p50"].as_f64() > Some(5.0), "{}", report["snapshot_age_ms"]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_for_the_knee_ends_at_the_level_that_breaks() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let flags = ["--find-knee", "2..8x2", "--seconds", "1", "--settle", "0", "--assert", "joined<=5", "--json", "-"];
    let output = run(LOAD, &url, &flags).await;
    assert!(output.status.success(), "{:?}", stderr_lines(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("standard output contains only the report");
    let levels: Vec<_> =
        report["knee"]["levels"].as_array().expect("levels").iter().map(|l| (&l["players"], &l["held"])).collect();
    assert_eq!(levels, [(&2.into(), &true.into()), (&4.into(), &true.into()), (&8.into(), &false.into())], "{report}");
    assert_eq!((&report["knee"]["players"], &report["players"]), (&4.into(), &4.into()), "{report}");
    server.end().await;
}

#[tokio::test]
async fn the_rate_of_a_running_server_cannot_be_set() {
    let output = run(LOAD, "ws://127.0.0.1:9/ws", &["--hz", "20"]).await;
    failed_with(LOAD, &output, &["--hz 20 is for the server started by --spawn"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_run_with_refused_players_fails_and_still_reports() {
    let (server, _folder) = server(2).await;
    let url = format!("ws://{}/ws", server.address);
    let output = run(LOAD, &url, &["--players", "3", "--seconds", "1", "--settle", "0", "--json", "-"]).await;
    failed_with(LOAD, &output, &["1 players could not join", "1 still in the join queue"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("standard output contains only the report");
    assert_eq!((&report["players"], &report["joined"]), (&3.into(), &2.into()), "{report}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bot_and_load_connect_over_tls_if_the_certificate_is_accepted() {
    let folder = Folder::new();
    let page = folder.0.join("page");
    std::fs::create_dir(&page).expect("the temporary folder takes a folder");
    std::fs::write(page.join("index.html"), "<!doctype html>").expect("the temporary folder takes a file");
    let tls = folder.0.join("tls");
    let config = Config {
        port: 0,
        assets: Some(page),
        tls_self_signed: Some(tls.clone()),
        bots: 0,
        limit_exempt: loopback(),
        ..Config::default()
    };
    let server = start::<Arena>(config, Default::default()).await.expect("the system gives a free port");
    let url = format!("wss://{}/ws", server.address);
    let ca = tls.join("self-signed-cert.pem").to_string_lossy().into_owned();
    for verification in [&["--ca", &ca][..], &["--insecure"]] {
        let output = run(BOT, &url, &[verification, &["--seconds", "1"]].concat()).await;
        assert!(output.status.success(), "{:?}", stderr_lines(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("played"), "{output:?}");
        let flags = ["--players", "4", "--seconds", "1", "--settle", "0", "--link", "clean:1,wifi:1", "--json", "-"];
        let output = run(LOAD, &url, &[verification, &flags].concat()).await;
        assert!(output.status.success(), "{:?}", stderr_lines(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("standard output contains only the report");
        assert_eq!((&report["joined"], &report["dropped"]), (&4.into(), &0.into()), "{report}");
        // The server's metrics are read over TLS too.
        assert!(report["server"]["cpu_cores"].is_number() || report["server_unavailable"].is_null(), "{report}");
        let (socket, frames) = (&report["socket_bytes_per_s"]["down"], &report["bytes_down_per_s"]["mean"]);
        assert!(socket.as_f64() > frames.as_f64(), "TLS records add bytes: {socket} {frames}");
    }
    for program in [BOT, LOAD] {
        failed_with(program, &run(program, &url, &[]).await, &["refused the handshake", "--ca FILE accepts"]);
        let missing = run(program, &url, &["--ca", "/nowhere/ca.pem"]).await;
        failed_with(program, &missing, &["--ca /nowhere/ca.pem: cannot be read"]);
        let plain = url.replace("wss:", "ws:");
        failed_with(program, &run(program, &plain, &["--insecure"]).await, &["are for wss://"]);
        failed_with(program, &run(program, &plain, &[]).await, &["use https:// and wss://"]);
    }
    server.end().await;
}
