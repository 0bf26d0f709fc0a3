//! What nodes tell each other, in JSON: readable by operators, and by nodes of another version, which ignore what they do not know.

use std::net::IpAddr;

use broadside_shared::ids::{AccountId, RoomId};
use broadside_shared::protocol::REVISION;
use serde::{Deserialize, Serialize};

use super::NodeId;

/// A node, as it announces itself every two seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub node: NodeId,
    /// When this run of the node began, in microseconds since 1970: tells it from another one with its number.
    pub epoch: u64,
    pub url: String,
    pub region: String,
    /// [`REVISION`] of its protocol: clients are only sent to nodes that they can talk to.
    pub revision: u16,
    /// Hash of the game's rules: rooms move to nodes with the same rules only.
    #[serde(default)]
    pub rules: u64,
    /// Version of its program.
    pub version: String,
    pub rooms: u32,
    /// Players, bots aside.
    pub players: u32,
    /// Whether it lets nobody in any more.
    #[serde(default)]
    pub draining: bool,
    /// Its best players: name, room, score.
    #[serde(default)]
    pub leaders: Vec<(String, u32, i32)>,
}

impl NodeRecord {
    /// A node on which nothing happens yet.
    #[must_use]
    pub fn of(node: NodeId, url: &str, region: &str) -> NodeRecord {
        let (url, region) = (url.to_owned(), region.to_owned());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        NodeRecord { node, url, region, revision: REVISION, version, ..NodeRecord::default() }
    }
}

/// A room, as its node announces it when something changes, and every 30 s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// That of its node: a room that another run of the node announced is gone.
    pub epoch: u64,
    /// Number of its mode.
    pub mode: u8,
    /// Players and reservations, bots aside: they make way.
    pub taken: u32,
    pub capacity: u32,
    /// Requests in the join queue.
    pub waiting: u32,
    /// Of a private room: its code, hashed with the key of the cluster.
    #[serde(default)]
    pub code: Option<String>,
    /// What `/api/rooms` shows of it, in JSON.
    #[serde(default)]
    pub view: String,
}

/// A request for a seat in a room of the node that it is sent to. Asked twice, it gives two reservations, which expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatRequest {
    pub room: RoomId,
    /// Where the client is, for the limits per address.
    pub address: IpAddr,
}

/// The answer: the number of the reservation, if a seat was free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatAnswer {
    pub reservation: Option<u64>,
}

/// A node that ends asks another one whether it takes its rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveOffer {
    /// Tells this move from others.
    pub id: u64,
    pub rooms: usize,
    pub players: usize,
    pub rules: u64,
}

/// The answer to an offer, and to each part of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveAnswer {
    /// Why nothing moves.
    pub refused: Option<String>,
    /// What has moved, in the answer to the last part.
    pub rooms: usize,
    pub seats: usize,
}

impl MoveAnswer {
    #[must_use]
    pub fn refused(why: String) -> MoveAnswer {
        MoveAnswer { refused: Some(why), ..MoveAnswer::default() }
    }
}

/// A direct message to a player with this name, on whatever node; only the node that has the player answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectRequest {
    pub to: String,
    pub from: String,
    pub sender: u64,
    pub text: String,
}

/// A question where the owners of accounts are, to which every node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceRequest {
    pub accounts: Vec<AccountId>,
}

/// Those who are connected to the node that answers, each with the public room that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceAnswer {
    pub online: Vec<(AccountId, Option<RoomId>)>,
}

/// Something said in the lobby's chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidRecord {
    pub sender: u64,
    pub from: String,
    pub text: String,
}

/// What every node obeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Control {
    /// Publish an announcement.
    Announce { text: String },
    /// End every session of an account, with this close code.
    KickAccount { account: AccountId, code: u16 },
    /// End the session with this name, with this close code.
    KickName { name: String, code: u16 },
    /// Ends this node: its rooms move to another one.
    EndNode { node: NodeId },
    /// The rooms and sessions of a node that has ended are on another one.
    Moved { from: NodeId, to: NodeId },
    /// The account's bans, mutes or name have changed: the database has what is in force.
    Account { account: AccountId },
}
