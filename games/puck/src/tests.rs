//! Matches in small scenes with stated outcomes.

use arrayvec::ArrayVec;
use broadside_shared::game::{AddressedEvent, Game, MatchState, PlayerInput};
use broadside_shared::history::History;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::input::GameInput;
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::replication::bits::{BitReader, BitWriter};
use broadside_shared::time::{Tick, ViewTime};
use glam::Vec2;

use crate::ai::{Ai, Seen};
use crate::rules::{
    COUNTDOWN, COUNTDOWN_SHORT, DESERTED, DISC, HALF_LENGTH, KICK, PAUSE, PLAYERS_MAX, PUCK, RESULTS, TICK_HZ,
};
use crate::{DUEL, DiscView, Puck, PuckConfig, PuckEvent, PuckInput, TEAMS_MODE, own};

const PAIRS: ModeId = ModeId(1);

/// A match whose players follow the test.
struct Scene {
    puck: Puck,
    tick: Tick,
    inputs: Vec<PlayerInput<PuckInput>>,
    events: Vec<AddressedEvent<PuckEvent>>,
}

impl Scene {
    fn new(mode: ModeId, players: u16) -> Scene {
        let puck = Puck::new(&PuckConfig::default(), mode, 1);
        let mut scene = Scene { puck, tick: Tick(0), inputs: Vec::new(), events: Vec::new() };
        (0..players).for_each(|player| scene.join(player));
        scene
    }

    /// A match that is being played, with the puck at rest in the middle.
    fn playing(mode: ModeId, players: u16) -> Scene {
        let mut scene = Scene::new(mode, players);
        scene.run(COUNTDOWN + 1);
        assert_eq!(scene.state().phase, MatchPhase::Playing);
        scene
    }

    fn join(&mut self, player: u16) {
        let player = PlayerId(player);
        self.puck.join(player, self.tick.after(1), &mut self.events);
        let at = self.inputs.partition_point(|input| input.player < player);
        self.inputs.insert(at, PlayerInput { player, input: PuckInput::default(), view: ViewTime::default() });
    }

    fn leave(&mut self, player: u16) {
        self.puck.leave(PlayerId(player), self.tick.after(1), &mut self.events);
        self.inputs.retain(|input| input.player.0 != player);
    }

    fn run(&mut self, ticks: u32) {
        for _ in 0..ticks {
            self.tick = self.tick.after(1);
            self.puck.step(self.tick, &self.inputs, &History::default(), &mut self.events);
        }
    }

    fn state(&self) -> MatchState {
        self.puck.match_state().expect("every mode has matches")
    }

    fn goals(&self) -> [u32; 2] {
        let teams = self.state().teams;
        [teams[0].score, teams[1].score]
    }

    /// Shoots the puck into the goal that `team` attacks, and waits for the next kick-off.
    fn goal(&mut self, team: u8) {
        let toward = if team == 0 { 1.0 } else { -1.0 };
        let puck = &mut self.puck.play_mut().puck;
        (puck.at, puck.velocity) = (Vec2::new(toward * (HALF_LENGTH - 30.0), 40.0), Vec2::X * toward * KICK);
        self.run(6);
    }

    /// Sets the time that is left.
    fn run_out(&mut self) {
        let left = self.state().ends.expect("a clock").since(self.tick);
        self.run(left);
    }

    fn all_seen(&self) -> ArrayVec<DiscView, PLAYERS_MAX> {
        self.puck.play().discs.iter().map(DiscView::from).collect()
    }

    /// Plays with these AIs, each with the number of its player, until the match is over.
    fn play_match(&mut self, ais: &mut [(u16, Ai)]) -> Option<u8> {
        for _ in 0..(TICK_HZ * 60 * 8) {
            let discs = self.all_seen();
            for (player, ai) in &mut *ais {
                let player = PlayerId(*player);
                let own = self.puck.player_state(player).expect("seated");
                let input = ai.think(&Seen { tick: self.tick.after(1), own, discs: &discs });
                let of = self.inputs.iter_mut().find(|input| input.player == player);
                of.expect("seated").input = input;
            }
            self.run(1);
            if self.state().phase == MatchPhase::Results {
                return self.state().winner;
            }
        }
        panic!("a match ends within eight minutes: {:?}", self.state());
    }
}

#[test]
fn a_goal_counts_for_its_scorer_and_those_who_conceded_are_nearer_to_the_puck() {
    let mut scene = Scene::playing(DUEL, 2);
    let play = scene.puck.play_mut();
    play.puck.at = Vec2::new(HALF_LENGTH - 200.0, 20.0);
    play.discs[0].at = play.puck.at - Vec2::X * (DISC + PUCK + 2.0);
    scene.inputs[0].input = PuckInput::new(Vec2::X, true);
    scene.run(40);
    assert_eq!(scene.goals(), [1, 0]);
    assert_eq!(scene.state().phase, MatchPhase::Pause);
    let goal = PuckEvent::Goal { team: 0, by: Some(PlayerId(0)), own_goal: false };
    assert_eq!(scene.events.iter().filter(|event| event.event == goal).count(), 1);
    let mut standings = Vec::new();
    scene.puck.standings(&mut standings);
    assert_eq!((standings[0].player, standings[0].score), (PlayerId(0), 1));
    scene.inputs[0].input = PuckInput::default();
    scene.run(PAUSE);
    assert_eq!(scene.state().phase, MatchPhase::Countdown);
    assert!((178..=180).contains(&scene.puck.room_state().left_s), "{:?}", scene.puck.room_state());
    assert!(scene.puck.play().puck.at.x > 0.0, "the right team conceded");
    // Nobody moves before the kick-off, and the clock stood since the goal.
    scene.inputs[1].input = PuckInput::new(-Vec2::X, false);
    let before = scene.puck.play().discs[1].at;
    scene.run(COUNTDOWN_SHORT - 41);
    assert_eq!(scene.puck.play().discs[1].at, before);
    scene.run(60);
    assert!(scene.puck.play().discs[1].at.x < before.x);
    let left = scene.state().ends.expect("a clock").since(scene.tick);
    assert!((180 * TICK_HZ - left) < 70, "{left}");
}

#[test]
fn five_goals_win_and_the_rematch_starts_by_itself() {
    let mut scene = Scene::playing(PAIRS, 4);
    for goal in 1..=5 {
        scene.goal(1);
        assert_eq!(scene.goals(), [0, goal]);
        if goal < 5 {
            scene.run(PAUSE + COUNTDOWN_SHORT);
        }
    }
    assert_eq!((scene.state().phase, scene.state().winner), (MatchPhase::Results, Some(1)));
    scene.goal(0);
    assert_eq!(scene.goals(), [0, 5], "after the end no goal counts");
    scene.run(RESULTS);
    assert_eq!((scene.state().phase, scene.goals()), (MatchPhase::Countdown, [0, 0]));
}

#[test]
fn an_equal_score_leads_to_overtime_where_the_next_goal_wins() {
    let mut scene = Scene::playing(DUEL, 2);
    scene.run_out();
    assert!(scene.puck.room_state().overtime);
    assert_eq!((scene.state().phase, scene.state().teams[0].goal), (MatchPhase::Countdown, 1));
    scene.run(COUNTDOWN);
    scene.goal(0);
    assert_eq!((scene.state().phase, scene.state().winner), (MatchPhase::Results, Some(0)));
}

#[test]
fn overtime_without_a_goal_is_a_draw() {
    let mut scene = Scene::playing(DUEL, 2);
    scene.run_out();
    scene.run(COUNTDOWN);
    scene.run_out();
    assert_eq!((scene.state().phase, scene.state().winner), (MatchPhase::Results, None));
    scene.run(RESULTS);
    assert!(!scene.puck.room_state().overtime);
}

#[test]
fn a_deserted_match_is_forfeit_unless_somebody_takes_over() {
    let mut scene = Scene::playing(DUEL, 2);
    scene.goal(0);
    scene.leave(1);
    scene.run(DESERTED / 2);
    assert_eq!(scene.goals(), [1, 0]);
    scene.join(1);
    scene.run(1);
    assert_eq!((scene.state().phase, scene.goals()), (MatchPhase::Waiting, [0, 0]), "a match of its own");
    scene.run(1);
    assert_eq!(scene.state().phase, MatchPhase::Countdown);
    scene.leave(1);
    scene.join(1);
    scene.run(1);
    assert_eq!(scene.state().phase, MatchPhase::Waiting, "also if they come as the other one leaves");
    scene.run(1);
    scene.leave(1);
    scene.run(DESERTED + 1);
    assert_eq!((scene.state().phase, scene.state().winner), (MatchPhase::Results, Some(0)));
    scene.run(RESULTS);
    assert_eq!(scene.state().phase, MatchPhase::Waiting);
    // Alone, a player practises: goals bring the puck back and count for nothing.
    scene.goal(0);
    assert_eq!((scene.goals(), scene.puck.play().puck.at), ([0, 0], Vec2::ZERO));
}

#[test]
fn teams_are_even_when_a_match_starts() {
    let mut scene = Scene::new(TEAMS_MODE, 6);
    // Those of the right team leave.
    [1, 3, 5].into_iter().for_each(|player| scene.leave(player));
    scene.run(DESERTED + RESULTS);
    scene.join(7);
    scene.run(1);
    let state = scene.state();
    assert_eq!((state.teams[0].players, state.teams[1].players), (2, 2));
}

#[test]
fn prediction_is_authority_while_nobody_else_interferes() {
    let mut scene = Scene::new(TEAMS_MODE, 1);
    let state = |scene: &Scene| scene.puck.player_state(PlayerId(0)).expect("seated").clone();
    let mut own = state(&scene);
    let mut rng = fastrand::Rng::with_seed(5);
    for tick in 0..4_000 {
        if tick % 20 == 0 {
            let toward = (own.play.puck.at - own.disc().at).normalize_or_zero();
            let push = toward + Vec2::new(rng.f32() - 0.5, rng.f32() - 0.5);
            scene.inputs[0].input = PuckInput::new(push, rng.bool());
        }
        scene.run(1);
        Puck::predict(&mut own, &scene.inputs[0].input, scene.tick, &(), &mut Vec::new());
        if own.play.puck.id != scene.puck.play().puck.id {
            // A goal, which prediction leaves to the server.
            own = state(&scene);
        }
        assert_eq!(own, state(&scene), "tick {tick}");
    }
    assert!(own.disc().kicks > 10, "{}", own.disc().kicks);
}

#[test]
fn a_scrum_is_predicted_while_the_others_go_on_as_they_did() {
    let mut scene = Scene::playing(PAIRS, 4);
    let play = scene.puck.play_mut();
    play.discs[0].at = Vec2::new(-70.0, 20.0);
    play.discs[1].at = Vec2::new(70.0, -10.0);
    for (input, disc) in scene.inputs.iter_mut().zip(&scene.puck.play().discs) {
        input.input = PuckInput::new(-disc.at, false);
    }
    scene.run(2);
    let mut own = scene.puck.player_state(PlayerId(0)).expect("seated").clone();
    for _ in 0..25 {
        scene.run(1);
        Puck::predict(&mut own, &scene.inputs[0].input, scene.tick, &(), &mut Vec::new());
    }
    let truth = scene.puck.player_state(PlayerId(0)).expect("seated");
    assert!(truth.disc().bumps > 0, "they met");
    assert_eq!((own.disc(), own.play.puck), (truth.disc(), truth.play.puck));
}

#[test]
fn an_ai_beats_a_team_that_stands_still() {
    let mut scene = Scene::new(DUEL, 2);
    assert_eq!(scene.play_match(&mut [(1, Ai::new(1, 0.5))]), Some(1));
}

#[test]
fn a_better_ai_scores_more() {
    let goals = (0..6).map(|seed| {
        let mut scene = Scene::new(DUEL, 2);
        scene.play_match(&mut [(0, Ai::new(seed, 0.9)), (1, Ai::new(seed + 50, 0.1))]);
        scene.goals()
    });
    let sum = goals.fold([0, 0], |sum, goals| [sum[0] + goals[0], sum[1] + goals[1]]);
    assert!(sum[0] > sum[1] + 6, "{sum:?}");
}

#[test]
fn equal_seeds_make_equal_matches() {
    let run = |skill: f32| {
        let mut scene = Scene::new(TEAMS_MODE, 6);
        let mut ais: Vec<_> = (0..6).map(|player| (player, Ai::new(player.into(), skill))).collect();
        scene.play_match(&mut ais);
        (scene.puck.hash(), scene.tick, scene.goals())
    };
    assert_eq!(run(0.7), run(0.7));
    assert_ne!(run(0.7), run(0.6));
}

#[test]
fn state_input_and_event_have_these_bytes() {
    let mut scene = Scene::playing(DUEL, 2);
    scene.inputs[0].input = PuckInput::new(Vec2::new(1.0, -0.4), true);
    scene.run(3);
    let state = scene.puck.player_state(PlayerId(0)).expect("seated");
    let bytes = |write: &dyn Fn(&mut BitWriter)| {
        let mut bytes = Vec::new();
        let mut out = BitWriter::new(&mut bytes);
        write(&mut out);
        out.finish();
        bytes
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written = bytes(&|out| Puck::write_player_state(state, out));
    assert_eq!(own::read(&mut BitReader::new(&written)).as_ref(), Ok(state));
    assert_eq!(
        hex(&written),
        "0000a000000000000000000000000000000000004000800100b78bc06160aca35f47b12aa16173dbe09e02000000100012000000080e01\
         0000000000000000000000bc0700000000"
    );
    assert_eq!(hex(&bytes(&|out| scene.inputs[0].input.write(out))), "3d05");
    let goal = PuckEvent::Goal { team: 1, by: Some(PlayerId(3)), own_goal: false };
    assert_eq!(hex(&bytes(&|out| Puck::write_event(&goal, out))), "0201010300");
}

#[test]
fn bytes_of_a_state_without_the_own_disc_are_refused() {
    let zeros = [0u8; 64];
    assert!(own::read(&mut BitReader::new(&zeros)).is_err());
    let input = PuckInput::read(&mut BitReader::new(&[0xff, 0xff]));
    assert!(input.is_err(), "{input:?}");
}

#[test]
fn a_saved_world_goes_on_as_it_would_have() {
    broadside_shared::trial::assert_saved_worlds_go_on::<Puck>();
}
