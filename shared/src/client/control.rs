//! What is said now and then: welcome, seat, answers, what was published; and asking for rooms.

use super::requests::Answer;
use super::{Client, ClientEvent, EVENTS_KEPT, Interpolation, Phase, Prediction, Seat};
use crate::game::Game;
use crate::protocol::codec;
use crate::protocol::message::{ClientMsg, Request, ServerMsg, ServerNotice};
use crate::protocol::room::{Role, RoomChoice};
use crate::replication::replica::Replica;
use crate::time::{MonoTime, Tick};

impl<G: Game> Client<G> {
    /// Asks for a seat in another room, and gives up the one there is; the connection stays.
    pub fn switch(&mut self, now: MonoTime, room: RoomChoice, role: Role) {
        (self.config.room, self.config.role) = (Some(room), role);
        self.strayed = true;
        (self.seat, self.position) = (None, None);
        if self.phase != Phase::Greeting {
            self.phase = Phase::Joining;
            self.ask_for_a_seat(now);
        }
    }

    /// Gives up the seat, or the position in line, and stays in the lobby.
    pub fn exit(&mut self, now: MonoTime) {
        self.strayed = true;
        self.config.room = None;
        if matches!(self.phase, Phase::Joining | Phase::Playing) {
            self.return_to_lobby();
            self.request(now, Request::Exit);
        }
    }

    fn return_to_lobby(&mut self) {
        self.config.room = None;
        self.phase = Phase::Lobby;
        // What is known of the world stays until the next seat: snapshots that are on their way build on it.
        (self.seat, self.position) = (None, None);
    }

    pub(super) fn handle_control(&mut self, now: MonoTime, msg: &ServerMsg) {
        match *msg {
            ServerMsg::Welcome { token, resumed, .. } => {
                self.token = Some(token);
                self.phase = if resumed || self.config.room.is_some() { Phase::Joining } else { Phase::Lobby };
                self.resumed = resumed;
                self.out_events.push_back(ClientEvent::Welcomed(token));
                if !resumed {
                    // Not only with the next seat: should its joined be lost with the socket, that seat is resumed with what is known.
                    self.forget_the_world();
                    (self.seat, self.position) = (None, None);
                    self.ask_for_a_seat(now);
                }
            }
            ServerMsg::Joined { room, player, tick_hz, snapshot_every, tick_zero, mode, role } => {
                self.phase = Phase::Playing;
                self.position = None;
                let resumed = std::mem::take(&mut self.resumed);
                if !resumed {
                    self.joins_unanswered = self.joins_unanswered.saturating_sub(1);
                    self.forget_the_world();
                    if self.config.room.is_none() {
                        // It was given up again before it came; the exit is on its way.
                        self.phase = Phase::Lobby;
                        return;
                    }
                }
                self.seat = Some(Seat { room, player, tick_hz, snapshot_every, tick_zero, mode, role });
                self.interpolation.set_interval(snapshot_every);
                self.out_events.push_back(ClientEvent::Joined { room, player, mode, role });
                match (std::mem::take(&mut self.strayed) && resumed, self.config.room) {
                    (false, _) => {}
                    // Something else was wanted when the former connection went.
                    (true, Some(wanted)) => self.switch(now, wanted, self.config.role),
                    (true, None) => self.exit(now),
                }
            }
            ServerMsg::Pong { client_time, server_time, tick_us } => {
                self.stats.server_tick_ms = f64::from(tick_us) / 1000.0;
                self.clock.handle_pong(client_time, server_time, now);
                self.stats.rtt_ms = self.clock.rtt_ms();
                self.stats.jitter_ms = self.clock.jitter_ms();
            }
            ServerMsg::Queued { position } => {
                if matches!(self.phase, Phase::Joining | Phase::Playing) {
                    // TeamLabel was seated before was so by an earlier room_request than the one that waits here.
                    self.phase = Phase::Joining;
                    (self.seat, self.position) = (None, Some(position));
                }
            }
            ServerMsg::Reply { id, outcome } => {
                if self.requests.take(id) {
                    self.out_events.push_back(ClientEvent::Answered { id, answer: Answer::Came(outcome) });
                }
            }
            ServerMsg::Published { ref topic, at, ref publication } => {
                self.out_events.push_back(ClientEvent::Published {
                    topic: topic.clone(),
                    at,
                    publication: publication.clone(),
                });
            }
            // For pages that look at the frames themselves.
            ServerMsg::Handshake(_) => {}
            ServerMsg::DirectMessage { ref from, ref text } => {
                self.out_events.push_back(ClientEvent::DirectMessage { from: from.clone(), text: text.clone() });
            }
            ServerMsg::ServerNotice(ref notice) => self.handle_notice(notice),
        }
        while self.out_events.len() > EVENTS_KEPT {
            self.out_events.pop_front();
        }
    }

    fn handle_notice(&mut self, notice: &ServerNotice) {
        match notice {
            ServerNotice::Renamed { name } => self.config.name = name.clone(),
            ServerNotice::Following { player } => self.following = Some(*player),
            // Otherwise it was the room before, which was left already for another.
            ServerNotice::RoomEnds { seconds: 0 } if self.phase == Phase::Playing || self.position.is_some() => {
                self.return_to_lobby();
            }
            ServerNotice::Muted
            | ServerNotice::RoomEnds { .. }
            | ServerNotice::FriendJoined { .. }
            | ServerNotice::Missed { .. } => {}
        }
        self.out_events.push_back(ClientEvent::ServerNotice(notice.clone()));
    }

    fn ask_for_a_seat(&mut self, now: MonoTime) {
        let name = self.config.name.clone();
        let msg = match self.config.room {
            Some(room) => {
                self.joins_unanswered += 1;
                ClientMsg::Join { name, room, role: self.config.role }
            }
            // TeamLabel is in the lobby wants to be found by name, too.
            None => match self.requests.send(now, Request::SetName { name: name.as_str().to_owned() }) {
                Some((_, msg)) => msg,
                None => return,
            },
        };
        self.send(codec::encode_client(&msg));
    }

    /// A new seat: nothing of the world before holds any more. The clock and the lead do.
    pub(super) fn forget_the_world(&mut self) {
        let (hidden, plain) = (self.prediction.hidden(), self.interpolation.plain());
        self.prediction = Prediction::of(self.config.detail);
        self.prediction.set_hidden(hidden);
        self.interpolation = Interpolation::new(G::KINDS, G::TICK_HZ);
        self.interpolation.set_plain(plain);
        self.replica = Replica::default();
        self.context = G::PredictionContext::default();
        self.events.clear();
        self.names.clear();
        self.away.clear();
        self.following = None;
        self.match_status = None;
        self.board.clear();
        self.extent = 0;
        self.newest = None;
        self.counters = None;
        self.input_missing_at = None;
        self.stamps.clear();
        self.acked_input = Tick(0);
        self.sent = Tick(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use crate::client::{ClientConfig, Detail};
    use crate::game::PlayerId;
    use crate::protocol::REVISION;
    use crate::protocol::message::RoomId;
    use crate::protocol::name::Name;
    use crate::protocol::room::Mode;
    use crate::protocol::token::Token;

    const NOW: MonoTime = MonoTime(1_000_000);
    const OVER: ServerMsg = ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 });

    fn hear(client: &mut Client<Arena>, msg: &ServerMsg) {
        client.handle_frame(NOW, &codec::encode_server(msg)).expect("the server's own bytes");
    }

    fn joined(room: u32, role: Role) -> ServerMsg {
        let (player, tick_hz, snapshot_every) = (PlayerId(3), 60, 3);
        ServerMsg::Joined {
            room: RoomId(room),
            player,
            tick_hz,
            snapshot_every,
            tick_zero: NOW,
            mode: Mode::Open,
            role,
        }
    }

    fn welcome(resumed: bool) -> ServerMsg {
        let token = Token { session: 1, signature: [2; 16] };
        ServerMsg::Welcome { revision: REVISION, server: "test".to_owned(), token, resumed }
    }

    /// A client that plays in room 1.
    fn playing() -> Client<Arena> {
        let name = Name::new("Ann").expect("a fine name");
        let room = Some(RoomChoice::Room(RoomId(1)));
        let config = ClientConfig { name, agent: "test".to_owned(), room, role: Role::Play, detail: Detail::View };
        let mut client = Client::new(config);
        client.handle_open(NOW);
        hear(&mut client, &welcome(false));
        hear(&mut client, &joined(1, Role::Play));
        client
    }

    fn in_room(client: &Client<Arena>) -> (Phase, Option<u32>, Option<u32>) {
        (client.phase(), client.room().map(|(room, ..)| room.0), client.queue_position())
    }

    #[test]
    fn who_asks_for_another_room_is_in_none_and_its_end_is_no_matter() {
        let mut client = playing();
        assert_eq!(in_room(&client), (Phase::Playing, Some(1), None));
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        hear(&mut client, &OVER);
        assert_eq!(in_room(&client), (Phase::Joining, None, None), "it was the room before that is over");
        hear(&mut client, &ServerMsg::Queued { position: 4 });
        assert_eq!(in_room(&client), (Phase::Joining, None, Some(4)));
        hear(&mut client, &OVER);
        assert_eq!(in_room(&client), (Phase::Lobby, None, None), "the room that was waited for is over");

        let mut client = playing();
        hear(&mut client, &OVER);
        assert_eq!(in_room(&client), (Phase::Lobby, None, None));
    }

    #[test]
    fn a_seat_of_an_earlier_wish_gives_way_to_the_line_for_the_later_one() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Spectate);
        client.switch(NOW, RoomChoice::Room(RoomId(3)), Role::Play);
        hear(&mut client, &joined(2, Role::Spectate));
        hear(&mut client, &ServerMsg::Queued { position: 2 });
        assert_eq!(in_room(&client), (Phase::Joining, None, Some(2)));
        hear(&mut client, &joined(3, Role::Play));
        assert_eq!(in_room(&client), (Phase::Playing, Some(3), None));
    }

    #[test]
    fn a_seat_that_was_given_back_is_left_for_the_room_that_is_wanted_by_now() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.handle_open(NOW);
        hear(&mut client, &welcome(true));
        while client.poll_frame().is_some() {}
        hear(&mut client, &joined(1, Role::Play));
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        let frame = client.poll_frame().expect("it asks");
        let (_, bytes) = crate::protocol::FrameKind::split(&frame).expect("a frame");
        let asked = codec::decode_client(bytes).expect("its own bytes");
        assert!(matches!(asked, ClientMsg::Join { room: RoomChoice::Room(RoomId(2)), .. }), "{asked:?}");
    }

    /// What the hello of a new socket says the client has of the world.
    fn shown_on_resume(client: &mut Client<Arena>) -> Option<Tick> {
        client.handle_open(NOW);
        let frame = client.poll_frame().expect("a hello");
        let (_, bytes) = crate::protocol::FrameKind::split(&frame).expect("a frame");
        match codec::decode_client(bytes) {
            Ok(ClientMsg::Hello { resume, .. }) => resume.map(|resume| resume.have),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_world_is_shown_on_resume_only_if_it_is_that_of_the_seat() {
        let seen = || {
            let mut client = playing();
            client.newest = Some((Tick(40), NOW));
            client
        };
        assert_eq!(shown_on_resume(&mut seen()), Some(Tick(40)));

        // The seat was gone, and the joined for another one is lost with the socket.
        let mut client = seen();
        client.handle_open(NOW);
        hear(&mut client, &welcome(false));
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        assert_eq!(shown_on_resume(&mut client), Some(Tick(0)));

        // Two joins were under way, and only the answer to the first came.
        let mut client = seen();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.switch(NOW, RoomChoice::Room(RoomId(3)), Role::Play);
        hear(&mut client, &joined(2, Role::Play));
        client.newest = Some((Tick(90), NOW));
        assert_eq!(shown_on_resume(&mut client), Some(Tick(0)));
    }

    #[test]
    fn a_seat_that_comes_behind_an_exit_is_not_taken() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.exit(NOW);
        hear(&mut client, &joined(2, Role::Play));
        assert_eq!(in_room(&client), (Phase::Lobby, None, None), "the server reads the exit next");
    }
}
