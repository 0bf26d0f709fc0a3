//! A room that goes on from a checkpoint: on another node, and in its recording.

use broadside_shared::recording::block;
use broadside_shared::recording::recorder::Recorded;
use broadside_shared::recording::replay::{Recording, Replay, Replayed};
use broadside_shared::saved;
use broadside_shared::toy::MATCH;

use super::*;

impl Scene {
    /// Adds what was recorded since the last call, as whoever keeps recordings does. True once the recording has ended.
    fn record_into(&mut self, file: &mut Vec<u8>) -> bool {
        let mut has_ended = false;
        for recorded in self.room.take_effects().recorded {
            match recorded {
                Recorded::Begun(bytes) if file.starts_with(&bytes) => file.truncate(block::open_length(file)),
                Recorded::Begun(bytes) => *file = bytes,
                Recorded::Continued(bytes) => file.extend(&*bytes),
                Recorded::Ended(bytes) => {
                    file.extend(bytes);
                    has_ended = true;
                }
            }
        }
        has_ended
    }
}

#[test]
fn the_recording_of_a_match_shows_all_of_it_after_a_crash_but_the_lost_second() {
    let (rules, keep) = (7, KeptRecordings::Matches);
    let mut scene = Scene::with(|info, policy| {
        (info.config.mode, info.config.capacity) = (DUEL, 2);
        policy.recording = Some(RecordingPolicy { rules, keep });
    });
    let seats = [scene.seated(0, Role::Play), scene.seated(1, Role::Play)];
    scene.turns(150);
    let key = scene.room.match_key().expect("a match");
    let (info, policy) = (scene.room.info, scene.room.policy);
    let saved: (SavedRoom, Toy) = saved::load(&scene.room.save()).expect("it was just saved");
    // A second that is recorded, and lost.
    scene.turns(59);
    let mut file = Vec::new();
    assert!(!scene.record_into(&mut file));
    file.extend(b"torn");

    scene.now = scene.now.plus_ms(1500);
    let (world, limits) = ((saved.0, Some(saved.1)), TestLimits::none());
    scene.room = RoomLoop::restored(info, policy, &Arc::default(), (SHARDS, SHARDS), scene.now, world, &limits);
    assert_eq!(scene.room.match_key(), Some(key), "the file has the same name");
    for (seat, serial) in seats.into_iter().zip([90, 91]) {
        let of = |kept: &&seats::Seat| kept.assignment.player == seat.player;
        let shard = scene.room.seats().find(of).expect("it was given back").connection.shard;
        let connection = ConnectionId { shard, key: 1, serial };
        scene.command(RoomCommand::Resume(seat, connection, None));
    }
    let mut turns = 0;
    while !scene.record_into(&mut file) {
        assert_eq!(scene.turn(), Stepped::Ticked);
        turns += 1;
        assert!(turns < 2 * MATCH, "the match ends");
    }

    let recording = Recording::read(&file).expect("a recording");
    assert!(recording.is_whole && recording.bytes == file.len());
    let mut replay = Replay::<Toy, _>::new(&recording, Tick(0)).expect("a checkpoint");
    let mut ticks = Vec::new();
    let end = loop {
        match replay.step() {
            Replayed::Tick(tick) => ticks.push(tick.0),
            end => break end,
        }
    };
    assert!(matches!(end, Replayed::Ended), "after tick {:?}", ticks.last());
    assert!(ticks.is_sorted() && ticks.len() as u32 > turns + 150, "{} ticks", ticks.len());
    assert_eq!(replay.world().hash(), scene.room.room().game().hash());
}

#[test]
fn a_room_that_goes_on_by_another_clock_is_at_the_same_tick_with_the_same_seats() {
    let mut scene = Scene::new();
    let seat = scene.seated(0, Role::Play);
    scene.turns(50);
    let (info, policy, hour_us) = (scene.room.info, scene.room.policy, 3_600_000_000);
    let (saved, world): (SavedRoom, Toy) = saved::load(&scene.room.save()).expect("it was just saved");
    assert!(saved.clone().by_another_clock(-6_000_000).is_none(), "that clock began after the room");
    let (later, there) = (saved.by_another_clock(hour_us).expect("an older clock"), scene.now.plus_us(hour_us as u64));
    let mut room =
        RoomLoop::restored(info, policy, &Arc::default(), (SHARDS, SHARDS), there, (later, Some(world)), &scene.limits);
    assert_eq!((room.tick(), room.room().game().hash()), (scene.room.tick(), scene.room.room().game().hash()));
    assert_eq!(room.room().due_at(room.tick()), there, "its next tick is due now");
    let kept = room.seats().next().expect("the seat is kept").assignment;
    assert_eq!(kept, SeatAssignment { tick_zero: seat.tick_zero.plus_us(hour_us as u64), ..seat });
    assert_eq!(room.step(there, |_| 0, |_| {}), Stepped::Ticked);
}
