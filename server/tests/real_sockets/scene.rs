//! Fixtures: a server on a free port, players, and bare sockets that send one message at a time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ::http::HeaderValue;
use broadside_bots::player::{self, Progress};
use broadside_bots::socket::{Socket, Stream, Target, connect};
use broadside_bots::tls_verification::TlsVerification;
use broadside_server::config::Config;
use broadside_server::lobby::ServerLobby;
use broadside_server::metrics::Metrics;
use broadside_server::net::self_signed::CERT_FILE;
use broadside_server::recordings::Shelf;
use broadside_server::rooms::handle::RoomHandle;
use broadside_server::{Running, start};
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail};
use broadside_shared::game::{Bot, Game};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::codec::{decode_server, encode_client};
use broadside_shared::protocol::message::{ClientMsg, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::{FrameKind, REVISION, SUBPROTOCOL};
use broadside_shared::time::MonoTime;
use broadside_shared::toy::{Push, Toy};
use broadside_store::Store;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::http;

pub(crate) type Player = player::Player<Toy>;

/// Timeout of every wait: far more than a busy machine needs, since only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Interval of polling where there is no event to wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

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

/// A temporary folder, removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// A new empty folder.
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("broadside-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the system has a temporary folder");
        Folder(path)
    }

    /// Writes a file into the folder.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).expect("the temporary folder takes a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server with a page of its own.
pub(crate) struct Server {
    running: Running<Toy>,
    /// The files it serves.
    pub(crate) folder: Folder,
    /// The folder of its certificate, with TLS.
    pub(crate) tls: Option<Folder>,
}

impl Server {
    /// A server with default flags, except for the port.
    pub(crate) async fn start() -> Server {
        Server::start_with(|_| {}).await
    }

    /// A server with TLS and a self-signed certificate.
    pub(crate) async fn start_secure() -> Server {
        Server::start_secure_with(|_| {}).await
    }

    /// The same with some flags.
    pub(crate) async fn start_secure_with(change: impl FnOnce(&mut Config)) -> Server {
        let tls = Folder::new();
        let with_tls = |config: &mut Config| {
            config.tls_self_signed = Some(tls.0.clone());
            change(config);
        };
        let server = Server::start_with(with_tls).await;
        Server { tls: Some(tls), ..server }
    }

    /// A server with some flags.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Server {
        let folder = Folder::new();
        folder.put("index.html", b"<!doctype html><title>test</title>");
        let mut config =
            Config { port: 0, assets: Some(folder.0.clone()), seed: Some(7), bots: 0, ..Config::default() };
        config.limit_exempt = vec!["127.0.0.0/8".parse().expect("a network")];
        change(&mut config);
        let running = start::<Toy>(config, ()).await.expect("the system gives a free port");
        Server { running, folder, tls: None }
    }

    /// Its metrics.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.running.app().metrics
    }

    /// Its recordings.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.running.app().shelf
    }

    /// Its database.
    pub(crate) fn store(&self) -> &Store {
        &self.running.app().store
    }

    /// Its rooms and sessions.
    pub(crate) fn lobby(&self) -> &ServerLobby<Toy> {
        self.running.lobby()
    }

    /// One of its rooms.
    pub(crate) fn room_handle(&self, id: RoomId) -> Arc<RoomHandle<Toy>> {
        self.lobby().directory.get(id).expect("the room is open")
    }

    /// The `authorization` header of the operator's calls.
    pub(crate) fn operator(&self) -> String {
        let token = std::fs::read_to_string(self.token_file()).expect("it can be read");
        format!("Bearer {}", token.trim())
    }

    /// Path of the operator's token file.
    pub(crate) fn token_file(&self) -> &Path {
        self.running.token_file().expect("the server leaves its token")
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Address of the port that redirects to https.
    pub(crate) fn redirect(&self) -> SocketAddr {
        self.running.redirect.expect("--redirect-http was given")
    }

    /// URL of its WebSocket.
    pub(crate) fn target(&self) -> Target {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let target = Target::parse(&format!("{scheme}://{}/ws", self.address())).expect("a fine address");
        target.with_tls_verification(&self.trust()).expect("its certificate is there")
    }

    /// TLS verification that accepts only its certificate.
    fn trust(&self) -> TlsVerification {
        TlsVerification { ca: self.tls.as_ref().map(|folder| folder.0.join(CERT_FILE)), insecure: false }
    }

    /// A silent connection.
    pub(crate) async fn stream(&self) -> Stream {
        let stream = TcpStream::connect(self.address()).await.expect("the server listens");
        if self.tls.is_some() { Box::new(self.secure(stream).await) } else { Box::new(stream) }
    }

    /// Performs the TLS handshake.
    pub(crate) async fn secure(&self, stream: TcpStream) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(self.trust().config().expect("its certificate is there"));
        let name = ServerName::from(self.address().ip());
        within("a TLS handshake", connector.connect(name, stream)).await.expect("the server speaks TLS")
    }

    /// The API view of its only room.
    pub(crate) async fn room(&self) -> Value {
        let request = http::request("localhost", "GET", "/api/rooms", &[("connection", "close")]);
        let reply = http::ask_over(self.stream().await, &request).await;
        let rooms: Value = serde_json::from_slice(&reply.body).expect("the list of rooms is JSON");
        rooms[0].clone()
    }

    /// Polls the room until a value is as expected.
    pub(crate) async fn until(&self, figure: &str, wanted: impl Fn(u64) -> bool) {
        within(&format!("{figure} in /api/rooms"), async {
            while !self.room().await[figure].as_u64().is_some_and(&wanted) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await;
    }

    /// Lets nobody in, and waits for matches.
    pub(crate) async fn drain(&self) {
        self.running.drain().await;
    }

    /// Whether nobody is let in any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.running.app().rooms.is_draining()
    }

    /// Ends the server.
    pub(crate) async fn end(self) {
        within("the server's end", self.running.end()).await;
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

/// The same with a condition that has to be asked for.
pub(crate) async fn look_until_async(what: &str, is_wanted: impl AsyncFn() -> bool) {
    within(what, async {
        while !is_wanted().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

fn client_config(name: &str) -> ClientConfig {
    let name = Name::new(name).expect("a fine name");
    ClientConfig {
        name,
        agent: "test".to_owned(),
        room: Some(RoomChoice::Quick),
        role: Role::Play,
        detail: Detail::Replica,
    }
}

/// A player with the cheap AI.
pub(crate) async fn player(server: &Server, name: &str) -> Player {
    let bot = <<Toy as Game>::Bot as Bot<Toy>>::cheap(1);
    Player::connect(&server.target(), client_config(name), bot).await.expect("the server lets us in")
}

/// Lets a player play until a condition holds.
pub(crate) async fn play_until(player: &mut Player, what: &str, mut enough: impl FnMut(&Player, Progress) -> bool) {
    within(what, async {
        loop {
            let progress = player.step(Instant::now() + Duration::from_millis(16)).await.expect("the server stays");
            player.act().await.expect("the server stays");
            if enough(player, progress) {
                return;
            }
        }
    })
    .await;
}

/// A player whose every input the test decides.
pub(crate) struct Puppet {
    socket: Socket,
    /// Its client state.
    pub(crate) client: Client<Toy>,
    began: Instant,
}

impl Puppet {
    /// Connects and says hello.
    pub(crate) async fn connect(server: &Server, name: &str) -> Puppet {
        let mut client = Client::new(client_config(name));
        client.handle_open(MonoTime(0));
        Puppet { socket: bare(server).await, client, began: Instant::now() }
    }

    /// Connects and joins this room.
    pub(crate) async fn join(server: &Server, name: &str, room: RoomChoice, role: Role) -> Puppet {
        let mut client = Client::new(ClientConfig { room: Some(room), role, ..client_config(name) });
        client.handle_open(MonoTime(0));
        Puppet { socket: bare(server).await, client, began: Instant::now() }
    }

    /// Connects and says hello with an account.
    pub(crate) async fn connect_as(server: &Server, name: &str, account: AccountToken) -> Puppet {
        let mut client = Client::new(client_config(name));
        client.set_account(Some(account));
        client.handle_open(MonoTime(0));
        Puppet { socket: bare(server).await, client, began: Instant::now() }
    }

    /// Resumes as a reloaded page does: with nothing but a token.
    pub(crate) async fn with_token(server: &Server, name: &str, token: Token) -> Puppet {
        let mut client = Client::new(client_config(name));
        client.set_token(token);
        client.handle_open(MonoTime(0));
        Puppet { socket: bare(server).await, client, began: Instant::now() }
    }

    /// Its socket, to see what comes without a client.
    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Continues over another socket.
    pub(crate) async fn reconnect(&mut self, server: &Server) {
        self.socket = bare(server).await;
        let now = self.now();
        self.client.handle_open(now);
    }

    /// Idles until something happens.
    pub(crate) async fn until(&mut self, what: &str, mut happens: impl FnMut(&ClientEvent<Toy>) -> bool) {
        within(what, async {
            loop {
                while let Some(event) = self.client.poll_event() {
                    if happens(&event) {
                        return;
                    }
                }
                self.step(|_| Push::default()).await;
            }
        })
        .await;
    }

    /// Its own clock.
    pub(crate) fn now(&self) -> MonoTime {
        MonoTime(self.began.elapsed().as_micros() as u64)
    }

    /// Receives a frame if one arrives soon, then runs the due ticks with the inputs of `decide`.
    pub(crate) async fn step(&mut self, decide: impl Fn(&Client<Toy>) -> Push) {
        let soon = tokio::time::timeout(Duration::from_millis(8), next_frame(&mut self.socket)).await;
        let now = MonoTime(self.began.elapsed().as_micros() as u64);
        if let Ok(frame) = soon {
            self.client.handle_frame(now, &frame).expect("the server makes sense");
        }
        let input = decide(&self.client);
        self.client.advance(now, &input);
        while let Some(frame) = self.client.poll_frame() {
            self.socket.send(Message::Binary(frame.into())).await.expect("the server stays");
        }
    }
}

/// A silent WebSocket.
pub(crate) async fn bare(server: &Server) -> Socket {
    connect(&server.target()).await.expect("the server lets us in")
}

/// As [`bare`], with a tiny receive window: unread bytes stay in the server. The recorded handshake that it may request is 7 KiB
/// long.
pub(crate) async fn bare_with_a_small_window(server: &Server) -> Socket {
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    // Before connecting: an advertised window cannot shrink.
    socket.set_recv_buffer_size(4 * 1024).expect("an option of every system");
    let stream = socket.connect(server.address()).await.expect("the server listens");
    let stream: Stream = if server.tls.is_some() { Box::new(server.secure(stream).await) } else { Box::new(stream) };
    let mut request = format!("{}?wire=1", server.target()).into_client_request().expect("a fine address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    for _ in 0..28 {
        request.headers_mut().append("x-long", HeaderValue::from_str(&"x".repeat(250)).expect("a fine value"));
    }
    tokio_tungstenite::client_async(request, stream).await.expect("the server lets us in").0
}

/// Sends a control message.
pub(crate) async fn say(socket: &mut Socket, msg: &ClientMsg) {
    let frame = Message::Binary(encode_client(msg).into());
    within("the server to take a message", socket.send(frame)).await.expect("the server stays");
}

/// The next frame of any kind.
pub(crate) async fn next_frame(socket: &mut Socket) -> Vec<u8> {
    within("a frame", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Binary(frame))) => return frame.into(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("a binary frame was due, not {other:?}"),
            }
        }
    })
    .await
}

/// The next control message; earlier frames are skipped.
pub(crate) async fn hear(socket: &mut Socket) -> ServerMsg {
    loop {
        let frame = next_frame(socket).await;
        if let Ok((FrameKind::Control, rest)) = FrameKind::split(&frame) {
            return decode_server(rest).expect("our own message");
        }
    }
}

/// Sends hello and receives the welcome; returns the session's token.
pub(crate) async fn greet(socket: &mut Socket) -> Token {
    say(socket, &ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None }).await;
    match hear(socket).await {
        ServerMsg::Welcome { revision: REVISION, token, resumed: false, .. } => token,
        other => panic!("a welcome was due, not {other:?}"),
    }
}

/// Sends hello; returns true for a welcome and false for a close.
pub(crate) async fn is_let_in(socket: &mut Socket) -> bool {
    let hello = ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None };
    // A server that closes at once may no longer accept the hello.
    let _ = socket.send(Message::Binary(encode_client(&hello).into())).await;
    matches!(within("an answer to the hello", socket.next()).await, Some(Ok(Message::Binary(_))))
}

/// Sends hello and joins; returns the session's token.
pub(crate) async fn ask(socket: &mut Socket, name: &str, room: RoomChoice) -> Token {
    let token = greet(socket).await;
    say(socket, &ClientMsg::Join { name: Name::new(name).expect("a fine name"), room, role: Role::Play }).await;
    token
}

/// Waits until something other than a queue position arrives.
pub(crate) async fn seat_of(socket: &mut Socket) -> ServerMsg {
    loop {
        match hear(socket).await {
            ServerMsg::Queued { .. } => {}
            other => return other,
        }
    }
}

/// Sends hello, joins and waits for the seat.
pub(crate) async fn sit(socket: &mut Socket, name: &str) -> ServerMsg {
    ask(socket, name, RoomChoice::Quick).await;
    let joined = hear(socket).await;
    assert!(matches!(joined, ServerMsg::Joined { .. }), "{joined:?}");
    joined
}

/// Code and reason of the server's close; earlier frames are skipped. Answers the close and waits for the end.
pub(crate) async fn close_of(socket: &mut Socket) -> (u16, String) {
    within("a close", async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    while let Some(Ok(_)) = socket.next().await {}
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => panic!("closed without a code"),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("a close was due, not {error}"),
                None => panic!("the connection ended without a close"),
            }
        }
    })
    .await
}
