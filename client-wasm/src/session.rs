//! One connection: the socket and the client behind it, from the first byte to the last.

use std::rc::Rc;

use broadside_shared::arena::Arena;
use broadside_shared::client::{Client, ClientConfig, Detail, Phase};
use broadside_shared::protocol::FrameKind;
use broadside_shared::protocol::limits::{GREETING_US, SILENCE_US};
use broadside_shared::protocol::name::Name;
use broadside_shared::time::MonoTime;

use crate::browser;
use crate::socket::{Arrival, Socket};

/// Bytes waiting in the browser above which inputs are thrown away: on a line that stands still, old inputs are worth
/// nothing, and they would only delay the new ones.
const UNSENT_MAX: u32 = 16 * 1024;

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

/// A connection.
pub struct Session {
    socket: Socket,
    /// The client behind it.
    pub client: Client<Arena>,
    heard_at: MonoTime,
}

impl Session {
    /// Begins to connect; `wake` is called whenever something arrived.
    ///
    /// # Errors
    /// What the browser says of the address.
    pub fn open(name: Name, wake: Rc<dyn Fn()>) -> Result<Self, String> {
        let url = browser::socket_url().ok_or("the page has no address")?;
        let agent = concat!("browser ", env!("CARGO_PKG_VERSION")).to_owned();
        let client = Client::new(ClientConfig { name, agent, detail: Detail::View });
        Ok(Session { socket: Socket::open(&url, wake)?, client, heard_at: browser::now() })
    }

    /// Takes everything that arrived; tells if that was the end.
    pub fn pump(&mut self) -> Option<Ending> {
        while let Some((at, arrival)) = self.socket.poll() {
            self.heard_at = at;
            match arrival {
                Arrival::Open => self.client.handle_open(at),
                Arrival::Frame(frame) => {
                    if let Err(reason) = self.client.handle_frame(at, &frame) {
                        web_sys::console::warn_1(&format!("frame not understood: {reason}").into());
                        return Some(Ending::Nonsense);
                    }
                }
                Arrival::Text => return Some(Ending::Nonsense),
                Arrival::Closed(code) => return Some(Ending::Closed(code)),
            }
        }
        let patience = if self.client.phase() == Phase::Playing { SILENCE_US } else { GREETING_US };
        (browser::now().us_since(self.heard_at) > patience).then_some(Ending::Silent)
    }

    /// Sends what there is to send.
    pub fn flush(&mut self) {
        while let Some(frame) = self.client.poll_frame() {
            let input = frame.first() == Some(&(FrameKind::State as u8));
            if !input || self.socket.unsent() < UNSENT_MAX {
                self.socket.send(&frame);
            }
        }
    }
}
