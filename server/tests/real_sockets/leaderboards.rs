//! Leaderboards of what is kept, over HTTP.

use broadside_store::results::Outcome;
use serde_json::{Value, json};

use crate::http::get;
use crate::players::{assert_refused, guest, keeper, now_us, reached, record, shown};
use crate::scene::Server;

fn ranks(board: &Value) -> Vec<(u64, bool, &str, i64)> {
    let entries = board["entries"].as_array().expect("entries");
    let rank = |entry: &'_ Value| {
        let (rank, tied) = (entry["rank"].as_u64().expect("a rank"), entry["tied"].as_bool().expect("whether tied"));
        (rank, tied, entry["value"].as_i64().expect("a value"))
    };
    let all = entries.iter().map(|entry| (rank(entry), entry["name"].as_str().unwrap_or("?")));
    all.map(|((rank, tied, value), name)| (rank, tied, name, value)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_values_share_a_rank_and_say_so_across_pages() {
    let server = Server::start().await;
    for (name, score) in [("Ann", 50), ("Ben", 40), ("Cy", 40), ("Dee", 40), ("Eve", 30), ("Flo", 0)] {
        let account = keeper(&server, name).await;
        record(&server, "open", now_us(), vec![reached(&account, score, Outcome::None)]).await;
    }
    let nameless = guest(&server, [9; 32]).await;
    record(&server, "open", now_us(), vec![reached(&nameless, 10, Outcome::None)]).await;
    for period in ["today", "week", "season", "all"] {
        let mut pages = vec![shown(&server, &format!("/api/leaderboards?period={period}&limit=2")).await];
        while let Some(next) = pages.last().and_then(|page| page["next"].as_str()) {
            let path = format!("/api/leaderboards?mode=open&by=score&period={period}&limit=2&cursor={next}");
            pages.push(shown(&server, &path).await);
        }
        let all: Vec<_> = pages.iter().flat_map(ranks).collect();
        let places: Vec<_> = all.iter().map(|(rank, tied, _, value)| (*rank, *tied, *value)).collect();
        let expected = [(1, false, 50), (2, true, 40), (2, true, 40), (2, true, 40), (5, false, 30), (6, false, 10)];
        assert_eq!(places, expected, "{period}");
        assert_eq!((all[0].2, all[4].2), ("Ann", "Eve"));
    }
    let board = shown(&server, "/api/leaderboards?mode=open").await;
    assert_eq!(
        board["entries"][5],
        json!({ "rank": 6, "tied": false, "name": null, "keeps_name": false, "value": 10, "you": false })
    );
    let (season, seasons) = (&board["season"], shown(&server, "/api/seasons").await);
    assert_eq!((season, &seasons["past"]), (&seasons["current"], &json!([])));
    let named = format!("/api/leaderboards?period=season:{}", season["name"].as_str().expect("a name"));
    assert_eq!(shown(&server, &named).await["entries"], board["entries"]);
    assert!(season["ends_s"].as_i64().is_some_and(|ends| ends > now_us() / 1_000_000));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ratings_have_a_leaderboard_once_they_are_known_well_enough() {
    let server = Server::start().await;
    let (ann, ben) = (keeper(&server, "Ann").await, keeper(&server, "Ben").await);
    for _ in 0..12 {
        let players = vec![reached(&ann, 5, Outcome::Won), reached(&ben, 1, Outcome::Lost)];
        record(&server, "duel", now_us(), players).await;
    }
    let board = shown(&server, "/api/leaderboards?mode=duel&by=rating").await;
    let names: Vec<_> = ranks(&board).into_iter().map(|(rank, _, name, _)| (rank, name)).collect();
    assert_eq!((names, &board["next"]), (vec![(1, "Ann"), (2, "Ben")], &Value::Null));
    assert_eq!(shown(&server, "/api/leaderboards?mode=open&by=rating").await["entries"], json!([]));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_parameter_is_named_with_what_it_must_be() {
    let server = Server::start().await;
    for name in ["Ann", "Ben"] {
        let account = keeper(&server, name).await;
        record(&server, "open", now_us(), vec![reached(&account, 5, Outcome::None)]).await;
    }
    let first = shown(&server, "/api/leaderboards?limit=1").await;
    let next = first["next"].as_str().expect("a second page").to_owned();
    for (query, part) in [
        ("mode=golf", "no mode is called `golf`; there is open, duel"),
        ("period=ever", "period is `ever`, must be today, week, season, all, or season:NAME"),
        ("period=season:", "season:NAME"),
        ("period=season:%00%00%00%00", "season:NAME"),
        ("by=looks", "expected one of `score`, `kills`, `wins`, `rating`"),
        ("by=rating&period=today", "by=rating goes with period=all"),
        ("scope=foes", "expected `all` or `friends`"),
        ("limit=101", "limit is 101, must be 1 to 100 (default 50)"),
        ("limit=-1", "limit"),
        ("cursor=AAAA", "cursor is damaged"),
        (&format!("cursor={next}&by=kills"), "of another list"),
        (&format!("cursor={next}&period=today"), "of another list"),
        (&format!("cursor={next}&by=rating"), "cursor"),
        ("modus=open", "unknown field `modus`"),
    ] {
        assert_refused(&get(server.address(), &format!("/api/leaderboards?{query}"), &[]).await, 400, part);
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_page_is_not_sent_twice() {
    let server = Server::start().await;
    let ann = keeper(&server, "Ann").await;
    record(&server, "open", now_us(), vec![reached(&ann, 5, Outcome::None)]).await;
    for path in ["/api/leaderboards", "/api/players/Ann", "/api/players/Ann/results", "/api/seasons"] {
        let first = get(server.address(), path, &[]).await;
        assert_eq!((first.status, first.header("content-type")), (200, "application/json"), "{path}");
        assert_eq!((first.header("cache-control"), first.header("vary")), ("public, max-age=5", "cookie"), "{path}");
        let again = get(server.address(), path, &[("if-none-match", first.header("etag"))]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!((again.header("cache-control"), again.header("etag")), ("public, max-age=5", first.header("etag")));
        let other = get(server.address(), path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status, 200, "{path}");
    }
    server.end().await;
}
