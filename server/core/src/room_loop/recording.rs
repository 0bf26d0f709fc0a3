//! Recordings: what is recorded of a room.

use broadside_shared::game::Game;
use broadside_shared::recording::recorder::PLAYERS_MAX;

use super::RoomLoop;
use crate::commands::MinuteFor;

/// Length of the recordings of a room without matches, in seconds.
const PART_S: u32 = 600;

/// What is recorded of a room: the last minute in memory, and what somebody keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingPolicy {
    /// The rules hash of this build.
    pub rules: u64,
    pub keep: KeptRecordings,
}

impl RecordingPolicy {
    /// Most players of a room that is recorded.
    pub(super) fn players_max(self) -> usize {
        match self.keep {
            KeptRecordings::Matches => PLAYERS_MAX,
            KeptRecordings::All => usize::MAX,
        }
    }
}

/// Which recordings are for somebody to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptRecordings {
    /// Those of matches, in rooms that have any. Nothing is recorded while a room has more than [`PLAYERS_MAX`] players.
    Matches,
    /// Those of matches, and in rooms without any everything, in parts.
    All,
}

impl<G: Game> RoomLoop<G> {
    /// Hands over the last minute, if there is one.
    pub(super) fn keep_minute(&mut self, id: [u8; 16], whom: MinuteFor) {
        self.effects.minutes.extend(self.room.last_minute().map(|minute| (whom, id, minute)));
    }

    /// In a room without matches, if everything is kept: begins a recording, and every so often another one.
    pub(super) fn record_part(&mut self) {
        if !self.policy.recording.is_some_and(|recording| recording.keep == KeptRecordings::All) {
            return;
        }
        if self.room.stepped().is_multiple_of(PART_S * G::TICK_HZ) {
            self.room.end_recording();
        }
        self.room.begin_recording();
    }
}
