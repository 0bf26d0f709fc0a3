//! How many bots a room gets.

use broadside_shared::protocol::room::Mode;

/// Time that a player waits alone for an opponent before a bot joins, in microseconds.
const ALONE_US: u64 = 5_000_000;

/// The occupancy of a room.
#[derive(Debug, Clone, Copy)]
pub struct Occupancy {
    pub mode: Mode,
    /// Players without bots.
    pub people: u32,
    pub spectators: u32,
    /// People in the join queue, and reservations.
    pub coming: u32,
    pub capacity: u32,
    /// How long the number of people has been unchanged, in microseconds.
    pub steady_us: u64,
}

/// The number of bots for a room that is filled up to `fill` players. A room without people or spectators gets none, and no bot takes the
/// seat of a person who is about to join. A duel waits for a second person for a while.
#[must_use]
pub fn wanted(occupancy: Occupancy, fill: u32) -> u32 {
    let people = occupancy.people + occupancy.coming;
    if fill == 0 || occupancy.people + occupancy.spectators == 0 {
        return 0;
    }
    let target = match occupancy.mode {
        Mode::Open | Mode::Teams => fill,
        Mode::Duel if occupancy.steady_us < ALONE_US => 0,
        Mode::Duel => 2,
    };
    target.min(occupancy.capacity).saturating_sub(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_fill_rooms_and_make_way_for_people() {
        let arena = Occupancy { mode: Mode::Open, people: 1, spectators: 0, coming: 0, capacity: 100, steady_us: 0 };
        assert_eq!(wanted(arena, 8), 7);
        assert_eq!(wanted(arena, 0), 0, "switched off");
        assert_eq!(wanted(Occupancy { people: 0, ..arena }, 8), 0, "no one to play with them");
        assert_eq!(wanted(Occupancy { people: 0, spectators: 1, ..arena }, 8), 8);
        assert_eq!(wanted(Occupancy { people: 6, coming: 1, ..arena }, 8), 1);
        assert_eq!(wanted(Occupancy { people: 30, ..arena }, 8), 0);
        assert_eq!(
            wanted(Occupancy { capacity: 4, coming: 2, ..arena }, 8),
            1,
            "seats of people about to join stay free"
        );
        let duel = Occupancy { mode: Mode::Duel, capacity: 2, ..arena };
        assert_eq!(wanted(duel, 8), 0, "a person may still join");
        assert_eq!(wanted(Occupancy { steady_us: ALONE_US, ..duel }, 8), 1);
        assert_eq!(wanted(Occupancy { steady_us: ALONE_US, coming: 1, ..duel }, 8), 0);
    }
}
