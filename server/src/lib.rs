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
//! | [`peers`] | what a node of a cluster knows of the others |
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
//! | [`passed`] | open connections on their way to the next server |
//! | [`net`] | listener, TLS, WebSocket upgrade, the shards that own the sockets |
//! | `cluster` | a node of a cluster: NATS |
//! | `systemd` | what a service manager wants to hear |
//! | [`hand_over`] | sockets and state from one process to the next |
//! | [`running`] | a server that is listening, and its end |
//! | `opening` | what a server consists of behind its listener |
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
pub(crate) mod cluster;
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
pub(crate) mod opening;
pub mod operator;
pub mod origin;
pub mod passed;
pub mod peers;
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
use std::time::{Duration, Instant};

use anyhow::Context;
use broadside_core::room::SPECTATORS_MAX;
use broadside_shared::game::Game;
use broadside_shared::protocol::limits::SEATS_MAX;
use broadside_shared::trial::rules_hash;
use broadside_store::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

pub use program::run;
pub use running::Running;

use app::{App, ended};
use awake::Awake;
use config::Config;
use config::cluster::{ClusterKeys, NodeFlags};
use hand_over::Sockets;
use http::api::schema::SchemaFile;
use lobby::ServerLobby;
use net::certificate::{self, Certificate};
use opening::{Opened, Origins};
use operator::{OperatorToken, TokenFile};
use passed::PassedSocket;
use peers::Order;
use recovery::Predecessor;
use store::Kept;
use vital::Supervisor;

const _: () = assert!(config::CAPACITY_MAX + SPECTATORS_MAX <= SEATS_MAX);

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
    /// The NATS servers of the cluster cannot be used.
    #[error("{0:#}")]
    Cluster(anyhow::Error),
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
    GoOn(hand_over::Sockets, Vec<u8>, Vec<PassedSocket>),
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
    let cluster = cluster_of(&config).map_err(StartError::Config)?;
    http::assets::check(&config).map_err(StartError::Assets)?;
    let certificate = certificate::configured(&config).map_err(StartError::Certificate)?.map(Arc::new);
    let tls = certificate.clone().map(certificate::acceptor).transpose().map_err(StartError::Certificate)?;
    let rules = rules_hash::<G>();
    // A successor that failed gives up the data folder only with its end.
    let waits = if matches!(beginning, Beginning::GoOn(..)) { GIVEN_UP_WITHIN } else { Duration::ZERO };
    // Players wait for a server that goes on from another one; it is alone until the engine answers.
    let engine_has = if matches!(beginning, Beginning::Fresh) { cluster::FIRST_WAIT } else { Duration::ZERO };
    let Ready { sockets, predecessor, connections, waiting } = get_ready::<G>(&config, rules, beginning).await?;
    let bound = || StartError::Listen(anyhow::anyhow!("cannot use the listening socket"));
    let again = sockets.again().map_err(|_| bound())?;
    let listen = |socket: std::net::TcpListener| {
        let ready = net::listener::let_many_wait(&socket).and_then(|()| socket.set_nonblocking(true));
        ready.and_then(|()| TcpListener::from_std(socket)).map_err(|_| bound())
    };
    let (listener, in_the_clear) = (listen(again.main)?, again.redirect.map(listen).transpose()?);
    let address = listener.local_addr().map_err(|_| bound())?;
    let (ending, ending_seen) = watch::channel(false);
    let supervisor = Supervisor::new(ending_seen);
    let (store, kept) = open_store(&config, &supervisor, waits).await?;
    // Only now: no other server has the data folder.
    let predecessor = predecessor.or_else(|| recovery::find::<G>(&config, rules));
    let (operator, token_file) = operator_token(&config, address.port()).map_err(StartError::Operator)?;
    let origins = Origins { predecessor, rules, cluster };
    let opened = opening::open::<G>(config, game, operator, (store, kept.health.clone()), supervisor, origins);
    let Opened { app, lobby, shards, threads, recordings, checkpoints, head, orders } =
        opened.map_err(StartError::System)?;
    let loaded = moderation::load(&app.store, &app.lobby, store::now_us()).await;
    loaded.context("cannot read accounts").map_err(StartError::System)?;
    let node = orders.as_ref().map(|(node, _)| node.clone());
    let cluster = join_cluster(&app, &lobby, rules, (orders, engine_has)).await.map_err(StartError::Cluster)?;
    spawn_housekeeping(&app, &lobby);
    net::passed::take_over(&app, &shards, connections);
    let websocket = axum::routing::any(net::upgrade::upgrade::<G>).layer(axum::Extension(shards));
    let router = http::router(Arc::clone(&app), SchemaFile::new::<G>(&app.config), websocket);
    let secure = tls.is_some();
    let served = app.supervisor.spawn("listener", net::listener::serve(listener, tls, router, Arc::clone(&app)));
    tracing::info!(%address, tls = secure, game = G::NAME, "listening");
    let redirect = in_the_clear.as_ref().and_then(|socket| socket.local_addr().ok());
    spawn_beside(&app, in_the_clear, redirect.map(|from| (from, address.port())), certificate.as_ref());
    waiting.map_or(Ok(()), |waiting| waiting.serves()).map_err(|error| StartError::System(error.into()))?;
    Ok(Running {
        address,
        redirect,
        secure,
        ending,
        served,
        threads,
        cluster,
        node,
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

/// The node that the flags make of this server, with the secrets of its cluster.
fn cluster_of(config: &Config) -> Result<Option<(NodeFlags, ClusterKeys)>, String> {
    match (config.node()?, &config.cluster.cluster_key) {
        (Some(node), Some(file)) => Ok(Some((node, ClusterKeys::read(file)?))),
        (_, _) => Ok(None),
    }
}

/// Makes the server a node of its cluster, if it has one.
async fn join_cluster<G: Game>(
    app: &Arc<App>,
    lobby: &Arc<ServerLobby<G>>,
    rules: u64,
    (orders, engine_has): (Option<(NodeFlags, Receiver<Order>)>, Duration),
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let (Some((node, orders)), Some(peers)) = (orders, app.lobby.peers.clone()) else { return Ok(None) };
    let link = cluster::connect(&node, Arc::clone(&peers), engine_has).await?;
    let (sockets, lobby) = (lobby.context.shards.len() - usize::from(app.config.bots > 0), Arc::clone(lobby));
    let move_in: Arc<cluster::MoveIn> =
        Arc::new(move |state, still_us| recovery::move_in(&lobby, state, rules, still_us, sockets));
    let part = cluster::run(Arc::clone(app), node, peers, link, orders, (rules, move_in));
    Ok(Some(app.supervisor.spawn("cluster", part)))
}

/// Starts what is beside the listener: the redirect from plain HTTP, and the watch of the certificate.
fn spawn_beside(
    app: &Arc<App>,
    in_the_clear: Option<TcpListener>,
    redirect: Option<(SocketAddr, u16)>,
    certificate: Option<&Arc<Certificate>>,
) {
    if let (Some(listener), Some((from, port))) = (in_the_clear, redirect) {
        let router = http::redirect::router(Arc::clone(app), port);
        app.supervisor.spawn("redirect", net::redirect::serve(listener, router, Arc::clone(app)));
        tracing::info!(address = %from, "redirecting http to https");
    }
    if let Some(certificate) = certificate {
        tracing::info!(fingerprint = certificate.fingerprint(), "certificate");
        app.supervisor.spawn("certificate", certificate::watch(Arc::clone(certificate), app.ending.clone()));
    }
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
    /// Those that are open.
    connections: Vec<PassedSocket>,
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
            let sockets = Sockets { main, redirect };
            Ok(Ready { sockets, predecessor: None, connections: Vec::new(), waiting: None })
        }
        Beginning::TakeOver(inheritance) => {
            let taken = tokio::task::spawn_blocking(move || inheritance.take().map(|state| (state, inheritance)));
            let gone = |error: std::io::Error| StartError::System(anyhow::anyhow!("the other server is gone: {error}"));
            let ((state, connections), inheritance) =
                taken.await.map_err(|error| StartError::System(error.into()))?.map_err(gone)?;
            let sockets = inheritance.sockets.again().map_err(gone)?;
            let predecessor = read(state, inheritance.may_migrate)?;
            Ok(Ready { sockets, predecessor, connections, waiting: Some(inheritance) })
        }
        Beginning::GoOn(sockets, state, connections) => {
            Ok(Ready { sockets, predecessor: read(state, false)?, connections, waiting: None })
        }
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
