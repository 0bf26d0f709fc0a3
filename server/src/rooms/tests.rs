//! Rooms without threads: the test sets the clock and runs the rooms that are due.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use broadside_core::commands::{
    ConnectionId, Hold, JoinMethod, JoinRequest, RoomCommand, SeatAssignment, ShardCommand,
};
use broadside_core::results::RoomResult;
use broadside_core::room::RoomConfig;
use broadside_shared::game::{AddressedEvent, Game, NoBot, NoRequest, PlayerInput, Standing};
use broadside_shared::history::History;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::input::{GameInput, InputPacket};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::room::{ModeId, Role};
use broadside_shared::replication::bits::{BitReader, BitWriter, WireError};
use broadside_shared::replication::fields::{KindSpec, Record};
use broadside_shared::replication::layout::Layout;
use broadside_shared::time::{MonoTime, Tick};
use glam::Vec2;

use super::context::ServerContext;
use super::handle::{RoomHandle, RoomSpec};
use super::mailbox::MAILBOX_MAX;
use super::pool::Pool;
use super::results::ResultSink;
use super::runner::{Next, RoomRunner};
use crate::checkpoints::CheckpointSink;
use crate::clock::MonoClock;
use crate::inbox::{Inbox, Wakeup};
use crate::limits::holds::{AddressLimits, Caps};
use crate::metrics::Metrics;
use crate::metrics::labels::JoinResult;
use crate::recordings::RecordingSink;
use crate::result_ids::ResultIds;
use crate::topics::Topics;

const SEED: u64 = 40;
const SHARDS: usize = 2;

/// A game whose step panics when a player asks for it.
#[derive(Serialize, Deserialize)]
struct Fragile {
    seed: u64,
    players: Vec<PlayerId>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct TestInput {
    panics: bool,
}

impl GameInput for TestInput {
    const LAYOUT: Layout = Layout::Fields(&[("panics", Layout::Flag)]);

    fn write(&self, out: &mut BitWriter) {
        out.flag(self.panics);
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, WireError> {
        Ok(TestInput { panics: bits.bits(1)? == 1 })
    }

    fn idle(&self) -> Self {
        TestInput::default()
    }
}

impl Game for Fragile {
    const NAME: &'static str = "fragile";
    const TICK_HZ: u32 = 50;
    const KINDS: &'static [KindSpec] = &[];
    const VIEW: Vec2 = Vec2::new(1000.0, 1000.0);
    type Config = ();
    type Input = TestInput;
    type LocalPlayerState = ();
    type Event = ();
    type PredictionContext = ();
    type Request = NoRequest;
    type RoomState = ();
    type Bot = NoBot;

    fn new((): &(), _mode: ModeId, seed: u64) -> Self {
        Fragile { seed, players: Vec::new() }
    }

    fn join(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<()>>) {
        self.players.push(player);
    }

    fn leave(&mut self, player: PlayerId, _tick: Tick, _events: &mut Vec<AddressedEvent<()>>) {
        self.players.retain(|seated| *seated != player);
    }

    fn step(
        &mut self,
        _tick: Tick,
        inputs: &[PlayerInput<TestInput>],
        _history: &History,
        _events: &mut Vec<AddressedEvent<()>>,
    ) {
        assert!(!inputs.iter().any(|input| input.input.panics), "a player asked for it");
    }

    fn player_state(&self, player: PlayerId) -> Option<&()> {
        self.players.contains(&player).then_some(&())
    }

    fn focus((): &()) -> Vec2 {
        Vec2::ZERO
    }

    fn replicate(&self, _tick: Tick, _out: &mut Vec<(Vec2, Record)>) {}

    fn standings(&self, out: &mut Vec<Standing>) {
        out.extend(self.players.iter().map(|player| Standing { player: *player, score: 0 }));
    }

    fn hash(&self) -> u64 {
        self.seed
    }
}

struct Scene {
    clock_us: Arc<AtomicU64>,
    context: ServerContext,
    pool: Arc<Pool<Fragile>>,
    /// Rooms that are awake, with the time of their next turn.
    awake: Vec<(MonoTime, Box<RoomRunner<Fragile>>)>,
    connected: u64,
    /// What the rooms left.
    results: Arc<Mutex<Vec<RoomResult>>>,
}

impl Scene {
    fn new() -> Self {
        let clock_us = Arc::new(AtomicU64::new(9_000_000));
        let clock = MonoClock::manual(Arc::clone(&clock_us));
        let (sink, results) = ResultSink::list();
        let context = ServerContext {
            recording: None,
            recordings: RecordingSink::default(),
            checkpoints: CheckpointSink::default(),
            result_ids: ResultIds::new(MonoTime(0)),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::new()),
            shards: (0..SHARDS).map(|_| Inbox::new(Wakeup::new(|| {}))).collect(),
            limits: Arc::new(AddressLimits::new(Caps::new(100, 1_000, 10), Vec::new())),
            topics: Arc::new(Topics::new()),
            results: sink,
            grace_s: 60,
            room_life_s: 3_600,
        };
        Scene { clock_us, context, pool: Arc::new(Pool::new(clock)), awake: Vec::new(), connected: 0, results }
    }

    fn open(&self, id: u32) -> RoomHandle<Fragile> {
        let config = RoomConfig { snapshot_every: 1, capacity: 8, seed: SEED, mode: ModeId(0) };
        let spec =
            RoomSpec { name: format!("room {id}"), config, code: None, is_ephemeral: false, opener: Hold::default() };
        RoomHandle::open(RoomId(id), spec, &Arc::default(), &self.context, &self.pool)
    }

    fn join(&mut self, room: &RoomHandle<Fragile>, shard: usize) -> ConnectionId {
        self.connected += 1;
        let serial = self.connected;
        let connection = ConnectionId { shard, key: serial as usize, serial };
        let address: IpAddr = [10, 0, 0, serial as u8].into();
        let request = JoinRequest {
            name: Name::new(&format!("Player {serial}")).expect("a valid name"),
            role: Role::Play,
            method: JoinMethod::Public,
            connection,
            session: serial,
            account: None,
            address: Some(address),
            hold: Hold::default(),
            queue_hold: Hold::default(),
        };
        room.send(RoomCommand::Join(request)).expect("the room is open");
        connection
    }

    /// Lets every room that is due do one turn. Then all that are awake are due.
    fn turn(&mut self) {
        let now = self.context.clock.now();
        while let Some(room) = self.pool.take_due(now) {
            self.awake.push((now, room));
        }
        for (due, mut room) in std::mem::take(&mut self.awake) {
            if due > now {
                self.awake.push((due, room));
                continue;
            }
            match room.turn() {
                Next::At(at) => self.awake.push((at, room)),
                Next::Asleep => self.awake.extend(RoomRunner::lay_to_sleep(room).map(|room| (now, room))),
                Next::Over => {}
            }
        }
        let next = self.awake.iter().map(|(due, _)| *due).max().unwrap_or(now);
        self.clock_us.store(next.max(now).0, Ordering::Relaxed);
    }

    /// Takes what a shard was sent, and counts its ticks as taken.
    fn sent(&self, shard: usize, rooms: &[&RoomHandle<Fragile>]) -> Vec<ShardCommand> {
        let mut commands = Vec::new();
        self.context.shards[shard].take(&mut commands);
        for command in &commands {
            if let ShardCommand::Tick(id, output) = command
                && !output.due.is_empty()
            {
                rooms.iter().filter(|room| room.id() == *id).for_each(|room| room.status.tick_taken(shard));
            }
        }
        commands
    }

    fn runner(&self, id: u32) -> Option<&RoomRunner<Fragile>> {
        self.awake.iter().map(|(_, room)| room.as_ref()).find(|room| room.room().info().id == RoomId(id))
    }
}

fn seat_of(commands: &[ShardCommand], connection: ConnectionId) -> Option<SeatAssignment> {
    commands.iter().find_map(|command| match command {
        ShardCommand::Seated(to, _, seat) if *to == connection => Some(*seat),
        _ => None,
    })
}

fn input(seat: SeatAssignment, first: Tick, input: TestInput) -> RoomCommand<Fragile> {
    let packet = InputPacket { acked: Tick(0), first, lag: 0, samples: [input].into_iter().collect() };
    RoomCommand::Input(seat, packet, MonoTime(0))
}

#[test]
fn a_room_that_panics_closes_its_connections_and_goes_on_empty_with_another_seed_and_others_notice_nothing() {
    let mut scene = Scene::new();
    let (failing, other) = (scene.open(1), scene.open(2));
    let (ann, bob, cid) = (scene.join(&failing, 0), scene.join(&failing, 1), scene.join(&other, 0));
    scene.turn();
    let rooms = [&failing, &other];
    let sent = [0, 1].map(|shard| scene.sent(shard, &rooms));
    let seat = seat_of(&sent[0], ann).expect("a free seat");
    assert!(seat_of(&sent[1], bob).is_some() && seat_of(&sent[0], cid).is_some());
    assert_eq!(scene.context.metrics.players.get(), 3);
    // A shard has taken nothing yet of some ticks, and a request comes with the input at which the room fails.
    (0..3).for_each(|_| scene.turn());
    assert!(failing.status.queued(0) > 0 && failing.status.queued(1) > 0);
    (0..SHARDS).for_each(|shard| drop(scene.sent(shard, &[])));
    let tick = scene.runner(1).expect("awake").room().tick();
    failing.send_all(&mut vec![input(seat, tick, TestInput { panics: true })]);
    scene.join(&failing, 1);
    scene.turn();

    for shard in 0..SHARDS {
        let sent = scene.sent(shard, &[]);
        let failed = |command: &&ShardCommand| matches!(command, ShardCommand::RoomFailed(RoomId(1)));
        assert_eq!(sent.iter().filter(failed).count(), 1, "shard {shard}: {sent:?}");
        assert_eq!(failing.status.queued(shard), 0, "what waited is void");
    }
    let metrics = Arc::clone(&scene.context.metrics);
    assert_eq!((metrics.room_failures.get(), failing.status.counters.failures.load(Ordering::Relaxed)), (1, 1));
    let room = scene.runner(1).expect("it goes on").room();
    assert_eq!((room.info().config.seed, room.room().game().hash()), (SEED + 1, SEED + 1));
    assert_eq!((room.occupancy().players, room.occupancy().queued), (0, 0));
    assert_eq!((metrics.players.get(), metrics.join_queue.get()), (1, 0), "that of the other room");
    assert_eq!(failing.status.players.load(Ordering::Relaxed), 0);
    assert_eq!(failing.status.coming.load(Ordering::Relaxed), 0, "the request was lost with the room");
    assert_eq!(other.status.counters.failures.load(Ordering::Relaxed), 0);
    assert_eq!(other.status.players.load(Ordering::Relaxed), 1);
    let other_tick = other.status.tick.load(Ordering::Relaxed);

    // Commands for seats of the failed room do nothing; who comes again is seated, and the other room has lost no tick.
    failing.send(RoomCommand::Leave(seat)).expect("the room is open");
    let again = scene.join(&failing, 0);
    scene.turn();
    let new = seat_of(&scene.sent(0, &rooms), again).expect("a free seat");
    assert_eq!(new.player, seat.player);
    assert_ne!(new.tick_zero, seat.tick_zero, "it cannot be taken for the former seat");
    scene.turn();
    assert_eq!(metrics.players.get(), 2);
    assert_eq!(other.status.tick.load(Ordering::Relaxed), other_tick + 2);
    assert_eq!(metrics.joins.of(JoinResult::Seated).get(), 4);
}

#[test]
fn a_failure_loses_the_results_still_to_come_and_the_end_of_the_server_keeps_them() {
    let mut scene = Scene::new();
    let (failing, other) = (scene.open(1), scene.open(2));
    let (ann, bob) = (scene.join(&failing, 0), scene.join(&failing, 0));
    scene.join(&other, 1);
    scene.turn();
    let sent = scene.sent(0, &[]);
    let [ann, bob] = [ann, bob].map(|connection| seat_of(&sent, connection).expect("a free seat"));
    // The game has no scores: a stay counts from ten seconds on.
    (0..10 * Fragile::TICK_HZ).for_each(|_| scene.turn());
    failing.send(RoomCommand::Leave(ann)).expect("the room is open");
    let tick = scene.runner(1).expect("awake").room().tick();
    failing.send_all(&mut vec![input(bob, tick, TestInput { panics: true })]);
    scene.turn();
    assert_eq!(scene.context.metrics.room_failures.get(), 1);
    let kept = |scene: &Scene| -> Vec<_> {
        let results = std::mem::take(&mut *scene.results.lock().expect("no panic"));
        results.iter().map(|result| (result.key.room.0, result.players[0].name.to_string())).collect()
    };
    assert_eq!(kept(&scene), [(1, "Player 1".to_owned())], "who left before it failed has a result");
    assert_eq!(scene.context.metrics.results_lost.get(), 1, "and who was still there has none");
    let now = scene.context.clock.now();
    scene.awake.drain(..).for_each(|(_, room)| scene.pool.add(room, now));
    scene.pool.end_rooms();
    assert_eq!(kept(&scene), [(2, "Player 3".to_owned())]);
}

#[test]
fn a_room_that_fails_again_and_again_still_serves_the_next() {
    let mut scene = Scene::new();
    let room = scene.open(1);
    for failures in 1..=3 {
        let connection = scene.join(&room, 0);
        scene.turn();
        let seat = seat_of(&scene.sent(0, &[&room]), connection).expect("a free seat");
        let tick = scene.runner(1).expect("awake").room().tick();
        room.send_all(&mut vec![input(seat, tick, TestInput { panics: true })]);
        scene.turn();
        assert_eq!(room.status.counters.failures.load(Ordering::Relaxed), failures);
        assert_eq!(scene.runner(1).expect("awake").room().info().config.seed, SEED + failures);
    }
}

#[test]
fn a_full_mailbox_drops_and_counts_inputs_and_nothing_else() {
    let mut scene = Scene::new();
    let room = scene.open(1);
    let connection = scene.join(&room, 0);
    scene.turn();
    let seat = seat_of(&scene.sent(0, &[&room]), connection).expect("a free seat");
    // Inputs for a seat that nobody has: the room counts none of them.
    let stale = SeatAssignment { player: PlayerId(7), ..seat };
    let inputs = |count: usize| -> Vec<_> { (0..count).map(|_| input(stale, Tick(1), TestInput::default())).collect() };
    let dropped = |scene: &Scene| {
        let counted = room.status.counters.inputs_dropped.load(Ordering::Relaxed);
        assert_eq!(scene.context.metrics.inputs_dropped.get(), counted);
        counted
    };
    room.send_all(&mut inputs(MAILBOX_MAX - 1));
    // One more fits; then a leave, as when a connection flushes its inputs before it goes.
    let mut batch = inputs(3);
    batch.insert(1, RoomCommand::Leave(seat));
    room.send_all(&mut batch);
    assert!(batch.is_empty());
    assert_eq!(dropped(&scene), 2, "the leave is kept, and is no input");
    let next = scene.join(&room, 0);
    room.send(RoomCommand::Leave(stale)).expect("the room is open");
    room.send_all(&mut inputs(5));
    assert_eq!(dropped(&scene), 7);
    assert_eq!(room.status.coming.load(Ordering::Relaxed), 1);
    scene.turn();
    let sent = scene.sent(0, &[&room]);
    let unseated =
        |command: &ShardCommand| matches!(command, ShardCommand::Unseated(_, player) if *player == seat.player);
    assert!(sent.iter().any(unseated), "the leave arrived");
    assert!(seat_of(&sent, next).is_some(), "and so did the join");
    assert_eq!(room.status.coming.load(Ordering::Relaxed), 0);
    // Emptied, the mailbox takes inputs again.
    room.send_all(&mut inputs(5));
    scene.turn();
    assert_eq!(dropped(&scene), 7);
}

#[test]
fn a_command_wakes_a_sleeping_room_and_a_room_that_is_over_takes_none() {
    let mut scene = Scene::new();
    let room = scene.open(1);
    scene.turn();
    assert!(scene.awake.is_empty(), "its mailbox holds it");
    assert_ne!(room.status.asleep_since.load(Ordering::Relaxed), 0);
    let connection = scene.join(&room, 0);
    scene.turn();
    assert!(seat_of(&scene.sent(0, &[&room]), connection).is_some());
    assert_eq!(room.status.asleep_since.load(Ordering::Relaxed), 0);
    let seat = SeatAssignment {
        player: PlayerId(0),
        ..scene.runner(1).expect("awake").room().seats().next().expect("seated").assignment
    };
    room.send(RoomCommand::Leave(seat)).expect("the room is open");
    room.retire();
    scene.turn();
    assert!(room.is_over());
    assert!(matches!(scene.sent(1, &[])[..], [ShardCommand::RoomEnded(RoomId(1))]));
    assert!(room.send(RoomCommand::Retire).is_err());
    assert_eq!(
        (scene.context.metrics.players.get(), scene.context.metrics.joins.of(JoinResult::Refused).get()),
        (0, 0)
    );
}
