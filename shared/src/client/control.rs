//! Control messages from the server, and moving between lobby and rooms.

use super::requests::Answer;
use super::session::Seat;
use super::{Client, ClientEvent, Phase};
use crate::game::Game;
use crate::protocol::message::{Request, ServerMsg, ServerNotice};
use crate::protocol::name::Name;
use crate::protocol::room::{Role, RoomChoice};
use crate::time::MonoTime;

impl<G: Game> Client<G> {
    /// Asks for a seat in another room and gives up the current one; the connection stays.
    pub fn switch(&mut self, now: MonoTime, room: RoomChoice, role: Role) {
        let session = &mut self.session;
        (session.config.room, session.config.role) = (Some(room), role);
        session.forget_redirect_join();
        session.move_pending = true;
        session.clear_seat();
        if session.phase != Phase::Greeting {
            session.phase = Phase::Joining;
            session.send_join(now, &mut self.out);
        }
    }

    /// Gives up the seat, or the position in the join queue, and stays in the lobby.
    pub fn exit(&mut self, now: MonoTime) {
        let session = &mut self.session;
        session.move_pending = true;
        session.config.room = None;
        session.forget_redirect_join();
        if matches!(session.phase, Phase::Joining | Phase::Playing) {
            session.return_to_lobby();
            session.request(now, Request::Exit, &mut self.out);
        }
    }

    /// Sets the player's name: at once in the lobby, otherwise with the next seat.
    pub fn rename(&mut self, now: MonoTime, name: Name) {
        if self.session.config.name == name {
            return;
        }
        self.session.config.name = name;
        if self.session.phase == Phase::Lobby {
            self.session.send_name(now, &mut self.out);
        }
    }

    pub(super) fn handle_control(&mut self, now: MonoTime, msg: &ServerMsg) {
        match *msg {
            ServerMsg::Welcome { token, resumed, account, .. } => {
                if self.session.phase != Phase::Greeting {
                    self.go_on(resumed);
                }
                let session = &mut self.session;
                session.account_in_use = account;
                session.token = Some(token);
                session.phase = match (session.phase, resumed, session.config.room) {
                    // Over a connection that goes on the seat is certain.
                    (Phase::Playing, true, _) => Phase::Playing,
                    (_, true, _) | (_, false, Some(_)) => Phase::Joining,
                    (_, false, None) => Phase::Lobby,
                };
                session.resuming = resumed;
                self.out.emit(ClientEvent::Welcomed(token));
                if !resumed {
                    // Not only with the next seat: if its Joined is lost with the socket, that seat is resumed with what is known.
                    self.reset_room();
                    self.session.clear_seat();
                    self.session.send_join(now, &mut self.out);
                }
            }
            ServerMsg::Joined { room, player, tick_hz, snapshot_every, tick_zero, mode, role } => {
                self.handle_seat(now, Seat { room, player, tick_hz, snapshot_every, tick_zero, mode, role });
            }
            ServerMsg::Pong { client_time, server_time, tick_us } => {
                let (clock, stats) = (&mut self.session.clock, &mut self.out.stats);
                stats.server_tick_ms = f64::from(tick_us) / 1000.0;
                clock.handle_pong(client_time, server_time, now);
                stats.rtt_ms = clock.rtt_ms();
                stats.jitter_ms = clock.jitter_ms();
            }
            ServerMsg::Queued { position } => {
                if matches!(self.session.phase, Phase::Joining | Phase::Playing) {
                    // A seat held until now belongs to an earlier request than the one that is queued.
                    self.session.phase = Phase::Joining;
                    (self.session.seat, self.session.queue_position) = (None, Some(position));
                }
            }
            ServerMsg::Reply { id, outcome } => {
                if self.session.take_answer(id) {
                    self.out.emit(ClientEvent::Answered { id, answer: Answer::Received(outcome) });
                }
            }
            ServerMsg::Published { ref topic, at, ref publication } => {
                let (topic, publication) = (topic.clone(), publication.clone());
                self.out.emit(ClientEvent::Published { topic, at, publication });
            }
            // Only a page that reads the frames itself uses it.
            ServerMsg::Handshake(_) => {}
            ServerMsg::Scores { ref lines } => self.world.scores.clone_from(lines),
            ServerMsg::DirectMessage { ref from, ref text } => {
                self.out.emit(ClientEvent::DirectMessage { from: from.clone(), text: text.clone() });
            }
            ServerMsg::ServerNotice(ref notice) => self.handle_notice(notice),
            ServerMsg::Redirect { ref url, join } => {
                (self.session.redirect, self.session.redirect_join) = (Some(url.clone()), join);
            }
            ServerMsg::Nodes { ref urls } => self.session.nodes = Some(urls.clone()),
        }
    }

    /// Another server goes on with the connection and welcomes the client again: it knows of no cell that the client has, nor what it has
    /// counted. What was sent to the former server and not read by it is read by this one.
    fn go_on(&mut self, resumed: bool) {
        self.session.queue_position = None;
        self.start_counting();
        if resumed {
            self.world.replica.forget_cells();
        }
    }

    fn handle_seat(&mut self, now: MonoTime, seat: Seat) {
        self.session.phase = Phase::Playing;
        self.session.queue_position = None;
        let resumed = std::mem::take(&mut self.session.resuming);
        if !resumed {
            self.session.joins_unanswered = self.session.joins_unanswered.saturating_sub(1);
            self.reset_room();
            if self.session.config.room.is_none() && self.session.request(now, Request::Exit, &mut self.out).is_some() {
                // The seat was given up before it came. The exit is sent again, since the first may have been refused as too fast.
                self.session.phase = Phase::Lobby;
                return;
            }
        }
        self.session.seat = Some(seat);
        self.world.interpolation.set_interval(seat.snapshot_every);
        let Seat { room, player, mode, role, .. } = seat;
        self.out.emit(ClientEvent::Joined { room, player, mode, role });
        match (std::mem::take(&mut self.session.move_pending) && resumed, self.session.config.room) {
            (false, _) => {}
            // Another room was requested when the former connection was lost.
            (true, Some(room)) => self.switch(now, room, self.session.config.role),
            (true, None) => self.exit(now),
        }
    }

    fn handle_notice(&mut self, notice: &ServerNotice) {
        let session = &mut self.session;
        match notice {
            ServerNotice::Renamed { name } => session.config.name = name.clone(),
            ServerNotice::Following { player } => self.world.following = Some(*player),
            // Otherwise it is the former room, which the client has already left.
            ServerNotice::RoomEnds { seconds: 0 }
                if session.phase == Phase::Playing || session.queue_position.is_some() =>
            {
                session.return_to_lobby();
            }
            ServerNotice::Muted
            | ServerNotice::RoomEnds { .. }
            | ServerNotice::FriendJoined { .. }
            | ServerNotice::Missed { .. } => {}
        }
        self.out.emit(ClientEvent::ServerNotice(notice.clone()));
    }

    /// A new seat: the former room's state is void. The clock and the lead stay.
    pub(super) fn reset_room(&mut self) {
        self.world.reset();
        self.local.reset(self.session.config.detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::nodes::Arrival;
    use crate::client::{ClientConfig, Detail};
    use crate::ids::{PlayerId, RoomId};
    use crate::protocol::message::ClientMsg;
    use crate::protocol::room::ModeId;
    use crate::protocol::token::Token;
    use crate::protocol::{REVISION, codec};
    use crate::time::Tick;
    use crate::toy::Toy;

    const NOW: MonoTime = MonoTime(1_000_000);
    const ROOM_ENDED: ServerMsg = ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 });

    fn receive(client: &mut Client<Toy>, msg: &ServerMsg) {
        client.handle_frame(NOW, &codec::encode_server(msg)).expect("the server's own bytes");
    }

    fn joined(room: u32, role: Role) -> ServerMsg {
        let (player, tick_hz, snapshot_every) = (PlayerId(3), 60, 3);
        ServerMsg::Joined { room: RoomId(room), player, tick_hz, snapshot_every, tick_zero: NOW, mode: ModeId(0), role }
    }

    fn welcome(resumed: bool) -> ServerMsg {
        let token = Token { session: 1, signature: [2; 16] };
        ServerMsg::Welcome { revision: REVISION, server: "test".to_owned(), token, resumed, account: None }
    }

    /// A client that plays in room 1.
    fn playing() -> Client<Toy> {
        let name = Name::new("Ann").expect("a valid name");
        let room = Some(RoomChoice::Room(RoomId(1)));
        let config = ClientConfig { name, agent: "test".to_owned(), room, role: Role::Play, detail: Detail::View };
        let mut client = Client::new(config);
        client.handle_open(NOW);
        receive(&mut client, &welcome(false));
        receive(&mut client, &joined(1, Role::Play));
        client
    }

    #[test]
    fn another_server_goes_on_with_the_connection_and_what_is_known_of_the_room_stays() {
        let mut client = playing();
        client.world.names.insert(PlayerId(9), Name::new("Ben").expect("a valid name"));
        let asked = client.request(NOW, Request::Scores).expect("few are asked");
        while client.poll_frame().is_some() {}
        for msg in [welcome(true), joined(1, Role::Play)] {
            receive(&mut client, &msg);
            assert_eq!(in_room(&client), (Phase::Playing, Some(1), None));
        }
        assert!(client.world.names.get(PlayerId(9)).is_some());
        assert!(client.session.take_answer(asked), "the server that goes on may answer");
        assert_eq!(client.poll_frame(), None, "nothing is asked for");
        // One that does not know the seat.
        receive(&mut client, &welcome(false));
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        assert!(client.world.names.get(PlayerId(9)).is_none());
        assert!(client.poll_frame().is_some(), "a seat is asked for");
    }

    fn in_room(client: &Client<Toy>) -> (Phase, Option<u32>, Option<u32>) {
        (client.phase(), client.room().map(|(room, ..)| room.0), client.queue_position())
    }

    #[test]
    fn a_room_change_gives_up_the_seat_and_ignores_the_end_of_the_former_room() {
        let mut client = playing();
        assert_eq!(in_room(&client), (Phase::Playing, Some(1), None));
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        receive(&mut client, &ROOM_ENDED);
        assert_eq!(in_room(&client), (Phase::Joining, None, None), "the former room ended");
        receive(&mut client, &ServerMsg::Queued { position: 4 });
        assert_eq!(in_room(&client), (Phase::Joining, None, Some(4)));
        receive(&mut client, &ROOM_ENDED);
        assert_eq!(in_room(&client), (Phase::Lobby, None, None), "the awaited room ended");

        let mut client = playing();
        receive(&mut client, &ROOM_ENDED);
        assert_eq!(in_room(&client), (Phase::Lobby, None, None));
    }

    #[test]
    fn a_seat_of_an_earlier_request_gives_way_to_the_join_queue_of_the_later_one() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Spectate);
        client.switch(NOW, RoomChoice::Room(RoomId(3)), Role::Play);
        receive(&mut client, &joined(2, Role::Spectate));
        receive(&mut client, &ServerMsg::Queued { position: 2 });
        assert_eq!(in_room(&client), (Phase::Joining, None, Some(2)));
        receive(&mut client, &joined(3, Role::Play));
        assert_eq!(in_room(&client), (Phase::Playing, Some(3), None));
    }

    #[test]
    fn a_resumed_seat_is_left_for_the_room_requested_since() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.handle_open(NOW);
        receive(&mut client, &welcome(true));
        while client.poll_frame().is_some() {}
        receive(&mut client, &joined(1, Role::Play));
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        let frame = client.poll_frame().expect("a join");
        let (_, bytes) = crate::protocol::FrameKind::split(&frame).expect("a frame");
        let sent = codec::decode_client(bytes).expect("the client's own bytes");
        assert!(matches!(sent, ClientMsg::Join { room: RoomChoice::Room(RoomId(2)), .. }), "{sent:?}");
    }

    /// The next message that the client has to send.
    fn sent(client: &mut Client<Toy>) -> ClientMsg {
        loop {
            let frame = client.poll_frame().expect("a message");
            let (_, bytes) = crate::protocol::FrameKind::split(&frame).expect("a frame");
            match codec::decode_client(bytes).expect("the client's own bytes") {
                ClientMsg::Ping { .. } => {}
                msg => return msg,
            }
        }
    }

    /// Receives a redirect, and opens a connection there.
    fn redirected(client: &mut Client<Toy>, join: Option<RoomChoice>) {
        receive(client, &ServerMsg::Redirect { url: "ws://b.example".to_owned(), join });
        assert_eq!(client.take_redirect().as_deref(), Some("ws://b.example"));
        assert_eq!(client.take_redirect(), None, "once");
        client.handle_open_at(NOW, Arrival::Redirected);
    }

    #[test]
    fn a_redirect_with_a_room_is_a_new_session_that_asks_for_that_room_once() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Quick, Role::Spectate);
        redirected(&mut client, Some(RoomChoice::Room(RoomId(7))));
        assert!(matches!(sent(&mut client), ClientMsg::Hello { resume: None, .. }));
        receive(&mut client, &welcome(false));
        let join = sent(&mut client);
        let seven = RoomChoice::Room(RoomId(7));
        assert!(matches!(&join, ClientMsg::Join { room, role: Role::Spectate, .. } if *room == seven), "{join:?}");
        receive(&mut client, &joined(7, Role::Spectate));
        assert_eq!(in_room(&client), (Phase::Playing, Some(7), None));
        // That seat is lost: what the player chose holds.
        client.handle_open(NOW);
        assert!(matches!(sent(&mut client), ClientMsg::Hello { resume: Some(_), .. }));
        receive(&mut client, &welcome(false));
        let join = sent(&mut client);
        assert!(matches!(join, ClientMsg::Join { room: RoomChoice::Quick, role: Role::Spectate, .. }), "{join:?}");
    }

    #[test]
    fn a_redirect_without_a_room_resumes_the_session_there() {
        let mut client = playing();
        redirected(&mut client, None);
        let hello = sent(&mut client);
        assert!(
            matches!(&hello, ClientMsg::Hello { resume: Some(resume), .. } if resume.token.session == 1),
            "{hello:?}"
        );
        receive(&mut client, &welcome(true));
        receive(&mut client, &joined(1, Role::Play));
        assert_eq!(in_room(&client), (Phase::Playing, Some(1), None));
    }

    #[test]
    fn whoever_gives_up_a_node_that_is_gone_asks_for_a_seat_in_the_same_mode() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(7)), Role::Play);
        receive(&mut client, &joined(7, Role::Play));
        receive(&mut client, &ServerMsg::Redirect { url: "ws://b.example".to_owned(), join: None });
        client.handle_open_at(NOW, Arrival::Anew);
        assert!(matches!(sent(&mut client), ClientMsg::Hello { resume: None, .. }));
        receive(&mut client, &welcome(false));
        let join = sent(&mut client);
        assert!(matches!(join, ClientMsg::Join { room: RoomChoice::Mode(ModeId(0)), .. }), "{join:?}");
    }

    #[test]
    fn the_room_of_a_redirect_is_not_asked_for_elsewhere_nor_when_the_player_has_chosen_again() {
        for (case, arrival) in
            [("elsewhere", Arrival::Other), ("again", Arrival::Redirected), ("none", Arrival::Redirected)]
        {
            let mut client = playing();
            receive(&mut client, &ServerMsg::Redirect { url: String::new(), join: Some(RoomChoice::Room(RoomId(7))) });
            match case {
                "again" => client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play),
                "none" => client.exit(NOW),
                _ => {}
            }
            client.handle_open_at(NOW, arrival);
            assert!(matches!(sent(&mut client), ClientMsg::Hello { resume: Some(_), .. }), "{case}");
            receive(&mut client, &welcome(false));
            let msg = sent(&mut client);
            let room = |id| ClientMsg::Join {
                name: client.name().clone(),
                room: RoomChoice::Room(RoomId(id)),
                role: Role::Play,
            };
            match case {
                "elsewhere" => assert_eq!(msg, room(1)),
                "again" => assert_eq!(msg, room(2)),
                _ => assert!(matches!(msg, ClientMsg::Request { request: Request::SetName { .. }, .. }), "{msg:?}"),
            }
        }
        // It arrived there, and the player chooses another room before the welcome.
        let mut client = playing();
        redirected(&mut client, Some(RoomChoice::Room(RoomId(7))));
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        receive(&mut client, &welcome(false));
        sent(&mut client);
        let join = sent(&mut client);
        assert!(matches!(join, ClientMsg::Join { room: RoomChoice::Room(RoomId(2)), .. }), "{join:?}");
    }

    #[test]
    fn the_list_of_nodes_is_handed_out_once_and_survives_the_socket() {
        let mut client = playing();
        assert_eq!(client.take_nodes(), None);
        receive(&mut client, &ServerMsg::Nodes { urls: vec!["ws://b.example".to_owned()] });
        client.handle_open(NOW);
        assert_eq!(client.take_nodes(), Some(vec!["ws://b.example".to_owned()]));
        assert_eq!(client.take_nodes(), None);
    }

    /// What the hello of a new socket says the client has of the world.
    fn shown_on_resume(client: &mut Client<Toy>) -> Option<Tick> {
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
            client.world.newest = Some((Tick(40), NOW));
            client
        };
        assert_eq!(shown_on_resume(&mut seen()), Some(Tick(40)));

        // The seat was gone, and the joined for another one is lost with the socket.
        let mut client = seen();
        client.handle_open(NOW);
        receive(&mut client, &welcome(false));
        assert_eq!(in_room(&client), (Phase::Joining, None, None));
        assert_eq!(shown_on_resume(&mut client), Some(Tick(0)));

        // Two joins were under way, and only the answer to the first came.
        let mut client = seen();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.switch(NOW, RoomChoice::Room(RoomId(3)), Role::Play);
        receive(&mut client, &joined(2, Role::Play));
        client.world.newest = Some((Tick(90), NOW));
        assert_eq!(shown_on_resume(&mut client), Some(Tick(0)));
    }

    #[test]
    fn a_seat_that_comes_behind_an_exit_is_not_taken() {
        let mut client = playing();
        client.switch(NOW, RoomChoice::Room(RoomId(2)), Role::Play);
        client.exit(NOW);
        receive(&mut client, &joined(2, Role::Play));
        assert_eq!(in_room(&client), (Phase::Lobby, None, None), "the server reads the exit next");
    }
}
