//! The threads that run the rooms: a few for thousands. Each takes the room that is due next, lets it do one tick, and puts it back.
//!
//! At any time at most one of the waiting threads spectates the clock for the next tick; the others sleep until they are called.
//! A room in which nobody is does not wait here at all: its mailbox holds it until somebody writes.

use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use broadside_shared::game::Game;
use broadside_shared::time::MonoTime;

use super::runner::{Next, RoomRunner};
use crate::clock::MonoClock;
use crate::vital::Supervisor;

/// The rooms that wait for their next tick.
pub struct Pool<G: Game> {
    state: Mutex<State<G>>,
    changed: Condvar,
    clock: MonoClock,
}

struct State<G: Game> {
    due: BinaryHeap<DueRoom<G>>,
    /// The earliest moment that some thread spectates for.
    watched: Option<MonoTime>,
    ending: bool,
}

/// A room and when its next tick is due; the earliest is the greatest.
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
    /// No rooms, and no threads yet.
    #[must_use]
    pub fn new(clock: MonoClock) -> Self {
        let state = State { due: BinaryHeap::new(), watched: None, ending: false };
        Pool { state: Mutex::new(state), changed: Condvar::new(), clock }
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When the operating system gives no thread.
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

    /// Has this room do its next tick at `at`.
    pub fn add(&self, room: Box<RoomRunner<G>>, at: MonoTime) {
        let mut state = self.lock();
        if state.ending {
            return;
        }
        state.due.push(DueRoom { at, room });
        self.call(&state);
    }

    /// Ends the threads and forgets the rooms.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ending = true;
        // Dropped when the lock is free: rooms let go of a lot.
        let due = std::mem::take(&mut state.due);
        drop(state);
        self.changed.notify_all();
        drop(due);
    }

    /// The room that is due first, if it is due by `now`: for whoever runs rooms without threads.
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
                    self.call(&state);
                    drop(state);
                    let again = self.run(due.room);
                    state = self.lock();
                    // This thread looks for the next one itself: nobody needs to be called.
                    state.due.extend(again);
                }
                // Somebody else spectates for it.
                Some(at) if state.watched.is_some_and(|watched| watched <= at) => state = self.idle(state),
                Some(at) => {
                    state.watched = Some(at);
                    let wait = self.clock.until(at);
                    (state, _) = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
                    if state.watched == Some(at) {
                        state.watched = None;
                    }
                }
                None => state = self.idle(state),
            }
        }
    }

    /// Lets a room do a tick. Gives it back with its next one, if it has one.
    fn run(&self, mut room: Box<RoomRunner<G>>) -> Option<DueRoom<G>> {
        loop {
            match room.turn() {
                Next::At(at) => return Some(DueRoom { at, room }),
                Next::Over => return None,
                // Given back if somebody wrote in the meantime.
                Next::Asleep => room = RoomRunner::lay_to_sleep(room)?,
            }
        }
    }

    fn idle<'a>(&'a self, state: MutexGuard<'a, State<G>>) -> MutexGuard<'a, State<G>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a thread that has nothing to do, if nobody spectates for the next tick.
    fn call(&self, state: &State<G>) {
        let next = state.due.peek().map(|due| due.at);
        let unwatched = next.is_some_and(|at| state.watched.is_none_or(|watched| at < watched));
        if unwatched {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<G>> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
