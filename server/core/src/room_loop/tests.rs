//! Scenes of a room with its seats. The test is the shell: it owns time, and says how many ticks wait for each shard.

mod ends;
mod game_requests;
mod recording;
mod results;
mod scores;

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::input::InputPacket;
use broadside_shared::protocol::room::Role;
use broadside_shared::toy::{DUEL, Push, Toy};

use super::*;
use crate::admission::reservations::RESERVED_MAX;
use crate::commands::{AccountId, ConnectionId, JoinMethod, SeatAssignment};
use crate::testing::{TestLimits, name, room_info};

const SHARDS: usize = 2;

struct Scene {
    room: RoomLoop<Toy>,
    limits: TestLimits,
    now: MonoTime,
    /// Ticks with recipients that wait for each shard.
    queued: [u32; SHARDS],
    /// What each shard was sent, until taken.
    sent: [Vec<ShardCommand>; SHARDS],
    connected: u64,
}

impl Scene {
    fn new() -> Self {
        Scene::with(|_, _| {})
    }

    fn with(change: impl FnOnce(&mut RoomInfo, &mut Policy)) -> Self {
        let (mut info, now) = (room_info(1), MonoTime(5_000_000));
        let mut policy = Policy { seats_per_address: 20, grace_s: 1, ends_at: None, recording: None };
        change(&mut info, &mut policy);
        Scene {
            room: RoomLoop::new(info, policy, &Arc::default(), SHARDS, now),
            limits: TestLimits::none(),
            now,
            queued: [0; SHARDS],
            sent: Default::default(),
            connected: 0,
        }
    }

    fn command(&mut self, command: RoomCommand<Toy>) {
        self.room.handle_command(self.now, command, &self.limits);
    }

    /// Somebody asks for a seat; each has another address.
    fn join(&mut self, shard: usize, role: Role) -> ConnectionId {
        let host = self.connected as u8;
        self.join_from(shard, role, Some([10, 0, 0, host].into()), JoinMethod::Public)
    }

    fn join_from(&mut self, shard: usize, role: Role, address: Option<IpAddr>, method: JoinMethod) -> ConnectionId {
        self.connected += 1;
        let serial = self.connected;
        let connection = ConnectionId { shard, key: serial as usize, serial };
        let (hold, queue_hold) = (Hold::default(), Hold::default());
        let name = name(&format!("Player {serial}"));
        let (session, account) = (serial, Some(AccountId([serial as u8; 16])));
        let request = JoinRequest { name, role, method, connection, session, account, address, hold, queue_hold };
        self.command(RoomCommand::Join(request));
        connection
    }

    /// Joins and is seated with the next tick.
    fn seated(&mut self, shard: usize, role: Role) -> SeatAssignment {
        let connection = self.join(shard, role);
        self.turn();
        self.seat_of(connection).expect("a free seat")
    }

    fn seat_of(&self, connection: ConnectionId) -> Option<SeatAssignment> {
        self.room.seats().find(|seat| seat.connection == connection).map(|seat| seat.assignment)
    }

    /// Steps the tick that is due now, and goes on to when the next is due.
    fn turn(&mut self) -> Stepped {
        let stepped = self.step();
        if stepped == Stepped::Ticked {
            self.now = self.room.finish(self.now, self.now).next;
        }
        stepped
    }

    fn turns(&mut self, count: u32) {
        for _ in 0..count {
            assert_eq!(self.turn(), Stepped::Ticked);
        }
    }

    fn step(&mut self) -> Stepped {
        let queued = self.queued;
        let stepped = self.room.step(self.now, |shard| queued[shard], |_| {});
        for (shard, sent) in self.sent.iter_mut().enumerate() {
            sent.extend(self.room.poll_commands(shard).into_iter().flatten());
        }
        stepped
    }

    /// Takes what a shard was sent since the last call.
    fn sent(&mut self, shard: usize) -> Vec<ShardCommand> {
        std::mem::take(&mut self.sent[shard])
    }

    fn clear_sent(&mut self) {
        self.sent = Default::default();
    }
}

/// The numbers of the ticks among these commands.
fn ticks(commands: &[ShardCommand]) -> Vec<u32> {
    let tick = |command: &ShardCommand| match command {
        ShardCommand::Tick(_, output) => Some(output.tick.0),
        _ => None,
    };
    commands.iter().filter_map(tick).collect()
}

/// The notices that the room ends among these commands: to which session, and in how many seconds.
fn end_notices(commands: &[ShardCommand]) -> Vec<(u64, u32)> {
    let notice = |command: &ShardCommand| match command {
        ShardCommand::Deliver(_, session, envelope) => {
            let in_time = |seconds: &u32| envelope.message == ends_in(*seconds);
            (1..=60).find(in_time).map(|seconds| (*session, seconds))
        }
        _ => None,
    };
    commands.iter().filter_map(notice).collect()
}

fn is_refused(commands: &[ShardCommand], connection: ConnectionId, code: CloseCode) -> bool {
    let is_meant = |command: &ShardCommand| matches!(command, ShardCommand::Refused(to, _, with) if *to == connection && *with == code);
    commands.iter().any(is_meant)
}

#[test]
fn a_shard_that_does_not_take_its_ticks_gets_no_more_and_first_of_all_what_it_missed() {
    let mut scene = Scene::with(|info, _| info.config.mode = DUEL);
    let (slow, fast) = (scene.seated(0, Role::Play), scene.seated(1, Role::Play));
    scene.turns(10);
    scene.clear_sent();
    // One less is still in time.
    scene.queued[0] = QUEUED_MAX - 1;
    scene.turns(2);
    assert_eq!(ticks(&scene.sent(0)).len(), 2);
    scene.queued[0] = QUEUED_MAX;
    scene.command(RoomCommand::Rename(fast, name("Zoe")));
    scene.turns(150);
    scene.command(RoomCommand::Rename(slow, name("Ann")));
    // Ends on a tick that has neither a board nor a match status of its own.
    scene.turns(30);
    assert!(ticks(&scene.sent(0)).is_empty() && ticks(&scene.sent(1)).len() > 150, "the other shard misses nothing");
    let newest_match = scene.room.match_status().cloned().expect("a duel has rounds");
    scene.queued[0] = QUEUED_MAX - 1;
    // Far enough for a snapshot at any level of service.
    scene.turns(8);
    let sent = scene.sent(0);
    let (ShardCommand::Updates(_, owed), ShardCommand::Tick(..)) = (&sent[0], &sent[1]) else {
        panic!("updates, then the tick, were due: {sent:?}")
    };
    let names = |update: &RoomUpdate| match update {
        RoomUpdate::Named { player, name } => Some((*player, name.to_string())),
        _ => None,
    };
    let names: Vec<_> = owed.iter().filter_map(names).collect();
    assert_eq!(names, [(fast.player, "Zoe".to_owned()), (slow.player, "Ann".to_owned())]);
    let boards: Vec<u32> = owed
        .iter()
        .filter_map(|update| match update {
            RoomUpdate::Board { tick, .. } => Some(tick.0),
            _ => None,
        })
        .collect();
    assert_eq!(boards, [180], "of the boards the newest");
    let matches: Vec<&MatchStatus> = owed
        .iter()
        .filter_map(|update| match update {
            RoomUpdate::Match(status) => Some(status),
            _ => None,
        })
        .collect();
    assert_eq!(matches, [&newest_match], "of the match statuses the newest");
    assert_eq!(
        ticks(&sent[1..]),
        (195..195 + sent.len() as u32 - 1).collect::<Vec<_>>(),
        "and then tick by tick again"
    );
    assert!(scene.room.level() > 0, "a shard that lags counts as a busy machine");
}

#[test]
fn what_a_shard_missed_of_a_room_it_left_is_not_owed_when_it_is_back() {
    let mut scene = Scene::new();
    let (gone, other) = (scene.seated(0, Role::Play), scene.seated(1, Role::Play));
    scene.queued[0] = QUEUED_MAX;
    scene.command(RoomCommand::Rename(other, name("Zoe")));
    scene.turns(2);
    scene.command(RoomCommand::Leave(gone));
    scene.turns(1);
    scene.queued[0] = 0;
    scene.clear_sent();
    scene.seated(0, Role::Play);
    let sent = scene.sent(0);
    let [ShardCommand::RoomOpened(_, roster), ShardCommand::Seated(..), ShardCommand::Tick(..)] = &sent[..] else {
        panic!("an opened room, a seat and a tick were due: {sent:?}")
    };
    assert!(roster.contains(&RoomUpdate::Named { player: other.player, name: name("Zoe") }), "{roster:?}");
}

#[test]
fn a_room_catches_up_a_few_ticks_and_drops_and_counts_more() {
    for behind in 0..=CATCH_UP_TICKS + 3 {
        let mut scene = Scene::new();
        scene.seated(0, Role::Play);
        scene.turns(5);
        let until = scene.now.plus_us(300_000);
        scene.command(RoomCommand::Reserve(7, until, Hold::default()));
        let (began, tick) = (scene.now, scene.room.tick());
        scene.step();
        // The step took so long that the next tick is due, and so many more behind it.
        let next_due = scene.room.room().due_at(tick.after(1));
        let done = next_due.plus_us(u64::from(behind) * 16_667);
        let timing = scene.room.finish(began, done);
        assert!(timing.is_overrun, "{behind} behind");
        let missed = if behind > CATCH_UP_TICKS { behind } else { 0 };
        assert_eq!((timing.missed, scene.room.tick()), (missed, tick.after(1 + missed)), "{behind} behind");
        assert_eq!(timing.next, scene.room.room().due_at(scene.room.tick()));
        assert!(timing.next <= done, "at once");
        // Caught up tick by tick, and then in time again.
        scene.now = done;
        while scene.room.tick() < tick.after(behind + 2) {
            scene.step();
            assert_eq!(scene.room.finish(done, done).missed, 0);
        }
        assert!(scene.room.room().due_at(scene.room.tick()) > done);
        // A reservation is kept longer by the time in which nobody could come.
        let kept_until = until.plus_us(u64::from(missed) * tick_us(Toy::TICK_HZ, 1));
        scene.now = scene.room.room().due_at(scene.room.tick());
        let expired = loop {
            let due = scene.now;
            scene.turns(1);
            if scene.room.occupancy().reserved == 0 {
                break due;
            }
        };
        assert!(kept_until <= expired && expired.us_since(kept_until) < 16_667, "{behind} behind: {expired:?}");
    }
}

#[test]
fn a_tick_without_recipients_is_held_back_until_one_with_recipients_or_an_answer_comes() {
    let mut scene = Scene::with(|info, _| (info.config.snapshot_every, info.config.capacity) = (3, 1));
    scene.seated(0, Role::Play);
    scene.turns(4);
    scene.clear_sent();
    let mut batches = Vec::new();
    for _ in 0..6 {
        scene.turn();
        batches.push(ticks(&scene.sent(0)));
    }
    assert_eq!(batches, [vec![4, 5, 6], vec![], vec![], vec![7, 8, 9], vec![], vec![]]);
    scene.turn();
    assert_eq!(ticks(&scene.sent(0)), [10, 11, 12]);
    // An answer does not wait, and takes what is held back with it, in order.
    scene.turn();
    let queued = scene.join(0, Role::Play);
    scene.turn();
    let sent = scene.sent(0);
    assert_eq!(ticks(&sent), [13, 14]);
    assert!(matches!(sent[2], ShardCommand::Queued(connection, _, 1) if connection == queued), "{sent:?}");
}

#[test]
fn a_lost_shard_frees_its_seats_and_its_places_in_the_queue_and_no_others() {
    let mut scene = Scene::with(|info, _| info.config.capacity = 3);
    let (lost, kept) = (scene.seated(0, Role::Play), scene.seated(1, Role::Play));
    let parked = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Park(parked));
    scene.join(0, Role::Play);
    let waiting = scene.join(1, Role::Play);
    scene.turns(2);
    scene.clear_sent();
    // Not polled yet: meant for connections that are gone.
    let refused = scene.join_from(0, Role::Spectate, Some([10, 0, 0, 99].into()), JoinMethod::Public);
    scene.command(RoomCommand::ShardLost(0));
    scene.turns(2);
    let left: Vec<PlayerId> = scene.room.seats().map(|seat| seat.assignment.player).collect();
    assert_eq!(left, [lost.player, kept.player], "the next in the queue has the lowest free number");
    assert_eq!(scene.seat_of(waiting).map(|seat| seat.player), Some(lost.player));
    assert_eq!(scene.room.occupancy().queued, 0);
    let sent = scene.sent(0);
    assert!(
        sent.iter().all(|command| matches!(command, ShardCommand::Unseated(..) | ShardCommand::RoomEmptied(_))),
        "nothing for connections that are gone: {refused:?} {sent:?}"
    );
    let updates: Vec<RoomUpdate> = scene
        .sent(1)
        .iter()
        .filter_map(|command| match command {
            ShardCommand::Tick(_, output) => Some(output.updates.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    for gone in [lost, parked] {
        assert!(updates.contains(&RoomUpdate::Left { player: gone.player }), "{updates:?}");
    }
    // A second failure before anything was sent: the shard may still be about to learn of the room, from before the first.
    scene.seated(0, Role::Play);
    scene.clear_sent();
    scene.command(RoomCommand::ShardLost(0));
    scene.command(RoomCommand::ShardLost(0));
    scene.turns(1);
    assert!(scene.sent(0).iter().any(|command| matches!(command, ShardCommand::RoomEmptied(_))));
    scene.clear_sent();
    // The restarted shard learns of the room again when somebody there is seated.
    scene.seated(0, Role::Play);
    let sent = scene.sent(0);
    assert!(matches!(sent[..2], [ShardCommand::RoomOpened(..), ShardCommand::Seated(..)]), "{sent:?}");
}

#[test]
fn commands_for_a_former_seat_are_ignored_also_after_a_restart() {
    let mut scene = Scene::new();
    let former = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Leave(former));
    scene.turn();
    let current = scene.seated(0, Role::Play);
    assert_eq!(current.player, former.player, "the number is used again");
    let check = |scene: &mut Scene, former: SeatAssignment, current: SeatAssignment| {
        let connection = ConnectionId { shard: 0, key: 77, serial: 77 };
        let packet = InputPacket {
            acked: Tick(0),
            // Too late: counted if it reached the seat.
            first: Tick(0),
            lag: 0,
            samples: [Push::default()].into_iter().collect(),
        };
        scene.room.take_effects();
        for command in [
            RoomCommand::Leave(former),
            RoomCommand::Park(former),
            RoomCommand::Resume(former, connection, None),
            RoomCommand::Rename(former, name("Former")),
            RoomCommand::Input(former, packet.clone(), scene.now),
        ] {
            scene.command(command);
        }
        scene.turn();
        let seat = scene.room.seats().next().expect("still seated");
        assert_eq!((seat.assignment, seat.is_parked()), (current, false));
        assert_ne!(seat.connection, connection);
        assert_ne!(scene.room.room().name_of(current.player), Some(&name("Former")));
        assert_eq!(scene.room.take_effects().inputs_dropped, 0);
        let now = scene.now;
        scene.command(RoomCommand::Input(current, packet, now));
        assert_eq!(scene.room.take_effects().inputs_dropped, 1, "that of the current holder arrives");
    };
    check(&mut scene, former, current);
    // A restarted room counts its ticks from 1 again: number and tick of an assignment may be those of the failed room.
    let mut first = Scene::new();
    let former = first.seated(0, Role::Play);
    first.turns(30);
    first.room = first.room.restarted(first.now);
    let current = first.seated(0, Role::Play);
    assert_eq!((current.player, current.since), (former.player, former.since));
    check(&mut first, former, current);
}

#[test]
fn a_parked_seat_is_kept_for_the_grace_and_not_a_tick_longer_unless_its_holder_is_back() {
    let mut scene = Scene::new();
    let (gone, back) = (scene.seated(0, Role::Play), scene.seated(0, Role::Play));
    // Others keep the room awake.
    scene.seated(1, Role::Play);
    scene.command(RoomCommand::Park(gone));
    scene.command(RoomCommand::Park(back));
    scene.turns(59);
    let next = ConnectionId { shard: 0, key: 50, serial: 50 };
    scene.command(RoomCommand::Resume(back, next, None));
    scene.turns(1);
    assert!(scene.room.seats().any(|seat| seat.assignment == gone), "60 ticks: still kept");
    scene.clear_sent();
    scene.turns(1);
    assert!(!scene.room.seats().any(|seat| seat.assignment == gone), "in the 61st it is free");
    assert!(
        scene
            .sent(0)
            .iter()
            .any(|command| matches!(command, ShardCommand::Unseated(_, player) if *player == gone.player))
    );
    scene.turns(200);
    let seat = scene.room.seats().find(|seat| seat.assignment == back).expect("back in time");
    assert_eq!((seat.connection, seat.is_parked()), (next, false));
}

#[test]
fn a_parked_seat_makes_way_for_the_next_connection_of_its_address() {
    let address: IpAddr = [10, 9, 9, 9].into();
    let join = |scene: &mut Scene| scene.join_from(0, Role::Play, Some(address), JoinMethod::Public);
    let mut scene = Scene::new();
    scene.limits = TestLimits::new(2, 10);
    let [first, second] = [0, 1].map(|_| {
        let connection = join(&mut scene);
        scene.turn();
        scene.seat_of(connection).expect("a free seat")
    });
    // Both play: a third is refused.
    let third = join(&mut scene);
    scene.turn();
    assert!(is_refused(&scene.sent(0), third, CloseCode::TooManyFromAddress));
    assert_eq!(*scene.limits.counted.borrow(), (1, 0));
    scene.command(RoomCommand::Park(second));
    scene.now = scene.now.plus_us(1);
    scene.command(RoomCommand::Park(first));
    scene.turn();
    scene.clear_sent();
    let next = join(&mut scene);
    scene.turn();
    let seats: Vec<PlayerId> = scene.room.seats().map(|seat| seat.assignment.player).collect();
    assert_eq!(seats, [first.player, second.player]);
    assert!(scene.room.seats().any(|seat| seat.assignment == first), "the one parked last is kept");
    assert_eq!(scene.seat_of(next).map(|seat| seat.player), Some(second.player), "the one parked first makes way");
    assert_eq!(*scene.limits.counted.borrow(), (1, 1));
    // Another address is not concerned.
    assert!(scene.seated(0, Role::Play).player > second.player);
}

#[test]
fn of_the_parked_seats_of_an_address_beyond_its_limit_the_oldest_is_given_up() {
    let address: IpAddr = [10, 9, 9, 9].into();
    let mut scene = Scene::new();
    scene.limits = TestLimits::new(10, 1);
    let [first, second] = [0, 1].map(|_| {
        let connection = scene.join_from(0, Role::Play, Some(address), JoinMethod::Public);
        scene.turn();
        scene.seat_of(connection).expect("a free seat")
    });
    let other = scene.seated(0, Role::Play);
    scene.command(RoomCommand::Park(other));
    scene.command(RoomCommand::Park(first));
    scene.turn();
    assert_eq!(scene.room.seats().count(), 3);
    scene.command(RoomCommand::Park(second));
    scene.turn();
    let seats: Vec<SeatAssignment> = scene.room.seats().map(|seat| seat.assignment).collect();
    assert_eq!(seats, [second, other]);
    // When its holder is back, another one may be parked.
    scene.command(RoomCommand::Resume(second, ConnectionId { shard: 0, key: 60, serial: 60 }, None));
    let third = scene.join_from(0, Role::Play, Some(address), JoinMethod::Public);
    scene.turn();
    let third = scene.seat_of(third).expect("a free seat");
    scene.command(RoomCommand::Park(third));
    scene.turn();
    assert_eq!(scene.room.seats().count(), 3);
}

#[test]
fn a_reservation_seats_ahead_of_the_queue_and_only_once() {
    let mut scene = Scene::with(|info, _| info.config.capacity = 1);
    let until = scene.now.plus_us(15_000_000);
    scene.command(RoomCommand::Reserve(7, until, Hold::default()));
    let early = scene.join(0, Role::Play);
    scene.turn();
    assert_eq!(scene.seat_of(early), None, "the only seat is kept");
    let address = Some([10, 0, 1, 1].into());
    let promised = scene.join_from(0, Role::Play, address, JoinMethod::Reservation(7));
    scene.turn();
    assert!(scene.seat_of(promised).is_some());
    let again = scene.join_from(0, Role::Play, address, JoinMethod::Reservation(7));
    scene.turn();
    assert!(scene.room.queued().map(|request| request.connection).eq([early, again]));
    for number in 0..2 * RESERVED_MAX as u64 {
        scene.command(RoomCommand::Reserve(number, until, Hold::default()));
    }
    assert_eq!(usize::from(scene.room.occupancy().reserved), RESERVED_MAX);
}
