//! A tick of the arena: [`Arena::run_tick`] is its table of contents.

use super::beam::Beam;
use super::fields::{BEAM, MINE};
use super::mine::Mine;
use super::modes::ground;
use super::rules::{
    BORDER_DEBRIS, CONTACT_BOUNCE, CONTACT_SOFTNESS, CONTACT_TICKS, ROCK_CLEAR, ROCK_REACH, ROCK_TRIES, SHIP_RADIUS,
};
use super::shot::Shot;
use super::{Arena, ArenaEvent, ArenaInput, ship};
use broadside_shared::game::{AddressedEvent, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::Tick;

/// Width of the squares in which ships are looked up, in world units. With narrower squares fewer ships are examined,
/// but each lies in more squares. With 3,000 ships a tick took 8 % less than with 256, and 4 % less than with 96.
pub(super) const SHIP_CELL: f32 = 128.0;
/// Upper bound of how far contacts move a ship between its entry into the squares and a lookup, in world units.
pub(super) const SHIP_DRIFT: f32 = 64.0;

impl Arena {
    pub(super) fn run_tick(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<ArenaInput>],
        history: &History,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        self.tick = tick;
        self.follow_population(tick); // the border, and the rocks added or removed with it
        self.referee(tick); // teams and rounds, in modes with them
        self.launch_ships(tick, events);
        self.sail(tick, inputs, events); // the predicted part: every ship for itself
        self.index_ships();
        self.separate_ships(); // contact, which prediction does not cover
        self.judge_beams(tick, inputs, history, events); // against the past that its shooter saw
        self.fly_shots(tick, events);
        self.mind_mines(tick, events);
        self.hand_out_pickups(events);
        self.restock(tick);
        self.follow_leader(tick); // for the bounty
    }

    fn follow_population(&mut self, tick: Tick) {
        if let Some(border) = self.border.follow(ground::radius(self.mode), self.population, tick) {
            self.border = border;
            self.rocks.want(self.rocks_wanted(f32::from(border.to)));
        } else if self.border.rests_at(tick) && self.border.ticks != 0 {
            self.border = self.border.settled();
        } else if self.border.ticks == 0 {
            return;
        }
        let border = self.border;
        for seat in self.seats.iter_mut().flatten() {
            seat.own.border = border;
        }
        // New rocks appear out of view, before the border moves over them.
        let (ring, seats) = ((f32::from(border.from), f32::from(border.to)), &self.seats);
        if tick < border.since && ring.0 < ring.1 {
            self.rocks.place(ROCK_TRIES, ring, &mut self.rng, &mut self.ids, |at, radius| {
                let clear = radius + ROCK_CLEAR;
                seats.iter().flatten().all(|seat| (seat.own.position - at).length_squared() > clear * clear)
            });
        }
        // Measured from where a growing border will be, or those rocks would be dropped again.
        let reach = border.radius_at(tick).max(ring.1) + BORDER_DEBRIS;
        self.rocks.drop_beyond(reach, &mut self.ids);
        self.drop_pickups_beyond(reach);
    }

    /// Steps every ship for itself, with the function that clients predict with.
    fn sail(&mut self, tick: Tick, inputs: &[PlayerInput<ArenaInput>], events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        for PlayerInput { player, input, .. } in inputs {
            let Some(seat) = self.seats.get_mut(usize::from(player.0)).and_then(Option::as_mut) else { continue };
            seat.input = *input;
            let afloat_as = seat.own.entity;
            let near = self.rocks.near(seat.own.position);
            let sunk = ship::advance(&mut seat.own, input, tick, near, &mut self.spawned);
            for spawn in self.spawned.drain(..) {
                // With all numbers taken the shot is lost: its owner sees it fade.
                let Some(id) = self.ids.take() else { continue };
                seat.counters.shots += u32::from(spawn.record.kind != MINE);
                match spawn.record.kind {
                    MINE => self.mines.push(Mine { id, ..Mine::read(&spawn.record) }),
                    BEAM => self.beams.push(Beam { id, ..Beam::read(&spawn.record) }),
                    _ => self.shots.push(Shot { id, ..Shot::read(&spawn.record) }),
                }
            }
            if let (Some(id), Some(cause)) = (afloat_as, sunk) {
                self.ids.free(id);
                self.emit_wreck(*player, None, cause, events);
            }
        }
    }

    fn index_ships(&mut self) {
        // The reach covers the path of a shot, a contact, a pickup, and the little that contacts move ships later in the tick.
        const REACH: f32 = SHIP_RADIUS + ROCK_REACH;
        self.ships_near.clear();
        for (index, seat) in self.seats.iter().enumerate() {
            if let Some(seat) = seat.as_ref().filter(|seat| seat.own.afloat()) {
                self.ships_near.add(index as u16, seat.own.position, REACH);
            }
        }
        self.ships_near.build();
    }

    /// Pushes touching ships apart, softly: each step removes a share of the overlap and most of the approach.
    fn separate_ships(&mut self) {
        const CLOSE: f32 = SHIP_RADIUS * 2.0 + 1.0;
        for first in 0..self.seats.len() {
            let Some(at) = self.seats[first].as_ref().filter(|s| s.own.afloat()).map(|s| s.own.position) else {
                continue;
            };
            for second in self.ships_near.at(at).iter().map(|index| usize::from(*index)) {
                if second <= first {
                    continue;
                }
                let (lower, higher) = self.seats.split_at_mut(second);
                let (Some(a), Some(b)) = (&mut lower[first], &mut higher[0]) else { continue };
                let offset = b.own.position - a.own.position;
                // Most are far apart, so the square root is only taken for those that may touch.
                if offset.length_squared() > CLOSE * CLOSE {
                    continue;
                }
                let overlap = SHIP_RADIUS * 2.0 - offset.length();
                if overlap <= 0.0 {
                    continue;
                }
                let normal = offset.normalize_or(glam::Vec2::X);
                let push = normal * (overlap * CONTACT_SOFTNESS * 0.5);
                a.own.position -= push;
                b.own.position += push;
                (a.own.contact, b.own.contact) = (CONTACT_TICKS, CONTACT_TICKS);
                let approach = (a.own.velocity - b.own.velocity).dot(normal);
                if approach > 0.0 {
                    let change = normal * (approach * (1.0 + CONTACT_BOUNCE) * 0.5);
                    a.own.velocity -= change;
                    b.own.velocity += change;
                }
            }
        }
    }

    /// The players whose ships may lie in a rectangle, and perhaps a few more; some repeatedly, in no order. As of the
    /// last step: a ship launched since then is not among them.
    pub(super) fn players_within(&self, low: glam::Vec2, high: glam::Vec2) -> impl Iterator<Item = PlayerId> {
        let drift = glam::Vec2::splat(SHIP_DRIFT);
        self.ships_near.within(low - drift, high + drift).map(PlayerId)
    }

    /// The ships that may touch an entity at a point, in order of player.
    pub(super) fn players_near(&self, point: glam::Vec2) -> impl Iterator<Item = PlayerId> {
        self.ships_near.at(point).iter().map(|index| PlayerId(*index))
    }
}
