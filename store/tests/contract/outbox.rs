//! Results survive what comes between a room and the database.

use std::path::Path;
use std::thread::JoinHandle;

use broadside_store::outbox::{self, IN_MEMORY_MAX, Outbox};
use broadside_store::period::Season;
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord};
use broadside_store::testing::{Stop, TestPostgres};
use broadside_store::{Location, Store};

use crate::moves::Folder;
use crate::{NOON_US, record};

fn of_strangers(number: i64) -> MatchRecord {
    let player = |score| PlayerRecord {
        account: None,
        name: format!("player {number}"),
        outcome: Outcome::None,
        score,
        kills: 0,
        deaths: 0,
        shots: 0,
        hits: 0,
        streak: 0,
        played_ms: 1,
    };
    record("teams", NOON_US + number, vec![player(number), player(-number)])
}

struct Running {
    outbox: Outbox,
    journal: Option<JoinHandle<()>>,
    delivery: tokio::task::JoinHandle<()>,
}

fn run(data: Option<&Path>, store: &Store) -> Running {
    let (outbox, journal, delivery) = outbox::open(data).expect("an outbox");
    let journal = journal.map(|journal| std::thread::spawn(move || journal.run()));
    let delivery = tokio::spawn(delivery.run(store.clone(), Season::Quarter));
    Running { outbox, journal, delivery }
}

impl Running {
    /// Until nothing waits any longer.
    async fn drained(&self) {
        let drained = async {
            loop {
                let status = self.outbox.status();
                if status.in_memory == 0 && status.on_disk_bytes == 0 {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), drained).await.expect("all is delivered");
    }

    async fn end(self) {
        self.outbox.end();
        if let Some(journal) = self.journal {
            tokio::task::spawn_blocking(move || journal.join()).await.expect("waited").expect("no panic");
        }
        self.delivery.await.expect("no panic");
    }
}

#[tokio::test]
async fn results_wait_while_the_database_is_down_and_arrive_once() {
    let mut server = TestPostgres::start();
    let store = Store::open(&Location::Postgres(server.database("game"))).await.expect("a database");
    let folder = Folder::new();
    let running = run(Some(&folder.0), &store);
    (0..100).for_each(|number| running.outbox.put(of_strangers(number)));
    running.drained().await;
    server.stop(Stop::Crash);
    (100..300).for_each(|number| running.outbox.put(of_strangers(number)));
    let failing = async {
        while !running.outbox.status().database_fails {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), failing).await.expect("it is noticed");
    assert!(running.outbox.status().on_disk_bytes > 0);
    // The server ends, and another takes over its data folder, before the database is back.
    running.end().await;
    server.resume();
    let running = run(Some(&folder.0), &store);
    (300..310).for_each(|number| running.outbox.put(of_strangers(number)));
    running.drained().await;
    assert_eq!(store.count_results().await, Ok(620));
    running.end().await;
    store.close().await;
}

#[tokio::test]
async fn a_torn_line_costs_itself_alone() {
    let (folder, store) = (Folder::new(), Store::open(&Location::Memory).await.expect("a database"));
    // A journal whose process is killed: it is written, and nobody delivers.
    let (outbox, journal, _) = outbox::open(Some(&folder.0)).expect("an outbox");
    (0..20).for_each(|number| outbox.put(of_strangers(number)));
    outbox.end();
    journal.expect("a folder").run();
    let segment = folder.0.join("outbox/0000000001.log");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    assert_eq!(ends.len(), 20);
    // One bit of the fifth line, and half of the last one.
    bytes[ends[3] + 30] ^= 1;
    bytes.truncate(ends[18] + 40);
    std::fs::write(&segment, bytes).expect("damaged");

    let running = run(Some(&folder.0), &store);
    (20..25).for_each(|number| running.outbox.put(of_strangers(number)));
    running.drained().await;
    assert_eq!((store.count_results().await, running.outbox.status().damaged), (Ok(2 * 23), 2));
    running.end().await;
}

#[tokio::test]
async fn a_result_that_the_database_refuses_does_not_stop_the_others() {
    let mut server = TestPostgres::start();
    let store = Store::open(&Location::Postgres(server.database("game"))).await.expect("a database");
    let folder = Folder::new();
    let running = run(Some(&folder.0), &store);
    let mut refused = of_strangers(1);
    // PostgreSQL's text holds no zero.
    refused.players[0].name = "a\0b".to_owned();
    running.outbox.put(refused);
    (2..10).for_each(|number| running.outbox.put(of_strangers(number)));
    running.drained().await;
    assert_eq!((store.count_results().await, running.outbox.status().refused), (Ok(16), 1));
    let kept = std::fs::read_to_string(folder.0.join("outbox/refused.log")).expect("kept");
    assert_eq!(kept.lines().count(), 1, "{kept}");
    running.end().await;
    store.close().await;
    server.stop(Stop::Fast);
}

#[tokio::test]
async fn a_full_disk_keeps_results_in_bounded_memory_until_there_is_room() {
    let (folder, store) = (Folder::new(), Store::open(&Location::Memory).await.expect("a database"));
    let running = run(Some(&folder.0), &store);
    // The next segment opens, and every write to it ends with the error of a full disk.
    let segment = folder.0.join("outbox/0000000001.log");
    std::os::unix::fs::symlink("/dev/full", &segment).expect("in the way");
    let bound = IN_MEMORY_MAX as i64 / 2;
    (0..bound + 10).for_each(|number| running.outbox.put(of_strangers(number)));
    let status = running.outbox.status();
    assert_eq!((status.in_memory, status.dropped, status.delivered), (IN_MEMORY_MAX, 20, 0));
    std::fs::remove_file(&segment).expect("out of the way");
    running.drained().await;
    assert_eq!(store.count_results().await, Ok(IN_MEMORY_MAX));
    running.end().await;
}
