//! The nodes and rooms of a cluster as last heard of.
//!
//! A node counts as there while it has announced itself within [`LEASE_US`], by the clock of whoever looks, so that clocks that differ do no
//! harm. The rooms of a node that is not there are hidden, not dropped: it may be back, as after a pause.

use std::collections::BTreeMap;

use broadside_core::admission::matching::Fill;
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::message::Leader;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::MonoTime;

use super::records::{NodeRecord, RoomRecord};
use super::{NodeId, node_of_room};

/// How long a node counts as there since it was last heard of, in microseconds: three announcements may be lost.
pub const LEASE_US: u64 = 6_000_000;
/// How long a room is remembered that was not announced again: its node announces everything three times as often.
pub const ROOM_KEPT_US: u64 = 90_000_000;
/// Most rooms that are remembered; further ones are not shown, and counted. At 0.8 kB each, as in BENCHMARKS, they take 170 MB.
const ROOMS_MAX: usize = 200_000;
/// How long a node is remembered that is not there.
const NODE_KEPT_US: u64 = 600_000_000;

/// A node that was heard of.
#[derive(Debug, Clone)]
pub struct Known {
    pub record: NodeRecord,
    pub heard_at: MonoTime,
    pub leaders: Vec<Leader>,
}

impl Known {
    /// Whether clients of this build can talk to it.
    #[must_use]
    pub fn speaks_alike(&self) -> bool {
        self.record.revision == REVISION
    }

    /// Whether clients of this build can be sent there.
    #[must_use]
    pub fn lets_in(&self) -> bool {
        self.speaks_alike() && !self.record.draining
    }

    fn is_there(&self, now: MonoTime) -> bool {
        now.us_since(self.heard_at) <= LEASE_US
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct View {
    nodes: BTreeMap<NodeId, Known>,
    rooms: BTreeMap<RoomId, (RoomRecord, MonoTime)>,
    codes: BTreeMap<String, RoomId>,
    /// Where the rooms and sessions of nodes that have ended are.
    moved: BTreeMap<NodeId, NodeId>,
}

impl View {
    /// A node has announced itself.
    pub fn hear_node(&mut self, record: NodeRecord, now: MonoTime) {
        let leader = |(name, room, score): &(String, u32, i32)| {
            Some(Leader { name: Name::new(name).ok()?, room: RoomId(*room), score: *score })
        };
        let leaders = record.leaders.iter().filter_map(leader).collect();
        // What it opens from here on is there.
        self.moved.remove(&record.node);
        self.nodes.insert(record.node, Known { record, heard_at: now, leaders });
    }

    /// A node has said that it ends, or the engine that its lease is over.
    pub fn lose_node(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }

    /// The rooms and sessions of a node that has ended are on another one.
    pub fn hear_moved(&mut self, from: NodeId, to: NodeId) {
        self.lose_node(from);
        self.moved.insert(from, to);
    }

    /// The node on which the rooms and sessions of a node are that are not there: those of one that has moved may have moved again.
    #[must_use]
    pub fn moved_to(&self, node: NodeId) -> NodeId {
        let mut at = node;
        for _ in 0..self.moved.len() {
            let Some(next) = self.moved.get(&at) else { break };
            at = *next;
        }
        at
    }

    /// A node has announced a room. False if there are too many: it is not remembered.
    pub fn hear_room(&mut self, room: RoomId, record: RoomRecord, now: MonoTime) -> bool {
        self.lose_room(room);
        if self.rooms.len() >= ROOMS_MAX {
            return false;
        }
        if let Some(code) = &record.code {
            self.codes.insert(code.clone(), room);
        }
        self.rooms.insert(room, (record, now));
        true
    }

    /// A room has ended.
    pub fn lose_room(&mut self, room: RoomId) {
        let lost = self.rooms.remove(&room);
        // Another room may have the code by now.
        if let Some(code) = lost.and_then(|(record, _)| record.code).filter(|code| self.codes.get(code) == Some(&room))
        {
            self.codes.remove(&code);
        }
    }

    /// Forgets what was not heard of for long.
    pub fn sweep(&mut self, now: MonoTime) {
        self.nodes.retain(|_, known| now.us_since(known.heard_at) <= NODE_KEPT_US);
        let old = |heard_at: &MonoTime| now.us_since(*heard_at) > ROOM_KEPT_US;
        let over: Vec<RoomId> = self.rooms.iter().filter(|(_, (_, at))| old(at)).map(|(room, _)| *room).collect();
        over.into_iter().for_each(|room| self.lose_room(room));
    }

    /// The node, while it is there.
    #[must_use]
    pub fn node(&self, node: NodeId, now: MonoTime) -> Option<&Known> {
        self.nodes.get(&node).filter(|known| known.is_there(now))
    }

    /// The nodes that are there, in order of number.
    pub fn nodes(&self, now: MonoTime) -> impl Iterator<Item = &Known> {
        self.nodes.values().filter(move |known| known.is_there(now))
    }

    /// Every node that was heard of lately, with whether it is there.
    pub fn all_nodes(&self, now: MonoTime) -> impl Iterator<Item = (&Known, bool)> {
        self.nodes.values().map(move |known| (known, known.is_there(now)))
    }

    /// The room that was announced with this hash of its code.
    #[must_use]
    pub fn with_code(&self, hash: &str) -> Option<RoomId> {
        self.codes.get(hash).copied()
    }

    /// The room, while its node is there.
    #[must_use]
    pub fn room(&self, room: RoomId, now: MonoTime) -> Option<&RoomRecord> {
        let (record, _) = self.rooms.get(&room)?;
        self.owner(room, record, now).map(|_| record)
    }

    /// The mode of a public room that is remembered, whether or not its node is there.
    #[must_use]
    pub fn mode_of(&self, room: RoomId) -> Option<ModeId> {
        self.rooms.get(&room).filter(|(record, _)| record.code.is_none()).map(|(record, _)| ModeId(record.mode))
    }

    /// The node of a room, while it is there.
    fn owner(&self, room: RoomId, record: &RoomRecord, now: MonoTime) -> Option<&Known> {
        self.node(node_of_room(room), now).filter(|known| known.record.epoch == record.epoch)
    }

    /// The public rooms of nodes that are there, in order of number.
    pub fn rooms(&self, now: MonoTime) -> impl Iterator<Item = (RoomId, &RoomRecord)> {
        let public = self.rooms.iter().filter(|(_, (record, _))| record.code.is_none());
        let public = public.map(|(room, (record, _))| (*room, record));
        public.filter(move |(room, record)| self.owner(*room, record, now).is_some())
    }

    /// The public rooms of a mode on nodes of a region that let players in, with how full they are and where.
    pub fn public_rooms<'a>(
        &'a self,
        mode: ModeId,
        region: &'a str,
        now: MonoTime,
    ) -> impl Iterator<Item = (RoomId, Fill, &'a str)> {
        self.rooms.iter().filter_map(move |(room, (record, _))| {
            if record.mode != mode.0 || record.code.is_some() {
                return None;
            }
            let known = self.owner(*room, record, now)?;
            let fill = Fill { taken: record.taken, capacity: record.capacity, waiting: record.waiting };
            (known.lets_in() && known.record.region == region).then_some((*room, fill, &*known.record.url))
        })
    }

    /// How many rooms are remembered.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_hidden_while_their_node_is_silent_and_back_with_it() {
        let mut view = View::default();
        let (room, record) = (RoomId(2 << 20 | 5), RoomRecord { capacity: 4, ..RoomRecord::default() });
        view.hear_node(NodeRecord::of(2, "wss://n2.example", "eu"), MonoTime(0));
        view.hear_room(room, record, MonoTime(0));
        let shown = |view: &View, us| (view.rooms(MonoTime(us)).count(), view.room(room, MonoTime(us)).is_some());
        assert_eq!((shown(&view, LEASE_US), shown(&view, LEASE_US + 1)), ((1, true), (0, false)));
        view.hear_node(NodeRecord::of(2, "wss://n2.example", "eu"), MonoTime(9_000_000));
        assert_eq!(shown(&view, 9_000_001), (1, true));
        view.sweep(MonoTime(ROOM_KEPT_US + 1));
        assert_eq!(view.room_count(), 0, "nobody announced it again");
    }

    #[test]
    fn nobody_is_sent_to_a_node_that_drains_or_speaks_another_revision() {
        let mut view = View::default();
        let there = NodeRecord::of(2, "wss://n2.example", "eu");
        view.hear_room(RoomId(2 << 20 | 1), RoomRecord::default(), MonoTime(0));
        for (record, count) in [
            (there.clone(), 1),
            (NodeRecord { draining: true, ..there.clone() }, 0),
            (NodeRecord { revision: REVISION + 1, ..there }, 0),
        ] {
            view.hear_node(record, MonoTime(0));
            assert_eq!(view.public_rooms(ModeId(0), "eu", MonoTime(0)).count(), count);
        }
    }
}
