//! One headless player: socket, client and pilot in one loop.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use broadside_shared::arena::Arena;
use broadside_shared::client::stats::SnapshotArrival;
use broadside_shared::client::{Client, ClientConfig, Phase, Received};
use broadside_shared::protocol::codec;
use broadside_shared::protocol::header_bytes;
use broadside_shared::protocol::limits::SILENCE_US;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::time::MonoTime;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::pilot::Pilot;
use crate::socket::{PlayError, Socket, Target, closed, connect, plain};

/// Time without a word from the server after which it counts as gone.
const SILENCE: Duration = Duration::from_micros(SILENCE_US);

/// One headless player.
pub struct Player {
    socket: Socket,
    client: Client<Arena>,
    pilot: Pilot,
    began: Instant,
    /// When the server was last heard, whatever it said.
    heard_at: Instant,
    frames: FrameCount,
    /// What came while the player stood still. Bounded by the server, which sends no more than 16 snapshots unacknowledged.
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

/// What a step of the loop brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// A snapshot came.
    Snapshot(SnapshotArrival),
    /// Something else came, or nothing did for the given time.
    Nothing,
}

impl Player {
    /// Connects and says hello. The first [`Player::step`]s bring the seat.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect(target: &Target, config: ClientConfig, pilot: Pilot) -> Result<Player, PlayError> {
        let socket = connect(target).await?;
        let began = Instant::now();
        let mut client = Client::new(config);
        client.handle_open(MonoTime(0));
        let mut player = Player {
            socket,
            client,
            pilot,
            began,
            heard_at: began,
            frames: FrameCount::default(),
            stashed: VecDeque::new(),
        };
        player.send_queued().await?;
        Ok(player)
    }

    /// Waits for a frame until `deadline` and takes it.
    ///
    /// # Errors
    /// Why the connection ended; [`PlayError::Silent`] if nothing was heard for so long that it counts as that.
    pub async fn step(&mut self, deadline: Instant) -> Result<Progress, PlayError> {
        let message = match self.stashed.pop_front() {
            Some(message) => Ok(Some(Ok(message))),
            None => tokio::time::timeout_at(deadline.into(), self.socket.next()).await,
        };
        if message.is_ok() {
            self.heard_at = Instant::now();
        } else if self.heard_at.elapsed() >= SILENCE {
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
                    Some(frame) => closed(frame.code.into(), &frame.reason),
                    None => PlayError::Gone("closed without a code".to_owned()),
                });
            }
            Ok(Some(Ok(_))) => Progress::Nothing,
            Ok(Some(Err(error))) => return Err(PlayError::Gone(plain(&error))),
            Ok(None) => return Err(PlayError::Gone("connection ended".to_owned())),
        };
        self.send_queued().await?;
        Ok(progress)
    }

    /// Stands still until `until`, as a frozen browser tab does: nothing is decided and nothing is looked at, but the socket goes
    /// on taking frames and answering pings.
    pub async fn stand_still(&mut self, until: Instant) {
        while let Ok(Some(Ok(message))) = tokio::time::timeout_at(until.into(), self.socket.next()).await {
            self.heard_at = Instant::now();
            self.stashed.push_back(message);
        }
    }

    /// Lets the pilot decide, runs the client's ticks that are due and sends what there is to send.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn act(&mut self) -> Result<(), PlayError> {
        let input = self.pilot.decide(&self.client);
        self.client.advance(self.now(), &input);
        // Nobody looks at events here, and they must not pile up.
        while self.client.poll_event().is_some() {}
        self.send_queued().await
    }

    /// Gives up the seat and ends the connection in good order.
    pub async fn leave(mut self) {
        let goodbye = async {
            let leave = Bytes::from(codec::encode_client(&ClientMsg::Leave));
            if self.socket.send(Message::Binary(leave)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // A server that does not answer is left all the same.
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }

    /// The client, to look at.
    #[must_use]
    pub fn client(&self) -> &Client<Arena> {
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
            self.socket.send(message).await.map_err(|error| PlayError::Gone(plain(&error)))?;
        }
        Ok(())
    }
}
