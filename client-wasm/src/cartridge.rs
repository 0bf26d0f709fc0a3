//! [`Cartridge`]: what a game puts into the shell to have a page of its own.

use broadside_shared::client::{Client, View};
use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::MatchStatus;
use glam::Vec2;

use crate::camera::{Camera, Framing};
use crate::color::Color;
use crate::gl::Shaders;
use crate::hud::dom::Page;
use crate::hud::match_status;
use crate::hud::play::Play;
use crate::input::controls::Controls;
use crate::pen::Pen;
use crate::probe::Report;
use crate::sound::{Sound, SoundId, Sounds};
use crate::words::say_with;

/// A game's half of the page: what to draw, what a key means, and what else the shell cannot know.
///
/// Title, lobby, chat, scores, match, sound, devices, and the connection are the shell's. Two functions are enough:
///
/// ```
/// use broadside_client::{Cartridge, Color, Controls, Image, Page, Pen};
/// use broadside_shared::toy::{Push, Toy};
/// use glam::Vec2;
///
/// struct ToyPage;
///
/// impl Cartridge for ToyPage {
///     type Game = Toy;
///
///     fn new(_page: &Page<'_>) -> Result<Self, String> {
///         Ok(ToyPage)
///     }
///
///     fn input(&mut self, controls: &Controls) -> Push {
///         let way = controls.direction().round();
///         Push(way.x as i8, way.y as i8)
///     }
///
///     fn draw(&mut self, image: &Image<'_, Toy>, pen: &mut Pen<'_>) {
///         for entity in &image.view.entities {
///             let [x, y, ..] = entity.values;
///             pen.disc(Vec2::new(x, y), 8.0, Color::WHITE);
///         }
///         if let Some(at) = image.own_at() {
///             pen.disc(at, 8.0, Color::OWN);
///         }
///     }
/// }
/// ```
///
/// In the page's crate, `broadside_client::page!(ToyPage);` makes it the program that the browser loads.
pub trait Cartridge: Sized + 'static {
    /// The game.
    type Game: Game;
    /// What players are called who chose no name; a number follows. The text `guest` of the game's tables goes before it.
    const GUEST: &'static str = "Player";
    /// The word at the start of a round. The text `go` of the game's tables goes before it.
    const GO: &'static str = "go";
    /// The game's sounds, beside those of the shell.
    const SOUNDS: &'static [Sound] = &[];
    /// How much of the world a picture shows.
    const FRAMING: Framing = Framing::follow(<Self::Game as Game>::VIEW);
    /// The color behind everything.
    const BACKGROUND: Color = Color::hex(0x05_0812);
    /// What players choose about themselves, such as `paint`: the names of the settings that [`Cartridge::choose`] receives. The choices
    /// are texts of the game's tables such as `paint.coral`, or buttons of the page in a `data-set="paint"`.
    const CHOICES: &'static [&'static str] = &[];

    /// Finds the game's own elements of the page. Called once.
    ///
    /// # Errors
    /// One is missing: page and module are of different builds.
    fn new(page: &Page<'_>) -> Result<Self, String>;

    /// The input for what the player asks for. Called about once per tick, and for each image.
    fn input(&mut self, controls: &Controls) -> <Self::Game as Game>::Input;

    /// What the player asks the game for beside inputs, such as buying an item: polled with every image while the player plays,
    /// until there is none. A refusal is shown in the words of [`Game::REFUSALS`].
    fn poll_request(&mut self) -> Option<<Self::Game as Game>::Request> {
        None
    }

    /// A button of the game's own elements was pressed that has this `data-act`.
    fn press(&mut self, _act: &str) {}

    /// Draws the world.
    fn draw(&mut self, image: &Image<'_, Self::Game>, pen: &mut Pen<'_>);

    /// The bits of a key in [`Controls::held`] by the browser's name for its position, such as `KeyW`; 0 for keys without a meaning.
    /// The shell keeps Enter, Escape, Tab, H, M, N, F3 and F4.
    #[must_use]
    fn key(code: &str) -> u32 {
        Controls::usual_key(code)
    }

    /// The bits of a gamepad's button in [`Controls::held`] by its number in the browser's standard mapping, such as 7 for the right
    /// trigger; 0 for buttons without a meaning. The sticks are [`Controls::left`] and [`Controls::right`]; the shell keeps Back (8) and Start (9).
    #[must_use]
    fn gamepad_button(number: u32) -> u32 {
        Controls::usual_gamepad_button(number)
    }

    /// What the game adds to the full renderer.
    #[must_use]
    fn shaders() -> Shaders {
        Shaders::default()
    }

    /// The first words to a player in a room.
    #[must_use]
    fn welcome(name: &str) -> String {
        say_with("welcome", &[("name", name)])
    }

    /// A word or two about the own player for the title of a tab that is in the background, such as "sunk"; `None` if all is well.
    #[must_use]
    fn news(_own: &<Self::Game as Game>::LocalPlayerState) -> Option<&'static str> {
        None
    }

    /// What the card of a mode says in place of its summary, on a day counted from the first of 1970 in UTC.
    #[must_use]
    fn summary(_mode: &str, _day: u32) -> Option<&'static str> {
        None
    }

    /// The player's score, if their own state knows it sooner than the standings.
    #[must_use]
    fn score(_own: &<Self::Game as Game>::LocalPlayerState) -> Option<i32> {
        None
    }

    /// The seconds that the clock of a match shows while it stands still, such as before a round.
    #[must_use]
    fn still_clock(&self, _image: &Image<'_, Self::Game>) -> Option<u32> {
        None
    }

    /// The picture shows another world from now on: forget the one before.
    fn enter(&mut self, _place: Place) {}

    /// Time has jumped: what flies about belongs to the past.
    fn skip(&mut self) {}

    /// Takes a look at the world before it is drawn: once per image, before its events and before the camera moves. For the game's
    /// own elements of the page, and for sounds of what events do not tell.
    fn look(&mut self, _image: &Image<'_, Self::Game>, _cues: &mut Cues<'_>) {}

    /// Takes an event, when the picture reaches it.
    fn event(&mut self, _event: &<Self::Game as Game>::Event, _image: &Image<'_, Self::Game>, _cues: &mut Cues<'_>) {}

    /// Where the own player is drawn: what the player aims from, and where the camera looks.
    #[must_use]
    fn own_at(&self, image: &Image<'_, Self::Game>) -> Option<Vec2> {
        image.own_at()
    }

    /// Where the camera looks; `None` leaves it where it is.
    #[must_use]
    fn focus(&self, image: &Image<'_, Self::Game>) -> Option<Focus> {
        self.own_at(image).map(Focus::at)
    }

    /// Lets `dt` seconds pass behind the title, and says where its camera looks.
    fn advance_title(&mut self, _dt: f32, _cues: &mut Cues<'_>) -> Vec2 {
        Vec2::ZERO
    }

    /// Draws what is behind the title.
    fn draw_title(&mut self, _pen: &mut Pen<'_>) {}

    /// The team of a player, for the colors of names.
    #[must_use]
    fn team_of(&self, _player: PlayerId) -> Option<u8> {
        None
    }

    /// The line below the score of a match.
    #[must_use]
    fn match_note(&self, match_status: &MatchStatus, _image: &Image<'_, Self::Game>) -> String {
        match_status::match_note(match_status)
    }

    /// What the player has chosen of one of [`Cartridge::CHOICES`]; empty or `usual` for the usual. Only this page knows it: what
    /// others are to see goes to the game, as by [`Cartridge::poll_request`].
    fn choose(&mut self, _what: &str, _name: &str) {}

    /// Adds to what `window.broadside.state()` tells tests and developers.
    #[must_use]
    fn report(&self, _client: Option<&Client<Self::Game>>, report: Report) -> Report {
        report
    }
}

/// Which world the picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one behind the title; every visit has another seed.
    Title {
        /// A random number.
        seed: u64,
    },
    /// That of a room, or of a recorded match.
    Room,
}

/// Where the camera looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Focus {
    /// World units.
    pub at: Vec2,
    /// World units per second; the camera looks ahead.
    pub velocity: Vec2,
}

impl Focus {
    /// A place that does not move.
    #[must_use]
    pub fn at(at: Vec2) -> Focus {
        Focus { at, velocity: Vec2::ZERO }
    }
}

/// What there is to draw in one image.
pub struct Image<'a, G: Game> {
    /// The session: room, names, standings, match.
    pub client: &'a Client<G>,
    /// The world.
    pub view: &'a View<G>,
    /// Whether this is a spectator's.
    pub spectating: bool,
    /// The own state as the server last sent it, while the network lab compares it with the prediction.
    pub authority: Option<&'a G::LocalPlayerState>,
    /// Seconds since the previous image.
    pub dt: f32,
}

impl<G: Game> Image<'_, G> {
    /// The own player; `None` for a spectator.
    #[must_use]
    pub fn own_player(&self) -> Option<PlayerId> {
        self.client.player().filter(|_| !self.spectating)
    }

    /// The player whom a spectator follows.
    #[must_use]
    pub fn followed(&self) -> Option<PlayerId> {
        self.client.following().filter(|_| self.spectating)
    }

    /// Where to draw the own player, by [`Game::focus`]: between two ticks, with the rest of past corrections. `None` without one.
    #[must_use]
    pub fn own_at(&self) -> Option<Vec2> {
        let own = self.view.own.as_ref()?;
        Some(G::focus(&own.previous).lerp(G::focus(&own.current), own.alpha) + own.offset)
    }
}

/// What a cartridge sets off beside the picture.
pub struct Cues<'a> {
    pub(crate) sounds: &'a mut Sounds,
    pub(crate) camera: &'a mut Camera,
    pub(crate) play: &'a mut Play,
    pub(crate) rumble: &'a mut f32,
}

impl Cues<'_> {
    /// Plays a sound at a place, with a volume of 0..=1.
    pub fn play(&mut self, sound: SoundId, at: Vec2, gain: f32) {
        self.sounds.play(sound, at, gain, false);
    }

    /// Plays a sound at a place behind an obstacle: darker and quieter.
    pub fn play_muffled(&mut self, sound: SoundId, at: Vec2, gain: f32) {
        self.sounds.play(sound, at, gain, true);
    }

    /// Plays a sound that does not depend on a place.
    pub fn play_here(&mut self, sound: SoundId, gain: f32) {
        self.sounds.play(sound, self.camera.at, gain, false);
    }

    /// Sets volume and speed of a [looped sound](Sound::looped).
    pub fn drive(&mut self, sound: SoundId, gain: f32, rate: f32) {
        self.sounds.drive(sound, gain, rate);
    }

    /// Says how much goes on, 0..=1: the score gets denser with it at once, and calms down slowly.
    pub fn tension(&mut self, tension: f32) {
        self.sounds.tension(tension);
    }

    /// Lowers loops and score for a moment, so that a loud sound stands out.
    pub fn duck(&mut self) {
        self.sounds.duck();
    }

    /// Shakes the camera, 0..=1; the sum of all shakes is at most 1.
    pub fn shake(&mut self, strength: f32) {
        self.camera.shake(strength);
    }

    /// Lets the gamepad rumble, 0..=1: for what the player feels, such as a hit. The strongest of an image counts. Nothing happens
    /// without a gamepad, for spectators, or where reduced motion is asked for.
    pub fn rumble(&mut self, strength: f32) {
        *self.rumble = self.rumble.max(strength.clamp(0.0, 1.0));
    }

    /// What the picture shows.
    #[must_use]
    pub fn camera(&self) -> &Camera {
        self.camera
    }

    /// Shows a message in large letters for a moment; `tone` is a class of the style sheet, such as `good`, or empty.
    pub fn toast(&mut self, text: &str, tone: &str) {
        self.play.toast(text, tone);
    }
}
