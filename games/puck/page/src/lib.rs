//! Puck's half of its page: a cartridge in the shell `broadside_client`.
//!
//! | module | what it holds |
//! |---|---|
//! | `scene` | what one image shows, from a client or from the match behind the title |
//! | `ice` | the rink without anything that moves |
//! | `bodies` | discs, the puck and its trail |
//! | `effects` | sparks, and the flash of a goal |
//! | `sounds` | how it sounds |
//! | `title` | the match behind the title |

mod bodies;
mod effects;
mod ice;
mod scene;
mod sounds;
mod title;

use broadside_client::words::{say, say_count, say_or, say_with};
use broadside_client::{
    Cartridge, Color, Controls, Cues, Focus, Framing, Image, Page, Pen, Place, Report, Sound, SoundId,
};
use broadside_puck::rules::{GOAL_DEPTH, HALF_LENGTH, HALF_WIDTH};
use broadside_puck::{Bounce, Puck, PuckEvent, PuckInput, TEAMS};
use broadside_shared::client::Client;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};
use glam::Vec2;

use bodies::Trail;
use effects::Effects;
use scene::Scene;
use title::Title;

broadside_client::page!(PuckPage);

/// Beside and above the rink, for goals, and for what the shell shows over the picture.
const MARGIN: Vec2 = Vec2::new(24.0, 125.0);
/// The middle of the picture: the shell shows more above the rink than below.
const MIDDLE: Vec2 = Vec2::new(0.0, -30.0);
/// Gap to the pointer within which the disc follows it more slowly.
const ARRIVE: f32 = 90.0;

/// See the crate.
struct PuckPage {
    scene: Scene,
    trail: Trail,
    effects: Effects,
    /// Kicks and touches of the own disc that were heard.
    heard: Option<(u8, u8)>,
    title: Option<Title>,
}

impl Cartridge for PuckPage {
    type Game = Puck;
    const SOUNDS: &'static [Sound] = &sounds::SOUNDS;
    const FRAMING: Framing =
        Framing::whole(Vec2::new(2.0 * (HALF_LENGTH + GOAL_DEPTH + MARGIN.x), 2.0 * (HALF_WIDTH + MARGIN.y)));
    const BACKGROUND: Color = ice::AROUND;

    fn new(_page: &Page<'_>) -> Result<Self, String> {
        Ok(PuckPage {
            scene: Scene::default(),
            trail: Trail::default(),
            effects: Effects::new(),
            heard: None,
            title: None,
        })
    }

    fn input(&mut self, controls: &Controls) -> PuckInput {
        let keys = controls.direction();
        let to_pointer = controls.pointer.filter(|_| controls.holds(Controls::SECONDARY));
        let push = match to_pointer {
            Some(pointer) if keys == Vec2::ZERO => (pointer - controls.own) / ARRIVE,
            _ => keys,
        };
        PuckInput::new(push, controls.holds(Controls::PRIMARY) || controls.right.is_some())
    }

    fn draw(&mut self, image: &Image<'_, Puck>, pen: &mut Pen<'_>) {
        ice::draw(pen, self.effects.goal());
        self.scene.show(image);
        self.trail.advance(self.scene.puck, pen.dt);
        self.draw_play(pen);
        let status = image.client.match_status();
        if status.is_some_and(|status| status.phase == MatchPhase::Waiting) {
            pen.text(say("alone"), Vec2::new(0.0, HALF_WIDTH * 0.5), 17.0, ice::WORDS);
        }
    }

    fn welcome(name: &str) -> String {
        say_with("welcome", &[("name", name)])
    }

    fn still_clock(&self, image: &Image<'_, Puck>) -> Option<u32> {
        Some(image.client.room_state().left_s.into())
    }

    fn enter(&mut self, place: Place) {
        self.skip();
        self.scene = Scene::default();
        self.heard = None;
        self.title = match place {
            Place::Title { seed } => Some(Title::new(seed)),
            Place::Room => None,
        };
    }

    fn skip(&mut self) {
        self.trail = Trail::default();
        self.effects.clear();
    }

    /// What the own disc does is heard and seen at once: its events arrive a round trip later.
    fn look(&mut self, image: &Image<'_, Puck>, cues: &mut Cues<'_>) {
        self.scene.note_teams(image);
        let Some(own) = image.view.own.as_ref().map(|own| &own.current) else { return };
        let (disc, puck) = (own.disc(), own.play.puck);
        let (kicks, touches) = (disc.kicks, disc.touches);
        let (kicks_heard, touches_heard) = *self.heard.get_or_insert((kicks, touches));
        // A correction may take one back: only newer ones are heard.
        let is_new = |now: u8, heard: u8| (1..128).contains(&now.wrapping_sub(heard));
        if is_new(kicks, kicks_heard) {
            self.kicked(puck.at, cues);
        } else if is_new(touches, touches_heard) {
            cues.play(sounds::TOUCH, puck.at, 0.45);
        }
        self.heard = Some((kicks, touches));
    }

    fn event(&mut self, event: &PuckEvent, image: &Image<'_, Puck>, cues: &mut Cues<'_>) {
        let own = image.own_player();
        match *event {
            PuckEvent::Kick { by, at } if Some(by) != own => self.kicked(at, cues),
            PuckEvent::Bounce { what: Bounce::Disc(by), .. } if Some(by) == own => {}
            PuckEvent::Kick { .. } => {}
            PuckEvent::Bounce { what, at, speed } => self.bounced(what, at, f32::from(speed), cues),
            PuckEvent::Goal { team, by, own_goal } => {
                self.effects.score(team);
                cues.shake(0.5);
                cues.play_here(sounds::HORN, 0.9);
                let name = by.and_then(|by| image.client.name_of(by)).unwrap_or(say("replay.nobody"));
                let mine = own.and_then(|own| self.scene.team_of(own));
                let tone = if mine == Some(team) { "good" } else { "" };
                let text = match (own_goal, by) {
                    (_, None) => {
                        let team = TEAMS[usize::from(team)];
                        say_with("goal.for", &[("team", say_or(&["team.teams.", team].concat(), team))])
                    }
                    (true, Some(_)) => say_with("goal.own", &[("name", name)]),
                    (false, Some(_)) => say_with("goal.by", &[("name", name)]),
                };
                cues.toast(&text, tone);
            }
        }
    }

    /// The camera shows the rink, whole and still.
    fn focus(&self, _image: &Image<'_, Puck>) -> Option<Focus> {
        Some(Focus::at(MIDDLE))
    }

    fn advance_title(&mut self, dt: f32, cues: &mut Cues<'_>) -> Vec2 {
        let Some(title) = &mut self.title else { return MIDDLE };
        for event in title.advance(dt) {
            match event {
                PuckEvent::Kick { at, .. } => self.effects.kick(at),
                PuckEvent::Bounce { at, speed, .. } => self.effects.bounce(at, f32::from(speed)),
                PuckEvent::Goal { team, .. } => {
                    self.effects.score(team);
                    cues.shake(0.2);
                }
            }
        }
        MIDDLE
    }

    fn draw_title(&mut self, pen: &mut Pen<'_>) {
        let Some(title) = &self.title else { return };
        ice::draw(pen, self.effects.goal());
        self.scene.show_title(title.puck());
        self.trail.advance(self.scene.puck, pen.dt);
        self.draw_play(pen);
    }

    fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.scene.team_of(player)
    }

    fn match_note(&self, status: &MatchStatus, image: &Image<'_, Puck>) -> String {
        match status.phase {
            MatchPhase::Waiting => say("match.waiting").to_owned(),
            MatchPhase::Results if status.winner.is_none() => say("rematch.draw").to_owned(),
            MatchPhase::Results => say("rematch").to_owned(),
            _ if image.client.room_state().overtime => say("overtime").to_owned(),
            _ => say_count("goals-win", status.teams.first().map_or(0, |team| team.goal)),
        }
    }

    fn report(&self, client: Option<&Client<Puck>>, report: Report) -> Report {
        let own = client.and_then(Client::local_player);
        let disc = own.map(|own| own.disc());
        let puck = own.map(|own| own.play.puck.at);
        report
            .with("team", disc.map(|disc| f64::from(disc.team)))
            .with("x", disc.map(|disc| f64::from(disc.at.x)))
            .with("y", disc.map(|disc| f64::from(disc.at.y)))
            .with("puckX", puck.map(|at| f64::from(at.x)))
            .with("puckY", puck.map(|at| f64::from(at.y)))
            .with("kicks", disc.map(|disc| f64::from(disc.kicks)))
    }
}

impl PuckPage {
    fn draw_play(&mut self, pen: &mut Pen<'_>) {
        self.trail.draw(pen);
        for body in &self.scene.discs {
            body.draw(pen);
        }
        if let Some((_, at)) = self.scene.puck {
            bodies::draw_puck(pen, at);
        }
        for body in &self.scene.discs {
            body.draw_name(pen);
        }
        self.effects.advance(pen.dt);
        self.effects.draw(pen);
    }

    fn kicked(&mut self, at: Vec2, cues: &mut Cues<'_>) {
        self.effects.kick(at);
        cues.play(sounds::KICK, at, 0.8);
    }

    fn bounced(&mut self, what: Bounce, at: Vec2, speed: f32, cues: &mut Cues<'_>) {
        let gain = (speed / 700.0).clamp(0.1, 1.0);
        let (sound, gain): (SoundId, f32) = match what {
            Bounce::Boards => (sounds::BOARDS, gain * 0.7),
            Bounce::Post => (sounds::POST, gain.max(0.5)),
            Bounce::Disc(_) => (sounds::TOUCH, gain * 0.7),
            Bounce::Discs => (sounds::CLASH, gain * 0.6),
        };
        self.effects.bounce(at, speed);
        cues.play(sound, at, gain);
    }
}
