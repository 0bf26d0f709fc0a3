//! One connection on its shard: the socket, the session that judges what comes, and where in the rooms it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{RoomChoice, RoomId};
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;
use tokio_tungstenite::tungstenite::Message;

use super::conn::{Conn, HEADER_MAX, Heard, Sent};
use super::fanout::header_bytes;
use super::listener::Guard;
use super::shard::{Shares, Tally};
use crate::App;
use crate::driver::{Asking, Mail, PeerRef, RoomHandle, Seated};
use crate::metrics::labels::{ByteClass, JoinResult};
use crate::session::{Session, SessionOutput};

/// Messages taken from one connection in one look: what a line that stood still delivers takes a few looks, and who floods us does not
/// keep the others waiting.
const HEARD_AT_ONCE: usize = 128;
/// Time a peer has to answer our close before the socket is dropped, in microseconds.
const CLOSING_US: u64 = 2_000_000;

/// One connection.
pub struct Peer<G: Game> {
    /// The socket.
    pub conn: Conn,
    session: Session<G>,
    place: Place<G>,
    /// The room was told, and this is when to drop the socket.
    drop_at: Option<MonoTime>,
    me: PeerRef,
    address: SocketAddr,
    /// Keeps its place in the count of open connections.
    _guard: Option<Arc<Guard<G>>>,
}

/// Where in the rooms a connection is.
enum Place<G: Game> {
    Nowhere,
    InLine(Arc<RoomHandle<G>>),
    Seated(RoomId, Seated),
}

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// It does.
    On,
    /// It does, and there may be more to hear: look again, for the kernel will not say so twice.
    More,
    /// Nothing more can be done with it: drop it.
    Over,
}

impl<G: Game> Peer<G> {
    /// A connection that was opened at `now`.
    pub fn new(conn: Conn, me: PeerRef, address: SocketAddr, guard: Option<Arc<Guard<G>>>, now: MonoTime) -> Self {
        Peer { conn, session: Session::new(now), place: Place::Nowhere, drop_at: None, me, address, _guard: guard }
    }

    /// What the rooms know it by.
    #[must_use]
    pub fn me(&self) -> PeerRef {
        self.me
    }

    /// The socket has something.
    pub fn handle_readable(&mut self, app: &App<G>, shares: &mut Shares<G>, tally: &mut Tally) -> Going {
        for _ in 0..HEARD_AT_ONCE {
            match self.conn.hear() {
                Heard::Message(message) => self.handle_message(message, app, shares, tally),
                Heard::TooLong => self.session.handle_close(CloseCode::TooBig),
                Heard::Noise => {}
                Heard::Nothing => return self.going(),
                Heard::Ended => return Going::Over,
            }
            self.drive(app, shares, tally);
        }
        Going::More
    }

    /// The socket may take more.
    pub fn handle_writable(&mut self) -> Going {
        if self.conn.is_free() {
            return Going::On;
        }
        match self.conn.flush() {
            Sent::Written => Going::On,
            Sent::Ended => Going::Over,
        }
    }

    /// Time has passed.
    pub fn handle_time(&mut self, app: &App<G>, shares: &mut Shares<G>, tally: &mut Tally) -> Going {
        let now = app.clock.now();
        if self.drop_at.is_some_and(|at| at <= now) {
            return Going::Over;
        }
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
            self.drive(app, shares, tally);
        }
        self.going()
    }

    /// It is to be closed, for a reason that is not its own.
    pub fn close(&mut self, code: CloseCode, app: &App<G>, shares: &mut Shares<G>, tally: &mut Tally) {
        self.session.handle_close(code);
        self.drive(app, shares, tally);
    }

    /// The room gave a seat.
    pub fn handle_seated(
        &mut self,
        room: &RoomHandle<G>,
        seated: Seated,
        app: &App<G>,
        shares: &mut Shares<G>,
        tally: &mut Tally,
    ) {
        tracing::info!(address = %self.address, room = %room.id, player = %seated.player, agent = self.session.agent(), "joined");
        self.place = Place::Seated(room.id, seated);
        // The answer is written before the first snapshot: both go out on this thread.
        self.session.handle_seated(&room.joined(seated));
        self.drive(app, shares, tally);
    }

    /// The room keeps it in line.
    pub fn handle_waiting(&mut self, place: u32, app: &App<G>, shares: &mut Shares<G>, tally: &mut Tally) {
        self.session.handle_waiting(place);
        self.drive(app, shares, tally);
    }

    /// Gives up what it holds in the rooms. Call it before it is dropped.
    pub fn leave(&mut self, shares: &mut Shares<G>) {
        match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Nowhere => {}
            Place::InLine(room) => room.send(Mail::Gone(self.me)),
            Place::Seated(room, seated) => {
                if let Some(share) = shares.get_mut(&room) {
                    share.unseat(seated.player);
                    // After what it said last.
                    share.post();
                    share.room().send(Mail::Leave(seated));
                }
            }
        }
    }

    /// Whether it was told why it ends.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.drop_at.is_some()
    }

    /// The room is gone: there is nothing to give up.
    pub fn forget_room(&mut self) {
        self.place = Place::Nowhere;
    }

    fn going(&self) -> Going {
        if self.conn.is_over() { Going::Over } else { Going::On }
    }

    fn handle_message(&mut self, message: Message, app: &App<G>, shares: &Shares<G>, tally: &mut Tally) {
        let now = app.clock.now();
        tally.frames_in += 1;
        match message {
            Message::Binary(frame) => {
                if let Place::Seated(room, _) = &self.place
                    && let Some(share) = shares.get(room)
                {
                    self.session.note_tick_us(share.room().figures.tick_us.load(Ordering::Relaxed));
                }
                self.session.handle_frame(now, &frame);
            }
            Message::Text(_) => self.session.handle_close(CloseCode::Unsupported),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => self.session.handle_alive(now),
            // The library answers it; the stream then ends.
            Message::Close(_) => {}
        }
    }

    /// Does what the session asks for.
    fn drive(&mut self, app: &App<G>, shares: &mut Shares<G>, tally: &mut Tally) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(payload) => self.send(&payload, app),
                SessionOutput::Ping => self.conn.send_ping(),
                SessionOutput::Join(name, choice) => self.join(name, choice, app),
                SessionOutput::Input(packet) => {
                    if let Place::Seated(room, seated) = &self.place
                        && let Some(share) = shares.get_mut(room)
                    {
                        tally.inputs += packet.samples.len() as u64;
                        share.input(*seated, packet, app.clock.now());
                    }
                }
                SessionOutput::Close(code) => {
                    tracing::debug!(address = %self.address, code = code.code(), reason = code.reason(), "closing");
                    app.metrics.closed(code);
                    self.leave(shares);
                    self.conn.send_close(code);
                    self.drop_at = Some(app.clock.now().plus_us(CLOSING_US));
                }
            }
        }
    }

    fn send(&mut self, payload: &[u8], app: &App<G>) {
        let mut frame = vec![0; HEADER_MAX];
        frame.extend_from_slice(payload);
        if self.conn.send_framed(&mut frame) == Sent::Ended {
            // The end of the socket is noticed by whoever called; a backlog is the only case that has a code.
            self.session.handle_close(CloseCode::TooSlow);
            return;
        }
        app.metrics.bytes_out.of(ByteClass::Control).inc_by(payload.len() as u64);
        app.metrics.bytes_out.of(ByteClass::WsHeaders).inc_by(header_bytes(payload.len()));
    }

    fn join(&mut self, name: Name, choice: RoomChoice, app: &App<G>) {
        let room = match choice {
            RoomChoice::Quick => app.directory.for_quick_play().ok_or(CloseCode::RoomFailed),
            RoomChoice::Room(id) => app.directory.get(id).ok_or(CloseCode::NoSuchRoom),
        };
        match room {
            Ok(room) => {
                room.send(Mail::Join(Asking { name, peer: self.me }));
                self.place = Place::InLine(room);
            }
            Err(code) => {
                app.metrics.joins.of(JoinResult::Refused).inc();
                self.session.handle_close(code);
            }
        }
    }
}
