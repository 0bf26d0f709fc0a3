//! The page's flow as a pure core: from the title into a room and out of it, reconnecting with backoff, takeover, reload, links.
//!
//! `handle_*` takes what happened, with the time as an argument; [`PageFlow::poll_action`] gives what the shell (`app/flow.rs`) does
//! next. After every `handle_*` the shell polls until `None`. Absent on purpose: sockets, elements, storage, clocks.

pub(crate) mod actions;
pub(crate) mod state;
#[cfg(test)]
mod test_shell;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use broadside_shared::client::Phase;
use broadside_shared::client::nodes::Nodes;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::game::ModeSpec;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::time::MonoTime;

use crate::words::{say, say_with};
use actions::{ConnectionReport, LostConnection, PageAction, PageStart};
use state::{ConnectionEnd, Notice, PageState, Remedy, countdown, queue_text, unreached, verdict};

/// Connection attempts in a row without an open socket, after which the page asks the server over HTTP whether it is up.
const UNREACHED_ATTEMPTS: u32 = 2;
/// What the path of a recorded match begins with.
const REPLAY_PATH: &str = "replay/";
/// In place of the id of a recording, in an address whose parameters name a room: the last minute of it.
pub(crate) const LAST_MINUTE: &str = "last";

/// The next attempt to connect.
#[derive(Debug)]
struct PendingRetry {
    number: u32,
    at: MonoTime,
    /// What to tell the player; nothing on the way to another node, which takes a moment.
    why: Option<String>,
}

/// Where the shell has its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientSlot {
    Empty,
    /// Kept from a lost connection, or made for the next one.
    Kept,
    Connected(Phase),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PageFlow {
    /// The modes of the game.
    modes: &'static [ModeSpec],
    state: PageState,
    client: ClientSlot,
    retry: Option<PendingRetry>,
    retries: u32,
    nodes: Nodes,
    name: Option<Name>,
    /// The room we are in or on the way into.
    room: Option<RoomRequest>,
    /// The room to enter as soon as there is a name.
    pending_room: Option<RoomRequest>,
    /// The connection was lost during a game, and we are not back yet.
    interrupted: bool,
    actions: VecDeque<PageAction>,
}

impl PageFlow {
    /// A page at its title.
    pub(crate) fn new(nodes: Nodes, modes: &'static [ModeSpec]) -> Self {
        PageFlow {
            modes,
            state: PageState::Title,
            client: ClientSlot::Empty,
            retry: None,
            retries: 0,
            nodes,
            name: None,
            room: None,
            pending_room: None,
            interrupted: false,
            actions: VecDeque::new(),
        }
    }

    pub(crate) fn state(&self) -> &PageState {
        &self.state
    }

    pub(crate) fn is_at_title(&self) -> bool {
        self.state == PageState::Title
    }

    /// Whether we are in a room, as a player or as a spectator.
    pub(crate) fn is_playing(&self) -> bool {
        matches!(self.state, PageState::Playing { .. })
    }

    pub(crate) fn is_spectating(&self) -> bool {
        matches!(self.state, PageState::Playing { spectating: true, .. })
    }

    pub(crate) fn is_replaying(&self) -> bool {
        self.state == PageState::Replaying
    }

    /// The last valid name, once the player has chosen one.
    pub(crate) fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The room we are in or on the way into.
    pub(crate) fn room(&self) -> Option<RoomRequest> {
        self.room
    }

    /// Which server to connect to, or that of the connection.
    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// What to do next; `None` when nothing is left to do.
    pub(crate) fn poll_action(&mut self) -> Option<PageAction> {
        self.actions.pop_front()
    }

    /// The page has opened: shows the recorded match that the address names, or else the title, and continues into a room if the tab was in one, the address names one or asks to
    /// join any.
    pub(crate) fn handle_open(&mut self, start: PageStart<'_>) {
        self.name = start.name;
        if let Some(id) = start.path.strip_prefix(REPLAY_PATH) {
            if is_recording_id(id) || id == LAST_MINUTE {
                self.enter(PageState::Replaying);
                self.act(PageAction::ShowNotice(Notice::loading_replay()));
                return self.act(PageAction::OpenReplay(id.to_owned()));
            }
            self.note(say("link.bad-replay").to_owned(), true);
            self.act(PageAction::SetPath(String::new()));
        }
        self.enter(PageState::Title);
        let private = RoomRequest::from_path(start.path);
        if private.is_none() && start.path.starts_with("r/") {
            self.act(PageAction::ShowCodeError(say("link.bad-code")));
            self.act(PageAction::SetPath(String::new()));
        }
        let watches = start.watch_parameter == Some("1");
        let prefix = if watches { "watch:" } else { "" };
        let public =
            start.room_parameter.and_then(|id| RoomRequest::from_text(&format!("{prefix}room:{id}"), self.modes));
        let linked = private.or(public);
        // A reload continues in the same room, unless the address names another one.
        let stored = start.stored_room.and_then(|text| RoomRequest::from_text(text, self.modes));
        let stored = stored.filter(|stored| linked.is_none_or(|linked| linked.room == stored.room));
        let auto = start.autojoin.then_some(RoomRequest::play(RoomChoice::Quick));
        self.pending_room = stored.or(linked).or(auto);
        if linked.is_some() {
            let (label, note) = match private {
                Some(_) => (say("join"), say("invited.private")),
                None if watches => (say("watch"), say("invited.watch")),
                None => (say("join"), say("invited")),
            };
            self.act(PageAction::SetPlayLabel(label));
            self.act(PageAction::ShowNote { text: note.to_owned(), is_error: false });
            if stored.is_none() {
                // The tab may have a seat elsewhere: this client resumes it first, and then leaves it for the linked room.
                self.client = ClientSlot::Kept;
                self.act(PageAction::KeepNewClient);
            }
        }
        if self.pending_room.is_some() && self.name.is_some() {
            self.act(PageAction::TakeName);
        } else {
            self.connect();
        }
    }

    /// The button beside the name field was pressed.
    pub(crate) fn handle_play(&mut self) {
        self.handle_go(self.pending_room.unwrap_or(RoomRequest::play(RoomChoice::Quick)));
    }

    /// The player wants to enter a room, from whatever state the page is in.
    pub(crate) fn handle_go(&mut self, room: RoomRequest) {
        self.pending_room = Some(room);
        self.act(PageAction::TakeName);
    }

    /// The answer to [`PageAction::TakeName`]; without a valid name the room stays pending.
    pub(crate) fn handle_name(&mut self, name: Option<Name>) {
        let (Some(name), Some(room)) = (name, self.pending_room) else { return };
        (self.pending_room, self.room) = (None, Some(room));
        self.act(PageAction::CloseInvite);
        self.act(PageAction::SetPlayLabel(say("play")));
        self.act(PageAction::StoreRoom(Some(room)));
        if matches!(self.client, ClientSlot::Kept | ClientSlot::Connected(Phase::Greeting)) {
            // A reload before the next welcome must not resume the seat that this token stands for. The welcome brings a token again.
            self.act(PageAction::DeleteToken);
        }
        self.act(PageAction::SetPath(room.path()));
        // The server may have appended a number to the name: it is not asked to rename again.
        let renamed = self.name.as_ref() != Some(&name);
        self.name = Some(name.clone());
        self.interrupted = false;
        self.act(PageAction::Click);
        self.enter(PageState::Connecting { again: false });
        if self.client != ClientSlot::Empty {
            if renamed {
                self.act(PageAction::RenameClient(name));
            }
            self.act(PageAction::SwitchRoom(room));
        }
        if !self.is_connected() {
            self.connect();
        }
    }

    /// The name field has another valid name.
    pub(crate) fn handle_rename(&mut self, name: Name) {
        self.name = Some(name.clone());
        if self.is_connected() {
            self.act(PageAction::RenameClient(name));
        }
    }

    /// The player leaves the room, the join queue or the wait for a connection, and returns to the title. The socket stays open.
    pub(crate) fn handle_leave(&mut self) {
        self.act(PageAction::Click);
        if matches!(self.state, PageState::Refused { .. }) {
            // Another tab has the seat, or the server does not accept us: start as a new player.
            self.client = ClientSlot::Empty;
            self.act(PageAction::DropKeptClient);
            self.act(PageAction::DeleteToken);
        }
        self.return_to_title();
        if self.client != ClientSlot::Empty {
            self.act(PageAction::ExitRoom);
        }
        if !self.is_connected() {
            self.connect();
        }
    }

    /// The first button of a notice was pressed.
    pub(crate) fn handle_try_now(&mut self) {
        match self.state {
            PageState::Lost => self.connect(),
            PageState::Refused { remedy: Remedy::PlayHere } => {
                self.enter(PageState::Connecting { again: true });
                self.connect();
            }
            PageState::Refused { .. } => self.act(PageAction::ReloadPage),
            PageState::Title | PageState::Connecting { .. } | PageState::Playing { .. } | PageState::Replaying => {}
        }
    }

    /// The answer to [`PageAction::OpenReplay`] if there is nothing to show.
    pub(crate) fn handle_no_replay(&mut self, why: String) {
        if self.is_replaying() {
            self.act(PageAction::ShowNotice(Notice::no_replay(why)));
        }
    }

    /// The browser reports a network again: the next attempt need not wait.
    pub(crate) fn handle_network_back(&mut self) {
        if self.retry.is_some() {
            self.connect();
        }
    }

    /// The answer to [`PageAction::Connect`]: a socket is connecting.
    pub(crate) fn handle_connecting(&mut self) {
        self.client = ClientSlot::Connected(Phase::Greeting);
        if self.state == PageState::Lost {
            self.enter(PageState::Connecting { again: self.interrupted });
        }
    }

    /// The answer to [`PageAction::Connect`]: the browser refused to create a socket. The kept client is gone.
    pub(crate) fn handle_connect_failed(&mut self, reason: &str) {
        self.client = ClientSlot::Empty;
        self.refuse(say_with("end.cannot-connect", &[("reason", reason)]), Remedy::Reload);
    }

    /// The shell has served the connection; `lost` if that was its end.
    pub(crate) fn handle_connection(&mut self, now: MonoTime, report: ConnectionReport, lost: Option<LostConnection>) {
        let phase = report.phase;
        self.client = ClientSlot::Connected(phase);
        let spectating = report.role == Some(Role::Spectate);
        // Until the own state has arrived, what is behind the title continues.
        let seated = phase == Phase::Playing && (spectating || report.has_player_state);
        let queue_position = report.queue_position.filter(|_| phase == Phase::Joining);
        if report.opened {
            self.nodes.handle_open();
        }
        // The welcome alone does not count: a client that is closed right after it must back off further.
        match phase {
            Phase::Playing => self.nodes.handle_seated(),
            Phase::Lobby => self.nodes.handle_waiting(),
            Phase::Joining if queue_position.is_some() => self.nodes.handle_waiting(),
            Phase::Joining | Phase::Greeting => {}
        }
        if phase == Phase::Playing && self.is_at_title() {
            // The server resumed the seat after the player had left for the title.
            self.act(PageAction::ExitRoom);
        }
        if let Some(lost) = lost {
            return self.handle_lost(now, &lost, report.opened);
        }
        match (&self.state, phase) {
            (PageState::Connecting { .. } | PageState::Playing { .. }, Phase::Lobby) => {
                self.return_to_title();
                self.note(say("game-ended").to_owned(), false);
            }
            // The seat belonged to an earlier room request.
            (PageState::Playing { .. }, Phase::Joining) => self.enter(PageState::Connecting { again: false }),
            (PageState::Connecting { .. }, _) if seated => self.enter_room(spectating),
            (PageState::Playing { spectating: shown, .. }, _) if seated && *shown != spectating => {
                self.enter_room(spectating);
            }
            (PageState::Connecting { .. }, _) => {
                if let Some(position) = queue_position {
                    self.act(PageAction::ShowNotice(Notice::queued(queue_text(position))));
                }
            }
            (
                PageState::Title
                | PageState::Playing { .. }
                | PageState::Replaying
                | PageState::Lost
                | PageState::Refused { .. },
                _,
            ) => {}
        }
    }

    /// Time has passed: shows the countdown and connects when it is over.
    pub(crate) fn handle_time(&mut self, now: MonoTime) {
        let at_title = self.is_at_title();
        if let Some(retry) = &self.retry {
            let due = now >= retry.at;
            if let Some(why) = &retry.why {
                let text = countdown(why, retry.at.ms_since(now));
                self.act(if at_title {
                    PageAction::ShowConnectionStatus { text, tone: "bad" }
                } else {
                    PageAction::ShowNotice(Notice::lost(text))
                });
            }
            if due {
                self.connect();
            }
        } else if at_title {
            let welcomed = matches!(self.client, ClientSlot::Connected(phase) if phase != Phase::Greeting);
            let (text, tone) = if welcomed { (say("connected"), "good") } else { (say("connecting"), "") };
            self.act(PageAction::ShowConnectionStatus { text: text.to_owned(), tone });
        }
    }

    /// The answer to [`PageAction::AskHealth`]: explains the pause it was asked in. A later pause has its own reason.
    pub(crate) fn handle_health(&mut self, retry: u32, health: Result<(), &str>) {
        let pending = self.retry.as_mut().filter(|pending| pending.number == retry);
        if let (Some(pending), Some(why)) = (pending, unreached(health)) {
            pending.why = Some(why);
        }
    }

    fn handle_lost(&mut self, now: MonoTime, lost: &LostConnection, opened: bool) {
        let was_playing = self.is_playing();
        self.interrupted |= was_playing;
        // The same client resumes its seat over the next connection.
        self.client = ClientSlot::Kept;
        let (why, remedy) = verdict(lost.end, &lost.reason, was_playing);
        let code = match lost.end {
            ConnectionEnd::Closed(code) => CloseCode::from_code(code),
            ConnectionEnd::TimedOut | ConnectionEnd::Malformed => None,
        };
        if let Some(urls) = &lost.nodes {
            self.nodes.handle_nodes(urls);
        }
        let is_redirected = remedy == Remedy::Wait && lost.redirect.as_deref().is_some_and(|url| self.follow(url));
        let was_home = self.nodes.is_at_home();
        let at = now.plus_ms(self.nodes.handle_end(code).into());
        match remedy {
            Remedy::Wait if is_redirected => self.move_on(at),
            Remedy::Wait => {
                self.wait(at, why);
                // Over HTTP the page knows only the server it came from.
                if !opened && was_home && self.nodes.attempts() >= UNREACHED_ATTEMPTS {
                    self.act(PageAction::AskHealth { retry: self.retries });
                }
            }
            Remedy::Lobby => {
                self.client = ClientSlot::Empty;
                self.act(PageAction::DropKeptClient);
                self.return_to_title();
                self.note(why, true);
                self.wait(at, String::new());
            }
            Remedy::PlayHere | Remedy::Reload => {
                self.refuse(why, remedy);
                // Most likely the server was updated while this page was open, or a cache had an old page.
                if code == Some(CloseCode::WrongRevision) || lost.end == ConnectionEnd::Malformed {
                    self.act(PageAction::RenewPage);
                }
            }
        }
    }

    /// Whether the page goes to the node that the server has sent it to.
    fn follow(&mut self, url: &str) -> bool {
        let followed = self.nodes.handle_redirect(url);
        if let Err(why) = followed {
            self.act(PageAction::Warn(format!("the server sent this page to {url:?}, where it does not go: {why}")));
        }
        followed.is_ok()
    }

    fn connect(&mut self) {
        self.retry = None;
        self.act(PageAction::Connect);
    }

    /// Connects to another node in a moment. For the player this is no loss.
    fn move_on(&mut self, at: MonoTime) {
        self.schedule(at, None);
        if self.is_playing() {
            self.enter(PageState::Connecting { again: true });
        }
    }

    fn wait(&mut self, at: MonoTime, why: String) {
        self.schedule(at, Some(why));
        if !self.is_at_title() {
            self.enter(PageState::Lost);
        }
    }

    fn schedule(&mut self, at: MonoTime, why: Option<String>) {
        self.retries += 1;
        self.retry = Some(PendingRetry { number: self.retries, at, why });
    }

    fn refuse(&mut self, why: String, remedy: Remedy) {
        self.enter(PageState::Refused { remedy });
        self.act(PageAction::ShowNotice(Notice::refused(why, remedy)));
    }

    fn return_to_title(&mut self) {
        (self.room, self.pending_room) = (None, None);
        self.act(PageAction::StoreRoom(None));
        self.act(PageAction::SetPath(String::new()));
        self.enter(PageState::Title);
    }

    fn enter_room(&mut self, spectating: bool) {
        let resumed = std::mem::take(&mut self.interrupted);
        self.enter(PageState::Playing { spectating, resumed });
    }

    fn enter(&mut self, state: PageState) {
        self.state = state;
        self.act(PageAction::Enter(state));
        if let PageState::Connecting { again } = state {
            self.act(PageAction::ShowNotice(Notice::connecting(again)));
        }
    }

    fn is_connected(&self) -> bool {
        matches!(self.client, ClientSlot::Connected(_))
    }

    fn note(&mut self, text: String, is_error: bool) {
        self.act(PageAction::ShowNote { text, is_error });
    }

    fn act(&mut self, action: PageAction) {
        self.actions.push_back(action);
    }
}

/// Whether these are the 32 hexadecimal digits of a recorded match.
fn is_recording_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
