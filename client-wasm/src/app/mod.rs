//! The page as a whole: owns all parts and connects them.
//!
//! | module | what it holds |
//! |---|---|
//! | `flow` | the shell of the page's flow: performs what the pure core decides |
//! | `controls` | buttons, menus, sound |
//! | `settings` | what the player has set, applied |
//! | `lobby` | the list of rooms, private rooms and their links |
//! | `chat` | topics, chat, notices, replies |
//! | `network_lab` | the net graph and the network lab |
//! | `replay` | a recorded match, and what its bar and its keys do |
//! | `free_camera` | where keys and pointers take the picture of a replay or of a spectator |
//! | `scoreboard` | when the scoreboard is open, and what a click on it does |
//! | `image` | one drawn image, and the client's ticks between images |
//! | `drawing` | which renderer draws |
//! | `wiring` | the page's events, each one call into the app |
//!
//! Four sources call the app: the browser's animation frame, which draws; a timer at about the tick rate, which samples and sends
//! inputs however rarely an image is drawn; arrivals on the socket; and a slow timer for tabs in the background, which get no
//! animation frames.

mod chat;
mod controls;
mod drawing;
mod flow;
mod free_camera;
mod image;
mod lobby;
mod network_lab;
mod replay;
mod scoreboard;
mod settings;
mod wiring;

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use broadside_shared::client::Client;
use broadside_shared::client::nodes::Nodes;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::game::Game;
use broadside_shared::ids::{PlayerId, RoomId};
use glam::Vec2;
use web_sys::{Document, HtmlCanvasElement};

use crate::browser;
use crate::camera::Camera;
use crate::cartridge::{Cartridge, Focus};
use crate::connection::ServerConnection;
use crate::flow::PageFlow;
use crate::gl::batch::Batch;
use crate::hud::chat::Chat;
use crate::hud::dom::{Page, element};
use crate::hud::lobby::Lobby;
use crate::hud::match_status::MatchHud;
use crate::hud::net_graph::NetGraph;
use crate::hud::network_lab::NetworkLab;
use crate::hud::play::Play;
use crate::hud::replay_bar::ReplayBar;
use crate::hud::scoreboard::Scoreboard;
use crate::hud::screens::Screens;
use crate::hud::tab::TabTitle;
use crate::input::{Devices, LastUsed};
use crate::quality::Quality;
use crate::settings::Settings;
use crate::sound::{Sounds, Speaker};
use chat::PendingRequest;
use drawing::Drawing;
use free_camera::FreeCamera;
use replay::WatchedReplay;

/// Seconds of play after which the rest of the program is loaded.
const REST_S: f32 = 1.0;

pub(crate) struct App<C: Cartridge> {
    cartridge: C,
    document: Document,
    canvas: HtmlCanvasElement,
    drawing: Drawing,
    quality: Quality,
    camera: Camera,
    batch: Batch,
    sounds: Sounds,
    /// How strongly the gamepad is to rumble after this image, 0..=1.
    rumble: f32,
    /// Whether the picture shows what is behind the title, and not a room.
    behind_title: bool,
    connection: Option<ServerConnection<C::Game>>,
    /// The client of a lost connection, until the next one.
    kept_client: Option<Client<C::Game>>,
    /// The recorded match that is watched.
    replay: Option<WatchedReplay<C::Game>>,
    flow: PageFlow,
    /// The room, and the player's number in it, that were last entered.
    entered: Option<(RoomId, PlayerId)>,
    /// Sockets opened so far.
    sockets: u32,
    /// The private room that was created here.
    invite: Option<RoomRequest>,
    pending_requests: Vec<(u32, PendingRequest)>,
    /// When the list of rooms is due, in milliseconds of the page's clock.
    rooms_at_ms: f64,
    /// Where the own player was last drawn.
    seen_at: Vec2,
    /// Where the camera last looked.
    focus: Focus,
    /// What a spectator holds down.
    held: u32,
    free: FreeCamera,
    /// The app itself, for callbacks.
    shared: Weak<RefCell<App<C>>>,
    /// Called by the socket on every arrival.
    wake: Rc<dyn Fn()>,
    devices: Rc<RefCell<Devices>>,
    screens: Screens,
    tab: TabTitle,
    lobby: Lobby,
    chat: Chat,
    play: Play,
    scoreboard: Scoreboard,
    match_status: MatchHud,
    replay_bar: ReplayBar,
    /// Whether the recording of the match whose results are shown was asked for.
    asked_recording: bool,
    graph: NetGraph,
    lab: NetworkLab,
    speaker: Speaker,
    /// Time of the previous image, in milliseconds of the page's clock.
    last_ms: f64,
    /// Images drawn so far.
    images: u32,
    /// Running mean of the time between images, in seconds.
    image_s: f32,
    /// Skip the game events of the time in which nothing was drawn.
    stale: bool,
    help_until_ms: f64,
    /// Seconds of play until the rest of the program is loaded.
    rest_in_s: f32,
    /// Shortest time between two images, in seconds, as the player has set it.
    image_min_s: f32,
    /// The simulated link freezes the tab.
    asleep: bool,
}

pub(crate) type Shared<C> = Rc<RefCell<App<C>>>;

impl<C: Cartridge> App<C> {
    fn new(wake: Rc<dyn Fn()>) -> Result<Self, String> {
        let document = browser::document().ok_or("no document")?;
        let canvas: HtmlCanvasElement = element(&document, "view")?;
        let set = Settings::read();
        let (quality, drawing) =
            drawing::open_drawing::<C>(&canvas, &document, set.effects).map_err(|why| format!("cannot draw: {why}"))?;
        let mut camera = Camera::new(C::FRAMING);
        camera.calm = settings::calm();
        let last_used = if browser::is_held() { LastUsed::Touch } else { LastUsed::Mouse };
        let mut devices = Devices::new(C::key, C::gamepad_button, last_used);
        devices.set_hands(set.keys, set.swapped);
        let mut cartridge = C::new(&Page { document: &document })?;
        settings::tell_choices(&mut cartridge);
        Ok(App {
            cartridge,
            screens: Screens::new(&document, C::GUEST)?,
            tab: TabTitle::new(&document),
            lobby: Lobby::new(&document)?,
            chat: Chat::new(&document)?,
            play: Play::new(&document)?,
            scoreboard: Scoreboard::new(&document)?,
            match_status: MatchHud::new(&document)?,
            replay_bar: ReplayBar::new(&document)?,
            asked_recording: false,
            entered: None,
            graph: NetGraph::new(&document)?,
            lab: NetworkLab::new(&document, browser::parameter("link").as_deref())?,
            document,
            canvas,
            drawing,
            quality,
            camera,
            batch: Batch::default(),
            sounds: Sounds::default(),
            rumble: 0.0,
            behind_title: false,
            connection: None,
            kept_client: None,
            replay: None,
            flow: PageFlow::new(known_nodes(), C::Game::MODES),
            sockets: 0,
            invite: None,
            pending_requests: Vec::new(),
            rooms_at_ms: 0.0,
            seen_at: Vec2::ZERO,
            focus: Focus::at(Vec2::ZERO),
            held: 0,
            free: FreeCamera::default(),
            shared: Weak::new(),
            wake,
            devices: Rc::new(RefCell::new(devices)),
            speaker: Speaker::new(C::SOUNDS, set.volumes),
            last_ms: browser::now_ms(),
            images: 0,
            image_s: 1.0 / 60.0,
            stale: false,
            help_until_ms: 0.0,
            rest_in_s: REST_S,
            image_min_s: set.image_s,
            asleep: false,
        })
    }

    /// The client of the replay or of the current connection.
    fn client(&self) -> Option<&Client<C::Game>> {
        replay::shown_client(&self.replay, &self.connection)
    }
}

/// The server of this page, or that of the session that this tab had before a reload.
fn known_nodes() -> Nodes {
    let mut nodes = Nodes::new(&browser::socket_url().unwrap_or_default(), browser::entropy());
    if let Some((_, node)) = browser::recall_session() {
        // Without a node that it may go to, the session is looked for at the page's own server.
        let _ = nodes.start_at(&node);
    }
    nodes
}

/// Builds the app, connects it to the page and shows the title.
///
/// # Errors
/// What the page or the browser lacks.
pub(crate) fn start<C: Cartridge>() -> Result<(), String> {
    let slot: Rc<RefCell<Option<Shared<C>>>> = Rc::default();
    let wake: Rc<dyn Fn()> = {
        let slot = Rc::clone(&slot);
        Rc::new(move || {
            let Some(app) = slot.borrow().clone() else { return };
            wiring::with(&app, App::wake);
        })
    };
    let app = App::<C>::new(wake)?;
    let app = Rc::new(RefCell::new(app));
    app.borrow_mut().shared = Rc::downgrade(&app);
    *slot.borrow_mut() = Some(Rc::clone(&app));
    wiring::attach(&app)?;
    wiring::with(&app, App::open_title);
    Ok(())
}
