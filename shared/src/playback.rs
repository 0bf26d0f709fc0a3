//! A recorded match as it is watched: its clock with pause, speed and seek, and a client that shows it.
//!
//! `handle_time` moves the clock; [`Playback::step`] steps the replay toward it, a tick each, so that a shell can stop in between to draw
//! and to take input; [`Playback::view`] is what to draw. Equal calls give equal worlds: nothing here depends on how often it is called.

use std::sync::Arc;

use glam::Vec2;

use crate::client::{Client, ReplayedTick, View};
use crate::game::{Game, Standing};
use crate::ids::PlayerId;
use crate::match_publisher::MatchPublisher;
use crate::protocol::room::ModeId;
use crate::recording::replay::{Recording, RecordingError, Replay, Replayed};
use crate::replication::fields::Record;
use crate::time::{MonoTime, Tick};

/// The speeds at which a match can be watched.
pub const SPEEDS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
/// The place of the usual one in [`SPEEDS`].
const USUAL: usize = 2;
/// Longest time between two calls that moves the clock, in microseconds: after a tab was in the background, the match goes on where it was.
const STANDSTILL_US: u64 = 250_000;

/// Why a replay goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaybackEnd {
    /// The recording ends.
    Ended,
    /// From this tick on, this machine computes something else than was recorded.
    Diverged(Tick),
    /// What follows this tick cannot be read.
    Unreadable(Tick),
}

/// Whom the picture follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    /// The best player, until this one is gone.
    Best(Option<PlayerId>),
    Player(PlayerId),
    Nobody,
}

/// See the module.
pub struct Playback<G: Game> {
    recording: Recording<Arc<[u8]>>,
    replay: Replay<G, Arc<[u8]>>,
    client: Client<G>,
    match_publisher: MatchPublisher,
    first: Tick,
    last: Tick,
    /// What is to be shown, in ticks with a fraction.
    moment: f64,
    /// A place in [`SPEEDS`].
    speed: usize,
    is_paused: bool,
    /// Until the replay has come to the moment, what happens on the way is not shown.
    is_seeking: bool,
    end: Option<PlaybackEnd>,
    followed: Followed,
    handled_at: Option<MonoTime>,
    records: Vec<(Vec2, Record)>,
    standings: Vec<Standing>,
}

impl<G: Game> Playback<G> {
    /// Opens a recording at its first tick; it plays. `rules` is the [`rules_hash`](crate::trial::rules_hash) of this build.
    ///
    /// # Errors
    /// It is no recording, or one of another game, of other rules, or of another format.
    pub fn new(bytes: Arc<[u8]>, rules: u64) -> Result<Self, RecordingError> {
        let recording = Recording::read(bytes)?;
        recording.check::<G>(rules)?;
        let replay = Replay::<G, _>::new(&recording, Tick(0))?;
        let first = replay.tick();
        let mut playback = Playback {
            client: Client::replayed(recording.head.room, recording.head.mode),
            last: recording.last_tick::<G>().unwrap_or(first).max(first),
            recording,
            replay,
            match_publisher: MatchPublisher::default(),
            first,
            moment: f64::from(first.0),
            speed: USUAL,
            is_paused: false,
            is_seeking: false,
            end: None,
            followed: Followed::Best(None),
            handled_at: None,
            records: Vec::new(),
            standings: Vec::new(),
        };
        playback.show();
        Ok(playback)
    }

    /// Time has passed. The clock waits for a replay that is behind.
    pub fn handle_time(&mut self, now: MonoTime) {
        let before = self.handled_at.replace(now).unwrap_or(now);
        if self.is_paused || self.is_behind() {
            return;
        }
        let us = now.us_since(before).min(STANDSTILL_US) as f64;
        self.set_moment(self.moment + us * f64::from(G::TICK_HZ) / 1e6 * self.speed());
    }

    /// Whether the replay has to be stepped before the moment can be drawn.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.end.is_none() && f64::from(self.replay.tick().0) < self.moment
    }

    /// Steps the replay by a tick, if it is behind.
    pub fn step(&mut self) {
        if !self.is_behind() {
            return;
        }
        match self.replay.step() {
            Replayed::Tick(_) => self.show(),
            Replayed::Ended => self.end = Some(PlaybackEnd::Ended),
            Replayed::Diverged(divergence) => self.end = Some(PlaybackEnd::Diverged(divergence.tick)),
            Replayed::Unreadable(tick) => self.end = Some(PlaybackEnd::Unreadable(tick)),
        }
        if self.end.is_some() {
            self.last = self.replay.tick().max(self.first);
            self.set_moment(self.moment);
        }
        self.is_seeking &= self.is_behind();
    }

    /// What to draw. While a seek is under way, that is what was drawn before it.
    pub fn view(&mut self) -> &View<G> {
        if !self.is_seeking {
            self.client.view_replayed(self.moment.min(self.replay.tick().0.into()));
        }
        self.client.last_view()
    }

    /// Goes to the tick at a moment, in seconds from the start: the replay goes on from the last checkpoint before it.
    pub fn seek(&mut self, to_s: f64) {
        let before = self.moment;
        self.set_moment(f64::from(self.first.0) + (to_s * f64::from(G::TICK_HZ)).round());
        let goal = Tick(self.moment as u32);
        let here = self.replay.tick();
        let is_back = self.moment < before;
        let is_nearer = self.recording.checkpoint_before(goal).is_some_and(|checkpoint| checkpoint > here);
        if is_back || is_nearer {
            // It was read before: no checkpoint is damaged.
            if let Ok(replay) = Replay::new(&self.recording, goal) {
                (self.replay, self.end) = (replay, None);
                self.match_publisher = MatchPublisher::default();
                self.client.skip_replayed();
                self.is_seeking = true;
                self.show();
            }
        }
        self.is_seeking = self.is_behind();
    }

    /// Plays on; at the end, from the start again.
    pub fn play(&mut self) {
        if self.has_ended() {
            self.seek(0.0);
        }
        self.is_paused = false;
    }

    /// Stands still.
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Plays at a speed, by its place in [`SPEEDS`]; the nearest there is.
    pub fn set_speed(&mut self, place: usize) {
        self.speed = place.min(SPEEDS.len() - 1);
    }

    /// Follows a player, or nobody. Whoever follows one that leaves goes on with the best there is.
    pub fn follow(&mut self, player: Option<PlayerId>) {
        self.followed = player.map_or(Followed::Nobody, Followed::Player);
        self.choose_followed();
    }

    /// The client that knows what is shown.
    #[must_use]
    pub fn client(&self) -> &Client<G> {
        &self.client
    }

    /// The same, for its events.
    pub fn client_mut(&mut self) -> &mut Client<G> {
        &mut self.client
    }

    /// The mode that was played.
    #[must_use]
    pub fn mode(&self) -> ModeId {
        self.recording.head.mode
    }

    /// The tick that the replay has come to, and the hash of its world.
    #[must_use]
    pub fn world(&self) -> (Tick, u64) {
        (self.replay.tick(), self.replay.world().hash())
    }

    /// The moment that is shown, in seconds from the start.
    #[must_use]
    pub fn at_s(&self) -> f64 {
        (self.moment - f64::from(self.first.0)) / f64::from(G::TICK_HZ)
    }

    /// Length of the recording in seconds.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        f64::from(self.last.since(self.first)) / f64::from(G::TICK_HZ)
    }

    /// Place of the speed in [`SPEEDS`].
    #[must_use]
    pub fn speed_place(&self) -> usize {
        self.speed
    }

    /// Seconds of the match per second.
    #[must_use]
    pub fn speed(&self) -> f64 {
        SPEEDS[self.speed]
    }

    /// Whether it stands still because somebody wants it to.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether the last tick is shown.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.moment >= f64::from(self.last.0)
    }

    /// Why the replay goes no further, once it does not.
    #[must_use]
    pub fn end(&self) -> Option<PlaybackEnd> {
        self.end
    }

    /// Whether a seek is under way.
    #[must_use]
    pub fn is_seeking(&self) -> bool {
        self.is_seeking
    }

    fn set_moment(&mut self, moment: f64) {
        self.moment = moment.clamp(self.first.0.into(), self.last.0.into());
    }

    /// Tells the client of the replay's tick.
    fn show(&mut self) {
        let (tick, world, names) = (self.replay.tick(), self.replay.world(), self.replay.names());
        if let Some(state) = world.match_state() {
            self.match_publisher
                .write(self.recording.head.mode, state, (tick, G::TICK_HZ), |player| names.get(&player));
        }
        // The two ticks around the moment are drawn.
        let is_drawn = f64::from(tick.after(1).0) >= self.moment;
        if !is_drawn && self.is_seeking {
            return;
        }
        let events = if self.is_seeking { &[][..] } else { &self.replay.events };
        let match_status = self.match_publisher.newest();
        self.client.handle_replayed(&ReplayedTick { tick, world, names, match_status, events });
        if is_drawn {
            self.records.clear();
            world.replicate(tick, &mut self.records);
            self.client.handle_replayed_records(tick, &self.records);
        }
        self.choose_followed();
    }

    fn choose_followed(&mut self) {
        let is_there = |player: &PlayerId| self.replay.names().contains_key(player);
        let wanted = match self.followed {
            Followed::Player(player) => Some(player),
            Followed::Best(player) => player,
            Followed::Nobody => return self.client.follow_replayed(None),
        };
        let player = wanted.filter(is_there).or_else(|| {
            self.standings.clear();
            self.replay.world().standings(&mut self.standings);
            self.standings.first().map(|standing| standing.player)
        });
        if let Followed::Best(_) = self.followed {
            self.followed = Followed::Best(player);
        }
        self.client.follow_replayed(player);
    }
}

#[cfg(test)]
mod tests;
