//! One connection: the socket, the client behind it, and a simulated link between them while the network lab asks for one.

use std::rc::Rc;

use broadside_shared::client::nodes::{Arrival, Nodes};
use broadside_shared::client::stats::SnapshotArrival;
use broadside_shared::client::{Client, Phase, Received};
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::limits::{GREETING_US, SILENCE_US};
use broadside_shared::protocol::{FrameKind, header_bytes};
use broadside_shared::time::MonoTime;

use crate::account::{Account, AccountAnswer, AskedAccount};
use crate::browser::{self, Ticker};
use crate::flow::actions::ConnectionReport;
use crate::flow::state::ConnectionEnd;
use crate::simulated_link::SimulatedLink;
use crate::socket::{Socket, SocketEvent};

/// Unsent bytes in the browser from which on inputs are dropped: on a stalled link old inputs are worthless and only delay new
/// ones.
const UNSENT_MAX: u32 = 16 * 1024;
/// Longest time between two calls of [`ServerConnection::pump`] while the page is awake, in microseconds.
const AWAKE_US: u64 = 1_000_000;
/// Milliseconds between two polls of a simulated link; the shortest that browsers allow.
const LINK_POLL_MS: i32 = 4;

/// What the net graph needs of every frame.
#[derive(Debug, Default)]
pub(crate) struct NetGraphTap {
    /// Snapshots since the net graph last took them.
    pub(crate) arrivals: Vec<SnapshotArrival>,
    /// Bytes of the WebSocket headers of all received frames.
    pub(crate) header_bytes: u64,
}

impl NetGraphTap {
    fn count(&mut self, len: usize) {
        self.header_bytes += header_bytes(len);
    }
}

pub(crate) struct ServerConnection<G: Game> {
    socket: Socket,
    pub(crate) client: Client<G>,
    /// The reason in the server's close frame, for developers; empty until then.
    pub(crate) reason: String,
    /// `None` while the net graph is closed.
    pub(crate) tap: Option<NetGraphTap>,
    link: Option<(SimulatedLink, Ticker)>,
    wake: Rc<dyn Fn()>,
    received_at: MonoTime,
    pumped_at: MonoTime,
    /// Time until the socket counts as unreachable, in microseconds.
    open_timeout_us: u64,
    /// Whether the socket has opened.
    opened: bool,
    /// What the server is to the client.
    arrival: Arrival,
    /// The account that the hello is to carry; `None` once the hello was said.
    asked: Option<AskedAccount>,
    /// The account that the hello carried, until it is taken.
    account: Option<Account>,
}

impl<G: Game> ServerConnection<G> {
    /// Starts to connect to the present one of `nodes`; `wake` is called whenever something arrives. The client of a lost connection resumes its
    /// seat.
    ///
    /// # Errors
    /// The browser's objection to the address.
    pub(crate) fn open(client: Client<G>, nodes: &Nodes, wake: Rc<dyn Fn()>) -> Result<Self, String> {
        let socket = Socket::open(nodes.url(), Rc::clone(&wake))?;
        let asked = Some(AskedAccount::ask(Rc::clone(&wake)));
        let now = browser::now();
        Ok(ServerConnection {
            socket,
            client,
            reason: String::new(),
            tap: None,
            link: None,
            wake,
            received_at: now,
            pumped_at: now,
            open_timeout_us: nodes.open_timeout_us(),
            opened: false,
            arrival: nodes.arrival(),
            asked,
            account: None,
        })
    }

    /// The client's phase, once the hello was said: until then a kept client still reports that of its previous connection.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        if self.asked.is_none() { self.client.phase() } else { Phase::Greeting }
    }

    /// The account that the hello carried, once.
    pub(crate) fn take_account(&mut self) -> Option<Account> {
        self.account.take()
    }

    pub(crate) fn report(&self) -> ConnectionReport {
        ConnectionReport {
            phase: self.phase(),
            role: self.client.room().map(|(_, _, role)| role),
            has_player_state: self.client.local_player().is_some(),
            queue_position: self.client.queue_position(),
            opened: self.opened,
        }
    }

    /// Puts a simulated link with this profile between socket and client, or removes it for [`LinkProfile::CLEAN`].
    pub(crate) fn set_link(&mut self, profile: LinkProfile) {
        let now = browser::now();
        match &mut self.link {
            Some((link, _)) if link.profile().name == profile.name => {
                link.set_delay(profile.delay_ms, profile.jitter_ms);
            }
            slot => {
                let mut link = SimulatedLink::new(profile, now, browser::entropy());
                if let Some((old, _)) = slot.take() {
                    link.take_over(old, now);
                }
                if profile != LinkProfile::CLEAN || !link.is_idle() {
                    let wake = Rc::clone(&self.wake);
                    *slot = Some((link, Ticker::every(LINK_POLL_MS, move || wake())));
                }
            }
        }
    }

    /// Whether the simulated link freezes the client.
    pub(crate) fn is_frozen(&mut self) -> bool {
        self.link.as_mut().is_some_and(|(link, _)| link.is_frozen(browser::now()))
    }

    /// Takes everything that arrived; returns the end of the connection, if that was it.
    pub(crate) fn pump(&mut self) -> Option<ConnectionEnd> {
        if self.is_frozen() {
            return None;
        }
        // A tab in the background sleeps for up to a minute at a time: only the silence while it was awake counts.
        let slept_us = browser::now().us_since(self.pumped_at).saturating_sub(AWAKE_US);
        self.received_at = self.received_at.plus_us(slept_us);
        self.pumped_at = browser::now();
        while let Some((at, event)) = self.socket.poll() {
            match (event, &mut self.link) {
                (SocketEvent::Open, _) => {
                    self.opened = true;
                    self.received_at = at;
                }
                (SocketEvent::Frame(frame), Some((link, _))) => link.send_down(at, frame),
                (SocketEvent::Frame(frame), None) => {
                    if let Err(end) = self.take(at, &frame) {
                        return Some(end);
                    }
                }
                (SocketEvent::Text, _) => return Some(ConnectionEnd::Malformed),
                (SocketEvent::Closed(code, reason), link) => {
                    self.reason = reason;
                    match link {
                        Some((link, _)) => link.closed = Some(code),
                        None => return Some(ConnectionEnd::Closed(code)),
                    }
                }
            }
        }
        if self.opened {
            self.say_hello();
        }
        if let Some(end) = self.pump_link() {
            return Some(end);
        }
        let timeout_us = match self.phase() {
            Phase::Playing => SILENCE_US,
            _ if !self.opened => self.open_timeout_us,
            Phase::Greeting | Phase::Lobby | Phase::Joining => GREETING_US,
        };
        (browser::now().us_since(self.received_at) > timeout_us).then_some(ConnectionEnd::TimedOut)
    }

    /// Says hello, once it is known with which account.
    fn say_hello(&mut self) {
        if let Some(answer) = self.asked.as_ref().and_then(AskedAccount::answer) {
            self.asked = None;
            match answer {
                AccountAnswer::Has(account) => {
                    self.client.set_account(Some(account.token));
                    self.account = Some(account);
                }
                AccountAnswer::HasNone => self.client.set_account(None),
                AccountAnswer::Unknown => {}
            }
            self.received_at = browser::now();
            self.client.handle_open_at(self.received_at, self.arrival);
        }
    }

    /// Takes what arrived over the simulated link; returns the end of the connection, if that was it.
    fn pump_link(&mut self) -> Option<ConnectionEnd> {
        let now = browser::now();
        while let Some((at, frame)) = self.link.as_mut().and_then(|(link, _)| link.receive_down(now)) {
            if let Err(end) = self.take(at, &frame) {
                return Some(end);
            }
        }
        let (link, _) = self.link.as_ref()?;
        let ended = link.ended();
        if *link.profile() == LinkProfile::CLEAN && link.is_idle() {
            self.link = None;
        }
        ended.map(ConnectionEnd::Closed)
    }

    fn take(&mut self, at: MonoTime, frame: &[u8]) -> Result<(), ConnectionEnd> {
        self.received_at = at;
        let received = self.client.handle_frame(at, frame).map_err(|reason| {
            web_sys::console::warn_1(&format!("frame not understood: {reason}").into());
            ConnectionEnd::Malformed
        })?;
        if let Some(tap) = &mut self.tap {
            tap.count(frame.len());
            if let Received::Snapshot(arrival) = received {
                tap.arrivals.push(arrival);
            }
        }
        Ok(())
    }

    /// Sends what the client and the simulated link have to send. Before the hello that is nothing: what the client of a lost connection
    /// still says was meant for that one.
    pub(crate) fn flush(&mut self) {
        let now = browser::now();
        while let Some(frame) = self.client.poll_frame() {
            if self.asked.is_some() {
                continue;
            }
            let input = frame.first() == Some(&(FrameKind::State as u8));
            match &mut self.link {
                Some((link, _)) if !input || link.takes_more() => link.send_up(now, frame),
                None if !input || self.socket.unsent() < UNSENT_MAX => self.socket.send(&frame),
                Some(_) | None => {}
            }
        }
        while let Some(frame) = self.link.as_mut().and_then(|(link, _)| link.receive_up(now)) {
            self.socket.send(&frame);
        }
    }
}
