//! Shots and what they hit; wrecks and who is credited.

use glam::Vec2;

use super::event::rounded;
use super::rules::{DT, HULL_MAX, KILL_REPAIR, POINT, SCORE_KILL, SHIP_RADIUS, SHOT_DAMAGE, SHOT_RADIUS};
use super::ship::Cause;
use super::shot::{Shot, first_touch};
use super::{Arena, ArenaEvent, Armour};
use crate::game::{AddressedEvent, Recipients};
use crate::ids::{EntityId, PlayerId};
use crate::time::Tick;

/// What a shot met first on its way.
#[derive(Debug, Clone, Copy)]
enum Met {
    Ship(PlayerId),
    Rock,
}

/// What damage did to a ship.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wound {
    /// Armour lost.
    pub(super) dealt: u16,
    /// What took it.
    pub(super) on: Armour,
    /// Where the ship is, or was when it sank.
    pub(super) at: Vec2,
    /// The number of the ship, if this sank it.
    sunk: Option<EntityId>,
}

impl Arena {
    /// Moves every shot by one tick, in the order they were fired.
    pub(super) fn fly_shots(&mut self, tick: Tick, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let mut kept = 0;
        for index in 0..self.shots.len() {
            let shot = self.shots[index];
            let met = self.first_met(&shot, tick);
            if let Some((share, met)) = met {
                let (from, to) = shot.way(tick);
                let at = rounded(from + (to - from) * share);
                match met {
                    Met::Ship(target) => self.strike(&shot, target, at, events),
                    Met::Rock => {
                        let event = ArenaEvent::Chipped { at, shot: shot.id };
                        events.push(AddressedEvent { recipients: Recipients::Near(at), event });
                    }
                }
            }
            if met.is_some() || shot.spent_at(tick.after(1)) {
                self.ids.free(shot.id);
            } else {
                self.shots[kept] = shot;
                kept += 1;
            }
        }
        self.shots.truncate(kept);
    }

    /// The first ship or rock on a shot's way in the step to `tick`, and after which share of the way.
    fn first_met(&self, shot: &Shot, tick: Tick) -> Option<(f32, Met)> {
        let (from, to) = shot.way(tick);
        let mut first: Option<(f32, Met)> = None;
        let mut meet = |share: f32, met: Met| {
            if first.is_none_or(|(earlier, _)| share < earlier) {
                first = Some((share, met));
            }
        };
        for rock in self.rocks.near(from) {
            if let Some(share) = first_touch(from - rock.at, to - rock.at, rock.radius + SHOT_RADIUS) {
                meet(share, Met::Rock);
            }
        }
        let Some(friends) = self.spared_by(shot.owner) else { return first };
        for player in self.players_near(from) {
            let Some(own) = self.seat(player).map(|seat| &seat.own) else { continue };
            if player == shot.owner || !own.afloat() || friends.has(own) {
                continue;
            }
            // Both move during the step: the shot is looked at from the ship.
            let came_from = own.position - own.velocity * DT;
            if let Some(share) = first_touch(from - came_from, to - own.position, SHIP_RADIUS + SHOT_RADIUS) {
                meet(share, Met::Ship(player));
            }
        }
        first
    }

    fn strike(&mut self, shot: &Shot, target: PlayerId, at: Vec2, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let Some(wound) = self.wound(target, SHOT_DAMAGE) else { return };
        let by = shot.owner;
        let hit = ArenaEvent::Hit { at, shot: shot.id, target, by, on: wound.on };
        events.push(AddressedEvent { recipients: Recipients::Near(at), event: hit });
        if wound.dealt > 0 {
            let points = wound.dealt.div_ceil(POINT) as u8;
            events.push(AddressedEvent {
                recipients: Recipients::Player(by),
                event: ArenaEvent::Dealt { target, points },
            });
        }
        self.finish(target, by, &wound, Cause::Cannon, events);
    }

    /// Damages a player's ship, which may sink it; `None` if nobody sits there. Whoever calls this tells of it, and then lets
    /// [`Arena::finish`] tell of the rest.
    pub(super) fn wound(&mut self, target: PlayerId, damage: u16) -> Option<Wound> {
        let own = &mut self.seat_mut(target)?.own;
        let hull = own.hull;
        let dealt = own.hurt(damage);
        let on = match (dealt, own.hull < hull) {
            (0, _) => Armour::Protection,
            (_, true) => Armour::Hull,
            (_, false) => Armour::Shield,
        };
        let sunk = own.entity.filter(|_| own.hull == 0);
        if sunk.is_some() {
            own.sink();
        }
        Some(Wound { dealt, on, at: own.position, sunk })
    }

    /// If a wound sank its ship: rewards who dealt it and tells everyone.
    pub(super) fn finish(
        &mut self,
        target: PlayerId,
        by: PlayerId,
        wound: &Wound,
        cause: Cause,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        let Some(entity) = wound.sunk else { return };
        self.ids.free(entity);
        self.reward(by);
        self.tell_of_wreck(target, Some(by), cause, events);
    }

    fn reward(&mut self, killer: PlayerId) {
        let Some(seat) = self.seat_mut(killer) else { return };
        seat.own.kills = seat.own.kills.saturating_add(1);
        seat.own.score = seat.own.score.saturating_add(SCORE_KILL);
        if seat.own.afloat() {
            seat.own.hull = (seat.own.hull + KILL_REPAIR).min(HULL_MAX);
        }
    }

    /// Tells of a ship that just sank, and may leave a pickup in its place.
    pub(super) fn tell_of_wreck(
        &mut self,
        victim: PlayerId,
        by: Option<PlayerId>,
        cause: Cause,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        let Some(at) = self.seat(victim).map(|seat| seat.own.position) else { return };
        let sides = (self.side_of(victim), by.and_then(|by| self.side_of(by)));
        if let Some(referee) = &mut self.referee {
            referee.note_sunk(sides.0, sides.1);
        }
        self.drop_from_wreck(at);
        let near = rounded(at);
        events
            .push(AddressedEvent { recipients: Recipients::Near(near), event: ArenaEvent::Sunk { at: near, victim } });
        events.push(AddressedEvent { recipients: Recipients::Room, event: ArenaEvent::KillFeed { victim, by, cause } });
    }
}
