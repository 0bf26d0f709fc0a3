//! The room that quick play picks.

/// The occupancy of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Players and reservations.
    pub taken: u32,
    pub capacity: u32,
    /// Requests in the join queue.
    pub waiting: u32,
}

impl Fill {
    /// Whether a new request gets a seat without waiting.
    #[must_use]
    pub fn has_room(self) -> bool {
        self.taken + self.waiting < self.capacity
    }
}

/// The room to join: the fullest with a free seat, for company; otherwise the one with the shortest join queue. Ties go to the lowest
/// number. `None` only if there are no rooms.
pub fn best<N: Ord + Copy>(rooms: impl Iterator<Item = (N, Fill)>) -> Option<(N, Fill)> {
    rooms.min_by_key(|(number, fill)| {
        let free = fill.capacity.saturating_sub(fill.taken);
        (!fill.has_room(), fill.waiting, free, *number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_room_with_a_free_seat_wins_then_the_shortest_join_queue() {
        let pick = |rooms: &[(u32, u32)]| {
            let fill = |(taken, waiting): &(u32, u32)| Fill { taken: *taken, capacity: 4, waiting: *waiting };
            best(rooms.iter().map(fill).enumerate()).map(|(at, _)| at)
        };
        assert_eq!(pick(&[]), None);
        assert_eq!(pick(&[(0, 0), (3, 0), (2, 0)]), Some(1));
        assert_eq!(pick(&[(4, 0), (0, 0)]), Some(1), "full is not best");
        assert_eq!(pick(&[(3, 1), (1, 0)]), Some(1), "the last seat is as good as taken");
        assert_eq!(pick(&[(4, 5), (4, 2), (4, 9)]), Some(1));
    }
}
