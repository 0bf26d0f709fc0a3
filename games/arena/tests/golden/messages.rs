//! Every control message, room update, input packet, player state and event.

use broadside_arena::event::{ArenaEvent, Armour};
use broadside_arena::modes::{MatchNews, Mode, Zone};
use broadside_arena::pickup::Boon;
use broadside_arena::ship::{Cause, LocalPlayerState};
use broadside_arena::{Arena, ArenaInput, Border};
use broadside_shared::game::Game;
use broadside_shared::ids::{AccountId, EntityId, PlayerId, RoomId};
use broadside_shared::protocol::codec::{
    decode_client, decode_server, decode_update, encode_client, encode_server, encode_update, encode_value,
};
use broadside_shared::protocol::handshake::Handshake;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus, TeamStatus};
use broadside_shared::protocol::message::{
    ClientMsg, Leader, Outcome, Publication, Refusal, Request, Resume, RoomUpdate, ScoreLine, ServerMsg, ServerNotice,
};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::snapshot::write_player_state;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::token::{AccountToken, Token};
use broadside_shared::protocol::{FrameKind, REVISION};
use broadside_shared::replication::bits::{BitReader, BitWriter};
use broadside_shared::time::{MonoTime, Tick};
use glam::Vec2;

use crate::Golden;
use crate::files::checked_in;

/// A name with characters of one, two and four bytes.
pub(crate) fn name() -> Name {
    Name::new("Zoë 🚀").expect("a valid name")
}

fn client() -> Vec<(&'static str, ClientMsg)> {
    let of = |msg: &ClientMsg| match msg {
        // A new variant needs a golden: without one this does not compile.
        ClientMsg::Hello { resume: None, account: None, .. } => "client-hello",
        ClientMsg::Hello { resume: None, account: Some(_), .. } => "client-hello-account",
        ClientMsg::Hello { resume: Some(_), .. } => "client-hello-resume",
        ClientMsg::Join { room: RoomChoice::Quick, .. } => "client-join",
        ClientMsg::Join { room: RoomChoice::Room(_), .. } => "client-join-room",
        ClientMsg::Join { room: RoomChoice::Mode(_), .. } => "client-join-mode",
        ClientMsg::Join { room: RoomChoice::Code(_), .. } => "client-join-code",
        ClientMsg::Join { room: RoomChoice::Reserved { .. }, .. } => "client-join-reserved",
        ClientMsg::Ping { .. } => "client-ping",
        ClientMsg::Leave => "client-leave",
        ClientMsg::Request { request, .. } => match request {
            Request::SetName { .. } => "client-set-name",
            Request::Subscribe { .. } => "client-subscribe",
            Request::Unsubscribe { .. } => "client-unsubscribe",
            Request::Say { .. } => "client-say",
            Request::DirectMessage { .. } => "client-direct-message",
            Request::Mute { .. } => "client-mute",
            Request::Unmute { .. } => "client-unmute",
            Request::Report { .. } => "client-report",
            Request::Exit => "client-exit",
            Request::Follow { .. } => "client-follow",
            Request::Handshake => "client-handshake",
            Request::Game { .. } => "client-game",
            Request::Scores => "client-scores",
            Request::Look { .. } => "client-look",
        },
    };
    let hello =
        |resume, account| ClientMsg::Hello { revision: REVISION, agent: "web 0.1.0".to_owned(), resume, account };
    let join = |room, role| ClientMsg::Join { name: name(), room, role };
    let all = [
        hello(None, None),
        hello(None, Some(account_token())),
        hello(Some(resume()), None),
        join(RoomChoice::Quick, Role::Play),
        join(RoomChoice::Room(RoomId(300)), Role::Spectate),
        join(RoomChoice::Mode(Mode::Duel.id()), Role::Play),
        join(RoomChoice::Code(Some("K7QF2M".parse().expect("a valid code"))), Role::Play),
        join(RoomChoice::Reserved { room: RoomId(300), reservation: 0x0102_0304_0506_0708 }, Role::Play),
        ClientMsg::Ping { client_time: MonoTime(1_234_567) },
        ClientMsg::Leave,
    ];
    let text = |text: &str| text.to_owned();
    let requests = [
        Request::SetName { name: text("Ann") },
        Request::Subscribe { topic: text("lobby/chat") },
        Request::Unsubscribe { topic: text("lobby/chat") },
        Request::Say { topic: text("room/7/chat"), text: text("hi") },
        Request::DirectMessage { to: text("Ann"), text: text("hi") },
        Request::Mute { name: text("Ann") },
        Request::Unmute { name: text("Ann") },
        Request::Report { name: text("Ann"), text: text("hi") },
        Request::Exit,
        Request::Follow { player: PlayerId(7) },
        Request::Handshake,
        Request::Game { body: vec![1, 2] },
        Request::Scores,
        Request::Look { x: 600, y: -200 },
    ];
    let requests = (1..).zip(requests).map(|(id, request)| ClientMsg::Request { id, request });
    let all = all.into_iter().chain(requests);
    all.into_iter().map(|msg| (of(&msg), msg)).collect()
}

/// The file of a message.
fn file_of(msg: &ServerMsg) -> &'static str {
    match msg {
        ServerMsg::Welcome { .. } => "server-welcome",
        ServerMsg::Joined { .. } => "server-joined",
        ServerMsg::Pong { .. } => "server-pong",
        ServerMsg::Queued { .. } => "server-queued",
        ServerMsg::Reply { outcome: Outcome::Done, .. } => "server-reply-done",
        ServerMsg::Reply { outcome: Outcome::Refused(_), .. } => "server-reply-refused",
        ServerMsg::Published { publication, .. } => match publication {
            Publication::Said { .. } => "server-said",
            Publication::KillFeed { .. } => "server-kill-feed",
            Publication::Leaders(_) => "server-leaders",
            Publication::Announcement(_) => "server-announcement",
            Publication::Match(_) => "server-match",
        },
        ServerMsg::DirectMessage { .. } => "server-direct-message",
        ServerMsg::ServerNotice(notice) => match notice {
            ServerNotice::Muted => "server-notice-muted",
            ServerNotice::RoomEnds { .. } => "server-notice-room-ends",
            ServerNotice::FriendJoined { .. } => "server-notice-friend",
            ServerNotice::Renamed { .. } => "server-notice-renamed",
            ServerNotice::Following { .. } => "server-notice-following",
            ServerNotice::Missed { .. } => "server-notice-missed",
        },
        ServerMsg::Handshake(_) => "server-handshake",
        ServerMsg::Redirect { join: Some(_), .. } => "server-redirect",
        ServerMsg::Redirect { join: None, .. } => "server-redirect-resume",
        ServerMsg::Nodes { .. } => "server-nodes",
        ServerMsg::Scores { .. } => "server-scores",
    }
}

fn server() -> Vec<(&'static str, ServerMsg)> {
    let server = "broadside 0.1.0".to_owned();
    let welcome = ServerMsg::Welcome {
        revision: REVISION,
        server,
        token: token(),
        resumed: false,
        account: Some(account_token().account),
    };
    let (ann, text) = (Name::new("Ann").expect("a valid name"), Text::new("hi").expect("a valid text"));
    let published = |topic: &str, publication| ServerMsg::Published {
        topic: topic.to_owned(),
        at: MonoTime(4_000_000),
        publication,
    };
    let refused = Outcome::Refused(Refusal::TooFast { wait_ms: 250 });
    let all = [
        welcome,
        joined(),
        pong(),
        ServerMsg::Queued { position: 12 },
        ServerMsg::Reply { id: 1, outcome: Outcome::Done },
        ServerMsg::Reply { id: 2, outcome: refused },
        published("lobby/chat", Publication::Said { from: ann.clone(), text: text.clone() }),
        published("room/7/feed", Publication::KillFeed { by: Some(ann.clone()), verb: "sank".to_owned(), of: name() }),
        published("leaderboard", Publication::Leaders(vec![Leader { name: ann.clone(), room: RoomId(7), score: -3 }])),
        published("room/7/match", Publication::Match(match_status())),
        published("notices", Publication::Announcement(text.clone())),
        ServerMsg::DirectMessage { from: ann.clone(), text },
        ServerMsg::ServerNotice(ServerNotice::Muted),
        ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds: 30 }),
        ServerMsg::ServerNotice(ServerNotice::FriendJoined { name: ann.clone() }),
        ServerMsg::ServerNotice(ServerNotice::Renamed { name: ann }),
        ServerMsg::ServerNotice(ServerNotice::Following { player: PlayerId(7) }),
        ServerMsg::ServerNotice(ServerNotice::Missed { count: 3 }),
        ServerMsg::Handshake(Handshake {
            request: "GET /ws?wire=1 HTTP/1.1".into(),
            asked: vec![("host".into(), "a:1".into())],
            response: "HTTP/1.1 101 Switching Protocols".into(),
            answered: vec![("upgrade".into(), "websocket".into())],
        }),
        ServerMsg::Redirect { url: "wss://b.example".to_owned(), join: Some(RoomChoice::Room(RoomId(300))) },
        ServerMsg::Redirect { url: "wss://b.example".to_owned(), join: None },
        ServerMsg::Nodes { urls: vec!["wss://b.example".to_owned(), "ws://c.example/d".to_owned()] },
        ServerMsg::Scores { lines: vec![score_line(300, 70, 43), score_line(5, -3, 0)] },
    ];
    all.into_iter().map(|msg| (file_of(&msg), msg)).collect()
}

fn score_line(player: u16, score: i32, ping_ms: u16) -> ScoreLine {
    ScoreLine { player: PlayerId(player), score, kills: 6, deaths: 2, assists: 1, ping_ms }
}

fn match_status() -> MatchStatus {
    let team = |name: &str, score| TeamStatus { name: name.to_owned(), score, goal: 100, rounds: 1, players: 4 };
    MatchStatus {
        mode: Mode::Teams.id(),
        phase: MatchPhase::Playing,
        round: 2,
        rounds: 3,
        tick: Tick(6_000),
        ends: Some(Tick(18_000)),
        teams: vec![team("Red", 42), team("Blue", 300)],
        winner: None,
    }
}

fn zone() -> Zone {
    let (from, to, since, full) = (-120, 240, Tick(5_970), 240);
    Zone { x: 0, y: -300, radius: 230, holder: Some(0), contested: false, from, to, since, full }
}

fn token() -> Token {
    Token { session: 0x0102_0304_0506_0708, signature: std::array::from_fn(|at| at as u8) }
}

fn account_token() -> AccountToken {
    let account = AccountId(std::array::from_fn(|at| 0xa0 + at as u8));
    AccountToken { account, expires_s: 1_800_000_000, signature: std::array::from_fn(|at| at as u8) }
}

fn resume() -> Resume {
    Resume { token: token(), have: Tick(600), cells: vec![(8256, 0), (8257, 3)] }
}

/// The seat of the scene's snapshots.
pub(crate) fn joined() -> ServerMsg {
    ServerMsg::Joined {
        room: RoomId(1),
        player: PlayerId(300),
        tick_hz: 60,
        snapshot_every: 2,
        tick_zero: MonoTime(2_500_000),
        mode: Mode::Open.id(),
        role: Role::Play,
    }
}

fn pong() -> ServerMsg {
    ServerMsg::Pong { client_time: MonoTime(1_234_567), server_time: MonoTime(5_000_000_000), tick_us: 412 }
}

fn update_name(update: &RoomUpdate) -> &'static str {
    match update {
        RoomUpdate::Named { .. } => "update-named",
        RoomUpdate::Left { .. } => "update-left",
        RoomUpdate::Board { .. } => "update-board",
        RoomUpdate::Away { .. } => "update-away",
        RoomUpdate::Back { .. } => "update-back",
        RoomUpdate::Match(_) => "update-match",
        RoomUpdate::Message(_) => "update-message",
        RoomUpdate::State(_) => "update-state",
        RoomUpdate::Bot { .. } => "update-bot",
    }
}

/// The updates that are not in the scene's snapshots.
fn other_updates() -> Vec<(&'static str, RoomUpdate)> {
    let all = [
        RoomUpdate::Away { player: PlayerId(5) },
        RoomUpdate::Back { player: PlayerId(5) },
        RoomUpdate::Match(match_status()),
        RoomUpdate::Message(Box::new(ServerMsg::ServerNotice(ServerNotice::Muted))),
        RoomUpdate::State(encode_value(&MatchNews { zone: Some(zone()), again: 2 })),
        RoomUpdate::Bot { player: PlayerId(5) },
    ];
    all.into_iter().map(|update| (update_name(&update), update)).collect()
}

/// The updates, in the order of the scene's first snapshot.
pub(crate) fn updates() -> Vec<(&'static str, RoomUpdate)> {
    let all = [
        RoomUpdate::Named { player: PlayerId(5), name: name() },
        RoomUpdate::Left { player: PlayerId(299) },
        RoomUpdate::Board {
            tick: Tick(600),
            players: 2,
            extent: 1500,
            lines: vec![(PlayerId(300), 70), (PlayerId(5), -3)],
        },
    ];
    all.into_iter().map(|update| (update_name(&update), update)).collect()
}

/// The events, each once.
pub(crate) fn events() -> Vec<(&'static str, ArenaEvent)> {
    let of = |event: &ArenaEvent| match event {
        ArenaEvent::Hit { .. } => "event-hit",
        ArenaEvent::Chipped { .. } => "event-chipped",
        ArenaEvent::Dealt { .. } => "event-dealt",
        ArenaEvent::Sunk { .. } => "event-sunk",
        ArenaEvent::KillFeed { .. } => "event-kill-feed",
        ArenaEvent::Launched { .. } => "event-launched",
        ArenaEvent::Picked { .. } => "event-picked",
        ArenaEvent::Pierced { .. } => "event-pierced",
        ArenaEvent::Railed { .. } => "event-railed",
        ArenaEvent::Struck { .. } => "event-struck",
        ArenaEvent::Assisted { .. } => "event-assisted",
        ArenaEvent::Blast { .. } => "event-blast",
    };
    let at = Vec2::new(560.5, -100.0);
    let (ann, bob) = (PlayerId(300), PlayerId(5));
    let all = [
        ArenaEvent::Hit { at, shot: EntityId(9), target: ann, by: bob, on: Armour::Shield },
        ArenaEvent::Chipped { at, shot: EntityId(9) },
        ArenaEvent::Dealt { target: ann, points: 14 },
        ArenaEvent::Sunk { at, victim: ann },
        ArenaEvent::KillFeed { victim: ann, by: Some(bob), cause: Cause::Cannon, bounty: true },
        ArenaEvent::Launched { at, player: ann },
        ArenaEvent::Picked { at, player: bob, what: Boon::Shield },
        ArenaEvent::Pierced { at, target: ann, by: bob, on: Armour::Hull },
        ArenaEvent::Railed { target: ann, points: 34, at, ago: 120 },
        ArenaEvent::Struck { by: bob, at, now: Vec2::new(590.0, -90.5), ago: 120 },
        ArenaEvent::Assisted { victim: ann },
        ArenaEvent::Blast { at, by: bob },
    ];
    all.into_iter().map(|event| (of(&event), event)).collect()
}

fn packets() -> Vec<(&'static str, InputPacket<ArenaInput>)> {
    let ahead = ArenaInput { aim: 0x4000, buttons: ArenaInput::THRUST };
    let firing = ArenaInput { aim: 0x4100, buttons: ArenaInput::THRUST | ArenaInput::FIRE };
    vec![
        ("input-one", InputPacket { acked: Tick(0), first: Tick(601), lag: 0, samples: [ahead].into_iter().collect() }),
        (
            "input-three",
            InputPacket {
                acked: Tick(600),
                first: Tick(605),
                lag: 120,
                samples: [ahead, ahead, firing].into_iter().collect(),
            },
        ),
    ]
}

/// A ship in a fight, in an arena that is about to grow.
pub(crate) fn own_ship() -> LocalPlayerState {
    LocalPlayerState {
        entity: Some(EntityId(3)),
        position: Vec2::new(300.0, 200.0),
        velocity: Vec2::new(120.0, 0.0),
        heading: 0x0400,
        hull: 4_500,
        shield: 600,
        cooldown: 7,
        rail: 100,
        calm: 40,
        score: 70,
        kills: 7,
        deaths: 2,
        ..LocalPlayerState::ashore(PlayerId(300), Border { from: 1300, to: 1500, since: Tick(700), ticks: 180 })
    }
}

/// A player waiting for the next ship, in an arena at rest.
pub(crate) fn own_wreck() -> LocalPlayerState {
    LocalPlayerState {
        position: Vec2::new(1360.0, 200.0),
        heading: 0x0400,
        respawn: 150,
        score: -1,
        deaths: 3,
        ..LocalPlayerState::ashore(PlayerId(300), Border { from: 1300, to: 1300, since: Tick(0), ticks: 0 })
    }
}

/// A ship of the second team at its place, half a second before a round starts.
fn own_held() -> LocalPlayerState {
    LocalPlayerState {
        entity: Some(EntityId(8)),
        position: Vec2::new(510.0, 0.0),
        heading: 0x8000,
        hull: 6_000,
        team: Some(1),
        held: 30,
        ..LocalPlayerState::ashore(PlayerId(1), Border { from: 850, to: 850, since: Tick(0), ticks: 0 })
    }
}

fn player_state_bytes(own: &LocalPlayerState) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_player_state(Some(|bits: &mut BitWriter| Arena::write_player_state(own, bits)), &mut bytes);
    bytes
}

/// An event as in a snapshot, without its age.
pub(crate) fn event_bytes(event: &ArenaEvent) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut bits = BitWriter::new(&mut bytes);
    Arena::write_event(event, &mut bits);
    bits.finish();
    bytes
}

pub(crate) fn goldens() -> Vec<Golden> {
    let golden = |name, about, bytes| Golden { name, about, bytes };
    let update_bytes = |update: &RoomUpdate| {
        let mut bytes = Vec::new();
        encode_update(update, &mut bytes);
        bytes
    };
    let mut all: Vec<Golden> = Vec::new();
    all.extend(client().iter().map(|(name, msg)| golden(name, "a frame from a client", encode_client(msg))));
    all.extend(server().iter().map(|(name, msg)| golden(name, "a frame from a server", encode_server(msg))));
    all.extend(packets().iter().map(|(name, packet)| golden(name, "a frame from a client", packet.encode())));
    all.extend(
        updates()
            .iter()
            .chain(&other_updates())
            .map(|(name, update)| golden(name, "a room update within a snapshot", update_bytes(update))),
    );
    all.extend(
        events()
            .iter()
            .map(|(name, event)| golden(name, "an event within a snapshot, without its age", event_bytes(event))),
    );
    let about = "the own state in a snapshot";
    all.push(golden("player-state-ship", about, player_state_bytes(&own_ship())));
    all.push(golden("player-state-wreck", about, player_state_bytes(&own_wreck())));
    all.push(golden("player-state-held", about, player_state_bytes(&own_held())));
    all
}

#[test]
fn the_checked_in_bytes_decode_to_the_messages_they_name() {
    for (name, msg) in client() {
        let frame = checked_in(name);
        let (kind, rest) = FrameKind::split(&frame).expect(name);
        assert_eq!((kind, decode_client(rest)), (FrameKind::Control, Ok(msg)), "{name}");
    }
    for (name, msg) in server() {
        let frame = checked_in(name);
        let (kind, rest) = FrameKind::split(&frame).expect(name);
        assert_eq!((kind, decode_server(rest)), (FrameKind::Control, Ok(msg)), "{name}");
    }
    for (name, packet) in packets() {
        let frame = checked_in(name);
        let (kind, rest) = FrameKind::split(&frame).expect(name);
        assert_eq!((kind, InputPacket::decode(rest)), (FrameKind::State, Ok(packet)), "{name}");
    }
    for (name, update) in updates().into_iter().chain(other_updates()) {
        let bytes = checked_in(name);
        assert_eq!(decode_update(&bytes), Ok((update, bytes.len())), "{name}");
    }
    for (name, event) in events() {
        let bytes = checked_in(name);
        let mut bits = BitReader::new(&bytes);
        assert_eq!(Arena::read_event(&mut bits), Ok(event), "{name}");
        assert_eq!(bits.finish(), Ok(()), "{name}");
    }
    for (name, own) in
        [("player-state-ship", own_ship()), ("player-state-wreck", own_wreck()), ("player-state-held", own_held())]
    {
        let bytes = checked_in(name);
        let mut bits = BitReader::new(&bytes);
        assert_eq!(bits.flag(), Ok(true), "{name}");
        assert_eq!(Arena::read_player_state(&mut bits), Ok(own), "{name}");
        assert_eq!(bits.finish(), Ok(()), "{name}");
    }
}
