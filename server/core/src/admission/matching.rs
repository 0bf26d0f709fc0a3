//! Which of several rooms is best for someone who just wants to play. PURE.

/// What is known of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Players, and seats kept for others.
    pub taken: u32,
    /// Seats.
    pub capacity: u32,
    /// People in line for one.
    pub waiting: u32,
}

impl Fill {
    /// Whether someone who comes now is seated at once.
    #[must_use]
    pub fn has_room(self) -> bool {
        self.taken + self.waiting < self.capacity
    }
}

/// The room to join: the fullest in which there is a seat, for company; if there is none, the one with the shortest line; of equals the
/// one with the lowest number. `None` only if there are no rooms.
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
    fn the_fullest_with_a_seat_then_the_shortest_line() {
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
