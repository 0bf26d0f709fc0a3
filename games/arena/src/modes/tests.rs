//! Matches in small worlds with stated outcomes.

use glam::Vec2;

use super::super::rules::{
    COUNTDOWN, DUEL_RESULTS, DUEL_ROUND, DUEL_ROUNDS, HULL_MAX, PAUSE, RAIL_DAMAGE, REMATCH_ALL, REMATCH_MOST,
    SHOT_DAMAGE, TEAMS_RESULTS, TEAMS_ROUND, TEAMS_SUNK, TICK_HZ, ZONE_FULL,
};
use super::super::{Arena, ArenaConfig, ArenaEvent, ArenaInput, ArenaRequest, LocalPlayerState, fields};
use super::referee::Match;
use crate::modes::Mode;
use broadside_shared::game::{AddressedEvent, Game, PlayerInput, PlayerTotals, TeamLabel};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::time::{Tick, ViewTime};

/// A match whose players follow the test.
struct Scene {
    arena: Arena,
    tick: Tick,
    history: History,
    inputs: Vec<PlayerInput<ArenaInput>>,
    events: Vec<AddressedEvent<ArenaEvent>>,
}

impl Scene {
    fn new(mode: Mode, players: u16) -> Scene {
        let config = ArenaConfig { rock_density: 0.0, pickups_per_player: 0.0, ..ArenaConfig::default() };
        let mut scene = Scene {
            arena: Arena::new(&config, mode.id(), 7),
            tick: Tick(0),
            history: History::default(),
            inputs: Vec::new(),
            events: Vec::new(),
        };
        (0..players).for_each(|player| scene.join(player));
        scene
    }

    fn join(&mut self, player: u16) {
        let player = PlayerId(player);
        self.arena.join(player, self.tick.after(1), &mut self.events);
        let input = PlayerInput { player, input: ArenaInput::default(), view: ViewTime::default() };
        let at = self.inputs.partition_point(|input| input.player < player);
        self.inputs.insert(at, input);
    }

    fn leave(&mut self, player: u16) {
        self.arena.leave(PlayerId(player), self.tick.after(1), &mut self.events);
        self.inputs.retain(|input| input.player.0 != player);
    }

    fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.tick = self.tick.after(1);
            for input in &mut self.inputs {
                input.view = ViewTime::of(self.tick.before(1));
            }
            self.arena.step(self.tick, &self.inputs, &self.history, &mut self.events);
            self.history.record(self.tick, |poses| self.arena.poses(poses));
        }
    }

    fn match_state(&self) -> Match {
        *self.arena.referee.as_ref().expect("a mode with rounds").match_state()
    }

    fn player_state(&mut self, player: u16) -> &mut LocalPlayerState {
        &mut self.arena.seat_mut(PlayerId(player)).expect("the scene seats its players").own
    }

    fn press(&mut self, player: u16, buttons: u8) {
        let input = self.inputs.iter_mut().find(|input| input.player.0 == player);
        input.expect("the scene seats its players").input = ArenaInput { aim: 0, buttons };
    }

    /// Places a ship, heading right.
    fn put(&mut self, player: u16, x: f32, y: f32) {
        let own = self.player_state(player);
        (own.position, own.velocity, own.heading, own.protection) = (Vec2::new(x, y), Vec2::ZERO, 0, 0);
    }

    /// Runs until a phase starts.
    fn until(&mut self, phase: MatchPhase) {
        for _ in 0..TEAMS_ROUND + 10 {
            if self.match_state().phase == phase {
                return;
            }
            self.run(1);
        }
        panic!("{phase:?} does not start: {:?}", self.match_state());
    }

    /// Sinks a player's ship by another's shot.
    fn sink(&mut self, victim: u16, by: u16) {
        self.put(by, -300.0, 0.0);
        self.put(victim, -200.0, 0.0);
        self.player_state(victim).hull = 1;
        self.press(by, ArenaInput::FIRE);
        for _ in 0..30 {
            self.run(1);
            if !self.player_state(victim).afloat() {
                break;
            }
        }
        self.press(by, 0);
        assert!(!self.player_state(victim).afloat(), "{:?}", self.match_state());
    }

    /// Number of players of each team.
    fn teams(&self) -> [usize; 2] {
        [0, 1].map(|team| self.arena.seats().filter(|seat| seat.own.team == Some(team)).count())
    }
}

#[test]
fn those_who_want_to_play_again_need_not_wait_for_the_end_of_the_results() {
    let results = |votes: u16| {
        let mut scene = Scene::new(Mode::Teams, 5);
        scene.run(1);
        let ask = |scene: &mut Scene, player: u16| {
            let (player, tick) = (PlayerId(player), scene.tick.after(1));
            let asked = scene.arena.handle_request(player, &ArenaRequest::Rematch, tick, &mut scene.events);
            asked.expect("it is never refused");
        };
        ask(&mut scene, 0);
        assert_eq!(scene.arena.room_state().again, 0, "no match is over");
        let tick = scene.tick;
        let referee = scene.arena.referee.as_mut().expect("a mode with rounds");
        referee.match_state.phase = MatchPhase::Results;
        referee.match_state.ends = Some(tick.after(TEAMS_RESULTS));
        scene.run(1);
        (0..votes).for_each(|player| ask(&mut scene, player));
        assert_eq!(scene.arena.room_state().again, votes);
        let from = scene.tick;
        while scene.match_state().phase == MatchPhase::Results {
            scene.run(1);
        }
        assert_eq!((scene.match_state().phase, scene.arena.room_state().again), (MatchPhase::Countdown, 0));
        scene.tick.since(from)
    };
    assert_eq!(results(2), TEAMS_RESULTS - 1, "less than half");
    assert_eq!(results(3), REMATCH_MOST + 1);
    assert_eq!(results(5), REMATCH_ALL + 1);
}

#[test]
fn a_duel_goes_from_waiting_through_five_rounds_to_the_results_and_starts_again() {
    let mut scene = Scene::new(Mode::Duel, 1);
    scene.run(200);
    assert_eq!(scene.match_state().phase, MatchPhase::Waiting);
    assert!(scene.player_state(0).afloat(), "a waiting player may fly about");
    scene.join(1);
    scene.run(1);
    assert_eq!((scene.match_state().phase, scene.match_state().round), (MatchPhase::Countdown, 1));
    let who = [0, 1].map(|player| TeamLabel::Player(Some(PlayerId(player))));
    assert_eq!(scene.match_state().teams.map(|team| team.label), who);
    // One wins two, the other two, and the last decides.
    for (round, winner) in [(1, 0), (2, 1), (3, 1), (4, 0), (5, 1)] {
        scene.until(MatchPhase::Countdown);
        assert_eq!(scene.match_state().round, round);
        scene.until(MatchPhase::Playing);
        scene.sink(1 - winner, winner);
        scene.run(1);
        assert_eq!(scene.match_state().winner, Some(winner as u8));
        let phase = if round == u16::from(DUEL_ROUNDS) as u8 { MatchPhase::Results } else { MatchPhase::Pause };
        assert_eq!(scene.match_state().phase, phase, "round {round}");
        assert!(scene.player_state(winner).afloat());
        scene.run(PAUSE - 2);
        assert!(!scene.player_state(1 - winner).afloat(), "no new ship before the next round");
    }
    assert_eq!(scene.match_state().teams.map(|team| team.rounds), [2, 3]);
    scene.run(DUEL_RESULTS);
    assert_eq!((scene.match_state().phase, scene.match_state().round), (MatchPhase::Countdown, 1));
    assert_eq!(scene.match_state().teams.map(|team| (team.rounds, team.score)), [(0, 0); 2]);
    assert_eq!(
        [0, 1].map(|player| scene.arena.totals(PlayerId(player))),
        [PlayerTotals::default(); 2],
        "all starts again"
    );
}

#[test]
fn a_round_starts_with_both_ships_opposite_whole_held_and_silent() {
    let mut scene = Scene::new(Mode::Duel, 2);
    scene.run(1);
    let (one, other) = (scene.player_state(0).clone(), scene.player_state(1).clone());
    assert_eq!(one.position, -other.position);
    assert!(one.position.length() > 300.0 && [&one, &other].iter().all(|own| own.hull == HULL_MAX));
    (0..2).for_each(|player| scene.press(player, ArenaInput::FIRE | ArenaInput::RAIL | ArenaInput::THRUST));
    scene.run(COUNTDOWN - 1);
    assert_eq!((scene.player_state(0).position, scene.player_state(0).held), (one.position, 0));
    assert_ne!(scene.player_state(0).heading, one.heading, "it may take aim");
    assert!(scene.arena.shots.is_empty() && scene.arena.beams.is_empty());
    scene.run(1);
    assert_eq!(scene.match_state().phase, MatchPhase::Playing);
    assert_ne!(scene.player_state(0).position, one.position);
    assert_eq!((scene.arena.shots.len(), scene.arena.beams.len()), (2, 2));
}

#[test]
fn a_duel_without_a_sinking_goes_to_the_stronger_ship_and_is_a_draw_between_equals() {
    let mut scene = Scene::new(Mode::Duel, 2);
    scene.until(MatchPhase::Playing);
    scene.run(DUEL_ROUND - 300);
    (scene.player_state(1).hull, scene.player_state(1).calm) = (HULL_MAX - 600, 0);
    scene.until(MatchPhase::Pause);
    assert_eq!((scene.match_state().winner, scene.match_state().teams[0].rounds), (Some(0), 1));
    scene.until(MatchPhase::Playing);
    scene.until(MatchPhase::Pause);
    assert_eq!((scene.match_state().winner, scene.match_state().round), (None, 2));
}

#[test]
fn a_player_who_leaves_a_duel_has_lost_it_and_the_next_opponent_starts_another() {
    let mut scene = Scene::new(Mode::Duel, 2);
    scene.until(MatchPhase::Playing);
    scene.sink(1, 0);
    scene.leave(0);
    scene.run(1);
    assert_eq!((scene.match_state().phase, scene.match_state().winner), (MatchPhase::Results, Some(1)));
    assert_eq!(scene.match_state().teams[0].label, TeamLabel::Player(None));
    scene.join(0);
    assert_eq!(scene.player_state(0).team, Some(0));
    scene.run(5);
    assert_eq!(scene.match_state().teams[0].label, TeamLabel::Player(None), "the results concern the player who left");
    scene.run(DUEL_RESULTS);
    assert_eq!((scene.match_state().phase, scene.match_state().round), (MatchPhase::Countdown, 1));
    assert_eq!(scene.match_state().teams[0].label, TeamLabel::Player(Some(PlayerId(0))));
    scene.leave(1);
    scene.run(DUEL_RESULTS + 2);
    assert_eq!(scene.match_state().phase, MatchPhase::Waiting);
}

#[test]
fn a_player_who_joins_as_another_leaves_a_duel_does_not_take_over_their_match() {
    let mut scene = Scene::new(Mode::Duel, 2);
    scene.until(MatchPhase::Playing);
    scene.leave(0);
    scene.join(0);
    scene.run(1);
    assert_eq!((scene.match_state().phase, scene.match_state().winner), (MatchPhase::Results, Some(1)));
    scene.run(DUEL_RESULTS);
    assert_eq!((scene.match_state().phase, scene.match_state().round), (MatchPhase::Countdown, 1));
}

#[test]
fn a_match_without_players_has_ended_for_the_next_players() {
    let mut scene = Scene::new(Mode::Duel, 2);
    scene.until(MatchPhase::Playing);
    // The room sleeps from here on: it is not stepped until a player joins.
    [0, 1].into_iter().for_each(|player| scene.leave(player));
    scene.join(0);
    scene.run(1);
    assert_eq!(
        (scene.match_state().phase, scene.match_state().winner, scene.match_state().round),
        (MatchPhase::Waiting, None, 0)
    );
}

#[test]
fn a_third_player_in_a_duel_has_no_ship() {
    let mut scene = Scene::new(Mode::Duel, 3);
    scene.run(COUNTDOWN * 2);
    assert_eq!((scene.player_state(2).team, scene.player_state(2).afloat()), (None, false));
    assert_eq!(scene.match_state().phase, MatchPhase::Playing);
}

#[test]
fn teams_fill_evenly_and_are_balanced_only_before_a_match() {
    let mut scene = Scene::new(Mode::Teams, 8);
    assert_eq!(scene.teams(), [4, 4]);
    scene.until(MatchPhase::Playing);
    scene.arena.referee.as_mut().expect("a mode with teams").match_state.teams[0].score = 5;
    scene.join(8);
    assert_eq!(scene.player_state(8).team, Some(1), "to the team that is behind");
    [0, 2, 4].into_iter().for_each(|player| scene.leave(player));
    scene.run(10);
    assert_eq!(scene.teams(), [1, 5], "not during the match");
    scene.leave(6);
    scene.run(1);
    assert_eq!(
        (scene.match_state().phase, scene.match_state().winner),
        (MatchPhase::Results, Some(1)),
        "a team without players has lost"
    );
    scene.run(TEAMS_RESULTS);
    assert_eq!(scene.match_state().phase, MatchPhase::Countdown);
    let mut teams = scene.teams();
    teams.sort_unstable();
    assert_eq!(teams, [2, 3]);
    for own in scene.arena.seats().map(|seat| &seat.own) {
        let own_end = if own.team == Some(0) { -1.0 } else { 1.0 };
        assert!(own.position.x * own_end > 600.0, "{own:?}");
    }
}

#[test]
fn friends_are_not_damaged_and_do_not_stop_shots_at_enemies() {
    let mut scene = Scene::new(Mode::Teams, 4); // 0 and 2 against 1 and 3
    scene.until(MatchPhase::Playing);
    scene.put(0, -600.0, 0.0);
    scene.put(2, -500.0, 0.0);
    scene.put(1, -400.0, 0.0);
    scene.put(3, 0.0, 900.0);
    scene.run(2); // a beam is judged by what its shooter saw
    scene.press(0, ArenaInput::FIRE | ArenaInput::RAIL);
    scene.run(1);
    assert_eq!(scene.player_state(1).hull, HULL_MAX - RAIL_DAMAGE);
    scene.press(0, 0);
    scene.run(30);
    assert_eq!(scene.player_state(1).hull, HULL_MAX - RAIL_DAMAGE - SHOT_DAMAGE);
    assert_eq!(scene.player_state(2).hull, HULL_MAX);
    let mut records = Vec::new();
    scene.arena.replicate(scene.tick, &mut records);
    let kinds: Vec<u8> = records.iter().filter(|(_, r)| fields::is_ship(r.kind)).map(|(_, r)| r.kind).collect();
    assert_eq!(kinds.iter().map(|kind| fields::team_of(*kind)).collect::<Vec<_>>(), [0, 1, 0, 1].map(Some));
}

#[test]
fn sinking_enemies_and_holding_the_zone_alone_score_and_a_contested_zone_does_not() {
    let mut scene = Scene::new(Mode::Teams, 2);
    scene.until(MatchPhase::Playing);
    let scores = |scene: &Scene| scene.match_state().teams.map(|team| team.score);
    scene.sink(1, 0);
    scene.run(1);
    assert_eq!(scores(&scene), [TEAMS_SUNK, 0]);
    scene.run(200);
    scene.put(0, 10.0, 0.0);
    scene.put(1, 0.0, 700.0);
    scene.run(u32::from(ZONE_FULL) + 2);
    let zone = scene.match_state().zone.expect("a mode with a zone");
    assert_eq!((zone.holder, zone.contested), (Some(0), false));
    let before = scores(&scene)[0];
    scene.run(5 * TICK_HZ);
    assert_eq!(scores(&scene), [before + 5, 0]);
    scene.put(1, 100.0, 0.0);
    scene.run(5 * TICK_HZ);
    assert_eq!(scores(&scene), [before + 5, 0]);
    assert!(scene.match_state().zone.expect("a mode with a zone").contested);
}

#[test]
fn a_team_match_is_best_of_three_by_points_and_then_another_starts() {
    let mut scene = Scene::new(Mode::Teams, 2);
    scene.until(MatchPhase::Playing);
    scene.put(1, 0.0, 0.0);
    let goal = scene.match_state().teams[1].goal;
    scene.until(MatchPhase::Pause);
    assert_eq!((scene.match_state().winner, scene.match_state().teams[1].score), (Some(1), goal));
    // No damage during a pause.
    scene.put(0, -100.0, 0.0);
    scene.put(1, 0.0, 0.0);
    scene.press(0, ArenaInput::FIRE | ArenaInput::RAIL);
    scene.run(60);
    scene.press(0, 0);
    assert_eq!(scene.player_state(1).hull, HULL_MAX);
    scene.until(MatchPhase::Playing);
    assert_eq!((scene.match_state().round, scene.match_state().teams[1].score), (2, 0));
    scene.put(1, 0.0, 0.0);
    scene.until(MatchPhase::Results);
    assert_eq!((scene.match_state().winner, scene.match_state().round), (Some(1), 2), "two of three are enough");
    scene.until(MatchPhase::Countdown);
    assert_eq!((scene.match_state().round, scene.match_state().teams[1].rounds), (1, 0));
}

#[test]
fn rocks_are_symmetric_for_both_teams() {
    for mode in [Mode::Teams, Mode::Duel] {
        let arena = Arena::new(&ArenaConfig::default(), mode.id(), 3);
        let rocks = arena.rocks.all();
        assert!(rocks.len() >= 4, "{mode:?}: {}", rocks.len());
        for rock in rocks {
            assert!(rocks.iter().any(|twin| twin.at == -rock.at && twin.radius == rock.radius), "{mode:?}: {rock:?}");
        }
    }
}
