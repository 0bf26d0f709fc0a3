//! Inspection of Broadside's protocol for web pages: a client whose socket belongs to the page's script, and every frame as JSON.
//!
//! The script opens the WebSocket, passes each received frame to [`WireClient::receive`] and sends the frames of
//! [`WireClient::next_frame`], so it sees all traffic. The frames are decoded by the code of the game's own client. This is a separate
//! WebAssembly module, so that the game does not load it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`json`] | messages as JSON |
//!
//! Absent on purpose: sockets, elements of the page.

pub mod json;

use broadside_arena::{Arena, ArenaInput};
use broadside_shared::client::requests::Answer;
use broadside_shared::client::room_request::RoomRequest;
use broadside_shared::client::{Client, ClientConfig, ClientEvent, Detail, Phase};
use broadside_shared::game::Game;
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
    /// Milliseconds since the page was opened, with fractions.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn now_ms() -> f64;
}

fn now() -> MonoTime {
    MonoTime((now_ms() * 1000.0) as u64)
}

/// A client without a socket. Pages know it as `Wire`.
#[wasm_bindgen(js_name = Wire)]
pub struct WireClient {
    client: Client<Arena>,
}

#[wasm_bindgen(js_class = Wire)]
impl WireClient {
    /// A client that stays in the lobby under this name.
    ///
    /// # Errors
    /// Why the name is invalid.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str) -> Result<WireClient, String> {
        let name = Name::new(name).map_err(|reason| reason.to_string())?;
        let agent = concat!("wire ", env!("CARGO_PKG_VERSION")).to_owned();
        let config = ClientConfig { name, agent, room: None, role: Role::Spectate, detail: Detail::Replica };
        Ok(WireClient { client: Client::new(config) })
    }

    /// The WebSocket subprotocol to offer.
    #[must_use]
    pub fn subprotocol() -> String {
        SUBPROTOCOL.to_owned()
    }

    /// Time without a frame after which the server counts as lost, in milliseconds. A live server answers about one ping per second.
    #[must_use]
    pub fn silence_ms() -> f64 {
        SILENCE_US as f64 / 1000.0
    }

    /// A sentence about a close code: what happened and what to do. A code outside Broadside's range means that the connection was lost.
    #[must_use]
    pub fn advice(code: u16) -> String {
        CloseCode::from_code(code).map_or("The connection was lost.", CloseCode::advice).to_owned()
    }

    /// Whether to reconnect automatically after this close code.
    #[must_use]
    pub fn reconnects(code: u16) -> bool {
        CloseCode::from_code(code).is_none_or(|code| code.retry() == Retry::Automatic)
    }

    /// Handles the open socket.
    pub fn open(&mut self) {
        self.client.handle_open(now());
    }

    /// Advances the clock: pings, inputs and acks become due. Gives the ids of requests that were not answered in time.
    pub fn advance(&mut self) -> Vec<u32> {
        self.client.advance(now(), &ArenaInput::default());
        let mut unanswered = Vec::new();
        while let Some(event) = self.client.poll_event() {
            // The page reads all other events from the frames.
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

    /// Handles a frame from the server and gives it as JSON: `kind`, and `msg` for control messages, the parts for snapshots.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    #[wasm_bindgen(js_name = received)]
    pub fn receive(&mut self, frame: &[u8]) -> Result<String, String> {
        let before = *self.client.stats();
        let (kind, rest) = FrameKind::split(frame).map_err(|wrong| wrong.to_string())?;
        let json = match kind {
            FrameKind::Control => {
                codec::decode_server(rest).map(|msg| frame_json("control", "msg", &json::write(&msg)))
            }
            FrameKind::State => Ok(String::new()),
        };
        self.client.handle_frame(now(), frame).map_err(|wrong| wrong.to_string())?;
        if kind == FrameKind::Control {
            return json.map_err(|wrong| wrong.to_string());
        }
        let after = self.client.stats();
        let cells = (after.bytes_cells - before.bytes_cells) as usize;
        let events = (after.bytes_events - before.bytes_events) as usize;
        let updates = (after.bytes_updates - before.bytes_updates) as usize;
        self.snapshot(rest, (cells, events, updates)).map_err(|wrong| wrong.to_string())
    }

    fn snapshot(&self, rest: &[u8], (cells, events, updates): (usize, usize, usize)) -> Result<String, WireError> {
        let mut bits = BitReader::new(rest);
        let head = SnapshotHead::read(&mut bits)?;
        let head_bytes = bits.align()?;
        let local_player = rest.len() - head_bytes - cells - events - updates;
        let mut updates_json = String::new();
        let mut bytes = &rest[rest.len() - updates..];
        while !bytes.is_empty() {
            let (update, used) = codec::decode_update(bytes)?;
            bytes = &bytes[used..];
            updates_json.push_str(if updates_json.is_empty() { "" } else { "," });
            updates_json.push_str(&json::write(&update));
        }
        let records = self.client.replica().records().count();
        let subscribed = self.client.replica().cells().count();
        Ok(format!(
            "{{\"kind\":\"snapshot\",\"tick\":{},\"consumed\":{},\"missing\":{},\"dropped\":{},\"budget\":{},\
             \"records\":{records},\"subscribed\":{subscribed},\"parts\":{{\"head\":{},\
             \"local_player\":{local_player},\"cells\":{cells},\"events\":{events},\"updates\":{updates}}},\"room_updates\":[{updates_json}]}}",
            head.tick.0,
            head.consumed.0,
            head.missing,
            head.dropped,
            head.budget,
            head_bytes + 1,
        ))
    }

    /// Gives a frame to the server as JSON.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    #[wasm_bindgen(js_name = describeSent)]
    pub fn describe_sent(&self, frame: &[u8]) -> Result<String, String> {
        let (kind, rest) = FrameKind::split(frame).map_err(|wrong| wrong.to_string())?;
        let json = match kind {
            FrameKind::Control => {
                codec::decode_client(rest).map(|msg| frame_json("control", "msg", &json::write(&msg)))
            }
            FrameKind::State => InputPacket::<ArenaInput>::decode(rest).map(|packet| {
                let samples = packet.samples.len();
                let parts = format!(
                    "{{\"acked\":{},\"first\":{},\"lag\":{},\"samples\":{samples}}}",
                    packet.acked.0, packet.first.0, packet.lag
                );
                frame_json("input", "msg", &parts)
            }),
        };
        json.map_err(|wrong| wrong.to_string())
    }

    /// Subscribes to a topic, or unsubscribes. Gives the id of the request, like all requests here.
    pub fn subscribe(&mut self, topic: &str, on: bool) -> Option<u32> {
        let topic = topic.to_owned();
        self.send_request(if on { Request::Subscribe { topic } } else { Request::Unsubscribe { topic } })
    }

    /// Sends a chat message.
    pub fn say(&mut self, topic: &str, text: &str) -> Option<u32> {
        self.send_request(Request::Say { topic: topic.to_owned(), text: text.to_owned() })
    }

    /// Sends a direct message.
    #[wasm_bindgen(js_name = directMessage)]
    pub fn send_direct_message(&mut self, to: &str, text: &str) -> Option<u32> {
        self.send_request(Request::DirectMessage { to: to.to_owned(), text: text.to_owned() })
    }

    /// Requests the opening handshake of this connection.
    pub fn handshake(&mut self) -> Option<u32> {
        self.send_request(Request::Handshake)
    }

    /// Sends a join for a room request in the notation of [`RoomRequest`], such as `watch:room:7` or `mode:duel`.
    ///
    /// # Errors
    /// The text is no room request.
    pub fn join(&mut self, room_request: &str) -> Result<(), String> {
        let room_request = RoomRequest::from_text(room_request, <Arena as Game>::MODES)
            .ok_or("a room request looks like room:7, watch:room:7, mode:duel or code:K7QF2M")?;
        self.client.switch(now(), room_request.room, room_request.role);
        Ok(())
    }

    /// Gives up the seat.
    pub fn exit(&mut self) {
        self.client.exit(now());
    }

    /// Whether the welcome has arrived.
    #[must_use]
    pub fn welcomed(&self) -> bool {
        self.client.phase() != Phase::Greeting
    }

    /// The id of the current room.
    #[must_use]
    pub fn room(&self) -> Option<u32> {
        self.client.room().map(|(room, ..)| room.0)
    }

    /// Time since `at_us` on the server's clock, in milliseconds; `None` before the first pong.
    #[must_use]
    pub fn age_ms(&self, at_us: f64) -> Option<f64> {
        self.client.server_time(now()).map(|server| (server.0 as f64 - at_us) / 1000.0)
    }

    fn send_request(&mut self, request: Request) -> Option<u32> {
        self.client.request(now(), request)
    }
}

fn frame_json(kind: &str, key: &str, value: &str) -> String {
    format!("{{\"kind\":\"{kind}\",\"{key}\":{value}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_reconnects_and_one_that_was_taken_over_does_not() {
        assert!(
            WireClient::reconnects(1006) && WireClient::advice(1006).contains("lost"),
            "{}",
            WireClient::advice(1006)
        );
        assert!(WireClient::reconnects(CloseCode::GoingAway.code()));
        let taken_over = CloseCode::TakenOver.code();
        assert!(!WireClient::reconnects(taken_over));
        assert_eq!(WireClient::advice(taken_over), CloseCode::TakenOver.advice());
    }
}
