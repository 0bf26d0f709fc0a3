//! Scenes of one or two shards. Rooms are played by the test: it hands in their commands and sees what is sent to them.

mod accounts;
mod elsewhere;
mod game_requests;
mod messages;

use std::net::SocketAddr;

use broadside_shared::toy::{Push, Toy};

use broadside_shared::protocol::FrameKind;
use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::codec::{decode_server, encode_client};
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::message::{
    ClientMsg, Outcome, Publication, Refusal, Request, Resume, ServerMsg, ServerNotice,
};
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::token::Token;
use broadside_shared::replication::cells::LayerSet;
use broadside_shared::replication::world::{Placement, WorldState};
use broadside_shared::time::Tick;
use glam::Vec2;

use super::*;
use crate::commands::SeatLocation;
use crate::fanout::flow::SocketState;
use crate::messages::EncodedMessage;
use crate::room::{DueSnapshot, RoomOutput};
use crate::testing::{Sent, TestLobby, name, room_info};

const ONE: RoomId = RoomId(1);
const TWO: RoomId = RoomId(2);

/// What a client sees of its connection.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Message(ServerMsg),
    Closed(CloseCode),
    MigratedTo(usize),
}

/// Two shards, rooms 1 and 2, and a lobby.
struct Scene {
    lobby: TestLobby,
    shards: [ShardCore<Toy>; 2],
    now: MonoTime,
    connected: u64,
    /// By shard and key, until the connection is lost.
    seen: BTreeMap<(usize, usize), Vec<Seen>>,
    closed: BTreeMap<(usize, usize), CloseCode>,
    migrating: Vec<(usize, Box<Connection<Toy>>)>,
}

impl Scene {
    fn new() -> Self {
        let lobby = TestLobby::default();
        [1, 2].into_iter().for_each(|room| lobby.open_room(room_info(room)));
        Scene {
            lobby,
            shards: [ShardCore::new(0), ShardCore::new(1)],
            now: MonoTime(0),
            connected: 0,
            seen: BTreeMap::new(),
            closed: BTreeMap::new(),
            migrating: Vec::new(),
        }
    }

    /// A moment later: no rate limit is met.
    fn pass(&mut self) {
        self.now = self.now.plus_ms(1_000);
        self.lobby.set_time(self.now);
    }

    fn connect(&mut self, shard: usize, key: usize) -> ConnectionId {
        self.connected += 1;
        let id = ConnectionId { shard, key, serial: self.connected };
        let origin = Origin::Client(SocketAddr::from(([10, 0, 0, 1], 5000)));
        self.shards[shard].handle_connect(self.now, id, origin, None, None, &self.lobby);
        self.drain(shard);
        id
    }

    /// One frame of several that come in one go.
    fn frame(&mut self, id: ConnectionId, msg: &ClientMsg) {
        self.shards[id.shard].handle_frame(self.now, id.key, &encode_client(msg), &self.lobby);
        self.drain(id.shard);
    }

    fn read_end(&mut self, id: ConnectionId) {
        self.shards[id.shard].handle_read_end(self.now, id.key, 100, &self.lobby);
        self.drain(id.shard);
    }

    fn say(&mut self, id: ConnectionId, msg: &ClientMsg) {
        self.pass();
        self.frame(id, msg);
        self.read_end(id);
    }

    fn request(&mut self, id: ConnectionId, number: u32, request: Request) {
        self.say(id, &ClientMsg::Request { id: number, request });
    }

    fn lose(&mut self, id: ConnectionId) {
        self.shards[id.shard].handle_lost(self.now, id.key, &self.lobby);
        self.drain(id.shard);
        self.seen.remove(&(id.shard, id.key));
        self.closed.remove(&(id.shard, id.key));
    }

    fn command(&mut self, shard: usize, command: ShardCommand) {
        self.shards[shard].handle_command(self.now, command, &self.lobby);
        self.drain(shard);
    }

    /// Delivers what the lobby sent to the shards.
    fn deliver_commands(&mut self) {
        loop {
            let commands = self.lobby.take_shard_commands();
            if commands.is_empty() {
                return;
            }
            for (to, command) in commands {
                match to {
                    Some(shard) => self.command(shard, command),
                    None => (0..2).for_each(|shard| self.command(shard, command.clone())),
                }
            }
        }
    }

    /// Hands connections that migrate over, under this key.
    fn arrive(&mut self, key: usize) {
        for (shard, connection) in std::mem::take(&mut self.migrating) {
            self.shards[shard].handle_migrated(self.now, key, connection, &self.lobby);
            self.drain(shard);
        }
    }

    fn drain(&mut self, shard: usize) {
        while let Some(output) = self.shards[shard].poll_output() {
            let (key, seen) = match output {
                Output::Frame(key, frame) => {
                    let (kind, message) = FrameKind::split(&frame).expect("a frame of ours");
                    assert_eq!(kind, FrameKind::Control);
                    (key, Seen::Message(decode_server(message).expect("a message of ours")))
                }
                Output::Message(key, message) => {
                    (key, Seen::Message(decode_server(message.message()).expect("a message of ours")))
                }
                Output::Ping(_) => continue,
                Output::Close(key, code) => (key, Seen::Closed(code)),
                Output::Migrate(key, to, connection) => {
                    self.migrating.push((to, connection));
                    (key, Seen::MigratedTo(to))
                }
            };
            let at = (shard, key);
            assert!(!self.closed.contains_key(&at), "{seen:?} follows the close of {at:?}");
            if let Seen::Closed(code) = seen {
                self.closed.insert(at, code);
            }
            self.seen.entry(at).or_default().push(seen);
        }
    }

    /// Takes what a client has seen since the last call.
    fn seen(&mut self, id: ConnectionId) -> Vec<Seen> {
        self.seen.remove(&(id.shard, id.key)).unwrap_or_default()
    }

    /// A connection that was welcomed.
    fn greet(&mut self, shard: usize, key: usize) -> (ConnectionId, Token) {
        let id = self.connect(shard, key);
        self.say(id, &hello(None));
        match &self.seen(id)[..] {
            [Seen::Message(ServerMsg::Welcome { token, resumed: false, .. })] => (id, *token),
            other => panic!("a welcome was due, not {other:?}"),
        }
    }

    /// Greets under a name, asks for a seat and is given this one.
    fn seated(&mut self, shard: usize, key: usize, room: RoomId, player: u16) -> (ConnectionId, Token) {
        let (id, token) = self.greet(shard, key);
        self.say(id, &join(room, &format!("Player {player}"), Role::Play));
        self.give(id, room, seat(player));
        self.seen(id);
        self.lobby.take_sent();
        (id, token)
    }

    /// The room gives a seat.
    fn give(&mut self, id: ConnectionId, room: RoomId, seat: SeatAssignment) {
        if !self.shards[id.shard].fanouts().contains_key(&room) {
            self.command(id.shard, ShardCommand::RoomOpened(room_info(room.0), Vec::new()));
        }
        self.command(id.shard, ShardCommand::Seated(id, room, seat));
    }

    /// A tick of the room with snapshots for these players. Gives the frames by key.
    fn tick(&mut self, shard: usize, room: RoomId, tick: u32, players: &[u16]) -> BTreeMap<usize, Vec<u8>> {
        self.pass();
        self.command(shard, ShardCommand::Tick(room, output(tick, players)));
        self.fan_out(shard)
    }

    fn fan_out(&mut self, shard: usize) -> BTreeMap<usize, Vec<u8>> {
        let mut sockets = Written::default();
        while self.shards[shard].fan_out_next(self.now, &mut sockets).is_some() {}
        sockets.0
    }
}

#[derive(Default)]
struct Written(BTreeMap<usize, Vec<u8>>);

impl Sockets for Written {
    const HEADROOM: usize = 0;

    fn state(&self, _key: usize) -> Option<SocketState> {
        Some(SocketState::Free)
    }

    fn write(&mut self, key: usize, frame: &mut [u8]) -> bool {
        assert!(self.0.insert(key, frame.to_vec()).is_none(), "two frames at once for {key}");
        true
    }
}

/// The output of a tick in which nothing happens.
fn output(tick: u32, players: &[u16]) -> Arc<RoomOutput> {
    let head = SnapshotHead { tick: Tick(tick), ..SnapshotHead::default() };
    let mut world = WorldState::default();
    world.capture(&Toy::new(&(), ModeId(0), 5), Tick(tick), &mut Placement::every(2));
    let due = |player: &u16| DueSnapshot {
        player: PlayerId(*player),
        head,
        focus: Vec2::ZERO,
        layers: LayerSet::EVERYONE,
        player_state: 0..1,
    };
    Arc::new(RoomOutput {
        tick: Tick(tick),
        world: Some(Arc::new(world)),
        due: players.iter().map(due).collect(),
        player_state_bytes: vec![0],
        ..RoomOutput::default()
    })
}

/// How often a frame holds a message.
fn count(frame: &[u8], message: &EncodedMessage) -> usize {
    frame.windows(message.update().len()).filter(|bytes| *bytes == message.update()).count()
}

fn hello(token: Option<Token>) -> ClientMsg {
    let resume = token.map(|token| Resume { token, have: Tick(0), cells: Vec::new() });
    ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume, account: None }
}

fn join(room: RoomId, player: &str, role: Role) -> ClientMsg {
    ClientMsg::Join { name: name(player), room: RoomChoice::Room(room), role }
}

fn seat(player: u16) -> SeatAssignment {
    SeatAssignment { player: PlayerId(player), tick_zero: MonoTime(0), since: Tick(3), role: Role::Play }
}

fn direct(text: &str) -> EncodedMessage {
    let text = Text::new(text).expect("a valid text");
    EncodedMessage::new(ServerMsg::DirectMessage { from: name("Somebody"), text })
}

fn said(text: &str) -> Publication {
    Publication::Said { from: name("Somebody"), text: Text::new(text).expect("a valid text") }
}

fn reply(id: u32, outcome: Outcome) -> Seen {
    Seen::Message(ServerMsg::Reply { id, outcome })
}

/// The texts of the publications among what was seen.
fn texts(seen: &[Seen]) -> Vec<&str> {
    seen.iter()
        .filter_map(|seen| match seen {
            Seen::Message(ServerMsg::Published { publication: Publication::Said { text, .. }, .. }) => {
                Some(text.as_str())
            }
            _ => None,
        })
        .collect()
}

/// Whether the client was welcomed back in this seat, and saw nothing before.
fn is_resumed(seen: &[Seen], player: u16) -> bool {
    matches!(seen, [
        Seen::Message(ServerMsg::Welcome { resumed: true, .. }),
        Seen::Message(ServerMsg::Joined { player: PlayerId(given), .. }),
        ..
    ] if *given == player)
}

fn subscribe() -> Request {
    Request::Subscribe { topic: Topic::LobbyChat.to_string() }
}

#[test]
fn a_takeover_closes_the_former_connection_and_hands_over_its_subscriptions_and_messages() {
    let mut scene = Scene::new();
    let (former, token) = scene.seated(0, 0, ONE, 4);
    scene.request(former, 1, subscribe());
    scene.lobby.deliver(token.session, None, direct("waiting"));
    scene.deliver_commands();
    assert_eq!(scene.seen(former), [reply(1, Outcome::Done)], "the message waits for a snapshot");
    let next = scene.connect(0, 1);
    scene.say(next, &hello(Some(token)));
    assert_eq!(scene.seen(former), [Seen::Closed(CloseCode::TakenOver)]);
    assert!(is_resumed(&scene.seen(next), 4));
    assert_eq!(
        scene.lobby.take_sent(),
        [(ONE, Sent::Resume(seat(4), next, None))],
        "the seat is neither parked nor given up"
    );
    assert_eq!(scene.lobby.connection_of(token.session), Some(next));
    // The end of the former connection changes nothing.
    scene.lose(former);
    assert_eq!(scene.lobby.take_sent(), []);
    assert_eq!(scene.lobby.connection_of(token.session), Some(next));
    scene.lobby.publish(Topic::LobbyChat, None, said("news"));
    scene.deliver_commands();
    let frames = scene.tick(0, ONE, 8, &[4]);
    let keys: Vec<usize> = frames.keys().copied().collect();
    assert_eq!(keys, [1], "snapshots go to the next connection only");
    assert_eq!(count(&frames[&1], &direct("waiting")), 1);
    assert_eq!(String::from_utf8_lossy(&frames[&1]).matches("news").count(), 1, "the subscription is handed over");
}

#[test]
fn a_seat_on_another_shard_is_resumed_there_and_works_there() {
    let mut scene = Scene::new();
    let (former, token) = scene.seated(0, 0, ONE, 4);
    scene.lose(former);
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Park(seat(4)))]);
    scene.lobby.deliver(token.session, None, direct("meanwhile"));
    scene.deliver_commands();
    let next = scene.connect(1, 7);
    scene.pass();
    scene.frame(next, &hello(Some(token)));
    scene.frame(next, &ClientMsg::Request { id: 9, request: subscribe() });
    assert_eq!(scene.seen(next), [], "nothing is answered where the seat is not");
    scene.read_end(next);
    assert_eq!(scene.seen(next), [Seen::MigratedTo(0)]);
    assert!(scene.shards[1].is_empty(), "its key is free");
    scene.arrive(3);
    let here = ConnectionId { shard: 0, key: 3, ..next };
    let seen = scene.seen(here);
    assert!(is_resumed(&seen, 4), "{seen:?}");
    assert_eq!(seen[2..], [reply(9, Outcome::Done)], "and then what came behind the hello");
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Resume(seat(4), here, None))]);
    let packet =
        InputPacket { acked: Tick(0), first: Tick(12), lag: 0, samples: [Push::default()].into_iter().collect() };
    scene.shards[0].handle_frame(scene.now, here.key, &packet.encode(), &scene.lobby);
    scene.shards[0].flush_inputs(&scene.lobby);
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Input(seat(4), Tick(12)))]);
    let frames = scene.tick(0, ONE, 8, &[4]);
    assert_eq!(count(&frames[&3], &direct("meanwhile")), 1);
}

#[test]
fn who_says_hello_and_leaves_in_one_read_resumes_nothing() {
    for shard in [0, 1] {
        let mut scene = Scene::new();
        let (former, token) = scene.seated(0, 0, ONE, 4);
        scene.lose(former);
        scene.lobby.take_sent();
        let short = scene.connect(shard, 5);
        scene.pass();
        scene.frame(short, &hello(Some(token)));
        scene.frame(short, &ClientMsg::Leave);
        scene.read_end(short);
        assert_eq!(scene.seen(short), [Seen::Closed(CloseCode::Normal)]);
        scene.lose(short);
        assert_eq!((scene.lobby.take_sent(), scene.migrating.len()), (Vec::new(), 0));
        // The seat still waits.
        let next = scene.connect(0, 6);
        scene.say(next, &hello(Some(token)));
        assert!(is_resumed(&scene.seen(next), 4));
    }
}

#[test]
fn a_seat_for_a_connection_that_no_longer_wants_it_is_given_back() {
    type Act = fn(&mut Scene, ConnectionId);
    let acts: [(&str, Act); 5] = [
        ("lost", |scene, id| scene.lose(id)),
        ("lost, and its key is used again", |scene, id| {
            scene.lose(id);
            let (next, _) = scene.greet(id.shard, id.key);
            scene.say(next, &join(ONE, "Next", Role::Play));
            scene.seen(next);
        }),
        ("asks to spectate", |scene, id| scene.say(id, &join(ONE, "Ann", Role::Spectate))),
        ("asks for another room", |scene, id| scene.say(id, &join(TWO, "Ann", Role::Play))),
        ("exits", |scene, id| {
            scene.request(id, 1, Request::Exit);
            scene.seen(id);
        }),
    ];
    for (what, act) in acts {
        let mut scene = Scene::new();
        let (id, token) = scene.greet(0, 0);
        scene.say(id, &join(ONE, "Ann", Role::Play));
        act(&mut scene, id);
        scene.lobby.take_sent();
        scene.give(id, ONE, seat(4));
        assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Leave(seat(4)))], "{what}");
        assert_eq!(scene.seen(id), [], "{what}: nobody is seated");
        assert_eq!(scene.lobby.seat_of(&token), None, "{what}");
        assert_eq!(scene.shards[0].fanouts()[&ONE].recipients().count(), 0, "{what}");
    }
    // The shard was restarted after the request: it knows neither the connection nor the room.
    let mut scene = Scene::new();
    let stranger = ConnectionId { shard: 0, key: 9, serial: 99 };
    scene.command(0, ShardCommand::Seated(stranger, ONE, seat(4)));
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Leave(seat(4)))]);
}

#[test]
fn a_player_who_switches_rooms_keeps_the_new_seat_in_whatever_order_the_rooms_answer() {
    for old_answers_first in [true, false] {
        for to in [ONE, TWO] {
            let mut scene = Scene::new();
            let (id, token) = scene.seated(0, 0, ONE, 4);
            // Another player keeps the fan-out of the first room open.
            scene.seated(0, 1, ONE, 5);
            scene.say(id, &join(to, "Ann", Role::Play));
            assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Leave(seat(4))), (to, Sent::Join(id, Role::Play))]);
            assert_eq!(scene.lobby.seat_of(&token), None, "the former seat cannot be resumed");
            // In the same room the number is free only after the former seat; it may be given again at once.
            let new = SeatAssignment { since: Tick(9), ..seat(if to == ONE && !old_answers_first { 6 } else { 4 }) };
            if old_answers_first {
                scene.command(0, ShardCommand::Unseated(ONE, PlayerId(4)));
            }
            scene.give(id, to, new);
            if !old_answers_first {
                scene.command(0, ShardCommand::Unseated(ONE, PlayerId(4)));
            }
            let location = SeatLocation { shard: 0, room: to, seat: new };
            assert_eq!(scene.lobby.seat_of(&token), Some(location));
            let is_seated = matches!(scene.seen(id)[..], [Seen::Message(ServerMsg::Joined { room, .. })] if room == to);
            assert!(is_seated, "one seat, and no word of the end of another");
            // The token gives the new seat back.
            scene.lose(id);
            let next = scene.connect(0, 3);
            scene.say(next, &hello(Some(token)));
            assert!(is_resumed(&scene.seen(next), new.player.0));
        }
    }
}

#[test]
fn a_failed_room_closes_those_in_it_and_those_queued_for_it_and_nobody_else() {
    let mut scene = Scene::new();
    let (seated, seated_token) = scene.seated(0, 0, ONE, 4);
    let (parked, parked_token) = scene.seated(0, 1, ONE, 5);
    scene.lose(parked);
    let (queued, _) = scene.greet(0, 2);
    scene.say(queued, &join(ONE, "Queued", Role::Play));
    let (elsewhere, elsewhere_token) = scene.seated(0, 3, TWO, 4);
    let (idle, _) = scene.greet(0, 4);
    scene.lobby.take_sent();
    scene.command(0, ShardCommand::RoomFailed(ONE));
    for id in [seated, queued] {
        assert_eq!(scene.seen(id), [Seen::Closed(CloseCode::RoomFailed)]);
    }
    for id in [elsewhere, idle] {
        assert_eq!(scene.seen(id), []);
    }
    assert_eq!(scene.lobby.take_sent(), [], "a restarted room has nothing to free");
    for token in [seated_token, parked_token] {
        assert!(!scene.lobby.has_session(token.session), "{token:?}");
    }
    assert!(scene.lobby.seat_of(&elsewhere_token).is_some());
    assert!(scene.tick(0, TWO, 8, &[4]).contains_key(&elsewhere.key), "the other room goes on");
    scene.lose(seated);
    // A client that comes back is new, and may join the restarted room.
    let again = scene.connect(0, 0);
    scene.say(again, &hello(Some(seated_token)));
    assert!(matches!(scene.seen(again)[..], [Seen::Message(ServerMsg::Welcome { resumed: false, .. })]));
    scene.say(again, &join(ONE, "Again", Role::Play));
    scene.give(again, ONE, SeatAssignment { tick_zero: MonoTime(9), ..seat(4) });
    assert!(matches!(scene.seen(again)[..], [Seen::Message(ServerMsg::Joined { .. })]));
}

#[test]
fn the_end_of_a_room_brings_its_players_to_the_lobby_and_the_not_yet_notified_look_elsewhere() {
    let mut scene = Scene::new();
    let (seated, seated_token) = scene.seated(0, 0, ONE, 4);
    let (parked, parked_token) = scene.seated(0, 1, ONE, 5);
    scene.lose(parked);
    let queue = [2, 3].map(|key| {
        let (id, _) = scene.greet(0, key);
        scene.say(id, &join(ONE, "Queued", Role::Play));
        id
    });
    scene.command(0, ShardCommand::Queued(queue[0], ONE, 1));
    assert_eq!(scene.seen(queue[0]), [Seen::Message(ServerMsg::Queued { position: 1 })]);
    let (elsewhere, _) = scene.seated(0, 4, TWO, 4);
    scene.lobby.deliver(seated_token.session, None, direct("waiting"));
    scene.deliver_commands();
    scene.seen(queue[1]);
    scene.command(0, ShardCommand::RoomEnded(ONE));
    let notice = Seen::Message(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 0 }));
    let waiting = Seen::Message(decode_server(direct("waiting").message()).expect("a message of ours"));
    assert_eq!(scene.seen(seated), [waiting, notice.clone()], "what waited for a snapshot is not lost");
    assert_eq!(scene.seen(queue[0]), [notice]);
    assert_eq!(scene.seen(queue[1]), [Seen::Closed(CloseCode::NoSuchRoom)]);
    assert_eq!(scene.seen(elsewhere), []);
    assert!(!scene.lobby.has_session(parked_token.session), "a parked session ends with its seat");
    assert_eq!(scene.lobby.seat_of(&seated_token), None);
    assert_eq!(scene.lobby.take_sent(), []);
    // Both that stayed are in the lobby and may go on.
    for id in [seated, queue[0]] {
        scene.request(id, 7, Request::Exit);
        assert_eq!(scene.seen(id), [reply(7, Outcome::Refused(Refusal::NotInRoom))]);
        scene.say(id, &join(TWO, "Again", Role::Play));
        assert_eq!(scene.lobby.take_sent(), [(TWO, Sent::Join(id, Role::Play))]);
    }
}

#[test]
fn a_tick_that_comes_before_the_former_was_sent_replaces_it_and_counts_once() {
    let mut scene = Scene::new();
    let (ann, _) = scene.seated(0, 0, ONE, 4);
    let mut handle = |ticks: &[(u32, &[u16])]| {
        scene.pass();
        for (tick, players) in ticks {
            scene.command(0, ShardCommand::Tick(ONE, output(*tick, players)));
        }
        let sent: Vec<usize> = scene.fan_out(0).into_keys().collect();
        assert!(scene.fan_out(0).is_empty(), "sent once");
        let skipped = scene.shards[0].take_counters().fanouts_skipped;
        (sent, skipped)
    };
    assert_eq!(handle(&[(7, &[]), (8, &[4])]), (vec![ann.key], 0), "a tick without recipients is skipped by nobody");
    assert_eq!(handle(&[(10, &[4]), (12, &[4]), (14, &[4])]), (vec![ann.key], 2));
    assert_eq!(handle(&[(16, &[4]), (17, &[]), (18, &[4])]), (vec![ann.key], 1));
    assert_eq!(handle(&[(20, &[4]), (21, &[])]), (vec![], 1), "what is not the newest is not sent");
    assert_eq!(handle(&[(22, &[4])]), (vec![ann.key], 0));
    assert_eq!((scene.lobby.ticks_taken(), scene.lobby.fanouts_skipped()), (8, 4), "as the lobby counts");
}

#[test]
fn shutdown_closes_every_connection_also_those_that_come_later() {
    let mut scene = Scene::new();
    let (seated, token) = scene.seated(0, 0, ONE, 4);
    let (idle, _) = scene.greet(0, 1);
    let silent = scene.connect(0, 2);
    // One is on its way from the other shard.
    let migrating = scene.connect(1, 0);
    scene.say(migrating, &hello(Some(token)));
    scene.command(0, ShardCommand::Shutdown(CloseCode::GoingAway));
    for id in [seated, idle, silent] {
        assert_eq!(scene.seen(id), [Seen::Closed(CloseCode::GoingAway)]);
    }
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Park(seat(4)))]);
    scene.arrive(3);
    let late = scene.connect(0, 4);
    let arrived = ConnectionId { shard: 0, key: 3, ..migrating };
    for id in [arrived, late] {
        assert_eq!(scene.seen(id), [Seen::Closed(CloseCode::GoingAway)]);
    }
    assert_eq!(scene.lobby.take_sent(), [], "nothing is resumed");
    for id in [seated, idle, silent, arrived, late] {
        scene.lose(id);
    }
    assert!(scene.shards[0].is_empty());
}
