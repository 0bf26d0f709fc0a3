//! Scenes of the rules, in virtual time.

use broadside_shared::time::ViewTime;

use super::*;

/// A world with these players, its next tick, and what has happened in it.
struct Scene {
    world: World,
    tick: Tick,
    events: Vec<AddressedEvent<Collected>>,
}

impl Scene {
    fn new(seed: u64, players: u16) -> Self {
        let mut scene = Scene { world: World::new(&(), ModeId(0), seed), tick: Tick(0), events: Vec::new() };
        (0..players).for_each(|player| scene.world.join(PlayerId(player), scene.tick, &mut scene.events));
        scene
    }

    /// Steps one tick, in which every player does what `drive` says of their dot and the stars.
    fn step(&mut self, drive: impl Fn(&Dot, &[(EntityId, Vec2)]) -> Steer) {
        let input = |(&player, dot): (&PlayerId, &Dot)| PlayerInput {
            player,
            input: drive(dot, &self.world.stars),
            view: ViewTime::default(),
        };
        let inputs: Vec<_> = self.world.dots.iter().map(input).collect();
        self.world.step(self.tick, &inputs, &History::default(), &mut self.events);
        self.tick = self.tick.after(1);
    }
}

fn to_the_nearest(dot: &Dot, stars: &[(EntityId, Vec2)]) -> Steer {
    let ways = stars.iter().map(|(_, star)| *star - dot.at);
    Steer::towards(ways.min_by(|a, b| a.length().total_cmp(&b.length())).unwrap_or_default().normalize_or_zero())
}

#[test]
fn a_dot_that_reaches_a_star_scores_and_the_star_comes_back_elsewhere() {
    let mut scene = Scene::new(1, 1);
    while scene.events.is_empty() {
        assert!(scene.tick < Tick(60 * 60), "no star in a minute");
        scene.step(to_the_nearest);
    }
    let mut standings = Vec::new();
    scene.world.standings(&mut standings);
    assert_eq!(standings, [Standing { player: PlayerId(0), score: 1 }]);
    assert_eq!(scene.world.stars.len(), STARS);
    assert!(scene.world.stars.iter().all(|(_, star)| *star != scene.events[0].event.at));
}

#[test]
fn walls_hold() {
    let mut scene = Scene::new(2, 1);
    (0..600).for_each(|_| scene.step(|_, _| Steer::towards(Vec2::X)));
    assert_eq!(scene.world.dots[&PlayerId(0)].at.x, EDGE);
}

#[test]
fn equal_seeds_and_inputs_give_equal_worlds() {
    let [mut one, mut other] = [Scene::new(3, 4), Scene::new(3, 4)];
    for _ in 0..600 {
        one.step(to_the_nearest);
        other.step(to_the_nearest);
        assert_eq!(one.world.hash(), other.world.hash());
    }
    assert_ne!(one.world.hash(), Scene::new(4, 4).world.hash());
}

#[test]
fn a_saved_world_goes_on_as_it_would_have() {
    broadside_shared::trial::assert_saved_worlds_go_on::<World>();
}
