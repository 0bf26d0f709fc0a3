//! How many results a second each database takes, and what one costs on disk: `cargo run --release -p broadside-store --example rate --features
//! testing [SECONDS]`.

use std::path::Path;
use std::time::{Duration, Instant};

use broadside_store::accounts::{AccountId, SignIn};
use broadside_store::period::Season;
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord, ResultKind};
use broadside_store::testing::TestPostgres;
use broadside_store::{Location, Store, new_id, outbox};

const ACCOUNTS: u32 = 1000;
const NOW_US: i64 = 1_795_780_800_000_000;

fn player(account: AccountId, number: u32) -> PlayerRecord {
    PlayerRecord {
        account: Some(account.0),
        name: format!("player {}", number % ACCOUNTS),
        outcome: if number.is_multiple_of(2) { Outcome::Won } else { Outcome::Lost },
        score: i64::from(number % 50),
        kills: number % 20,
        deaths: number % 7,
        shots: 90,
        hits: 30,
        streak: 3,
        played_ms: 180_000,
    }
}

fn record(number: u32, accounts: &[AccountId], mode: &str) -> MatchRecord {
    let of = |offset: u32| player(accounts[((number * 2 + offset) % ACCOUNTS) as usize], number * 2 + offset);
    let ended_us = NOW_US + i64::from(number);
    let (game, mode, is_rated) = ("toy".to_owned(), mode.to_owned(), mode == "duel");
    MatchRecord {
        id: new_id(ended_us),
        game,
        mode,
        kind: ResultKind::Match,
        is_rated,
        ended_us,
        players: vec![of(0), of(1)],
    }
}

fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(
            |entry| {
                if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().map_or(0, |file| file.len()) }
            },
        )
        .sum()
}

async fn accounts(store: &Store) -> Vec<AccountId> {
    let mut made = Vec::new();
    for number in 0..ACCOUNTS {
        let mut secret_hash = [0; 32];
        secret_hash[..4].copy_from_slice(&number.to_le_bytes());
        let sign_in = SignIn { secret_hash, expires_us: i64::MAX };
        made.push(store.create_guest(sign_in, NOW_US).await.expect("a guest").id);
    }
    made
}

async fn measure(name: &str, store: &Store, data: &Path, seconds: u64) {
    let began = Instant::now();
    let accounts = accounts(store).await;
    println!("{name}: {:.0} new accounts/s", f64::from(ACCOUNTS) / began.elapsed().as_secs_f64());
    let until = Duration::from_secs(seconds);
    let mut number = 0;
    for (mode, batch) in [("teams", 1), ("teams", 64), ("duel", 64)] {
        let (began, first) = (Instant::now(), number);
        while began.elapsed() < until {
            let records: Vec<_> = (number..number + batch).map(|number| record(number, &accounts, mode)).collect();
            store.record(&records, Season::Quarter).await.expect("recorded");
            number += batch;
        }
        let rate = f64::from(2 * (number - first)) / began.elapsed().as_secs_f64();
        println!("{name}: {rate:.0} players' results/s, {mode}, {batch} matches in a transaction");
    }
    let (outbox, journal, delivery) = outbox::open(Some(data)).expect("an outbox");
    let thread = journal.map(|journal| std::thread::spawn(move || journal.run()));
    let task = tokio::spawn(delivery.run(store.clone(), Season::Quarter));
    let (began, first) = (Instant::now(), number);
    while began.elapsed() < until {
        while outbox.status().in_memory > 1000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        outbox.put(record(number, &accounts, "teams"));
        number += 1;
    }
    outbox.end();
    thread.map(|thread| thread.join());
    let journaled = f64::from(2 * (number - first)) / began.elapsed().as_secs_f64();
    task.await.expect("no panic");
    println!(
        "{name}: {journaled:.0} players' results/s into the outbox, {:.0} through it",
        outbox.status().delivered as f64 / began.elapsed().as_secs_f64()
    );
    let board = Instant::now();
    let entries = store
        .board("teams", &broadside_store::period::Period::All, broadside_store::boards::Measure::Score, None, 50)
        .await;
    println!(
        "{name}: a page of {} of a leaderboard in {:.2} ms",
        entries.expect("a board").len(),
        board.elapsed().as_secs_f64() * 1e3
    );
    println!("{name}: {} results", store.count_results().await.expect("a count"));
}

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(5);
    let data = std::env::temp_dir().join(format!("broadside-rate-{}", std::process::id()));
    let sqlite = data.join("sqlite");
    let store = Store::open(&Location::Folder(sqlite.clone())).await.expect("a database");
    measure("SQLite", &store, &sqlite, seconds).await;
    let results = store.count_results().await.expect("a count");
    store.tidy().await.expect("tidy");
    println!("SQLite: {} bytes on disk for each player's result", bytes(&sqlite) / results);
    store.close().await;
    let server = TestPostgres::start();
    let store = Store::open(&Location::Postgres(server.database("rate"))).await.expect("a database");
    measure("PostgreSQL", &store, &data.join("postgres"), seconds).await;
    store.close().await;
    let _ = std::fs::remove_dir_all(&data);
}
