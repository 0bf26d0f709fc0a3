//! Seats kept for those who were promised one: for a while, and then free again.

use broadside_shared::time::MonoTime;

/// Seats kept in one room at the most; one more is not kept, and whoever shows it stands in line.
pub const RESERVED_MAX: usize = 64;

/// The seats kept in one room. `H` is dropped with each.
#[derive(Debug)]
pub struct Reservations<H> {
    kept: Vec<(u64, MonoTime, H)>,
}

impl<H> Default for Reservations<H> {
    fn default() -> Self {
        Reservations { kept: Vec::new() }
    }
}

impl<H> Reservations<H> {
    /// Keeps a seat until `until` for whoever shows this number.
    pub fn keep(&mut self, number: u64, until: MonoTime, held: H) {
        if self.kept.len() < RESERVED_MAX {
            self.kept.push((number, until, held));
        }
    }

    /// Somebody shows this number: whether a seat is kept for them. It is not any more.
    pub fn redeem(&mut self, number: u64) -> bool {
        let before = self.kept.len();
        self.kept.retain(|(kept, ..)| *kept != number);
        self.kept.len() < before
    }

    /// Lets go of those who did not come in time.
    pub fn expire(&mut self, now: MonoTime) {
        self.kept.retain(|(_, until, _)| *until > now);
    }

    /// Nobody could come for so many microseconds: all are kept as much longer.
    pub fn prolong(&mut self, us: u64) {
        self.kept.iter_mut().for_each(|(_, until, _)| *until = until.plus_us(us));
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_seat_is_given_once_to_whom_it_was_promised_and_is_free_when_its_time_is_over() {
        let mut reservations = Reservations::default();
        reservations.keep(7, MonoTime(100), ());
        reservations.keep(8, MonoTime(200), ());
        assert!(!reservations.redeem(9));
        reservations.expire(MonoTime(100));
        assert_eq!(reservations.len(), 1);
        reservations.prolong(50);
        reservations.expire(MonoTime(249));
        assert!(!reservations.redeem(7), "too late");
        assert!(reservations.redeem(8));
        assert!(!reservations.redeem(8), "only once");
        (0..1000).for_each(|number| reservations.keep(number, MonoTime(300), ()));
        assert_eq!(reservations.len(), RESERVED_MAX);
    }
}
