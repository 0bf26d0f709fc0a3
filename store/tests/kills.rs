//! Kills a process that writes results, at random moments, again and again: what it knew to be on disk reaches the database once.
//!
//! The process is this program, started by the test with [`DATA`] in its environment.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use broadside_store::outbox;
use broadside_store::period::Season;
use broadside_store::{Location, Store};

use common::record;

/// The data folder of the process that is killed.
const DATA: &str = "BROADSIDE_KILLS_DATA";
/// How often; for a longer run, a larger number in the environment.
const KILLS: &str = "BROADSIDE_KILLS";

/// Writes results as fast as the disk takes them, and prints the number of each that is on disk.
async fn write_until_killed(data: &Path, first: u64) {
    let store = Store::open(&Location::Folder(data.to_owned())).await.expect("a database");
    let (outbox, journal, delivery) = outbox::open(Some(data)).expect("an outbox");
    let journal = journal.expect("a folder");
    std::thread::spawn(move || journal.run());
    tokio::spawn(delivery.run(store, Season::Quarter));
    let mut stdout = std::io::stdout();
    for number in first.. {
        outbox.put(record(number));
        while outbox.status().in_memory > 0 {
            tokio::task::yield_now().await;
        }
        // Standard output of a test is captured; a line written directly is not.
        if writeln!(stdout, "\nkept {number}").and_then(|()| stdout.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn what_was_on_disk_reaches_the_database_once_however_often_the_process_is_killed() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    if let Some(data) = std::env::var_os(DATA) {
        let first = std::env::var("BROADSIDE_KILLS_FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
        return runtime().block_on(write_until_killed(Path::new(&data), first));
    }
    let kills: u64 = std::env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let data = std::env::temp_dir().join(format!("broadside-kills-{}", std::process::id()));
    let mut kept = BTreeSet::new();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--nocapture", "--test-threads=1"])
            .env(DATA, &data)
            .env("BROADSIDE_KILLS_FIRST", (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let how_long = Duration::from_millis(fastrand::u64(1..250));
        let mut until = None;
        for line in lines {
            // A line cut short by the kill says nothing.
            let Ok(line) = line else { break };
            if let Some(number) = line.strip_prefix("kept ").and_then(|number| number.parse::<u64>().ok()) {
                kept.insert(number);
            }
            // From the first result on: the start is not what is tested.
            if !kept.is_empty() && *until.get_or_insert_with(|| Instant::now() + how_long) < Instant::now() {
                let _ = child.kill();
            }
        }
        let _ = child.wait();
    }
    assert!(kept.len() as u64 >= kills, "{} results in {kills} rounds", kept.len());
    let (stored, delivered) = runtime().block_on(async {
        let store = Store::open(&Location::Folder(data.clone())).await.expect("a database");
        let (outbox, journal, delivery) = outbox::open(Some(&data)).expect("an outbox");
        outbox.end();
        journal.expect("a folder").run();
        delivery.run(store.clone(), Season::Quarter).await;
        assert_eq!(outbox.status().on_disk_bytes, 0, "all is delivered");
        let mut stored = BTreeSet::new();
        for number in &kept {
            let found = store.results_of_match(record(*number).id).await.expect("an answer");
            assert_eq!(found.len(), 1, "result {number}");
            stored.insert(*number);
        }
        let all = store.count_results().await.expect("an answer");
        store.close().await;
        (stored, all)
    });
    let _ = std::fs::remove_dir_all(&data);
    println!(
        "{kills} kills: {} results known to be on disk, all in the database once, {delivered} in all",
        stored.len()
    );
    // At each kill, one more may have reached the disk before it could be said.
    assert!(delivered <= kept.len() as u64 + kills, "{delivered} results of {}", kept.len());
}
