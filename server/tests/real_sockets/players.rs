//! Players and their results over HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use broadside_store::accounts::{Account, SignIn};
use broadside_store::new_id;
use broadside_store::period::Season;
use broadside_store::results::{MatchRecord, Outcome, PlayerRecord, ResultKind};
use serde_json::{Value, json};

use crate::http::{Reply, get};
use crate::scene::Server;

const SECOND_US: i64 = 1_000_000;

/// Now, in microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64
}

/// A guest who plays as `name`, signed in with the secret that has this hash.
pub(crate) async fn guest(server: &Server, secret_hash: [u8; 32]) -> Account {
    let sign_in = SignIn { secret_hash, expires_us: now_us() + 1000 * SECOND_US };
    server.store().create_guest(sign_in, now_us()).await.expect("the store answers")
}

/// An account that keeps a name, which must look like nothing but its own small letters.
pub(crate) async fn keeper(server: &Server, name: &str) -> Account {
    let mut hash = [0; 32];
    hash[..name.len()].copy_from_slice(name.as_bytes());
    let account = guest(server, hash).await;
    server.store().keep_name(account.id, name, &[name.to_lowercase()]).await.expect("the name is free");
    server.store().account(account.id).await.expect("the store answers").expect("it was just made")
}

/// A player's result.
pub(crate) fn reached(account: &Account, score: i64, outcome: Outcome) -> PlayerRecord {
    PlayerRecord {
        account: Some(account.id.0),
        name: account.name.clone(),
        outcome,
        score,
        kills: 4,
        deaths: 3,
        shots: 30,
        hits: 10,
        streak: 2,
        played_ms: 61_500,
    }
}

/// Records a match that ended at a moment.
pub(crate) async fn record(server: &Server, mode: &str, ended_us: i64, players: Vec<PlayerRecord>) -> [u8; 16] {
    let (id, kind) = (new_id(ended_us), if mode == "duel" { ResultKind::Match } else { ResultKind::Stay });
    let is_rated = mode == "duel";
    let record = MatchRecord { id, game: "toy".to_owned(), mode: mode.to_owned(), kind, is_rated, ended_us, players };
    server.store().record(&[record], Season::Quarter).await.expect("the store answers");
    id
}

/// The JSON of a successful answer.
pub(crate) async fn shown(server: &Server, path: &str) -> Value {
    let reply = get(server.address(), path, &[]).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    serde_json::from_slice(&reply.body).expect("it is JSON")
}

/// Checks that a request is refused with this status and a sentence that holds `part`.
pub(crate) fn assert_refused(reply: &Reply, status: u16, part: &str) {
    assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"), "{}", reply.text());
    assert!(reply.text().contains(part), "{part} is not in {}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_is_shown_with_what_was_reached() {
    let server = Server::start().await;
    let (ann, ben) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let day = 86_400 * SECOND_US;
    record(&server, "open", now_us() - 2 * day, vec![reached(&ann, 7, Outcome::None)]).await;
    record(&server, "open", now_us(), vec![PlayerRecord { shots: 0, hits: 0, ..reached(&ben, 90, Outcome::None) }])
        .await;
    for _ in 0..2 {
        let players = vec![reached(&ann, 5, Outcome::Won), reached(&ben, 1, Outcome::Lost)];
        record(&server, "duel", now_us(), players).await;
    }

    let player = shown(&server, "/api/players/ann").await;
    assert_eq!((&player["name"], &player["keeps_name"]), (&json!("Ann"), &json!(true)), "in any spelling");
    let duel = json!({
        "mode": "duel", "score": 10, "kills": 8, "deaths": 6, "shots": 60, "hits": 20, "accuracy": 0.333,
        "longest_streak": 2, "results": 2, "wins": 2, "played_s": 123
    });
    assert_eq!((player["totals"].as_array().map(Vec::len), &player["totals"][0]), (Some(2), &duel));
    let rank = |mode, period, rank| json!({ "mode": mode, "period": period, "rank": rank });
    let ranks = [("duel", "all", 1), ("duel", "season", 1), ("open", "all", 2), ("open", "season", 2)];
    assert_eq!(player["ranks"], Value::Array(ranks.map(|(mode, period, place)| rank(mode, period, place)).to_vec()));
    assert_eq!(player["ratings"][0]["matches"], 2);
    assert_eq!(player["ratings"][0]["provisional"], true, "after two matches");
    let days = player["days"].as_array().expect("there are days");
    let scores: Vec<i64> = days.iter().filter_map(|day| day["score"].as_i64()).collect();
    assert_eq!((scores.len(), scores[27], scores[28], scores[29]), (30, 7, 0, 10));
    assert_eq!(shown(&server, "/api/players/Ben").await["totals"][1]["accuracy"], Value::Null, "no shot");

    guest(&server, [9; 32]).await;
    for nobody in ["Guest", "%20", "%ff", &"x".repeat(200), "..%2f"] {
        assert_refused(&get(server.address(), &format!("/api/players/{nobody}"), &[]).await, 404, "keeps the name");
        let path = format!("/api/players/{nobody}/results");
        assert_refused(&get(server.address(), &path, &[]).await, 404, "keeps the name");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_come_in_pages_and_matches_with_all_their_players() {
    let server = Server::start().await;
    let (ann, ben) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    let start = now_us() - 100 * SECOND_US;
    for score in 0..5 {
        // Two of them end at the same moment.
        record(&server, "open", start + score / 2 * SECOND_US, vec![reached(&ann, score, Outcome::None)]).await;
    }
    let players = vec![reached(&ann, 9, Outcome::Won), reached(&ben, 3, Outcome::Lost)];
    let duel = record(&server, "duel", now_us(), players).await;

    let (mut path, mut scores) = ("/api/players/Ann/results?limit=2".to_owned(), Vec::new());
    loop {
        let page = shown(&server, &path).await;
        let results = page["results"].as_array().expect("a page");
        scores.extend(results.iter().filter_map(|result| result["score"].as_i64()));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(results.len(), 2, "only the last page may be short");
        path = format!("/api/players/Ann/results?limit=2&cursor={next}");
    }
    assert_eq!((scores.len(), scores[0], scores[1]), (6, 9, 4), "{scores:?}");
    scores.sort_unstable();
    assert_eq!(scores, [0, 1, 2, 3, 4, 9], "each once");

    let id = format!("{:032x}", u128::from_be_bytes(duel));
    let first = shown(&server, "/api/players/Ann/results?limit=1").await;
    assert_eq!(first["results"][0]["match"], json!(id));
    assert_eq!((&first["results"][0]["kind"], &first["results"][0]["outcome"]), (&json!("match"), &json!("won")));
    let all = shown(&server, &format!("/api/matches/{id}")).await;
    assert_eq!((&all["players"][1]["name"], &all["players"][1]["outcome"]), (&json!("Ben"), &json!("lost")));
    server.store().delete_account(ben.id).await.expect("the store answers");
    assert_eq!(shown(&server, &format!("/api/matches/{id}")).await["players"][1]["name"], Value::Null);

    let next = first["next"].as_str().expect("there are more");
    for (path, status, part) in [
        ("/api/players/Ann/results?limit=0".to_owned(), 400, "limit is 0, must be 1 to 100 (default 20)"),
        ("/api/players/Ann/results?limit=101".to_owned(), 400, "must be 1 to 100"),
        ("/api/players/Ann/results?limit=x".to_owned(), 400, "limit"),
        ("/api/players/Ann/results?page=2".to_owned(), 400, "page"),
        ("/api/players/Ann/results?cursor=x".to_owned(), 400, "cursor"),
        (format!("/api/players/Eve/results?cursor={next}"), 404, "Eve"),
        (format!("/api/matches/{}", "0".repeat(32)), 404, "no match"),
        (format!("/api/matches/{}", id.to_uppercase()), 404, "32 hexadecimal digits"),
        ("/api/matches/%2e".to_owned(), 404, "no match"),
    ] {
        assert_refused(&get(server.address(), &path, &[]).await, status, part);
    }
    let eve = keeper(&server, "Eve").await;
    assert_eq!(eve.name, "Eve");
    let path = format!("/api/players/Eve/results?cursor={next}");
    assert_refused(&get(server.address(), &path, &[]).await, 400, "another list");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_write_a_result_and_a_database_that_is_down_is_said() {
    let server = Server::start().await;
    keeper(&server, "Ann").await;
    for path in ["/api/players/Ann", "/api/players/Ann/results", "/api/matches/x", "/api/leaderboards", "/api/seasons"]
    {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let reply = crate::http::ask(server.address(), method, path, &[]).await;
            assert_eq!(reply.status, 405, "{method} {path}: {}", reply.text());
        }
    }
    server.store().close().await;
    let id = "0".repeat(32);
    let paths = [
        "/api/players/Ann",
        "/api/players/Ann/results",
        &format!("/api/matches/{id}"),
        "/api/leaderboards",
        "/api/leaderboards?by=rating",
        "/api/seasons",
    ];
    for path in paths {
        let reply = get(server.address(), path, &[]).await;
        assert_refused(&reply, 503, "play goes on");
        assert_eq!(reply.header("retry-after"), "5", "{path}");
    }
    server.end().await;
}
