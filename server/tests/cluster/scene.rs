//! Fixtures: nodes in this process with a NATS server and a PostgreSQL server of their own, and clients that send one message at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use broadside_bots::socket::{Socket, Target, connect};
use broadside_server::app::App;
use broadside_server::config::Config;
use broadside_server::config::DatabaseUrl;
use broadside_server::config::cluster::{ClusterFlags, EngineUrl};
use broadside_server::{Running, StartError, start};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::codec::{decode_server, encode_client};
use broadside_shared::protocol::message::{ClientMsg, Outcome, Publication, Request, Resume, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::{FrameKind, REVISION};
use broadside_shared::time::Tick;
use broadside_shared::toy::Toy;
use broadside_store::testing::TestPostgres;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::nats::Nats;

/// Timeout of every wait: far more than a busy machine needs, since only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Interval of polling where there is no event to wait for.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits for `future`.
///
/// # Panics
/// After [`PATIENCE`], with `what` was awaited.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} s in vain for {what}", PATIENCE.as_secs()),
    }
}

/// Polls until a condition holds.
pub(crate) async fn look_until(what: &str, is_wanted: impl Fn() -> bool) {
    within(what, async {
        while !is_wanted() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

/// What a node answers to a GET, in JSON.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer)).await.expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// What the nodes of a test share.
pub(crate) struct Cluster {
    pub(crate) nats: Nats,
    _postgres: TestPostgres,
    database: String,
    folder: PathBuf,
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        let (nats, postgres) = (Nats::start(), TestPostgres::start());
        let database = postgres.database("game");
        let folder =
            std::env::temp_dir().join(format!("broadside-cluster-{}-{:x}", std::process::id(), fastrand::u32(..)));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        std::fs::write(folder.join("index.html"), "<!doctype html>").expect("the folder takes a file");
        std::fs::write(folder.join("key"), "0123456789abcdef0123456789abcdef\n").expect("the folder takes a file");
        Cluster { nats, _postgres: postgres, database, folder }
    }

    /// The flags of a node that reaches the engine at this address.
    pub(crate) fn config(&self, node: u16, engine: &str) -> Config {
        let cluster = ClusterFlags {
            cluster: vec![EngineUrl(engine.to_owned())],
            node_url: Some(url_of(node)),
            node_id: Some(node),
            cluster_key: Some(self.folder.join("key")),
            ..ClusterFlags::default()
        };
        let database = Some(DatabaseUrl(self.database.clone()));
        let assets = Some(self.folder.clone());
        let limit_exempt = vec!["127.0.0.0/8".parse().expect("a network")];
        Config { port: 0, bots: 0, assets, database, cluster, limit_exempt, ..Config::default() }
    }

    /// A node that is connected to the engine.
    pub(crate) async fn node(&self, node: u16) -> Node {
        self.node_at(node, &self.nats.url()).await
    }

    /// The same through another address.
    pub(crate) async fn node_at(&self, node: u16, engine: &str) -> Node {
        Node(start_node(self.config(node, engine)).await.expect("it starts"))
    }
}

/// Starts a node.
pub(crate) async fn start_node(config: Config) -> Result<Running<Toy>, StartError> {
    start::<Toy>(config, ()).await
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where players are told that a node is: names that are never resolved.
pub(crate) fn url_of(node: u16) -> String {
    format!("ws://n{node}.example")
}

/// A node of the cluster.
pub(crate) struct Node(pub(crate) Running<Toy>);

impl Node {
    pub(crate) fn app(&self) -> &App {
        self.0.app()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The other nodes that it knows to be there.
    pub(crate) fn others(&self) -> Vec<u16> {
        let (peers, now) = (self.app().lobby.peers.as_ref().expect("a node"), self.app().lobby.context.clock.now());
        peers.view().nodes(now).map(|known| known.record.node).collect()
    }

    /// The public rooms of others that it shows.
    pub(crate) fn rooms_elsewhere(&self) -> Vec<RoomId> {
        let (peers, now) = (self.app().lobby.peers.as_ref().expect("a node"), self.app().lobby.context.clock.now());
        peers.view().rooms(now).map(|(room, _)| room).collect()
    }

    /// Its own rooms.
    pub(crate) fn rooms(&self) -> Vec<RoomId> {
        self.app().rooms.all().iter().map(|room| room.id()).collect()
    }

    /// Waits until it sees these nodes and as many rooms of theirs.
    pub(crate) async fn sees(&self, nodes: &[u16], rooms: usize) {
        let what = format!("nodes {nodes:?} with {rooms} rooms");
        look_until(&what, || self.others() == nodes && self.rooms_elsewhere().len() == rooms).await;
    }

    pub(crate) async fn end(self) {
        within("the end of a node", self.0.end()).await;
    }
}

/// A client that sends one message at a time.
pub(crate) struct Puppet {
    socket: Socket,
    requests: u32,
}

impl Puppet {
    /// Connects and says hello, with the token of an earlier session if there is one.
    pub(crate) async fn hello(address: SocketAddr, token: Option<Token>) -> Puppet {
        Puppet::hello_as(address, token, None).await
    }

    async fn hello_as(address: SocketAddr, token: Option<Token>, account: Option<AccountToken>) -> Puppet {
        let target = Target::parse(&format!("ws://{address}/ws")).expect("a fine address");
        let mut puppet = Puppet { socket: connect(&target).await.expect("the node lets us in"), requests: 0 };
        let resume = token.map(|token| Resume { token, have: Tick(0), cells: Vec::new() });
        puppet.say(&ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume, account }).await;
        puppet
    }

    /// Connects with an account and takes a seat. Gives the room.
    pub(crate) async fn seated_as(address: SocketAddr, name: &str, account: AccountToken) -> (Puppet, RoomId) {
        let mut puppet = Puppet::hello_as(address, None, Some(account)).await;
        match puppet.hear().await {
            ServerMsg::Welcome { account: Some(_), .. } => {}
            other => panic!("a welcome with the account was due, not {other:?}"),
        }
        puppet.join(name, RoomChoice::Quick).await;
        let room = puppet.seat().await;
        (puppet, room)
    }

    /// Connects, and is welcomed in a new session.
    pub(crate) async fn welcomed(address: SocketAddr) -> (Puppet, Token) {
        let mut puppet = Puppet::hello(address, None).await;
        match puppet.hear().await {
            ServerMsg::Welcome { token, resumed: false, .. } => (puppet, token),
            other => panic!("a welcome was due, not {other:?}"),
        }
    }

    /// Connects under a name and asks for a room.
    pub(crate) async fn joining(address: SocketAddr, name: &str, room: RoomChoice) -> (Puppet, Token) {
        let (mut puppet, token) = Puppet::welcomed(address).await;
        puppet.join(name, room).await;
        (puppet, token)
    }

    /// The same, until it has a seat. Gives the token and the room.
    pub(crate) async fn seated(address: SocketAddr, name: &str, room: RoomChoice) -> (Puppet, Token, RoomId) {
        let (mut puppet, token) = Puppet::joining(address, name, room).await;
        let room = puppet.seat().await;
        (puppet, token, room)
    }

    pub(crate) async fn join(&mut self, name: &str, room: RoomChoice) {
        self.say(&ClientMsg::Join { name: Name::new(name).expect("a fine name"), room, role: Role::Play }).await;
    }

    pub(crate) async fn say(&mut self, msg: &ClientMsg) {
        let frame = Message::Binary(encode_client(msg).into());
        within("the node to take a message", self.socket.send(frame)).await.expect("the node stays");
    }

    /// The next control message but those that tell of other nodes.
    pub(crate) async fn hear(&mut self) -> ServerMsg {
        loop {
            match self.hear_any().await {
                ServerMsg::Nodes { .. } => {}
                other => return other,
            }
        }
    }

    async fn hear_any(&mut self) -> ServerMsg {
        loop {
            match within("a frame", self.socket.next()).await {
                Some(Ok(Message::Binary(frame))) => {
                    if let Ok((FrameKind::Control, rest)) = FrameKind::split(&frame) {
                        return decode_server(rest).expect("our own message");
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a frame was due, not {other:?}"),
            }
        }
    }

    /// The nodes that it is told of next.
    pub(crate) async fn nodes(&mut self) -> Vec<String> {
        loop {
            if let ServerMsg::Nodes { urls } = self.hear_any().await {
                return urls;
            }
        }
    }

    /// The room of the seat that it is given.
    pub(crate) async fn seat(&mut self) -> RoomId {
        loop {
            match self.hear().await {
                ServerMsg::Joined { room, .. } => return room,
                ServerMsg::Queued { .. } => {}
                other => panic!("a seat was due, not {other:?}"),
            }
        }
    }

    /// Where it is sent, with what to ask for; closed behind that.
    pub(crate) async fn redirect(&mut self) -> (String, Option<RoomChoice>) {
        let to = match self.hear().await {
            ServerMsg::Redirect { url, join } => (url, join),
            other => panic!("a redirect was due, not {other:?}"),
        };
        match within("a close", self.socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1012),
            other => panic!("a close was due, not {other:?}"),
        }
        to
    }

    /// Connects with the token of a session that has a seat. Gives the room.
    pub(crate) async fn resumed(address: SocketAddr, token: Token) -> (Puppet, RoomId) {
        let mut puppet = Puppet::hello(address, Some(token)).await;
        match puppet.hear().await {
            ServerMsg::Welcome { resumed: true, .. } => {}
            other => panic!("the seat was due, not {other:?}"),
        }
        let room = puppet.seat().await;
        (puppet, room)
    }

    /// Where it is sent by a node that ends.
    pub(crate) async fn redirect_when_it_ends(&mut self) -> (String, Option<RoomChoice>) {
        self.redirect_with(1001).await
    }

    /// Where it is sent, with this close code some time later.
    pub(crate) async fn redirect_with(&mut self, code: u16) -> (String, Option<RoomChoice>) {
        let to = match self.hear().await {
            ServerMsg::Redirect { url, join } => (url, join),
            other => panic!("a redirect was due, not {other:?}"),
        };
        assert_eq!(self.closed().await, code);
        to
    }

    /// The code that it is closed with.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match within("a close", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("a close was due, not {other:?}"),
            }
        }
    }

    /// The outcome of a request.
    pub(crate) async fn request(&mut self, request: Request) -> Outcome {
        self.requests += 1;
        self.say(&ClientMsg::Request { id: self.requests, request }).await;
        loop {
            if let ServerMsg::Reply { id, outcome } = self.hear().await
                && id == self.requests
            {
                return outcome;
            }
        }
    }

    pub(crate) async fn subscribe(&mut self, topic: &str) {
        assert_eq!(self.request(Request::Subscribe { topic: topic.to_owned() }).await, Outcome::Done);
    }

    /// The next publication.
    pub(crate) async fn publication(&mut self) -> Publication {
        loop {
            if let ServerMsg::Published { publication, .. } = self.hear().await {
                return publication;
            }
        }
    }
}
