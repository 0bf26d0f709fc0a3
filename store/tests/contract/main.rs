//! What the store promises, on both databases: every query runs on each.

mod accounts;
mod boards;
mod friends;
mod migrations;
mod moderation;
mod moves;
mod outbox;
mod results;
mod tls;

use std::future::Future;
use std::pin::Pin;

use broadside_store::accounts::Renewal;
use broadside_store::accounts::{Account, SignIn};
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord, ResultKind};
use broadside_store::testing::TestPostgres;
use broadside_store::{Location, Store, new_id};

/// A moment: 2026-11-27 12:00 UTC, in microseconds since 1970.
pub(crate) const NOON_US: i64 = 1_795_780_800_000_000;
pub(crate) const SECOND_US: i64 = 1_000_000;
pub(crate) const DAY_US: i64 = 86_400 * SECOND_US;

type Case = fn(Store) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        [$((stringify!($case), (|store| Box::pin($module::$case(store))) as Case)),*]
    };
}

const CASES: [(&str, Case); 16] = cases![
    accounts::a_guest_is_found_by_its_secret_until_it_signs_out_or_expires,
    accounts::a_name_belongs_to_one_account_by_all_its_looks,
    accounts::credentials_belong_to_one_account,
    accounts::a_guest_claims_a_name_with_a_credential_or_nothing_happens,
    accounts::a_new_password_signs_every_other_browser_out,
    accounts::settings_are_an_accounts_own_and_go_with_it,
    accounts::a_deleted_account_leaves_results_without_a_name,
    accounts::unused_guests_are_forgotten_and_others_are_not,
    results::a_result_is_written_once_however_often_it_is_handed_over,
    results::a_rated_match_moves_both_ratings_once,
    boards::equal_values_share_a_rank_across_pages,
    boards::seasons_and_days_are_kept_apart,
    friends::a_friendship_takes_two,
    friends::a_link_makes_friends_until_it_expires_or_is_replaced,
    moderation::restrictions_end_and_reports_are_handled_once,
    moderation::mutes_and_roles_are_kept,
];

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    for (name, case) in CASES {
        println!("{name}");
        case(Store::open(&Location::Memory).await.expect("a database in memory")).await;
    }
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let server = TestPostgres::start();
    for (index, (name, case)) in CASES.into_iter().enumerate() {
        println!("{name}");
        let url = server.database(&format!("case_{index}"));
        let store = Store::open(&Location::Postgres(url)).await.expect("a new database");
        case(store.clone()).await;
        store.close().await;
    }
}

/// A guest, signed in with a secret of its own.
pub(crate) async fn guest(store: &Store, number: u8) -> Account {
    let sign_in = SignIn { secret_hash: [number; 32], expires_us: NOON_US + DAY_US };
    store.create_guest(sign_in, NOON_US).await.expect("a guest")
}

/// What signs a browser in with another secret.
pub(crate) fn renewal(replaces: Option<u8>, secret: u8) -> Renewal {
    let sign_in = SignIn { secret_hash: [secret; 32], expires_us: NOON_US + DAY_US };
    Renewal { replaces: replaces.map(|secret| [secret; 32]), sign_in }
}

/// A guest who keeps a name.
pub(crate) async fn named(store: &Store, number: u8, name: &str) -> Account {
    let account = guest(store, number).await;
    store.keep_name(account.id, name, &[name.to_lowercase()]).await.expect("a free name");
    store.account(account.id).await.expect("an answer").expect("an account")
}

/// A player's result.
pub(crate) fn player(account: &Account, score: i64, outcome: Outcome) -> PlayerRecord {
    let name = account.name.clone();
    let (kills, deaths, shots, hits, streak, played_ms) = (score as u32 / 2, 1, 20, 5, 3, 60_000);
    PlayerRecord { account: Some(account.id.0), name, outcome, score, kills, deaths, shots, hits, streak, played_ms }
}

/// A match that ended at a moment.
pub(crate) fn record(mode: &str, ended_us: i64, players: Vec<PlayerRecord>) -> MatchRecord {
    let (game, mode) = ("toy".to_owned(), mode.to_owned());
    let is_rated = mode == "duel";
    MatchRecord { id: new_id(ended_us), game, mode, kind: ResultKind::Match, is_rated, ended_us, players }
}
