//! The threads that run the rooms: a few for thousands of rooms. Each takes the room that is due next, runs one turn, and puts it back.
//!
//! At any time at most one of the waiting threads has a timeout for the next tick; the others sleep until they are notified. An empty room
//! is not in the pool at all: its mailbox holds it until the next command.

use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use broadside_shared::game::Game;
use broadside_shared::time::MonoTime;

use super::runner::{Next, RoomRunner};
use crate::clock::MonoClock;
use crate::vital::Supervisor;

/// The rooms that wait for their next turn, and the threads that run them.
pub struct Pool<G: Game> {
    state: Mutex<State<G>>,
    changed: Condvar,
    clock: MonoClock,
}

struct State<G: Game> {
    due: BinaryHeap<DueRoom<G>>,
    /// The earliest time for which some thread waits with a timeout.
    timeout_at: Option<MonoTime>,
    ending: bool,
}

/// A room and when its next turn is due; the earliest is the greatest, for a max-heap.
struct DueRoom<G: Game> {
    at: MonoTime,
    room: Box<RoomRunner<G>>,
}

impl<G: Game> PartialEq for DueRoom<G> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<G: Game> Eq for DueRoom<G> {}

impl<G: Game> PartialOrd for DueRoom<G> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<G: Game> Ord for DueRoom<G> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}

impl<G: Game> Pool<G> {
    /// A pool without rooms or threads.
    #[must_use]
    pub fn new(clock: MonoClock) -> Self {
        let state = State { due: BinaryHeap::new(), timeout_at: None, ending: false };
        Pool { state: Mutex::new(state), changed: Condvar::new(), clock }
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When the operating system cannot start a thread.
    pub fn start(self: &Arc<Self>, threads: usize, supervisor: &Supervisor) -> std::io::Result<Vec<JoinHandle<()>>> {
        let start = |number: usize| {
            let (pool, name) = (Arc::clone(self), format!("rooms-{number}"));
            let vital = supervisor.watch(name.as_str());
            std::thread::Builder::new().name(name).spawn(move || {
                let _vital = vital;
                pool.work();
            })
        };
        (0..threads).map(start).collect()
    }

    /// Adds a room whose next turn is due at `at`.
    pub fn add(&self, room: Box<RoomRunner<G>>, at: MonoTime) {
        let mut state = self.lock();
        if state.ending {
            return;
        }
        state.due.push(DueRoom { at, room });
        self.wake_one(&state);
    }

    /// Ends the threads. The rooms stay until [`Pool::end_rooms`].
    pub fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_all();
    }

    /// Ends the rooms, and keeps the results of those in them. To be called once the threads have ended: before that, a thread may have
    /// taken a room. Rooms that sleep have nobody in them.
    pub fn end_rooms(&self) {
        let due = std::mem::take(&mut self.lock().due);
        due.into_iter().for_each(|due| due.room.end());
    }

    /// Takes every room that is awake. To be called once the threads have ended.
    #[must_use]
    pub fn take_all(&self) -> Vec<Box<RoomRunner<G>>> {
        std::mem::take(&mut self.lock().due).into_iter().map(|due| due.room).collect()
    }

    /// Takes the room that is due first, if it is due by `now`. For simulations, which run rooms without threads.
    pub fn take_due(&self, now: MonoTime) -> Option<Box<RoomRunner<G>>> {
        let mut state = self.lock();
        state.due.peek().filter(|due| due.at <= now)?;
        state.due.pop().map(|due| due.room)
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.ending {
            let now = self.clock.now();
            let next = state.due.peek().map(|due| due.at);
            match next {
                Some(at) if at <= now => {
                    let Some(due) = state.due.pop() else { continue };
                    self.wake_one(&state);
                    drop(state);
                    let again = self.run(due.room);
                    state = self.lock();
                    // This thread looks for the next room itself: no other needs to be notified.
                    state.due.extend(again);
                }
                // Another thread waits for it.
                Some(at) if state.timeout_at.is_some_and(|timeout| timeout <= at) => state = self.idle(state),
                Some(at) => {
                    state.timeout_at = Some(at);
                    let wait = self.clock.until(at);
                    (state, _) = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
                    if state.timeout_at == Some(at) {
                        state.timeout_at = None;
                    }
                }
                None => state = self.idle(state),
            }
        }
    }

    /// Runs a turn of a room. Returns the room with its next turn, if it has one.
    fn run(&self, mut room: Box<RoomRunner<G>>) -> Option<DueRoom<G>> {
        loop {
            match room.turn() {
                Next::At(at) => return Some(DueRoom { at, room }),
                Next::Over => return None,
                // Returned if a command has arrived meanwhile.
                Next::Asleep => room = RoomRunner::lay_to_sleep(room)?,
            }
        }
    }

    fn idle<'a>(&'a self, state: MutexGuard<'a, State<G>>) -> MutexGuard<'a, State<G>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes an idle thread, unless one already waits for the next turn.
    fn wake_one(&self, state: &State<G>) {
        let next = state.due.peek().map(|due| due.at);
        if next.is_some_and(|at| state.timeout_at.is_none_or(|timeout| at < timeout)) {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<G>> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
