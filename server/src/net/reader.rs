//! One connection's task: frames in, the session, the answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::limits::CLIENT_FRAME_MAX;
use broadside_shared::protocol::message::ServerMsg;
use broadside_shared::protocol::name::Name;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WsCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::conn::{Conn, ConnIo, Sent};
use crate::App;
use crate::driver::{Mail, RoomHandle, Seated};
use crate::session::{Session, SessionOutput};

/// Time a peer has to answer our close before the socket is dropped.
const CLOSING: Duration = Duration::from_secs(2);
/// What the kernel may hold of unsent bytes of one connection before the socket refuses more. A backstop: what a client has
/// not acknowledged is bounded before that.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 16 * 1024;
/// Send buffer of a socket. Linux doubles it for its own accounts.
const SEND_BUFFER: usize = 64 * 1024;

fn ws_config() -> WebSocketConfig {
    // The library's defaults are 128 KiB of read buffer per connection and messages of 64 MiB; ours are tens of bytes.
    WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(8 * 1024)
        .max_message_size(Some(CLIENT_FRAME_MAX))
        .max_frame_size(Some(CLIENT_FRAME_MAX))
}

fn set_options(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // Options are advice: a kernel that refuses one still works.
    let _ = stream.set_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
}

/// Serves an upgraded connection until it ends. `early` holds bytes that came right behind the handshake.
pub async fn run<G: Game>(app: Arc<App<G>>, stream: TcpStream, early: Bytes, peer: SocketAddr) {
    set_options(&stream);
    let conn = Arc::new(Conn::new(stream));
    let io = ConnIo(Arc::clone(&conn));
    let socket = WebSocketStream::from_partially_read(io, early.into(), Role::Server, Some(ws_config())).await;
    let mut reader =
        Reader { session: Session::new(app.clock.now()), app, conn, socket, peer, seat: None, closing: None };
    if reader.app.connections.load(Ordering::Acquire) > reader.app.config.max_connections {
        reader.session.handle_close(CloseCode::ServerFull);
        reader.drive().await;
    }
    reader.serve().await;
    reader.conn.end();
    if let Some((room, seated)) = reader.seat.take() {
        // A seat must not stay taken because a mailbox is full: wait for room in it, which a live room makes each tick.
        let mut mail = Mail::Leave(seated);
        while let Err(refused) = room.send(mail) {
            mail = refused;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if room.is_over() {
                return;
            }
        }
    }
}

struct Reader<G: Game> {
    app: Arc<App<G>>,
    conn: Arc<Conn>,
    socket: WebSocketStream<ConnIo>,
    session: Session<G>,
    peer: SocketAddr,
    seat: Option<(Arc<RoomHandle<G>>, Seated)>,
    closing: Option<CloseCode>,
}

impl<G: Game> Reader<G> {
    async fn serve(&mut self) {
        let conn = Arc::clone(&self.conn);
        let drain = conn.drain();
        tokio::pin!(drain);
        let mut ending = self.app.ending.clone();
        while self.closing.is_none() {
            let wake_at = self.session.poll_timeout().map(|at| self.app.clock.instant(at));
            let timer = tokio::time::sleep_until(wake_at.unwrap_or_else(std::time::Instant::now).into());
            tokio::select! {
                message = self.socket.next() => match message {
                    Some(Ok(message)) => self.handle_message(message),
                    Some(Err(error)) => if self.handle_error(&error) { return },
                    None => return,
                },
                error = &mut drain => {
                    tracing::debug!(peer = %self.peer, %error, "connection lost");
                    return;
                }
                code = conn.close_asked() => self.session.handle_close(code),
                () = crate::ended(&mut ending) => self.session.handle_close(CloseCode::GoingAway),
                () = timer => self.session.handle_timeout(self.app.clock.now()),
            }
            self.drive().await;
        }
        self.close(&mut drain).await;
    }

    fn handle_message(&mut self, message: Message) {
        let now = self.app.clock.now();
        match message {
            Message::Binary(frame) => {
                if let Some((room, _)) = &self.seat {
                    self.session.note_tick_us(room.figures.tick_us.load(Ordering::Relaxed));
                }
                self.session.handle_frame(now, &frame);
            }
            Message::Text(_) => self.session.handle_close(CloseCode::Unsupported),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => self.session.handle_alive(now),
            // The library answers it; the stream then ends.
            Message::Close(_) => {}
        }
    }

    /// True when nothing more can be done with the connection.
    fn handle_error(&mut self, error: &Error) -> bool {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                self.session.handle_close(CloseCode::TooBig);
                false
            }
            error => {
                tracing::debug!(peer = %self.peer, %error, "connection lost");
                true
            }
        }
    }

    /// Does what the session asks for.
    async fn drive(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(frame) => self.send(&frame),
                SessionOutput::Ping => {
                    // An empty ping; goes through the outbox like everything.
                    let _ = self.socket.send(Message::Ping(Bytes::new())).await;
                }
                SessionOutput::Join(name) => self.join(name).await,
                SessionOutput::Input(packet) => {
                    if let Some((room, seated)) = &self.seat {
                        let now = self.app.clock.now();
                        self.conn.ack(packet.acked, now);
                        // A full mailbox drops the input and counts it; the client hears of it as of any missing input.
                        let _ = room.send(Mail::Input(*seated, packet, now));
                    }
                }
                SessionOutput::Close(code) => self.closing = Some(code),
            }
        }
    }

    fn send(&mut self, frame: &[u8]) {
        if self.conn.send_control(frame) == Sent::Ended {
            self.session.handle_close(CloseCode::TooSlow);
        }
    }

    async fn join(&mut self, name: Name) {
        match seat(&self.app, &self.conn, name.clone()).await {
            Ok((room, seated)) => {
                tracing::info!(peer = %self.peer, player = %seated.player, name = name.as_str(), agent = self.session.agent(), "joined");
                let joined: ServerMsg = room.joined(seated);
                self.seat = Some((room, seated));
                self.session.handle_seated(&joined);
                // The answer is written before the sender may write the first snapshot.
                while let Some(output) = self.session.poll_output() {
                    match output {
                        SessionOutput::Send(frame) => self.send(&frame),
                        SessionOutput::Close(code) => self.closing = Some(code),
                        SessionOutput::Ping | SessionOutput::Join(_) | SessionOutput::Input(_) => {}
                    }
                }
                self.conn.go_live();
            }
            Err(code) => self.session.handle_close(code),
        }
    }

    /// Sends our close and waits a moment for the peer's.
    async fn close(&mut self, drain: &mut (impl Future<Output = std::io::Error> + Unpin)) {
        let code = self.closing.unwrap_or(CloseCode::Normal);
        tracing::debug!(peer = %self.peer, code = code.code(), reason = code.reason(), "closing");
        let frame = CloseFrame { code: WsCode::from(code.code()), reason: code.reason().into() };
        let socket = &mut self.socket;
        let goodbye = async {
            if socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = socket.next().await {}
            }
        };
        tokio::select! {
            () = goodbye => {}
            _ = drain => {}
            () = tokio::time::sleep(CLOSING) => {}
        }
    }
}

/// Asks a room for a seat.
async fn seat<G: Game>(app: &App<G>, conn: &Arc<Conn>, name: Name) -> Result<(Arc<RoomHandle<G>>, Seated), CloseCode> {
    let room = app.directory.for_quick_play().ok_or(CloseCode::RoomFailed)?;
    let (reply, answer) = tokio::sync::oneshot::channel();
    let mail = Mail::Join { name, conn: Arc::clone(conn), reply };
    room.send(mail).map_err(|_| CloseCode::RoomFull)?;
    match answer.await {
        Ok(Ok(seated)) => Ok((room, seated)),
        Ok(Err(full)) => {
            tracing::debug!(%full, "join refused");
            Err(CloseCode::RoomFull)
        }
        Err(_) => Err(CloseCode::RoomFailed),
    }
}
