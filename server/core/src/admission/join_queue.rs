//! Who waits for a seat: first come, first seated, a few at a time, so that a thousand who come at once delay no tick.

use std::collections::VecDeque;

/// Seats given in one tick while there is time to spare: 480 a second at 60 Hz. A newcomer costs keyframes of a whole view and the
/// names of everyone.
const SEATED_PER_TICK: u32 = 8;
/// Seats given in one tick while far cells are thinned out because the machine is short of time.
const SEATED_PER_PRESSED_TICK: u32 = 4;
/// Seats given in one tick while even the rate of snapshots has fallen: 60 a second.
const SEATED_PER_BAD_TICK: u32 = 1;
/// Those who wait at the most; one more is refused.
pub const WAITING_MAX: usize = 10_000;
/// Every how many ticks those who wait are told their position: twice a second at 60 Hz.
const NOTIFIED_EVERY: u32 = 30;

/// The queue of one room. `T` is whatever its owner knows them by.
#[derive(Debug)]
pub struct JoinQueue<T> {
    waiting: VecDeque<T>,
    /// How many at the end have not been told their position yet.
    unnotified: usize,
    ticks: u32,
}

impl<T> Default for JoinQueue<T> {
    fn default() -> Self {
        JoinQueue { waiting: VecDeque::new(), unnotified: 0, ticks: 0 }
    }
}

impl<T> JoinQueue<T> {
    /// Puts someone at the end; gives them back when the queue is as long as it may be.
    ///
    /// # Errors
    /// The one who found no position.
    pub fn push(&mut self, who: T) -> Result<u32, T> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(who);
        }
        self.waiting.push_back(who);
        self.unnotified += 1;
        Ok(self.waiting.len() as u32)
    }

    /// How many may be seated in this tick, with `free` seats and everyone stepped down to `level`. Call it once a tick.
    pub fn admitted(&mut self, free: u32, level: u8) -> u32 {
        self.ticks = self.ticks.wrapping_add(1);
        let pace = match level {
            0 => SEATED_PER_TICK,
            1 | 2 => SEATED_PER_PRESSED_TICK,
            _ => SEATED_PER_BAD_TICK,
        };
        pace.min(free).min(self.waiting.len() as u32)
    }

    /// The next one, who leaves the queue.
    pub fn pop(&mut self) -> Option<T> {
        let next = self.waiting.pop_front();
        self.unnotified = self.unnotified.min(self.waiting.len());
        next
    }

    /// Puts the one back who was just taken out.
    pub fn push_front(&mut self, who: T) {
        self.waiting.push_front(who);
    }

    /// Takes everyone out who is meant: they went away.
    pub fn remove(&mut self, meant: impl Fn(&T) -> bool) {
        self.waiting.retain(|who| !meant(who));
        self.unnotified = self.unnotified.min(self.waiting.len());
    }

    /// Everyone who waits, the next one first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter()
    }

    /// Everyone who waits, to change what they are known by.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.waiting.iter_mut()
    }

    /// Those to be told their position now, 1 being the next: who has just come, and twice a second everyone.
    pub fn to_notify(&self) -> impl Iterator<Item = (u32, &T)> {
        let everyone = self.ticks.is_multiple_of(NOTIFIED_EVERY);
        let from = if everyone { 0 } else { self.waiting.len() - self.unnotified };
        (1..).zip(&self.waiting).skip(from)
    }

    /// Everyone was told. Gives how many of them were new.
    pub fn mark_notified(&mut self) -> usize {
        std::mem::take(&mut self.unnotified)
    }

    /// Whether somebody who waits is meant.
    #[must_use]
    pub fn any(&self, meant: impl Fn(&T) -> bool) -> bool {
        self.waiting.iter().any(meant)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_who_come_at_once_are_seated_in_order_within_about_two_seconds() {
        let mut queue = JoinQueue::default();
        (0..1000).for_each(|who| assert_eq!(queue.push(who), Ok(who + 1)));
        let (mut seated, mut ticks) = (Vec::new(), 0);
        while !queue.is_empty() {
            ticks += 1;
            let admitted = queue.admitted(5000, 0);
            assert!(admitted <= SEATED_PER_TICK);
            seated.extend((0..admitted).filter_map(|_| queue.pop()));
        }
        assert!(seated.iter().copied().eq(0..1000));
        assert!(ticks <= 126, "{ticks} ticks at 60 Hz");
    }

    #[test]
    fn the_place_counts_down_as_those_in_front_are_seated_or_go() {
        let mut queue = JoinQueue::default();
        for who in 0..40 {
            queue.push(who).expect("room in the queue");
        }
        let mut places = Vec::new();
        for tick in 0..120 {
            for _ in 0..u32::from(tick % 4 == 3).min(queue.admitted(1, 1)) {
                queue.pop();
            }
            queue.remove(|who| *who == 30);
            places.extend(queue.to_notify().filter(|(_, who)| **who == 39).map(|(position, _)| position));
            queue.mark_notified();
        }
        assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
        assert_eq!((places.first(), places.len()), (Some(&39), 5), "at once, then twice a second: {places:?}");
    }

    #[test]
    fn nobody_is_seated_where_no_seat_is_free_and_the_line_has_an_end() {
        let mut queue = JoinQueue::default();
        for who in 0..WAITING_MAX {
            queue.push(who).expect("room in the queue");
        }
        assert_eq!(queue.push(7), Err(7));
        assert_eq!(queue.admitted(0, 0), 0);
    }
}
