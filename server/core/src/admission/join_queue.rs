//! The join queue: first come, first served, a few per tick, so that a thousand joins at once delay no tick.

use std::collections::{BTreeMap, VecDeque};

use broadside_shared::time::ticks_of_ms;

use crate::commands::SessionId;

/// Seats given per tick at full service: 480 a second at 60 Hz. A new player costs keyframes of a whole view and the names of all
/// players.
const SEATED_PER_TICK: u32 = 8;
/// Seats given per tick while the governor has far cells updated less often.
const SEATED_PER_PRESSED_TICK: u32 = 4;
/// Seats given per tick while the governor has lowered the snapshot rate too: 60 a second at 60 Hz.
const SEATED_PER_BAD_TICK: u32 = 1;
/// Requests in one queue; a further one is refused.
pub const WAITING_MAX: usize = 10_000;
/// Milliseconds between two notifications of everyone's position.
const NOTIFIED_EVERY_MS: u32 = 500;
/// For how long a queue that was saved keeps its places, in milliseconds: clients are back within about four seconds.
const PLACES_KEPT_MS: u32 = 5_000;

/// The join queue of one room; `T` is a request.
#[derive(Debug)]
pub struct JoinQueue<T> {
    waiting: VecDeque<Waiting<T>>,
    /// Sessions that waited in the queue that this one goes on from, and did not ask again yet, with their places. Until all have, or
    /// their time is over, nobody is admitted.
    places: BTreeMap<SessionId, u32>,
    /// Ticks for which the places are kept.
    places_kept: u32,
    /// Number of requests at the end that were not notified of their position yet.
    unnotified: usize,
    ticks: u32,
    /// Ticks between two notifications of everyone's position.
    notified_every: u32,
}

#[derive(Debug)]
struct Waiting<T> {
    /// Its place in the queue that this one goes on from; [`NEW`] for a request that was not there.
    place: u32,
    session: SessionId,
    request: T,
}

/// The place of requests that came after the queue was saved.
const NEW: u32 = u32::MAX;

impl<T> JoinQueue<T> {
    /// The empty queue of a room with this many ticks per second.
    #[must_use]
    pub fn new(tick_hz: u32) -> Self {
        let notified_every = ticks_of_ms(tick_hz, NOTIFIED_EVERY_MS);
        JoinQueue {
            waiting: VecDeque::new(),
            places: BTreeMap::new(),
            places_kept: ticks_of_ms(tick_hz, PLACES_KEPT_MS),
            unnotified: 0,
            ticks: 0,
            notified_every,
        }
    }

    /// Keeps places for these sessions, the next one first, of a queue that was saved; at most [`WAITING_MAX`].
    pub fn keep_places(&mut self, sessions: impl IntoIterator<Item = SessionId>) {
        self.places = sessions.into_iter().take(WAITING_MAX).zip(0..).collect();
    }

    /// The sessions that have a place, the next one first, for a queue that goes on from this one; of requests only those that count.
    pub fn places(&self, counts: impl Fn(&T) -> bool) -> Vec<SessionId> {
        let absent = self.places.iter().map(|(session, place)| (*place, *session));
        let mut all: Vec<_> = self
            .waiting
            .iter()
            .filter(|waiting| counts(&waiting.request))
            .map(|waiting| (waiting.place, waiting.session))
            .chain(absent)
            .collect();
        // Stable: those without a place are in order already.
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, session)| session).collect()
    }

    /// Appends a request, or puts it where its session waited before the queue was saved. Returns its position, 1 being the next.
    ///
    /// # Errors
    /// The request, when the queue holds [`WAITING_MAX`].
    pub fn push(&mut self, session: SessionId, request: T) -> Result<u32, T> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(request);
        }
        let place = self.places.remove(&session).unwrap_or(NEW);
        let at = self.waiting.partition_point(|waiting| waiting.place <= place);
        // Whoever is put in front of requests that were notified learns it with all others, within half a second.
        self.unnotified += usize::from(at + self.unnotified >= self.waiting.len());
        self.waiting.insert(at, Waiting { place, session, request });
        Ok(at as u32 + 1)
    }

    /// How many requests may get a seat in this tick, with `free` seats and the room at this level of service. Call it once per tick.
    pub fn admitted(&mut self, free: u32, level: u8) -> u32 {
        self.ticks = self.ticks.wrapping_add(1);
        if !self.places.is_empty() {
            if self.ticks < self.places_kept {
                return 0;
            }
            self.places.clear();
        }
        let pace = match level {
            0 => SEATED_PER_TICK,
            1 | 2 => SEATED_PER_PRESSED_TICK,
            _ => SEATED_PER_BAD_TICK,
        };
        pace.min(free).min(self.waiting.len() as u32)
    }

    /// Takes the next request.
    pub fn pop(&mut self) -> Option<T> {
        let next = self.waiting.pop_front()?;
        self.unnotified = self.unnotified.min(self.waiting.len());
        Some(next.request)
    }

    /// Puts back the request that was just taken.
    pub fn push_front(&mut self, session: SessionId, request: T) {
        self.waiting.push_front(Waiting { place: 0, session, request });
    }

    /// Removes the requests for which `is_gone` returns true.
    pub fn remove(&mut self, is_gone: impl Fn(&T) -> bool) {
        self.waiting.retain(|waiting| !is_gone(&waiting.request));
        self.unnotified = self.unnotified.min(self.waiting.len());
    }

    /// The requests, the next one first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.request)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.waiting.iter_mut().map(|waiting| &mut waiting.request)
    }

    /// The requests to notify of their position now, 1 being the next: new ones on every tick, all twice a second.
    pub fn to_notify(&self) -> impl Iterator<Item = (u32, &T)> {
        let all = self.ticks.is_multiple_of(self.notified_every);
        let from = if all { 0 } else { self.waiting.len() - self.unnotified };
        (1..).zip(self.iter()).skip(from)
    }

    /// Marks the requests of [`JoinQueue::to_notify`] as notified. Returns how many of them were new.
    pub fn mark_notified(&mut self) -> usize {
        std::mem::take(&mut self.unnotified)
    }

    #[must_use]
    pub fn any(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.iter().any(matches)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_joins_at_once_are_seated_in_order_within_about_two_seconds() {
        let mut queue = JoinQueue::new(60);
        (0..1000).for_each(|request| assert_eq!(queue.push(request.into(), request), Ok(request + 1)));
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
    fn the_position_counts_down_as_requests_in_front_are_seated_or_cancelled() {
        let mut queue = JoinQueue::new(60);
        for request in 0..40 {
            queue.push(request, request).expect("space in the queue");
        }
        let mut positions = Vec::new();
        for tick in 0..120 {
            for _ in 0..u32::from(tick % 4 == 3).min(queue.admitted(1, 1)) {
                queue.pop();
            }
            queue.remove(|request| *request == 30);
            positions.extend(queue.to_notify().filter(|(_, request)| **request == 39).map(|(position, _)| position));
            queue.mark_notified();
        }
        assert!(positions.is_sorted_by(|a, b| a > b), "{positions:?}");
        assert_eq!((positions.first(), positions.len()), (Some(&39), 5), "at once, then twice a second: {positions:?}");
    }

    #[test]
    fn no_request_is_admitted_without_a_free_seat_and_the_queue_is_bounded() {
        let mut queue = JoinQueue::new(60);
        for request in 0..WAITING_MAX as u64 {
            queue.push(request, request).expect("space in the queue");
        }
        assert_eq!(queue.push(7, 7), Err(7));
        assert_eq!(queue.admitted(0, 0), 0);
    }

    #[test]
    fn a_queue_that_goes_on_admits_in_the_order_of_the_saved_one_once_all_are_back_or_their_time_is_over() {
        let resumed = |back: &[SessionId]| {
            let mut queue = JoinQueue::new(60);
            queue.keep_places([11, 12, 13]);
            let positions: Vec<u32> = back.iter().map(|s| queue.push(*s, *s).expect("space")).collect();
            (queue, positions)
        };
        let (mut queue, positions) = resumed(&[20, 13, 21, 11]);
        assert_eq!(positions, [1, 1, 3, 1], "strangers stand behind whoever waited before");
        assert_eq!(queue.places(|_| true), [11, 12, 13, 20, 21], "12 keeps its place through another restart");
        assert_eq!(queue.admitted(1, 0), 0, "a seat waits for the one in front");
        assert_eq!(queue.push(12, 12), Ok(2));
        let order: Vec<_> = std::iter::from_fn(|| (queue.admitted(1, 0) > 0).then(|| queue.pop()).flatten()).collect();
        assert_eq!(order, [11, 12, 13, 20, 21]);

        let (mut queue, _) = resumed(&[20, 12]);
        let waited = (1..1000).find(|_| queue.admitted(1, 0) > 0);
        assert_eq!((waited, queue.pop(), queue.push(11, 11)), (Some(300), Some(12), Ok(2)), "five seconds at 60 Hz");
    }
}
