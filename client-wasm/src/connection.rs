//! One connection: the socket and the client behind it, from the first byte to the last; between them a bad link, if wanted.

use std::rc::Rc;

use broadside_shared::arena::Arena;
use broadside_shared::client::stats::Arrival as SnapshotArrival;
use broadside_shared::client::{Client, Phase, Received};
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::limits::{GREETING_US, SILENCE_US};
use broadside_shared::protocol::{FrameKind, header_bytes};
use broadside_shared::time::MonoTime;

use crate::browser::{self, Ticker};
use crate::flow::ConnectionReport;
use crate::flow::state::ConnectionEnd;
use crate::simulated_link::SimulatedLink;
use crate::socket::{Socket, SocketEvent};

/// Bytes waiting in the browser above which inputs are thrown away: on a link that stands still, old inputs are worth
/// nothing, and they would only delay the new ones.
const UNSENT_MAX: u32 = 16 * 1024;
/// Where the token of the session is kept: in the tab, so that a reload finds it and another tab does not.
pub(crate) const TOKEN_KEY: &str = "broadside.token";
/// Longest time between two looks for a page that is awake, in microseconds.
const AWAKE_US: u64 = 1_000_000;
/// Milliseconds between two looks at what has come over a bad link; the shortest that browsers allow.
const LINK_POLL_MS: i32 = 4;

/// What is kept for whoever looks at the net graph.
#[derive(Debug, Default)]
pub(crate) struct NetGraphTap {
    /// Snapshots that came since the last look.
    pub(crate) arrivals: Vec<SnapshotArrival>,
    /// Bytes of the WebSocket headers of everything that came.
    pub(crate) header_bytes: u64,
}

impl NetGraphTap {
    /// Counts a frame of this many bytes.
    fn count(&mut self, len: usize) {
        self.header_bytes += header_bytes(len);
    }
}

/// A connection.
pub(crate) struct ServerConnection {
    socket: Socket,
    /// The client behind it.
    pub(crate) client: Client<Arena>,
    /// What the server gave as its reason for closing the socket, for developers; empty until then.
    pub(crate) reason: String,
    /// `None` while nobody looks.
    pub(crate) tap: Option<NetGraphTap>,
    link: Option<(SimulatedLink, Ticker)>,
    wake: Rc<dyn Fn()>,
    received_at: MonoTime,
    pumped_at: MonoTime,
    opened: bool,
}

impl ServerConnection {
    /// Begins to connect; `wake` is called whenever something arrived. The client of a connection that was lost asks for its seat,
    /// and for what it missed.
    ///
    /// # Errors
    /// What the browser says of the address.
    pub(crate) fn open(client: Client<Arena>, wake: Rc<dyn Fn()>) -> Result<Self, String> {
        let url = browser::socket_url().ok_or("the page has no address")?;
        let socket = Socket::open(&url, Rc::clone(&wake))?;
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
            opened: false,
        })
    }

    /// How far the connection has come. A client of an earlier connection believes in that one until this one is open.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        if self.opened { self.client.phase() } else { Phase::Greeting }
    }

    /// How far the connection and its client are.
    pub(crate) fn report(&self) -> ConnectionReport {
        ConnectionReport {
            phase: self.phase(),
            role: self.client.room().map(|(_, _, role)| role),
            has_player_state: self.client.local_player().is_some(),
            queue_position: self.client.queue_position(),
        }
    }

    /// Whether the socket ever got as far as being open.
    #[must_use]
    pub(crate) fn was_open(&self) -> bool {
        self.opened
    }

    /// Puts a link of this kind between socket and client, or takes it away if it is [`LinkProfile::CLEAN`].
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

    /// Whether the client stands still, because its link comes with that.
    pub(crate) fn is_frozen(&mut self) -> bool {
        self.link.as_mut().is_some_and(|(link, _)| link.is_frozen(browser::now()))
    }

    /// Takes everything that arrived; tells if that was the end.
    pub(crate) fn pump(&mut self) -> Option<ConnectionEnd> {
        if self.is_frozen() {
            return None;
        }
        // A tab in the background sleeps for up to a minute at a time, and hears of silence only what it was awake for.
        let slept_us = browser::now().us_since(self.pumped_at).saturating_sub(AWAKE_US);
        self.received_at = self.received_at.plus_us(slept_us);
        self.pumped_at = browser::now();
        while let Some((at, event)) = self.socket.poll() {
            match (event, &mut self.link) {
                (SocketEvent::Open, _) => {
                    self.opened = true;
                    self.received_at = at;
                    self.client.handle_open(at);
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
        if let Some(end) = self.pump_link() {
            return Some(end);
        }
        let timeout_us = if self.phase() == Phase::Playing { SILENCE_US } else { GREETING_US };
        (browser::now().us_since(self.received_at) > timeout_us).then_some(ConnectionEnd::TimedOut)
    }

    /// Takes what came over the link; tells if that was the end.
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

    /// Sends what there is to send.
    pub(crate) fn flush(&mut self) {
        let now = browser::now();
        while let Some(frame) = self.client.poll_frame() {
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
