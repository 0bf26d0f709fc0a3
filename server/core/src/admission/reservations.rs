//! Seats that a room keeps for a while for the holder of a number.

use broadside_shared::time::MonoTime;

/// Reservations of one room; a further one is not kept, and its holder goes through the join queue.
pub const RESERVED_MAX: usize = 64;

/// The reservations of one room. `H` is held as long as the reservation.
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
    /// Keeps a seat until `until` for the holder of this number.
    pub fn keep(&mut self, number: u64, until: MonoTime, held: H) {
        if self.kept.len() < RESERVED_MAX {
            self.kept.push((number, until, held));
        }
    }

    /// Removes the reservation with this number. Returns whether there was one.
    pub fn redeem(&mut self, number: u64) -> bool {
        let before = self.kept.len();
        self.kept.retain(|(kept, ..)| *kept != number);
        self.kept.len() < before
    }

    /// Drops the reservations whose time is over.
    pub fn expire(&mut self, now: MonoTime) {
        self.kept.retain(|(_, until, _)| *until > now);
    }

    /// Keeps all reservations `us` microseconds longer: for that long the room could not seat their holders.
    pub fn prolong(&mut self, us: u64) {
        self.kept.iter_mut().for_each(|(_, until, _)| *until = until.plus_us(us));
    }

    /// Numbers and times, to keep them in another server.
    pub fn iter(&self) -> impl Iterator<Item = (u64, MonoTime)> {
        self.kept.iter().map(|(number, until, _)| (*number, *until))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_redeemed_once_and_only_before_its_time_is_over() {
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
