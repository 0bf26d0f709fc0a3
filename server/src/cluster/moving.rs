//! The rooms of a node that ends move to another one, with their players: the state of a hand-over, in parts over NATS.
//!
//! ```text
//! node that ends               other node
//! offer: rooms, players    ->
//!                          <-  whether it takes them           and nothing has happened
//! part 1 of N              ->                                  the rooms stand still, connections are open
//!                          <-  go on
//! part N of N              ->
//!                          <-  moved: rooms, seats             players are sent there
//! ```
//! Both ends know a move by its number: a part that comes twice is taken once. If the last answer does not come, the node goes on with its
//! rooms itself, and the other one has seats that nobody takes; they end after the grace period.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::{Client, Message, Request};
use broadside_shared::saved;
use serde::{Deserialize, Serialize};

use super::Node;
use crate::config::cluster::NodeFlags;
use crate::peers::NodeId;
use crate::peers::records::{Control, MoveAnswer, MoveOffer};
use crate::recovery::MovedIn;
use crate::secret;

/// How long the other node is waited for. It reads thousands of seats after the last part.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of state in one part: NATS servers take messages of 1 MiB unless told otherwise.
const PART_BYTES: usize = 256 * 1024;
/// Longest state that moves, in bytes.
const STATE_MAX: usize = 256 << 20;
/// A move from which nothing was heard for so long is over.
const SILENT: Duration = Duration::from_secs(10);

/// A part of the state.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    id: u64,
    number: u32,
    count: u32,
    /// Time since the rooms stood still, in microseconds.
    still_us: u64,
    bytes: Vec<u8>,
}

/// Gives this node the rooms in a state of another one that stood still for so many microseconds.
pub(crate) type MoveIn = dyn Fn(&[u8], u64) -> Result<MovedIn, String> + Send + Sync;

/// A move to this node that is under way.
#[derive(Default)]
pub(super) struct Incoming(Mutex<Option<Arriving>>);

struct Arriving {
    id: u64,
    next: u32,
    bytes: Vec<u8>,
    heard_at: Instant,
}

/// Of a node that ends: the way to the others.
pub(crate) struct Mover {
    client: Client,
    prefix: String,
    node: NodeId,
    id: u64,
}

impl Mover {
    /// Connects to the engine.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn connect(node: &NodeFlags, game: &str) -> anyhow::Result<Mover> {
        let options = super::options(node).await?.connection_timeout(ANSWERED_WITHIN);
        let client = options.connect(super::addresses(node)?).await?;
        Ok(Mover { client, prefix: super::prefix(game), node: node.id, id: secret::number() })
    }

    /// Asks a node whether it takes so many rooms and players.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn offer(&self, to: NodeId, (rooms, players, rules): (usize, usize, u64)) -> Result<(), String> {
        let offer = MoveOffer { id: self.id, rooms, players, rules };
        let payload = serde_json::to_vec(&offer).map_err(|error| error.to_string())?;
        self.ask(format!("{}.move.{to}", self.prefix), payload).await.map(drop)
    }

    /// Gives a node the state of rooms that have stood still `since` then.
    ///
    /// # Errors
    /// Why it does not take them.
    pub(crate) async fn send(&self, to: NodeId, state: &[u8], since: Instant) -> Result<MoveAnswer, String> {
        if state.len() > STATE_MAX {
            return Err(format!("{} bytes are too many to move; at most {STATE_MAX} are", state.len()));
        }
        let subject = format!("{}.part.{to}", self.prefix);
        let count = state.len().div_ceil(PART_BYTES) as u32;
        let mut answer = MoveAnswer::default();
        for (number, bytes) in state.chunks(PART_BYTES).enumerate() {
            let still_us = since.elapsed().as_micros() as u64;
            let part = Part { id: self.id, number: number as u32, count, still_us, bytes: bytes.to_vec() };
            answer = self.ask(subject.clone(), saved::save(&part)).await?;
        }
        Ok(answer)
    }

    /// Tells every node where the sessions and rooms of this one are from here on.
    ///
    /// # Errors
    /// The engine is gone.
    pub(crate) async fn tell(&self, to: NodeId) -> anyhow::Result<()> {
        let moved = serde_json::to_vec(&Control::Moved { from: self.node, to })?;
        self.client.publish(format!("{}.control", self.prefix), moved.into()).await?;
        tokio::time::timeout(ANSWERED_WITHIN, self.client.flush()).await.context("the engine does not answer")??;
        Ok(())
    }

    async fn ask(&self, subject: String, payload: Vec<u8>) -> Result<MoveAnswer, String> {
        let request = Request::new().payload(payload.into()).timeout(Some(ANSWERED_WITHIN));
        let answer = self.client.send_request(subject, request).await.map_err(|error| error.to_string())?;
        let answer: MoveAnswer = serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
        answer.refused.clone().map_or(Ok(answer), Err)
    }
}

/// Says whether this node takes the rooms of another one.
pub(super) async fn consider(node: &Node, message: Message) {
    let Some(reply) = message.reply else { return };
    let answer = match serde_json::from_slice::<MoveOffer>(&message.payload) {
        Ok(offer) => MoveAnswer { refused: objection(node, &offer), ..MoveAnswer::default() },
        Err(error) => MoveAnswer::refused(format!("the offer cannot be read: {error}")),
    };
    if answer.refused.is_none() {
        tracing::info!("the rooms of another node are about to move here");
    }
    reply_with(&node.client, reply, &answer).await;
}

/// Why this node does not take the rooms of an offer; otherwise it waits for them.
fn objection(node: &Node, offer: &MoveOffer) -> Option<String> {
    let app = &node.app;
    let (rooms, connections) = (app.rooms.all().len(), app.connections.load(std::sync::atomic::Ordering::Relaxed));
    if offer.rules != node.rules {
        return Some("the rules of the other node are different".to_owned());
    }
    if app.rooms.is_draining() || app.is_ending() {
        return Some("the other node ends too".to_owned());
    }
    if rooms + offer.rooms > app.config.max_rooms {
        return Some(format!("the other node has {rooms} rooms, and at most {} (--max-rooms)", app.config.max_rooms));
    }
    if connections + offer.players > app.connections_max {
        return Some(format!("the other node has {connections} connections, and at most {}", app.connections_max));
    }
    (!node.incoming.expect(offer.id)).then(|| "the other node is busy with another move".to_owned())
}

/// Takes a part of the rooms of another node, and with the last one the rooms.
pub(super) async fn take_part(node: &Node, message: Message) {
    let Some(reply) = message.reply else { return };
    let (client, move_in) = (node.client.clone(), Arc::clone(&node.move_in));
    let taken = match saved::load::<Part>(&message.payload) {
        Ok(part) => node.incoming.take(&part),
        Err(error) => Err(format!("the state cannot be read: {error}")),
    };
    let (state, still_us) = match taken {
        Ok(Some(whole)) => whole,
        Ok(None) => return reply_with(&client, reply, &MoveAnswer::default()).await,
        Err(why) => return reply_with(&client, reply, &MoveAnswer::refused(why)).await,
    };
    // Others are heard meanwhile.
    tokio::spawn(async move {
        let arrived = Instant::now();
        let moved =
            tokio::task::spawn_blocking(move || move_in(&state, still_us + arrived.elapsed().as_micros() as u64));
        let answer = match moved.await {
            Ok(Ok(MovedIn { rooms, seats })) => MoveAnswer { rooms, seats, refused: None },
            Ok(Err(why)) => MoveAnswer::refused(why),
            Err(error) => MoveAnswer::refused(error.to_string()),
        };
        reply_with(&client, reply, &answer).await;
    });
}

async fn reply_with(client: &Client, reply: async_nats::Subject, answer: &MoveAnswer) {
    if let Ok(answer) = serde_json::to_vec(answer) {
        // Whoever asked waits no longer than it wants to.
        let _ = client.publish(reply, answer.into()).await;
    }
}

impl Incoming {
    /// Waits for the parts of this move; false while another one is under way.
    fn expect(&self, id: u64) -> bool {
        let mut arriving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_busy = arriving.as_ref().is_some_and(|found| found.id != id && found.heard_at.elapsed() < SILENT);
        if !is_busy {
            *arriving = Some(Arriving { id, next: 0, bytes: Vec::new(), heard_at: Instant::now() });
        }
        !is_busy
    }

    /// Takes a part; gives the whole state with the last one, and how long the rooms had stood still then.
    fn take(&self, part: &Part) -> Result<Option<(Vec<u8>, u64)>, String> {
        let mut arriving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = arriving.as_mut().filter(|found| found.id == part.id) else {
            return Err("the other node does not expect it".to_owned());
        };
        found.heard_at = Instant::now();
        if part.number < found.next {
            return Ok(None);
        }
        if part.number > found.next || found.bytes.len() + part.bytes.len() > STATE_MAX {
            *arriving = None;
            return Err("a part is missing, or there are too many".to_owned());
        }
        found.next += 1;
        found.bytes.extend_from_slice(&part.bytes);
        if found.next < part.count {
            return Ok(None);
        }
        Ok(arriving.take().map(|whole| (whole.bytes, part.still_us)))
    }
}
