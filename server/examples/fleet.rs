//! A cluster of many nodes in one process: how long a node takes to see all rooms, what a list costs, and whether a flood of chat makes ticks
//! late.
//!
//! `cargo run --release -p broadside-server --example fleet -- 20 1000`: nodes, and rooms on each. Starts a NATS server and a PostgreSQL
//! server of its own, as the tests do.

#[path = "../tests/cluster/nats.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod nats;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use broadside_bots::player::Player;
use broadside_bots::socket::Target;
use broadside_server::config::cluster::{ClusterFlags, EngineUrl};
use broadside_server::config::{Config, DatabaseUrl};
use broadside_server::peers::{Order, Peers};
use broadside_server::{Running, start};
use broadside_shared::client::{ClientConfig, Detail};
use broadside_shared::game::{Bot, Game};
use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::text::Text;
use broadside_shared::toy::Toy;
use broadside_store::testing::TestPostgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Chat messages per second of the flood, and how long it lasts.
const FLOOD_PER_S: u32 = 10_000;
const FLOOD: Duration = Duration::from_secs(5);

/// What is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::main]
async fn main() {
    let number = |at, default| std::env::args().nth(at).map_or(default, |text| text.parse().expect("a number"));
    let (nodes, rooms): (u16, u16) = (number(1, 20), number(2, 1000));
    let (nats, postgres) = (nats::Nats::start(), TestPostgres::start());
    let database = postgres.database("fleet");
    let folder = Folder(std::env::temp_dir().join(format!("broadside-fleet-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).expect("a temporary folder");
    std::fs::write(folder.0.join("key"), "0".repeat(64)).expect("the folder takes a file");
    let config = |node: u16| Config {
        port: 0,
        bots: 0,
        rooms,
        max_rooms: rooms.into(),
        shards: Some(1),
        database: Some(DatabaseUrl(database.clone())),
        limit_exempt: vec!["127.0.0.0/8".parse().expect("a network")],
        cluster: ClusterFlags {
            cluster: vec![EngineUrl(nats.url())],
            node_url: Some(format!("ws://n{node}.example")),
            node_id: Some(node),
            cluster_key: Some(folder.0.join("key")),
            ..ClusterFlags::default()
        },
        ..Config::default()
    };
    let mut fleet: Vec<Running<Toy>> = Vec::new();
    for node in 2..=nodes {
        fleet.push(start::<Toy>(config(node), ()).await.expect("a node starts"));
    }
    let wanted = usize::from(nodes - 1) * usize::from(rooms);
    let began = Instant::now();
    let first = start::<Toy>(config(1), ()).await.expect("a node starts");
    let peers = first.app().lobby.peers.clone().expect("a node");
    while peers.view().rooms(first.app().lobby.context.clock.now()).count() < wanted {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{nodes} nodes with {rooms} rooms each: a new node sees all after {} ms", began.elapsed().as_millis());
    println!("resident memory of all in one process: {} MiB", resident_mib());
    lists(first.address).await;
    asks(&first, &peers);
    flood(&first, &fleet, &peers).await;
    for node in fleet.into_iter().chain([first]) {
        node.end().await;
    }
}

/// How long the list of all rooms takes, over HTTP.
async fn lists(address: SocketAddr) {
    let (mut took, mut bytes) = (Vec::new(), 0);
    for _ in 0..20 {
        let began = Instant::now();
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET /api/rooms HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it answers");
        took.push(began.elapsed().as_micros());
        bytes = answer.len();
    }
    took.sort_unstable();
    println!("GET /api/rooms: {} kB, median {} us, slowest of 20 {} us", bytes / 1000, took[10], took[19]);
}

/// How long the look for a better room takes, which every quick play makes on the thread of its shard.
fn asks(first: &Running<Toy>, peers: &Peers) {
    let app = first.app();
    let began = Instant::now();
    let mode = broadside_shared::protocol::room::ModeId(0);
    for _ in 0..100 {
        std::hint::black_box(peers.better_rooms(mode, None, None, app.lobby.context.clock.now()));
    }
    println!("quick play looks at all rooms in {} us", began.elapsed().as_micros() / 100);
}

/// Another node says too much, while somebody plays on the first one.
async fn flood(first: &Running<Toy>, fleet: &[Running<Toy>], peers: &Peers) {
    let target = Target::parse(&format!("ws://{}/ws", first.address)).expect("a fine address");
    let name = |text: &str| Name::new(text).expect("a fine name");
    let room = Some(RoomChoice::Room(first.app().rooms.all()[0].id()));
    let config =
        ClientConfig { name: name("Ann"), agent: "fleet".to_owned(), room, role: Role::Play, detail: Detail::Replica };
    let mut player =
        Player::<Toy>::connect(&target, config, <<Toy as Game>::Bot as Bot<Toy>>::cheap(1)).await.expect("a seat");
    let age_us = |first: &Running<Toy>| first.app().rooms.all()[0].status.recent.age_us();
    let mut play = async |until: Instant| {
        while Instant::now() < until {
            player.step(Instant::now() + Duration::from_millis(16)).await.expect("the server stays");
            player.act().await.expect("the server stays");
        }
    };
    play(Instant::now() + FLOOD).await;
    let quiet = age_us(first);
    let loud = fleet[0].app().lobby.peers.clone().expect("a node");
    let publication = Publication::Said { from: name("Eve"), text: Text::new("spam").expect("a fine text") };
    let talker = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(1));
        for _ in 0..FLOOD.as_millis() {
            every.tick().await;
            for _ in 0..FLOOD_PER_S / 1000 {
                loud.order(Order::Say(7, publication.clone()));
            }
        }
        loud.counts.orders_dropped.load(Ordering::Relaxed)
    });
    play(Instant::now() + FLOOD).await;
    let during = age_us(first);
    let not_sent = talker.await.expect("no panic");
    let dropped = peers.counts.received_dropped.load(Ordering::Relaxed);
    println!(
        "age of snapshots, median and p99: {}, {} us before, {}, {} us under {FLOOD_PER_S} messages of another node per second, of which {dropped} \
         were dropped here and {not_sent} there",
        quiet.0, quiet.1, during.0, during.1
    );
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
