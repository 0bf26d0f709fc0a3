//! What the daily event changes.

use super::*;

/// An arena of the daily event on a day, with a ship at each place.
fn on_day(day: u32, places: &[Vec2]) -> Scene {
    let mut scene = Scene::new(places);
    let config = ArenaConfig { rock_density: 0.0, pickups_per_player: 0.0, ..ArenaConfig::default() };
    let daily = Arena::new(&Arena::on_day(&config, day), modes::Mode::Daily.id(), 1);
    scene.arena.twist = daily.twist;
    for player in 0..places.len() {
        scene.own_mut(player).twist = daily.twist;
    }
    scene
}

#[test]
fn the_twist_follows_the_date_in_its_own_mode_alone_and_an_operator_may_fix_it() {
    let config = ArenaConfig::default();
    let twist = |config: &ArenaConfig, mode: modes::Mode| Arena::new(config, mode.id(), 1).twist;
    let days: Vec<Twist> = (0..4).map(|day| twist(&Arena::on_day(&config, day), modes::Mode::Daily)).collect();
    assert_eq!(days, [Twist::Drift, Twist::BigRocks, Twist::OneHit, Twist::Drift]);
    assert_eq!(twist(&Arena::on_day(&config, 2), modes::Mode::Open), Twist::None);
    let fixed = ArenaConfig { twist: Some(Twist::OneHit), ..config };
    assert_eq!(twist(&Arena::on_day(&fixed, 0), modes::Mode::Daily), Twist::OneHit);
}

#[test]
fn with_low_gravity_a_ship_drifts_on() {
    let drifted = |mut scene: Scene| {
        scene.own_mut(0).velocity = Vec2::new(300.0, 0.0);
        scene.run(60);
        scene.player_state(0).velocity.x
    };
    assert!(drifted(Scene::new(&[Vec2::ZERO])) < 180.0);
    assert!(drifted(on_day(0, &[Vec2::ZERO])) > 280.0);
}

#[test]
fn one_hit_sinks_any_ship_but_a_protected_one() {
    let mut scene = on_day(2, &[Vec2::ZERO, Vec2::new(300.0, 0.0)]);
    scene.own_mut(1).shield = 3_000;
    scene.own_mut(1).protection = 10_000;
    scene.press(0, ArenaInput::FIRE);
    scene.run(60);
    assert!(scene.hits_on(1) > 0 && scene.player_state(1).afloat());
    scene.own_mut(1).protection = 0;
    scene.run(11);
    assert!(!scene.player_state(1).afloat());
    assert_eq!(scene.player_state(0).kills, 1);
}

#[test]
fn big_rocks_are_larger_and_leave_room_for_ships() {
    let arena = Arena::new(&Arena::on_day(&ArenaConfig::default(), 1), modes::Mode::Daily.id(), 3);
    let rocks = arena.rocks.all();
    assert!(rocks.len() >= 4 && rocks.iter().all(|rock| rock.radius >= 120.0), "{rocks:?}");
    for (at, rock) in rocks.iter().enumerate() {
        assert!(rocks[at + 1..].iter().all(|other| other.at.distance(rock.at) > rock.radius + other.radius + 80.0));
    }
}
