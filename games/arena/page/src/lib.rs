//! The arena's half of its page: a cartridge in the shell `broadside_client`.
//!
//! | module | what it holds |
//! |---|---|
//! | `stage` | everything that one image shows, as one plain struct |
//! | `live`, `backdrop` | what fills it: the game, or the battle behind the title |
//! | `scene` | from the stage to sprites, for the full renderer |
//! | `shapes`, `shaders/` | what the sprites look like |
//! | `flat` | from the stage to flat shapes, for the simple renderer |
//! | `hulls` | the silhouettes of ships, for both |
//! | `helm` | what keys, mouse and thumbs mean |
//! | `gauges` | hull, shield, powers |
//! | `rivals` | runs, revenge, and what sank the own ship |
//! | `trail` | what the own ship leaves behind |
//! | `rematch` | the button to play again |
//! | `notes` | the line about the zone and the round |
//! | `sounds`, `cues` | how it sounds, and when |

mod backdrop;
mod cues;
mod flat;
mod gauges;
mod helm;
mod hulls;
mod live;
mod notes;
mod rematch;
mod rivals;
mod scene;
mod shapes;
mod sounds;
mod stage;
mod trail;

use broadside_arena::credit::bounty_on;
use broadside_arena::modes::Mode;
use broadside_arena::rules::{SCORE_ASSIST, TICK_HZ, round_ticks};
use broadside_arena::{Arena, ArenaEvent, ArenaInput, ArenaRequest, Craft, LocalPlayerState, Twist};
use broadside_client::words::{say, say_with};
use broadside_client::{
    Cartridge, Color, Controls, Cues, Focus, Framing, Image, Page, Pen, Place, Report, Shaders, Sound, Surface,
};
use broadside_shared::client::Client;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus};
use glam::Vec2;

use backdrop::Backdrop;
use flat::Flat;
use gauges::Gauges;
use rematch::Rematch;
use rivals::{Kill, Rivals, Word};
use scene::{Moment, Names, Scene, paint_named};
use stage::Stage;
use trail::Trail;

broadside_client::page!(ArenaPage);

// A page that plays predicts one ship; only replays step whole worlds.
broadside_client::in_replays! {
    /// Plays a scripted match and gives the world's hash every `every` ticks: native builds give the same numbers.
    #[broadside_client::wasm_bindgen::prelude::wasm_bindgen(wasm_bindgen = broadside_client::wasm_bindgen)]
    #[must_use]
    pub fn world_hashes(seed: u64, ticks: u32, every: u32) -> Vec<u64> {
        broadside_arena::script::world_hashes(seed, ticks, every.max(1))
    }
}

/// See the crate.
struct ArenaPage {
    stage: Stage,
    scene: Scene,
    /// `None` until the simple renderer draws.
    flat: Option<Flat>,
    backdrop: Option<Backdrop>,
    gauges: Gauges,
    /// Where the own ship's bow last pointed, in radians, and whether its main engine burns.
    heading: f32,
    burning: bool,
    /// Whether the button of the boost is down.
    boosting: bool,
    sunk_by: String,
    rivals: Rivals,
    paint: Option<Color>,
    trail: Trail,
    /// The craft that the player wants, and the one that this room was asked for.
    craft: Craft,
    asked: Option<Craft>,
    /// The twist of this room, once it was announced to the player.
    announced: Twist,
    rematch: Rematch,
}

impl Cartridge for ArenaPage {
    type Game = Arena;
    const SOUNDS: &'static [Sound] = &sounds::SOUNDS;
    // Less than a client knows, because ships must not be too small.
    const FRAMING: Framing =
        Framing { shown: Vec2::new(1440.0, 900.0), lead: Vec2::new(120.0, 80.0), shake: 13.0, whole: false };
    const BACKGROUND: Color = flat::SPACE;
    const CHOICES: &'static [&'static str] = &["craft", "paint", "trail"];

    fn new(page: &Page<'_>) -> Result<Self, String> {
        Ok(ArenaPage {
            stage: Stage::default(),
            scene: Scene::new(),
            flat: None,
            backdrop: None,
            gauges: Gauges::new(page)?,
            heading: 0.0,
            burning: false,
            boosting: false,
            sunk_by: String::new(),
            rivals: Rivals::default(),
            paint: None,
            trail: Trail::default(),
            craft: Craft::default(),
            asked: None,
            announced: Twist::None,
            rematch: Rematch::new(page)?,
        })
    }

    fn input(&mut self, controls: &Controls) -> ArenaInput {
        let input = helm::input(controls, self.heading);
        self.burning = input.has(ArenaInput::THRUST);
        self.boosting = input.has(ArenaInput::BOOST);
        self.rematch.hold(controls.holds(helm::AGAIN));
        input
    }

    fn poll_request(&mut self) -> Option<ArenaRequest> {
        if self.rematch.poll() {
            return Some(ArenaRequest::Rematch);
        }
        if self.asked == Some(self.craft) {
            return None;
        }
        self.asked = Some(self.craft);
        Some(ArenaRequest::Fly(self.craft))
    }

    fn press(&mut self, act: &str) {
        if act == "rematch" {
            self.rematch.ask();
        }
    }

    fn key(code: &str) -> u32 {
        helm::key(code)
    }

    fn gamepad_button(number: u32) -> u32 {
        helm::gamepad_button(number)
    }

    fn shaders() -> Shaders {
        shapes::shaders()
    }

    fn welcome(name: &str) -> String {
        say_with("welcome", &[("name", name)])
    }

    fn news(own: &LocalPlayerState) -> Option<&'static str> {
        // Before the first ship, nothing has sunk.
        (!own.afloat() && own.deaths > 0).then(|| say("ship.sunk"))
    }

    fn summary(mode: &str, day: u32) -> Option<&'static str> {
        (mode == "daily").then(|| twist_words(Twist::of_day(day)))
    }

    fn score(own: &LocalPlayerState) -> Option<i32> {
        Some(own.score)
    }

    fn still_clock(&self, image: &Image<'_, Arena>) -> Option<u32> {
        image.client.mode().map(|mode| round_ticks(Mode::of(mode)) / TICK_HZ)
    }

    fn enter(&mut self, place: Place) {
        self.skip();
        self.stage = Stage::default();
        self.gauges.reset();
        (self.asked, self.announced) = (None, Twist::None);
        self.sunk_by.clear();
        self.rivals.clear();
        self.backdrop = match place {
            Place::Title { seed } => Some(Backdrop::new(seed)),
            Place::Room => None,
        };
    }

    fn skip(&mut self) {
        self.scene.clear();
        if let Some(flat) = &mut self.flat {
            flat.clear();
        }
    }

    fn look(&mut self, image: &Image<'_, Arena>, cues: &mut Cues<'_>) {
        let (client, stage) = (image.client, &mut self.stage);
        let before = stage.edge;
        live::fill(image.view, (self.burning, self.boosting), stage);
        match &image.view.own {
            Some(own) => {
                let status = client.match_status();
                let between_rounds =
                    status.is_some_and(|c| Mode::of(c.mode) == Mode::Duel && c.phase != MatchPhase::Waiting);
                self.heading = live::own_pose(image.view).1;
                self.gauges.show(&own.current, &self.sunk_by, between_rounds);
                if own.current.twist != self.announced {
                    self.announced = own.current.twist;
                    cues.toast(twist_words(self.announced), "");
                }
            }
            None => stage.edge = live::spectator_edge(before, client.extent(), image.dt),
        }
        stage.followed = image.followed().map(|player| player.0);
        stage.away = live::away(stage, |player| client.is_away(player));
        stage.paint = self.paint;
        stage.trail = self.trail;
        stage.nemesis = self.rivals.nemesis();
        let mode = client.mode().map_or(Mode::Open, Mode::of);
        stage.bounty = bounty_on(mode, client.board()).map(|player| player.0);
        stage.ghost = image.authority.and_then(live::own_look);
        stage.record_teams();
        stage.zone = client.room_state().zone.as_ref().map(|zone| live::zone_look(zone, image.view.tick));
        self.rematch.show(client.match_status().filter(|_| !image.spectating), client.room_state().again);
        stage.add_shot_effects();
        cues::play(stage, 0, cues);
        cues::drive(stage, cues);
    }

    fn event(&mut self, event: &ArenaEvent, image: &Image<'_, Arena>, cues: &mut Cues<'_>) {
        let first = self.stage.effects.len();
        live::add_effect(event, &mut self.stage);
        cues::play(&self.stage, first, cues);
        let name = |player: u16| image.client.name_of(PlayerId(player)).unwrap_or(say("someone")).to_owned();
        match *event {
            ArenaEvent::KillFeed { victim, by, cause, bounty } => {
                let own = image.own_player().map(|own| own.0);
                let wreck = image.view.own.as_ref().map(|own| own.current.position);
                let at = self.stage.ship_of(victim.0).map(|ship| ship.at).or(wreck.filter(|_| own == Some(victim.0)));
                let from = by.and_then(|by| self.stage.ship_of(by.0)).map(|ship| ship.at);
                let distance = at.zip(from).map(|(at, from)| at.distance(from));
                let kill = Kill { victim: victim.0, by: by.map(|by| by.0), cause, bounty, distance };
                let Some(word) = self.rivals.take(kill, own, name) else { return };
                self.tell(word, cues);
            }
            ArenaEvent::Assisted { victim } => {
                cues.toast(
                    &say_with("ship.assist", &[("name", &name(victim.0)), ("points", &SCORE_ASSIST.to_string())]),
                    "good",
                );
                cues.play_here(sounds::KILL, 0.25);
            }
            _ => {}
        }
    }

    fn own_at(&self, image: &Image<'_, Arena>) -> Option<Vec2> {
        image.view.own.as_ref().map(|_| live::own_pose(image.view).0)
    }

    fn focus(&self, image: &Image<'_, Arena>) -> Option<Focus> {
        if let Some(followed) = self.stage.followed {
            return self.stage.ship_of(followed).map(|ship| Focus { at: ship.at, velocity: ship.velocity });
        }
        let own = image.view.own.as_ref()?;
        Some(Focus { at: self.own_at(image)?, velocity: own.current.velocity })
    }

    fn draw(&mut self, image: &Image<'_, Arena>, pen: &mut Pen<'_>) {
        self.draw_stage(pen, &|player| image.client.name_of(PlayerId(player)));
    }

    fn advance_title(&mut self, dt: f32, cues: &mut Cues<'_>) -> Vec2 {
        let Some(backdrop) = &mut self.backdrop else { return Vec2::ZERO };
        backdrop.show(dt, &mut self.stage);
        cues::play(&self.stage, 0, cues);
        cues::drive(&self.stage, cues);
        backdrop.focus
    }

    fn draw_title(&mut self, pen: &mut Pen<'_>) {
        self.draw_stage(pen, &|_| None);
    }

    fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.stage.team_of(player.0)
    }

    fn match_note(&self, match_status: &MatchStatus, image: &Image<'_, Arena>) -> String {
        notes::note(match_status, image.client.room_state().zone.as_ref(), self.stage.own_team())
    }

    fn choose(&mut self, what: &str, name: &str) {
        match what {
            "craft" => self.craft = Craft::named(name),
            "trail" => self.trail = Trail::named(name),
            _ => self.paint = paint_named(name),
        }
    }

    fn report(&self, client: Option<&Client<Arena>>, report: Report) -> Report {
        let own = client.and_then(|client| client.local_player()).filter(|own| own.afloat());
        let ship = own.map(|own| {
            let (heading, hull) = (own.heading_radians(), own.hull_points());
            place(own.position)
                .with("heading", heading)
                .with("hull", hull)
                .with("craft", own.spec().name)
                .with("twist", own.twist.name())
        });
        let me = client.and_then(|client| client.player());
        let others = self.stage.ships.iter().filter(|ship| me.is_some_and(|me| me.0 != ship.player));
        let others = others.map(|ship| {
            let name = client.and_then(|client| client.name_of(PlayerId(ship.player))).unwrap_or_default();
            place(ship.at)
                .with("id", ship.id)
                .with("player", ship.player)
                .with("craft", ship.craft.spec().name)
                .with("name", name)
        });
        report.with("ship", ship).with_all("others", others)
    }
}

impl ArenaPage {
    fn tell(&mut self, word: Word, cues: &mut Cues<'_>) {
        match word {
            Word::Sunk(how) => self.sunk_by = how,
            Word::Won(text) | Word::Revenge(text) => {
                cues.toast(&text, "kill");
                cues.play_here(sounds::KILL, 0.5);
            }
            Word::News(text) => cues.toast(&text, ""),
        }
    }

    fn draw_stage(&mut self, pen: &mut Pen<'_>, names: Names<'_>) {
        let moment = Moment::of(pen);
        match &mut pen.surface {
            Surface::Full(full) => self.scene.show(&self.stage, moment, names, full),
            Surface::Simple(flat_pen) => {
                if self.flat.is_none() {
                    self.flat = Flat::new();
                }
                if let Some(flat) = &mut self.flat {
                    flat.draw(&self.stage, moment, names, flat_pen);
                }
            }
        }
        // They are shown once, however often the same picture is drawn.
        self.stage.effects.clear();
    }
}

/// What is different today.
fn twist_words(twist: Twist) -> &'static str {
    match twist {
        Twist::None => "",
        Twist::Drift => say("twist.drift"),
        Twist::BigRocks => say("twist.big-rocks"),
        Twist::OneHit => say("twist.one-hit"),
    }
}

fn place(at: Vec2) -> Report {
    Report::new().with("x", at.x).with("y", at.y)
}
