//! `/metrics` of a server with players, and who may read it.

use broadside_bots::player::Progress;

use crate::http::get;
use crate::scene::{Server, play_until, player, within};

/// A parsed scrape.
struct Scrape(String);

impl Scrape {
    async fn of(server: &Server) -> Scrape {
        let token = server.operator();
        let reply = get(server.address(), "/metrics", &[("connection", "close"), ("authorization", &token)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert_eq!(reply.header("cache-control"), "no-store");
        Scrape(reply.text())
    }

    /// The sum of all series with this prefix.
    fn sum(&self, beginning: &str) -> f64 {
        let lines: Vec<&str> = self.0.lines().filter(|line| line.starts_with(beginning)).collect();
        assert!(!lines.is_empty(), "no {beginning} in\n{}", self.0);
        lines.iter().filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn play_shows_in_the_metrics() {
    let server = Server::start().await;
    let mut ann = player(&server, "Ann").await;
    let mut snapshots = 0;
    play_until(&mut ann, "snapshots that use inputs", |_, progress| {
        if let Progress::Snapshot(arrival) = progress {
            snapshots += u32::from(arrival.input_to_ack_us.is_some());
        }
        snapshots >= 30
    })
    .await;
    let during = Scrape::of(&server).await;
    for (series, value) in [("broadside_players ", 1.0), ("broadside_rooms ", 1.0), ("broadside_join_queue ", 0.0)] {
        assert_eq!(during.sum(series), value, "{series} in\n{}", during.0);
    }
    for (series, at_least) in [
        ("broadside_ticks_total ", 30.0),
        ("broadside_tick_seconds_count ", 30.0),
        ("broadside_tick_lateness_seconds_count ", 30.0),
        ("broadside_tick_phase_seconds_count{phase=\"step\"}", 30.0),
        ("broadside_fanout_seconds_count ", 1.0),
        ("broadside_snapshots_written_total ", 30.0),
        ("broadside_inputs_read_total ", 30.0),
        ("broadside_frames_in_total ", 30.0),
        ("broadside_socket_reads_total ", 30.0),
        ("broadside_socket_writes_total ", 30.0),
        ("broadside_joins_total{result=\"seated\"} ", 1.0),
        ("broadside_connections ", 1.0),
        ("broadside_bytes_out_total{class=\"player_state\"} ", 30.0),
    ] {
        assert!(during.sum(series) >= at_least, "{series} below {at_least} in\n{}", during.0);
    }

    let frames = ann.frames();
    ann.leave().await;
    server.until("players", |players| players == 0).await;
    within("the close to be counted", async {
        while Scrape::of(&server).await.sum("broadside_closes_total{code=\"1000\"} ") < 1.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let after = Scrape::of(&server).await;
    assert_eq!(after.sum("broadside_leaves_total "), 1.0);
    let (out, into) = (after.sum("broadside_bytes_out_total{"), after.sum("broadside_bytes_in_total "));
    assert!(out >= frames.bytes_down as f64, "{out} bytes sent, {} received", frames.bytes_down);
    assert!(into >= frames.bytes_up as f64, "{into} bytes read, {} sent", frames.bytes_up);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_for_the_operator_and_allowed_addresses() {
    let server = Server::start().await;
    let (token, wrong) = (server.operator(), "Bearer 0123456789abcdef0123456789abcdef".to_owned());
    for (headers, status, says) in [
        (&[][..], 401, "--metrics-allow 127.0.0.1"),
        (&[("authorization", wrong.as_str())], 401, "the token is wrong"),
        (&[("x-forwarded-for", "198.51.100.5")], 401, "--trust-proxy"),
        (&[("authorization", token.as_str())], 200, "broadside_players"),
        (&[("authorization", token.as_str()), ("x-forwarded-for", "198.51.100.5")], 401, "--trust-proxy"),
    ] {
        let reply = get(server.address(), "/metrics", headers).await;
        assert_eq!(reply.status, status, "{headers:?}: {}", reply.text());
        assert!(reply.text().contains(says), "{headers:?}: {}", reply.text());
        let challenge = reply.header("www-authenticate");
        assert_eq!(challenge.starts_with("Bearer realm=\"operator\""), status == 401, "{headers:?}: {challenge}");
    }
    let file = server.token_file().to_owned();
    assert!(file.exists());
    server.end().await;
    assert!(!file.exists(), "the token goes with its server");

    let server = Server::start_with(|config| {
        config.metrics_allow = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    assert_eq!(get(server.address(), "/metrics", &[]).await.status, 200);
    for proxied in ["forwarded", "x-forwarded-for", "x-forwarded-host", "via", "cf-connecting-ip", "x-real-ip"] {
        let reply = get(server.address(), "/metrics", &[(proxied, "127.0.0.1")]).await;
        assert_eq!(reply.status, 401, "{proxied}: {}", reply.text());
    }
    server.end().await;

    let server = Server::start_with(|config| {
        config.metrics_allow = vec!["127.0.0.0/8".parse().expect("a network"), "192.0.2.7".parse().expect("one")];
        config.trust_proxy = vec!["127.0.0.1".parse().expect("an address")];
    })
    .await;
    for (chain, status) in [("192.0.2.7", 200), ("198.51.100.5", 401), ("127.0.0.1", 401), ("unknown", 401)] {
        let reply = get(server.address(), "/metrics", &[("x-forwarded-for", chain)]).await;
        assert_eq!(reply.status, status, "{chain}: {}", reply.text());
    }
    server.end().await;
}
