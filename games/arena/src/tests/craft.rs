//! The three ships to choose from.

use super::*;
use crate::spar::tournament;

/// Asks for a craft, as a player does.
fn fly(scene: &mut Scene, player: u16, craft: Craft) {
    let tick = scene.tick.after(1);
    let asked = scene.arena.handle_request(PlayerId(player), &ArenaRequest::Fly(craft), tick, &mut scene.events);
    asked.expect("any craft may be chosen");
}

#[test]
fn a_craft_counts_at_once_for_a_ship_that_has_done_nothing_and_otherwise_for_the_next_one() {
    let mut scene = Scene::new(&[Vec2::ZERO]);
    fly(&mut scene, 0, Craft::Brig);
    assert_eq!(scene.player_state(0).craft, Craft::Sloop, "it is no longer protected");
    scene.own_mut(0).sink();
    scene.run(u32::from(RESPAWN) + 1);
    assert_eq!((scene.player_state(0).craft, scene.player_state(0).hull), (Craft::Brig, Craft::Brig.spec().hull));
    fly(&mut scene, 0, Craft::Skiff);
    assert_eq!((scene.player_state(0).craft, scene.player_state(0).hull), (Craft::Skiff, Craft::Skiff.spec().hull));
    scene.press(0, ArenaInput::FIRE);
    scene.run(1);
    fly(&mut scene, 0, Craft::Brig);
    assert_eq!(scene.player_state(0).craft, Craft::Skiff, "it has fired");
    let bytes = coded(|out| Arena::write_player_state(scene.player_state(0), out));
    let read = Arena::read_player_state(&mut BitReader::new(&bytes)).expect("as written");
    assert_eq!(&read, scene.player_state(0));
}

#[test]
fn a_shot_does_the_damage_of_its_craft_and_others_see_which_one_it_is() {
    for craft in Craft::ALL {
        let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(300.0, 0.0)]);
        scene.own_mut(0).protection = 1;
        fly(&mut scene, 0, craft);
        scene.press(0, ArenaInput::FIRE);
        scene.run(1);
        scene.press(0, 0);
        scene.run(40);
        let damage = HULL_MAX - scene.player_state(1).hull;
        assert_eq!(damage, craft.spec().shot_damage, "{craft:?}");
        let mut records = Vec::new();
        scene.arena.replicate(scene.tick, &mut records);
        let crafts: Vec<Craft> = records
            .iter()
            .filter_map(|(_, record)| match RecordView::of(record) {
                Some(RecordView::Ship(ship)) => Some(ship.craft),
                _ => None,
            })
            .collect();
        assert_eq!(crafts, [craft, Craft::Sloop]);
        assert_eq!(Craft::named(craft.spec().name), craft);
    }
}

#[test]
fn no_craft_wins_much_more_than_its_share() {
    let [sloop, skiff, brig] = Craft::ALL;
    // Of all ships sunk, in the hundredth part of what is fair: a third among three, half between two.
    let share_of = |crafts: &[Craft]| {
        let mut kills = vec![0; crafts.len()];
        for seed in 0..4 {
            for (sum, (sunk, _)) in kills.iter_mut().zip(tournament(7_000 + seed, 200 * Arena::TICK_HZ, crafts)) {
                *sum += sunk;
            }
        }
        let all: u32 = kills.iter().sum();
        assert!(all > 200, "{crafts:?}: {kills:?} decides nothing");
        kills.iter().map(|sunk| 100 * sunk * crafts.len() as u32 / all).collect::<Vec<_>>()
    };
    for crafts in [&[sloop, skiff, brig][..], &[sloop, skiff], &[sloop, brig], &[skiff, brig]] {
        let shares = share_of(crafts);
        assert!(shares.iter().all(|share| (84..=116).contains(share)), "{crafts:?}: {shares:?}");
    }
}
