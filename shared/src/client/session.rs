//! The client's session with a server: welcome, token, seat, clock and requests. It outlives a lost socket.

use super::clock::Clock;
use super::nodes::Arrival;
use super::output::Output;
use super::requests::{Answer, Requests};
use super::{ClientConfig, ClientEvent, Detail, Phase};
use crate::game::Game;
use crate::ids::{AccountId, PlayerId, RoomId};
use crate::protocol::REVISION;
use crate::protocol::message::{ClientMsg, Request, Resume};
use crate::protocol::room::{ModeId, Role, RoomChoice};
use crate::protocol::token::{AccountToken, Token};
use crate::time::MonoTime;

pub(super) struct Session {
    /// The name and the room are the current ones, not those the client started with.
    pub(super) config: ClientConfig,
    pub(super) phase: Phase,
    pub(super) seat: Option<Seat>,
    /// Position in the join queue, from 1; `None` outside it.
    pub(super) queue_position: Option<u32>,
    pub(super) token: Option<Token>,
    /// The account to play for.
    pub(super) account: Option<AccountToken>,
    /// As the last welcome said.
    pub(super) account_in_use: Option<AccountId>,
    /// Another room or the lobby was requested, and the server has not confirmed it yet.
    pub(super) move_pending: bool,
    /// Joins sent over this connection and not answered, as far as can be told: a later join may take the answer of an earlier one away.
    /// While there is one, the known world may belong to another seat.
    pub(super) joins_unanswered: u32,
    /// Where the server has sent the client, until that is taken.
    pub(super) redirect: Option<String>,
    /// What to ask for there, instead of the configured room.
    pub(super) redirect_join: Option<RoomChoice>,
    /// What the next join asks for instead of the configured room.
    join_once: Option<RoomChoice>,
    /// The other nodes of the cluster as the server last listed them, until they are taken.
    pub(super) nodes: Option<Vec<String>>,
    /// The welcome gave an earlier seat back; the message that names it is still to come.
    pub(super) resuming: bool,
    pub(super) clock: Clock,
    requests: Requests,
    next_ping_at: MonoTime,
    /// Pings sent over this socket.
    pings: u32,
    /// Over this connection, snapshots are no longer read to their end.
    reads_heads: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) room: RoomId,
    pub(super) player: PlayerId,
    pub(super) mode: ModeId,
    pub(super) role: Role,
    pub(super) tick_hz: u32,
    pub(super) snapshot_every: u32,
    pub(super) tick_zero: MonoTime,
}

/// One moment, by the client's clock and in ticks of the room it is seated in.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoomTime {
    pub(super) seat: Seat,
    pub(super) now: MonoTime,
    /// The server's estimated tick at `now`, with a fraction.
    pub(super) server_tick: f64,
}

impl RoomTime {
    /// The length of `ticks` in milliseconds.
    pub(super) fn ms(&self, ticks: f64) -> f64 {
        ticks * 1000.0 / f64::from(self.seat.tick_hz)
    }
}

impl Session {
    pub(super) fn new(config: ClientConfig) -> Self {
        Session {
            config,
            phase: Phase::Greeting,
            seat: None,
            queue_position: None,
            token: None,
            account: None,
            account_in_use: None,
            move_pending: false,
            joins_unanswered: 0,
            redirect: None,
            redirect_join: None,
            join_once: None,
            nodes: None,
            resuming: false,
            clock: Clock::default(),
            requests: Requests::default(),
            next_ping_at: MonoTime(0),
            pings: 0,
            reads_heads: false,
        }
    }

    /// Drops what belongs to the former socket, and to the former server if this is another one.
    pub(super) fn start_connection<G: Game>(&mut self, arrival: Arrival, out: &mut Output<G>) {
        if arrival != Arrival::Same {
            self.clock.expect_another();
        }
        self.redirect = None;
        self.join_once = self.redirect_join.take().filter(|_| arrival == Arrival::Redirected);
        if self.join_once.is_some() || arrival == Arrival::Anew {
            // The seat is asked for in a new session; that of the token stays where it was.
            self.token = None;
        }
        if let (Arrival::Anew, Some(RoomChoice::Room(_) | RoomChoice::Reserved { .. }), Some(seat)) =
            (arrival, self.config.room, self.seat)
        {
            // That room is gone with its node.
            self.config.room = Some(RoomChoice::Mode(seat.mode));
        }
        while let Some(id) = self.requests.drop_one() {
            out.emit(ClientEvent::Answered { id, answer: Answer::None });
        }
        out.frames.clear();
        self.phase = Phase::Greeting;
        self.queue_position = None;
        self.pings = 0;
        self.reads_heads = false;
    }

    pub(super) fn send_hello<G: Game>(&mut self, now: MonoTime, resume: Option<Resume>, out: &mut Output<G>) {
        let (agent, account) = (self.config.agent.clone(), self.account);
        out.send(&ClientMsg::Hello { revision: REVISION, agent, resume, account });
        // The first ping goes with the hello, so that the clock is set when the first snapshot arrives.
        self.send_ping(now, out);
    }

    /// Sends a request and returns its number; `None` if too many are unanswered.
    pub(super) fn request<G: Game>(&mut self, now: MonoTime, request: Request, out: &mut Output<G>) -> Option<u32> {
        let (id, msg) = self.requests.send(now, request)?;
        out.send(&msg);
        Some(id)
    }

    /// Whether the request with this number was waiting for its answer.
    pub(super) fn take_answer(&mut self, id: u32) -> bool {
        self.requests.take(id)
    }

    pub(super) fn expire_requests<G: Game>(&mut self, now: MonoTime, out: &mut Output<G>) {
        while let Some(id) = self.requests.expire(now) {
            out.emit(ClientEvent::Answered { id, answer: Answer::None });
        }
    }

    /// Asks for a seat in the configured room. In the lobby, only the name is sent, so that other players find it.
    pub(super) fn send_join<G: Game>(&mut self, now: MonoTime, out: &mut Output<G>) {
        let name = self.config.name.clone();
        match self.config.room {
            Some(room) => {
                let room = self.join_once.take().unwrap_or(room);
                self.joins_unanswered += 1;
                out.send(&ClientMsg::Join { name, room, role: self.config.role });
            }
            None => self.send_name(now, out),
        }
    }

    pub(super) fn send_name<G: Game>(&mut self, now: MonoTime, out: &mut Output<G>) {
        self.request(now, Request::SetName { name: self.config.name.as_str().to_owned() }, out);
    }

    pub(super) fn return_to_lobby(&mut self) {
        self.config.room = None;
        self.phase = Phase::Lobby;
        // The world is kept until the next seat: snapshots on their way refer to it.
        self.clear_seat();
    }

    /// The player has chosen again: that counts, and not what a redirect asks for.
    pub(super) fn forget_redirect_join(&mut self) {
        (self.redirect_join, self.join_once) = (None, None);
    }

    pub(super) fn clear_seat(&mut self) {
        (self.seat, self.queue_position) = (None, None);
    }

    /// A client that needs no more than heads reads no more, once its clock is well known.
    pub(super) fn choose_heads(&mut self) {
        self.reads_heads |= self.config.detail == Detail::Heads && self.clock.is_full();
    }

    /// Whether snapshots are read to their end.
    pub(super) fn decodes(&self) -> bool {
        !self.reads_heads
    }

    pub(super) fn ping_if_due<G: Game>(&mut self, now: MonoTime, out: &mut Output<G>) {
        if self.phase == Phase::Greeting || now < self.next_ping_at || !self.decodes() {
            return;
        }
        // The first pings come quickly, so that the clock is good before the first input.
        let pause_ms = match self.pings {
            0..6 => 60,
            6..16 => 500,
            _ => 1000,
        };
        self.next_ping_at = now.plus_ms(pause_ms);
        self.send_ping(now, out);
    }

    fn send_ping<G: Game>(&mut self, now: MonoTime, out: &mut Output<G>) {
        self.pings += 1;
        out.send(&ClientMsg::Ping { client_time: now });
    }

    /// `now` in ticks of the room; `None` without a seat.
    pub(super) fn room_time(&self, now: MonoTime) -> Option<RoomTime> {
        let seat = self.seat?;
        let since_zero_us = self.clock.server_us(now) - seat.tick_zero.0 as f64;
        Some(RoomTime { seat, now, server_tick: since_zero_us * f64::from(seat.tick_hz) / 1e6 })
    }
}
