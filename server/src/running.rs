//! A server that is listening: what it is asked, how it drains, and how it ends, for good or for a successor.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broadside_core::commands::ShardCommand;
use broadside_core::messages::EncodedMessage;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Publication, ServerMsg};
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;
use tokio::sync::watch;

use crate::app::App;
use crate::checkpoints::segment::{self, Head};
use crate::checkpoints::{self, Checkpoints};
use crate::cluster::Mover;
use crate::config::Config;
use crate::config::cluster::NodeFlags;
use crate::hand_over::{self, Sockets, Successor};
use crate::lobby::ServerLobby;
use crate::net::certificate::{self, Certificate};
use crate::net::passed;
use crate::operator::TokenFile;
use crate::passed::PassedSocket;
use crate::peers::NodeId;
use crate::recordings::Recordings;
use crate::recovery;
use crate::rooms::entry::RoomEntry;
use crate::store::Kept;

/// How often a server that drains looks whether matches have ended: more often than the shortest results are shown.
const DRAIN_LOOKS_EVERY: Duration = Duration::from_millis(250);
/// Longest time until every shard has closed its connections; one that hangs is left behind.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// A server that is listening.
pub struct Running<G: Game> {
    /// The bound address, with the actual port even if the configured one is 0.
    pub address: SocketAddr,
    /// The plain-HTTP port that redirects to https, if one is configured.
    pub redirect: Option<SocketAddr>,
    pub(crate) secure: bool,
    pub(crate) ending: watch::Sender<bool>,
    pub(crate) served: tokio::task::JoinHandle<()>,
    pub(crate) threads: Threads,
    /// Of a node of a cluster: what says goodbye to the others.
    pub(crate) cluster: Option<tokio::task::JoinHandle<()>>,
    pub(crate) node: Option<NodeFlags>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) successors: Successors,
    /// The listening sockets once more.
    pub(crate) sockets: Sockets,
    /// What checkpoints begin with.
    pub(crate) head: Head,
    pub(crate) app: Arc<App>,
    pub(crate) lobby: Arc<ServerLobby<G>>,
    pub(crate) kept: Kept,
    pub(crate) recordings: Recordings,
    pub(crate) checkpoints: Checkpoints,
    /// Removed when the server ends.
    pub(crate) token_file: Option<TokenFile>,
}

/// The threads of a server.
pub(crate) struct Threads {
    pub(crate) rooms: Vec<JoinHandle<()>>,
    /// Those of the bots too.
    pub(crate) shards: Vec<JoinHandle<()>>,
}

/// Where successors come from; nowhere without a data folder.
pub(crate) struct Successors(Option<tokio::net::UnixListener>);

impl Successors {
    pub(crate) fn listen(config: &Config) -> Successors {
        let Some(data) = config.data.path() else { return Successors(None) };
        let listening = hand_over::listen(data).and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(listener)
        });
        if let Err(error) = &listening {
            tracing::warn!(%error, "this server cannot hand over to another one: no socket in --data");
        }
        Successors(listening.ok())
    }
}

/// Another node of the cluster that takes the rooms of this one.
pub struct Home {
    mover: Mover,
    pub node: NodeId,
    pub url: String,
}

/// A server that stands still: its state is what another one goes on from.
pub struct Still {
    pub sockets: Sockets,
    /// A whole segment.
    pub state: Vec<u8>,
    /// The connections that stay open.
    pub connections: Vec<PassedSocket>,
    shards: Vec<JoinHandle<()>>,
    served: tokio::task::JoinHandle<()>,
}

impl Still {
    /// Waits until every client has seen its connection close.
    pub async fn end(self) {
        Still::end_all(self.shards, self.served).await;
    }

    async fn end_all(shards: Vec<JoinHandle<()>>, served: tokio::task::JoinHandle<()>) {
        let _ = served.await;
        let _ = tokio::task::spawn_blocking(move || join(shards)).await;
    }
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

    /// Resolves with a process that is ready to take over. Those that are not, or that cannot go on from here, are told why.
    pub async fn successor(&self) -> Successor {
        let Some(listener) = &self.successors.0 else { return std::future::pending().await };
        loop {
            let stream = match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a process that wants to take over cannot be heard");
                    tokio::time::sleep(DRAIN_LOOKS_EVERY).await;
                    continue;
                }
            };
            let (sockets, rules) = (self.sockets.again(), self.head.rules);
            let ready = tokio::task::spawn_blocking(move || {
                let successor = Successor::greet(stream)?;
                if let Some(why) = refusal::<G>(&successor.hello, rules) {
                    tracing::warn!(%why, "a process is not let take over");
                    successor.refuse(&why);
                    return Ok(None);
                }
                successor.offer(&sockets?)?;
                Ok::<_, std::io::Error>(Some(successor))
            });
            match ready.await {
                Ok(Ok(Some(successor))) => return successor,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a process that wanted to take over is gone; this server goes on");
                }
                Err(error) => tracing::error!(%error, "a process that wanted to take over cannot be served"),
            }
        }
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

    /// Another node of the cluster that takes the rooms of this one, which ends; `None` if nobody has a seat here, or no node takes them. From
    /// here on nobody is let in.
    pub async fn home(&self) -> Option<Home> {
        let app = &self.app;
        let (flags, peers) = (self.node.as_ref()?, app.lobby.peers.as_ref()?);
        app.rooms.drain();
        let played = |room: &Arc<RoomEntry>| room.status.unplayed_since.load(Ordering::Relaxed) == 0;
        let (rooms, players) =
            (app.rooms.all().into_iter().filter(played).count(), app.connections.load(Ordering::Relaxed));
        let homes = peers.homes(self.head.rules, app.lobby.context.clock.now());
        if rooms == 0 || homes.is_empty() {
            return None;
        }
        let mover = match Mover::connect(flags, app.game.name).await {
            Ok(mover) => mover,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the rooms cannot move to another node");
                return None;
            }
        };
        for (node, url) in homes {
            match mover.offer(node, (rooms, players, self.head.rules)).await {
                Ok(()) => return Some(Home { mover, node, url }),
                Err(why) => tracing::info!(node, why, "a node does not take the rooms of this one"),
            }
        }
        None
    }

    /// Moves the rooms to another node of the cluster, and sends everyone there, to the same seats. If that node fails, returns what this
    /// server goes on from.
    ///
    /// # Errors
    /// The other node does not have the rooms.
    pub async fn move_to(self, home: Home) -> Result<(), Still> {
        let Home { mover, node, url } = home;
        tracing::info!(node, url, "the rooms move to another node");
        let began = Instant::now();
        let config = self.app.config.clone();
        let still = self.stand_still().await;
        let moved = match mover.send(node, &still.state, Instant::now()).await {
            Ok(moved) => moved,
            Err(why) => {
                tracing::error!(node, why, "the rooms have not moved: this server goes on");
                return Err(still);
            }
        };
        checkpoints::remove(&config);
        if let Err(error) = mover.tell(node).await {
            tracing::warn!(error = format!("{error:#}"), "the other nodes are not told where the rooms are");
        }
        let stall_ms = began.elapsed().as_millis() as u64;
        tracing::info!(
            rooms = moved.rooms,
            seats = moved.seats,
            stall_ms,
            bytes = still.state.len(),
            "the rooms have moved"
        );
        let Still { connections, shards, served, .. } = still;
        passed::send_away(connections, &url).await;
        Still::end_all(shards, served).await;
        Ok(())
    }

    /// Closes every connection with "going away", ends the rooms, and returns when all threads have ended and every result is queued.
    pub async fn end(self) {
        self.end_and(true).await;
    }

    /// The same after a failure: the rooms are left to the server that is started next, which goes on from the checkpoints.
    pub async fn end_for_restart(self) {
        self.end_and(false).await;
    }

    async fn end_and(mut self, ends_rooms: bool) {
        let elsewhere = self.app.lobby.peers.as_ref().map(|peers| peers.open(self.app.lobby.context.clock.now()));
        let _ = self.ending.send(true);
        // First, so that no other node sends a player back.
        said_goodbye(self.cluster.take()).await;
        send_away(&self.app, &elsewhere.unwrap_or_default());
        self.close_all(CloseCode::GoingAway);
        let _ = self.served.await;
        let (app, threads, recordings, checkpoints) = (self.app, self.threads, self.recordings, self.checkpoints);
        app.rooms.end_threads();
        let wait = move || {
            join(threads.rooms);
            join(threads.shards);
            if ends_rooms || !app.lobby.context.checkpoints.is_open() {
                app.rooms.end_rooms();
                checkpoints.end();
            } else {
                checkpoints.leave();
            }
            // The rooms have ended, so nothing more is recorded.
            recordings.end();
        };
        let _ = tokio::task::spawn_blocking(wait).await;
        // The rooms have ended, so no result follows.
        self.kept.end().await;
    }

    /// Leaves every connection open that can be passed on, closes the others with "restarting", lets the rooms stand still as they are, and gives up the data folder. The sockets of
    /// clients close meanwhile.
    pub async fn stand_still(self) -> Still {
        self.lobby.sessions.keep_all();
        // Whoever comes back does not come back here.
        let _ = self.ending.send(true);
        until(|| self.app.standing_still.accepts_none.load(Ordering::Acquire)).await;
        self.close_all(CloseCode::Restarting);
        let (app, lobby) = (self.app, self.lobby);
        // Until then, clients may change something.
        let sockets = lobby.context.shards.len() - usize::from(app.config.bots > 0);
        shards_have_closed(&app, sockets).await;
        app.rooms.end_threads();
        let (threads, of) = (self.threads.rooms, Arc::clone(&lobby));
        let rooms = tokio::task::spawn_blocking(move || {
            join(threads);
            of.directory.save()
        });
        let rooms = rooms.await.unwrap_or_default();
        // What the rooms and other shards sent them comes before this.
        for inbox in &lobby.context.shards[..sockets] {
            inbox.send([ShardCommand::Shutdown(CloseCode::Restarting)]);
        }
        shards_have_closed(&app, 2 * sockets).await;
        // Its file has the name that the successor's gets.
        drop(self.token_file);
        let (head, recordings, checkpoints) = (self.head, self.recordings, self.checkpoints);
        let save = move || {
            let payloads = rooms.iter().map(|(id, payload)| (*id, &payload[..]));
            let state = segment::whole(&head, &recovery::save_lobby(&lobby), payloads);
            recordings.end();
            checkpoints.leave();
            state
        };
        let state = tokio::task::spawn_blocking(save).await.unwrap_or_default();
        // The next server has the same number.
        said_goodbye(self.cluster).await;
        // What rooms left while they were saved is on its way.
        self.kept.end().await;
        let connections = app.standing_still.passed.take();
        Still { sockets: self.sockets, state, connections, shards: self.threads.shards, served: self.served }
    }

    fn close_all(&self, code: CloseCode) {
        let _ = self.ending.send(true);
        for inbox in self.app.lobby.context.shards.iter() {
            inbox.send([ShardCommand::Shutdown(code)]);
        }
    }
}

/// Sends players to other nodes of the cluster, if there are any, each shard's to another one.
fn send_away(app: &App, nodes: &[String]) {
    for (inbox, url) in app.lobby.context.shards.iter().zip(nodes.iter().cycle()) {
        let redirect = ServerMsg::Redirect { url: url.clone(), join: None };
        inbox.send([ShardCommand::Tell(EncodedMessage::new(redirect))]);
    }
}

/// Waits until the other nodes of the cluster know that this one is gone, or until that takes too long.
async fn said_goodbye(cluster: Option<tokio::task::JoinHandle<()>>) {
    if let Some(cluster) = cluster {
        let _ = cluster.await;
    }
}

/// Waits until the shards have closed all connections, that many times in all.
async fn shards_have_closed(app: &App, count: usize) {
    until(|| app.standing_still.shards_closed.load(Ordering::Acquire) >= count).await;
}

/// Waits until something is so, at most [`CLOSED_WITHIN`].
async fn until(is_so: impl Fn() -> bool) {
    let latest = Instant::now() + CLOSED_WITHIN;
    while !is_so() && Instant::now() < latest {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Why a process cannot take over.
fn refusal<G: Game>(hello: &hand_over::Hello, rules: u64) -> Option<String> {
    if hello.game != G::NAME {
        return Some(format!("this server plays `{}`, and the other one `{}`", G::NAME, hello.game));
    }
    (hello.rules != rules && !hello.may_migrate).then(|| {
        format!(
            "the rules of this server are others ({rules:016x}, not {:016x}), so its worlds cannot go on; --allow-migration begins them anew with everyone in \
             their seats",
            hello.rules
        )
    })
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        let _ = thread.join();
    }
}
