//! The server context: the parts of the server that every room uses.

use std::net::IpAddr;
use std::sync::Arc;

use broadside_core::commands::{Hold, SenderId, ShardCommand};
use broadside_core::lobby::{AddressShare, SeatLimits};
use broadside_core::room_loop::RecordingPolicy;
use broadside_shared::protocol::message::Publication;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;

use super::results::ResultSink;
use crate::checkpoints::CheckpointSink;
use crate::clock::MonoClock;
use crate::inbox::Inbox;
use crate::limits::counted_as;
use crate::limits::holds::{AddressLimits, TooMuch, What};
use crate::metrics::Metrics;
use crate::metrics::labels::AddressLimit;
use crate::recordings::RecordingSink;
use crate::result_ids::ResultIds;
use crate::topics::Topics;

/// The parts of the server that every room uses.
#[derive(Clone)]
pub struct ServerContext {
    pub clock: MonoClock,
    pub metrics: Arc<Metrics>,
    /// The inboxes of the shards, by number.
    pub shards: Arc<[Inbox<ShardCommand>]>,
    pub limits: Arc<AddressLimits>,
    pub topics: Arc<Topics>,
    /// Where rooms leave the results of matches and stays.
    pub results: ResultSink,
    /// What is recorded of every room.
    pub recording: Option<RecordingPolicy>,
    /// Where rooms leave recordings.
    pub recordings: RecordingSink,
    /// Where rooms leave their state, for the server that goes on after a crash.
    pub checkpoints: CheckpointSink,
    /// How results are numbered.
    pub result_ids: ResultIds,
    /// Seconds for which the seat of a lost connection is kept.
    pub grace_s: u32,
    /// Seconds after which an ephemeral room ends, even with players in it.
    pub room_life_s: u32,
}

impl ServerContext {
    /// Publishes to all subscribers. Returns the time that the message carries.
    pub fn publish(&self, topic: Topic, from: Option<SenderId>, publication: Publication) -> MonoTime {
        let now = self.clock.now();
        self.topics.publish(topic, from, publication, now, |message| {
            for shard in self.shards.iter() {
                shard.send([ShardCommand::Published(Arc::clone(message))]);
            }
        });
        now
    }

    /// Counts the refusal of an address, and logs some of them.
    pub fn refused(&self, address: IpAddr, limit: AddressLimit) {
        self.metrics.address_refusals.of(limit).inc();
        if self.limits.is_news(self.clock.now()) {
            tracing::warn!(%address, ?limit, "address over its limit; --limit-per-address sets it, --limit-exempt lists load hosts, --trust-proxy names proxies");
        }
    }
}

impl SeatLimits for ServerContext {
    type Over = What;

    fn take(&self, address: IpAddr, share: AddressShare) -> Result<Hold, What> {
        let caps = self.limits.caps();
        let taken = match share {
            AddressShare::Seat { room, max } => self.limits.take(address, &caps.seat(room, max)),
            AddressShare::Spectator { room } => self.limits.take(address, &caps.spectator(room)),
            AddressShare::Queue { room } => self.limits.take(address, &[caps.in_queue(room)]),
            AddressShare::Parked => self.limits.take(address, &[caps.parked_seat()]),
        };
        taken.map_err(|TooMuch(what)| what)
    }

    fn refused(&self, address: IpAddr, over: What) {
        ServerContext::refused(self, address, over.label());
    }

    fn gave_up_parked(&self, address: IpAddr) {
        ServerContext::refused(self, address, AddressLimit::ParkedSeats);
    }

    fn counted_as(&self, address: IpAddr) -> IpAddr {
        counted_as(address)
    }
}
