//! What the server cannot do without: its threads, and the tasks that accept connections. When one of them ends before the server does,
//! it is gone for good, and the process ends, so that whoever supervises it starts it again.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Looks after what is vital.
#[derive(Debug, Clone)]
pub struct Supervisor {
    ending: watch::Receiver<bool>,
    gone: watch::Sender<Option<String>>,
}

impl Supervisor {
    /// `ending` turns true when what is vital may end.
    #[must_use]
    pub fn new(ending: watch::Receiver<bool>) -> Self {
        Supervisor { ending, gone: watch::Sender::new(None) }
    }

    /// To be held by a vital part for as long as it works, under the name by which people hear of its end.
    #[must_use]
    pub fn watch(&self, name: impl Into<String>) -> Vital {
        Vital { name: name.into(), supervisor: self.clone() }
    }

    /// Starts a vital task.
    pub fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let vital = self.watch(name);
        tokio::spawn(async move {
            let _vital = vital;
            task.await;
        })
    }

    /// Resolves with the name of the first vital part that is gone.
    pub async fn gone(&self) -> String {
        let mut gone = self.gone.subscribe();
        match gone.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            // It cannot be: we have a sender.
            Err(_) => std::future::pending().await,
        }
    }

    fn is_ending(&self) -> bool {
        // A sender that went without a word means the same.
        *self.ending.borrow() || self.ending.has_changed().is_err()
    }

    fn note(&self, name: &str) {
        let first = |gone: &mut Option<String>| {
            let is_first = gone.is_none();
            gone.get_or_insert_with(|| name.to_owned());
            is_first
        };
        self.gone.send_if_modified(first);
    }
}

/// Held by a vital part. Dropped before the server ends, by a panic or otherwise, it is the end of the server.
#[derive(Debug)]
pub struct Vital {
    name: String,
    supervisor: Supervisor,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if !self.supervisor.is_ending() {
            // Said first, logged after: whatever happens to the log, the end is known.
            self.supervisor.note(&self.name);
            tracing::error!(part = self.name, "a part that the server cannot do without is gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_that_goes_before_the_end_is_told_also_when_it_panics() {
        let ending = watch::Sender::new(false);
        let supervisor = Supervisor::new(ending.subscribe());
        let (first, second) = (supervisor.watch("first"), supervisor.watch("second"));
        let work = move || {
            let _vital = first;
            panic!("on purpose");
        };
        assert!(std::thread::spawn(work).join().is_err());
        drop(second);
        assert_eq!(supervisor.gone().await, "first");
        let quiet = Supervisor::new(ending.subscribe());
        let last = quiet.watch("last");
        ending.send(true).expect("somebody listens");
        drop(last);
        assert!(quiet.gone.borrow().is_none());
    }
}
