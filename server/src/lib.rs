//! Broadside's authoritative server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`network`], [`origin`], [`host`], [`base_path`] | networks, origins, hosts and paths as flags and requests name them |
//! | [`config`] | every flag: default, range, unit |
//! | [`clock`], [`awake`] | time, and pauses of the process |
//! | `header_fields`, `security_headers`, `problem`, `requester` | parts of HTTP that `http` and `net` share |
//! | [`first_seen`], [`secret`], [`operator`], [`files`] | small parts that need nothing else |
//! | [`log`] | the log, which never blocks its callers |
//! | [`metrics`] | counters, gauges and histograms |
//! | [`signals`], [`vital`] | signals of the operating system, and supervision of vital threads and tasks |
//! | [`inbox`] | queues of values from other threads, and the wake-up of their reader |
//! | [`limits`] | limits per address |
//! | [`topics`] | publish and subscribe: encoded once, kept for new subscribers |
//! | [`result_ids`] | how results and recordings are numbered |
//! | [`checkpoints`] | the state of rooms and sessions on disk |
//! | [`recordings`] | recordings of rooms, as files, and their replay |
//! | [`rooms`] | the threads that step the rooms |
//! | [`lobby`] | directory of rooms, sessions, names, leaderboard |
//! | [`accounts`](mod@accounts) | who a browser is signed in as, without HTTP |
//! | [`recovery`] | going on from another server |
//! | [`app`] | the state that threads and tasks share |
//! | [`bots`] | the server's own bots |
//! | [`http`] | assets, API, health, metrics |
//! | [`net`] | listener, TLS, WebSocket upgrade, the shards that own the sockets |
//! | `systemd` | what a service manager wants to hear |
//! | [`hand_over`] | sockets and state from one process to the next |
//! | [`running`] | a server that is listening, and its end |
//! | [`program`] | the server as a program: flags, the game's configuration, log, signals |
//!
//! A game's program is `fn main() -> ExitCode { broadside_server::run::<MyGame>() }`. [`start`] embeds a server into another program or a
//! test.
//!
//! A module imports only modules above it; `cargo xtask test --only floors` checks the table in `docs/ARCHITECTURE.md`. The stepping of
//! rooms, admission and fan-out are in the crate `broadside-core`, which has no sockets, clocks, threads and locks.
//!
//! The way of a byte: `net::transport` -> `net::conn` -> `net::shard` -> core's `shard` -> `connection` -> `fanout` -> `rooms::handle` ->
//! core's `room_loop` -> `room` -> `fanout` -> `net::shard` -> `net::conn` -> `net::transport`.

pub mod accounts;
pub mod app;
pub mod awake;
pub mod base_path;
pub mod bots;
pub mod checkpoints;
pub mod clock;
pub(crate) mod commands;
pub mod config;
pub mod files;
pub mod first_seen;
pub mod hand_over;
pub(crate) mod header_fields;
pub mod host;
pub mod http;
pub mod inbox;
pub mod limits;
pub mod lobby;
pub mod log;
pub mod metrics;
pub(crate) mod moderation;
pub mod net;
pub mod network;
pub mod operator;
pub mod origin;
pub(crate) mod problem;
pub mod program;
pub mod recordings;
pub mod recovery;
pub(crate) mod requester;
pub mod result_ids;
pub mod rooms;
pub mod running;
pub mod secret;
pub(crate) mod security_headers;
pub mod signals;
pub mod store;
pub(crate) mod systemd;
pub mod topics;
pub mod vital;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use broadside_core::commands::ShardCommand;
use broadside_core::room::{RoomConfig, SPECTATORS_MAX, mode_name};
use broadside_core::room_loop::{KeptRecordings, RecordingPolicy};
use broadside_shared::game::Game;
use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::MonoTime;
use broadside_shared::trial::rules_hash;
use broadside_store::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use program::run;
pub use running::Running;

use accounts::Accounts;
use app::{App, GameInfo, StandingStill, ended};
use awake::Awake;
use checkpoints::segment::Head;
use checkpoints::{Checkpoints, Lasting};
use clock::MonoClock;
use config::{Config, Record};
use first_seen::FirstSeen;
use hand_over::Sockets;
use http::api::schema::SchemaFile;
use inbox::{Inbox, Wakeup};
use limits::holds::{AddressLimits, Caps};
use limits::rates::{AddressRates, Rate, Rates};
use lobby::account_tokens::AccountTokens;
use lobby::directory::{Directory, Rooms};
use lobby::sessions::Sessions;
use lobby::{LobbyState, ServerLobby};
use metrics::Metrics;
use net::arrivals::Shards;
use net::certificate;
use net::shard::{self, Poller};
use operator::{OperatorToken, TokenFile};
use recordings::{Folder, Recordings};
use recovery::Predecessor;
use result_ids::ResultIds;
use rooms::context::ServerContext;
use rooms::pool::Pool;
use rooms::results::ResultSink;
use running::Threads;
use store::{Kept, StoreHealth};
use topics::Topics;
use vital::Supervisor;

const _: () = assert!(config::CAPACITY_MAX + SPECTATORS_MAX <= SEATS_MAX);

/// Threads that run rooms, per core: while one is busy with a long tick of a large room, the other runs the small ones.
const ROOM_THREADS_PER_CORE: usize = 2;

/// Longest time until a process that failed has given up the data folder, and how often to look.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(30);
const LOOKS_AGAIN: Duration = Duration::from_millis(50);

/// Why a server does not start. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Flags that contradict each other.
    #[error("{0}")]
    Config(String),
    /// The game refuses its configuration.
    #[error("game configuration: {0}")]
    Game(String),
    /// The browser client is not where the config says.
    #[error("{0:#}")]
    Assets(anyhow::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The certificate is missing or invalid.
    #[error("{0:#}")]
    Certificate(anyhow::Error),
    /// The address cannot be bound.
    #[error("{0:#}")]
    Listen(anyhow::Error),
    /// The operator's token is missing or invalid.
    #[error("{0:#}")]
    Operator(anyhow::Error),
    /// The operating system refuses threads, sockets or random numbers.
    #[error("{0:#}")]
    System(anyhow::Error),
}

/// What a server begins with.
pub(crate) enum Beginning {
    /// Nothing, or what a server that crashed has left.
    Fresh,
    /// What another process hands over.
    TakeOver(hand_over::Inheritance),
    /// What was to be handed over, to a process that then failed.
    GoOn(hand_over::Sockets, Vec<u8>),
}

/// Binds the port, opens the persistent rooms and starts to serve.
///
/// # Errors
/// See [`StartError`]. The message says what to do.
pub async fn start<G: Game>(config: Config, game: G::Config) -> Result<Running<G>, StartError> {
    start_with(config, game, Beginning::Fresh).await
}

/// The same from this beginning.
///
/// # Errors
/// See [`StartError`].
pub(crate) async fn start_with<G: Game>(
    config: Config,
    game: G::Config,
    beginning: Beginning,
) -> Result<Running<G>, StartError> {
    config.check().map_err(StartError::Config)?;
    G::check_config(&game).map_err(StartError::Game)?;
    http::assets::check(&config).map_err(StartError::Assets)?;
    let certificate = certificate::configured(&config).map_err(StartError::Certificate)?.map(Arc::new);
    let tls = certificate.clone().map(certificate::acceptor).transpose().map_err(StartError::Certificate)?;
    let rules = rules_hash::<G>();
    // A successor that failed gives up the data folder only with its end.
    let waits = if matches!(beginning, Beginning::GoOn(..)) { GIVEN_UP_WITHIN } else { Duration::ZERO };
    let Ready { sockets, predecessor, waiting } = get_ready::<G>(&config, rules, beginning).await?;
    let bound = || StartError::Listen(anyhow::anyhow!("cannot use the listening socket"));
    let again = sockets.again().map_err(|_| bound())?;
    let listen = |socket: std::net::TcpListener| {
        socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket)).map_err(|_| bound())
    };
    let (listener, in_the_clear) = (listen(again.main)?, again.redirect.map(listen).transpose()?);
    let address = listener.local_addr().map_err(|_| bound())?;
    let (ending, ending_seen) = watch::channel(false);
    let supervisor = Supervisor::new(ending_seen);
    let (store, kept) = open_store(&config, &supervisor, waits).await?;
    // Only now: no other server has the data folder.
    let predecessor = predecessor.or_else(|| recovery::find::<G>(&config, rules));
    let (operator, token_file) = operator_token(&config, address.port()).map_err(StartError::Operator)?;
    let from = (predecessor, rules);
    let opened = open::<G>(config, game, operator, (store, kept.health.clone()), supervisor, from);
    let Opened { app, lobby, shards, threads, recordings, checkpoints, head } = opened.map_err(StartError::System)?;
    let loaded = moderation::load(&app.store, &app.lobby, store::now_us()).await;
    loaded.context("cannot read accounts").map_err(StartError::System)?;
    spawn_housekeeping(&app, &lobby);
    let websocket = axum::routing::any(net::upgrade::upgrade::<G>).layer(axum::Extension(shards));
    let router = http::router(Arc::clone(&app), SchemaFile::new::<G>(&app.config), websocket);
    let secure = tls.is_some();
    let served = app.supervisor.spawn("listener", net::listener::serve(listener, tls, router, Arc::clone(&app)));
    tracing::info!(%address, tls = secure, game = G::NAME, "listening");
    let redirect = in_the_clear.as_ref().and_then(|socket| socket.local_addr().ok());
    if let (Some(listener), Some(from)) = (in_the_clear, redirect) {
        let router = http::redirect::router(Arc::clone(&app), address.port());
        app.supervisor.spawn("redirect", net::redirect::serve(listener, router, Arc::clone(&app)));
        tracing::info!(address = %from, "redirecting http to https");
    }
    if let Some(certificate) = &certificate {
        tracing::info!(fingerprint = certificate.fingerprint(), "certificate");
        app.supervisor.spawn("certificate", certificate::watch(Arc::clone(certificate), app.ending.clone()));
    }
    waiting.map_or(Ok(()), |waiting| waiting.serves()).map_err(|error| StartError::System(error.into()))?;
    Ok(Running {
        address,
        redirect,
        secure,
        ending,
        served,
        threads,
        certificate,
        successors: running::Successors::listen(&app.config),
        sockets,
        head,
        app,
        lobby,
        kept,
        recordings,
        checkpoints,
        token_file,
    })
}

fn spawn_housekeeping<G: Game>(app: &Arc<App>, lobby: &Arc<ServerLobby<G>>) {
    app.supervisor.spawn("sweep", sweep(Arc::clone(app), Arc::clone(lobby)));
    app.supervisor.spawn("reports", moderation::keep_reports(Arc::clone(app)));
    app.supervisor.spawn("mutes", moderation::keep_mutes(Arc::clone(app)));
    app.supervisor.spawn("watchdog", systemd::feed_watchdog(Arc::clone(app)));
}

/// Opens the store; another process may hold the data folder for a while.
async fn open_store(config: &Config, supervisor: &Supervisor, waits: Duration) -> Result<(Store, Kept), OpenError> {
    let until = Instant::now() + waits;
    loop {
        match store::open(config, supervisor).await {
            Err(OpenError::Locked(_)) if Instant::now() < until => tokio::time::sleep(LOOKS_AGAIN).await,
            other => return other,
        }
    }
}

/// What is there before the data folder is opened.
struct Ready<G: Game> {
    sockets: Sockets,
    /// The server whose state was handed over.
    predecessor: Option<Predecessor<G>>,
    /// The process that waits to hear that this one serves.
    waiting: Option<hand_over::Inheritance>,
}

async fn get_ready<G: Game>(config: &Config, rules: u64, beginning: Beginning) -> Result<Ready<G>, StartError> {
    let read = |state: Vec<u8>, may_migrate: bool| {
        let read = Predecessor::<G>::of_state(&state, rules, may_migrate);
        read.map(Some).map_err(|why| StartError::System(anyhow::anyhow!("cannot go on from the other server: {why}")))
    };
    match beginning {
        Beginning::Fresh => {
            let passed = systemd::sockets().context("cannot use the sockets of the service manager");
            let (main, in_the_clear) = passed.map_err(StartError::Listen)?;
            let main = listener(main, config.host, config.port, "--port").await.map_err(StartError::Listen)?;
            let redirect = match config.redirect_http {
                Some(port) => Some(
                    listener(in_the_clear, config.host, port, "--redirect-http").await.map_err(StartError::Listen)?,
                ),
                None => None,
            };
            Ok(Ready { sockets: Sockets { main, redirect }, predecessor: None, waiting: None })
        }
        Beginning::TakeOver(inheritance) => {
            let taken = tokio::task::spawn_blocking(move || inheritance.take().map(|state| (state, inheritance)));
            let gone = |error: std::io::Error| StartError::System(anyhow::anyhow!("the other server is gone: {error}"));
            let (state, inheritance) = taken.await.map_err(|error| StartError::System(error.into()))?.map_err(gone)?;
            let sockets = inheritance.sockets.again().map_err(gone)?;
            let predecessor = read(state, inheritance.may_migrate)?;
            Ok(Ready { sockets, predecessor, waiting: Some(inheritance) })
        }
        Beginning::GoOn(sockets, state) => Ok(Ready { sockets, predecessor: read(state, false)?, waiting: None }),
    }
}

/// The operator token: the one in the configured file, or a new one in a file where the operator's programs look for it. If that file
/// cannot be written, the server starts all the same.
fn operator_token(config: &Config, port: u16) -> anyhow::Result<(OperatorToken, Option<TokenFile>)> {
    if let Some(path) = &config.operator_token {
        return Ok((OperatorToken::of_file(path)?, None));
    }
    let token = OperatorToken::make()?;
    let file = token.leave(port);
    match &file {
        Ok(file) => tracing::info!(file = %file.path.display(), "operator token"),
        Err(error) => tracing::warn!(
            error = format!("{error:#}"),
            "cannot write the operator token to a file, so it is unusable; name a file that holds one with --operator-token"
        ),
    }
    Ok((token, file.ok()))
}

/// The server behind the listener.
struct Opened<G: Game> {
    app: Arc<App>,
    lobby: Arc<ServerLobby<G>>,
    shards: Arc<Shards<G>>,
    threads: Threads,
    recordings: Recordings,
    checkpoints: Checkpoints,
    /// What the checkpoints begin with.
    head: Head,
}

/// Starts the server behind the listener: the threads of rooms, shards and bots, and the persistent rooms.
fn open<G: Game>(
    config: Config,
    game: G::Config,
    operator: OperatorToken,
    (store, store_health): (Store, StoreHealth),
    supervisor: Supervisor,
    (predecessor, rules): (Option<Predecessor<G>>, u64),
) -> anyhow::Result<Opened<G>> {
    let Continuity { clock, metrics, recordings, checkpoints, head } = continuity(&config, &predecessor, rules)?;
    metrics.watch(store_health.clone());
    let pollers = make_pollers(&config).context("cannot poll sockets")?;
    // The bots are one more shard, without sockets.
    let bots = (config.bots > 0).then(|| Wakeup::new(|| {}));
    let wakeups = pollers.iter().map(Poller::wakeup).chain(&bots);
    let inboxes: Arc<[Inbox<ShardCommand>]> = wakeups.map(|wakeup| Inbox::new(Arc::clone(wakeup))).collect();
    let shards = Arc::new(Shards::new(pollers.iter().map(|poller| Inbox::new(Arc::clone(poller.wakeup())))));
    let (sessions, account_tokens) =
        (Sessions::new(head.lasting.session_key), AccountTokens::new(head.lasting.account_key));
    let pool = Arc::new(Pool::new(clock.clone()));
    let rooms = pool
        .start(cores().max(2) * ROOM_THREADS_PER_CORE, &supervisor)
        .context("cannot start the threads of the rooms")?;
    let connections_max = files::connections_max(config.max_connections, net::bounds::SPARE_CONNECTIONS, inboxes.len());
    let rooms_on_demand = config.max_rooms.saturating_sub(config.rooms.into());
    let caps = Caps::new(config.limit_per_address, connections_max, rooms_on_demand);
    let context = ServerContext {
        clock,
        limits: Arc::new(AddressLimits::new(caps, config.limit_exempt.clone())),
        metrics: Arc::clone(&metrics),
        shards: inboxes,
        topics: Arc::new(Topics::new()),
        results: ResultSink::outbox::<G>(store_health.outbox().clone(), head.lasting.result_ids),
        recording: recording_policy(&config, rules),
        recordings: recordings.sink(),
        checkpoints: checkpoints.sink(),
        result_ids: head.lasting.result_ids,
        grace_s: config.grace,
        room_life_s: config.room_life,
    };
    let directory =
        Directory::new(context.clone(), pool, Arc::new(game), common_config::<G>(&config), config.max_rooms);
    let state = Arc::new(LobbyState::new(context.clone(), sessions, account_tokens));
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
        connections_max,
    });
    predecessor.into_iter().for_each(|found| found.restore(&lobby, pollers.len()));
    let started = start_shards(&app, &lobby, &shards, pollers, bots);
    let started = started.context("cannot start the threads of the shards")?;
    open_persistent_rooms(&lobby.directory, app.config.rooms);
    Ok(Opened { app, lobby, shards, threads: Threads { rooms, shards: started }, recordings, checkpoints, head })
}

/// What goes on from one server to the next, and where this one leaves it.
struct Continuity {
    clock: MonoClock,
    metrics: Arc<Metrics>,
    recordings: Recordings,
    checkpoints: Checkpoints,
    head: Head,
}

fn continuity<G: Game>(config: &Config, from: &Option<Predecessor<G>>, rules: u64) -> anyhow::Result<Continuity> {
    let clock = MonoClock::start_at(from.as_ref().map_or(MonoTime(0), Predecessor::now));
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
    (0..config.shards.unwrap_or_else(cores)).map(|_| Poller::new()).collect()
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

fn open_persistent_rooms<G: Game>(directory: &Directory<G>, rooms: u16) {
    for index in 1..=rooms {
        let mode = mode_name::<G>(ModeId(0));
        let name = if rooms == 1 { mode.to_owned() } else { format!("{mode} {index}") };
        // It may have been given back.
        if !directory.all().iter().any(|room| !room.is_ephemeral && room.name == name) {
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
    let accounts = accounts.with_provider(provider.map(accounts::provider::Provider::new).transpose()?);
    #[cfg(not(feature = "oidc"))]
    let _ = config;
    Ok(accounts)
}

/// The socket that the service manager opened for this process, or else a new one; `flag` is the option that sets its port, for the error
/// message.
async fn listener(
    passed: Option<std::net::TcpListener>,
    host: IpAddr,
    port: u16,
    flag: &str,
) -> anyhow::Result<std::net::TcpListener> {
    if let Some(passed) = passed {
        return Ok(passed);
    }
    let address = SocketAddr::new(host, port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!(broadside_cli::cannot_listen(address, &error, flag)))?;
    listener.into_std().context("cannot use the listening socket")
}

/// Once a second: removes ended rooms, assembles the leaderboard, drops unused rate limits, and leaves a checkpoint of sessions and topics.
async fn sweep<G: Game>(app: Arc<App>, lobby: Arc<ServerLobby<G>>) {
    let mut ending = app.ending.clone();
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let mut awake = Awake::new(app.lobby.context.clock.now(), 2_000_000);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = ended(&mut ending) => return,
        }
        let now = app.lobby.context.clock.now();
        app.lobby.sweep(awake.look(now), &*app.rooms);
        app.befriending.forget(now);
        app.requests.forget(now);
        app.accounts.sweep();
        if app.lobby.context.checkpoints.is_open() {
            app.lobby.context.checkpoints.lobby(recovery::save_lobby(&lobby));
        }
    }
}
