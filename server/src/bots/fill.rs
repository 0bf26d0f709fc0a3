//! How many bots a room wants. PURE.

use broadside_shared::protocol::room::Mode;

/// Time that somebody waits alone for an opponent before a bot comes, in microseconds.
const ALONE_US: u64 = 5_000_000;

/// TeamLabel is in a room.
#[derive(Debug, Clone, Copy)]
pub struct Occupancy {
    /// Its rules.
    pub mode: Mode,
    /// People who play.
    pub people: u32,
    /// People who only watch.
    pub spectators: u32,
    /// People in line, and seats kept for some.
    pub coming: u32,
    /// Seats.
    pub capacity: u32,
    /// How long it has been as it is, in microseconds.
    pub steady_us: u64,
}

/// How many bots should be there, if a room is filled up to `fill` players: none where nobody sees them, none that takes the seat of
/// somebody who comes; and a duel is left to people for a while.
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
    fn bots_fill_up_for_company_and_make_way_for_people() {
        let arena = Occupancy { mode: Mode::Open, people: 1, spectators: 0, coming: 0, capacity: 100, steady_us: 0 };
        assert_eq!(wanted(arena, 8), 7);
        assert_eq!(wanted(arena, 0), 0, "switched off");
        assert_eq!(wanted(Occupancy { people: 0, ..arena }, 8), 0, "nobody to see them");
        assert_eq!(wanted(Occupancy { people: 0, spectators: 1, ..arena }, 8), 8);
        assert_eq!(wanted(Occupancy { people: 6, coming: 1, ..arena }, 8), 1);
        assert_eq!(wanted(Occupancy { people: 30, ..arena }, 8), 0);
        assert_eq!(
            wanted(Occupancy { capacity: 4, coming: 2, ..arena }, 8),
            1,
            "the seats of those who come are theirs"
        );
        let duel = Occupancy { mode: Mode::Duel, capacity: 2, ..arena };
        assert_eq!(wanted(duel, 8), 0, "somebody may come");
        assert_eq!(wanted(Occupancy { steady_us: ALONE_US, ..duel }, 8), 1);
        assert_eq!(wanted(Occupancy { steady_us: ALONE_US, coming: 1, ..duel }, 8), 0);
    }
}
