//! From a client's view to the stage.

use broadside_arena::modes::Zone;
use broadside_arena::rules::{BOOST_MAX, BOOST_USE, DT, MINE_ARM, SHIELD_MAX, SHIP_RADIUS};
use broadside_arena::{Arena, ArenaEvent, Armour, Boon, LocalPlayerState, ShipView, fields};
use broadside_shared::client::View;
use broadside_shared::client::interpolation::InterpolatedEntity;
use broadside_shared::ids::PlayerId;
use broadside_shared::math;
use broadside_shared::time::Tick;
use glam::Vec2;

use crate::stage::{BeamLook, Effect, MineLook, PickupLook, RockLook, ShipLook, ShotLook, Stage, ZoneLook};

/// Radius of an arena whose edge is never visible, in world units.
const FAR_AWAY: f32 = 1e6;
/// How fast the drawn edge follows what spectators are sent once per second: the share of the difference that is left after a
/// second.
const EDGE_LAG: f32 = 0.02;

/// Fills the stage from the view. The own ship's main engine may be burning, and its boost's button down.
pub(crate) fn fill(view: &View<Arena>, (burning, boosting): (bool, bool), stage: &mut Stage) {
    stage.clear();
    if let Some(own) = &view.own {
        let now = &own.current;
        stage.own = Some(now.player.0);
        stage.edge = now.border.radius_at(Tick(view.own_tick.max(0.0) as u32));
        if let Some(look) = own_look(now) {
            let (at, heading) = own_pose(view);
            let boost = boosting && now.spent + BOOST_USE <= BOOST_MAX;
            stage.ships.push(ShipLook { at, heading, thrust: burning || boost, boost, ..look });
        }
    }
    for entity in view.entities.iter().chain(&view.predicted_spawns) {
        add(entity, stage);
    }
    // Ships come in any order, so who is a friend is known only now.
    let (own, team) = (stage.own, stage.own_team());
    let friends: Vec<u16> =
        stage.ships.iter().filter(|ship| team.is_some() && ship.team == team).map(|s| s.player).collect();
    for mine in &mut stage.mines {
        mine.friendly = own == Some(mine.player) || friends.contains(&mine.player);
    }
}

/// The arena's edge as a spectator sees it: sent once per second, it glides to the new value.
#[must_use]
pub(crate) fn spectator_edge(drawn: f32, extent: u16, dt: f32) -> f32 {
    let sent = f32::from(extent);
    if extent == 0 {
        FAR_AWAY
    } else if drawn >= FAR_AWAY || drawn <= 0.0 {
        sent
    } else {
        sent + (drawn - sent) * EDGE_LAG.powf(dt)
    }
}

/// The players of these ships whose connection is lost.
#[must_use]
pub(crate) fn away(stage: &Stage, is_away: impl Fn(PlayerId) -> bool) -> Vec<u16> {
    stage.ships.iter().map(|ship| ship.player).filter(|player| is_away(PlayerId(*player))).collect()
}

/// A match's zone at a tick.
#[must_use]
pub(crate) fn zone_look(zone: &Zone, tick: f64) -> ZoneLook {
    let lean = zone.lean_at(Tick(tick.max(0.0) as u32));
    ZoneLook {
        at: Vec2::new(f32::from(zone.x), f32::from(zone.y)),
        radius: f32::from(zone.radius),
        lean: f32::from(lean) / f32::from(zone.full.max(1)),
        holder: zone.holder,
        contested: zone.contested,
    }
}

/// The ship of a player state, with its engine off; `None` without a ship.
#[must_use]
pub(crate) fn own_look(own: &LocalPlayerState) -> Option<ShipLook> {
    own.entity.map(|entity| ShipLook {
        id: entity.0,
        player: own.player.0,
        team: own.team,
        craft: own.craft,
        at: own.position,
        velocity: own.velocity,
        heading: own.heading_radians(),
        hull: own.hull_share(),
        shield: f32::from(own.shield) / f32::from(SHIELD_MAX),
        protected: own.protection > 0,
        rapid: own.rapid > 0,
        thrust: false,
        boost: false,
    })
}

/// Where the own ship is drawn, and its heading in radians; the position of the wreck without a ship.
#[must_use]
pub(crate) fn own_pose(view: &View<Arena>) -> (Vec2, f32) {
    let Some(own) = &view.own else { return (Vec2::ZERO, 0.0) };
    let (before, now) = (&own.previous, &own.current);
    // A new ship is elsewhere: there is nothing to interpolate.
    if before.entity != now.entity {
        return (now.position, now.heading_radians());
    }
    let at = before.position.lerp(now.position, own.alpha) + own.offset;
    let turn = math::turn_between(before.heading_radians(), now.heading_radians());
    (at, math::wrap_angle(before.heading_radians() + turn * own.alpha))
}

fn add(entity: &InterpolatedEntity, stage: &mut Stage) {
    let [x, y, a, b, ..] = entity.values;
    let at = Vec2::new(x, y);
    match entity.kind {
        kind if fields::is_ship(kind) => {
            stage.ships.push(ship_look(&ShipView::read(entity.id, kind, &entity.values)));
        }
        fields::SHOT => {
            let [.., start, owner] = [entity.values[4], entity.values[5]];
            let velocity = Vec2::new(a, b);
            let age = (entity.tick - f64::from(start)) as f32 * DT;
            stage.shots.push(shot_look(owner as u16, start as u32, at, velocity, age));
        }
        fields::BEAM => {
            let (length, start, owner) = (b, entity.values[4], entity.values[5]);
            let age = (entity.tick - f64::from(start)) as f32 * DT;
            stage.beams.push(beam_look(owner as u16, start as u32, at, Vec2::from_angle(a) * length, age));
        }
        fields::ROCK => stage.rocks.push(RockLook { id: entity.id.0, at, radius: a }),
        fields::PICKUP => stage.pickups.push(PickupLook { id: entity.id.0, at, what: Boon::of(a as u32) }),
        fields::MINE => {
            let age = (entity.tick - f64::from(a)) as f32;
            let armed = age >= MINE_ARM as f32;
            stage.mines.push(MineLook { player: b as u16, at, armed, friendly: false });
        }
        // A kind of a later version is not drawn.
        _ => {}
    }
}

/// A ship as others see it.
#[must_use]
pub(crate) fn ship_look(ship: &ShipView) -> ShipLook {
    ShipLook {
        id: ship.id.0,
        player: ship.player.0,
        team: ship.team,
        craft: ship.craft,
        at: ship.position,
        velocity: ship.velocity,
        heading: ship.heading,
        hull: ship.hull / 100.0,
        shield: if ship.shielded() { 1.0 } else { 0.0 },
        protected: ship.protected(),
        rapid: ship.rapid(),
        thrust: ship.thrusts() || ship.boosts(),
        boost: ship.boosts(),
    }
}

/// A shot that left `origin` at tick `start`, `age` seconds ago.
#[must_use]
pub(crate) fn shot_look(player: u16, start: u32, origin: Vec2, velocity: Vec2, age: f32) -> ShotLook {
    let key = u64::from(player) << 32 | u64::from(start);
    ShotLook { player, at: origin + velocity * age, velocity, age, key }
}

/// A beam that left `origin` at tick `start`, `age` seconds ago, and reached as far as `way`.
#[must_use]
pub(crate) fn beam_look(player: u16, start: u32, origin: Vec2, way: Vec2, age: f32) -> BeamLook {
    // The top bit distinguishes it from a shot of the same tick.
    let key = 1 << 63 | u64::from(player) << 32 | u64::from(start);
    BeamLook { player, from: origin, to: origin + way, age, key }
}

/// Adds the effect of an event, if it has one.
pub(crate) fn add_effect(event: &ArenaEvent, stage: &mut Stage) {
    let effect = match *event {
        ArenaEvent::Hit { at, target, by, on, .. } => {
            let at = on_hull(at, target.0, stage);
            Effect::Struck { player: target.0, by: by.0, at, shielded: on != Armour::Hull, heavy: false }
        }
        ArenaEvent::Pierced { at, target, by, on } => {
            let at = on_hull(at, target.0, stage);
            Effect::Struck { player: target.0, by: by.0, at, shielded: on != Armour::Hull, heavy: true }
        }
        ArenaEvent::Railed { at, .. } => Effect::Judged { seen_at: at, now: None },
        ArenaEvent::Struck { at, now, .. } => Effect::Judged { seen_at: at, now: Some(now) },
        ArenaEvent::Chipped { at, .. } => Effect::Chipped { at },
        ArenaEvent::Dealt { points, .. } => Effect::Dealt { points },
        ArenaEvent::Sunk { at, victim } => {
            let velocity = stage.ship_of(victim.0).map_or(Vec2::ZERO, |ship| ship.velocity);
            Effect::Sunk { player: victim.0, at, velocity }
        }
        ArenaEvent::KillFeed { .. } | ArenaEvent::Assisted { .. } => return,
        ArenaEvent::Blast { at, by } => Effect::Blown { player: by.0, at },
        ArenaEvent::Launched { at, player } => Effect::Launched { player: player.0, at },
        ArenaEvent::Picked { at, player, what } => Effect::Taken { player: player.0, what, at },
    };
    stage.effects.push(effect);
}

/// Where to show a hit at `at`: the own ship is drawn ahead of where the server judged it, and the sparks belong on its hull.
fn on_hull(at: Vec2, target: u16, stage: &Stage) -> Vec2 {
    match stage.own_ship().filter(|_| stage.own == Some(target)) {
        Some(ship) => ship.at + (at - ship.at).clamp_length_max(SHIP_RADIUS),
        None => at,
    }
}
