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
    /// Centre of the view, and its size, in cell units.
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

    const VIEW: Vec2 = Vec2::new(1920.0, 1200.0);

    fn events_for(events: &[Recipients], viewer: EventViewer, scope: EventScope) -> Vec<u32> {
        let mut index = EventIndex::for_seats(2000);
        let events: Vec<_> = events.iter().map(|recipients| (*recipients, 0..0)).collect();
        // The events of another tick are replaced.
        index.sort(&events[events.len() / 2..]);
        index.sort(&events);
        let mut found = vec![999];
        index.append_for(viewer, scope, &mut found);
        assert_eq!(found.remove(0), 999, "appended");
        found
    }

    #[test]
    fn a_viewer_gets_events_near_it_addressed_to_it_and_to_the_room_newest_first() {
        let near = |x: f32, y: f32| Recipients::Near(Vec2::new(x, y));
        // Half a view is 960 by 600, and 64 units beyond it count: around (100, -50) that is -924 to 1124 by -714 to 614.
        let viewer = EventViewer { player: PlayerId(2), focus: Vec2::new(100.0, -50.0), view: VIEW };
        let events = [
            (near(100.0, -50.0), true),
            (near(1124.0, 614.0), true),
            (near(-924.0, -714.0), true),
            (near(1124.5, 0.0), false),
            (near(-924.5, 0.0), false),
            (near(0.0, 614.5), false),
            (near(0.0, -714.5), false),
            (Recipients::Player(PlayerId(2)), true),
            (Recipients::Player(PlayerId(1)), false),
            (Recipients::Player(PlayerId(3)), false),
            (Recipients::Room, true),
            (near(-900.0, 600.0), true),
            (near(30_000.0, -30_000.0), false),
            (Recipients::Player(PlayerId(2)), true),
        ];
        let recipients = events.map(|(recipients, _)| recipients);
        let expected = [13, 11, 10, 7, 2, 1, 0];
        assert_eq!(events_for(&recipients, viewer, EventScope::All), expected);
        assert!(
            events.iter().enumerate().all(|(at, (_, is))| *is == expected.contains(&(at as u32))),
            "as marked above"
        );
        assert_eq!(events_for(&recipients, viewer, EventScope::Addressed), [13, 10, 7]);
        let elsewhere = EventViewer { player: PlayerId(9), focus: Vec2::new(-9_000.0, 9_000.0), view: VIEW };
        assert_eq!(events_for(&recipients, elsewhere, EventScope::All), [10]);
        assert_eq!(events_for(&[], viewer, EventScope::All), []);
    }

    #[test]
    fn nearby_events_are_those_in_a_rectangle_around_the_focus_wherever_that_is() {
        let mut rng = fastrand::Rng::with_seed(31);
        for _ in 0..200 {
            // Whole numbers, which floats hold exactly; up to the edge of the world and across all rows.
            let mut point = || (rng.i32(-32_000..32_000), rng.i32(-32_000..32_000));
            let (x, y) = point();
            let mut points: Vec<(i32, i32)> = (0..50).map(|_| point()).collect();
            points.extend((0..50).map(|_| (x + rng.i32(-1100..=1100), y + rng.i32(-740..=740))));
            let vec2 = |(x, y): (i32, i32)| Vec2::new(x as f32, y as f32);
            let events: Vec<Recipients> = points.iter().map(|point| Recipients::Near(vec2(*point))).collect();
            let viewer = EventViewer { player: PlayerId(2), focus: vec2((x, y)), view: VIEW };
            let is_seen =
                |(px, py): &(i32, i32)| (x - 1024..=x + 1024).contains(px) && (y - 664..=y + 664).contains(py);
            let seen = (0..).zip(&points).filter(|(_, point)| is_seen(point)).map(|(index, _)| index);
            let mut expected: Vec<u32> = seen.collect();
            expected.reverse();
            assert_eq!(events_for(&events, viewer, EventScope::All), expected);
        }
    }
}
