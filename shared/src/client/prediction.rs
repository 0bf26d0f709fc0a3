//! Prediction runs the own state ahead of the server with inputs that are not acknowledged yet. Reconciliation, on a
//! snapshot, takes the server's state and re-runs the remaining inputs.
//!
//! The rules are the server's own ([`Game::predict`]), so that without interference both agree bit for bit and
//! reconciliation changes nothing. Corrections are smoothed in the view and never in the state.

use std::collections::VecDeque;

use arrayvec::ArrayVec;
use glam::Vec2;

use super::interpolation::{InterpolatedEntity, entity_at};
use super::{Detail, LocalPlayerView};
use crate::game::{CorrectionCause, Game, PredictedSpawn};
use crate::ids::{EntityId, PlayerId};
use crate::protocol::limits::SAMPLES_MAX;
use crate::replication::fields::Record;
use crate::time::{MonoTime, Tick, ticks_of_ms};

/// Time whose inputs are kept for replay, in milliseconds: more than any playable round trip.
const REPLAY_MS: u32 = 2_100;
/// Time in which a drawn correction falls to 1/e, in seconds.
pub(super) const SMOOTHING_S: f32 = 0.12;
/// Corrections larger than this share of a cell are not smoothed: a respawn, not an error.
pub(super) const SMOOTHED_MAX: f32 = 0.3125;
/// How much slower a spawn of the local player is drawn than it moves, until it is drawn at the time of the other
/// entities. It starts at the own muzzle and ends where its hit is seen, and looks like one flight.
const EASE: f64 = 0.35;
/// The server's states kept to draw the own player while prediction is hidden: more than any interpolation delay.
const AUTHORITATIVE_KEPT: usize = 32;
/// Most spawns shown at once; more than a game spawns in their lifetime.
const SPAWNS_MAX: usize = 64;

/// The own state, ahead of the server.
pub(crate) struct Prediction<G: Game> {
    tick: Tick,
    /// State at `tick`, and one tick before.
    current: Option<(G::LocalPlayerState, G::LocalPlayerState)>,
    steps: VecDeque<Step<G>>,
    spawns: Vec<TrackedSpawn>,
    spawned: Vec<PredictedSpawn>,
    offset: Vec2,
    offset_at: MonoTime,
    /// The server's states, newest last: one, or several while they are drawn.
    authoritative: VecDeque<(Tick, G::LocalPlayerState)>,
    hidden: bool,
    /// Nothing is stepped: the current state is the server's newest, and the steps hold only the inputs.
    blind: bool,
}

struct Step<G: Game> {
    tick: Tick,
    input: G::Input,
    /// The state after the step.
    own: G::LocalPlayerState,
}

/// A spawn of the local player, and its status.
pub(crate) struct TrackedSpawn {
    key: u32,
    /// The tick of its input.
    tick: Tick,
    record: Record,
    state: SpawnStatus,
}

impl TrackedSpawn {
    fn predicted(spawn: &PredictedSpawn) -> TrackedSpawn {
        TrackedSpawn { key: spawn.key, tick: spawn.tick, record: spawn.record, state: SpawnStatus::Predicted }
    }
}

/// The server's confirmation of a predicted spawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpawnStatus {
    /// Not confirmed yet.
    Predicted,
    /// Confirmed, under this id.
    Confirmed(EntityId),
    /// Confirmed, and ended by this tick.
    Ended(EntityId, Tick),
}

impl<G: Game> Prediction<G> {
    const REPLAY_TICKS: usize = ticks_of_ms(G::TICK_HZ, REPLAY_MS) as usize;

    /// A prediction that starts with the first snapshot.
    #[must_use]
    pub(super) fn new() -> Self {
        Prediction {
            tick: Tick(0),
            current: None,
            steps: VecDeque::with_capacity(Self::REPLAY_TICKS),
            spawns: Vec::new(),
            spawned: Vec::new(),
            offset: Vec2::ZERO,
            offset_at: MonoTime(0),
            authoritative: VecDeque::with_capacity(1),
            hidden: false,
            blind: false,
        }
    }

    /// As [`Prediction::new`], for a client with this level of detail.
    pub(super) fn of(detail: Detail) -> Self {
        match detail {
            Detail::View | Detail::Replica if G::PREDICTS => Prediction::new(),
            Detail::View | Detail::Replica | Detail::Decode | Detail::Heads => {
                Prediction { blind: true, steps: VecDeque::new(), ..Prediction::new() }
            }
        }
    }

    /// Whether a first state has arrived.
    #[must_use]
    pub(super) fn started(&self) -> bool {
        self.current.is_some()
    }

    /// The newest predicted tick.
    #[must_use]
    pub(super) fn tick(&self) -> Tick {
        self.tick
    }

    /// The own state at that tick.
    #[must_use]
    pub(super) fn local_player(&self) -> Option<&G::LocalPlayerState> {
        self.current.as_ref().map(|(_, own)| own)
    }

    /// The own state that the server last sent.
    #[must_use]
    pub(super) fn authority(&self) -> Option<&G::LocalPlayerState> {
        if self.blind { self.local_player() } else { self.authoritative.back().map(|(_, own)| own) }
    }

    /// Hides the prediction, so that the view shows the server's states at their ticks; inputs are handled the same.
    pub(super) fn set_hidden(&mut self, hidden: bool) {
        self.hidden = hidden;
    }

    /// Whether the prediction is hidden.
    #[must_use]
    pub(super) fn hidden(&self) -> bool {
        self.hidden
    }

    /// Jumps to `tick` without stepping, as after a frozen tab; the next snapshot corrects the state.
    pub(crate) fn jump_to(&mut self, tick: Tick) {
        self.steps.clear();
        self.tick = tick;
    }

    /// Steps the own state to the next tick.
    pub(super) fn advance(&mut self, input: &G::Input, context: &G::PredictionContext) {
        let Some((previous, own)) = &mut self.current else { return };
        self.tick = self.tick.after(1);
        if self.blind {
            // Inputs are not replayed, only sent.
            if self.steps.len() == SAMPLES_MAX {
                self.steps.pop_front();
            }
            self.steps.push_back(Step { tick: self.tick, input: *input, own: own.clone() });
            return;
        }
        previous.clone_from(own);
        self.spawned.clear();
        G::predict(own, input, self.tick, context, &mut self.spawned);
        if self.steps.len() == Self::REPLAY_TICKS {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { tick: self.tick, input: *input, own: own.clone() });
        for spawn in self.spawned.drain(..) {
            if self.spawns.len() < SPAWNS_MAX {
                self.spawns.push(TrackedSpawn::predicted(&spawn));
            }
        }
    }

    /// The inputs of consecutive ticks, as many as a packet holds: those known of `first` and later, and the tick of
    /// the first of them. `None` if there are none.
    #[must_use]
    pub(crate) fn inputs_from(&self, first: Tick) -> Option<(Tick, ArrayVec<G::Input, SAMPLES_MAX>)> {
        let mut steps = self.steps.iter().skip_while(move |step| step.tick < first).peekable();
        let first = steps.peek()?.tick;
        Some((first, steps.take(SAMPLES_MAX).map(|step| step.input).collect()))
    }

    /// Takes the server's state at `tick`. Gives the correction of the state at the newest tick, in world units, and
    /// its cause according to the game; `None` if the position was right or there was nothing to compare. The position
    /// of a companion counts while it is near.
    pub(crate) fn reconcile(
        &mut self,
        now: MonoTime,
        tick: Tick,
        own: G::LocalPlayerState,
        context: &G::PredictionContext,
    ) -> Option<(f32, CorrectionCause)> {
        if self.blind {
            self.tick = self.tick.max(tick);
            self.current = Some((own.clone(), own));
            return None;
        }
        let kept = if self.hidden { AUTHORITATIVE_KEPT } else { 1 };
        while self.authoritative.len() >= kept {
            self.authoritative.pop_front();
        }
        self.authoritative.push_back((tick, own.clone()));
        while self.steps.front().is_some_and(|step| step.tick < tick) {
            self.steps.pop_front();
        }
        let predicted = self.steps.front().filter(|step| step.tick == tick);
        if predicted.is_some_and(|step| step.own == own) {
            return None;
        }
        let was = self.current.take();
        if was.is_none() || self.tick < tick {
            self.tick = tick;
        }
        let cause = predicted.map(|step| G::correction_cause(&step.own, &own));
        if cause.is_some() {
            self.steps.pop_front();
        }
        let mut state = (own.clone(), own);
        self.spawned.clear();
        for step in &mut self.steps {
            state.0.clone_from(&state.1);
            G::predict(&mut state.1, &step.input, step.tick, context, &mut self.spawned);
            step.own.clone_from(&state.1);
        }
        self.respawn_predicted();
        let distance = was.as_ref().map(|(_, was)| {
            let moved = G::focus(was) - G::focus(&state.1);
            self.smooth(now, moved);
            moved.length().max(companion_moved::<G>(was, &state.1))
        });
        self.current = Some(state);
        distance.filter(|distance| *distance > 0.0).zip(cause)
    }

    /// The position of the own player's companion at `tick`, a tick with a fraction: between the newest state of the server
    /// and the newest predicted one. `None` before and after, and if it is not the entity `id`.
    pub(super) fn companion_at(&self, id: EntityId, tick: f64) -> Option<Vec2> {
        let known = self.authoritative.back().map(|(tick, own)| (*tick, own));
        let states = known.into_iter().chain(self.steps.iter().map(|step| (step.tick, &step.own)));
        let mut from = None;
        for (at, own) in states {
            let companion = G::companion(own).filter(|companion| companion.id == id)?;
            let part = f64::from(at.0) - tick;
            if part >= 0.0 {
                let from: Vec2 = if part == 0.0 { companion.at } else { from? };
                return Some(companion.at.lerp(from, part.min(1.0) as f32));
            }
            from = Some(companion.at);
        }
        None
    }

    /// The own state at `own_tick`, a tick with a fraction.
    #[must_use]
    pub(crate) fn own_view(&self, now: MonoTime, own_tick: f64) -> Option<LocalPlayerView<G>> {
        let (previous, current) = self.current.as_ref()?;
        let alpha = (own_tick - f64::from(self.tick.0)).clamp(0.0, 1.0) as f32;
        Some(LocalPlayerView {
            previous: previous.clone(),
            current: current.clone(),
            alpha,
            offset: self.offset_at(now),
        })
    }

    /// The server's own state at `tick`, a tick with a fraction: between the two states around it, or the newest.
    #[must_use]
    pub(crate) fn authority_view(&self, tick: f64) -> Option<LocalPlayerView<G>> {
        let newest = self.authoritative.len().checked_sub(1)?;
        let after = self.authoritative.iter().position(|(at, _)| f64::from(at.0) > tick).unwrap_or(newest);
        let ((from, previous), (to, current)) =
            (&self.authoritative[after.saturating_sub(1)], &self.authoritative[after]);
        let share = (tick - f64::from(from.0)) / f64::from(to.since(*from).max(1));
        let alpha = share.clamp(0.0, 1.0) as f32;
        Some(LocalPlayerView { previous: previous.clone(), current: current.clone(), alpha, offset: Vec2::ZERO })
    }

    /// Updates the status of predicted spawns from the snapshot of `tick`.
    pub(crate) fn confirm_spawns<'a>(
        &mut self,
        player: PlayerId,
        tick: Tick,
        records: impl Iterator<Item = &'a Record>,
    ) {
        // Without spawns there is nothing to look for.
        if self.spawns.is_empty() {
            return;
        }
        let real: Vec<(u32, &Record)> =
            records.filter_map(|record| Some((G::spawn_key(player, record)?, record))).collect();
        for spawn in &mut self.spawns {
            let found = real.iter().find(|(key, _)| *key == spawn.key).map(|(_, record)| *record);
            spawn.state = match (spawn.state, found) {
                (SpawnStatus::Ended(id, at), _) => SpawnStatus::Ended(id, at),
                (SpawnStatus::Predicted | SpawnStatus::Confirmed(_), Some(record)) => {
                    // The server may know more, such as what stopped a beam.
                    spawn.record = *record;
                    SpawnStatus::Confirmed(record.id)
                }
                (SpawnStatus::Confirmed(id), None) => SpawnStatus::Ended(id, tick),
                (SpawnStatus::Predicted, None) => SpawnStatus::Predicted,
            };
        }
        // A spawn that should be in this snapshot and is not never existed, or ended at once.
        self.spawns.retain(|spawn| spawn.state != SpawnStatus::Predicted || spawn.tick > tick);
    }

    /// Whether the entity with this id is shown by [`Prediction::show_spawns`].
    #[must_use]
    pub(super) fn shows(&self, id: EntityId) -> bool {
        self.spawns.iter().any(|spawn| match spawn.state {
            SpawnStatus::Confirmed(own) | SpawnStatus::Ended(own, _) => own == id,
            SpawnStatus::Predicted => false,
        })
    }

    /// Appends the local player's spawns, drawn while the own player is at `own_tick` and the other entities at `tick`.
    pub(crate) fn show_spawns(&mut self, own_tick: f64, tick: f64, out: &mut Vec<InterpolatedEntity>) {
        let drawn_at = |spawn: &TrackedSpawn| {
            let (lag, age) = ((own_tick - tick).max(0.0), (own_tick - f64::from(spawn.tick.0)).max(0.0));
            own_tick - (age * EASE).min(lag)
        };
        self.spawns.retain(|spawn| match spawn.state {
            SpawnStatus::Ended(_, at) => drawn_at(spawn) < f64::from(at.0),
            SpawnStatus::Predicted | SpawnStatus::Confirmed(_) => true,
        });
        out.extend(self.spawns.iter().map(|spawn| entity_at::<G>(&spawn.record, drawn_at(spawn))));
    }

    /// After a replay, the predicted spawns are exactly those of the replayed inputs.
    fn respawn_predicted(&mut self) {
        let first = self.steps.front().map_or(self.tick.after(1), |step| step.tick);
        let spawned = &self.spawned;
        self.spawns.retain(|spawn| {
            spawn.state != SpawnStatus::Predicted || spawn.tick < first || spawned.iter().any(|s| s.key == spawn.key)
        });
        for spawn in self.spawned.drain(..) {
            if let Some(tracked) = self.spawns.iter_mut().find(|tracked| tracked.key == spawn.key) {
                if tracked.state == SpawnStatus::Predicted {
                    tracked.record = spawn.record;
                }
            } else if self.spawns.len() < SPAWNS_MAX {
                self.spawns.push(TrackedSpawn::predicted(&spawn));
            }
        }
    }

    fn offset_at(&self, now: MonoTime) -> Vec2 {
        let seconds = now.us_since(self.offset_at) as f32 / 1e6;
        self.offset * libm::expf(-seconds / SMOOTHING_S)
    }

    fn smooth(&mut self, now: MonoTime, moved: Vec2) {
        let offset = self.offset_at(now) + moved;
        self.offset = if offset.length() > SMOOTHED_MAX * G::CELL { Vec2::ZERO } else { offset };
        self.offset_at = now;
    }
}

/// World units that a companion moved from one state to another, if it is near in either.
fn companion_moved<G: Game>(was: &G::LocalPlayerState, is: &G::LocalPlayerState) -> f32 {
    let (Some(was), Some(is)) = (G::companion(was), G::companion(is)) else { return 0.0 };
    if was.is_near || is.is_near { was.at.distance(is.at) } else { 0.0 }
}

impl<G: Game> Default for Prediction<G> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::room::ModeId;
    use crate::toy::{Push, Toy};

    #[test]
    fn a_client_that_only_decodes_sends_inputs_and_has_the_servers_state() {
        let mut toy = Toy::new(&(), ModeId(0), 1);
        toy.join(PlayerId(0), Tick(1), &mut Vec::new());
        let mut own = toy.player_state(PlayerId(0)).expect("seated").clone();
        let mut prediction = Prediction::<Toy>::of(Detail::Decode);
        let (context, input) = ((), Push(1, -1));
        prediction.reconcile(MonoTime(0), Tick(10), own.clone(), &context);
        (0..20).for_each(|_| prediction.advance(&input, &context));
        assert_eq!((prediction.tick(), prediction.local_player()), (Tick(30), Some(&own)));
        assert_eq!(prediction.inputs_from(Tick(28)), Some((Tick(28), [input; 3].into_iter().collect())));
        let all = prediction.inputs_from(Tick(0)).expect("there are inputs");
        assert_eq!((all.0, all.1.len()), (Tick(30).before(SAMPLES_MAX as u32 - 1), SAMPLES_MAX));
        assert_eq!(prediction.inputs_from(Tick(31)), None);
        // The server's state counts at once, and never takes the client back in time.
        own.at = Vec2::X * 50.0;
        assert_eq!(prediction.reconcile(MonoTime(0), Tick(12), own.clone(), &context), None);
        assert_eq!(
            (prediction.tick(), prediction.local_player(), prediction.authority()),
            (Tick(30), Some(&own), Some(&own))
        );
    }

    #[test]
    fn hidden_prediction_shows_the_servers_states_between_its_snapshots() {
        let mut toy = Toy::new(&(), ModeId(0), 1);
        toy.join(PlayerId(0), Tick(1), &mut Vec::new());
        let mut own = toy.player_state(PlayerId(0)).expect("seated").clone();
        let mut prediction = Prediction::<Toy>::new();
        prediction.set_hidden(true);
        for tick in [10, 13, 16] {
            own.at = Vec2::X * tick as f32;
            prediction.reconcile(MonoTime(0), Tick(tick), own.clone(), &());
        }
        for (tick, expected) in [(5.0, 10.0), (11.5, 11.5), (14.0, 14.0), (30.0, 16.0)] {
            let view = prediction.authority_view(tick).expect("a state has arrived");
            let at = view.previous.at.lerp(view.current.at, view.alpha);
            assert!((at.x - expected).abs() < 0.01, "at {tick}: {at}");
        }
        assert_eq!(prediction.authority(), Some(&own));
        // Shown again, only the newest is kept.
        prediction.set_hidden(false);
        prediction.reconcile(MonoTime(0), Tick(19), own.clone(), &());
        assert_eq!(prediction.authoritative.len(), 1);
    }
}
