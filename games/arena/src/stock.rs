//! Placement: the first rocks, pickups, and the places where ships are launched.

use glam::Vec2;
use std::f32::consts::PI;

use super::event::rounded;
use super::fields::on_grid;
use super::input::turn_of;
use super::modes::ground;
use super::pickup::{Boon, Pickup};
use super::rock::point_in_ring;
use super::rules::{PICKUP_RADIUS, PICKUPS_MIN, RESTOCK, SHIP_RADIUS, VIEW, WRECK_DROP};
use super::{Arena, ArenaEvent};
use crate::modes::Mode;
use broadside_shared::game::{AddressedEvent, Recipients};
use broadside_shared::math;
use broadside_shared::time::Tick;

/// Random places considered for a new ship; the quietest is taken.
const LAUNCH_TRIES: usize = 12;
/// Random places considered for a pickup.
const PICKUP_TRIES: usize = 8;
/// Distance to the nearest ship beyond which a place is quiet enough: further away, the next fight is a long flight.
const QUIET: f32 = 900.0;

const _: () = assert!(QUIET < VIEW.x);

impl Arena {
    /// Places the first rocks and pickups in an empty arena.
    pub(super) fn furnish(&mut self) {
        let (mode, radius) = (self.mode, ground::radius(self.mode));
        self.rocks.want(self.rocks_wanted(radius));
        match mode {
            Mode::Open | Mode::Daily => {
                self.rocks.place(1000, (0.0, radius), &mut self.rng, &mut self.ids, |_, _| true);
            }
            Mode::Teams | Mode::Duel => {
                let is_clear = |at, rock| ground::is_clear(mode, at, rock);
                self.rocks.place_mirrored(1000, radius, &mut self.rng, &mut self.ids, is_clear);
            }
        }
        while self.pickups.len() < self.pickups_wanted() && self.add_pickup() {}
    }

    pub(super) fn rocks_wanted(&self, radius: f32) -> usize {
        let density = if self.mode == Mode::Duel { self.config.duel_rock_density } else { self.config.rock_density };
        (PI * radius * radius / 1.0e6 * density.clamp(0.0, 10.0) * self.twist.rocks()) as usize
    }

    fn pickups_wanted(&self) -> usize {
        let share = if self.mode == Mode::Duel { 0.0 } else { self.config.pickups_per_player.clamp(0.0, 2.0) };
        if share == 0.0 { 0 } else { PICKUPS_MIN.max((self.population as f32 * share) as usize) }
    }

    /// Launches a new ship for every player whose wait is over, at a quiet place.
    pub(super) fn launch_ships(&mut self, tick: Tick, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        self.launched_at.clear();
        let held = self.referee.as_ref().map_or(0, |referee| referee.holds_for(tick));
        for index in 0..self.seats.len() {
            if self.seats[index].as_ref().is_none_or(|seat| seat.own.afloat() || seat.own.respawn > 0) {
                continue;
            }
            let team = self.seats[index].as_ref().and_then(|seat| seat.own.team);
            if self.referee.as_ref().is_some_and(|referee| !referee.launches(team)) {
                continue;
            }
            // With all numbers taken the player waits.
            let Some(id) = self.ids.take() else { return };
            let at = self.place_for(team, tick);
            self.launched_at.push(at);
            let Some(seat) = &mut self.seats[index] else { continue };
            seat.own.launch(id, at, turn_of(math::angle_of(-at)), seat.chosen);
            seat.launched = tick;
            if held > 0 {
                seat.own.hold(held);
            }
            let (at, player) = (rounded(at), seat.own.player);
            events
                .push(AddressedEvent { recipients: Recipients::Near(at), event: ArenaEvent::Launched { at, player } });
        }
    }

    /// The best of a few random places in a circle: free of rocks, then as far from other ships as is useful.
    pub(super) fn quiet_place(&mut self, middle: Vec2, radius: f32) -> Vec2 {
        let mut best = (-1.0, middle);
        for _ in 0..LAUNCH_TRIES {
            let at = middle + point_in_ring(&mut self.rng, (0.0, radius));
            let nearest = self.nearest_ship(at);
            let quiet = if self.rocks.is_free(at, SHIP_RADIUS * 3.0) { nearest } else { nearest * 1.0e-6 };
            if quiet > best.0 {
                best = (quiet, at);
            }
        }
        best.1
    }

    /// The squared distance from a point to the nearest ship, at most that of [`QUIET`], before ships move in this
    /// tick. Looks only at nearby ships: with 3,000 of them, looking at all for every place took a fifth of a tick.
    fn nearest_ship(&self, at: Vec2) -> f32 {
        let around = self.players_within(at - Vec2::splat(QUIET), at + Vec2::splat(QUIET));
        let ships = around.filter_map(|player| self.seat(player)).filter(|seat| seat.own.afloat());
        let ships = ships.map(|seat| seat.own.position).chain(self.launched_at.iter().copied());
        ships.map(|ship| (ship - at).length_squared()).fold(QUIET * QUIET, f32::min)
    }

    /// Gives each pickup to the nearest ship that touches it.
    pub(super) fn hand_out_pickups(&mut self, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        const TOUCH: f32 = SHIP_RADIUS + PICKUP_RADIUS;
        let mut kept = 0;
        for index in 0..self.pickups.len() {
            let Pickup { id, at, what } = self.pickups[index];
            let mut taker = None;
            let mut nearest = TOUCH * TOUCH;
            for player in self.players_near(at) {
                let Some(own) = self.seat(player).map(|seat| &seat.own) else { continue };
                let distance = (own.position - at).length_squared();
                if own.afloat() && distance < nearest {
                    (taker, nearest) = (Some(player), distance);
                }
            }
            let Some(seat) = taker.and_then(|player| self.seat_mut(player)) else {
                self.pickups[kept] = self.pickups[index];
                kept += 1;
                continue;
            };
            what.bless(&mut seat.own);
            let (at, player) = (rounded(at), seat.own.player);
            events.push(AddressedEvent {
                recipients: Recipients::Near(at),
                event: ArenaEvent::Picked { at, player, what },
            });
            self.ids.free(id);
        }
        self.pickups.truncate(kept);
    }

    /// Replaces part of the taken pickups, at intervals.
    pub(super) fn restock(&mut self, tick: Tick) {
        if !tick.0.is_multiple_of(RESTOCK) {
            return;
        }
        let missing = self.pickups_wanted().saturating_sub(self.pickups.len());
        for _ in 0..missing.div_ceil(4) {
            self.add_pickup();
        }
    }

    /// Sometimes leaves a pickup at a wreck.
    pub(super) fn drop_from_wreck(&mut self, at: Vec2) {
        if self.rng.f32() < WRECK_DROP && self.pickups.len() < self.pickups_wanted() * 2 {
            self.put_pickup(at);
        }
    }

    pub(super) fn drop_pickups_beyond(&mut self, distance: f32) {
        let ids = &mut self.ids;
        self.pickups.retain(|pickup| {
            let keep = pickup.at.length() <= distance;
            if !keep {
                ids.free(pickup.id);
            }
            keep
        });
    }

    /// Tries to place a pickup; says whether it did.
    fn add_pickup(&mut self) -> bool {
        let radius = self.border.radius_at(self.tick) * ground::INNER;
        for _ in 0..PICKUP_TRIES {
            let at = point_in_ring(&mut self.rng, (0.0, radius));
            if self.rocks.is_free(at, PICKUP_RADIUS + SHIP_RADIUS * 2.0) {
                return self.put_pickup(at);
            }
        }
        false
    }

    fn put_pickup(&mut self, at: Vec2) -> bool {
        let Some(id) = self.ids.take() else { return false };
        let what = match self.rng.u8(0..8) {
            0..4 => Boon::Repair,
            4..6 => Boon::Rapid,
            _ => Boon::Shield,
        };
        self.pickups.push(Pickup { id, at: Vec2::new(on_grid(at.x), on_grid(at.y)), what });
        true
    }
}
