//! One headless player: socket, client and AI in one loop.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use broadside_shared::client::nodes::Arrival;
use broadside_shared::client::stats::SnapshotArrival;
use broadside_shared::client::{Client, ClientConfig, Phase, Received};
use broadside_shared::game::Game;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::header_bytes;
use broadside_shared::protocol::limits::SILENCE_US;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{PlayError, Socket, Target, closed_error, connect, describe};

/// Time without a message from the server after which the server counts as lost.
const SILENCE: Duration = Duration::from_micros(SILENCE_US);

/// One headless player.
pub struct Player<G: Game> {
    socket: Socket,
    client: Client<G>,
    bot: G::Bot,
    began: Instant,
    /// When the last message arrived from the server.
    received_at: Instant,
    frames: FrameCount,
    /// Messages received during a freeze. Bounded by the server, which sends at most 16 unacknowledged snapshots.
    stashed: VecDeque<Message>,
}

/// Frames and bytes so far, WebSocket headers included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCount {
    /// Bytes received.
    pub bytes_down: u64,
    /// Bytes sent.
    pub bytes_up: u64,
}

/// The result of one step of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// A snapshot arrived.
    Snapshot(SnapshotArrival),
    /// Another message arrived, or the deadline passed.
    Nothing,
}

impl<G: Game> Player<G> {
    /// Connects and sends the hello. The first calls of [`Player::step`] lead to the seat.
    ///
    /// # Errors
    /// Why the connection failed.
    pub async fn connect(target: &Target, config: ClientConfig, bot: G::Bot) -> Result<Player<G>, PlayError> {
        let socket = connect(target).await?;
        let began = Instant::now();
        let mut client = Client::new(config);
        client.handle_open(MonoTime(0));
        let mut player = Player {
            socket,
            client,
            bot,
            began,
            received_at: began,
            frames: FrameCount::default(),
            stashed: VecDeque::new(),
        };
        player.send_queued().await?;
        Ok(player)
    }

    /// Connects again after the connection was lost; the server gives back the seat if it still keeps it.
    ///
    /// # Errors
    /// Why the connection failed.
    pub async fn reconnect(&mut self, target: &Target) -> Result<(), PlayError> {
        self.reconnect_at(target, Arrival::Same).await
    }

    /// As [`Player::reconnect`], maybe to another node than the one before.
    ///
    /// # Errors
    /// Why the connection failed.
    pub async fn reconnect_at(&mut self, target: &Target, arrival: Arrival) -> Result<(), PlayError> {
        self.socket = connect(target).await?;
        self.stashed.clear();
        self.received_at = Instant::now();
        self.client.handle_open_at(self.now(), arrival);
        self.send_queued().await
    }

    /// Waits for a frame until `deadline` and handles it.
    ///
    /// # Errors
    /// Why the connection ended; [`PlayError::Silent`] after 10 s without a message.
    pub async fn step(&mut self, deadline: Instant) -> Result<Progress, PlayError> {
        let message = match self.stashed.pop_front() {
            Some(message) => Ok(Some(Ok(message))),
            None => tokio::time::timeout_at(deadline.into(), self.socket.next()).await,
        };
        if message.is_ok() {
            self.received_at = Instant::now();
        } else if self.received_at.elapsed() >= SILENCE {
            return Err(PlayError::Silent);
        }
        let progress = match message {
            Err(_) => Progress::Nothing,
            Ok(Some(Ok(Message::Binary(frame)))) => {
                self.frames.bytes_down += frame.len() as u64 + header_bytes(frame.len());
                match self.client.handle_frame(self.now(), &frame)? {
                    Received::Snapshot(arrival) => Progress::Snapshot(arrival),
                    Received::Control => Progress::Nothing,
                }
            }
            Ok(Some(Ok(Message::Close(frame)))) => {
                return Err(match frame {
                    Some(frame) => closed_error(frame.code.into(), &frame.reason),
                    None => PlayError::Lost("closed without a code".to_owned()),
                });
            }
            Ok(Some(Ok(_))) => Progress::Nothing,
            Ok(Some(Err(error))) => return Err(PlayError::Lost(describe(&error))),
            Ok(None) => return Err(PlayError::Lost("connection ended".to_owned())),
        };
        self.send_queued().await?;
        Ok(progress)
    }

    /// Freezes until `until`, like a background browser tab: no decisions and no processing, but the socket goes on receiving frames
    /// and answering pings.
    pub async fn stand_still(&mut self, until: Instant) {
        while let Ok(Some(Ok(message))) = tokio::time::timeout_at(until.into(), self.socket.next()).await {
            self.received_at = Instant::now();
            self.stashed.push_back(message);
        }
    }

    /// Lets the AI decide, runs the client's due ticks and sends queued frames.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn act(&mut self) -> Result<(), PlayError> {
        self.client.advance_bot(self.now(), &mut self.bot);
        // Events are not used here and must not accumulate.
        while self.client.poll_event().is_some() {}
        self.send_queued().await
    }

    /// Gives up the seat and closes the connection, waiting at most 2 s for the server.
    pub async fn leave(mut self) {
        let goodbye = async {
            let leave = Bytes::from(codec::encode_client(&ClientMsg::Leave));
            if self.socket.send(Message::Binary(leave)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }

    /// See [`Client::take_redirect`].
    pub fn take_redirect(&mut self) -> Option<String> {
        self.client.take_redirect()
    }

    /// See [`Client::take_nodes`].
    pub fn take_nodes(&mut self) -> Option<Vec<String>> {
        self.client.take_nodes()
    }

    /// The client, read-only.
    #[must_use]
    pub fn client(&self) -> &Client<G> {
        &self.client
    }

    /// Whether the player has a seat.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.client.phase() == Phase::Playing && self.client.local_player().is_some()
    }

    /// Frames and bytes so far.
    #[must_use]
    pub fn frames(&self) -> FrameCount {
        self.frames
    }

    fn now(&self) -> MonoTime {
        MonoTime(self.began.elapsed().as_micros() as u64)
    }

    async fn send_queued(&mut self) -> Result<(), PlayError> {
        while let Some(frame) = self.client.poll_frame() {
            self.frames.bytes_up += frame.len() as u64 + header_bytes(frame.len()) + 4;
            let message = Message::Binary(Bytes::from(frame));
            self.socket.send(message).await.map_err(|error| PlayError::Lost(describe(&error)))?;
        }
        Ok(())
    }
}
