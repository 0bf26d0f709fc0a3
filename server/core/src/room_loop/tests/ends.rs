//! Scenes of sleep, retirement and the end of a room.

use super::*;

#[test]
fn an_empty_room_sleeps_and_wakes_at_the_tick_that_is_due_by_then() {
    let mut scene = Scene::new();
    assert_eq!(scene.turn(), Stepped::Asleep, "nobody is there");
    scene.now = scene.now.plus_us(10_000_000);
    let seat = scene.seated(0, Role::Play);
    assert_eq!(ticks(&scene.sent(0)), [600]);
    assert_eq!(scene.room.tick(), Tick(601));
    scene.command(RoomCommand::Leave(seat));
    assert_eq!(scene.turn(), Stepped::Asleep);
    let sent = scene.sent(0);
    assert!(matches!(sent[..], [ShardCommand::Unseated(..), ShardCommand::RoomEmptied(_)]), "{sent:?}");
    // A command that seats nobody does not change when the next tick is due.
    scene.now = scene.now.plus_us(1_000_000);
    scene.command(RoomCommand::Leave(seat));
    assert_eq!(scene.turn(), Stepped::Asleep);
    scene.now = scene.now.plus_us(505_000);
    scene.seated(0, Role::Spectate);
    assert_eq!(ticks(&scene.sent(0)), [691]);
}

#[test]
fn a_reservation_keeps_an_empty_room_awake_until_its_time_is_over() {
    let mut scene = Scene::new();
    let until = scene.now.plus_us(500_000);
    scene.command(RoomCommand::Reserve(7, until, Hold::default()));
    let awake = std::iter::from_fn(|| (scene.turn() == Stepped::Ticked).then_some(())).take(100).count();
    assert_eq!(awake, 29, "up to the tick before the 30th, which is due at that moment");
}

#[test]
fn players_are_notified_half_a_minute_before_the_end_and_later_ones_when_they_come() {
    let mut scene = Scene::with(|_, policy| policy.ends_at = Some(MonoTime(5_000_000 + 60_000_000)));
    let at = |seconds: u64| MonoTime(5_000_000 + seconds * 1_000_000);
    scene.seated(0, Role::Play);
    scene.seated(1, Role::Spectate);
    while scene.now < at(30) {
        scene.turn();
    }
    assert_eq!([0, 1].map(|shard| end_notices(&scene.sent(shard))), [vec![], vec![]], "not a tick sooner");
    scene.turn();
    assert_eq!([0, 1].map(|shard| end_notices(&scene.sent(shard))), [vec![(1, 30)], vec![(2, 30)]]);
    while scene.now < at(50) {
        scene.turn();
    }
    assert_eq!([0, 1].map(|shard| end_notices(&scene.sent(shard))), [vec![], vec![]], "once");
    scene.seated(1, Role::Play);
    assert_eq!([0, 1].map(|shard| end_notices(&scene.sent(shard))), [vec![], vec![(3, 10)]]);
    while scene.now < at(60) {
        assert_eq!(scene.turn(), Stepped::Ticked);
    }
    scene.room.take_effects();
    scene.clear_sent();
    scene.join(0, Role::Play);
    // It is seated in the turn in which the room ends; the end comes behind the seat.
    assert_eq!(scene.turn(), Stepped::Ended);
    for shard in 0..SHARDS {
        let sent = scene.sent(shard);
        assert!(matches!(sent.last(), Some(ShardCommand::RoomEnded(RoomId(1)))), "{sent:?}");
    }
}

#[test]
fn the_end_refuses_those_who_wait_in_the_join_queue() {
    let mut scene = Scene::with(|info, policy| {
        info.config.capacity = 1;
        policy.ends_at = Some(MonoTime(6_000_000));
    });
    scene.seated(0, Role::Play);
    let waiting = [scene.join(0, Role::Play), scene.join(1, Role::Play)];
    while scene.now < MonoTime(6_000_000) {
        scene.turn();
    }
    assert!(scene.room.queued().map(|request| request.connection).eq(waiting));
    scene.room.take_effects();
    assert_eq!(scene.turn(), Stepped::Ended);
    assert_eq!(scene.room.take_effects().refused, 2);
    assert_eq!(scene.room.occupancy().queued, 0);
}

#[test]
fn retiring_ends_only_a_room_in_which_nobody_plays_or_is_about_to() {
    type Act = fn(&mut Scene);
    let cases: [(&str, Act, Stepped); 7] = [
        ("empty", |_| {}, Stepped::Ended),
        ("a player", |scene| _ = scene.join(0, Role::Play), Stepped::Ticked),
        ("a spectator", |scene| _ = scene.join(0, Role::Spectate), Stepped::Ended),
        ("a bot", |scene| _ = scene.join_from(0, Role::Play, None, JoinMethod::Public), Stepped::Ended),
        (
            "a bot, and a player in the queue",
            |scene| {
                scene.join_from(0, Role::Play, None, JoinMethod::Public);
                scene.turn();
                scene.join(0, Role::Play);
            },
            Stepped::Ticked,
        ),
        (
            "a parked player",
            |scene| {
                let seat = scene.seated(0, Role::Play);
                scene.command(RoomCommand::Park(seat));
            },
            Stepped::Ticked,
        ),
        (
            "a reservation",
            |scene| {
                let until = scene.now.plus_us(15_000_000);
                scene.command(RoomCommand::Reserve(7, until, Hold::default()));
            },
            Stepped::Ticked,
        ),
    ];
    for (what, act, stepped) in cases {
        let mut scene = Scene::with(|info, _| info.config.capacity = 1);
        act(&mut scene);
        scene.command(RoomCommand::Retire);
        assert_eq!(scene.turn(), stepped, "{what}");
        // It counted for that turn only: when the last player leaves, the room sleeps and does not end.
        if stepped == Stepped::Ticked {
            for seat in scene.room.seats().map(|seat| seat.assignment).collect::<Vec<_>>() {
                scene.command(RoomCommand::Leave(seat));
            }
            assert_ne!(scene.turn(), Stepped::Ended, "{what}");
        }
    }
}
