//! One connection: the socket and the client behind it, from the first byte to the last; between them a bad line, if wanted.

use std::rc::Rc;

use broadside_shared::arena::Arena;
use broadside_shared::client::stats::Arrival as Figures;
use broadside_shared::client::{Client, Phase, Received};
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::limits::{GREETING_US, SILENCE_US};
use broadside_shared::protocol::{FrameKind, header_bytes};
use broadside_shared::time::MonoTime;

use crate::browser::{self, Ticker};
use crate::line::Line;
use crate::socket::{Arrival, Socket};

/// Bytes waiting in the browser above which inputs are thrown away: on a line that stands still, old inputs are worth
/// nothing, and they would only delay the new ones.
const UNSENT_MAX: u32 = 16 * 1024;
/// Where the token of the session is kept: in the tab, so that a reload finds it and another tab does not.
pub const TOKEN_KEY: &str = "broadside.token";
/// Longest time between two looks for a page that is awake, in microseconds.
const AWAKE_US: u64 = 1_000_000;
/// Milliseconds between two looks at what has come over a bad line; the shortest that browsers allow.
const LINE_MS: i32 = 4;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The socket was closed with this code.
    Closed(u16),
    /// It never got anywhere, or nothing was heard for too long.
    Silent,
    /// The server sent what this page does not understand.
    Nonsense,
}

/// What is kept for whoever looks at the net graph.
#[derive(Debug, Default)]
pub struct Watch {
    /// Snapshots that came since the last look.
    pub arrivals: Vec<Figures>,
    /// Bytes of the WebSocket headers of everything that came.
    pub header_bytes: u64,
}

impl Watch {
    /// Counts a frame of this many bytes.
    fn count(&mut self, len: usize) {
        self.header_bytes += header_bytes(len);
    }
}

/// A connection.
pub struct Session {
    socket: Socket,
    /// The client behind it.
    pub client: Client<Arena>,
    /// What the server gave as its reason for closing the socket, for developers; empty until then.
    pub reason: String,
    /// `None` while nobody looks.
    pub watch: Option<Watch>,
    line: Option<(Line, Ticker)>,
    wake: Rc<dyn Fn()>,
    heard_at: MonoTime,
    looked_at: MonoTime,
    opened: bool,
}

impl Session {
    /// Begins to connect; `wake` is called whenever something arrived. The client of a connection that was lost asks for its seat,
    /// and for what it missed.
    ///
    /// # Errors
    /// What the browser says of the address.
    pub fn open(client: Client<Arena>, wake: Rc<dyn Fn()>) -> Result<Self, String> {
        let url = browser::socket_url().ok_or("the page has no address")?;
        let socket = Socket::open(&url, Rc::clone(&wake))?;
        let now = browser::now();
        Ok(Session {
            socket,
            client,
            reason: String::new(),
            watch: None,
            line: None,
            wake,
            heard_at: now,
            looked_at: now,
            opened: false,
        })
    }

    /// How far the connection has come. A client of an earlier connection believes in that one until this one is open.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.opened { self.client.phase() } else { Phase::Greeting }
    }

    /// Whether the socket ever got as far as being open.
    #[must_use]
    pub fn was_open(&self) -> bool {
        self.opened
    }

    /// Puts a line of this kind between socket and client, or takes it away if it is [`LinkProfile::CLEAN`].
    pub fn set_line(&mut self, profile: LinkProfile) {
        let now = browser::now();
        match &mut self.line {
            Some((line, _)) if line.profile().name == profile.name => {
                line.set_delay(profile.delay_ms, profile.jitter_ms);
            }
            slot => {
                let mut line = Line::new(profile, now, browser::entropy());
                if let Some((old, _)) = slot.take() {
                    line.take_over(old, now);
                }
                if profile != LinkProfile::CLEAN || !line.is_idle() {
                    let wake = Rc::clone(&self.wake);
                    *slot = Some((line, Ticker::every(LINE_MS, move || wake())));
                }
            }
        }
    }

    /// Whether the client stands still, because its line comes with that.
    pub fn is_frozen(&mut self) -> bool {
        self.line.as_mut().is_some_and(|(line, _)| line.is_frozen(browser::now()))
    }

    /// Takes everything that arrived; tells if that was the end.
    pub fn pump(&mut self) -> Option<Ending> {
        if self.is_frozen() {
            return None;
        }
        // A tab in the background sleeps for up to a minute at a time, and hears of silence only what it was awake for.
        let slept_us = browser::now().us_since(self.looked_at).saturating_sub(AWAKE_US);
        self.heard_at = self.heard_at.plus_us(slept_us);
        self.looked_at = browser::now();
        while let Some((at, arrival)) = self.socket.poll() {
            match (arrival, &mut self.line) {
                (Arrival::Open, _) => {
                    self.opened = true;
                    self.heard_at = at;
                    self.client.handle_open(at);
                }
                (Arrival::Frame(frame), Some((line, _))) => line.send_down(at, frame),
                (Arrival::Frame(frame), None) => {
                    if let Err(ending) = self.take(at, &frame) {
                        return Some(ending);
                    }
                }
                (Arrival::Text, _) => return Some(Ending::Nonsense),
                (Arrival::Closed(code, reason), line) => {
                    self.reason = reason;
                    match line {
                        Some((line, _)) => line.closed = Some(code),
                        None => return Some(Ending::Closed(code)),
                    }
                }
            }
        }
        if let Some(ending) = self.pump_line() {
            return Some(ending);
        }
        let patience = if self.phase() == Phase::Playing { SILENCE_US } else { GREETING_US };
        (browser::now().us_since(self.heard_at) > patience).then_some(Ending::Silent)
    }

    /// Takes what came over the line; tells if that was the end.
    fn pump_line(&mut self) -> Option<Ending> {
        let now = browser::now();
        while let Some((at, frame)) = self.line.as_mut().and_then(|(line, _)| line.receive_down(now)) {
            if let Err(ending) = self.take(at, &frame) {
                return Some(ending);
            }
        }
        let (line, _) = self.line.as_ref()?;
        let ended = line.ended();
        if *line.profile() == LinkProfile::CLEAN && line.is_idle() {
            self.line = None;
        }
        ended.map(Ending::Closed)
    }

    fn take(&mut self, at: MonoTime, frame: &[u8]) -> Result<(), Ending> {
        self.heard_at = at;
        let received = self.client.handle_frame(at, frame).map_err(|reason| {
            web_sys::console::warn_1(&format!("frame not understood: {reason}").into());
            Ending::Nonsense
        })?;
        if let Some(watch) = &mut self.watch {
            watch.count(frame.len());
            if let Received::Snapshot(figures) = received {
                watch.arrivals.push(figures);
            }
        }
        Ok(())
    }

    /// Sends what there is to send.
    pub fn flush(&mut self) {
        let now = browser::now();
        while let Some(frame) = self.client.poll_frame() {
            let input = frame.first() == Some(&(FrameKind::State as u8));
            match &mut self.line {
                Some((line, _)) if !input || line.takes_more() => line.send_up(now, frame),
                None if !input || self.socket.unsent() < UNSENT_MAX => self.socket.send(&frame),
                Some(_) | None => {}
            }
        }
        while let Some(frame) = self.line.as_mut().and_then(|(line, _)| line.receive_up(now)) {
            self.socket.send(&frame);
        }
    }
}
