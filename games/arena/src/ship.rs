//! A player's ship: its exact private state, and the function that moves it on server and client alike.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::beam::Beam;
use super::border::Border;
use super::craft::{Craft, CraftSpec};
use super::fields::{self, SHIP};
use super::input::{ArenaInput, radians_of};
use super::mine::Mine;
use super::rock::Rock;
use super::rules::{
    BOOST, BOOST_MAX, BOOST_USE, BORDER_DAMAGE, BORDER_DEEP, BORDER_PULL, BORDER_PULL_MAX, BOUNCE, CALM, DT,
    IMPACT_DAMAGE, IMPACT_FREE, MINE_BEHIND, MINE_COOLDOWN, MUZZLE, POINT, PROTECTION, RAIL_COOLDOWN, RAIL_RANGE,
    REGEN, RESPAWN, SHIELD_DECAY, SHIP_RADIUS, SPEED_EASE,
};
use super::shot::Shot;
use super::twist::Twist;
use broadside_shared::game::{CorrectionCause, PredictedSpawn};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::math;
use broadside_shared::replication::fields::Record;
use broadside_shared::time::Tick;

/// A player's exact ship state: everything that prediction reads, and the three numbers of the score board.
///
/// Times are counted in ticks left, so that they are small on the wire and need no clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalPlayerState {
    /// The owner.
    pub player: PlayerId,
    /// The ship's number in the room; `None` between sinking and the next ship.
    pub entity: Option<EntityId>,
    /// Position in world units. Without a ship: where it sank.
    pub position: Vec2,
    /// Velocity in units per second.
    pub velocity: Vec2,
    /// Heading in 1/65536 turn from +x toward +y.
    pub heading: u16,
    /// The craft of the ship; without one, of the last one.
    pub craft: Craft,
    /// Hull in units of 1/60 point, up to [`CraftSpec::hull`].
    pub hull: u16,
    /// Shield in units of 1/60 point, 0..=[`super::rules::SHIELD_MAX`].
    pub shield: u16,
    /// Ticks until the cannon is ready.
    pub cooldown: u8,
    /// Ticks until the rail is ready, 0..=[`RAIL_COOLDOWN`].
    pub rail: u8,
    /// Ticks of rapid fire left.
    pub rapid: u16,
    /// Ticks of invulnerability left.
    pub protection: u16,
    /// Ticks since the last damage, up to [`CALM`], from which on the hull regenerates.
    pub calm: u16,
    /// Ticks left in which a contact with another ship counts as recent, from [`super::rules::CONTACT_TICKS`] down.
    pub contact: u8,
    /// Boost used, 0..=[`BOOST_MAX`]: refills while the button is up.
    pub spent: u16,
    /// Ticks until the next mine is ready, 0..=[`MINE_COOLDOWN`].
    pub mine: u16,
    /// Ticks until the next ship, without one.
    pub respawn: u16,
    /// The edge of the arena, as announced so far.
    pub border: Border,
    /// Score.
    pub score: i32,
    /// Ships sunk.
    pub kills: u16,
    /// Ships lost.
    pub deaths: u16,
    /// The team, below `TEAM_COUNT` of the modes; `None` where everyone plays alone.
    pub team: Option<u8>,
    /// What the day changes, in the mode of daily events.
    pub twist: Twist,
    /// Ticks left at the ship's place before a round, up to [`super::rules::COUNTDOWN`]; meanwhile it can only turn.
    pub held: u16,
}

/// Why a ship sank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Another player's shots.
    Cannon,
    /// Flying into a rock.
    Rock,
    /// Staying outside the border.
    Border,
    /// Another player's rail.
    Rail,
    /// Another player's mine.
    Mine,
}

impl Cause {
    /// The verb where one ship sank another.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Cause::Rail => "speared",
            Cause::Mine => "blew up",
            Cause::Cannon | Cause::Rock | Cause::Border => "sank",
        }
    }

    /// The verb where a ship sank on its own.
    pub(super) fn verb_alone(self) -> &'static str {
        match self {
            Cause::Cannon | Cause::Rail | Cause::Mine => "went down under fire",
            Cause::Rock => "hit a rock",
            Cause::Border => "got lost in the void",
        }
    }
}

/// Causes of corrections that are the arena's own, by their index in `Game::CORRECTION_CAUSES`.
pub mod causes {
    use broadside_shared::game::CorrectionCause;

    /// Contact with another ship, which prediction does not know of.
    pub const COLLISION: CorrectionCause = CorrectionCause::of_game(0);
    /// A hit.
    pub const HIT: CorrectionCause = CorrectionCause::of_game(1);
    /// A pickup.
    pub const PICKUP: CorrectionCause = CorrectionCause::of_game(2);
}

/// Why the server's state is `actual` where `predicted` was expected. Only another ship moves a ship: a difference in
/// position without a recent contact is unexplained, whatever else happened.
pub(super) fn correction_cause(predicted: &LocalPlayerState, actual: &LocalPlayerState) -> CorrectionCause {
    let armour = |own: &LocalPlayerState| u32::from(own.hull) + u32::from(own.shield);
    let motion = |own: &LocalPlayerState| (own.position, own.velocity, own.heading);
    if predicted.entity != actual.entity || predicted.craft != actual.craft {
        CorrectionCause::RESPAWN
    } else if actual.contact > predicted.contact {
        causes::COLLISION
    } else if motion(predicted) != motion(actual) {
        CorrectionCause::UNKNOWN
    } else if armour(actual) < armour(predicted) {
        causes::HIT
    } else if armour(actual) > armour(predicted) || actual.rapid > predicted.rapid {
        causes::PICKUP
    } else {
        CorrectionCause::UNKNOWN
    }
}

impl LocalPlayerState {
    /// A seat that gets its ship at the next step.
    #[must_use]
    pub fn ashore(player: PlayerId, border: Border) -> LocalPlayerState {
        LocalPlayerState {
            player,
            entity: None,
            position: Vec2::ZERO,
            velocity: Vec2::ZERO,
            heading: 0,
            craft: Craft::default(),
            hull: 0,
            shield: 0,
            cooldown: 0,
            rail: 0,
            rapid: 0,
            protection: 0,
            calm: CALM,
            contact: 0,
            spent: 0,
            mine: 0,
            respawn: 0,
            border,
            score: 0,
            kills: 0,
            deaths: 0,
            team: None,
            twist: Twist::None,
            held: 0,
        }
    }

    /// Whether the player has a ship.
    #[must_use]
    pub fn afloat(&self) -> bool {
        self.entity.is_some()
    }

    /// Heading in radians.
    #[must_use]
    pub fn heading_radians(&self) -> f32 {
        radians_of(self.heading)
    }

    /// What the craft can do.
    #[must_use]
    pub fn spec(&self) -> &'static CraftSpec {
        self.craft.spec()
    }

    /// Hull in points, 0..=122.
    #[must_use]
    pub fn hull_points(&self) -> f32 {
        f32::from(self.hull) / f32::from(POINT)
    }

    /// The share of the hull that is left, 0..=1.
    #[must_use]
    pub fn hull_share(&self) -> f32 {
        f32::from(self.hull) / f32::from(self.spec().hull)
    }

    /// Shield in points, 0..=60.
    #[must_use]
    pub fn shield_points(&self) -> f32 {
        f32::from(self.shield) / f32::from(POINT)
    }

    /// Launches a new ship.
    pub(super) fn launch(&mut self, entity: EntityId, at: Vec2, heading: u16, craft: Craft) {
        (self.entity, self.craft) = (Some(entity), craft);
        (self.position, self.velocity, self.heading) = (at, Vec2::ZERO, heading);
        (self.hull, self.shield) = (self.spec().hull, 0);
        (self.cooldown, self.rail, self.rapid, self.protection) = (0, 0, 0, PROTECTION);
        (self.calm, self.contact, self.respawn, self.held) = (CALM, 0, 0, 0);
        (self.spent, self.mine) = (0, 0);
    }

    /// Makes a ship that has done nothing yet one of another craft: it is protected, or held at its place.
    pub(super) fn refit(&mut self, craft: Craft) {
        if self.afloat() && (self.protection > 0 || self.held > 0) {
            self.craft = craft;
            self.hull = self.spec().hull;
        }
    }

    /// Repairs the hull by some units of 1/60 point.
    pub(super) fn repair(&mut self, by: u16) {
        self.hull = (self.hull + by).min(self.spec().hull);
    }

    /// Holds a new ship at its place until a round starts, which it starts like all others.
    pub(super) fn hold(&mut self, ticks: u32) {
        (self.held, self.protection) = (ticks as u16, 0);
    }

    /// Removes the ship without a loss; gives its number.
    pub(super) fn recall(&mut self) -> Option<EntityId> {
        let entity = self.entity.take()?;
        let deaths = self.deaths;
        self.sink();
        self.deaths = deaths;
        Some(entity)
    }

    /// Takes `damage` units from the shield and then from the hull; gives the damage done.
    pub(super) fn hurt(&mut self, damage: u16) -> u16 {
        if self.protection > 0 {
            return 0;
        }
        self.calm = 0;
        let off_shield = damage.min(self.shield);
        self.shield -= off_shield;
        let off_hull = (damage - off_shield).min(self.hull);
        self.hull -= off_hull;
        off_shield + off_hull
    }

    /// Whether the boost burns with this input.
    #[must_use]
    pub fn can_boost(&self, input: &ArenaInput) -> bool {
        input.has(ArenaInput::BOOST) && self.spent + BOOST_USE <= BOOST_MAX
    }

    /// Ends the ship.
    pub(super) fn sink(&mut self) {
        self.entity = None;
        self.velocity = Vec2::ZERO;
        (self.hull, self.shield, self.rapid, self.protection) = (0, 0, 0, 0);
        (self.cooldown, self.rail, self.calm, self.contact, self.held) = (0, 0, CALM, 0, 0);
        (self.spent, self.mine) = (0, 0);
        self.respawn = RESPAWN;
        self.deaths = self.deaths.saturating_add(1);
    }

    /// The ship as it is replicated; `input` decides whether its engine burns.
    #[inline]
    pub(super) fn record(&self, id: EntityId, input: ArenaInput) -> Record {
        let mut flags = 0;
        for (bit, on) in [
            (fields::FLAG_THRUST, input.has(ArenaInput::THRUST)),
            (fields::FLAG_SHIELD, self.shield > 0),
            (fields::FLAG_RAPID, self.rapid > 0),
            (fields::FLAG_PROTECTED, self.protection > 0),
        ] {
            flags |= if on { bit } else { 0 };
        }
        flags |= self.craft.number() << fields::CRAFT_SHIFT;
        Record::pack(
            id,
            fields::ship_of(self.team),
            fields::spec(SHIP),
            &[
                self.position.x,
                self.position.y,
                self.velocity.x,
                self.velocity.y,
                self.heading_radians(),
                self.hull_share() * 100.0,
                f32::from(flags),
                f32::from(self.player.0),
            ],
        )
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.player.0) << 32 | self.entity.map_or(u64::from(u32::MAX), |id| u64::from(id.0)));
        hash.vec2(self.position);
        hash.vec2(self.velocity);
        for number in [self.heading, self.hull, self.shield, self.rapid, self.protection, self.calm, self.respawn] {
            hash.u64(u64::from(number));
        }
        hash.u64(u64::from(self.spent) << 16 | u64::from(self.mine));
        hash.u64(
            u64::from(self.twist.number()) << 32
                | u64::from(self.craft.number()) << 24
                | u64::from(self.cooldown) << 16
                | u64::from(self.rail) << 8
                | u64::from(self.contact),
        );
        self.border.hash(hash);
        hash.u64(u64::from(self.score.cast_unsigned()) << 32 | u64::from(self.kills) << 16 | u64::from(self.deaths));
        if let Some(team) = self.team {
            hash.u64(u64::from(self.held) << 1 | u64::from(team));
        }
    }
}

/// Steps a player's own state to `tick`. `rocks` may contain any rocks in order of number; only those in reach count.
/// It uses no randomness and no other ship, so that server and client get the same bits from the same state.
pub(super) fn advance<'a>(
    own: &mut LocalPlayerState,
    input: &ArenaInput,
    tick: Tick,
    rocks: impl Iterator<Item = &'a Rock>,
    spawned: &mut Vec<PredictedSpawn>,
) -> Option<Cause> {
    if !own.afloat() {
        own.respawn = own.respawn.saturating_sub(1);
        return None;
    }
    if own.held > 0 {
        own.held -= 1;
        turn(own, input);
        return None;
    }
    run_timers(own);
    turn(own, input);
    burn(own, input);
    let depth = own.border.depth(own.position, tick);
    if depth > 0.0 {
        let pull = (depth * BORDER_PULL).min(BORDER_PULL_MAX);
        own.velocity -= own.position.normalize_or_zero() * (pull * DT);
    }
    let start = own.position;
    own.position += own.velocity * DT;
    for rock in rocks.filter(|rock| rock.in_reach(start)) {
        bounce_off(own, rock);
    }
    if own.hull == 0 {
        own.sink();
        return Some(Cause::Rock);
    }
    if depth > BORDER_DEEP {
        own.hurt(BORDER_DAMAGE);
        if own.hull == 0 {
            own.sink();
            return Some(Cause::Border);
        }
    }
    if input.has(ArenaInput::FIRE) && own.cooldown == 0 {
        fire(own, tick, spawned);
    }
    if input.has(ArenaInput::RAIL) && own.rail == 0 {
        fire_rail(own, tick, spawned);
    }
    if input.has(ArenaInput::MINE) && own.mine == 0 {
        leave_mine(own, tick, spawned);
    }
    None
}

fn run_timers(own: &mut LocalPlayerState) {
    own.cooldown = own.cooldown.saturating_sub(1);
    own.rail = own.rail.saturating_sub(1);
    own.contact = own.contact.saturating_sub(1);
    own.mine = own.mine.saturating_sub(1);
    own.rapid = own.rapid.saturating_sub(1);
    own.protection = own.protection.saturating_sub(1);
    own.shield = own.shield.saturating_sub(SHIELD_DECAY);
    own.calm = own.calm.saturating_add(1).min(CALM);
    if own.calm == CALM {
        own.repair(REGEN);
    }
}

/// Turns the ship toward the pointer.
fn turn(own: &mut LocalPlayerState, input: &ArenaInput) {
    let turn = input.aim.wrapping_sub(own.heading).cast_signed();
    let most = i32::from(own.spec().turn);
    let step = i32::from(turn).clamp(-most, most) as i16;
    own.heading = own.heading.wrapping_add_signed(step);
}

/// Burns the engines.
fn burn(own: &mut LocalPlayerState, input: &ArenaInput) {
    let spec = own.spec();
    let nose = math::heading(own.heading_radians());
    let starboard = Vec2::new(-nose.y, nose.x);
    let boosts = own.can_boost(input);
    if boosts {
        own.spent += BOOST_USE;
    } else if !input.has(ArenaInput::BOOST) {
        own.spent = own.spent.saturating_sub(1);
    }
    let mut push = Vec2::ZERO;
    for (button, direction, power) in [
        (ArenaInput::THRUST, nose, spec.thrust),
        (ArenaInput::REVERSE, nose, -spec.reverse),
        (ArenaInput::RIGHT, starboard, spec.strafe),
        (ArenaInput::LEFT, starboard, -spec.strafe),
    ] {
        if input.has(button) {
            push += direction * power;
        }
    }
    if boosts {
        push += nose * BOOST;
    }
    own.velocity = (own.velocity + push * DT) * (1.0 - own.twist.drag() * DT);
    let speed = own.velocity.length();
    let top = if boosts { spec.speed_boost } else { spec.speed };
    if speed > top {
        own.velocity *= (top / speed).max(SPEED_EASE);
    }
}

/// Pushes the ship out of a rock, bounces it back and applies the damage of a hard impact.
fn bounce_off(own: &mut LocalPlayerState, rock: &Rock) {
    let offset = own.position - rock.at;
    let apart = rock.radius + SHIP_RADIUS;
    if offset.length_squared() >= apart * apart {
        return;
    }
    let normal = offset.normalize_or(Vec2::X);
    own.position = rock.at + normal * apart;
    let speed_in = -own.velocity.dot(normal);
    if speed_in <= 0.0 {
        return;
    }
    own.velocity += normal * (speed_in * (1.0 + BOUNCE));
    if speed_in > IMPACT_FREE {
        own.hurt(((speed_in - IMPACT_FREE) * IMPACT_DAMAGE) as u16);
    }
}

fn fire(own: &mut LocalPlayerState, tick: Tick, spawned: &mut Vec<PredictedSpawn>) {
    let spec = own.spec();
    own.cooldown = if own.rapid > 0 { spec.cooldown.1 } else { spec.cooldown.0 };
    own.protection = 0;
    let nose = math::heading(own.heading_radians());
    let shot = Shot {
        id: EntityId::default(),
        owner: own.player,
        origin: own.position + nose * MUZZLE,
        velocity: own.velocity + nose * spec.shot_speed,
        start: tick,
    };
    spawned.push(PredictedSpawn { key: shot_key(tick), tick, record: shot.record() });
}

/// Fires a beam of full length: only the server knows what is in its way.
fn fire_rail(own: &mut LocalPlayerState, tick: Tick, spawned: &mut Vec<PredictedSpawn>) {
    own.rail = RAIL_COOLDOWN;
    own.protection = 0;
    let beam = Beam {
        id: EntityId::default(),
        owner: own.player,
        origin: own.position + math::heading(own.heading_radians()) * MUZZLE,
        heading: own.heading,
        length: RAIL_RANGE,
        start: tick,
    };
    spawned.push(PredictedSpawn { key: beam_key(tick), tick, record: beam.record() });
}

/// Leaves a mine behind the ship.
fn leave_mine(own: &mut LocalPlayerState, tick: Tick, spawned: &mut Vec<PredictedSpawn>) {
    own.mine = MINE_COOLDOWN;
    own.protection = 0;
    let behind = own.position - math::heading(own.heading_radians()) * MINE_BEHIND;
    let mine = Mine { id: EntityId::default(), owner: own.player, at: behind, start: tick };
    spawned.push(PredictedSpawn { key: mine_key(tick), tick, record: mine.record() });
}

/// Identifies a player's shot among what the player spawned: a cannon fires at most once a tick.
pub(super) fn shot_key(start: Tick) -> u32 {
    start.0.wrapping_mul(4)
}

/// Identifies a player's beam likewise.
pub(super) fn beam_key(start: Tick) -> u32 {
    start.0.wrapping_mul(4) | 1
}

/// Identifies a player's mine likewise.
pub(super) fn mine_key(start: Tick) -> u32 {
    start.0.wrapping_mul(4) | 2
}
