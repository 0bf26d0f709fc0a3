//! How many bots a room gets.

use broadside_shared::game::BotFill;

/// The occupancy of a room.
#[derive(Debug, Clone, Copy)]
pub struct Occupancy {
    /// How bots fill rooms of its mode.
    pub bots: BotFill,
    /// Players without bots.
    pub people: u32,
    pub spectators: u32,
    /// People in the join queue, and reservations.
    pub coming: u32,
    pub capacity: u32,
    /// How long the number of people has been unchanged, in microseconds.
    pub steady_us: u64,
}

/// The number of bots for a room that the operator has filled up to `fill` players. A room without people or spectators gets none, and no
/// bot takes the seat of a person who is about to join.
#[must_use]
pub fn wanted(occupancy: Occupancy, fill: u32) -> u32 {
    let people = occupancy.people + occupancy.coming;
    if fill == 0 || occupancy.people + occupancy.spectators == 0 {
        return 0;
    }
    let target = match occupancy.bots {
        BotFill::Configured => fill,
        BotFill::UpTo { after_s, .. } if occupancy.steady_us < u64::from(after_s) * 1_000_000 => 0,
        BotFill::UpTo { players, .. } => players.into(),
        BotFill::Never => 0,
    };
    target.min(occupancy.capacity).saturating_sub(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_fill_rooms_and_make_way_for_people() {
        let many =
            Occupancy { bots: BotFill::Configured, people: 1, spectators: 0, coming: 0, capacity: 100, steady_us: 0 };
        assert_eq!(wanted(many, 8), 7);
        assert_eq!(wanted(many, 0), 0, "switched off");
        assert_eq!(wanted(Occupancy { people: 0, ..many }, 8), 0, "no one to play with them");
        assert_eq!(wanted(Occupancy { people: 0, spectators: 1, ..many }, 8), 8);
        assert_eq!(wanted(Occupancy { people: 6, coming: 1, ..many }, 8), 1);
        assert_eq!(wanted(Occupancy { people: 30, ..many }, 8), 0);
        assert_eq!(
            wanted(Occupancy { capacity: 4, coming: 2, ..many }, 8),
            1,
            "seats of people about to join stay free"
        );
        let two = Occupancy { bots: BotFill::UpTo { players: 2, after_s: 5 }, capacity: 2, ..many };
        assert_eq!(wanted(two, 8), 0, "a person may still join");
        let steady = Occupancy { steady_us: 5_000_000, ..two };
        assert_eq!(wanted(steady, 8), 1);
        assert_eq!(wanted(steady, 0), 0, "switched off");
        assert_eq!(wanted(Occupancy { coming: 1, ..steady }, 8), 0);
        assert_eq!(wanted(Occupancy { bots: BotFill::Never, ..steady }, 8), 0);
    }
}
