//! Boost and mines in small worlds.

use super::*;
use crate::rules::{
    BOOST_MAX, BOOST_USE, MINE_ARM, MINE_COOLDOWN, MINE_LIFE, SCORE_KILL, SPEED_BOOST, SPEED_MAX, TICK_HZ,
};

fn blasts(scene: &Scene) -> usize {
    scene.events.iter().filter(|event| matches!(event.event, ArenaEvent::Blast { .. })).count()
}

fn speed(scene: &Scene) -> f32 {
    scene.player_state(0).velocity.length()
}

#[test]
fn a_boost_is_faster_for_two_seconds_and_refills_only_while_the_button_is_up() {
    let mut scene = Scene::new(&[Vec2::X * -1200.0]);
    scene.press(0, ArenaInput::THRUST);
    scene.run(TICK_HZ);
    assert!((speed(&scene) - SPEED_MAX).abs() < 1.0);
    scene.press(0, ArenaInput::THRUST | ArenaInput::BOOST);
    scene.run(TICK_HZ);
    assert!((speed(&scene) - SPEED_BOOST).abs() < 1.0, "{}", speed(&scene));
    scene.run(u32::from(BOOST_MAX / BOOST_USE));
    assert!(speed(&scene) < SPEED_MAX + 1.0, "it is empty, and holding the button does not help");
    assert_eq!(scene.player_state(0).spent, BOOST_MAX);
    scene.press(0, 0);
    scene.run(u32::from(BOOST_MAX) / 2);
    assert_eq!(scene.player_state(0).spent, BOOST_MAX / 2);
}

#[test]
fn a_mine_spares_who_left_it_and_goes_off_under_an_enemy_once_it_is_armed() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * -30.0]);
    scene.press(0, ArenaInput::MINE);
    scene.run(1);
    scene.press(0, 0);
    assert_eq!(scene.arena.mines.len(), 1);
    scene.own_mut(0).position = Vec2::X * 500.0;
    scene.run(MINE_ARM - 2);
    assert_eq!((blasts(&scene), scene.player_state(1).hull), (0, HULL_MAX), "it is not armed yet");
    scene.run(2);
    assert_eq!((blasts(&scene), scene.arena.mines.len()), (1, 0));
    let hull = scene.player_state(1).hull;
    assert!(hull < HULL_MAX * 6 / 10, "{hull}");
    // Its owner may sit on another one.
    scene.run(u32::from(MINE_COOLDOWN));
    scene.press(0, ArenaInput::MINE);
    scene.run(1);
    scene.press(0, 0);
    let at = scene.arena.mines[0].at;
    scene.own_mut(0).position = at;
    scene.run(MINE_ARM * 2);
    assert_eq!((blasts(&scene), scene.player_state(0).hull), (1, HULL_MAX));
}

#[test]
fn a_mine_sinks_a_weak_ship_for_its_owner() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * -30.0]);
    scene.press(0, ArenaInput::MINE);
    scene.own_mut(1).hull = 60;
    scene.run(1);
    scene.own_mut(0).position = Vec2::X * 500.0;
    scene.run(MINE_ARM);
    assert_eq!((scene.player_state(0).score, scene.player_state(1).afloat()), (SCORE_KILL, false));
    let by_mine = |event: &AddressedEvent<ArenaEvent>| {
        matches!(event.event, ArenaEvent::KillFeed { cause: ship::Cause::Mine, by: Some(PlayerId(0)), .. })
    };
    assert!(scene.events.iter().any(by_mine));
}

#[test]
fn a_ship_has_at_most_three_mines_and_they_leave_with_their_owner() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::X * 800.0]);
    scene.press(0, ArenaInput::MINE);
    let mut most = 0;
    for _ in 0..MINE_LIFE * 2 {
        scene.run(1);
        most = most.max(scene.arena.mines.len());
    }
    assert_eq!(most, 3);
    scene.arena.leave(PlayerId(0), scene.tick, &mut scene.events);
    assert!(scene.arena.mines.is_empty());
}
