//! Three snapshots of a small world: a keyframe, a delta, and a jump to other cells.
//!
//! The view is smaller than the arena's, so that the frames are short enough to be followed by hand; a client does not
//! depend on its size.

use std::sync::Arc;

use broadside_arena::beam::Beam;
use broadside_arena::fields::{FLAG_THRUST, KINDS, ROCK, SHIP};
use broadside_arena::pickup::Boon;
use broadside_arena::ship::LocalPlayerState;
use broadside_arena::{Arena, Pickup, Rock, Shot};
use broadside_shared::client::{Client, ClientConfig, Detail, Received};
use broadside_shared::game::Game;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::protocol::codec::{encode_server, encode_update};
use broadside_shared::protocol::message::{RoomUpdate, ServerMsg};
use broadside_shared::protocol::room::{Role, RoomChoice};
use broadside_shared::protocol::snapshot::{Sections, SnapshotHead, write_events, write_frame, write_player_state};
use broadside_shared::replication::bits::BitWriter;
use broadside_shared::replication::fields::Record;
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{Placement, WorldHistory, WorldState};
use broadside_shared::time::{MonoTime, Tick};
use glam::Vec2;

use crate::Golden;
use crate::files::checked_in;
use crate::messages::{event_bytes, events, joined, name, own_ship, own_wreck, updates};

const VIEW: Vec2 = Vec2::new(560.0, 300.0);
const NAMES: [&str; 3] = ["snapshot-first", "snapshot-next", "snapshot-far"];

/// A moment of the scene, and the contents of its snapshot.
struct Moment {
    head: SnapshotHead,
    own: LocalPlayerState,
    entities: Vec<(Vec2, Record)>,
    /// Ages in ticks, and names of the events.
    events: Vec<(u8, &'static str)>,
    updates: Vec<&'static str>,
}

fn ship(id: u16, owner: u16, at: Vec2, velocity: Vec2, rest: [f32; 3]) -> (Vec2, Record) {
    let [heading, hull, flags] = rest;
    let values = [at.x, at.y, velocity.x, velocity.y, heading, hull, flags, f32::from(owner)];
    (at, Record::pack(EntityId(id), SHIP, &KINDS[usize::from(SHIP)], &values))
}

fn rock() -> (Vec2, Record) {
    let rock = Rock { id: EntityId(1), at: Vec2::new(100.0, 400.0), radius: 60.0 };
    (rock.at, rock.record())
}

fn head(tick: u32, consumed: u32, early: i16) -> SnapshotHead {
    SnapshotHead { tick: Tick(tick), consumed: Tick(consumed), early, ..SnapshotHead::default() }
}

/// The own ship: moves to the right at 120 units a second.
fn own(x: f32) -> (Vec2, Record) {
    ship(3, 300, Vec2::new(x, 200.0), Vec2::new(120.0, 0.0), [0.0, 75.0, 0.0])
}

/// A ship that crosses a border of cells at x = 512.
fn crossing(x: f32) -> (Vec2, Record) {
    ship(11, 6, Vec2::new(x, 300.0), Vec2::new(420.0, 0.0), [0.0, 100.0, 0.0])
}

/// A ship that turns, is hit and fires; its engine burns.
fn fighting(at: [f32; 2], velocity: [f32; 2], heading: f32, hull: f32) -> (Vec2, Record) {
    ship(7, 5, Vec2::from(at), Vec2::from(velocity), [heading, hull, f32::from(FLAG_THRUST)])
}

fn moments() -> [Moment; 3] {
    [first(), next(), far()]
}

/// The first snapshot, which contains everything.
fn first() -> Moment {
    let pickup = Pickup { id: EntityId(4), at: Vec2::new(600.0, 300.0), what: Boon::Shield };
    Moment {
        head: head(600, 0, SnapshotHead::NO_INPUT),
        own: own_ship(),
        entities: vec![
            rock(),
            own(300.0),
            crossing(511.0),
            (pickup.at, pickup.record()),
            fighting([560.0, 100.0], [-60.0, 30.0], 3.0, 100.0),
        ],
        events: vec![],
        updates: vec!["update-named", "update-left", "update-board"],
    }
}

/// The own ship moves as predicted, and so does one that migrates to the next cell; the other one turns, loses hull and
/// fires; the pickup is taken.
fn next() -> Moment {
    let shot = Shot {
        id: EntityId(9),
        owner: PlayerId(5),
        origin: Vec2::new(540.0, 110.0),
        velocity: Vec2::new(-960.0, 32.0),
        start: Tick(601),
    };
    Moment {
        head: SnapshotHead { missing: 1, ..head(602, 601, 65) },
        own: LocalPlayerState { position: Vec2::new(304.0, 200.0), ..own_ship() },
        entities: vec![
            rock(),
            own(304.0),
            crossing(525.0),
            fighting([557.5, 101.5], [-75.0, 45.0], 2.9, 85.0),
            (shot.position_at(602.0), shot.record()),
        ],
        events: vec![(1, "event-dealt"), (0, "event-picked")],
        updates: vec![],
    }
}

/// The own ship sank, and its wreck is elsewhere: other cells.
fn far() -> Moment {
    let beam = Beam {
        id: EntityId(12),
        owner: PlayerId(5),
        origin: Vec2::new(530.0, 95.5),
        heading: 0x2000,
        length: 300.0,
        start: Tick(603),
    };
    Moment {
        head: SnapshotHead { missing: 1, dropped: 2, ..head(604, 603, -120) },
        own: own_wreck(),
        entities: vec![
            rock(),
            crossing(539.0),
            fighting([555.0, 103.0], [-75.0, 45.0], 2.9, 85.0),
            (beam.middle(), beam.record()),
        ],
        events: vec![(0, "event-kill-feed")],
        updates: vec![],
    }
}

/// What the sections of a moment's frame are written from.
struct MomentSections<'a> {
    moment: &'a Moment,
    history: &'a mut WorldHistory,
    viewer: &'a mut Viewer,
}

impl Sections for MomentSections<'_> {
    fn cells(&mut self, out: &mut Vec<u8>) -> (usize, usize) {
        let focus = Arena::focus(&self.moment.own);
        let cells = self.viewer.write(self.history, &AreaOfInterest::new(focus, VIEW), UpdateRateTier::Full, out);
        (cells.head_bytes, cells.encoded_cell_bytes)
    }

    fn events(&mut self, out: &mut Vec<u8>) {
        let bytes = |name: &str| {
            let (_, event) = events().into_iter().find(|(golden, _)| *golden == name).expect("a golden event");
            event_bytes(&event)
        };
        let events: Vec<(u8, Vec<u8>)> = self.moment.events.iter().map(|(age, name)| (*age, bytes(name))).collect();
        write_events(events.iter().map(|(age, bytes)| (*age, bytes.as_slice())), out);
    }

    fn updates(&mut self, out: &mut Vec<u8>) {
        for name in &self.moment.updates {
            let all = updates();
            let (_, update) = all.iter().find(|(golden, _)| golden == name).expect("a golden update");
            encode_update(update, out);
        }
    }
}

fn frames() -> Vec<Vec<u8>> {
    let (mut history, mut viewer) = (WorldHistory::new(KINDS), Viewer::default());
    let mut placement = Placement::default();
    let frame = |moment: &Moment| {
        let mut state = WorldState::default();
        state.place(moment.head.tick, moment.entities.iter().copied(), &mut placement);
        history.push(Arc::new(state));
        let (mut state, mut out) = (Vec::new(), Vec::new());
        write_player_state(Some(|bits: &mut BitWriter| Arena::write_player_state(&moment.own, bits)), &mut state);
        let mut sections = MomentSections { moment, history: &mut history, viewer: &mut viewer };
        write_frame(moment.head, &state, &mut sections, &mut out);
        out
    };
    moments().iter().map(frame).collect()
}

pub(crate) fn goldens() -> Vec<Golden> {
    let about = ["the first snapshot", "two ticks later", "two ticks later, elsewhere"];
    let all = NAMES.into_iter().zip(about).zip(frames());
    all.map(|((name, about), bytes)| Golden { name, about, bytes }).collect()
}

#[test]
fn a_client_reads_the_checked_in_snapshots_as_the_world_they_were_taken_of() {
    let config = ClientConfig {
        name: name(),
        agent: String::new(),
        room: Some(RoomChoice::Quick),
        role: Role::Play,
        detail: Detail::Replica,
    };
    let mut client = Client::<Arena>::new(config);
    client.handle_frame(MonoTime(0), &encode_server(&joined())).expect("an encoded message");
    // A client plays only after it knows the server's clock.
    let pong = ServerMsg::Pong { client_time: MonoTime(0), server_time: MonoTime(0), tick_us: 0 };
    client.handle_frame(MonoTime(0), &encode_server(&pong)).expect("an encoded message");
    for (name, moment) in NAMES.into_iter().zip(moments()) {
        let received = client.handle_frame(MonoTime(0), &checked_in(name)).expect(name);
        assert!(matches!(received, Received::Snapshot(arrival) if arrival.tick == moment.head.tick), "{name}");
        assert_eq!(client.local_player(), Some(&moment.own), "{name}");
        let mut sent: Vec<Record> = moment.entities.iter().map(|(_, record)| *record).collect();
        let mut known: Vec<Record> = client.replica().records().copied().collect();
        if name == "snapshot-far" {
            sent.retain(|record| record.kind != ROCK); // left behind with its cell
        }
        sent.sort_by_key(|record| record.id);
        known.sort_by_key(|record| record.id);
        assert_eq!(known, sent, "{name}");
    }
    assert_eq!(client.name_of(PlayerId(5)), Some(name().as_str()));
    assert_eq!((client.players(), client.board().len()), (2, 2));
    assert!(matches!(&updates()[2].1, RoomUpdate::Board { players: 2, .. }));
}
