//! Inboxes: queues of values from other threads to one thread, and the wake-up of that thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Wakes one thread, however many inboxes it reads.
pub struct Wakeup {
    is_notified: AtomicBool,
    thread: OnceLock<Thread>,
    /// Ends a sleep of the thread that is not a park, such as an epoll wait.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Wakeup {
    /// `wake` ends a sleep of the reader that unparking does not end.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Wakeup> {
        Arc::new(Wakeup { is_notified: AtomicBool::new(false), thread: OnceLock::new(), wake: Box::new(wake) })
    }

    /// Makes the calling thread the reader of the inboxes.
    pub fn read_here(&self) {
        let _ = self.thread.set(std::thread::current());
    }

    /// Whether a value was sent since [`Wakeup::take`].
    pub fn is_notified(&self) -> bool {
        self.is_notified.load(Ordering::Acquire)
    }

    /// The same, and resets it. Call it before reading the inboxes.
    pub fn take(&self) -> bool {
        self.is_notified.swap(false, Ordering::AcqRel)
    }

    /// Sleeps until a value is sent, at most for `rest`.
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

/// A queue of values for one thread. Its senders bound it: a room sends a few ticks and one answer per request, the listener one value
/// per connection.
pub struct Inbox<T> {
    queued: Mutex<Vec<T>>,
    wakeup: Arc<Wakeup>,
}

impl<T> Inbox<T> {
    /// An empty inbox; `wakeup` wakes its reader.
    pub fn new(wakeup: Arc<Wakeup>) -> Self {
        Inbox { queued: Mutex::default(), wakeup }
    }

    /// Sends values, which stay together and in order.
    pub fn send(&self, values: impl IntoIterator<Item = T>) {
        self.lock().extend(values);
        self.wakeup.notify();
    }

    /// Swaps the queued values with the empty `values`.
    pub fn take(&self, values: &mut Vec<T>) {
        std::mem::swap(values, &mut *self.lock());
    }

    pub fn wakeup(&self) -> &Arc<Wakeup> {
        &self.wakeup
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // A panic while the lock is held leaves no value half-written.
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
