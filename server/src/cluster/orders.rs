//! What this node asks of others, and tells them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Request};
use broadside_core::commands::{Destination, Placement};
use broadside_core::lobby::DirectMessage;
use broadside_shared::ids::{AccountId, RoomId};
use broadside_shared::protocol::message::{Outcome, Publication, Refusal};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::RoomChoice;
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::{Node, Stay};
use crate::peers::records::{DirectRequest, PresenceAnswer, PresenceRequest, SaidRecord, SeatAnswer, SeatRequest};
use crate::peers::{Order, node_of_room};

/// How long one node is waited for.
const ANSWERED_WITHIN: Duration = Duration::from_millis(500);
/// Requests that wait for an answer at once; further ones are answered as if nobody had answered.
const AT_ONCE: usize = 256;

/// Refuses orders until something has happened: nobody can be asked.
pub(super) async fn refuse_until(orders: &mut Receiver<Order>, until: impl Future<Output = ()>) {
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            // The lobby holds a sender as long as the server runs.
            Some(order) = orders.recv() => refuse(order),
        }
    }
}

fn refuse(order: Order) {
    match order {
        Order::Reserve { answer, .. } => answer(Placement::Here),
        Order::Direct { answer, .. } => answer(Outcome::Refused(Refusal::NoSuchPlayer)),
        Order::Presence { answer, .. } => answer(PresenceAnswer::default()),
        // Whoever is not there does not hear it; what counts for ever is in the database.
        Order::Say(..) | Order::Control(_) => {}
    }
}

/// Works orders off, one after the other; those that wait for an answer wait beside.
pub(super) async fn work_off(node: &Node, orders: &mut Receiver<Order>) -> Stay {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(order) = orders.recv().await {
        let asks = !matches!(order, Order::Say(..) | Order::Control(_));
        let slot = if asks { Arc::clone(&slots).try_acquire_owned().ok() } else { None };
        if asks && slot.is_none() {
            node.peers.counts.orders_dropped.fetch_add(1, Ordering::Relaxed);
            refuse(order);
            continue;
        }
        let (client, prefix) = (node.client.clone(), node.prefix.clone());
        match order {
            Order::Say(sender, Publication::Said { from, text }) => {
                let (from, text) = (from.as_str().to_owned(), text.as_str().to_owned());
                publish(node, "chat", &SaidRecord { sender, from, text }).await?;
            }
            Order::Say(..) => {}
            Order::Control(control) => publish(node, "control", &control).await?,
            Order::Reserve { rooms, address, answer } => {
                tokio::spawn(async move {
                    let _slot = slot;
                    answer(seat(&client, &prefix, rooms, SeatRequest { room: RoomId(0), address }).await);
                });
            }
            Order::Presence { accounts, answer } => {
                let nodes = node.peers.view().nodes(node.app.lobby.context.clock.now()).count();
                tokio::spawn(async move {
                    let _slot = slot;
                    answer(presence(&client, format!("{prefix}.presence"), accounts, nodes).await.unwrap_or_default());
                });
            }
            Order::Direct { to, direct, answer } => {
                tokio::spawn(async move {
                    let _slot = slot;
                    answer(send_direct(&client, &prefix, &to, &direct).await);
                });
            }
        }
    }
    // The lobby holds a sender as long as the server runs.
    std::future::pending().await
}

async fn publish(node: &Node, what: &str, record: &impl serde::Serialize) -> anyhow::Result<()> {
    let payload = serde_json::to_vec(record)?;
    node.client.publish(node.subject(what), payload.into()).await.context("cannot publish")
}

/// A seat in the first of these rooms whose node has one free.
async fn seat(client: &Client, prefix: &str, rooms: Vec<(RoomId, String)>, request: SeatRequest) -> Placement {
    for (room, url) in rooms {
        let subject = format!("{prefix}.seat.{}", node_of_room(room));
        let Some(SeatAnswer { reservation: Some(reservation) }) =
            ask(client, subject, &SeatRequest { room, ..request }).await
        else {
            continue;
        };
        return Placement::Elsewhere(Destination { url, choice: RoomChoice::Reserved { room, reservation } });
    }
    Placement::Here
}

async fn ask(client: &Client, subject: String, request: &SeatRequest) -> Option<SeatAnswer> {
    let payload = serde_json::to_vec(request).ok()?;
    let request = Request::new().payload(payload.into()).timeout(Some(ANSWERED_WITHIN));
    let answer = client.send_request(subject, request).await.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

/// Asks all nodes, and waits until so many have answered, or long enough.
async fn presence(
    client: &Client,
    subject: String,
    accounts: Vec<AccountId>,
    nodes: usize,
) -> anyhow::Result<PresenceAnswer> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?.take(nodes);
    client.publish_with_reply(subject, inbox, serde_json::to_vec(&PresenceRequest { accounts })?.into()).await?;
    let mut all = PresenceAnswer::default();
    let gather = async {
        while let Some(answer) = answers.next().await {
            if let Ok(PresenceAnswer { online }) = serde_json::from_slice(&answer.payload) {
                all.online.extend(online);
            }
        }
    };
    // What has come by then counts.
    let _ = tokio::time::timeout(ANSWERED_WITHIN, gather).await;
    Ok(all)
}

async fn send_direct(client: &Client, prefix: &str, to: &Name, direct: &DirectMessage) -> Outcome {
    let [to, from, text] = [to.as_str(), direct.from.as_str(), direct.text.as_str()].map(str::to_owned);
    let record = DirectRequest { to, from, sender: direct.sender, text };
    let Ok(payload) = serde_json::to_vec(&record) else { return Outcome::Refused(Refusal::NoSuchPlayer) };
    let request = Request::new().payload(payload.into()).timeout(Some(ANSWERED_WITHIN));
    match client.send_request(format!("{prefix}.direct"), request).await {
        Ok(_) => Outcome::Done,
        // Nobody has the player, or nobody is there.
        Err(_) => Outcome::Refused(Refusal::NoSuchPlayer),
    }
}
