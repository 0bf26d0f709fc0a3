//! Where values from other threads wait for one thread, and how that thread is woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Wakes one thread, however many inboxes it reads.
pub struct Wakeup {
    is_notified: AtomicBool,
    thread: OnceLock<Thread>,
    /// Ends the thread's sleep where that is not a park, as in an epoll.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Wakeup {
    /// `wake` ends the reader's sleep where unparking it does not.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Wakeup> {
        Arc::new(Wakeup { is_notified: AtomicBool::new(false), thread: OnceLock::new(), wake: Box::new(wake) })
    }

    /// The calling thread reads the inboxes.
    pub fn read_here(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// Whether something came since [`Wakeup::take`].
    pub fn is_notified(&self) -> bool {
        self.is_notified.load(Ordering::Acquire)
    }

    /// The same, and from now on it is about what comes later. Call it before reading the inboxes.
    pub fn take(&self) -> bool {
        self.is_notified.swap(false, Ordering::AcqRel)
    }

    /// Sleeps until something comes, at most for `rest`.
    pub fn park(&self, rest: Duration) {
        if !self.is_notified() {
            std::thread::park_timeout(rest);
        }
    }

    fn notify(&self) {
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            (self.wake)();
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }
}

/// Values for one thread. Bounded by their senders: a room sends a few ticks and one answer per request, the listener one value per
/// connection.
pub struct Inbox<T> {
    waiting: Mutex<Vec<T>>,
    wakeup: Arc<Wakeup>,
}

impl<T> Inbox<T> {
    /// An empty inbox, whose reader `wakeup` wakes.
    pub fn new(wakeup: Arc<Wakeup>) -> Self {
        Inbox { waiting: Mutex::default(), wakeup }
    }

    /// Sends values, which stay together and in order.
    pub fn send(&self, values: impl IntoIterator<Item = T>) {
        self.lock().extend(values);
        self.wakeup.notify();
    }

    /// Swaps what came against the empty `values`.
    pub fn take(&self, values: &mut Vec<T>) {
        std::mem::swap(values, &mut *self.lock());
    }

    /// What wakes the reader.
    pub fn wakeup(&self) -> &Arc<Wakeup> {
        &self.wakeup
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // A panic elsewhere leaves whole values behind.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
