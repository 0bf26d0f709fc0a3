//! Broadside's wire for pages that look at it: a client whose socket belongs to the page's script, and every frame as JSON.
//!
//! The script opens the WebSocket, hands each frame to [`Wire::heard`], sends what [`Wire::next_frame`] gives, and so sees everything. What a
//! frame means is decided here, by the same code that plays. It is a module of its own, so that whoever only plays does not load it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`json`] | what is on the wire as JSON |
//!
//! Absent on purpose: sockets, elements of the page.

pub mod json;

use broadside_shared::arena::{Arena, ArenaInput};
use broadside_shared::client::requests::Answer;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail, Phase};
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::limits::SILENCE_US;
use broadside_shared::protocol::message::Request;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::Role;
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::protocol::{FrameKind, SUBPROTOCOL, codec};
use broadside_shared::replication::bits::{BitReader, WireError};
use broadside_shared::time::MonoTime;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since the page began, with fractions.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn now_ms() -> f64;
}

fn now() -> MonoTime {
    MonoTime((now_ms() * 1000.0) as u64)
}

/// A client without a socket.
#[wasm_bindgen]
pub struct Wire {
    client: Client<Arena>,
}

#[wasm_bindgen]
impl Wire {
    /// A client that will stay in the lobby under this name.
    ///
    /// # Errors
    /// Why that is no name.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str) -> Result<Wire, String> {
        let name = Name::new(name).map_err(|reason| reason.to_string())?;
        let agent = concat!("wire ", env!("CARGO_PKG_VERSION")).to_owned();
        let config = ClientConfig { name, agent, room: None, role: Role::Spectate, detail: Detail::Replica };
        Ok(Wire { client: Client::new(config) })
    }

    /// The subprotocol to offer.
    #[must_use]
    pub fn subprotocol() -> String {
        SUBPROTOCOL.to_owned()
    }

    /// Milliseconds without a frame from the server after which it counts as dead: while it lives, it answers about a ping a second.
    #[must_use]
    pub fn silence_ms() -> f64 {
        SILENCE_US as f64 / 1000.0
    }

    /// A sentence about the end of a connection: what happened and what to do. A code that is none of ours means that it was lost.
    #[must_use]
    pub fn advice(code: u16) -> String {
        CloseCode::from_code(code).map_or("The connection was lost.", CloseCode::advice).to_owned()
    }

    /// Whether to connect again by itself after this close code.
    #[must_use]
    pub fn comes_back(code: u16) -> bool {
        CloseCode::from_code(code).is_none_or(|code| code.retry() == Retry::Automatic)
    }

    /// The socket is open.
    pub fn open(&mut self) {
        self.client.handle_open(now());
    }

    /// Time passes: pings, inputs and acks become due. Gives the numbers of the requests that were not answered in time.
    pub fn advance(&mut self) -> Vec<u32> {
        self.client.advance(now(), &ArenaInput::default());
        let mut unanswered = Vec::new();
        while let Some(event) = self.client.poll_event() {
            // Of everything else the page reads the frames themselves.
            if let ClientEvent::Answered { id, answer: Answer::None } = event {
                unanswered.push(id);
            }
        }
        unanswered
    }

    /// The next frame to send, oldest first.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.client.poll_frame()
    }

    /// Takes a frame of the server, and tells it as JSON: `kind`, and for control messages `msg`, for snapshots their parts.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    pub fn heard(&mut self, frame: &[u8]) -> Result<String, String> {
        let before = *self.client.stats();
        let (kind, rest) = FrameKind::split(frame).map_err(|wrong| wrong.to_string())?;
        let told = match kind {
            FrameKind::Control => codec::decode_server(rest).map(|msg| told("control", "msg", &json::write(&msg))),
            FrameKind::State => Ok(String::new()),
        };
        self.client.handle_frame(now(), frame).map_err(|wrong| wrong.to_string())?;
        if kind == FrameKind::Control {
            return told.map_err(|wrong| wrong.to_string());
        }
        let after = self.client.stats();
        let cells = (after.bytes_cells - before.bytes_cells) as usize;
        let events = (after.bytes_events - before.bytes_events) as usize;
        let notes = (after.bytes_updates - before.bytes_updates) as usize;
        self.snapshot(rest, (cells, events, notes)).map_err(|wrong| wrong.to_string())
    }

    fn snapshot(&self, rest: &[u8], (cells, events, notes): (usize, usize, usize)) -> Result<String, WireError> {
        let mut bits = BitReader::new(rest);
        let head = SnapshotHead::read(&mut bits)?;
        let head_bytes = bits.align()?;
        let own = rest.len() - head_bytes - cells - events - notes;
        let mut said = String::new();
        let mut bytes = &rest[rest.len() - notes..];
        while !bytes.is_empty() {
            let (note, used) = codec::decode_update(bytes)?;
            bytes = &bytes[used..];
            said.push_str(if said.is_empty() { "" } else { "," });
            said.push_str(&json::write(&note));
        }
        let records = self.client.replica().records().count();
        let subscribed = self.client.replica().cells().count();
        Ok(format!(
            "{{\"kind\":\"snapshot\",\"tick\":{},\"consumed\":{},\"missing\":{},\"dropped\":{},\"budget\":{},\
             \"records\":{records},\"subscribed\":{subscribed},\"parts\":{{\"head\":{},\"own\":{own},\"cells\":{cells},\
             \"events\":{events},\"notes\":{notes}}},\"said\":[{said}]}}",
            head.tick.0,
            head.consumed.0,
            head.missing,
            head.dropped,
            head.budget,
            head_bytes + 1,
        ))
    }

    /// Tells a frame that goes to the server as JSON.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    pub fn said(&self, frame: &[u8]) -> Result<String, String> {
        let (kind, rest) = FrameKind::split(frame).map_err(|wrong| wrong.to_string())?;
        let told = match kind {
            FrameKind::Control => codec::decode_client(rest).map(|msg| told("control", "msg", &json::write(&msg))),
            FrameKind::State => InputPacket::<ArenaInput>::decode(rest).map(|packet| {
                let samples = packet.samples.len();
                let parts = format!(
                    "{{\"acked\":{},\"first\":{},\"lag\":{},\"samples\":{samples}}}",
                    packet.acked.0, packet.first.0, packet.lag
                );
                told("input", "msg", &parts)
            }),
        };
        told.map_err(|wrong| wrong.to_string())
    }

    /// Wants to hear of a topic, or no more. Gives the request's number.
    pub fn subscribe(&mut self, topic: &str, on: bool) -> Option<u32> {
        let topic = topic.to_owned();
        self.ask(if on { Request::Subscribe { topic } } else { Request::Unsubscribe { topic } })
    }

    /// Says something in a chat.
    pub fn say(&mut self, topic: &str, text: &str) -> Option<u32> {
        self.ask(Request::Say { topic: topic.to_owned(), text: text.to_owned() })
    }

    /// Says something to one player.
    pub fn tell(&mut self, to: &str, text: &str) -> Option<u32> {
        self.ask(Request::DirectMessage { to: to.to_owned(), text: text.to_owned() })
    }

    /// Asks how the connection began.
    pub fn handshake(&mut self) -> Option<u32> {
        self.ask(Request::Handshake)
    }

    /// Asks for a seat, as [`RoomRequest`] writes it: `watch:room:7`, `mode:duel`.
    ///
    /// # Errors
    /// That this is no such text.
    pub fn join(&mut self, room_request: &str) -> Result<(), String> {
        let room_request = RoomRequest::from_text(room_request)
            .ok_or("a seat is asked for as room:7, watch:room:7, mode:duel or code:K7QF2M")?;
        self.client.switch(now(), room_request.room, room_request.role);
        Ok(())
    }

    /// Gives up the seat.
    pub fn exit(&mut self) {
        self.client.exit(now());
    }

    /// Whether the server has welcomed us.
    #[must_use]
    pub fn welcomed(&self) -> bool {
        self.client.phase() != Phase::Greeting
    }

    /// The number of the room we are in.
    #[must_use]
    pub fn room(&self) -> Option<u32> {
        self.client.room().map(|(room, ..)| room.0)
    }

    /// How long ago a moment of the server's clock was, in milliseconds; `None` before a ping has come back.
    #[must_use]
    pub fn age_ms(&self, at_us: f64) -> Option<f64> {
        self.client.server_time(now()).map(|server| (server.0 as f64 - at_us) / 1000.0)
    }

    fn ask(&mut self, request: Request) -> Option<u32> {
        self.client.request(now(), request)
    }
}

fn told(kind: &str, key: &str, value: &str) -> String {
    format!("{{\"kind\":\"{kind}\",\"{key}\":{value}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_made_again_and_one_that_was_taken_over_is_not() {
        assert!(Wire::comes_back(1006) && Wire::advice(1006).contains("lost"), "{}", Wire::advice(1006));
        assert!(Wire::comes_back(CloseCode::GoingAway.code()));
        let taken_over = CloseCode::TakenOver.code();
        assert!(!Wire::comes_back(taken_over));
        assert_eq!(Wire::advice(taken_over), CloseCode::TakenOver.advice());
    }
}
