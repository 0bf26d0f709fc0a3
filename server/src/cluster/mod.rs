//! A node of a cluster: NATS, and nothing else, knows what the nodes have in common. The only module that names `async-nats`.
//!
//! | module | what it holds |
//! |---|---|
//! | `lease` | this node's announcement of itself |
//! | `announce` | its announcements of rooms |
//! | `catch_up` | what it reads again from the database |
//! | `listen` | what others announce, say, ask and order |
//! | `orders` | what this node asks of others |
//! | `moving` | the rooms of a node that ends move to another one |
//!
//! NATS holds only what is announced again: after each connection every node announces everything, so that an engine that starts empty is
//! full again within seconds, and one that is gone takes nothing with it but the sight of the others. Results go to the database.
//!
//! Only the owner writes its keys, and nobody deletes those of another: readers hide what a node announced while it is silent.

mod announce;
mod catch_up;
mod lease;
mod listen;
mod moving;
mod orders;

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_nats::jetstream::kv::{self, Store};
use async_nats::jetstream::stream::StorageType;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::app::{App, ended};
use crate::config::cluster::NodeFlags;
use crate::peers::view::{LEASE_US, ROOM_KEPT_US};
use crate::peers::{Order, Peers};
use crate::store::now_us;

pub(crate) use moving::{MoveIn, Mover};

/// The oldest NATS server: older ones do not tell watchers of a key that it expired.
const OLDEST: (i64, i64, i64) = (2, 11, 0);
/// How long a server that starts waits for the engine; later, it goes on alone and keeps trying.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(3);
/// What NATS says to a client that it does not know.
const UNAUTHORIZED: &str = "authorization violation";
/// Pause after the engine refused something.
const RETRY: Duration = Duration::from_millis(500);
/// How often a quiet connection to the engine is checked.
const PING_EVERY: Duration = Duration::from_secs(3);
/// Messages of the engine that wait for this node; beyond, they are dropped and counted.
const WAITING_MAX: usize = 8192;
/// For how long the engine tells watchers that a key has expired.
const MARKED: Duration = Duration::from_secs(10);
/// Copies of what is announced, on as many engines as are named, at most this many.
const REPLICAS_MAX: usize = 3;
/// How long the end of a node waits until the others know.
const FAREWELL: Duration = Duration::from_secs(1);

/// Ends once the connection to the engine is lost or renewed, or the engine refuses something: then everything is announced again.
type Stay = anyhow::Result<Infallible>;

/// A connection to the engine, and how it does.
pub(crate) struct Link {
    client: Client,
    /// How often it was established; 0 while it is lost.
    link: watch::Receiver<u64>,
}

/// Connects to the engine in the background. Waits so long for the first connection.
///
/// # Errors
/// The flags name something that cannot be used, or an engine that is too old.
pub(crate) async fn connect(node: &NodeFlags, peers: Arc<Peers>, waits: Duration) -> anyhow::Result<Link> {
    let (established, link) = watch::channel(0);
    let failure = Arc::new(Mutex::new(String::new()));
    let on_event = {
        let (peers, failure) = (Arc::clone(&peers), Arc::clone(&failure));
        move |event| {
            note(&event, &peers, &established, &mut failure.lock().unwrap_or_else(PoisonError::into_inner));
            std::future::ready(())
        }
    };
    let options = options(node)
        .await?
        .no_echo()
        .retry_on_initial_connect()
        .ping_interval(PING_EVERY)
        .subscription_capacity(WAITING_MAX)
        .reconnect_delay_callback(|attempts| Duration::from_millis(100 * (attempts as u64).clamp(1, 10)))
        .event_callback(on_event);
    let client = options.connect(addresses(node)?).await.context("--cluster: cannot use these NATS servers")?;
    let mut first = link.clone();
    match tokio::time::timeout(waits, first.wait_for(|count| *count > 0)).await {
        Ok(_) => check_version(&client).map_err(anyhow::Error::msg)?,
        Err(_) if waits.is_zero() => {}
        Err(_) if failure.lock().unwrap_or_else(PoisonError::into_inner).contains(UNAUTHORIZED) => {
            anyhow::bail!(
                "--cluster: the NATS server does not let this node in ({UNAUTHORIZED}); put its user and password into the URL, or name \
                 --cluster-credentials"
            );
        }
        Err(_) => tracing::warn!("no NATS server of --cluster answers yet: this node is alone until one does"),
    }
    Ok(Link { client, link })
}

fn addresses(node: &NodeFlags) -> anyhow::Result<Vec<ServerAddr>> {
    node.engines.iter().map(|url| url.0.parse()).collect::<Result<_, _>>().context("--cluster: not a URL")
}

/// Who this node is at the engine.
async fn options(node: &NodeFlags) -> anyhow::Result<ConnectOptions> {
    let mut options = ConnectOptions::new().name(format!("broadside node {}", node.id));
    // The client of NATS does not take them from the addresses.
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(String::from).context("--cluster: not UTF-8");
    let named = |address: &ServerAddr| {
        Ok((decoded(address.username().unwrap_or_default())?, decoded(address.password().unwrap_or_default())?))
    };
    let mut users: Vec<(String, String)> =
        addresses(node)?.iter().filter(|address| address.has_user_pass()).map(named).collect::<anyhow::Result<_>>()?;
    users.dedup();
    if users.len() > 1 {
        anyhow::bail!("--cluster: the URLs name {} users; one user and password must do for all servers", users.len());
    }
    if let Some((user, password)) = users.pop() {
        options = options.user_and_password(user, password);
    }
    if let Some(file) = &node.credentials {
        let named = || format!("--cluster-credentials {}", file.display());
        options = options.credentials_file(file).await.with_context(named)?;
    }
    if let Some(file) = &node.ca {
        std::fs::metadata(file).with_context(|| format!("--cluster-ca {}", file.display()))?;
        options = options.add_root_certificates(file.clone());
    }
    Ok(options)
}

/// Begins the subjects and buckets of all nodes of a game.
fn prefix(game: &str) -> String {
    format!("broadside-{game}")
}

/// `failure` is why the engine cannot be used, which is said once and not with every attempt.
fn note(event: &Event, peers: &Peers, established: &watch::Sender<u64>, failure: &mut String) {
    match event {
        Event::Connected => {
            let count = peers.counts.connects.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::info!(count, "connected to the cluster's NATS server");
            failure.clear();
            let _ = established.send(count);
        }
        Event::Disconnected => {
            tracing::warn!("the connection to the cluster's NATS server is lost: this node is alone until it is back");
            let _ = established.send(0);
        }
        Event::SlowConsumer(_) => {
            peers.counts.slow.fetch_add(1, Ordering::Relaxed);
        }
        Event::ServerError(error) => tracing::warn!(%error, "the cluster's NATS server refuses something"),
        Event::ClientError(error) => {
            let why = error.to_string();
            if why != *failure {
                tracing::warn!(%error, "the cluster's NATS server cannot be used");
                *failure = why;
            }
        }
        Event::LameDuckMode | Event::Draining | Event::Closed => {}
    }
}

fn check_version(client: &Client) -> Result<(), String> {
    let (major, minor, patch) = OLDEST;
    if client.is_server_compatible(major, minor, patch) {
        return Ok(());
    }
    let version = client.server_info().version;
    Err(format!("the NATS server of --cluster is {version}; {major}.{minor}.{patch} or newer is needed"))
}

/// The part of a cluster that one node plays.
pub(super) struct Node {
    app: Arc<App>,
    peers: Arc<Peers>,
    client: Client,
    /// Begins the subjects and buckets of all nodes of a game.
    prefix: String,
    /// Tells this run of the node from others.
    epoch: u64,
    replicas: usize,
    changes: catch_up::Changes,
    /// Hash of the game's rules.
    rules: u64,
    move_in: Arc<MoveIn>,
    incoming: moving::Incoming,
}

/// Plays this node's part until the server ends.
pub(crate) async fn run(
    app: Arc<App>,
    node: NodeFlags,
    peers: Arc<Peers>,
    link: Link,
    mut orders: Receiver<Order>,
    (rules, move_in): (u64, Arc<MoveIn>),
) {
    let mut ending = app.ending.clone();
    let Link { client, mut link } = link;
    let node = Node {
        prefix: prefix(app.game.name),
        epoch: now_us().max(1).cast_unsigned(),
        replicas: node.engines.len().clamp(1, REPLICAS_MAX),
        app,
        peers,
        client,
        changes: catch_up::Changes::default(),
        rules,
        move_in,
        incoming: moving::Incoming::default(),
    };
    loop {
        tokio::select! {
            () = ended(&mut ending) => break,
            () = orders::refuse_until(&mut orders, established(&mut link)) => {}
        }
        let count = *link.borrow();
        let why = tokio::select! {
            () = ended(&mut ending) => break,
            stayed = node.stay(&mut orders, link.clone(), count) => match stayed {
                Ok(never) => match never {},
                Err(why) => why,
            },
        };
        node.peers.standing.is_connected.store(false, Ordering::Relaxed);
        if *link.borrow() == count {
            tracing::warn!(why = format!("{why:#}"), "the cluster's NATS server refuses something: trying again");
            orders::refuse_until(&mut orders, tokio::time::sleep(RETRY)).await;
        }
    }
    // Otherwise others would wait for the end of the lease.
    let _ = tokio::time::timeout(FAREWELL, node.leave()).await;
}

impl Node {
    /// Announces and listens while this connection lasts.
    async fn stay(&self, orders: &mut Receiver<Order>, link: watch::Receiver<u64>, count: u64) -> Stay {
        check_version(&self.client).map_err(anyhow::Error::msg)?;
        let nodes = self.bucket("nodes", Duration::from_micros(LEASE_US)).await?;
        let rooms = self.bucket("rooms", Duration::from_micros(ROOM_KEPT_US)).await?;
        let subscribed = listen::Subscribed::new(self).await?;
        self.peers.standing.is_connected.store(true, Ordering::Relaxed);
        let (never, ..) = tokio::try_join!(
            lost(link, count),
            catch_up::catch_up(self),
            announce::announce(self, &nodes, &rooms),
            listen::watch_nodes(self, &nodes),
            listen::watch_rooms(self, &rooms),
            listen::listen(self, subscribed),
            orders::work_off(self, orders),
        )?;
        match never {}
    }

    /// A key-value store in memory in which entries live for so long.
    async fn bucket(&self, what: &str, lives: Duration) -> anyhow::Result<Store> {
        let config = kv::Config {
            bucket: format!("{}-{what}", self.prefix),
            description: "announced again by every node, and safe to delete".to_owned(),
            history: 1,
            max_age: lives,
            storage: StorageType::Memory,
            num_replicas: self.replicas,
            limit_markers: Some(MARKED),
            ..kv::Config::default()
        };
        let context = async_nats::jetstream::new(self.client.clone());
        context.create_key_value(config).await.with_context(|| {
            let name = format!("{}-{what}", self.prefix);
            format!("cannot open the key-value store {name}; NATS must run with JetStream (-js), and most of its servers must be up")
        })
    }

    /// Takes back the lease.
    async fn leave(&self) -> anyhow::Result<()> {
        let nodes = self.bucket("nodes", Duration::from_micros(LEASE_US)).await?;
        lease::give_back(self, &nodes).await
    }

    fn subject(&self, what: &str) -> String {
        format!("{}.{what}", self.prefix)
    }
}

/// Ends once there is a connection.
async fn established(link: &mut watch::Receiver<u64>) {
    // Whoever sends ends with the client, which lasts as long as the node.
    let _ = link.wait_for(|count| *count > 0).await;
}

/// Ends when the connection is lost, or was renewed.
async fn lost(mut link: watch::Receiver<u64>, count: u64) -> Stay {
    let _ = link.wait_for(|now| *now != count).await;
    anyhow::bail!("the connection is lost")
}
