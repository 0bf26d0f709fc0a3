//! Results on their way from the rooms to whoever keeps them: a bounded queue that no room waits for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_core::results::RoomResult;
use thiserror::Error;
use tokio::sync::Notify;

/// Most results of players that wait: about 10 MB, and minutes of play of a full server. Further ones are dropped and counted.
pub const PLAYER_RESULTS_MAX: usize = 65_536;

/// A result with what identifies it: the shell adds what the pure rooms do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRecord {
    /// Random, and so unique among all servers that share a database: whoever stores it twice can tell.
    pub id: u128,
    /// When it ended, in Unix seconds.
    pub ended_s: u64,
    pub result: RoomResult,
}

/// The queue is full: holds how many results of players wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} results of players wait, at most {PLAYER_RESULTS_MAX} may")]
pub struct QueueFull(pub usize);

/// The queue of results. One reader takes them in batches.
#[derive(Debug, Default)]
pub struct ResultQueue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<ResultRecord>,
    /// Results of players among them.
    players: usize,
}

impl ResultQueue {
    /// Queues a record. Never waits, and holds the lock for a push only.
    ///
    /// # Errors
    /// [`QueueFull`] if there is no space for all its players; the record is dropped.
    pub fn send(&self, record: ResultRecord) -> Result<(), QueueFull> {
        let mut waiting = self.lock();
        let players = waiting.players + record.result.players.len();
        if players > PLAYER_RESULTS_MAX {
            return Err(QueueFull(waiting.players));
        }
        waiting.players = players;
        waiting.records.push(record);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what waits, oldest first; empty if nothing does.
    #[must_use]
    pub fn take(&self) -> Vec<ResultRecord> {
        std::mem::take(&mut *self.lock()).records
    }

    /// Returns once a record was queued since the last call; may return without one.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while the lock is held leaves no record half-written.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_core::results::{PlayerResult, ResultKind};
    use broadside_shared::game::PlayerTotals;
    use broadside_shared::ids::RoomId;
    use broadside_shared::protocol::name::Name;
    use broadside_shared::protocol::room::ModeId;

    fn record(id: u128, players: usize) -> ResultRecord {
        let player = PlayerResult {
            account: None,
            name: Name::new("Ann").expect("a fine name"),
            team: None,
            totals: PlayerTotals::default(),
            outcome: None,
            played_ticks: 600,
        };
        let result =
            RoomResult { room: RoomId(1), mode: ModeId(0), kind: ResultKind::Match, players: vec![player; players] };
        ResultRecord { id, ended_s: 1_800_000_000, result }
    }

    #[test]
    fn a_full_queue_refuses_what_does_not_fit_and_takes_more_once_it_was_read() {
        let queue = ResultQueue::default();
        assert_eq!(queue.send(record(1, PLAYER_RESULTS_MAX - 3)), Ok(()));
        assert_eq!(queue.send(record(2, 4)), Err(QueueFull(PLAYER_RESULTS_MAX - 3)));
        assert_eq!(queue.send(record(3, 3)), Ok(()), "a smaller one still fits");
        assert_eq!(queue.send(record(4, 1)), Err(QueueFull(PLAYER_RESULTS_MAX)));
        assert_eq!(queue.take().iter().map(|record| record.id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(queue.take(), []);
        assert_eq!(queue.send(record(5, PLAYER_RESULTS_MAX)), Ok(()));
    }
}
