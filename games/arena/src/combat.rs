//! Shots and their hits; wrecks and their credit.

use glam::Vec2;

use super::event::rounded;
use super::rules::{CALM, DT, KILL_REPAIR, POINT, SCORE_BOUNTY, SCORE_KILL, SHIP_RADIUS, SHOT_RADIUS};
use super::ship::Cause;
use super::shot::{Shot, first_touch};
use super::{Arena, ArenaEvent, Armour, Twist};
use broadside_shared::game::{AddressedEvent, Recipients};
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::time::Tick;

/// The first obstacle on a shot's path.
#[derive(Debug, Clone, Copy)]
enum Obstacle {
    Ship(PlayerId),
    Rock,
}

/// The effect of damage on a ship.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wound {
    /// Hull lost.
    pub(super) dealt: u16,
    /// The part that was hit.
    pub(super) on: Armour,
    /// Position of the ship, or where it sank.
    pub(super) at: Vec2,
    /// The number of the ship, if it sank.
    sunk: Option<EntityId>,
}

impl Arena {
    /// Moves every shot by one tick, in the order they were fired.
    pub(super) fn fly_shots(&mut self, tick: Tick, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let mut kept = 0;
        for index in 0..self.shots.len() {
            let shot = self.shots[index];
            let met = self.first_obstacle(&shot, tick);
            if let Some((share, met)) = met {
                let (from, to) = shot.way(tick);
                let at = rounded(from + (to - from) * share);
                match met {
                    Obstacle::Ship(target) => self.strike(&shot, target, at, events),
                    Obstacle::Rock => {
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

    /// The first ship or rock on a shot's path in the step to `tick`, and the share of the path before it.
    fn first_obstacle(&self, shot: &Shot, tick: Tick) -> Option<(f32, Obstacle)> {
        let (from, to) = shot.way(tick);
        let mut first: Option<(f32, Obstacle)> = None;
        let mut meet = |share: f32, met: Obstacle| {
            if first.is_none_or(|(earlier, _)| share < earlier) {
                first = Some((share, met));
            }
        };
        for rock in self.rocks.near(from) {
            if let Some(share) = first_touch(from - rock.at, to - rock.at, rock.radius + SHOT_RADIUS) {
                meet(share, Obstacle::Rock);
            }
        }
        let Some(friends) = self.spared_by(shot.owner) else { return first };
        for player in self.players_near(from) {
            let Some(own) = self.seat(player).map(|seat| &seat.own) else { continue };
            if player == shot.owner || !own.afloat() || friends.has(own) {
                continue;
            }
            // Both move during the step, so the shot's path is taken relative to the ship.
            let came_from = own.position - own.velocity * DT;
            if let Some(share) = first_touch(from - came_from, to - own.position, SHIP_RADIUS + SHOT_RADIUS) {
                meet(share, Obstacle::Ship(player));
            }
        }
        first
    }

    fn strike(&mut self, shot: &Shot, target: PlayerId, at: Vec2, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let by = shot.owner;
        // A shot is spent before its shooter can have a ship of another craft.
        let Some(damage) = self.seat(by).map(|seat| seat.own.spec().shot_damage) else { return };
        let Some(wound) = self.wound(target, by, damage) else { return };
        self.count_hit(by);
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

    /// Damages a player's ship, which may sink it; `None` for a free seat. The caller emits the hit, and then calls
    /// [`Arena::finish`], which emits the rest.
    pub(super) fn wound(&mut self, target: PlayerId, by: PlayerId, damage: u16) -> Option<Wound> {
        let one_hit = self.twist == Twist::OneHit;
        let own = &mut self.seat_mut(target)?.own;
        let (hull, is_first) = (own.hull, own.hull == own.spec().hull && own.calm == CALM);
        let dealt = own.hurt(if one_hit { own.hull + own.shield } else { damage });
        let on = match (dealt, own.hull < hull) {
            (0, _) => Armour::Protection,
            (_, true) => Armour::Hull,
            (_, false) => Armour::Shield,
        };
        let sunk = own.entity.filter(|_| own.hull == 0);
        if sunk.is_some() {
            own.sink();
        }
        let wound = Wound { dealt, on, at: own.position, sunk };
        self.note_wound(target, by, is_first, dealt);
        Some(wound)
    }

    /// If a wound sank its ship: rewards the shooter and emits the kill-feed entry and the wreck.
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
        let bounty = if self.bounty == Some(target) && target != by { SCORE_BOUNTY } else { 0 };
        self.reward(by, bounty);
        self.emit_wreck(target, Some(by), cause, events);
    }

    pub(super) fn count_hit(&mut self, shooter: PlayerId) {
        if let Some(seat) = self.seat_mut(shooter) {
            seat.counters.hits += 1;
        }
    }

    pub(super) fn reward(&mut self, killer: PlayerId, bounty: i32) {
        let Some(seat) = self.seat_mut(killer) else { return };
        let life = seat.own.deaths;
        let before = if seat.counters.run.0 == life { seat.counters.run.1 } else { 0 };
        seat.counters.run = (life, before + 1);
        seat.counters.streak = seat.counters.streak.max(before + 1);
        seat.own.kills = seat.own.kills.saturating_add(1);
        seat.own.score = seat.own.score.saturating_add(SCORE_KILL + bounty);
        if seat.own.afloat() {
            seat.own.repair(KILL_REPAIR);
        }
    }

    /// Emits the events of a ship that just sank, and may leave a pickup in its place.
    pub(super) fn emit_wreck(
        &mut self,
        victim: PlayerId,
        by: Option<PlayerId>,
        cause: Cause,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        let Some(at) = self.seat(victim).map(|seat| seat.own.position) else { return };
        let teams = (self.team_of(victim), by.and_then(|by| self.team_of(by)));
        if let Some(referee) = &mut self.referee {
            referee.note_sunk(teams.0, teams.1);
        }
        self.reward_helpers(victim, by, events);
        let bounty = by.is_some() && self.bounty == Some(victim);
        if bounty {
            // It is earned once; the next full second says who leads now.
            self.bounty = None;
        }
        self.drop_from_wreck(at);
        let near = rounded(at);
        events
            .push(AddressedEvent { recipients: Recipients::Near(near), event: ArenaEvent::Sunk { at: near, victim } });
        events.push(AddressedEvent {
            recipients: Recipients::Room,
            event: ArenaEvent::KillFeed { victim, by, cause, bounty },
        });
    }
}
