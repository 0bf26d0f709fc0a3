//! What a server consists of behind its listener: its state, the threads of rooms, shards and bots, and the persistent rooms.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use anyhow::Context;
use broadside_core::commands::ShardCommand;
use broadside_core::room::{RoomConfig, mode_name};
use broadside_core::room_loop::{KeptRecordings, RecordingPolicy};
use broadside_shared::game::Game;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::MonoTime;
use broadside_store::Store;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;

use crate::accounts::Accounts;
use crate::app::{App, GameInfo, StandingStill};
use crate::checkpoints::segment::Head;
use crate::checkpoints::{self, Checkpoints, Lasting};
use crate::clock::MonoClock;
use crate::config::cluster::{ClusterKeys, NodeFlags};
use crate::config::{Config, Record};
use crate::first_seen::FirstSeen;
use crate::inbox::{Inbox, Wakeup};
use crate::limits::holds::{AddressLimits, Caps};
use crate::limits::rates::{AddressRates, Rate, Rates};
use crate::lobby::account_tokens::AccountTokens;
use crate::lobby::directory::{Directory, Rooms};
use crate::lobby::sessions::Sessions;
use crate::lobby::{LobbyState, ServerLobby};
use crate::metrics::Metrics;
use crate::net::arrivals::Shards;
use crate::net::shard::{self, Poller};
use crate::operator::OperatorToken;
use crate::peers::{NodeId, Order, Peers};
use crate::recordings::{self, Folder, Recordings};
use crate::recovery::Predecessor;
use crate::result_ids::ResultIds;
use crate::rooms::context::ServerContext;
use crate::rooms::pool::Pool;
use crate::rooms::results::ResultSink;
use crate::running::Threads;
use crate::store::StoreHealth;
use crate::topics::Topics;
use crate::vital::Supervisor;
use crate::{bots, files, net, secret};

/// Threads that run rooms, per core: while one is busy with a long tick of a large room, the other runs the small ones.
const ROOM_THREADS_PER_CORE: usize = 2;

/// What the clock of a new node of a cluster reads at first, in microseconds: a year, so that rooms which are older than the node can move
/// to it.
const NODE_CLOCK_US: u64 = 365 * 86_400_000_000;

/// The server behind the listener.
pub(crate) struct Opened<G: Game> {
    pub(crate) app: Arc<App>,
    pub(crate) lobby: Arc<ServerLobby<G>>,
    pub(crate) shards: Arc<Shards<G>>,
    pub(crate) threads: Threads,
    pub(crate) recordings: Recordings,
    pub(crate) checkpoints: Checkpoints,
    /// What the checkpoints begin with.
    pub(crate) head: Head,
    /// Of a node of a cluster: what it asks of the others.
    pub(crate) orders: Option<(NodeFlags, Receiver<Order>)>,
}

/// What a server begins with besides its flags.
pub(crate) struct Origins<G: Game> {
    /// The server that it goes on from.
    pub(crate) predecessor: Option<Predecessor<G>>,
    /// Hash of the game's rules.
    pub(crate) rules: u64,
    pub(crate) cluster: Option<(NodeFlags, ClusterKeys)>,
}

/// The keys that sign tokens, and the other nodes.
struct Identity {
    session_keys: Vec<[u8; 32]>,
    account_keys: Vec<[u8; 32]>,
    node: NodeId,
    peers: Option<Arc<Peers>>,
    orders: Option<(NodeFlags, Receiver<Order>)>,
}

impl Identity {
    fn of(config: &Config, lasting: &Lasting, cluster: Option<(NodeFlags, ClusterKeys)>) -> Identity {
        let Some((node, keys)) = cluster else {
            let (session_keys, account_keys) = (vec![lasting.session_key], vec![lasting.account_key]);
            return Identity { session_keys, account_keys, node: 0, peers: None, orders: None };
        };
        let (session_keys, account_keys) = (keys.of("session"), keys.of("account"));
        // Hashes of codes are announced again: no former ones are needed.
        let (peers, orders) = Peers::new(node.id, node.url.clone(), config.region.clone(), keys.of("code")[0]);
        let (peers, orders, node) = (Some(Arc::new(peers)), Some((node.clone(), orders)), node.id);
        Identity { session_keys, account_keys, node, peers, orders }
    }
}

/// Starts the server behind the listener: the threads of rooms, shards and bots, and the persistent rooms.
pub(crate) fn open<G: Game>(
    config: Config,
    game: G::Config,
    operator: OperatorToken,
    (store, store_health): (Store, StoreHealth),
    supervisor: Supervisor,
    Origins { predecessor, rules, cluster }: Origins<G>,
) -> anyhow::Result<Opened<G>> {
    let continuity = continuity(&config, (&predecessor, cluster.is_some()), rules)?;
    continuity.metrics.watch(store_health.clone());
    let pollers = make_pollers(&config).context("cannot poll sockets")?;
    // The bots are one more shard, without sockets.
    let bots = (config.bots > 0).then(|| Wakeup::new(|| {}));
    let wakeups = pollers.iter().map(Poller::wakeup).chain(&bots);
    let inboxes: Arc<[Inbox<ShardCommand>]> = wakeups.map(|wakeup| Inbox::new(Arc::clone(wakeup))).collect();
    let shards = Arc::new(Shards::new(pollers.iter().map(|poller| Inbox::new(Arc::clone(poller.wakeup())))));
    let connections_max = files::connections_max(config.max_connections, net::bounds::SPARE_CONNECTIONS, inboxes.len());
    let context = server_context::<G>(&config, &continuity, inboxes, &store_health, rules, connections_max);
    let Continuity { clock, metrics, recordings, checkpoints, head } = continuity;
    let Identity { session_keys, account_keys, node, peers, orders } = Identity::of(&config, &head.lasting, cluster);
    let (sessions, account_tokens) = (Sessions::new(&session_keys, node), AccountTokens::new(&account_keys));
    peers.iter().for_each(|peers| metrics.watch_cluster(Arc::clone(peers), clock.clone()));
    let pool = Arc::new(Pool::new(clock));
    let rooms = pool
        .start(cores().max(2) * ROOM_THREADS_PER_CORE, &supervisor)
        .context("cannot start the threads of the rooms")?;
    let directory =
        Directory::new(context.clone(), pool, Arc::new(game), common_config::<G>(&config), (config.max_rooms, node));
    let state = Arc::new(LobbyState::new(context.clone(), sessions, account_tokens, peers));
    let lobby = Arc::new(ServerLobby { state, directory: Arc::new(directory) });
    let app = Arc::new(App {
        game: GameInfo::of::<G>(),
        lobby: Arc::clone(&lobby.state),
        rooms: Arc::clone(&lobby.directory) as Arc<dyn Rooms>,
        accounts: accounts(&config, store.clone(), context)?,
        shelf: Arc::clone(&recordings.shelf),
        config,
        metrics,
        store,
        store_health,
        befriending: Rates::new(Rate::BEFRIENDING),
        requests: AddressRates::new(Rate::REQUESTS_OF_ADDRESS),
        operator,
        foreign_hosts: FirstSeen::default(),
        foreign_origins: FirstSeen::default(),
        ending: supervisor.ending(),
        supervisor,
        connections: AtomicUsize::new(0),
        standing_still: StandingStill::default(),
        asked_to_end: Notify::new(),
        connections_max,
    });
    predecessor.into_iter().for_each(|found| found.restore(&lobby, pollers.len()));
    let started = start_shards(&app, &lobby, &shards, pollers, bots);
    let started = started.context("cannot start the threads of the shards")?;
    open_persistent_rooms(&lobby.directory, app.config.rooms, node);
    Ok(Opened {
        app,
        lobby,
        shards,
        threads: Threads { rooms, shards: started },
        recordings,
        checkpoints,
        head,
        orders,
    })
}

/// What every room uses.
fn server_context<G: Game>(
    config: &Config,
    from: &Continuity,
    shards: Arc<[Inbox<ShardCommand>]>,
    store_health: &StoreHealth,
    rules: u64,
    connections_max: usize,
) -> ServerContext {
    let rooms_on_demand = config.max_rooms.saturating_sub(config.rooms.into());
    let caps = Caps::new(config.limit_per_address, connections_max, rooms_on_demand);
    let result_ids = from.head.lasting.result_ids;
    ServerContext {
        clock: from.clock.clone(),
        limits: Arc::new(AddressLimits::new(caps, config.limit_exempt.clone())),
        metrics: Arc::clone(&from.metrics),
        shards,
        topics: Arc::new(Topics::new()),
        results: ResultSink::outbox::<G>(store_health.outbox().clone(), result_ids),
        recording: recording_policy(config, rules),
        recordings: from.recordings.sink(),
        checkpoints: from.checkpoints.sink(),
        result_ids,
        grace_s: config.grace,
        room_life_s: config.room_life,
    }
}

/// What goes on from one server to the next, and where this one leaves it.
struct Continuity {
    clock: MonoClock,
    metrics: Arc<Metrics>,
    recordings: Recordings,
    checkpoints: Checkpoints,
    head: Head,
}

fn continuity<G: Game>(
    config: &Config,
    (from, is_node): (&Option<Predecessor<G>>, bool),
    rules: u64,
) -> anyhow::Result<Continuity> {
    let start = MonoTime(if is_node { NODE_CLOCK_US } else { 0 });
    let clock = MonoClock::start_at(from.as_ref().map_or(start, Predecessor::now));
    let lasting = match from {
        Some(found) => found.lasting,
        None => Lasting { session_key: draw_key()?, account_key: draw_key()?, result_ids: ResultIds::new(clock.now()) },
    };
    let metrics = Arc::new(Metrics::new());
    let recordings = recordings::start(Folder::of(config), Arc::clone(&metrics));
    let recordings = recordings.context("cannot keep recordings in --data")?;
    let head = Head { game: G::NAME.to_owned(), rules, lasting };
    let checkpoints = checkpoints::start(config, head.clone(), Arc::clone(&metrics));
    let checkpoints = checkpoints.context("cannot keep checkpoints in --data; --checkpoint off does without")?;
    Ok(Continuity { clock, metrics, recordings, checkpoints, head })
}

fn make_pollers(config: &Config) -> std::io::Result<Vec<Poller>> {
    (0..config.shards.unwrap_or_else(default_shards)).map(|_| Poller::new()).collect()
}

/// One per core but one, which is left to the rooms. Two cores carry more players with one shard than with two, and sooner: no cell is
/// encoded on both, and nothing competes with the step of the room (decision 4).
fn default_shards() -> usize {
    cores().saturating_sub(1).max(1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts the threads of the shards, and that of the server's own bots.
fn start_shards<G: Game>(
    app: &Arc<App>,
    lobby: &Arc<ServerLobby<G>>,
    shards: &Arc<Shards<G>>,
    pollers: Vec<Poller>,
    bots: Option<Arc<Wakeup>>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let bots_shard = pollers.len();
    let mut threads = Vec::new();
    for (index, poller) in pollers.into_iter().enumerate() {
        threads.push(shard::spawn(Arc::clone(app), Arc::clone(lobby), Arc::clone(shards), index, poller)?);
    }
    if let Some(wakeup) = bots {
        threads.push(bots::spawn(Arc::clone(app), Arc::clone(lobby), bots_shard, wakeup)?);
    }
    Ok(threads)
}

/// What all rooms have in common.
fn common_config<G: Game>(config: &Config) -> RoomConfig {
    RoomConfig {
        snapshot_every: config.snapshot_every.unwrap_or(G::SNAPSHOT_EVERY),
        capacity: config.capacity,
        seed: config.seed.unwrap_or_else(secret::number),
        mode: ModeId(0),
    }
}

/// What is recorded of every room.
fn recording_policy(config: &Config, rules: u64) -> Option<RecordingPolicy> {
    let keep = match config.record {
        Record::Off => return None,
        Record::Matches => KeptRecordings::Matches,
        Record::All => KeptRecordings::All,
    };
    config.data.path()?;
    Some(RecordingPolicy { rules, keep })
}

fn open_persistent_rooms<G: Game>(directory: &Directory<G>, rooms: u16, node: NodeId) {
    let given_back: BTreeSet<String> =
        directory.all().iter().filter(|room| !room.is_ephemeral).map(|room| room.name.clone()).collect();
    for index in 1..=rooms {
        let mode = mode_name::<G>(ModeId(0));
        // In a cluster every node has them.
        let name = match (rooms, node) {
            (1, 0) => mode.to_owned(),
            (1, node) => format!("{mode} {node}"),
            (_, 0) => format!("{mode} {index}"),
            (_, node) => format!("{mode} {node}.{index}"),
        };
        if !given_back.contains(&name) {
            directory.open_persistent(&name);
        }
    }
}

/// A key that lasts as long as the process.
fn draw_key() -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    Ok(key)
}

/// The accounts, with the provider that the flags name.
fn accounts(config: &Config, store: Store, context: ServerContext) -> anyhow::Result<Accounts> {
    let accounts = Accounts::new(store, context);
    #[cfg(feature = "oidc")]
    let provider = config.provider().map_err(anyhow::Error::msg)?;
    #[cfg(feature = "oidc")]
    let accounts = accounts.with_provider(provider.map(crate::accounts::provider::Provider::new).transpose()?);
    #[cfg(not(feature = "oidc"))]
    let _ = config;
    Ok(accounts)
}
