//! The arena in small worlds with stated outcomes.

mod craft;
mod credit;
mod tools;
mod twist;

use glam::Vec2;

use super::rules::{
    AREA_PER_PLAYER, BORDER_NOTICE, HULL_MAX, PROTECTION, RADIUS_MIN, RAIL_COOLDOWN, RAIL_DAMAGE, RESPAWN, SCORE_KILL,
    SHOT_DAMAGE,
};
use super::spar::Sparring;
use super::*;
use broadside_shared::game::Recipients;
use broadside_shared::history::History;
use broadside_shared::protocol::input::GameInput;
use broadside_shared::replication::cells::{CellBlock, CellId};
use broadside_shared::replication::replica::Replica;
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{Placement, WorldHistory, WorldState};
use broadside_shared::time::ViewTime;

/// An arena without rocks and pickups, in which every seat has a ship at a given place that is no longer invulnerable.
struct Scene {
    arena: Arena,
    tick: Tick,
    history: History,
    inputs: Vec<PlayerInput<ArenaInput>>,
    events: Vec<AddressedEvent<ArenaEvent>>,
}

impl Scene {
    fn new(places: &[Vec2]) -> Scene {
        let config = ArenaConfig { rock_density: 0.0, pickups_per_player: 0.0, ..ArenaConfig::default() };
        let mut scene = Scene {
            arena: Arena::new(&config, ModeId(0), 1),
            tick: Tick(0),
            history: History::default(),
            inputs: Vec::new(),
            events: Vec::new(),
        };
        for player in (0..places.len() as u16).map(PlayerId) {
            scene.arena.join(player, Tick(0), &mut scene.events);
            scene.inputs.push(PlayerInput { player, input: ArenaInput::default(), view: ViewTime::default() });
        }
        scene.run(1);
        for (player, at) in places.iter().enumerate() {
            let own = scene.own_mut(player);
            (own.position, own.velocity, own.heading, own.protection) = (*at, Vec2::ZERO, 0, 0);
        }
        scene.events.clear();
        scene
    }

    fn player_state(&self, player: usize) -> &LocalPlayerState {
        self.arena.player_state(PlayerId(player as u16)).expect("the scene seats its players")
    }

    fn own_mut(&mut self, player: usize) -> &mut LocalPlayerState {
        &mut self.arena.seat_mut(PlayerId(player as u16)).expect("the scene seats its players").own
    }

    fn press(&mut self, player: usize, buttons: u8) {
        self.inputs[player].input.buttons = buttons;
    }

    fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.tick = self.tick.after(1);
            self.arena.step(self.tick, &self.inputs, &self.history, &mut self.events);
            self.history.record(self.tick, |poses| self.arena.poses(poses));
        }
    }

    /// Fires a player's rail at the picture of `ticks` ago; gives the target, its judged position and the time to it, as sent
    /// to the player.
    fn rail(&mut self, player: usize, ticks: u32) -> Option<(PlayerId, Vec2, u8)> {
        self.press(player, ArenaInput::RAIL);
        let tick = self.tick.after(1);
        self.inputs[player].view = ViewTime::of(tick.before(ticks)).judged_at(tick, Arena::TICK_HZ);
        self.events.clear();
        self.run(1);
        self.press(player, 0);
        let recipients = Recipients::Player(PlayerId(player as u16));
        self.events.iter().find_map(|event| match event.event {
            ArenaEvent::Railed { target, at, ago, .. } if event.recipients == recipients => Some((target, at, ago)),
            _ => None,
        })
    }

    fn hits_on(&self, player: u16) -> usize {
        let hit =
            |h: &&AddressedEvent<ArenaEvent>| matches!(h.event, ArenaEvent::Hit { target, .. } if target.0 == player);
        self.events.iter().filter(hit).count()
    }
}

#[test]
fn a_shot_hits_a_ship_that_crosses_its_way_and_never_its_shooter() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(400.0, -178.0)]);
    // 400 units at 900 units/s, less the muzzle: 25 ticks, in which the target comes down 175 units.
    scene.own_mut(1).velocity = Vec2::new(0.0, 420.0);
    scene.press(0, ArenaInput::FIRE);
    scene.run(1);
    scene.press(0, ArenaInput::THRUST);
    scene.run(40);
    assert_eq!(scene.hits_on(1), 1, "{:?}", scene.events);
    assert_eq!(scene.hits_on(0), 0);
    assert_eq!(scene.player_state(1).hull, HULL_MAX - SHOT_DAMAGE);
}

#[test]
fn a_rock_stops_a_shot_before_the_ship_behind_it() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(500.0, 0.0)]);
    scene.arena.rocks.put(&[Rock { id: EntityId(900), at: Vec2::new(250.0, 10.0), radius: 50.0 }]);
    scene.press(0, ArenaInput::FIRE);
    scene.run(90);
    assert_eq!(scene.hits_on(1), 0);
    assert!(scene.events.iter().any(|h| matches!(h.event, ArenaEvent::Chipped { at, .. } if at.x < 206.0)));
}

#[test]
fn sinking_a_ship_scores_and_the_sunk_one_returns_protected_until_it_fires() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(200.0, 0.0)]);
    scene.press(0, ArenaInput::FIRE);
    while scene.player_state(1).afloat() {
        assert!(scene.tick < Tick(300), "eight hits sink a ship");
        scene.run(1);
    }
    assert_eq!((scene.player_state(0).kills, scene.player_state(0).score), (1, SCORE_KILL));
    assert_eq!((scene.player_state(1).deaths, scene.player_state(1).kills), (1, 0));
    // Those that are still in the water hit nothing.
    let (hits, shots) = (scene.hits_on(1) as u32, (scene.hits_on(1) + scene.arena.shots.len()) as u32);
    let totals = PlayerTotals { score: SCORE_KILL, kills: 1, shots, hits, streak: 1, ..PlayerTotals::default() };
    assert_eq!(scene.arena.totals(PlayerId(0)), totals);
    let (victim, by) = (PlayerId(1), Some(PlayerId(0)));
    let sunk = ArenaEvent::KillFeed { victim, by, cause: Cause::Cannon, bounty: false };
    assert_eq!(
        Arena::kill_feed_entry(&sunk),
        Some(KillFeedEntry { by, verb: "sank", of: victim }),
        "a kill-feed entry"
    );
    assert!(scene.events.contains(&AddressedEvent { recipients: Recipients::Room, event: sunk }));
    let mut records = Vec::new();
    scene.arena.replicate(scene.tick, &mut records);
    assert_eq!(records.iter().filter(|(_, record)| record.kind == fields::SHIP).count(), 1, "a sunk ship is gone");

    scene.press(0, 0);
    scene.run(u32::from(RESPAWN) + 1);
    assert!(scene.player_state(1).afloat() && scene.player_state(1).protection >= PROTECTION - 2);
    assert_eq!(scene.own_mut(1).hurt(SHOT_DAMAGE), 0);
    scene.press(1, ArenaInput::FIRE);
    scene.run(1);
    assert_eq!(scene.own_mut(1).hurt(SHOT_DAMAGE), SHOT_DAMAGE);
}

#[test]
fn a_beam_is_judged_where_its_shooter_saw_the_target_and_both_receive_events() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(400.0, -60.0), Vec2::new(600.0, 0.0)]);
    scene.own_mut(1).velocity = Vec2::new(0.0, 420.0);
    scene.run(8);
    let crossing = scene.player_state(1).position;
    scene.run(12);
    assert!(crossing.y.abs() < 10.0 && scene.player_state(1).position.y > 60.0, "it has left the way");
    let (target, at, ago) = scene.rail(0, 13).expect("it was in the way when it was seen");
    assert_eq!((target, ago), (PlayerId(1), 13 * 16));
    assert!((at - crossing).length() < 1.0, "{at} {crossing}");
    assert_eq!(scene.player_state(1).hull, HULL_MAX - RAIL_DAMAGE);
    let struck = |h: &&AddressedEvent<ArenaEvent>| matches!(h.event, ArenaEvent::Struck { by: PlayerId(0), now, .. } if now.y > 60.0);
    assert_eq!(scene.events.iter().find(struck).map(|h| h.recipients), Some(Recipients::Player(PlayerId(1))));
    assert!((scene.arena.beams[0].length - (400.0 - 22.0)).abs() < 16.0, "it ends there: {:?}", scene.arena.beams);

    // The rail is not ready yet. When it is, a shot at the present picture hits the ship that is in the way now.
    assert_eq!(scene.rail(0, 0), None);
    assert_eq!(scene.arena.beams.len(), 1);
    scene.run(u32::from(RAIL_COOLDOWN));
    assert!(scene.arena.beams.is_empty());
    assert_eq!(scene.rail(0, 0).map(|(target, ..)| target), Some(PlayerId(2)));
    let totals = scene.arena.totals(PlayerId(0));
    assert_eq!((totals.shots, totals.hits), (2, 2), "a trigger pulled in vain is no shot");
}

#[test]
fn the_longest_run_of_kills_is_that_of_one_life() {
    let mut scene = Scene::new(&[Vec2::ZERO]);
    let mut streak_after = |kills: u32| {
        (0..kills).for_each(|_| scene.arena.reward(PlayerId(0), 0));
        scene.own_mut(0).sink();
        scene.arena.totals(PlayerId(0)).streak
    };
    assert_eq!([2, 1, 0, 3].map(&mut streak_after), [2, 2, 2, 3]);
}

#[test]
fn a_ship_that_took_cover_more_than_a_quarter_of_a_second_ago_is_not_hit_by_a_beam() {
    let cover = Rock { id: EntityId(900), at: Vec2::new(250.0, 40.0), radius: 60.0 };
    let rail_after = |ticks: u32, seen_ticks_ago: u32| {
        let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(500.0, -60.0)]);
        scene.arena.rocks.put(&[cover]);
        // The way to it is clear until it moves down behind the rock.
        let aim = super::input::turn_of(broadside_shared::math::angle_of(Vec2::new(500.0, -60.0)));
        (scene.own_mut(0).heading, scene.inputs[0].input.aim) = (aim, aim);
        scene.run(20);
        scene.own_mut(1).position.y = 60.0;
        scene.run(ticks);
        scene.rail(0, seen_ticks_ago)
    };
    assert!(rail_after(5, 10).is_some(), "seen in the open, and not long ago");
    assert!(rail_after(13, 15).is_some());
    assert_eq!(rail_after(16, 30), None, "with an older picture a player has to aim ahead");
}

#[test]
fn a_beam_passes_invulnerable_ships_and_ends_at_rocks() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(200.0, 0.0), Vec2::new(400.0, 0.0)]);
    scene.run(2);
    scene.own_mut(1).protection = 100;
    assert_eq!(scene.rail(0, 1).map(|(target, ..)| target), Some(PlayerId(2)));
    assert_eq!(scene.player_state(1).protection, 99);
    scene.run(u32::from(RAIL_COOLDOWN));
    scene.own_mut(1).protection = 0;
    scene.arena.rocks.put(&[Rock { id: EntityId(900), at: Vec2::new(140.0, 10.0), radius: 40.0 }]);
    assert_eq!(scene.rail(0, 1), None);
    assert!(scene.arena.beams[0].end().x < 102.0);
    scene.arena.rocks.put(&[]);
    scene.run(u32::from(RAIL_COOLDOWN));
    // A new ship is not hit where its player's former ship was seen.
    scene.arena.seat_mut(PlayerId(1)).expect("seated").launched = scene.tick;
    assert_eq!(scene.rail(0, 3).map(|(target, ..)| target), Some(PlayerId(2)));
}

#[test]
fn only_contact_explains_a_ship_elsewhere_than_predicted() {
    let mut scene = Scene::new(&[Vec2::ZERO, Vec2::new(28.0, 0.0)]);
    let (mut predicted, mut spawned) = (scene.player_state(0).clone(), Vec::new());
    let mut step = |predicted: &mut LocalPlayerState, tick| {
        Arena::predict(predicted, &ArenaInput::default(), tick, &PredictionContext::default(), &mut spawned);
    };
    step(&mut predicted, scene.tick.after(1));
    scene.run(1);
    assert_ne!(predicted.position, scene.player_state(0).position);
    assert_eq!(Arena::correction_cause(&predicted, scene.player_state(0)), super::ship::causes::COLLISION);
    let pushed = LocalPlayerState { position: Vec2::new(1.0, 2.0), hull: 60, ..predicted.clone() };
    assert_eq!(Arena::correction_cause(&predicted, &pushed), CorrectionCause::UNKNOWN);
    let hurt = LocalPlayerState { hull: 60, ..predicted.clone() };
    assert_eq!(Arena::correction_cause(&predicted, &hurt), super::ship::causes::HIT);
    assert_eq!(Arena::correction_cause(&hurt, &predicted), super::ship::causes::PICKUP);
}

#[test]
fn ships_that_meet_are_pushed_apart_and_lose_nothing() {
    let mut scene = Scene::new(&[Vec2::new(-100.0, 0.0), Vec2::new(100.0, 5.0)]);
    scene.own_mut(0).velocity = Vec2::new(400.0, 0.0);
    scene.own_mut(1).velocity = Vec2::new(-400.0, 0.0);
    scene.run(60);
    let (a, b) = (scene.player_state(0), scene.player_state(1));
    assert!(a.position.x < 0.0 && b.position.x > 0.0 && a.velocity.x < 0.0, "{a:?} {b:?}");
    assert_eq!((a.hull, b.hull), (HULL_MAX, HULL_MAX));
}

#[test]
fn the_border_follows_the_population_and_is_announced_beforehand() {
    let mut arena = Arena::new(&ArenaConfig::default(), ModeId(0), 3);
    let mut events = Vec::new();
    let start = arena.border().radius_at(Tick(0));
    assert!((start - RADIUS_MIN).abs() < 1.0);
    for player in (0..120).map(PlayerId) {
        arena.join(player, Tick(0), &mut events);
    }
    let inputs: Vec<_> = (0..120)
        .map(|p| PlayerInput { player: PlayerId(p), input: ArenaInput::default(), view: ViewTime::default() })
        .collect();
    arena.step(Tick(1), &inputs, &History::default(), &mut events);
    let announced = arena.border();
    assert!(announced.since >= Tick(1 + BORDER_NOTICE));
    assert_eq!(arena.player_state(PlayerId(7)).map(|own| own.border), Some(announced));
    assert_eq!(announced.radius_at(Tick(1 + BORDER_NOTICE)), start, "it rests until then");
    let step_all = |arena: &mut Arena, inputs: &[PlayerInput<ArenaInput>], from: u32, to: u32| {
        for tick in (from..=to).map(Tick) {
            arena.step(tick, inputs, &History::default(), &mut Vec::new());
        }
    };
    step_all(&mut arena, &inputs, 2, 600);
    let radius = arena.border().radius_at(Tick(600));
    let area = std::f32::consts::PI * radius * radius;
    assert!((area / 120.0 - AREA_PER_PLAYER).abs() < AREA_PER_PLAYER * 0.1, "{radius}");
    let rocks = arena.rocks.all().len();
    assert!(rocks * 10 >= arena.rocks_wanted(radius) * 8, "{rocks} rocks");
    assert!(arena.rocks.all().is_sorted_by_key(|rock| rock.id));

    for player in (0..120).map(PlayerId) {
        arena.leave(player, Tick(601), &mut events);
    }
    step_all(&mut arena, &[], 601, 4000);
    assert!((arena.border().radius_at(Tick(4000)) - RADIUS_MIN).abs() < 1.0);
    assert!(arena.rocks.all().iter().all(|rock| rock.at.length() < RADIUS_MIN + 301.0));
}

/// The rocks that a client near `focus` knows.
fn context_of(arena: &Arena, focus: Vec2, tick: Tick) -> PredictionContext {
    let (mut records, mut context) = (Vec::new(), PredictionContext::default());
    arena.replicate(tick, &mut records);
    let block = CellBlock::around(focus, Arena::VIEW);
    let known = records.iter().filter(|(at, _)| block.holds(CellId::of(*at))).map(|(_, record)| record);
    Arena::prediction_context(known, &mut context);
    context
}

/// Whether a point is in a client's view.
fn in_view(own: &LocalPlayerState, at: Vec2) -> bool {
    let offset = (at - own.position).abs();
    offset.x < Arena::VIEW.x * 0.5 && offset.y < Arena::VIEW.y * 0.5
}

#[test]
fn prediction_is_authority_bit_for_bit_while_nobody_interferes() {
    let config = ArenaConfig { rock_density: 9.0, pickups_per_player: 0.0, ..ArenaConfig::default() };
    let mut rng = Rng::with_seed(5);
    let (mut bounces, mut deaths, mut twins) = (0, 0, 0);
    for seed in 0..6 {
        let mut arena = Arena::new(&config, ModeId(0), seed);
        let mut events = Vec::new();
        arena.join(PlayerId(3), Tick(0), &mut events);
        let mut input = ArenaInput::default();
        let mut predicted: Option<LocalPlayerState> = None;
        let mut spawned = Vec::new();
        for tick in (1..=1200).map(Tick) {
            if rng.u32(0..15) == 0 {
                input = ArenaInput { aim: rng.u16(..), buttons: rng.u8(..) | ArenaInput::THRUST };
            }
            if tick.0.is_multiple_of(200) {
                // With so little hull the next rock sinks it: sinking is predicted too.
                let own = &mut arena.seat_mut(PlayerId(3)).expect("seated").own;
                own.hull = own.hull.min(60);
                predicted = Some(own.clone());
            }
            spawned.clear();
            if let Some(own) = &mut predicted {
                let context = context_of(&arena, Arena::focus(own), tick);
                let before = own.velocity;
                Arena::predict(own, &input, tick, &context, &mut spawned);
                bounces += u32::from((own.velocity - before).length() > 60.0);
            }
            arena.step(
                tick,
                &[PlayerInput { player: PlayerId(3), input, view: ViewTime::of(tick) }],
                &History::default(),
                &mut events,
            );
            let own = arena.player_state(PlayerId(3)).expect("seated").clone();
            match &predicted {
                // Only the server launches a ship.
                Some(predicted) if own.afloat() == predicted.afloat() => {
                    assert_eq!(*predicted, own, "seed {seed}, {tick}");
                }
                Some(_) => {
                    assert!(own.afloat());
                    deaths += 1;
                }
                None => {}
            }
            for spawn in &spawned {
                let beams = arena.beams.iter().map(Beam::record);
                let mut real = arena.shots.iter().map(Shot::record).chain(beams);
                let twin = real.rfind(|r| Arena::spawn_key(PlayerId(3), r) == Some(spawn.key));
                // A shot is gone within its first step only if the muzzle is inside a rock.
                if let Some(twin) = twin {
                    let mut expected = spawn.record.values;
                    if twin.kind == fields::BEAM && !in_view(&own, Beam::read(&twin).end()) {
                        expected[3] = twin.values[3]; // stopped by a rock that the client does not know
                    }
                    assert_eq!(twin.values, expected);
                    twins += 1;
                }
            }
            predicted = Some(own);
        }
    }
    assert!(bounces > 20, "the flight met {bounces} rocks: too few to prove anything");
    assert!(twins > 100, "{twins} shots and beams were predicted");
    assert!(deaths > 0, "nobody sank by flying into rocks");
}

#[test]
fn equal_seeds_give_equal_worlds_now_and_as_recorded() {
    let (seed, ticks, every) = script::REFERENCE;
    let hashes = script::world_hashes(seed, ticks, every);
    assert_eq!(hashes, script::world_hashes(seed, ticks, every));
    assert_eq!(hashes, script::REFERENCE_HASHES, "now {hashes:#018x?}");
    assert_ne!(hashes, script::world_hashes(seed + 1, ticks, every));
}

#[test]
fn the_more_skilled_half_of_a_match_sinks_at_least_three_for_two() {
    for seed in [11, 12, 13] {
        let skills: Vec<f32> = [0.85, 0.5].into_iter().cycle().take(16).collect();
        let mut sparring = Sparring::new(seed, &skills);
        sparring.run(90 * 60);
        let (mut better, mut worse) = (0, 0);
        for (index, stats) in sparring.stats().enumerate() {
            *if index % 2 == 0 { &mut better } else { &mut worse } += stats.kills;
        }
        assert!(better * 2 > worse * 3, "seed {seed}: {better} to {worse}");
        assert!(worse > 0, "the weaker half sinks ships, too");
    }
}

fn coded(write: impl FnOnce(&mut BitWriter)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = BitWriter::new(&mut bytes);
    write(&mut out);
    out.finish();
    bytes
}

#[test]
fn values_decode_to_what_was_encoded_with_only_padding_left() {
    let mut sparring = Sparring::new(4, &[0.3, 0.9, 0.6, 0.7, 0.2, 0.8]);
    let mut seen = 0;
    for _ in 0..1500 {
        sparring.run(1);
        for AddressedEvent { event, .. } in sparring.events() {
            let bytes = coded(|out| Arena::write_event(event, out));
            let mut bits = BitReader::new(&bytes);
            assert_eq!(Arena::read_event(&mut bits).as_ref(), Ok(event));
            assert_eq!(bits.finish(), Ok(()));
            seen += 1;
        }
        for own in sparring.arena().seats().map(|seat| &seat.own) {
            let bytes = coded(|out| Arena::write_player_state(own, out));
            assert!(bytes.len() <= 48, "{} bytes: {own:?}", bytes.len());
            let mut bits = BitReader::new(&bytes);
            assert_eq!(Arena::read_player_state(&mut bits).as_ref(), Ok(own));
            assert_eq!(bits.finish(), Ok(()));
        }
    }
    assert!(seen > 50, "{seen} events");
    for input in [ArenaInput::default(), ArenaInput { aim: 65_535, buttons: 255 }, ArenaInput::new(-1.0, 5)] {
        let bytes = coded(|out| input.write(out));
        assert_eq!(bytes.len(), 3);
        assert_eq!(ArenaInput::read(&mut BitReader::new(&bytes)), Ok(input));
        assert_eq!(input.idle(), ArenaInput { aim: input.aim, buttons: 0 });
    }
}

/// The first bits of `bytes`, as many as `bits` has read.
fn read_bits(bytes: &[u8], bits: &BitReader<'_>) -> Vec<bool> {
    let (mut rest, mut all) = (bits.clone(), BitReader::new(bytes));
    let unread = std::iter::from_fn(|| rest.flag().ok()).count();
    std::iter::from_fn(|| all.flag().ok()).take(bytes.len() * 8 - unread).collect()
}

/// Decodes `bytes`; `None` if they are not a value. A value needs all of its bytes.
fn decoded<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&mut BitReader<'_>) -> Result<T, WireError>,
) -> Option<(T, Vec<bool>)> {
    let mut bits = BitReader::new(bytes);
    match read(&mut bits) {
        Ok(value) => {
            let used = read_bits(bytes, &bits);
            let cut = &bytes[..used.len().div_ceil(8) - 1];
            assert_eq!(read(&mut BitReader::new(cut)), Err(WireError::Short), "{value:?}");
            Some((value, used))
        }
        Err(WireError::Short) => None,
        Err(WireError::Range { value, limit, .. }) => {
            assert!(value > limit, "{value} is within {limit}");
            None
        }
        Err(other) => panic!("{other:?} is no error of these bytes: {bytes:02x?}"),
    }
}

/// The bits of a value, without the padding that brings them to whole bytes: `count` in all.
fn coded_bits(count: usize, write: impl FnOnce(&mut BitWriter)) -> Vec<bool> {
    let bytes = coded(write);
    assert_eq!(bytes.len(), count.div_ceil(8));
    let mut bits = BitReader::new(&bytes);
    std::iter::from_fn(|| bits.flag().ok()).take(count).collect()
}

/// `count` random byte strings, short and long.
fn random_bytes(seed: u64, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(move |_| (0..rng.usize(0..64)).map(|_| rng.u8(..)).collect())
}

#[test]
fn any_bytes_are_an_error_or_an_event_or_input_with_exactly_these_bits() {
    let (mut events, mut refused) = (0, 0);
    for bytes in random_bytes(99, 20_000) {
        match decoded(&bytes, Arena::read_event) {
            Some((event, used)) => {
                events += 1;
                assert_eq!(coded_bits(used.len(), |out| Arena::write_event(&event, out)), used, "{event:?}");
            }
            None => refused += 1,
        }
        let input = decoded(&bytes, ArenaInput::read);
        assert_eq!(input.is_some(), bytes.len() >= 3);
        if let Some((input, used)) = input {
            assert_eq!(coded_bits(24, |out| input.write(out)), used, "{input:?}");
        }
    }
    assert!(events > 5_000 && refused > 1_000, "{events} events, {refused} refused");
}

/// What holds of every own state, whatever the bytes it came from.
fn assert_in_range(own: &LocalPlayerState) {
    assert!(
        own.player.0 < rules::PLAYERS_MAX && own.team.is_none_or(|team| usize::from(team) < modes::TEAM_COUNT),
        "{own:?}"
    );
    assert!(own.position.is_finite() && own.velocity.is_finite(), "{own:?}");
    assert!(own.calm <= rules::CALM && own.hull.max(own.shield) < 1 << 13, "{own:?}");
}

#[test]
fn any_bytes_are_an_error_or_a_player_state_in_range_that_can_be_stepped() {
    let (mut states, mut stepped) = (0, 0);
    let mut rng = Rng::with_seed(98);
    for bytes in random_bytes(97, 20_000) {
        let Some((mut own, used)) = decoded(&bytes, Arena::read_player_state) else { continue };
        states += 1;
        assert_in_range(&own);
        if own.border.ticks == 0 {
            own.border.to = own.border.from; // a change that takes no time is written as a border at rest
            own.border.since = Tick(0);
        }
        let again = coded(|out| Arena::write_player_state(&own, out));
        assert!(again.len() * 8 < used.len() + 8, "no longer than what was read");
        assert_eq!(Arena::read_player_state(&mut BitReader::new(&again)).as_ref(), Ok(&own));

        let input = ArenaInput { aim: rng.u16(..), buttons: rng.u8(..) };
        let rock = Rock { id: EntityId(1), at: own.position + Vec2::new(20.0, 0.0), radius: 40.0 };
        let context = PredictionContext { rocks: vec![rock] };
        for tick in [0, 1, u32::MAX - 1, u32::MAX].map(Tick) {
            let (before, mut spawned) = (own.clone(), Vec::new());
            Arena::predict(&mut own, &input, tick, &context, &mut spawned);
            assert_in_range(&own);
            assert_eq!((own.player, own.team, own.border), (before.player, before.team, before.border));
            assert!(own.entity.is_none() || own.entity == before.entity, "prediction launches no ship");
            assert!(spawned.len() <= 3 && (before.afloat() || spawned.is_empty()), "{spawned:?}");
            stepped += usize::from(before.afloat());
            let seen = ai::Seen { tick, own: &own, scene: &Default::default(), ships_at: 0.0 };
            let think = || ai::Ai::new(1, 0.5).think(&seen);
            assert_eq!(think(), think());
        }
    }
    assert!(states > 1_000 && stepped > 1_000, "{states} states, {stepped} steps of a ship");
}

#[test]
fn every_entity_in_view_is_sent_to_new_viewers_and_to_those_who_stay() {
    let mut battle = Sparring::new(3, &[0.6; 40]);
    battle.run(Arena::TICK_HZ * 5);
    let (mut history, mut placement) = (WorldHistory::new(Arena::KINDS), Placement::default());
    let mut stays = vec![(Viewer::default(), Replica::default()); 40];
    let (mut entities, mut in_view) = (Vec::new(), 0);
    for tick in (1..=300).map(|tick| Tick(Arena::TICK_HZ * 5 + tick)) {
        battle.run(1);
        let mut state = WorldState::default();
        state.capture(battle.arena(), tick, &mut placement);
        history.push(std::sync::Arc::new(state));
        if !tick.0.is_multiple_of(3) {
            continue;
        }
        entities.clear();
        battle.arena().replicate(tick, &mut entities);
        for (player, stays) in (0..).map(PlayerId).zip(&mut stays) {
            let Some(own) = battle.arena().player_state(player) else { continue };
            let focus = Arena::focus(own);
            for (viewer, replica) in [stays, &mut Default::default()] {
                let mut frame = Vec::new();
                let area = AreaOfInterest::new(focus, Arena::VIEW);
                viewer.write(&mut history, &area, UpdateRateTier::Full, &mut frame);
                replica.apply(Arena::KINDS, tick, &mut BitReader::new(&frame)).expect("encoded bytes apply");
                for (at, record) in entities.iter().filter(|(at, _)| (*at - focus).abs().cmple(Arena::VIEW * 0.5).all())
                {
                    in_view += 1;
                    assert!(
                        replica.records().any(|r| r.id == record.id),
                        "{tick}: {record:?} at {at}, seen from {focus}"
                    );
                }
            }
        }
    }
    assert!(in_view > 50_000, "{in_view}");
}

#[test]
fn a_saved_world_goes_on_as_it_would_have() {
    broadside_shared::trial::assert_saved_worlds_go_on::<Arena>();
}
