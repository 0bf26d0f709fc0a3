//! The rail: hits of beams, judged where their shooter saw everyone (lag compensation), and the events of both players.

use glam::Vec2;

use super::beam::Beam;
use super::event::rounded;
use super::rules::{POINT, RAIL_DAMAGE, RAIL_RANGE, RAIL_SWAY, ROCK_REACH, SHIP_RADIUS};
use super::ship::Cause;
use super::{Arena, ArenaEvent, ArenaInput};
use broadside_shared::game::{AddressedEvent, PlayerInput, Recipients};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::{Tick, ViewTime};

/// A ship hit by a beam.
#[derive(Debug, Clone, Copy)]
struct Judged {
    target: PlayerId,
    /// Distance along the beam, in world units from the muzzle.
    distance: f32,
    /// The centre of the ship as the shooter saw it.
    seen_at: Vec2,
}

/// Distance between two rock lookups along a beam: each covers half of it in both directions.
const ROCK_STRIDE: f32 = 128.0;
const _: () = assert!(ROCK_STRIDE * 0.5 <= ROCK_REACH);

impl Arena {
    /// Removes the beams that have stopped glowing, and judges those fired in this tick, in the order they were fired.
    pub(super) fn judge_beams(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<ArenaInput>],
        history: &History,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        let ids = &mut self.ids;
        self.beams.retain(|beam| {
            let keep = !beam.spent_at(tick);
            if !keep {
                ids.free(beam.id);
            }
            keep
        });
        let first = self.beams.partition_point(|beam| beam.start < tick);
        for index in first..self.beams.len() {
            let mut beam = self.beams[index];
            let Ok(by) = inputs.binary_search_by_key(&beam.owner, |input| input.player) else { continue };
            let view = inputs[by].view;
            let strides = 0..=(RAIL_RANGE / ROCK_STRIDE) as u32 + 1;
            let direction = beam.direction();
            let looks = strides.map(|stride| beam.origin + direction * (stride as f32 * ROCK_STRIDE));
            let mut stopped = beam;
            looks.for_each(|look| stopped.stop_at(self.rocks.near(look)));
            beam.length = stopped.length;
            if let Some(judged) = self.first_in_beam(&beam, view, history) {
                beam.length = judged.distance;
                self.rail(&beam, &judged, ViewTime::of(tick).parts_since(view), events);
            }
            self.beams[index] = beam;
        }
    }

    /// The first ship hit by a beam, at the positions its shooter saw at `view`. Friends and ships that are
    /// invulnerable now are skipped.
    fn first_in_beam(&self, beam: &Beam, view: ViewTime, history: &History) -> Option<Judged> {
        let direction = beam.direction();
        let (start, end) = (beam.origin - direction * RAIL_SWAY, beam.origin + direction * (beam.length + RAIL_SWAY));
        let sway = Vec2::splat(RAIL_SWAY);
        let friends = self.spared_by(beam.owner)?;
        let mut first: Option<Judged> = None;
        for player in self.players_within(start.min(end) - sway, start.max(end) + sway) {
            let Some(seat) = self.seat(player) else { continue };
            let own = &seat.own;
            // The shooter saw the seat's former ship, not this one.
            let can_be_hurt = own.afloat() && own.protection == 0 && view >= ViewTime::of(seat.launched);
            if !can_be_hurt || own.player == beam.owner || friends.has(own) {
                continue;
            }
            let offset = own.position - beam.origin;
            let (along, across) = (offset.dot(direction), offset.perp_dot(direction).abs());
            if across > RAIL_SWAY || along < -RAIL_SWAY || along > beam.length + RAIL_SWAY {
                continue;
            }
            let Some(seen_at) = history.at(own.player, view) else { continue };
            let Some(distance) = beam.touches(seen_at, SHIP_RADIUS) else { continue };
            // Of two at equal distance, the lower number.
            if first.is_none_or(|nearer| (distance, own.player) < (nearer.distance, nearer.target)) {
                first = Some(Judged { target: own.player, distance, seen_at });
            }
        }
        first
    }

    /// Applies a beam's damage and emits its events: to everyone near, and to shooter and victim.
    fn rail(&mut self, beam: &Beam, judged: &Judged, ago: u32, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let Judged { target, seen_at, .. } = *judged;
        let by = beam.owner;
        let Some(wound) = self.wound(target, by, RAIL_DAMAGE) else { return };
        self.count_hit(by);
        let (at, now, ago) = (rounded(seen_at), rounded(wound.at), ago.min(u32::from(u8::MAX)) as u8);
        let points = wound.dealt.div_ceil(POINT) as u8;
        let pierced = ArenaEvent::Pierced { at: now, target, by, on: wound.on };
        events.push(AddressedEvent { recipients: Recipients::Near(now), event: pierced });
        let railed = ArenaEvent::Railed { target, points, at, ago };
        events.push(AddressedEvent { recipients: Recipients::Player(by), event: railed });
        let struck = ArenaEvent::Struck { by, at, now, ago };
        events.push(AddressedEvent { recipients: Recipients::Player(target), event: struck });
        self.finish(target, by, &wound, Cause::Rail, events);
    }
}
