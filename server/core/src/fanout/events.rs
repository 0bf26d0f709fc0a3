//! The events of a tick, indexed by recipient, so that a frame looks only at the events around its player: with 3,000 players a tick has
//! about a hundred.

use std::ops::Range;

use broadside_shared::game::Recipients;
use broadside_shared::ids::PlayerId;
use broadside_shared::replication::cells::{CellBlock, CellId};
use glam::Vec2;

use crate::room::SEATS_PER_EVENT;

/// World units beyond the view within which nearby events are sent.
const MARGIN: f32 = 64.0;

/// The recipient of a frame: a player with an area of interest.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventViewer {
    pub(super) player: PlayerId,
    /// Centre of the view, and its size, in world units.
    pub(super) focus: Vec2,
    pub(super) view: Vec2,
}

/// Which of a tick's events are still worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventScope {
    All,
    /// Events for the player or for the whole room, without those nearby.
    Addressed,
}

/// Indices of the events of one tick.
#[derive(Debug)]
pub(super) struct EventIndex {
    /// Start of each row of cells in `near`, and the end of the last. Rows are fine enough: a view covers a few of them, and a row holds
    /// two or three events.
    starts: [u32; CellId::ROWS + 2],
    near: Vec<(u32, Vec2)>,
    /// In order of player.
    of_player: Vec<(PlayerId, u32)>,
    of_room: Vec<u32>,
}

impl EventIndex {
    /// An empty index with capacity for a room of `seats` seats.
    pub(super) fn for_seats(seats: u16) -> Self {
        let capacity = usize::from(seats) / SEATS_PER_EVENT;
        EventIndex {
            starts: [0; CellId::ROWS + 2],
            near: Vec::with_capacity(capacity),
            of_player: Vec::with_capacity(capacity),
            of_room: Vec::with_capacity(capacity),
        }
    }

    /// Indexes the events of a tick in place of those of an earlier one.
    pub(super) fn sort(&mut self, events: &[(Recipients, Range<usize>)]) {
        self.starts.fill(0);
        self.near.clear();
        self.of_player.clear();
        self.of_room.clear();
        for (index, (recipients, _)) in (0u32..).zip(events) {
            match recipients {
                Recipients::Near(at) => self.starts[CellId::of(*at).row() + 2] += 1,
                Recipients::Player(player) => self.of_player.push((*player, index)),
                Recipients::Room => self.of_room.push(index),
            }
        }
        self.of_player.sort_unstable();
        // A counting sort whose counts are two rows further on: the sums below give the start of each row one further on, and filling
        // advances each to the start of the next row.
        for row in 1..self.starts.len() {
            self.starts[row] += self.starts[row - 1];
        }
        self.near.resize(self.starts[CellId::ROWS + 1] as usize, (0, Vec2::ZERO));
        for (index, (recipients, _)) in (0u32..).zip(events) {
            if let Recipients::Near(at) = recipients {
                let slot = &mut self.starts[CellId::of(*at).row() + 1];
                self.near[*slot as usize] = (index, *at);
                *slot += 1;
            }
        }
    }

    /// Appends the indices of the events for a viewer, the newest first.
    pub(super) fn append_for(&self, viewer: EventViewer, scope: EventScope, out: &mut Vec<u32>) {
        let from = out.len();
        if scope == EventScope::All {
            let reach = viewer.view * 0.5 + Vec2::splat(MARGIN);
            // A little more than the reach, against rounding.
            let rows = CellBlock::around(viewer.focus, reach * 2.0 + Vec2::ONE).rows();
            let near = self.starts[*rows.start()] as usize..self.starts[*rows.end() + 1] as usize;
            let seen = self.near[near].iter().filter(|(_, at)| (*at - viewer.focus).abs().cmple(reach).all());
            out.extend(seen.map(|(index, _)| *index));
        }
        let first = self.of_player.partition_point(|(player, _)| *player < viewer.player);
        let own = self.of_player[first..].iter().take_while(|(player, _)| *player == viewer.player);
        out.extend(own.map(|(_, index)| *index));
        out.extend_from_slice(&self.of_room);
        out[from..].sort_unstable_by(|a, b| b.cmp(a));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_gets_exactly_the_events_addressed_to_it_or_near_it() {
        let mut rng = fastrand::Rng::with_seed(31);
        let view = Vec2::new(1920.0, 1200.0);
        let mut index = EventIndex::for_seats(2000);
        for _ in 0..200 {
            let mut point = || Vec2::new(rng.f32() - 0.5, rng.f32() - 0.5) * 6000.0;
            let points: Vec<Vec2> = (0..100).map(|_| point()).collect();
            let focus = point();
            let recipients = |at: &Vec2| match rng.u8(0..10) {
                0 => Recipients::Player(PlayerId(rng.u16(0..4))),
                1 => Recipients::Room,
                2 => Recipients::Near(focus + view * 0.5 + Vec2::splat(64.0)),
                _ => Recipients::Near(*at),
            };
            let count = points.len();
            let events: Vec<(Recipients, Range<usize>)> = points.iter().map(recipients).map(|a| (a, 0..0)).collect();
            index.sort(&events[..rng.usize(0..=count)]);
            index.sort(&events);
            let viewer = EventViewer { player: PlayerId(2), focus, view };
            let mut found = vec![999];
            index.append_for(viewer, EventScope::All, &mut found);
            let is_for_viewer = |recipients: &Recipients| match recipients {
                Recipients::Near(at) => (*at - focus).abs().cmple(view * 0.5 + Vec2::splat(64.0)).all(),
                Recipients::Player(player) => *player == PlayerId(2),
                Recipients::Room => true,
            };
            let matching =
                (0u32..).zip(&events).filter(|(_, (recipients, _))| is_for_viewer(recipients)).map(|(index, _)| index);
            let mut expected: Vec<u32> = matching.collect();
            expected.reverse();
            assert_eq!(found[1..], expected);
            found.clear();
            index.append_for(viewer, EventScope::Addressed, &mut found);
            expected.retain(|index| !matches!(events[*index as usize].0, Recipients::Near(_)));
            assert_eq!(found, expected);
        }
    }
}
