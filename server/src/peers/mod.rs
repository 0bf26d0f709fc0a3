//! What a node of a cluster knows of the others, and what it asks of them. Nothing here waits: the view is in memory, and orders go into a
//! bounded queue that [`cluster`](crate::cluster) works off.
//!
//! | module | what it holds |
//! |---|---|
//! | [`records`] | what nodes tell each other |
//! | [`view`] | the nodes and rooms as last heard of |

pub mod records;
pub mod view;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use broadside_core::admission::matching::Fill;
use broadside_core::commands::{Destination, Placement, SenderId};
use broadside_core::lobby::DirectMessage;
use broadside_core::messages::EncodedMessage;
use broadside_shared::ids::{AccountId, RoomId};
use broadside_shared::protocol::limits::NODES_TOLD_MAX;
use broadside_shared::protocol::message::{Leader, Outcome, Publication, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, RoomChoice, RoomCode};
use broadside_shared::time::MonoTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use records::{Control, PresenceAnswer};
use view::{Known, View};

/// Bits of a room's number below those of its node, and of a session's number below those of its node.
const ROOM_BITS: u32 = 20;
const SESSION_BITS: u32 = 52;
/// Most orders that wait; further ones are dropped and counted.
const ORDERS_MAX: usize = 4096;
/// Most rooms of others that are asked for one seat.
const ASKED_MAX: usize = 3;

/// A number of a node: 1 to [`NODE_MAX`](crate::config::cluster::NODE_MAX), or 0 for a server that is alone.
pub type NodeId = u16;

/// The node that a room is on.
#[must_use]
pub fn node_of_room(room: RoomId) -> NodeId {
    (room.0 >> ROOM_BITS) as NodeId
}

/// The numbers of the rooms of a node: from the first on, so many.
#[must_use]
pub fn rooms_of(node: NodeId) -> (u32, u32) {
    match node {
        0 => (1, u32::MAX - 1),
        node => ((u32::from(node) << ROOM_BITS) + 1, (1 << ROOM_BITS) - 1),
    }
}

/// The node that opened a session.
#[must_use]
pub fn node_of_session(session: u64) -> NodeId {
    (session >> SESSION_BITS) as NodeId
}

/// The number of a session of this node, from a random number.
#[must_use]
pub fn session_of(node: NodeId, random: u64) -> u64 {
    match node {
        0 => random,
        node => u64::from(node) << SESSION_BITS | random >> (64 - SESSION_BITS),
    }
}

/// What a node does with the outcome of an order.
pub type Answer<T> = Box<dyn FnOnce(T) + Send>;

/// What other nodes are to be told or asked.
pub enum Order {
    /// Somebody said something in the lobby's chat.
    Say(SenderId, Publication),
    /// Reserve a seat for a client at this address in the first of these rooms that has one.
    Reserve {
        rooms: Vec<(RoomId, String)>,
        address: IpAddr,
        answer: Answer<Placement>,
    },
    /// Send a direct message to the player with this name.
    Direct {
        to: Name,
        direct: DirectMessage,
        answer: Answer<Outcome>,
    },
    /// Where the owners of these accounts are on other nodes.
    Presence {
        accounts: Vec<AccountId>,
        answer: Answer<PresenceAnswer>,
    },
    Control(Control),
}

/// What became of orders, and of what others sent.
#[derive(Debug, Default)]
pub struct Counts {
    /// Orders dropped because too many waited.
    pub orders_dropped: AtomicU64,
    /// Messages of others dropped because they came too fast.
    pub received_dropped: AtomicU64,
    /// Times that the connection to the engine was established.
    pub connects: AtomicU64,
    /// Times that the engine's client dropped messages because this node read too slowly.
    pub slow: AtomicU64,
    /// How long the engine took for the last renewal of the lease, in microseconds.
    pub renewal_us: AtomicU64,
}

/// How a node stands with the engine.
#[derive(Debug, Default)]
pub struct Standing {
    pub is_connected: AtomicBool,
    /// Another node has this one's number: nothing is announced.
    pub is_duplicate: AtomicBool,
}

/// The other nodes, as this one sees them.
pub struct Peers {
    pub node: NodeId,
    /// The address of this node.
    pub url: String,
    region: String,
    /// What room codes are hashed with, so that whoever reads along does not learn them.
    code_key: Hmac<Sha256>,
    view: RwLock<View>,
    orders: Sender<Order>,
    pub counts: Counts,
    pub standing: Standing,
}

/// A room for quick play on another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub room: RoomId,
    pub url: String,
}

impl Peers {
    /// A node that has heard of no other, and the queue of its orders.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(node: NodeId, url: String, region: String, code_key: [u8; 32]) -> (Peers, Receiver<Order>) {
        let (orders, queue) = channel(ORDERS_MAX);
        let code_key = Hmac::new_from_slice(&code_key).expect("HMAC takes keys of any length");
        let (view, counts, standing) = (RwLock::default(), Counts::default(), Standing::default());
        (Peers { node, url, region, code_key, view, orders, counts, standing }, queue)
    }

    /// What is known of the others.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an order; false if too many wait.
    pub fn order(&self, order: Order) -> bool {
        match self.orders.try_send(order) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.counts.orders_dropped.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// The address of another node, while it is there.
    #[must_use]
    pub fn url_of(&self, node: NodeId, now: MonoTime) -> Option<String> {
        let view = self.view();
        let node = if view.node(node, now).is_some() { node } else { view.moved_to(node) };
        if node == self.node {
            return None;
        }
        view.node(node, now).map(|found| found.record.url.clone())
    }

    /// The mode of a public room of another node that is not there any more.
    #[must_use]
    pub fn mode_of_lost(&self, room: RoomId) -> Option<ModeId> {
        (node_of_room(room) != self.node).then(|| self.view().mode_of(room)).flatten()
    }

    /// Where a room with this code is, on another node. Whoever asks is limited by the caller.
    #[must_use]
    pub fn with_code(&self, code: RoomCode, now: MonoTime) -> Option<Destination> {
        let room = self.view().with_code(&self.hash_of(code))?;
        let url = self.url_of(node_of_room(room), now)?;
        Some(Destination { url, choice: RoomChoice::Code(Some(code)) })
    }

    /// What a room's code is announced as.
    #[must_use]
    pub fn hash_of(&self, code: RoomCode) -> String {
        let mac = self.code_key.clone().chain_update(code.as_str()).finalize().into_bytes();
        mac[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The rooms of other nodes of this region that are better than the best one here: people where nobody is here, or a free seat where
    /// none is here. Otherwise a player stays, so that players spread over the nodes as they came. Best first.
    #[must_use]
    pub fn better_rooms(
        &self,
        mode: ModeId,
        region: Option<&str>,
        here: Option<Fill>,
        now: MonoTime,
    ) -> Vec<Candidate> {
        let rank = |fill: &Fill| (!fill.has_room(), fill.taken == 0);
        let here = here.as_ref().map_or((true, true), rank);
        let view = self.view();
        let region = region.unwrap_or(&self.region);
        let better = view.public_rooms(mode, region, now).filter(|(_, fill, _)| fill.has_room() && rank(fill) < here);
        let mut better: Vec<_> = better.collect();
        better.sort_by_key(|(room, fill, _)| {
            (rank(fill), fill.waiting, fill.capacity - fill.taken.min(fill.capacity), *room)
        });
        better.truncate(ASKED_MAX);
        better.into_iter().map(|(room, _, url)| Candidate { room, url: url.to_owned() }).collect()
    }

    /// The nodes of this region that let players in, those with the fewest players first: for whom this one does not let in any more.
    #[must_use]
    pub fn open(&self, now: MonoTime) -> Vec<String> {
        let view = self.view();
        let open = view.nodes(now).filter(|known| known.lets_in() && known.record.region == self.region);
        let mut open: Vec<&Known> = open.collect();
        open.sort_by_key(|known| (known.record.players, known.record.node));
        open.into_iter().map(|known| known.record.url.clone()).collect()
    }

    /// The nodes that may take the rooms of this one, which ends: those of its region with the same rules, with the fewest players first.
    #[must_use]
    pub fn homes(&self, rules: u64, now: MonoTime) -> Vec<(NodeId, String)> {
        let view = self.view();
        let fits =
            |known: &&Known| known.lets_in() && known.record.region == self.region && known.record.rules == rules;
        let mut homes: Vec<&Known> = view.nodes(now).filter(fits).collect();
        homes.sort_by_key(|known| (known.record.players, known.record.node));
        homes.into_iter().map(|known| (known.record.node, known.record.url.clone())).collect()
    }

    /// What clients are told: the nodes behind this one in the order of their numbers, so that the players of a node that is gone spread.
    #[must_use]
    pub fn told(&self, now: MonoTime) -> Option<EncodedMessage> {
        let view = self.view();
        let mut nodes: Vec<&Known> = view.nodes(now).filter(|known| known.speaks_alike()).collect();
        nodes.sort_by_key(|known| {
            (known.record.region != self.region, known.record.node < self.node, known.record.node)
        });
        let urls: Vec<String> = nodes.iter().take(NODES_TOLD_MAX).map(|known| known.record.url.clone()).collect();
        (!urls.is_empty()).then(|| EncodedMessage::new(ServerMsg::Nodes { urls }))
    }

    /// The best players on other nodes.
    #[must_use]
    pub fn leaders(&self, now: MonoTime) -> Vec<Leader> {
        self.view().nodes(now).flat_map(|known| known.leaders.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::records::{NodeRecord, RoomRecord};
    use super::*;

    const NOW: MonoTime = MonoTime(1_000_000);

    fn record(node: NodeId, players: u32) -> NodeRecord {
        NodeRecord { players, ..NodeRecord::of(node, &format!("wss://n{node}.example"), "eu") }
    }

    fn room(node: NodeId, number: u32, taken: u32, capacity: u32) -> (RoomId, RoomRecord) {
        let id = RoomId(u32::from(node) << ROOM_BITS | number);
        (id, RoomRecord { taken, capacity, ..RoomRecord::default() })
    }

    fn peers(rooms: &[(RoomId, RoomRecord)]) -> Peers {
        let (peers, _) = Peers::new(1, "wss://n1.example".to_owned(), "eu".to_owned(), [7; 32]);
        for node in [2, 3] {
            peers.view_mut().hear_node(record(node, 10 - u32::from(node)), NOW);
        }
        for (id, record) in rooms {
            peers.view_mut().hear_room(*id, record.clone(), NOW);
        }
        peers
    }

    #[test]
    fn numbers_of_rooms_and_sessions_tell_their_node() {
        for node in [1, 7, crate::config::cluster::NODE_MAX] {
            let (first, count) = rooms_of(node);
            assert_eq!((node_of_room(RoomId(first)), node_of_room(RoomId(first + count - 1))), (node, node));
            assert_eq!(node_of_session(session_of(node, u64::MAX)), node);
        }
        assert_eq!((rooms_of(0).0, session_of(0, 99)), (1, 99), "alone, numbers are as they were");
    }

    #[test]
    fn quick_play_leaves_a_node_for_company_or_for_a_free_seat() {
        let peers = peers(&[room(2, 1, 3, 4), room(2, 2, 0, 4), room(3, 1, 4, 4)]);
        let fill = |taken| Some(Fill { taken, capacity: 4, waiting: 0 });
        let better = |here| {
            let found = peers.better_rooms(ModeId(0), None, here, NOW);
            found.iter().map(|found| (node_of_room(found.room), found.room.0 & 0xff)).collect::<Vec<_>>()
        };
        assert_eq!(better(fill(1)), [], "there is company here");
        assert_eq!(better(fill(0)), [(2, 1)]);
        assert_eq!(better(fill(4)), [(2, 1), (2, 2)], "no seat is free here");
        assert_eq!(better(None), [(2, 1), (2, 2)]);
        assert_eq!(peers.better_rooms(ModeId(0), Some("us"), None, NOW), [], "another region");
        assert_eq!(peers.better_rooms(ModeId(1), None, None, NOW), [], "another mode");
    }

    #[test]
    fn a_code_is_found_on_the_node_that_has_its_room() {
        let code: RoomCode = "K7QF2M".parse().expect("a code");
        let (id, record) = room(3, 9, 1, 4);
        let peers = peers(&[]);
        let hidden = RoomRecord { code: Some(peers.hash_of(code)), ..record };
        peers.view_mut().hear_room(id, hidden, NOW);
        let found = peers.with_code(code, NOW).expect("it is there");
        assert_eq!((&*found.url, found.choice), ("wss://n3.example", RoomChoice::Code(Some(code))));
        assert_eq!(peers.with_code("K7QF2N".parse().expect("a code"), NOW), None);
        assert_eq!(peers.better_rooms(ModeId(0), None, None, NOW), [], "it is not public");
    }

    #[test]
    fn players_of_a_node_that_is_gone_try_the_next_ones() {
        let peers = peers(&[]);
        peers.view_mut().hear_node(record(0, 0), NOW);
        let ServerMsg::Nodes { urls } = decoded(&peers.told(NOW).expect("others")) else { panic!("nodes") };
        assert_eq!(urls, ["wss://n2.example", "wss://n3.example", "wss://n0.example"]);
        assert_eq!(peers.open(NOW)[0], "wss://n0.example", "the emptiest");
        assert!(peers.told(NOW.plus_us(view::LEASE_US + 1)).is_none(), "they are not heard of any more");
    }

    fn decoded(message: &EncodedMessage) -> ServerMsg {
        broadside_shared::protocol::codec::decode_server(message.message()).expect("our own message")
    }
}
