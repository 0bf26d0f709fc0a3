//! Interpolation: all entities but the own player's are drawn a little in the past, between two snapshots that have
//! both arrived.
//!
//! The delay follows the lateness of recent snapshots: it rises at once and falls slowly. A single snapshot that is
//! much later than all others is an accident, such as a retransmitted segment, and is bridged; a second one raises the
//! delay. Drawn time never jumps for that; it runs slower or faster until the delay is right. If snapshots stop,
//! entities move on along their velocity for a moment, then stand still.

use std::collections::VecDeque;

use glam::Vec2;

use crate::game::Game;
use crate::ids::EntityId;
use crate::replication::fields::{FIELDS_MAX, FieldRole, KindSpec, Motion, Record};
use crate::sorted::SortedMap;
use crate::time::Tick;

/// Snapshots kept per entity: half a second or more at any rate.
const SAMPLES_KEPT: usize = 32;
/// Time past the newest snapshot, in seconds, for which entities are extrapolated along their velocity.
const EXTRAPOLATE_S: f32 = 0.1;
/// Ticks added to the delay that the worst recent snapshot needed.
const SPARE_TICKS: f64 = 0.5;
/// Share of the remembered lateness above the mean that is forgotten with each snapshot: half of it in a second.
const FORGET: f64 = 0.02;
/// Weight of a snapshot in the mean lateness.
const MEAN_WEIGHT: f64 = 0.05;
/// Largest error of an extrapolated position, as a share of a cell, that glides to zero; with a larger one the entity jumps.
/// Below this distance no jump is seen.
const GLIDE_MAX: f32 = 0.1875;
/// Time in which a glide falls to 1/e, in seconds. Short, since until then players aim at a wrong position.
const GLIDE_S: f32 = 0.05;
/// Slowest and fastest that drawn time runs while the delay changes.
const RATE: (f64, f64) = (0.6, 1.15);
/// With an error of more than this many seconds, drawn time jumps: after a frozen tab.
const JUMP_S: f64 = 0.75;

/// An entity as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterpolatedEntity {
    /// The entity's number in the room.
    pub id: EntityId,
    /// Index into the game's kinds.
    pub kind: u8,
    /// The moment it is drawn at, in ticks with a fraction.
    pub tick: f64,
    /// Its fields in game units, in the order of the kind's table.
    pub values: [f32; FIELDS_MAX],
}

/// Entities from snapshots, ready to be drawn at any moment.
pub(crate) struct Interpolation {
    kinds: &'static [KindSpec],
    tracks: SortedMap<EntityId, Track>,
    newest: Option<Tick>,
    every: f64,
    lateness: Lateness,
    drawn: Option<(f64, f64)>,
    tick_s: f32,
    /// World units.
    glide_max: f32,
    starved: u64,
    plain: bool,
}

struct Track {
    kind: u8,
    samples: VecDeque<(Tick, [i32; FIELDS_MAX])>,
    /// Newest snapshot that contained it.
    seen: Tick,
    /// First snapshot that no longer contained it.
    gone: Option<Tick>,
    /// World units it is drawn off its position, as of a drawn tick.
    glide: (Vec2, f64),
}

impl Interpolation {
    /// For a game with these kinds, this tick rate, and cells of `cell` world units.
    #[must_use]
    pub(crate) fn new(kinds: &'static [KindSpec], tick_hz: u32, cell: f32) -> Self {
        Interpolation {
            kinds,
            tracks: SortedMap::default(),
            newest: None,
            every: 2.0,
            lateness: Lateness { jump: JUMP_S * f64::from(tick_hz), ..Lateness::default() },
            drawn: None,
            tick_s: 1.0 / tick_hz as f32,
            glide_max: GLIDE_MAX * cell,
            starved: 0,
            plain: false,
        }
    }

    /// Ticks from one snapshot to the next.
    pub(crate) fn set_interval(&mut self, ticks: u32) {
        self.every = f64::from(ticks);
    }

    /// Whether everything is drawn at the newest snapshot.
    #[must_use]
    pub(crate) fn plain(&self) -> bool {
        self.plain
    }

    /// Draws everything at the newest snapshot, without interpolation.
    pub(crate) fn set_plain(&mut self, plain: bool) {
        self.plain = plain;
    }

    /// Takes the replica after the snapshot of `tick`, which arrived when the server was at `server_tick`: each record
    /// with its tick, which is older where an update-rate tier leaves out far cells.
    pub(crate) fn handle_snapshot<'a>(
        &mut self,
        tick: Tick,
        server_tick: f64,
        records: impl Iterator<Item = (Tick, &'a Record)>,
    ) {
        // Counted from its due time after the previous one, so that a slower rate is lateness too.
        let due = self.newest.map_or(f64::from(tick.0), |before| f64::from(before.0) + self.every);
        self.lateness.take(server_tick - due, server_tick, self.every);
        self.newest = Some(tick);
        let drawn = self.drawn.map_or(0.0, |(tick, _)| tick);
        for (of, record) in records {
            let track = self.tracks.get_or_insert_with(record.id, || Track::new(record.kind));
            if track.kind != record.kind || track.gone.is_some() {
                *track = Track::new(record.kind);
            }
            track.seen = tick;
            let kind = &self.kinds[usize::from(record.kind)];
            // The drawn position may be extrapolated: its error is taken back little by little.
            let guessed = track.guess(drawn, kind, self.tick_s);
            track.push(of, record.values, kind.motion);
            if let Some(guess) = guessed {
                track.glide_from(guess, drawn, kind, (self.tick_s, self.glide_max));
            }
        }
        self.tracks.retain(|track| {
            track.end_if_missing(tick);
            // A view that nobody draws must not keep entities that are long gone.
            track.gone.is_none_or(|gone| f64::from(gone.0) > drawn && tick.since(gone) < SAMPLES_KEPT as u32 * 2)
        });
    }

    /// Advances drawn time to match the server being at `server_tick`; gives the tick to draw at.
    pub(crate) fn advance(&mut self, server_tick: f64) -> f64 {
        if let Some(newest) = self.newest.filter(|_| self.plain) {
            let tick = f64::from(newest.0);
            self.drawn = Some((tick, server_tick));
            return tick;
        }
        let goal = server_tick - self.lateness.expected() - self.every - SPARE_TICKS;
        let tick = match self.drawn {
            Some((tick, at)) if (goal - tick).abs() < self.lateness.jump => {
                let step = (server_tick - at).max(0.0);
                let error = goal - (tick + step);
                tick + step * (1.0 + error * 0.1).clamp(RATE.0, RATE.1)
            }
            Some(_) | None => goal,
        };
        self.drawn = Some((tick, server_tick));
        self.starved += u64::from(self.newest.is_some_and(|newest| tick > f64::from(newest.0)));
        tick
    }

    /// Draws at exactly this tick, whatever arrived when.
    pub(crate) fn draw_at(&mut self, tick: f64) {
        self.drawn = Some((tick, tick));
    }

    /// The tick of the last drawn picture, with a fraction; it stands still while missing snapshots make entities stand
    /// still.
    #[must_use]
    pub(crate) fn drawn(&self) -> Option<f64> {
        let last =
            self.newest.map_or(f64::INFINITY, |newest| f64::from(newest.0) + f64::from(EXTRAPOLATE_S / self.tick_s));
        self.drawn.map(|(tick, _)| tick.min(last))
    }

    /// Drawn frames so far for which the newest snapshot was too old, so that entities were extrapolated or frozen.
    #[must_use]
    pub(crate) fn starved(&self) -> u64 {
        self.starved
    }

    /// The position of an entity at `tick`; `None` before it arrived and after it was removed.
    pub(super) fn position_at(&self, id: EntityId, tick: f64) -> Option<Vec2> {
        let track = self.tracks.get(id)?;
        track.at(tick, &self.kinds[usize::from(track.kind)], self.tick_s).map(|values| Vec2::new(values[0], values[1]))
    }

    /// Appends the entities to draw at `tick` that are not `hidden`, in order of id.
    pub(crate) fn show(
        &self,
        tick: f64,
        hidden: impl Fn(&InterpolatedEntity) -> bool,
        out: &mut Vec<InterpolatedEntity>,
    ) {
        for (id, track) in self.tracks.iter() {
            let kind = &self.kinds[usize::from(track.kind)];
            if let Some(values) = track.at(tick, kind, self.tick_s) {
                let entity = InterpolatedEntity { id, kind: track.kind, tick, values };
                if !hidden(&entity) {
                    out.push(entity);
                }
            }
        }
    }
}

/// How late snapshots arrive, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Lateness {
    /// [`JUMP_S`] in ticks.
    jump: f64,
    /// `None` before the first snapshot.
    mean: Option<f64>,
    /// The worst recent lateness, and the second worst.
    worst: (f64, f64),
    came_at: f64,
}

impl Lateness {
    /// Takes a snapshot that arrived `late` ticks after it was due, when the server was at `now`; they are due every
    /// `every` ticks.
    fn take(&mut self, late: f64, now: f64, every: f64) {
        // Far earlier than all before, or before its time: the clock was wrong, as it is until the first ping is answered.
        let sane = |mean: &f64| late > mean - self.jump && *mean > -self.jump;
        let Some(mean) = self.mean.filter(sane) else {
            *self = Lateness { jump: self.jump, mean: Some(late), worst: (late, late), came_at: now };
            return;
        };
        let mean = mean + (late - mean) * MEAN_WEIGHT;
        let (first, second) = self.worst;
        let (first, second) = (first - (first - mean).max(0.0) * FORGET, second - (second - mean).max(0.0) * FORGET);
        // All snapshots of a burst were delayed by the same accident.
        let another = now - self.came_at > every * 0.5;
        self.worst = match (late > first, another && late > second) {
            (true, true) => (late, first),
            (true, false) => (late, second),
            (false, true) => (first, late),
            (false, false) => (first, second),
        };
        (self.mean, self.came_at) = (Some(mean), now);
    }

    /// How late the next snapshots may be.
    fn expected(&self) -> f64 {
        self.worst.1
    }
}

impl Track {
    fn new(kind: u8) -> Self {
        Track { kind, samples: VecDeque::new(), seen: Tick(0), gone: None, glide: (Vec2::ZERO, 0.0) }
    }

    fn push(&mut self, tick: Tick, values: [i32; FIELDS_MAX], motion: Motion) {
        if self.samples.back().is_some_and(|(last, _)| *last >= tick) {
            return;
        }
        // A still entity needs the sample of its arrival, and one of when it was last seen.
        if motion == Motion::Still && self.samples.len() > 1 {
            self.samples.pop_back();
        }
        self.samples.push_back((tick, values));
        if self.samples.len() > SAMPLES_KEPT {
            self.samples.pop_front();
        }
    }

    fn end_if_missing(&mut self, tick: Tick) {
        if self.gone.is_none() && self.seen < tick {
            self.gone = Some(tick);
        }
    }

    /// Its drawn position at `tick`, if that lies beyond its newest sample.
    fn guess(&self, tick: f64, kind: &KindSpec, tick_s: f32) -> Option<Vec2> {
        let beyond = self.samples.back().is_some_and(|(last, _)| f64::from(last.0) < tick);
        if !beyond || kind.motion == Motion::Still {
            return None;
        }
        self.at(tick, kind, tick_s).map(|values| Vec2::new(values[0], values[1]))
    }

    fn glide_from(&mut self, guess: Vec2, tick: f64, kind: &KindSpec, (tick_s, max): (f32, f32)) {
        self.glide = (Vec2::ZERO, tick);
        if let Some(values) = self.at(tick, kind, tick_s) {
            let off = guess - Vec2::new(values[0], values[1]);
            self.glide.0 = if off.length() <= max { off } else { Vec2::ZERO };
        }
    }

    /// The fields at `tick` in game units; `None` before it arrived and after it was removed.
    fn at(&self, tick: f64, kind: &KindSpec, tick_s: f32) -> Option<[f32; FIELDS_MAX]> {
        if self.gone.is_some_and(|gone| tick >= f64::from(gone.0)) {
            return None;
        }
        let after = self.samples.iter().position(|(at, _)| f64::from(at.0) > tick);
        let mut values = match after {
            Some(0) => return None,
            Some(at) => {
                let ((t0, a), (t1, b)) = (&self.samples[at - 1], &self.samples[at]);
                let part = (tick - f64::from(t0.0)) / f64::from(t1.since(*t0).max(1));
                between(kind, a, b, part as f32)
            }
            None => {
                let (at, values) = self.samples.back()?;
                let past = ((tick - f64::from(at.0)) as f32 * tick_s).min(EXTRAPOLATE_S);
                beyond(kind, values, past)
            }
        };
        if self.glide.0 != Vec2::ZERO {
            let seconds = (tick - self.glide.1).max(0.0) as f32 * tick_s;
            let off = self.glide.0 * libm::expf(-seconds / GLIDE_S);
            values[0] += off.x;
            values[1] += off.y;
        }
        Some(values)
    }
}

fn between(kind: &KindSpec, a: &[i32; FIELDS_MAX], b: &[i32; FIELDS_MAX], part: f32) -> [f32; FIELDS_MAX] {
    let mut out = [0.0; FIELDS_MAX];
    for (i, field) in kind.fields.iter().enumerate() {
        let from = field.unpack(a[i]);
        out[i] = match field.role {
            FieldRole::X | FieldRole::Y | FieldRole::Velocity => from + (field.unpack(b[i]) - from) * part,
            FieldRole::Angle => {
                let turn = 1 << field.bits;
                let short = (b[i] - a[i] + turn / 2).rem_euclid(turn) - turn / 2;
                from + field.unpack(short) * part
            }
            FieldRole::Plain | FieldRole::Signed | FieldRole::Start => from,
        };
    }
    out
}

fn beyond(kind: &KindSpec, values: &[i32; FIELDS_MAX], seconds: f32) -> [f32; FIELDS_MAX] {
    let mut out = unpacked(kind, values);
    if kind.motion == Motion::Moving {
        out[0] += out[2] * seconds;
        out[1] += out[3] * seconds;
    }
    out
}

fn unpacked(kind: &KindSpec, values: &[i32; FIELDS_MAX]) -> [f32; FIELDS_MAX] {
    let mut out = [0.0; FIELDS_MAX];
    for ((out, field), value) in out.iter_mut().zip(kind.fields).zip(values) {
        *out = field.unpack(*value);
    }
    out
}

/// A record without interpolation, drawn at `tick`.
#[must_use]
pub(crate) fn entity_at<G: Game>(record: &Record, tick: f64) -> InterpolatedEntity {
    InterpolatedEntity {
        id: record.id,
        kind: record.kind,
        tick,
        values: unpacked(&G::KINDS[usize::from(record.kind)], &record.values),
    }
}
