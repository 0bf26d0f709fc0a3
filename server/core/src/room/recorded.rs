//! What a room tells its recorder.

use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::name::Name;
use broadside_shared::recording::Head;
use broadside_shared::recording::batch::Call;
use broadside_shared::recording::recorder::{Recorded, Recorder};

use super::{Room, Seat};

impl<G: Game> Room<G> {
    /// Records everything from here on, while there are at most `players_max` players.
    pub fn record(&mut self, rules: u64, room: RoomId, players_max: usize) {
        let (game, mode, tick_hz) = (G::NAME.to_owned(), self.config.mode, G::TICK_HZ);
        self.recorder = Some(Recorder::new(Head { game, rules, mode, room, tick_hz }, players_max));
    }

    /// Begins a recording that somebody keeps, unless one is under way or nothing is recorded.
    pub fn begin_recording(&mut self) {
        let players = named(&self.seats);
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(self.tick, &self.game, &self.history, players);
        }
    }

    /// Ends it.
    pub fn end_recording(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.end();
        }
    }

    /// Takes what there is for whoever keeps recordings.
    pub fn take_recorded(&mut self) -> Vec<Recorded> {
        self.recorder.as_mut().map_or_else(Vec::new, Recorder::take)
    }

    /// A recording of the last minute, up to the tick that was begun last: also of one whose step panicked. `None` if nothing is recorded.
    #[must_use]
    pub fn last_minute(&self) -> Option<Vec<u8>> {
        self.recorder.as_ref()?.last_minute()
    }

    /// Notes a call of the game for the recording.
    pub(super) fn note(&mut self, call: impl FnOnce() -> Call<G::Request>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.called(call());
        }
    }
}

/// The players with their names, in order.
pub(super) fn named<G: Game>(seats: &[Option<Seat<G>>]) -> impl Iterator<Item = (PlayerId, &Name)> + Clone {
    let seats = (0..).map(PlayerId).zip(seats);
    seats.filter_map(|(player, seat)| Some((player, &seat.as_ref().filter(|seat| seat.spectating.is_none())?.name)))
}

#[cfg(test)]
mod tests;
