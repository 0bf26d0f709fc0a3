//! The shell of [`PageFlow`]: forwards what the browser and the player do, and performs the actions.

use std::rc::Rc;

use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::client::{Client, ClientConfig, Detail};
use broadside_shared::game::Game;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;
use glam::Vec2;

use super::free_camera::FreeCamera;
use super::{App, wiring};
use crate::browser;
use crate::cartridge::{Cartridge, Focus, Place};
use crate::connection::ServerConnection;
use crate::fetch;
use crate::flow::PageFlow;
use crate::flow::actions::{LostConnection, PageAction, PageStart};
use crate::flow::state::PageState;
use crate::hud::screens::Face;
use crate::sound::{SoundId, Sounds};
use crate::words::say;

/// Where the current room is stored: in the tab, like the token.
const ROOM_KEY: &str = "broadside.room";
/// The number of games in which the controls were shown at first, how many those are, and for how long.
const HELPED_KEY: &str = "broadside.helped";
const HELPED_GAMES: u32 = 3;
const HELP_MS: f64 = 9_000.0;
/// The name of a player who has not chosen one.
const GUEST: &str = "guest";

impl<C: Cartridge> App<C> {
    /// Shows the title, and continues into a room if the address or the tab names one.
    pub(super) fn open_title(&mut self) {
        self.screens.ready();
        let today = (js_sys::Date::now() / 86_400_000.0) as u32;
        if let Err(missing) = self.lobby.show_modes(C::Game::MODES, |mode| C::summary(mode, today)) {
            browser::log_error(&missing);
        }
        self.show_volumes();
        self.open_net();
        self.show_effects();
        let embedded = browser::embedded_room();
        let watch = if embedded.is_some() { Some("1".to_owned()) } else { browser::parameter("watch") };
        self.flow.handle_open(PageStart {
            path: &browser::path(),
            room_parameter: embedded.clone().or_else(|| browser::parameter(browser::ROOM)).as_deref(),
            watch_parameter: watch.as_deref(),
            stored_room: browser::recall_in_tab(ROOM_KEY).as_deref(),
            autojoin: browser::parameter("autojoin").as_deref() == Some("1"),
            name: self.screens.remembered_name(),
        });
        self.perform_actions();
    }

    /// Forwards an event to the flow.
    pub(super) fn forward(&mut self, event: impl FnOnce(&mut PageFlow)) {
        event(&mut self.flow);
        self.perform_actions();
    }

    pub(super) fn go(&mut self, room: RoomRequest) {
        self.forward(|flow| flow.handle_go(room));
    }

    pub(super) fn press_play(&mut self) {
        self.forward(PageFlow::handle_play);
    }

    pub(super) fn leave(&mut self) {
        self.forward(PageFlow::handle_leave);
    }

    pub(super) fn try_now(&mut self) {
        self.forward(PageFlow::handle_try_now);
    }

    pub(super) fn network_is_back(&mut self) {
        self.forward(PageFlow::handle_network_back);
    }

    /// Serves the connection: takes what has arrived, sends what is due, and reports to the flow.
    pub(super) fn serve(&mut self) {
        if let Some(connection) = &mut self.connection {
            let end = connection.pump();
            if !self.flow.is_playing() {
                connection.client.advance(browser::now(), &Default::default());
            }
            connection.flush();
            if let Some(name) = connection.take_account().and_then(|account| account.name) {
                self.screens.show_account(&name);
            }
            let report = connection.report();
            let lost = end.and_then(|end| {
                let connection = self.connection.take()?;
                let (mut client, reason) = (connection.client, connection.reason);
                let (redirect, nodes) = (client.take_redirect(), client.take_nodes());
                self.kept_client = Some(client);
                Some(LostConnection { end, reason, redirect, nodes })
            });
            self.flow.handle_connection(browser::now(), report, lost);
            self.perform_actions();
        }
        if !self.flow.is_playing() {
            self.take_events();
        }
        self.flow.handle_time(browser::now());
        self.perform_actions();
    }

    fn perform_actions(&mut self) {
        while let Some(action) = self.flow.poll_action() {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: PageAction) {
        match action {
            PageAction::TakeName => self.flow.handle_name(self.screens.take_name()),
            PageAction::Connect => self.connect(),
            PageAction::KeepNewClient => self.kept_client = Some(self.new_client()),
            PageAction::DropKeptClient => self.kept_client = None,
            PageAction::RenameClient(name) => self.with_client(|client| client.rename(browser::now(), name)),
            PageAction::SwitchRoom(room) => {
                self.with_client(|client| client.switch(browser::now(), room.room, room.role));
            }
            PageAction::ExitRoom => self.with_client(|client| client.exit(browser::now())),
            PageAction::StoreRoom(room) => {
                browser::remember_in_tab(ROOM_KEY, room.map(|room| room.to_text(C::Game::MODES)).as_deref());
            }
            PageAction::DeleteToken => browser::remember_session(None),
            PageAction::SetPath(path) => browser::set_path(&path),
            PageAction::Enter(state) => self.enter(state),
            PageAction::OpenReplay(id) => self.open_replay(&id),
            PageAction::ShowNotice(notice) => self.screens.notice(&notice),
            PageAction::ShowNote { text, is_error } => self.screens.note(&text, is_error),
            PageAction::ShowCodeError(text) => self.lobby.show_code_error(text),
            PageAction::ShowConnectionStatus { text, tone } => self.lobby.connection_status(&text, tone),
            PageAction::SetPlayLabel(label) => self.lobby.set_play_label(label),
            PageAction::CloseInvite => self.lobby.close_invite(),
            PageAction::Click => self.speaker.click(SoundId::CLICK),
            PageAction::AskHealth { retry } => self.ask_health(retry),
            PageAction::Warn(text) => browser::log_warning(&text),
            PageAction::RenewPage => browser::renew(),
            PageAction::ReloadPage => {
                if let Some(window) = browser::window() {
                    let _ = window.location().reload();
                }
            }
        }
    }

    /// Calls the client, connected or kept, and sends what it has to send.
    fn with_client(&mut self, call: impl FnOnce(&mut Client<C::Game>)) {
        match (&mut self.connection, &mut self.kept_client) {
            (Some(connection), _) => {
                call(&mut connection.client);
                connection.flush();
            }
            (None, Some(client)) => call(client),
            (None, None) => {}
        }
    }

    fn connect(&mut self) {
        let client = self.kept_client.take().unwrap_or_else(|| {
            // Another client counts its requests from 1.
            self.pending_requests.clear();
            self.new_client()
        });
        match ServerConnection::open(client, self.flow.nodes(), Rc::clone(&self.wake)) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.sockets += 1;
                self.graph.forget();
                self.apply_lab_settings();
                self.flow.handle_connecting();
            }
            Err(reason) => self.flow.handle_connect_failed(&reason),
        }
    }

    fn new_client(&self) -> Client<C::Game> {
        let name = self.flow.name().cloned().unwrap_or_else(|| Name::new(GUEST).expect("the guest's name is valid"));
        let agent = concat!("browser ", env!("CARGO_PKG_VERSION")).to_owned();
        let (room, role) = self.flow.room().map_or((None, Role::Play), |room| (Some(room.room), room.role));
        let mut client = Client::new(ClientConfig { name, agent, room, role, detail: Detail::View });
        // A token that survived a reload.
        if let Some((token, _)) = browser::recall_session() {
            client.set_token(token);
        }
        client
    }

    fn ask_health(&self, retry: u32) {
        let Some(app) = self.shared.upgrade() else { return };
        fetch::ask("healthz", None, move |health| {
            let health = health.as_ref().map(|_| ()).map_err(String::as_str);
            wiring::with(&app, |app| app.flow.handle_health(retry, health));
        });
    }

    fn enter(&mut self, state: PageState) {
        self.screens.pause(false);
        self.screens.no_notice();
        self.devices.borrow_mut().release();
        match state {
            PageState::Title => self.show_title(),
            PageState::Connecting { .. } => self.chat.set_in_room(false),
            PageState::Playing { spectating, resumed } => self.show_room(spectating, resumed),
            PageState::Replaying => self.enter_place(Place::Title { seed: browser::entropy() }),
            PageState::Lost | PageState::Refused { .. } => {}
        }
    }

    fn show_title(&mut self) {
        self.close_replay();
        self.play.reset();
        self.chat.set_in_room(false);
        self.lobby.pause_invite(None);
        self.rooms_at_ms = 0.0;
        self.enter_place(Place::Title { seed: browser::entropy() });
        self.screens.face(Face::Menu, self.devices.borrow().last_used);
        self.screens.help(false);
    }

    fn show_room(&mut self, spectating: bool, resumed: bool) {
        let last_used = self.devices.borrow().last_used;
        self.play.reset();
        self.free = FreeCamera::default();
        self.enter_place(Place::Room);
        self.screens.face(if spectating { Face::Spectate } else { Face::Play }, last_used);
        self.screens.focus_game();
        self.show_own_link();
        let seat = self.client().and_then(|client| Some((client.room()?.0, client.player()?)));
        let is_the_same = std::mem::replace(&mut self.entered, seat) == seat;
        if resumed && is_the_same {
            self.play.toast(say("welcome-back"), "good");
        } else if resumed {
            // The server kept it no longer, or is gone, and this is another one.
            self.play.toast(say("place-lost"), "");
        } else if !spectating {
            let name = self.client().map(|client| client.name().to_string()).unwrap_or_default();
            self.play.toast(&C::welcome(&name), "");
            let helped: u32 = browser::recall(HELPED_KEY).and_then(|n| n.parse().ok()).unwrap_or(0);
            if helped < HELPED_GAMES {
                browser::remember(HELPED_KEY, &(helped + 1).to_string());
                self.help_until_ms = browser::now_ms() + HELP_MS;
                self.screens.help(true);
            }
        }
    }

    /// Shows another world, and nothing of the one before.
    pub(super) fn enter_place(&mut self, place: Place) {
        self.behind_title = place != Place::Room;
        self.sounds = Sounds::default();
        self.focus = Focus::at(Vec2::ZERO);
        self.cartridge.enter(place);
        self.match_status.hide();
        self.scoreboard.close();
    }
}
