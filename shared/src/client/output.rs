//! What a client hands out: frames for the socket, events for the program, and running statistics.

use std::collections::VecDeque;

use super::ClientEvent;
use super::stats::Stats;
use crate::game::Game;
use crate::protocol::codec;
use crate::protocol::message::ClientMsg;

/// Events kept for a program that does not poll; the oldest are dropped first.
pub(super) const EVENTS_KEPT: usize = 256;

/// The queues behind [`Client::poll_frame`](super::Client::poll_frame) and [`Client::poll_event`](super::Client::poll_event).
pub(super) struct Output<G: Game> {
    pub(super) frames: VecDeque<Vec<u8>>,
    pub(super) events: VecDeque<ClientEvent<G>>,
    pub(super) stats: Stats,
}

impl<G: Game> Output<G> {
    pub(super) fn new() -> Self {
        Output { frames: VecDeque::new(), events: VecDeque::new(), stats: Stats::default() }
    }

    pub(super) fn send(&mut self, msg: &ClientMsg) {
        self.send_frame(codec::encode_client(msg));
    }

    pub(super) fn send_frame(&mut self, frame: Vec<u8>) {
        self.stats.bytes_up += frame.len() as u64;
        self.frames.push_back(frame);
    }

    pub(super) fn emit(&mut self, event: ClientEvent<G>) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
