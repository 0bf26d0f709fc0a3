//! Assertions about what was not measured do not hold: interrupted runs, and servers that fall silent.

use broadside_arena::Arena;
use nix::sys::signal::Signal;
use tokio::process::Child;

use super::*;

/// Bytes from the server after which a connection falls silent: a few dozen snapshots.
const ALIVE_BYTES: usize = 12_000;

/// A proxy whose connections fall silent after [`ALIVE_BYTES`] from the server: they stay open and accept what is sent, but nothing more
/// arrives. Gives its URL.
async fn falling_silent(server: &Running<Arena>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (url, server) = (url_of(&listener), server.address);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(upstream) = TcpStream::connect(server).await else { return };
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = upstream.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let _ = tokio::io::copy(&mut (&mut from_server).take(ALIVE_BYTES as u64), &mut to_client).await;
                // Held open and never closed.
                std::future::pending::<()>().await;
                drop((from_server, to_client));
            });
        }
    });
    url
}

fn started(program: &str, url: &str, flags: &[&str]) -> Child {
    let mut command = command(program, url, flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
}

/// Sends a signal and waits for the exit.
async fn end_by(signal: Signal, child: Child) -> Output {
    let process = child.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).expect("it is ours");
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran")
}

fn report_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_measured_and_counts_as_lost_after_ten_seconds() {
    let (server, _folder) = server(100).await;
    let [of_short, of_long, of_bot] =
        [falling_silent(&server).await, falling_silent(&server).await, falling_silent(&server).await];
    let assertions = "gap_max<1s,age_max<1s,share>0.9,playing>=2,gap_p50<30s";
    let flags = ["--players", "2", "--settle", "0", "--assert", assertions, "--json", "-", "--seconds"];
    let [short, long] = [[&flags[..], &["8"]].concat(), [&flags[..], &["60"]].concat()];
    let (short, long, bot) = tokio::join!(
        run(LOAD, &of_short, &short),
        run(LOAD, &of_long, &long),
        run(BOT, &of_bot, &["--seconds", "600", "--retry", "0"])
    );

    // No connection was lost within the requested time: the gap still open at its end counts.
    let report = report_of(&short);
    assert_eq!(short.status.code(), Some(1), "{report}");
    assert_eq!((&report["dropped"], &report["interrupted"]), (&0.into(), &false.into()), "{report}");
    let held = |report: &Value| -> Vec<bool> {
        report["assertions"].as_array().expect("assertions").iter().map(|c| c["held"] == true).collect()
    };
    assert_eq!(held(&report), [false, false, false, true, true], "{report}");
    assert!(report["worst"]["gap_ms_max"].as_f64() > Some(1000.0), "{report}");

    // With more time, 10 s of silence end the connection, and the rest of the time is not measured.
    let report = report_of(&long);
    assert_eq!(long.status.code(), Some(1), "{report}");
    assert_eq!((&report["dropped"], &report["playing"]), (&2.into(), &0.into()), "{report}");
    assert!(report["snapshot_gap_ms"]["max"].as_f64() > Some(9000.0), "{report}");
    assert!(report["snapshot_age_ms"]["max"].as_f64() > Some(9000.0), "{report}");
    assert!(report["share_received"]["p50"].as_f64() < Some(0.9), "{report}");
    assert!(report["seconds"].as_f64() < report["seconds_asked"].as_f64(), "{report}");
    assert_eq!(held(&report), [false; 5], "no assertion holds for a run that was cut short: {report}");
    assert!(stderr_lines(&long)[0].contains("no message from the server for 10 s"), "{:?}", stderr_lines(&long));

    let stdout = String::from_utf8_lossy(&bot.stdout).into_owned();
    failed_with(BOT, &bot, &["no message from the server for 10 s"]);
    let last = stdout.lines().last().unwrap_or("");
    let longest = last.split_once("max ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
    assert!(longest > Some(9000.0), "the open gap is in the summary: {last:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_fails_with_a_message() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    // During the ramp, and during the measurement.
    for (rate, players) in [("1", 3), ("100", 5)] {
        let players_flag = if players == 3 { "100" } else { "5" };
        let flags = ["--players", players_flag, "--rate", rate, "--seconds", "600", "--settle", "0", "--json", "-"];
        let child = started(LOAD, &url, &[&flags[..], &["--assert", "joined>=1,dropped<=0"]].concat());
        seated(&server, players).await;
        let output = end_by(Signal::SIGINT, child).await;
        let report = report_of(&output);
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert_eq!(report["interrupted"], true, "{report}");
        assert_eq!(report["players"], players_flag.parse::<u64>().expect("a number"), "as asked: {report}");
        assert!(
            report["assertions"].as_array().expect("assertions").iter().all(|assertion| assertion["held"] == false),
            "{report}"
        );
        assert!(stderr_lines(&output)[0].contains("interrupted after"), "{:?}", stderr_lines(&output));
        seated(&server, 0).await;
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_were_not_measured_are_null() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let child = started(LOAD, &url, &["--players", "9", "--rate", "1", "--seconds", "600", "--json", "-"]);
    seated(&server, 1).await;
    let report = report_of(&end_by(Signal::SIGTERM, child).await);
    for path in [
        "/snapshot_age_ms/p99",
        "/snapshot_gap_ms/max",
        "/share_received/p50",
        "/snapshot_rate_hz/min",
        "/worst",
        "/kbit_per_s/down",
        "/server/cpu_cores",
        "/corrections_per_min",
    ] {
        assert_eq!(report.pointer(path), Some(&Value::Null), "{path} in {report}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_knee_search_fails() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let flags = ["--find-knee", "1..100x3", "--seconds", "2", "--settle", "0", "--assert", "joined>=1", "--json", "-"];
    let child = started(LOAD, &url, &flags);
    seated(&server, 3).await;
    let output = end_by(Signal::SIGINT, child).await;
    let report = report_of(&output);
    assert_eq!((output.status.code(), &report["interrupted"]), (Some(1), &true.into()), "{report}");
    assert!(stderr_lines(&output)[0].contains("interrupted"), "{:?}", stderr_lines(&output));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_is_an_error_only_for_bots_with_a_time_to_play() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    for (flags, code) in [(&["--seconds", "600"][..], 1), (&[], 0)] {
        let child = started(BOT, &url, flags);
        seated(&server, 1).await;
        let output = end_by(Signal::SIGINT, child).await;
        assert_eq!(output.status.code(), Some(code), "{:?}", stderr_lines(&output));
        if code == 1 {
            failed_with(BOT, &output, &["interrupted after", "of 600 s"]);
        }
        seated(&server, 0).await;
    }
    server.end().await;
    // With one seat, the second bot never plays.
    let (server, _folder) = super::server(1).await;
    let url = format!("ws://{}/ws", server.address);
    let output = run(BOT, &url, &["--count", "2", "--seconds", "3"]).await;
    failed_with(BOT, &output, &["1 of 2 bots never got a seat"]);
    server.end().await;
}
