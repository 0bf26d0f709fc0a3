//! Broadside's authoritative server.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | every flag: default, range, unit |
//! | [`room`] | PURE. One match: inputs in, a tick stepped, what to tell whom out |
//! | [`session`] | PURE. One connection as a state machine: hello, join, limits, close |
//! | [`lobby`] | the directory of rooms |
//! | [`driver`] | a room in time: waits for each tick, steps the room, leaves the result with the shards |
//! | [`net`] | listener, TLS, WebSocket upgrade, the shards that own the connections |
//! | [`bots`] | the server's own bots |
//! | [`http`] | assets, health, metrics, the room list |
//! | [`metrics`] | what the server counts of itself |
//! | [`log`] | log lines, which hold nobody up |
//! | [`signals`] | what the operating system asks of the program |
//! | [`vital`] | what the server cannot do without |
//! | [`operator`] | the operator's token, and where it is left |
//! | [`network`] | IP networks, as flags name them |
//! | [`awake`] | PURE. Time in which we ran, told from time in which we stood still |
//! | [`limits`] | what one address may have |
//! | [`first_seen`] | what is logged the first time only |
//! | [`files`] | how many connections the operating system allows |
//! | [`secret`] | numbers that nobody can guess |
//!
//! The way of a byte: `net::conn` -> `net::connection` -> `session` -> `driver` mailbox -> `room` -> `room::outgoing` -> `net::fanout` ->
//! `net::conn`.

pub mod awake;
pub mod bots;
pub mod bucket;
pub mod clock;
pub mod config;
pub mod driver;
pub mod files;
pub mod first_seen;
pub mod http;
pub mod limits;
pub mod lobby;
pub mod log;
pub mod metrics;
pub mod net;
pub mod network;
pub mod operator;
pub mod room;
pub mod secret;
pub mod session;
pub mod signals;
pub mod vital;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use broadside_shared::arena::Arena;
use broadside_shared::arena::rules::PLAYERS_MAX;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::Mode;
use tokio::net::TcpListener;
use tokio::sync::watch;

use awake::Awake;
use clock::MonoClock;
use config::Config;
use driver::pool::Pool;
use driver::{RoomCommand, ServerContext};
use first_seen::FirstSeen;
use http::assets::Assets;
use http::in_flight::InFlight;
use limits::holds::{AddressLimits, Caps, Hold, TooMuch};
use limits::rates::{AddressRates, Rate};
use lobby::Directory;
use lobby::board::Leaderboard;
use lobby::messages::EncodedMessage;
use lobby::sessions::{SessionId, Sessions};
use lobby::topics::Topics;
use metrics::Metrics;
use metrics::labels::AddressLimit;
use net::certificate::{self, Certificate};
use net::inbox::{self, Envelope, Inbox, ShardCommand};
use net::shard;
use operator::{OperatorToken, TokenFile};
use room::RoomConfig;
use vital::Supervisor;

const _: () = assert!(config::CAPACITY_MAX + room::SPECTATORS_MAX <= PLAYERS_MAX);

/// Threads that run rooms, for each core: a long tick of a large room on one leaves another for the small ones.
const ROOM_THREADS_PER_CORE: usize = 2;

/// What every connection shares.
pub struct App<G: Game> {
    /// How the server was started.
    pub config: Config,
    /// The clock that every core is given.
    pub clock: MonoClock,
    /// The rooms.
    pub directory: Directory<G>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// TeamLabel is connected or may come back.
    pub sessions: Sessions,
    /// What the rooms stand on, topics and the shards that own the WebSockets among it.
    pub context: ServerContext<G>,
    /// TeamLabel has opened rooms lately.
    pub room_creations: AddressRates,
    /// TeamLabel has asked for what over HTTP lately.
    pub requests: AddressRates,
    /// Answers over HTTP that are on their way.
    pub in_flight: InFlight,
    /// The best of all rooms.
    pub leaderboard: Leaderboard,
    /// The browser client.
    pub assets: Assets,
    /// What the operator's calls must show.
    pub operator: OperatorToken,
    /// Names that are not ours and by which somebody asked for us.
    pub foreign_hosts: FirstSeen,
    /// Pages of other origins that tried to connect.
    pub foreign_origins: FirstSeen,
    next_shard: AtomicUsize,
    /// Shards with sockets: the first so many.
    socket_shards: usize,
    /// Turns true once, when the server is to end.
    pub ending: watch::Receiver<bool>,
    /// Looks after what the server cannot do without.
    pub supervisor: Supervisor,
    /// Open connections, HTTP and WebSocket.
    pub connections: AtomicUsize,
    /// Connections that may be open: as configured, or as many as there are files for.
    pub connections_max: usize,
}

impl<G: Game> App<G> {
    /// Brings a message to one session, unless it mutes the one it comes from; it waits for who is not connected at the moment.
    pub fn deliver(&self, to: SessionId, from: Option<SessionId>, message: EncodedMessage) {
        // It may come and go while we look.
        loop {
            if let Some(peer) = self.sessions.connection_of(to) {
                let written = Envelope { by: from, message };
                return self.context.shards[peer.shard].send([ShardCommand::Deliver(peer, to, written)]);
            }
            if self.sessions.park_message(to, from, &message) {
                return;
            }
        }
    }

    /// A shard broke down: its connections are gone, and the rooms learn that the seats there are free.
    fn lose_shard(&self, index: usize) {
        // Counted first, logged last: nothing that follows can hide it.
        self.metrics.shard_failures.inc();
        self.sessions.lose_shard(index);
        for room in self.directory.all() {
            // A room that is over has nobody left to lose.
            let _ = room.send(RoomCommand::ShardLost(index));
        }
        tracing::error!(shard = index, "shard failed; begins anew");
    }

    /// Whether the server is ending.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Whether a room may be opened for somebody at this address: its place among the rooms of the address.
    ///
    /// # Errors
    /// When there are too many of them, or they come too fast.
    pub fn may_open(&self, address: IpAddr) -> Result<Hold, CloseCode> {
        self.may_ask(address).map_err(|_| CloseCode::TooManyFromAddress)?;
        self.take_room(address).map_err(|_| CloseCode::TooManyFromAddress)
    }

    /// Whether somebody at this address may ask for a room or a reservation now.
    ///
    /// # Errors
    /// In how many seconds they may.
    pub fn may_ask(&self, address: IpAddr) -> Result<(), u64> {
        let taken = self.room_creations.take(address, 1, self.clock.now());
        taken.inspect_err(|_| self.context.refused(address, AddressLimit::RoomCreations))
    }

    /// One more room's place among those of an address.
    ///
    /// # Errors
    /// When it has as many as it may.
    pub fn take_room(&self, address: IpAddr) -> Result<Hold, TooMuch> {
        let limits = &self.context.limits;
        let taken = limits.take(address, &[limits.caps().room()]);
        taken.inspect_err(|TooMuch(what)| self.context.refused(address, what.label()))
    }

    /// The shard for the next connection: in turn.
    pub fn next_shard(&self) -> &Inbox<G> {
        &self.context.shards[self.next_shard.fetch_add(1, Ordering::Relaxed) % self.socket_shards]
    }
}

/// Resolves when the app is ending.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // The sender going away without a word means the same.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// A server that listens and runs.
pub struct Running {
    /// The bound address; its port is a real one even if port 0 was asked for.
    pub address: SocketAddr,
    /// The port in the clear that sends everyone to https, if one was asked for.
    pub redirect: Option<SocketAddr>,
    secure: bool,
    ending: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    threads: Vec<JoinHandle<()>>,
    certificate: Option<Arc<Certificate>>,
    app: Arc<App<Arena>>,
    /// Goes with the server.
    token_file: Option<TokenFile>,
}

impl Running {
    /// Where the server has left the operator's token; none if the operator brought one, or it could not be left anywhere.
    #[must_use]
    pub fn token_file(&self) -> Option<&Path> {
        self.token_file.as_ref().map(|file| file.path.as_path())
    }

    /// What the server's parts share, to look at.
    #[must_use]
    pub fn app(&self) -> &App<Arena> {
        &self.app
    }

    /// What browsers and programs put before the address: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Reads anew what was read at the start and may have changed: the certificate. What is no good changes nothing but the log.
    pub async fn renew(&self) {
        match &self.certificate {
            Some(certificate) => certificate::renew(certificate).await,
            None => tracing::info!("nothing to read anew: without TLS there is no certificate"),
        }
    }

    /// Resolves with a name when something is gone that the server cannot do without: it should end, to be started again.
    pub async fn gone(&self) -> String {
        self.app.supervisor.gone().await
    }

    /// Closes every socket with "going away", ends the rooms, and returns when all is done.
    pub async fn end(self) {
        let _ = self.ending.send(true);
        for inbox in self.app.context.shards.iter() {
            inbox.send([ShardCommand::End]);
        }
        let _ = self.served.await;
        let (app, threads) = (self.app, self.threads);
        app.context.pool.end();
        let wait = move || {
            for thread in threads {
                let _ = thread.join();
            }
        };
        let _ = tokio::task::spawn_blocking(wait).await;
    }
}

/// Binds the port, opens the arena and begins to serve.
///
/// # Errors
/// When the address cannot be bound, or assets or certificate are not where the config says, with the way out.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    config.check().map_err(anyhow::Error::msg)?;
    http::assets::check(&config)?;
    let certificate = certificate::asked_for(&config)?.map(Arc::new);
    let tls = certificate.clone().map(certificate::acceptor).transpose()?;
    let (listener, address) = bind(config.host, config.port, "--port").await?;
    let in_the_clear = match config.redirect_http {
        Some(port) => Some(bind(config.host, port, "--redirect-http").await?),
        None => None,
    };
    let (ending, ending_seen) = watch::channel(false);
    let (operator, token_file) = operator_token(&config, address.port())?;
    let Opened { app, threads } = open(config, operator, ending_seen)?;
    app.supervisor.spawn("look-around", look_around(Arc::clone(&app)));
    let secure = tls.is_some();
    let served = app.supervisor.spawn("listener", net::listener::serve(listener, tls, Arc::clone(&app)));
    tracing::info!(%address, tls = secure, game = Arena::NAME, "listening");
    let redirect = in_the_clear.as_ref().map(|(_, address)| *address);
    if let Some((listener, from)) = in_the_clear {
        app.supervisor.spawn("redirect", net::redirect::serve(listener, address.port(), Arc::clone(&app)));
        tracing::info!(address = %from, "sending everyone to https");
    }
    if let Some(certificate) = &certificate {
        tracing::info!(fingerprint = certificate.fingerprint(), "certificate");
        app.supervisor.spawn("certificate", certificate::watch(Arc::clone(certificate), app.ending.clone()));
    }
    Ok(Running { address, redirect, secure, ending, served, threads, certificate, app, token_file })
}

/// The operator's token: the one in the operator's own file, or a new one, left where the operator's programs look for it. A machine
/// that has no place for it is no reason not to serve.
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
            "operator token cannot be left anywhere, so nobody has it; name a file that holds one with --operator-token"
        ),
    }
    Ok((token, file.ok()))
}

/// What there is behind the listener.
struct Opened {
    app: Arc<App<Arena>>,
    threads: Vec<JoinHandle<()>>,
}

/// Opens what there is behind the listener: the threads of rooms and shards, and the first rooms.
fn open(config: Config, operator: OperatorToken, ending: watch::Receiver<bool>) -> anyhow::Result<Opened> {
    let clock = MonoClock::start();
    let metrics = Arc::new(Metrics::new());
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let count = config.shards.unwrap_or_else(cores);
    // The bots are one more shard, without sockets.
    let bots = usize::from(config.bots > 0);
    let prepared = (0..count + bots).map(|_| inbox::prepare()).collect::<std::io::Result<Vec<_>>>();
    let (inboxes, spectates): (Vec<_>, Vec<_>) = prepared.context("cannot watch sockets")?.into_iter().unzip();
    let shards: Arc<[Inbox<Arena>]> = inboxes.into();
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    let pool = Arc::new(Pool::new(clock));
    let supervisor = Supervisor::new(ending.clone());
    let mut threads = pool
        .start(cores().max(2) * ROOM_THREADS_PER_CORE, &supervisor)
        .context("cannot start the threads of the rooms")?;
    let connections_max =
        files::connections_max(config.max_connections, net::listener::SPARE_CONNECTIONS, count + bots);
    let rooms_on_demand = config.max_rooms.saturating_sub(config.rooms.into());
    let caps = Caps::new(config.limit_per_address, connections_max, rooms_on_demand);
    let context = ServerContext {
        clock,
        limits: Arc::new(AddressLimits::new(caps, config.limit_exempt.clone())),
        metrics: Arc::clone(&metrics),
        shards,
        topics: Arc::new(Topics::new()),
        pool,
        grace_s: config.grace,
        room_life_s: config.room_life,
    };
    let common = RoomConfig {
        snapshot_every: config.snapshot_every,
        capacity: config.capacity,
        seed: config.seed.unwrap_or_else(secret::number),
        mode: Mode::Open,
    };
    let app = Arc::new(App {
        directory: Directory::new(context.clone(), common, config.max_rooms),
        assets: Assets::new(&config),
        config,
        clock,
        metrics,
        sessions: Sessions::new(key),
        context,
        room_creations: AddressRates::new(Rate::ROOM_CREATIONS),
        requests: AddressRates::new(Rate::REQUESTS_OF_ADDRESS),
        in_flight: InFlight::default(),
        leaderboard: Leaderboard::default(),
        operator,
        foreign_hosts: FirstSeen::default(),
        foreign_origins: FirstSeen::default(),
        next_shard: AtomicUsize::new(0),
        socket_shards: count,
        ending,
        supervisor,
        connections: AtomicUsize::new(0),
        connections_max,
    });
    for (index, watch) in spectates.into_iter().enumerate() {
        let start = if index < count { shard::spawn } else { bots::spawn };
        threads.push(start(Arc::clone(&app), index, watch).context("cannot start the threads of the shards")?);
    }
    for index in 1..=app.config.rooms {
        app.directory.open_persistent(&if app.config.rooms == 1 {
            "arena".to_owned()
        } else {
            format!("arena {index}")
        });
    }
    Ok(Opened { app, threads })
}

/// Listens on a port that a flag has named.
async fn bind(host: IpAddr, port: u16, flag: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::new(host, port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!(broadside_cli::cannot_listen(address, &error, flag)))?;
    let address = listener.local_addr().context("cannot read the bound address")?;
    Ok((listener, address))
}

/// Once a second: rooms that are over go, the leaderboard is put together.
async fn look_around<G: Game>(app: Arc<App<G>>) {
    let mut ending = app.ending.clone();
    let mut every = tokio::time::interval(Duration::from_secs(1));
    let mut awake = Awake::new(app.clock.now(), 2_000_000);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = ended(&mut ending) => return,
        }
        let now = app.clock.now();
        app.directory.sweep(awake.look(now));
        app.room_creations.forget(now);
        app.requests.forget(now);
        app.leaderboard.renew(&app.directory, &app.context);
    }
}
