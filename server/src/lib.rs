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
//! | [`recordings`] | recordings of rooms, as files, and their replay |
//! | [`rooms`] | the threads that step the rooms |
//! | [`lobby`] | directory of rooms, sessions, names, leaderboard |
//! | [`accounts`](mod@accounts) | who a browser is signed in as, without HTTP |
//! | [`app`] | the state that threads and tasks share |
//! | [`bots`] | the server's own bots |
//! | [`http`] | assets, API, health, metrics |
//! | [`net`] | listener, TLS, WebSocket upgrade, the shards that own the sockets |
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
pub mod clock;
pub(crate) mod commands;
pub mod config;
pub mod files;
pub mod first_seen;
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
pub(crate) mod requester;
pub mod rooms;
pub mod secret;
pub(crate) mod security_headers;
pub mod signals;
pub mod store;
pub mod topics;
pub mod vital;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use broadside_core::commands::ShardCommand;
use broadside_core::room::{RoomConfig, SPECTATORS_MAX, mode_name};
use broadside_core::room_loop::{KeptRecordings, RecordingPolicy};
use broadside_shared::game::Game;
use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::trial::rules_hash;
use broadside_store::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use program::run;

use accounts::Accounts;
use app::{App, GameInfo, ended};
use awake::Awake;
use clock::MonoClock;
use config::{Config, Record};
use first_seen::FirstSeen;
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
use net::certificate::{self, Certificate};
use net::shard::{self, Poller};
use operator::{OperatorToken, TokenFile};
use recordings::{Folder, Recordings, Shelf};
use rooms::context::ServerContext;
use rooms::pool::Pool;
use rooms::results::ResultSink;
use store::{Kept, StoreHealth};
use topics::Topics;
use vital::Supervisor;

const _: () = assert!(config::CAPACITY_MAX + SPECTATORS_MAX <= SEATS_MAX);

/// Threads that run rooms, per core: while one is busy with a long tick of a large room, the other runs the small ones.
const ROOM_THREADS_PER_CORE: usize = 2;

/// How often a server that drains looks whether matches have ended: more often than the shortest results are shown.
const DRAIN_LOOKS_EVERY: Duration = Duration::from_millis(250);

/// A server that is listening.
pub struct Running<G: Game> {
    /// The bound address, with the actual port even if the configured one is 0.
    pub address: SocketAddr,
    /// The plain-HTTP port that redirects to https, if one is configured.
    pub redirect: Option<SocketAddr>,
    secure: bool,
    ending: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    threads: Vec<JoinHandle<()>>,
    certificate: Option<Arc<Certificate>>,
    app: Arc<App>,
    lobby: Arc<ServerLobby<G>>,
    kept: Kept,
    recordings: Recordings,
    /// Removed when the server ends.
    token_file: Option<TokenFile>,
}

impl<G: Game> Running<G> {
    /// The file with the generated operator token. `None` if the operator configured a token, or the file could not be written.
    #[must_use]
    pub fn token_file(&self) -> Option<&Path> {
        self.token_file.as_ref().map(|file| file.path.as_path())
    }

    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    #[must_use]
    pub fn lobby(&self) -> &ServerLobby<G> {
        &self.lobby
    }

    /// The URL scheme: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Reloads the certificate. One that is invalid is logged, and the current one stays.
    pub async fn renew(&self) {
        match &self.certificate {
            Some(certificate) => certificate::reload(certificate).await,
            None => tracing::info!("nothing to reload: without TLS there is no certificate"),
        }
    }

    /// Resolves with the name of a vital thread or task once that is gone: the process should then exit, to be restarted.
    pub async fn gone(&self) -> String {
        self.app.supervisor.gone().await
    }

    /// Lets nobody in from here on, says so, and waits until the matches in progress have ended, at most as long as the flags say.
    pub async fn drain(&self) {
        let app = &self.app;
        let wait = Duration::from_secs(app.config.drain_wait.into());
        app.rooms.drain();
        let mut playing: Vec<_> = app.rooms.all().into_iter().filter(|room| room.status.is_in_match()).collect();
        tracing::info!(
            matches = playing.len(),
            wait_s = wait.as_secs(),
            "draining: matches end first, and nobody is let in"
        );
        if !playing.is_empty() {
            let notice = Text::new("The server restarts once the matches in progress have ended.");
            let notice = Publication::Announcement(notice.expect("it is short"));
            app.lobby.context.publish(Topic::Notices, None, notice);
        }
        let over = async {
            // Whatever follows a match is none of those in progress.
            while !playing.is_empty() {
                tokio::time::sleep(DRAIN_LOOKS_EVERY).await;
                playing.retain(|room| room.status.is_in_match() && !room.is_over());
            }
        };
        if tokio::time::timeout(wait, over).await.is_err() {
            tracing::warn!("draining: matches go on for longer than --drain-wait, and are cut short");
        }
    }

    /// Closes every connection with "going away", ends the rooms, and returns when all threads have ended and every result is queued.
    pub async fn end(self) {
        let _ = self.ending.send(true);
        for inbox in self.app.lobby.context.shards.iter() {
            inbox.send([ShardCommand::Shutdown]);
        }
        let _ = self.served.await;
        let (app, threads, recordings) = (self.app, self.threads, self.recordings);
        app.rooms.end_threads();
        let wait = move || {
            for thread in threads {
                let _ = thread.join();
            }
            app.rooms.end_rooms();
            // The rooms have ended, so nothing more is recorded.
            recordings.end();
        };
        let _ = tokio::task::spawn_blocking(wait).await;
        // The rooms have ended, so no result follows.
        self.kept.end().await;
    }
}

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

/// Binds the port, opens the persistent rooms and starts to serve.
///
/// # Errors
/// See [`StartError`]. The message says what to do.
pub async fn start<G: Game>(config: Config, game: G::Config) -> Result<Running<G>, StartError> {
    config.check().map_err(StartError::Config)?;
    G::check_config(&game).map_err(StartError::Game)?;
    http::assets::check(&config).map_err(StartError::Assets)?;
    let certificate = certificate::configured(&config).map_err(StartError::Certificate)?.map(Arc::new);
    let tls = certificate.clone().map(certificate::acceptor).transpose().map_err(StartError::Certificate)?;
    let (listener, address) = bind(config.host, config.port, "--port").await.map_err(StartError::Listen)?;
    let in_the_clear = match config.redirect_http {
        Some(port) => Some(bind(config.host, port, "--redirect-http").await.map_err(StartError::Listen)?),
        None => None,
    };
    let (ending, ending_seen) = watch::channel(false);
    let supervisor = Supervisor::new(ending_seen);
    let (store, kept) = store::open(&config, &supervisor).await?;
    let (operator, token_file) = operator_token(&config, address.port()).map_err(StartError::Operator)?;
    let Opened { app, lobby, shards, threads, recordings } =
        open::<G>(config, game, operator, (store, kept.health.clone()), supervisor).map_err(StartError::System)?;
    let loaded = moderation::load(&app.store, &app.lobby, store::now_us()).await;
    loaded.context("cannot read accounts").map_err(StartError::System)?;
    app.supervisor.spawn("sweep", sweep(Arc::clone(&app)));
    app.supervisor.spawn("reports", moderation::keep_reports(Arc::clone(&app)));
    app.supervisor.spawn("mutes", moderation::keep_mutes(Arc::clone(&app)));
    let websocket = axum::routing::any(net::upgrade::upgrade::<G>).layer(axum::Extension(shards));
    let router = http::router(Arc::clone(&app), SchemaFile::new::<G>(&app.config), websocket);
    let secure = tls.is_some();
    let served = app.supervisor.spawn("listener", net::listener::serve(listener, tls, router, Arc::clone(&app)));
    tracing::info!(%address, tls = secure, game = G::NAME, "listening");
    let redirect = in_the_clear.as_ref().map(|(_, address)| *address);
    if let Some((listener, from)) = in_the_clear {
        let router = http::redirect::router(Arc::clone(&app), address.port());
        app.supervisor.spawn("redirect", net::redirect::serve(listener, router, Arc::clone(&app)));
        tracing::info!(address = %from, "redirecting http to https");
    }
    if let Some(certificate) = &certificate {
        tracing::info!(fingerprint = certificate.fingerprint(), "certificate");
        app.supervisor.spawn("certificate", certificate::watch(Arc::clone(certificate), app.ending.clone()));
    }
    Ok(Running {
        address,
        redirect,
        secure,
        ending,
        served,
        threads,
        certificate,
        app,
        lobby,
        kept,
        recordings,
        token_file,
    })
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
    threads: Vec<JoinHandle<()>>,
    recordings: Recordings,
}

/// Starts the server behind the listener: the threads of rooms, shards and bots, and the persistent rooms.
fn open<G: Game>(
    config: Config,
    game: G::Config,
    operator: OperatorToken,
    (store, store_health): (Store, StoreHealth),
    supervisor: Supervisor,
) -> anyhow::Result<Opened<G>> {
    let clock = MonoClock::start();
    let metrics = Arc::new(Metrics::new());
    let recordings = recordings::start(Folder::of(&config), Arc::clone(&metrics));
    let recordings = recordings.context("cannot keep recordings in --data")?;
    metrics.watch(store_health.clone());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let count = config.shards.unwrap_or_else(cores);
    let pollers = (0..count).map(|_| Poller::new()).collect::<std::io::Result<Vec<_>>>();
    let pollers = pollers.context("cannot poll sockets")?;
    // The bots are one more shard, without sockets.
    let bots = (config.bots > 0).then(|| Wakeup::new(|| {}));
    let wakeups = pollers.iter().map(Poller::wakeup).chain(&bots);
    let inboxes: Arc<[Inbox<ShardCommand>]> = wakeups.map(|wakeup| Inbox::new(Arc::clone(wakeup))).collect();
    let shards = Arc::new(Shards::new(pollers.iter().map(|poller| Inbox::new(Arc::clone(poller.wakeup())))));
    let (sessions, account_tokens) = (Sessions::new(draw_key()?), AccountTokens::new(draw_key()?));
    let pool = Arc::new(Pool::new(clock.clone()));
    let mut threads = pool
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
        results: ResultSink::outbox::<G>(store_health.outbox().clone()),
        recording: recording_policy::<G>(&config),
        recordings: recordings.sink(),
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
        shelf: Arc::new(Shelf::new(&config)),
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
        connections_max,
    });
    let started = start_shards(&app, &lobby, &shards, pollers, bots);
    threads.extend(started.context("cannot start the threads of the shards")?);
    open_persistent_rooms(&lobby.directory, app.config.rooms);
    Ok(Opened { app, lobby, shards, threads, recordings })
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
fn recording_policy<G: Game>(config: &Config) -> Option<RecordingPolicy> {
    let keep = match config.record {
        Record::Off => return None,
        Record::Matches => KeptRecordings::Matches,
        Record::All => KeptRecordings::All,
    };
    config.data.path()?;
    Some(RecordingPolicy { rules: rules_hash::<G>(), keep })
}

fn open_persistent_rooms<G: Game>(directory: &Directory<G>, rooms: u16) {
    for index in 1..=rooms {
        let mode = mode_name::<G>(ModeId(0));
        let name = if rooms == 1 { mode.to_owned() } else { format!("{mode} {index}") };
        directory.open_persistent(&name);
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

/// Listens on a port; `flag` is the option that sets it, for the error message.
async fn bind(host: IpAddr, port: u16, flag: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::new(host, port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!(broadside_cli::cannot_listen(address, &error, flag)))?;
    let address = listener.local_addr().context("cannot read the bound address")?;
    Ok((listener, address))
}

/// Once a second: removes ended rooms, assembles the leaderboard, drops unused rate limits.
async fn sweep(app: Arc<App>) {
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
    }
}
