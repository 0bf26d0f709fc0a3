//! Who stands where in a room, and how far away everyone is.

use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::limits::SCORE_LINES_MAX;
use broadside_shared::protocol::message::{RoomUpdate, ScoreLine};
use broadside_shared::protocol::name::Name;
use broadside_shared::time::Tick;

use super::phase::SnapshotPhase;
use super::{InputQueue, Room, Seat, Spectating};

/// Ticks from one measurement to the next: what is measured with every packet costs with every packet.
const EVERY: u32 = 12;
/// Measurements of which the fastest counts: those of two seconds at 60 Hz.
const WINDOW: u8 = 10;

/// A player's round trip time, from when a snapshot was due to its first acknowledgement. An acknowledgement waits for the next input
/// packet, so of many the fastest is closest to what the link takes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PingMeter {
    acked: Tick,
    /// The fastest of the acknowledgements so far, in microseconds, and their number.
    fastest: (u64, u8),
    /// The same of the last full window; 0 before the first.
    last_us: u64,
}

impl PingMeter {
    /// Whether the acknowledgement of the snapshot of a tick is measured: the first one after a while, of a snapshot that no packet
    /// before has acknowledged.
    #[inline]
    pub(super) fn is_due(&self, acked: Tick) -> bool {
        acked.0 >= self.acked.0.saturating_add(EVERY)
    }

    /// Takes such an acknowledgement, that many microseconds after the snapshot was due.
    pub(super) fn take(&mut self, acked: Tick, after_us: u64) {
        self.acked = acked;
        let (fastest_us, count) = self.fastest;
        let fastest_us = if count == 0 { after_us } else { fastest_us.min(after_us) };
        self.fastest = (fastest_us, count + 1);
        if self.fastest.1 >= WINDOW {
            (self.last_us, self.fastest) = (fastest_us, (0, 0));
        }
    }

    /// The round trip time in milliseconds, at least 1; 0 before the first acknowledgement.
    pub(super) fn ms(self) -> u16 {
        let us = match (self.last_us, self.fastest) {
            (0, (_, 0)) => return 0,
            (0, (fastest_us, _)) => fastest_us,
            (last_us, _) => last_us,
        };
        u16::try_from(us / 1000).unwrap_or(u16::MAX).max(1)
    }
}

impl<G: Game> Seat<G> {
    pub(super) fn new(name: Name, spectating: Option<Spectating>, phase: SnapshotPhase) -> Self {
        let (inputs, ping) = (InputQueue::default(), PingMeter::default());
        Seat { name, spectating, away_since: None, inputs, is_bot: false, ping, phase }
    }
}

impl<G: Game> Room<G> {
    /// Marks a player as one of the server's own bots, for the roster.
    pub fn mark_bot(&mut self, player: PlayerId) {
        if let Some(Some(seat)) = self.seats.get_mut(usize::from(player.0)) {
            seat.is_bot = true;
            self.updates.push(RoomUpdate::Bot { player });
        }
    }

    /// The scores of the best players, best first.
    pub fn score_lines(&mut self) -> Vec<ScoreLine> {
        self.standings.clear();
        self.game.standings(&mut self.standings);
        let line = |player: PlayerId, score| {
            let totals = self.game.totals(player);
            let seat = self.seats.get(usize::from(player.0)).and_then(Option::as_ref);
            let ping_ms = seat.filter(|seat| !seat.is_bot).map_or(0, |seat| seat.ping.ms());
            let (kills, deaths, assists) = (totals.kills, totals.deaths, totals.assists);
            ScoreLine { player, score, kills, deaths, assists, ping_ms }
        };
        self.standings.iter().take(SCORE_LINES_MAX).map(|at| line(at.player, at.score)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ping_is_the_fastest_first_acknowledgement_of_the_last_seconds() {
        let mut ping = PingMeter::default();
        assert_eq!(ping.ms(), 0);
        let acked = |ping: &mut PingMeter, tick: u32, after_us: u64| {
            if ping.is_due(Tick(tick)) {
                ping.take(Tick(tick), after_us);
            }
            ping.ms()
        };
        assert_eq!(acked(&mut ping, 20, 48_000), 48);
        assert_eq!(acked(&mut ping, 20, 1_000), 48, "only the first acknowledgement of a snapshot counts");
        for tick in 20..200 {
            acked(&mut ping, tick * 2, 40_000 + u64::from(tick % 7) * 3_000);
        }
        assert_eq!(ping.ms(), 40);
        // The link gets slower: after a window of its own the slower value shows.
        for tick in 200..500 {
            acked(&mut ping, tick * 2, 90_000);
        }
        assert_eq!(ping.ms(), 90);
        assert_eq!(acked(&mut ping, 1, 5_000), 90, "an old one, which came late");
    }
}
