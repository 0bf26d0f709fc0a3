//! A database of any earlier version is brought to this one with all it holds, and one of a later version is refused.

use std::path::Path;

use broadside_store::testing::TestPostgres;
use broadside_store::{Location, OpenError, Store};
use sqlx::migrate::Migrator;
use sqlx::{PgPool, SqlitePool};

use crate::moves::Folder;

/// A row in every table that each version added, in SQL of both databases.
const ROWS: [&[&str]; 5] = [
    &["INSERT INTO accounts VALUES ($1, 'Ann', 1, 0, 1, 1)", "INSERT INTO name_looks VALUES ('ann', $1)"],
    &[
        "INSERT INTO results VALUES ($1, 0, $1, 'Ann', 'toy', 'duel', 0, 1, 10, 5, 1, 9, 3, 2, 1000, 1)",
        "INSERT INTO totals VALUES ($1, 'duel', 'all', 10, 5, 1, 9, 3, 2, 1, 1, 1000)",
        "INSERT INTO ratings VALUES ($1, 'duel', 1662.5, 290.25, 0.06, 1)",
    ],
    &["INSERT INTO friends VALUES ($1, $1, 1, 1)", "INSERT INTO friend_links VALUES ($1, 'code', 1)"],
    &["INSERT INTO restrictions VALUES ($1, 1, NULL, 'spam', 'Mo', 1)"],
    &["INSERT INTO settings VALUES ($1, '{}', 1)"],
];

async fn check(store: &Store, version: usize) {
    let ann = store.account_named(&["ann".to_owned()]).await.expect("an answer").expect("Ann");
    assert_eq!(ann.id.0, [7; 16]);
    let counts = [
        1,
        store.totals(ann.id).await.expect("an answer").len(),
        store.friends(ann.id).await.expect("an answer").len(),
        store.restrictions_of(ann.id, 1).await.expect("an answer").len(),
        store.settings(ann.id).await.expect("an answer").iter().len(),
    ];
    for (added, count) in counts.into_iter().enumerate() {
        assert_eq!(count, usize::from(added < version), "of version {} after {version}", added + 1);
    }
    crate::boards::equal_values_share_a_rank_across_pages(store.clone()).await;
}

async fn migrations(engine: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let found = Migrator::new(folder).await.expect("our own migrations");
    assert_eq!(found.iter().count(), ROWS.len(), "rows for each version");
    found
}

const LATER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'of the future', true, $1, 0)";

#[tokio::test]
async fn sqlite_comes_from_every_earlier_version_and_from_no_later_one() {
    let all = migrations("sqlite").await;
    for version in 1..=ROWS.len() {
        let folder = Folder::new();
        let url = format!("sqlite://{}?mode=rwc", folder.0.join("broadside.db").display());
        let pool = SqlitePool::connect(&url).await.expect("a database");
        all.run_to(version as i64, &pool).await.expect("an earlier version");
        for sql in ROWS[..version].iter().copied().flatten() {
            sqlx::query(*sql).bind(vec![7_u8; 16]).execute(&pool).await.expect("a row");
        }
        pool.close().await;
        let store = folder.open().await;
        check(&store, version).await;
        store.close().await;
        drop(store);

        let pool = SqlitePool::connect(&url).await.expect("a database");
        sqlx::query(LATER).bind(vec![1_u8]).execute(&pool).await.expect("a later version");
        pool.close().await;
        let refused = folder.try_open().await.err().expect("a later version");
        assert!(matches!(refused, OpenError::Newer(_)), "{refused}");
    }
}

#[tokio::test]
async fn postgres_comes_from_every_earlier_version_and_from_no_later_one() {
    let server = TestPostgres::start();
    let all = migrations("postgres").await;
    for version in 1..=ROWS.len() {
        let url = server.database(&format!("version_{version}"));
        let pool = PgPool::connect(&url).await.expect("a database");
        all.run_to(version as i64, &pool).await.expect("an earlier version");
        for sql in ROWS[..version].iter().copied().flatten() {
            sqlx::query(*sql).bind(vec![7_u8; 16]).execute(&pool).await.expect("a row");
        }
        // Two servers that start at once.
        let location = Location::Postgres(url);
        let (first, second) = tokio::join!(Store::open(&location), Store::open(&location));
        let (first, second) = (first.expect("one"), second.expect("the other"));
        check(&first, version).await;
        first.close().await;
        second.close().await;

        sqlx::query(LATER).bind(vec![1_u8]).execute(&pool).await.expect("a later version");
        pool.close().await;
        let refused = Store::open(&location).await.err().expect("a later version");
        assert!(matches!(refused, OpenError::Newer(_)), "{refused}");
    }
}
