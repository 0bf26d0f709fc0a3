//! Moving: from a wanted velocity to buttons, around rocks, shots and the border.

use glam::Vec2;

use super::{BERTH, Seen, foes, others};
use crate::beam::Beam;
use crate::input::ArenaInput;
use crate::mine::Mine;
use crate::rules::{BORDER_NOTICE, MINE_ARM, MINE_REACH, SHIP_RADIUS, SHOT_RADIUS};
use crate::shot::{Shot, first_touch};
use broadside_shared::ids::PlayerId;
use broadside_shared::math;

/// Smallest difference in speed that is worth a button, units/s.
const DEAD: f32 = 35.0;
/// Seconds ahead for which it considers rocks.
const ROCK_HORIZON: f32 = 1.1;
/// Seconds ahead for which it considers shots.
const SHOT_HORIZON: f32 = 0.6;
/// Distance from the border at which it turns back.
const BORDER_BERTH: f32 = 170.0;

/// The buttons that bring `velocity` closest to `want` at the current heading.
pub(super) fn buttons_for(velocity: Vec2, heading: f32, want: Vec2) -> u8 {
    let nose = math::heading(heading);
    let starboard = Vec2::new(-nose.y, nose.x);
    let change = want - velocity;
    let mut buttons = 0;
    match change.dot(nose) {
        ahead if ahead > DEAD => buttons |= ArenaInput::THRUST,
        ahead if ahead < -DEAD => buttons |= ArenaInput::REVERSE,
        _ => {}
    }
    match change.dot(starboard) {
        side if side > DEAD => buttons |= ArenaInput::RIGHT,
        side if side < -DEAD => buttons |= ArenaInput::LEFT,
        _ => {}
    }
    buttons
}

/// Bends a course around obstacles.
pub(super) fn keep_clear(seen: &Seen, want: Vec2, skill: f32, side: f32) -> Vec2 {
    let course = want + dodge(seen, skill) + apart(seen);
    let course = off_rocks(seen, course, skill, side);
    inside(seen, course).clamp_length_max(seen.own.spec().speed)
}

/// Whether no rock lies between the own ship and a point.
pub(super) fn is_clear(seen: &Seen, point: Vec2) -> bool {
    let from = seen.own.position;
    seen.scene
        .rocks
        .iter()
        .all(|rock| first_touch(from - rock.at, point - rock.at, rock.radius + SHOT_RADIUS).is_none())
}

/// The shooter of the beam that ended close by, or of the shot that will come closest.
pub(super) fn shooter_at(seen: &Seen) -> Option<PlayerId> {
    let stranger = |beam: &&Beam| beam.owner != seen.own.player && !is_friend(seen, beam.owner);
    let close = |beam: &&Beam| (beam.end() - seen.own.position).length() < SHIP_RADIUS * 4.0;
    if let Some(beam) = seen.scene.beams.iter().filter(stranger).rfind(close) {
        return Some(beam.owner);
    }
    let mut soonest = SHOT_HORIZON;
    let mut shooter = None;
    for shot in &seen.scene.shots {
        if let Some((time, miss)) = approach(seen, shot)
            && miss.length() < SHIP_RADIUS * 3.0
            && time < soonest
        {
            (soonest, shooter) = (time, Some(shot.owner));
        }
    }
    shooter
}

/// Whether a player in view is of the own team and so harmless.
fn is_friend(seen: &Seen, player: PlayerId) -> bool {
    let team = seen.own.team;
    team.is_some() && others(seen).any(|ship| ship.player == player && ship.team == team)
}

/// The time in seconds until a hostile shot is nearest, and its position then, relative to the ship.
fn approach(seen: &Seen, shot: &Shot) -> Option<(f32, Vec2)> {
    if shot.owner == seen.own.player || shot.spent_at(seen.tick) || is_friend(seen, shot.owner) {
        return None;
    }
    let offset = shot.position_at(f64::from(seen.tick.0)) - seen.own.position;
    let relative = shot.velocity - seen.own.velocity;
    let time = -offset.dot(relative) / relative.length_squared().max(1.0);
    (time > 0.0 && time < SHOT_HORIZON).then(|| (time, offset + relative * time))
}

/// Away from the paths of shots that will hit; with less skill it notices fewer of them.
fn dodge(seen: &Seen, skill: f32) -> Vec2 {
    let mut push = Vec2::ZERO;
    for shot in &seen.scene.shots {
        let Some((time, miss)) = approach(seen, shot) else { continue };
        let near = SHIP_RADIUS + SHOT_RADIUS + 12.0;
        if miss.length() > near || !notices(shot, seen.own.player, skill) {
            continue;
        }
        // Relative to the ship the shot passes at `miss`: go the other way, at right angles to its path.
        let path = shot.velocity.normalize_or_zero();
        let across = Vec2::new(-path.y, path.x);
        let sign = if miss.dot(across) > 0.0 { -1.0 } else { 1.0 };
        push += across * (sign * 330.0 * (1.0 - time / SHOT_HORIZON * 0.5));
    }
    push.clamp_length_max(380.0)
}

/// Whether a player notices a shot: the same answer every time for the same shot.
fn notices(shot: &Shot, player: PlayerId, skill: f32) -> bool {
    let mixed = (shot.start.0 ^ u32::from(shot.owner.0) << 16 ^ u32::from(player.0)).wrapping_mul(0x9e37_79b1);
    ((mixed >> 16) as f32 / 65_536.0) < skill * 0.85
}

/// Away from other ships.
fn apart(seen: &Seen) -> Vec2 {
    let mut push = Vec2::ZERO;
    for other in others(seen) {
        let offset = seen.own.position - other.position;
        let distance = offset.length();
        if distance < 90.0 {
            push += offset.normalize_or_zero() * ((90.0 - distance) * 4.0);
        }
    }
    push
}

/// The mines of others that it has noticed: with less skill fewer. Centres, and radii to keep clear of.
fn mines_ahead<'a>(seen: &Seen<'a>, skill: f32) -> impl Iterator<Item = (Vec2, f32)> {
    let (own, tick) = (seen.own.player, seen.tick);
    let noticed = move |mine: &&Mine| {
        let mixed = (mine.start.0 ^ u32::from(mine.owner.0) << 16 ^ u32::from(own.0)).wrapping_mul(0x9e37_79b1);
        ((mixed >> 16) as f32 / 65_536.0) < 0.25 + 0.75 * skill
    };
    let hostile = move |mine: &&Mine| mine.owner != own && tick.since(mine.start) + 30 >= MINE_ARM;
    seen.scene.mines.iter().filter(hostile).filter(noticed).map(|mine| (mine.at, MINE_REACH))
}

/// Whether a mine left now would lie in the way of somebody who follows.
pub(super) fn is_followed(seen: &Seen) -> bool {
    let own = seen.own;
    let back = -math::heading(own.heading_radians());
    foes(seen).any(|foe| {
        let offset = foe.position - own.position;
        let distance = offset.length();
        let closing = (own.velocity - foe.velocity).dot(offset) > 0.0 || foe.velocity.dot(offset) < 0.0;
        (60.0..420.0).contains(&distance) && offset.dot(back) > 0.6 * distance && closing
    })
}

/// Around rocks and mines in the ship's drift or in its wanted course.
fn off_rocks(seen: &Seen, want: Vec2, skill: f32, side: f32) -> Vec2 {
    let own = seen.own;
    let top = own.spec().speed;
    let mut course = want;
    let rocks = seen.scene.rocks.iter().map(|rock| (rock.at, rock.radius));
    for (at, radius) in rocks.chain(mines_ahead(seen, skill)) {
        let offset = at - own.position;
        let keep = radius + BERTH;
        let gap = offset.length() - keep;
        if gap > top * ROCK_HORIZON {
            continue;
        }
        for velocity in [own.velocity, want] {
            let speed_squared = velocity.length_squared();
            if speed_squared < 400.0 {
                continue;
            }
            let time = offset.dot(velocity) / speed_squared;
            if time <= 0.0 || gap > velocity.length() * ROCK_HORIZON {
                continue;
            }
            let miss = offset - velocity * time;
            if miss.length() < keep {
                let path = velocity / speed_squared.sqrt();
                let across = Vec2::new(-path.y, path.x);
                let lean = miss.dot(across);
                // Head on, either side will do: it takes the one it circles toward anyway.
                let sign = if lean.abs() < 8.0 { side } else { -lean.signum() };
                let urgency = (1.0 - gap / (top * ROCK_HORIZON)).clamp(0.2, 1.0);
                course += across * (sign * 420.0 * urgency);
                // Close in front of it, it also brakes.
                if gap < velocity.length() * 0.35 {
                    course -= path * 200.0;
                }
            }
        }
        if gap < 12.0 {
            course -= offset.normalize_or_zero() * 260.0;
        }
    }
    course
}

/// Away from the border, where it will be after announced changes.
fn inside(seen: &Seen, want: Vec2) -> Vec2 {
    let own = seen.own;
    let now = own.border.radius_at(seen.tick);
    let radius = now.min(own.border.radius_at(seen.tick.after(BORDER_NOTICE)));
    // The position after half a second of drifting.
    let ahead = own.position + own.velocity * 0.5;
    let over = ahead.length().max(own.position.length()) - (radius - BORDER_BERTH);
    if over <= 0.0 {
        return want;
    }
    let inward = -own.position.normalize_or_zero();
    let wanted_outward = want.dot(-inward).max(0.0);
    want + inward * (wanted_outward + over * 3.0)
}
