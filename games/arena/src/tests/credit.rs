//! Assists and the bounty in small worlds.

use super::*;
use crate::rules::{BOUNTY_FROM, CALM, SCORE_ASSIST, SCORE_BOUNTY, TICK_HZ};
use crate::ship::Cause;

fn wound(scene: &mut Scene, target: u16, by: u16, damage: u16) {
    let (target, by) = (PlayerId(target), PlayerId(by));
    let wound = scene.arena.wound(target, by, damage).expect("the scene seats its players");
    scene.arena.finish(target, by, &wound, Cause::Cannon, &mut scene.events);
}

fn scores(scene: &Scene) -> Vec<i32> {
    (0..scene.inputs.len()).map(|player| scene.player_state(player).score).collect()
}

/// The players who were told that they helped.
fn told(scene: &Scene) -> Vec<Recipients> {
    let assists = scene.events.iter().filter(|event| matches!(event.event, ArenaEvent::Assisted { .. }));
    assists.map(|event| event.recipients).collect()
}

#[test]
fn who_did_a_third_of_the_damage_gets_an_assist_and_who_scratched_it_nothing() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * 400.0, Vec2::X * -400.0, Vec2::Y * 400.0]);
    wound(&mut scene, 0, 1, HULL_MAX / 2);
    wound(&mut scene, 0, 2, HULL_MAX / 4);
    wound(&mut scene, 0, 3, HULL_MAX / 4);
    assert_eq!(scores(&scene), [0, SCORE_ASSIST, 0, SCORE_KILL]);
    assert_eq!(told(&scene), [Recipients::Player(PlayerId(1))]);
    assert_eq!(scene.arena.totals(PlayerId(1)).assists, 1);
    assert_eq!(scene.arena.totals(PlayerId(3)).assists, 0, "sinking it counts as that alone");
}

#[test]
fn a_ship_that_the_border_takes_in_the_end_was_lost_to_whom_it_fled() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * 400.0]);
    wound(&mut scene, 0, 1, HULL_MAX - 60);
    let out = scene.arena.border().radius_at(scene.tick) + 200.0;
    scene.own_mut(0).position = Vec2::X * out;
    scene.run(20);
    assert!(!scene.player_state(0).afloat());
    assert_eq!(scores(&scene), [0, SCORE_ASSIST]);
}

#[test]
fn damage_that_was_repaired_in_calm_is_forgotten_and_so_is_that_of_a_former_player() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * 400.0, Vec2::X * -400.0]);
    wound(&mut scene, 0, 1, HULL_MAX / 2);
    let own = scene.own_mut(0);
    (own.hull, own.calm) = (HULL_MAX, CALM);
    wound(&mut scene, 0, 2, HULL_MAX);
    assert_eq!(scores(&scene), [0, 0, SCORE_KILL]);
    scene.run(u32::from(RESPAWN) + 2);
    scene.own_mut(0).protection = 0;
    wound(&mut scene, 0, 1, HULL_MAX / 2);
    scene.arena.leave(PlayerId(1), scene.tick, &mut scene.events);
    scene.arena.join(PlayerId(1), scene.tick, &mut scene.events);
    wound(&mut scene, 0, 2, HULL_MAX);
    assert_eq!(scores(&scene), [0, 0, 2 * SCORE_KILL]);
}

#[test]
fn sinking_the_leader_brings_the_bounty_once() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * 400.0]);
    scene.own_mut(0).score = BOUNTY_FROM;
    wound(&mut scene, 0, 1, HULL_MAX);
    assert_eq!(scores(&scene)[1], SCORE_KILL, "who leads is looked at once a second");
    scene.run(u32::from(RESPAWN) + TICK_HZ);
    scene.own_mut(0).protection = 0;
    scene.events.clear();
    wound(&mut scene, 0, 1, HULL_MAX);
    assert_eq!(scores(&scene)[1], 2 * SCORE_KILL + SCORE_BOUNTY);
    let bounty = |event: &AddressedEvent<ArenaEvent>| matches!(event.event, ArenaEvent::KillFeed { bounty: true, .. });
    assert_eq!(scene.events.iter().filter(|event| bounty(event)).count(), 1);
    assert_eq!(scene.arena.bounty, None, "until the next full second");
}
