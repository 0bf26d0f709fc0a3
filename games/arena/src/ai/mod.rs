//! The AI: from the entities in a client's replica to the input of a tick, as a person would give it.
//!
//! It makes a plan a few times per second, and acts on it about twenty times per second (`helm` moves the ship,
//! `gunner` aims and fires). Skill changes how fast it reacts, how well it leads a target, how steadily it aims, how
//! many of the approaching shots it notices, and how soon it flees. Temper, drawn from the seed, makes AIs of equal
//! skill differ; one of five characters decides most of it: who closes in, who keeps away, who leaves mines.

mod gunner;
mod helm;
pub mod player;

use fastrand::Rng;
use glam::Vec2;

use super::LocalPlayerState;
use super::input::{ArenaInput, ticks_of, turn_of};
use super::pickup::Boon;
use super::record_view::{Scene, ShipView};
use super::rules::{BOOST_MAX, RADIUS_MIN, SHIP_RADIUS};
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::math;
use broadside_shared::time::Tick;

use gunner::Gunner;

/// What an AI sees: only what a client has.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The tick to which the own state is predicted; shots are considered at that tick.
    pub tick: Tick,
    /// The own state.
    pub own: &'a LocalPlayerState,
    /// The other entities.
    pub scene: &'a Scene,
    /// The tick of the scene's ships, with a fraction: interpolation shows them slightly late.
    pub ships_at: f64,
}

/// Ticks between two decisions of how to act: about twenty per second.
const LOOK_EVERY: u32 = 3;

/// The state of one AI.
#[derive(Debug, Clone)]
pub struct Ai {
    rng: Rng,
    temper: Temper,
    plan: Plan,
    plan_until: Tick,
    look_at: Tick,
    gunner: Gunner,
    /// Direction in which it circles: 1 or -1, changed now and then.
    side: f32,
    side_until: Tick,
    threat: Option<PlayerId>,
    held: ArenaInput,
}

/// The character of one AI. Shares are 0..=1.
#[derive(Debug, Clone, Copy)]
struct Temper {
    skill: f32,
    /// Preferred fighting distance in world units.
    range: f32,
    /// Hull in points below which it flees.
    caution: f32,
    /// Longest detour for a pickup, in world units.
    greed: f32,
    /// How long it keeps circling in one direction, in seconds.
    patience: f32,
    /// How readily it leaves mines and fires the rail: 1 is usual.
    mines: f32,
    rail: f32,
}

/// What a temper is made of: the character that a player notices.
#[derive(Debug, Clone, Copy)]
struct Character {
    range: f32,
    caution: f32,
    greed: f32,
    patience: f32,
    mines: f32,
    rail: f32,
}

/// The characters, by how an AI of this kind fights: none is better, and each is drawn as often.
const CHARACTERS: [Character; 5] = [
    // Takes what comes.
    Character { range: 0.0, caution: 0.0, greed: 1.0, patience: 1.0, mines: 1.0, rail: 1.0 },
    // The brawler closes in and does not flee.
    Character { range: -110.0, caution: -9.0, greed: 0.8, patience: 0.8, mines: 0.6, rail: 0.4 },
    // The sniper keeps away and waits for the rail.
    Character { range: 190.0, caution: 5.0, greed: 0.9, patience: 1.4, mines: 0.8, rail: 2.2 },
    // The sapper leads whoever follows over mines.
    Character { range: 40.0, caution: 9.0, greed: 0.9, patience: 1.1, mines: 3.0, rail: 0.8 },
    // The gleaner goes for pickups first.
    Character { range: 30.0, caution: 4.0, greed: 1.7, patience: 1.2, mines: 1.0, rail: 1.0 },
];

/// The current plan.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Plan {
    /// Sink this player.
    Fight(PlayerId),
    /// Take this pickup.
    Fetch(EntityId, Vec2),
    /// Flee from this player.
    Flee(PlayerId),
    /// Hold the zone at this place, and shoot at ships nearby.
    Hold(Vec2),
    /// Explore that place.
    Roam(Vec2),
}

impl Ai {
    /// An AI of a skill from 0 (harmless) to 1 (deadly). Equal seeds make equal AIs.
    #[must_use]
    pub fn new(seed: u64, skill: f32) -> Ai {
        let mut rng = Rng::with_seed(seed);
        let skill = skill.clamp(0.0, 1.0);
        let character = CHARACTERS[rng.usize(0..CHARACTERS.len())];
        let temper = Temper {
            skill,
            range: 220.0 + 80.0 * skill + 160.0 * rng.f32() + character.range,
            caution: 18.0 + 14.0 * rng.f32() + 10.0 * skill + character.caution,
            greed: (250.0 + 350.0 * rng.f32()) * character.greed,
            patience: (0.7 + 1.3 * rng.f32()) * character.patience,
            mines: character.mines,
            rail: character.rail,
        };
        Ai {
            rng,
            temper,
            plan: Plan::Roam(Vec2::ZERO),
            plan_until: Tick(0),
            look_at: Tick(0),
            gunner: Gunner::new(),
            side: 1.0,
            side_until: Tick(0),
            threat: None,
            held: ArenaInput::default(),
        }
    }

    /// The input for the tick after the one seen. Call it every tick or less often; it decides about twenty times per
    /// second and repeats its last answer between.
    pub fn think(&mut self, seen: &Seen) -> ArenaInput {
        if !seen.own.afloat() {
            self.plan_until = Tick(0);
            self.gunner.forget();
            self.held = ArenaInput { aim: seen.own.heading, buttons: 0 };
            return self.held;
        }
        if seen.tick < self.look_at && self.look_at.since(seen.tick) <= LOOK_EVERY {
            return self.held;
        }
        self.look_at = seen.tick.after(LOOK_EVERY);
        self.threat = helm::shooter_at(seen).or(self.threat);
        if seen.tick >= self.plan_until || self.is_moot(seen) {
            self.decide(seen);
        }
        if seen.tick >= self.side_until {
            self.side = if self.rng.bool() { 1.0 } else { -1.0 };
            self.side_until = seen.tick.after(ticks_of(self.temper.patience * (0.5 + self.rng.f32())));
        }
        self.held = self.act(seen);
        self.held
    }

    /// Whether the target of the plan is gone.
    fn is_moot(&self, seen: &Seen) -> bool {
        match self.plan {
            Plan::Fight(player) | Plan::Flee(player) => ship_of(seen, player).is_none(),
            Plan::Fetch(id, _) => seen.scene.pickups.iter().all(|pickup| pickup.id != id),
            Plan::Hold(_) => seen.scene.zone.is_none(),
            Plan::Roam(to) => (to - seen.own.position).length() < 120.0 || foes(seen).next().is_some(),
        }
    }

    /// Makes a plan for the next half second or so.
    fn decide(&mut self, seen: &Seen) {
        let own = seen.own;
        let strength = own.hull_points() + own.shield_points();
        let foe = self.best_foe(seen);
        let weak = strength < self.temper.caution;
        let pickup = self.best_pickup(seen, weak);
        let pace = 0.35 + 0.6 * self.rng.f32() + 0.5 * (1.0 - self.temper.skill);
        self.plan_until = seen.tick.after(ticks_of(pace));
        let zone = self.zone_to_hold(seen, foe.as_ref());
        self.threat = None; // old grudges fade
        self.plan = match (pickup, zone, foe) {
            (Some(pickup), ..) => pickup,
            (None, _, Some(foe)) if weak && self.flees_from(seen, &foe) => Plan::Flee(foe.player),
            (None, Some(place), _) => Plan::Hold(place),
            (None, None, Some(foe)) => Plan::Fight(foe.player),
            (None, None, None) => self.wander(seen),
        };
    }

    /// The best ship to fight: near, weak, shooting at this one, and preferably the same as before.
    fn best_foe(&mut self, seen: &Seen) -> Option<ShipView> {
        let mut best: Option<(f32, ShipView)> = None;
        for ship in foes(seen) {
            let distance = (ship.position - seen.own.position).length();
            let mut cost = distance + ship.hull * 3.0;
            if Plan::Fight(ship.player) == self.plan {
                cost -= 260.0;
            }
            if self.threat == Some(ship.player) {
                cost -= 150.0;
            }
            if ship.protected() {
                cost += 700.0;
            }
            if !helm::is_clear(seen, ship.position) {
                cost += 250.0;
            }
            cost += 120.0 * (1.0 - self.temper.skill) * self.rng.f32();
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, *ship));
            }
        }
        best.map(|(_, ship)| ship)
    }

    /// The best pickup that is worth a detour, if any: the weaker the ship, the longer the detour for a repair.
    fn best_pickup(&self, seen: &Seen, weak: bool) -> Option<Plan> {
        let own = seen.own;
        let mut best: Option<(f32, Plan)> = None;
        for pickup in &seen.scene.pickups {
            let need = match pickup.what {
                Boon::Repair if weak => 4.0,
                Boon::Repair if own.hull_points() > 75.0 => 0.2,
                Boon::Repair | Boon::Rapid => 1.0,
                Boon::Shield if weak => 2.0,
                Boon::Shield => 1.2,
            };
            let distance = (pickup.at - own.position).length();
            let foe_nearer = foes(seen).any(|foe| (foe.position - pickup.at).length() < distance * 0.6);
            let worth = self.temper.greed * need * if foe_nearer { 0.4 } else { 1.0 };
            if distance < worth && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, Plan::Fetch(pickup.id, pickup.at)));
            }
        }
        best.map(|(_, plan)| plan)
    }

    /// Where to be in the zone, if it needs this ship: the zone is the other team's or neutral, or an enemy is near it.
    /// Once it is held, only patient AIs stay. An AI under fire from close by ignores the zone.
    fn zone_to_hold(&mut self, seen: &Seen, foe: Option<&ShipView>) -> Option<Vec2> {
        let (zone, team) = (seen.scene.zone?, seen.own.team?);
        let (middle, radius) = (Vec2::new(f32::from(zone.x), f32::from(zone.y)), f32::from(zone.radius));
        let distance = (middle - seen.own.position).length();
        let wanted = zone.holder != Some(team) || zone.contested || self.temper.patience > 1.3;
        let pressed = foe.is_some_and(|foe| {
            let near = (foe.position - seen.own.position).length() < 380.0;
            near && distance > radius && self.threat == Some(foe.player)
        });
        if !wanted || pressed {
            return None;
        }
        let angle = self.rng.f32() * std::f32::consts::TAU;
        Some(middle + math::heading(angle) * (radius * 0.75 * self.rng.f32()))
    }

    /// Whether a weak ship flees: not from a weaker one, nor from one whose shots it cannot outrun.
    fn flees_from(&self, seen: &Seen, foe: &ShipView) -> bool {
        let distance = (foe.position - seen.own.position).length();
        let strength = seen.own.hull_points() + seen.own.shield_points();
        foe.hull > strength && distance > 150.0 && self.temper.skill > 0.3
    }

    /// Another place in the arena, preferably toward the centre, where the others are.
    fn wander(&mut self, seen: &Seen) -> Plan {
        let radius = seen.own.border.radius_at(seen.tick).max(RADIUS_MIN * 0.5) * 0.75;
        let angle = self.rng.f32() * std::f32::consts::TAU;
        let to = math::heading(angle) * (radius * self.rng.f32());
        self.plan_until = seen.tick.after(ticks_of(3.0 + 3.0 * self.rng.f32()));
        // Not across the whole of a large arena: a person explores nearby first.
        let way = (to - seen.own.position).clamp_length_max(1500.0);
        Plan::Roam(seen.own.position + way)
    }

    /// Turns the plan into an input.
    fn act(&mut self, seen: &Seen) -> ArenaInput {
        let own = seen.own;
        let mut want = self.course(seen);
        want = helm::keep_clear(seen, want, self.temper.skill, self.side);
        let target = self.target(seen).copied();
        if let Some(target) = target {
            let shot = self.gunner.lay(seen, &target, (self.temper.skill, self.temper.rail), &mut self.rng);
            let mut buttons = helm::buttons_for(own.velocity, own.heading_radians(), want);
            if shot.fire {
                buttons |= ArenaInput::FIRE;
            }
            if shot.rail {
                buttons |= ArenaInput::RAIL;
            }
            buttons |= self.tools(seen, want);
            return ArenaInput { aim: turn_of(shot.aim), buttons };
        }
        self.gunner.forget();
        // Without a target, the nose points along the course, since the main engine is the strongest.
        let change = want - own.velocity * 0.35;
        let aim = if change.length() > 40.0 { math::angle_of(change) } else { own.heading_radians() };
        let buttons = helm::buttons_for(own.velocity, own.heading_radians(), want) | self.tools(seen, want);
        ArenaInput { aim: turn_of(aim), buttons }
    }

    /// Boost and mines, which the clumsy forget to use: boost to get away, or to where something is far off and ahead; mines in the
    /// way of who follows.
    fn tools(&mut self, seen: &Seen, want: Vec2) -> u8 {
        let own = seen.own;
        let mut buttons = 0;
        let (in_haste, reserve) = match self.plan {
            Plan::Flee(_) => (true, 0),
            Plan::Fight(player) => {
                let far = ship_of(seen, player).is_some_and(|foe| (foe.position - own.position).length() > 620.0);
                (far, BOOST_MAX / 2)
            }
            Plan::Fetch(_, at) => ((at - own.position).length() > 380.0, BOOST_MAX / 2),
            Plan::Hold(_) | Plan::Roam(_) => (false, 0),
        };
        let ahead = math::heading(own.heading_radians()).dot(want) > 0.85 * want.length();
        let keen = self.temper.skill > 0.15;
        if keen && in_haste && ahead && BOOST_MAX.saturating_sub(own.spent) > reserve {
            buttons |= ArenaInput::BOOST;
        }
        let drops = keen && own.mine == 0 && own.protection == 0 && helm::is_followed(seen);
        if drops && self.rng.f32() < (0.1 + 0.3 * self.temper.skill) * self.temper.mines {
            buttons |= ArenaInput::MINE;
        }
        buttons
    }

    /// The ship to aim at: that of the plan, or one that is close during another plan.
    fn target<'a>(&self, seen: &Seen<'a>) -> Option<&'a ShipView> {
        match self.plan {
            Plan::Fight(player) => ship_of(seen, player),
            // Any ship within range, while it moves about in the zone.
            Plan::Hold(_) => nearest_foe(seen).filter(|foe| (foe.position - seen.own.position).length() < 820.0),
            Plan::Fetch(_, at) => {
                let far = (at - seen.own.position).length() > 350.0;
                let reach = if far { 260.0 } else { 480.0 };
                nearest_foe(seen).filter(|foe| (foe.position - seen.own.position).length() < reach)
            }
            Plan::Flee(_) | Plan::Roam(_) => None,
        }
    }

    /// The wanted velocity, before rocks, shots and the border are considered.
    fn course(&self, seen: &Seen) -> Vec2 {
        let own = seen.own;
        match self.plan {
            Plan::Fight(player) => {
                let Some(foe) = ship_of(seen, player) else { return Vec2::ZERO };
                let offset = foe.position - own.position;
                let distance = offset.length().max(1.0);
                let toward = offset / distance;
                let around = Vec2::new(-toward.y, toward.x) * self.side;
                let closing = ((distance - self.temper.range) * 1.6).clamp(-300.0, 420.0);
                // Little, and more to look alive than to survive: a ship that circles steadily is easy to hit.
                let circling = (70.0 + 90.0 * self.temper.skill) * (1.4 - distance / 900.0).clamp(0.2, 1.0);
                foe.velocity * 0.4 + toward * closing + around * circling
            }
            Plan::Fetch(_, at) | Plan::Roam(at) => {
                let offset = at - own.position;
                // Arrive with less sideways drift: the velocity that is not toward the goal is braked by asking for less of it.
                offset.normalize_or_zero() * 430.0
            }
            Plan::Hold(at) => {
                let offset = at - own.position;
                let around = Vec2::new(-offset.y, offset.x).normalize_or_zero() * (90.0 * self.side);
                (offset * 1.4 + around).clamp_length_max(430.0)
            }
            Plan::Flee(player) => {
                let Some(foe) = ship_of(seen, player) else { return Vec2::ZERO };
                let away = (own.position - foe.position).normalize_or_zero();
                let weave = Vec2::new(-away.y, away.x) * self.side * 0.45;
                (away + weave).normalize_or_zero() * 440.0
            }
        }
    }
}

/// The other ships, friends among them.
fn others<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a ShipView> {
    let own = seen.own.player;
    seen.scene.ships.iter().filter(move |ship| ship.player != own)
}

/// The ships to fight: with a team, those of the other one.
fn foes<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a ShipView> {
    let team = seen.own.team;
    others(seen).filter(move |ship| team.is_none() || ship.team != team)
}

fn ship_of<'a>(seen: &Seen<'a>, player: PlayerId) -> Option<&'a ShipView> {
    foes(seen).find(|ship| ship.player == player)
}

fn nearest_foe<'a>(seen: &Seen<'a>) -> Option<&'a ShipView> {
    let at = seen.own.position;
    foes(seen).min_by(|a, b| (a.position - at).length_squared().total_cmp(&(b.position - at).length_squared()))
}

/// Least distance between a ship and another entity, in addition to that entity's own radius.
const BERTH: f32 = SHIP_RADIUS + 14.0;
