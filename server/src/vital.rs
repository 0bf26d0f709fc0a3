//! Supervises the parts that the server cannot run without: its threads, and the tasks that accept connections. When one of them ends
//! before the server does, the process ends, so that its process manager restarts it.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Learns when a vital part ends.
#[derive(Debug, Clone)]
pub struct Supervisor {
    ending: watch::Receiver<bool>,
    gone: watch::Sender<Option<String>>,
}

impl Supervisor {
    /// `ending` turns true once vital parts may end.
    pub(crate) fn new(ending: watch::Receiver<bool>) -> Self {
        Supervisor { ending, gone: watch::Sender::new(None) }
    }

    /// Becomes true once, when vital parts may end.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.clone()
    }

    /// A guard that a vital part holds while it runs; `name` names the part in logs.
    pub(crate) fn watch(&self, name: impl Into<String>) -> Vital {
        Vital { name: name.into(), supervisor: self.clone() }
    }

    /// Spawns a vital task.
    pub(crate) fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let vital = self.watch(name);
        tokio::spawn(async move {
            let _vital = vital;
            task.await;
        })
    }

    /// Resolves with the name of the first vital part that ended.
    pub(crate) async fn gone(&self) -> String {
        let mut gone = self.gone.subscribe();
        match gone.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            // Cannot happen: `self` holds a sender.
            Err(_) => std::future::pending().await,
        }
    }

    fn is_ending(&self) -> bool {
        // A dropped sender means the same.
        *self.ending.borrow() || self.ending.has_changed().is_err()
    }

    fn record(&self, name: &str) {
        let first = |gone: &mut Option<String>| {
            let is_first = gone.is_none();
            gone.get_or_insert_with(|| name.to_owned());
            is_first
        };
        self.gone.send_if_modified(first);
    }
}

/// Guard of a vital part. Dropping it before the server ends, by a panic or otherwise, ends the server.
#[derive(Debug)]
pub(crate) struct Vital {
    name: String,
    supervisor: Supervisor,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if !self.supervisor.is_ending() {
            // Recorded before it is logged: the server ends even if the log fails.
            self.supervisor.record(&self.name);
            tracing::error!(part = self.name, "a vital part ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_part_that_ends_early_is_reported_even_if_it_panics() {
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
        ending.send(true).expect("a receiver exists");
        drop(last);
        assert!(quiet.gone.borrow().is_none());
    }
}
