//! The events of a tick by whom they concern, so that a frame looks at those around its player and not at all of them: with 3,000
//! players there are a hundred in a tick.

use std::ops::Range;

use broadside_shared::game::Recipients;
use broadside_shared::ids::PlayerId;
use broadside_shared::replication::cells::{CellBlock, CellId};
use glam::Vec2;

use crate::room::SEATS_PER_EVENT;

/// World units beyond the view in which events are told of.
const MARGIN: f32 = 64.0;

/// Who sees which events: a player, where they look at, and how much they see of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    pub(super) player: PlayerId,
    pub(super) focus: Vec2,
    pub(super) view: Vec2,
}

/// What of a tick's events is still worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    All,
    /// What concerns the player, or everyone: not what happened nearby.
    Lasting,
}

/// Indices of the events of one tick.
#[derive(Debug)]
pub(super) struct EventIndex {
    /// Where the events of each row of cells begin in `near`, and where those of the last end. Rows are enough: a view is a
    /// few of them, and one holds two or three events.
    starts: [u32; CellId::ROWS + 2],
    near: Vec<(u32, Vec2)>,
    /// In order of player.
    of_player: Vec<(PlayerId, u32)>,
    of_room: Vec<u32>,
}

impl EventIndex {
    /// For a room with so many seats.
    pub(super) fn for_seats(seats: u16) -> Self {
        let room = usize::from(seats) / SEATS_PER_EVENT;
        EventIndex {
            starts: [0; CellId::ROWS + 2],
            near: Vec::with_capacity(room),
            of_player: Vec::with_capacity(room),
            of_room: Vec::with_capacity(room),
        }
    }

    /// Sorts the events of a tick, forgetting those of another.
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
        // Counted two rows further on: summing gives the start of each row one further on, and filling in moves it to that of
        // the next.
        for row in 1..self.starts.len() {
            self.starts[row] += self.starts[row - 1];
        }
        self.near.resize(self.starts[CellId::ROWS + 1] as usize, (0, Vec2::ZERO));
        for (index, (recipients, _)) in (0u32..).zip(events) {
            if let Recipients::Near(at) = recipients {
                let place = &mut self.starts[CellId::of(*at).row() + 1];
                self.near[*place as usize] = (index, *at);
                *place += 1;
            }
        }
    }

    /// Appends the indices of the events that concern a witness, the newest first.
    pub(super) fn concerning(&self, witness: Witness, news: News, out: &mut Vec<u32>) {
        let from = out.len();
        if news == News::All {
            let reach = witness.view * 0.5 + Vec2::splat(MARGIN);
            // A little more than the reach, against rounding.
            let rows = CellBlock::around(witness.focus, reach * 2.0 + Vec2::ONE).rows();
            let near = self.starts[*rows.start()] as usize..self.starts[*rows.end() + 1] as usize;
            let seen = self.near[near].iter().filter(|(_, at)| (*at - witness.focus).abs().cmple(reach).all());
            out.extend(seen.map(|(index, _)| *index));
        }
        let first = self.of_player.partition_point(|(player, _)| *player < witness.player);
        let own = self.of_player[first..].iter().take_while(|(player, _)| *player == witness.player);
        out.extend(own.map(|(_, index)| *index));
        out.extend_from_slice(&self.of_room);
        out[from..].sort_unstable_by(|a, b| b.cmp(a));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_told_of_what_concerns_them_and_of_nothing_else() {
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
            let witness = Witness { player: PlayerId(2), focus, view };
            let mut told = vec![999];
            index.concerning(witness, News::All, &mut told);
            let concerns = |recipients: &Recipients| match recipients {
                Recipients::Near(at) => (*at - focus).abs().cmple(view * 0.5 + Vec2::splat(64.0)).all(),
                Recipients::Player(player) => *player == PlayerId(2),
                Recipients::Room => true,
            };
            let concerned =
                (0u32..).zip(&events).filter(|(_, (recipients, _))| concerns(recipients)).map(|(index, _)| index);
            let mut expected: Vec<u32> = concerned.collect();
            expected.reverse();
            assert_eq!(told[1..], expected);
            told.clear();
            index.concerning(witness, News::Lasting, &mut told);
            expected.retain(|index| !matches!(events[*index as usize].0, Recipients::Near(_)));
            assert_eq!(told, expected);
        }
    }
}
