//! What an effect sounds like, and how it shakes the camera.

use broadside_client::{Cues, SoundId};
use glam::Vec2;

use crate::sounds::{BLAST, CHIP, ENGINE, HIT, LASER, LAUNCH, PICKUP, RAIL, SHIELD};
use crate::stage::{Effect, Stage};

/// Plays the effects from `first` on.
pub(crate) fn play(stage: &Stage, first: usize, cues: &mut Cues<'_>) {
    let own = |player: u16| stage.own == Some(player);
    for effect in &stage.effects[first..] {
        shake(effect, own, cues);
        if matches!(*effect, Effect::Sunk { at, .. } if at.distance(cues.camera().at) < 500.0) {
            cues.duck();
        }
        let (sound, at, gain) = match *effect {
            Effect::Fired { player, at, .. } => (LASER, at, if own(player) { 0.34 } else { 0.26 }),
            Effect::Railed { player, from, .. } => (RAIL, from, if own(player) { 0.6 } else { 0.5 }),
            Effect::Judged { now: None, .. } => {
                cues.play_here(SoundId::MARK, 0.5);
                continue;
            }
            Effect::Judged { now: Some(_), .. } => continue,
            Effect::Struck { player, at, shielded: false, .. } => (HIT, at, if own(player) { 0.95 } else { 0.4 }),
            Effect::Struck { player, at, shielded: true, .. } => (SHIELD, at, if own(player) { 0.8 } else { 0.35 }),
            Effect::Chipped { at } => (CHIP, at, 0.22),
            Effect::Sunk { at, .. } => (BLAST, at, 0.95),
            Effect::Blown { at, .. } => (BLAST, at, 0.6),
            Effect::Taken { player, at, .. } => (PICKUP, at, if own(player) { 0.6 } else { 0.15 }),
            Effect::Launched { player, at } => (LAUNCH, at, if own(player) { 0.6 } else { 0.15 }),
            Effect::Dealt { .. } => {
                cues.play_here(SoundId::MARK, 0.35);
                continue;
            }
        };
        if is_behind_a_rock(stage, cues.camera().at, at) {
            cues.play_muffled(sound, at, gain);
        } else {
            cues.play(sound, at, gain);
        }
    }
}

/// Whether a rock lies between the ear and a sound.
fn is_behind_a_rock(stage: &Stage, ear: Vec2, at: Vec2) -> bool {
    let way = at - ear;
    stage.rocks.iter().any(|rock| {
        let along = ((rock.at - ear).dot(way) / way.length_squared().max(1.0)).clamp(0.0, 1.0);
        // What hits the rock itself is in front of it.
        let core = rock.radius * 0.8;
        (ear + way * along - rock.at).length_squared() < core * core
    })
}

/// Sets the engine's sound, and how dense the score is.
pub(crate) fn drive(stage: &Stage, cues: &mut Cues<'_>) {
    cues.tension(tension(stage, cues.camera().at));
    let thrust = stage.own_ship().map_or(0.0, |ship| match (ship.boost, ship.thrust) {
        (true, _) => 1.5,
        (false, true) => 1.0,
        (false, false) => 0.25,
    });
    let pace = stage.own_ship().map_or(0.0, |ship| ship.velocity.length() / 450.0);
    cues.drive(ENGINE, thrust * 0.20, 0.75 + 0.55 * pace);
}

/// How much goes on around a place, 0..=1: enemies near, shots in the air, a hull that is nearly gone.
fn tension(stage: &Stage, at: Vec2) -> f32 {
    let near = |other: Vec2| (1.0 - other.distance(at) / 900.0).max(0.0);
    let foes = stage.ships.iter().filter(|ship| stage.own != Some(ship.player) && !stage.is_friend(ship));
    let foes: f32 = foes.map(|ship| near(ship.at)).sum();
    let shots: f32 = stage.shots.iter().map(|shot| near(shot.at)).sum();
    let worn = stage.own_ship().map_or(0.0, |ship| (0.5 - ship.hull).max(0.0));
    (foes * 0.3 + shots * 0.06 + worn).min(1.0)
}

/// Shakes the camera for hits on the own ship and for wrecks nearby; the gamepad rumbles for hits on the own ship.
fn shake(effect: &Effect, own: impl Fn(u16) -> bool, cues: &mut Cues<'_>) {
    let strength = match *effect {
        Effect::Struck { player, shielded, heavy, .. } if own(player) => {
            let blow = if shielded { 0.25 } else { 0.45 } + if heavy { 0.3 } else { 0.0 };
            cues.rumble(blow);
            blow
        }
        Effect::Sunk { player, .. } if own(player) => {
            cues.rumble(1.0);
            1.0
        }
        Effect::Sunk { at, .. } => 0.55 * (1.0 - ((at - cues.camera().at).length() / 900.0).min(1.0)),
        Effect::Blown { at, .. } => 0.4 * (1.0 - ((at - cues.camera().at).length() / 700.0).min(1.0)),
        Effect::Fired { player, .. } if own(player) => 0.05,
        Effect::Railed { player, .. } if own(player) => 0.22,
        Effect::Fired { .. }
        | Effect::Railed { .. }
        | Effect::Judged { .. }
        | Effect::Struck { .. }
        | Effect::Chipped { .. }
        | Effect::Taken { .. }
        | Effect::Dealt { .. }
        | Effect::Launched { .. } => return,
    };
    cues.shake(strength);
}
