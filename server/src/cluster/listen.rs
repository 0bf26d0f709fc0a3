//! What other nodes announce, say, ask and order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use async_nats::jetstream::kv::{Operation, Store};
use async_nats::{Message, Subscriber};
use broadside_core::bucket::Bucket;
use broadside_core::commands::ShardCommand;
use broadside_core::messages::EncodedMessage;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::message::{Publication, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::{Node, Stay, moving};
use crate::http::api::presence;
use crate::peers::records::{
    Control, DirectRequest, NodeRecord, PresenceAnswer, PresenceRequest, SaidRecord, SeatAnswer, SeatRequest,
};
use crate::peers::{NodeId, node_of_room};

/// Chat messages of other nodes per second, on average and at once. Beyond, they are dropped and counted: no player could read them.
const SAID_PER_S: u32 = 200;
const SAID_BURST: u32 = 400;

/// Without a word for so long, a watch is dead, as when the one of several engines that served it is gone: it must be renewed before leases
/// seem to be over.
const SILENT: Duration = Duration::from_secs(4);

/// What this node has subscribed to.
pub(super) struct Subscribed {
    chat: Subscriber,
    control: Subscriber,
    direct: Subscriber,
    presence: Subscriber,
    seats: Subscriber,
    /// Offers of rooms, and their parts.
    moves: Subscriber,
    parts: Subscriber,
}

impl Subscribed {
    pub(super) async fn new(node: &Node) -> anyhow::Result<Subscribed> {
        let subscribe = async |what: &str| {
            let subject = node.subject(what);
            node.client.subscribe(subject.clone()).await.with_context(|| format!("cannot subscribe to {subject}"))
        };
        Ok(Subscribed {
            chat: subscribe("chat").await?,
            control: subscribe("control").await?,
            direct: subscribe("direct").await?,
            presence: subscribe("presence").await?,
            seats: subscribe(&format!("seat.{}", node.peers.node)).await?,
            moves: subscribe(&format!("move.{}", node.peers.node)).await?,
            parts: subscribe(&format!("part.{}", node.peers.node)).await?,
        })
    }
}

/// Keeps the view of the nodes up to date, and tells clients when there are others.
pub(super) async fn watch_nodes(node: &Node, nodes: &Store) -> Stay {
    let mut watch = nodes.watch_with_history(">").await.context("cannot watch the nodes")?;
    let mut told: Option<EncodedMessage> = None;
    // This node's own announcements come back too.
    while let Some(entry) = tokio::time::timeout(SILENT, watch.next())
        .await
        .context("nothing is heard of the nodes, not even of this one")?
    {
        let entry = entry.context("cannot watch the nodes")?;
        let now = node.app.lobby.context.clock.now();
        match (entry.operation, entry.key.parse::<NodeId>()) {
            (_, Ok(number)) if number == node.peers.node => continue,
            (Operation::Put, _) => {
                let Some(record) = read::<NodeRecord>(&entry.value) else { continue };
                node.peers.view_mut().hear_node(record, now);
            }
            (Operation::Delete | Operation::Purge, Ok(number)) => node.peers.view_mut().lose_node(number),
            (Operation::Delete | Operation::Purge, Err(_)) => continue,
        }
        let tells = node.peers.told(now);
        if tells.is_some() && tells != told {
            let message = tells.clone();
            for shard in node.app.lobby.context.shards.iter() {
                shard.send(message.clone().map(ShardCommand::Tell));
            }
            told = tells;
        }
    }
    anyhow::bail!("the watch of the nodes has ended")
}

/// Keeps the view of the rooms up to date.
pub(super) async fn watch_rooms(node: &Node, rooms: &Store) -> Stay {
    let mut watch = rooms.watch_with_history(">").await.context("cannot watch the rooms")?;
    while let Some(entry) = watch.next().await {
        let entry = entry.context("cannot watch the rooms")?;
        let Ok(room) = entry.key.parse().map(RoomId) else { continue };
        if node_of_room(room) == node.peers.node {
            continue;
        }
        match entry.operation {
            Operation::Put => {
                let Some(record) = read(&entry.value) else { continue };
                if !node.peers.view_mut().hear_room(room, record, node.app.lobby.context.clock.now()) {
                    node.peers.counts.received_dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Operation::Delete | Operation::Purge => node.peers.view_mut().lose_room(room),
        }
    }
    anyhow::bail!("the watch of the rooms has ended")
}

/// Hears what others say, and does what they ask and order.
pub(super) async fn listen(node: &Node, mut subscribed: Subscribed) -> Stay {
    let mut said = Bucket::new(SAID_BURST, 1_000_000 / u64::from(SAID_PER_S), node.app.lobby.context.clock.now());
    loop {
        tokio::select! {
            Some(message) = subscribed.chat.next() => hear_chat(node, &mut said, &message),
            Some(message) = subscribed.control.next() => obey(node, &message).await,
            Some(message) = subscribed.direct.next() => deliver(node, message).await,
            Some(message) = subscribed.presence.next() => tell_presence(node, message).await,
            Some(message) = subscribed.seats.next() => reserve(node, message).await,
            Some(message) = subscribed.moves.next() => moving::consider(node, message).await,
            Some(message) = subscribed.parts.next() => moving::take_part(node, message).await,
            else => anyhow::bail!("the subscriptions have ended"),
        }
    }
}

/// Reads a record; `None` for one of a version that this one cannot read.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).inspect_err(|error| tracing::debug!(%error, "an unknown record of another node")).ok()
}

fn hear_chat(node: &Node, bucket: &mut Bucket, message: &Message) {
    let context = &node.app.lobby.context;
    if bucket.take(context.clock.now()).is_err() {
        node.peers.counts.received_dropped.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let Some(SaidRecord { sender, from, text }) = read(&message.payload) else { return };
    if let (Ok(from), Ok(text)) = (Name::new(&from), Text::new(&text)) {
        context.publish(Topic::LobbyChat, Some(sender), Publication::Said { from, text });
    }
}

/// Delivers a direct message, and says so; whoever has not the player says nothing.
async fn deliver(node: &Node, message: Message) {
    let (Some(direct), Some(reply)) = (read::<DirectRequest>(&message.payload), message.reply) else { return };
    let lobby = &node.app.lobby;
    let (Ok(to), Ok(from), Ok(text)) = (Name::new(&direct.to), Name::new(&direct.from), Text::new(&direct.text)) else {
        return;
    };
    if let Some(session) = lobby.sessions.find(&to) {
        let encoded = EncodedMessage::new(ServerMsg::DirectMessage { from, text });
        lobby.deliver(session, Some(direct.sender), encoded);
        let _ = node.client.publish(reply, "".into()).await;
    }
}

async fn reserve(node: &Node, message: Message) {
    let (Some(SeatRequest { room, address }), Some(reply)) = (read(&message.payload), message.reply) else { return };
    let answer = SeatAnswer { reservation: node.app.rooms.reserve(room, address) };
    if let Ok(answer) = serde_json::to_vec(&answer) {
        let _ = node.client.publish(reply, answer.into()).await;
    }
}

/// Says which of these accounts are connected here.
async fn tell_presence(node: &Node, message: Message) {
    let (Some(PresenceRequest { accounts }), Some(reply)) = (read(&message.payload), message.reply) else { return };
    let here = |account| presence::here(&node.app, account).map(|room| (account, room.map(|room| room.id())));
    let answer = PresenceAnswer { online: accounts.into_iter().filter_map(here).collect() };
    if let Ok(answer) = serde_json::to_vec(&answer) {
        let _ = node.client.publish(reply, answer.into()).await;
    }
}

async fn obey(node: &Node, message: &Message) {
    let (app, lobby) = (&node.app, &node.app.lobby);
    // After any other a client would come back at once.
    let for_good = |code| CloseCode::from_code(code).filter(|code| code.retry() == Retry::Manual);
    match read::<Control>(&message.payload) {
        Some(Control::Announce { text }) => {
            if let Ok(text) = Text::new(&text) {
                lobby.context.publish(Topic::Notices, None, Publication::Announcement(text));
            }
        }
        Some(Control::KickAccount { account, code }) => {
            if let Some(code) = for_good(code) {
                lobby.kick_account(account, code, &*app.rooms);
            }
        }
        Some(Control::KickName { name, code }) => {
            let session = Name::new(&name).ok().and_then(|name| lobby.sessions.find(&name));
            if let (Some(session), Some(code)) = (session, for_good(code)) {
                lobby.kick(session, code, &*app.rooms);
            }
        }
        Some(Control::EndNode { node: number }) if number == node.peers.node => app.asked_to_end.notify_one(),
        Some(Control::EndNode { .. }) => {}
        Some(Control::Moved { from, to }) => node.peers.view_mut().hear_moved(from, to),
        Some(Control::Account { account }) => node.changes.add(account),
        None => {}
    }
}
