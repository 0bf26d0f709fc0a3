use broadside_shared::protocol::room::ModeId;
use broadside_shared::toy::Toy;

use super::*;

fn room(capacity: u16) -> Room<Toy> {
    let config = RoomConfig { snapshot_every: 2, capacity, seed: 5, mode: ModeId(0) };
    Room::new(config, &(), MonoTime(0))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a fine name")
}

/// Steps the ticks and returns their updates, without boards.
fn run(room: &mut Room<Toy>, out: &mut RoomOutput, ticks: std::ops::RangeInclusive<u32>) -> Vec<RoomUpdate> {
    ticks
        .flat_map(|tick| {
            room.step(Tick(tick), 0, out, |_| {});
            out.updates.clone()
        })
        .filter(|update| !matches!(update, RoomUpdate::Board { .. }))
        .collect()
}

#[test]
fn a_seat_is_kept_for_exactly_the_grace_period_and_the_roster_says_so() {
    let (mut room, mut out) = (room(2), RoomOutput::default());
    let ann = room.join(name("Ann")).expect("a free seat");
    let bob = room.join(name("Bob")).expect("a free seat");
    run(&mut room, &mut out, 1..=10);
    room.away(ann);
    room.away(ann);
    assert_eq!(run(&mut room, &mut out, 11..=40), [RoomUpdate::Away { player: ann }], "sent once");
    assert_eq!(room.join(name("Cid")), Err(RoomFull(2)), "the seat is kept");
    room.back(ann);
    assert_eq!(run(&mut room, &mut out, 41..=50), [RoomUpdate::Back { player: ann }]);
    room.away(bob);
    run(&mut room, &mut out, 51..=109);
    assert_eq!(room.expired_seat(60), None);
    run(&mut room, &mut out, 110..=110);
    assert_eq!(room.expired_seat(60), Some(bob));
    room.leave(bob);
    assert_eq!(run(&mut room, &mut out, 111..=111), [RoomUpdate::Left { player: bob }]);
    assert_eq!(room.join(name("Cid")), Ok(bob), "the lowest free number");
}

#[test]
fn dropped_ticks_do_not_count_towards_the_grace_period() {
    let (mut room, mut out) = (room(1), RoomOutput::default());
    let ann = room.join(name("Ann")).expect("a free seat");
    run(&mut room, &mut out, 1..=10);
    room.away(ann);
    // The server stood still for longer than the grace period.
    run(&mut room, &mut out, 100..=158);
    assert_eq!(room.expired_seat(60), None, "she has had no time to come back");
    run(&mut room, &mut out, 159..=159);
    assert_eq!(room.expired_seat(60), Some(ann));
}

#[test]
fn a_spectator_uses_no_capacity_follows_a_player_and_is_not_in_the_roster() {
    let (mut room, mut out) = (room(1), RoomOutput::default());
    let spectator = room.spectate(name("Dot")).expect("room for a spectator");
    assert_eq!((room.players(), room.spectators()), (0, 1));
    run(&mut room, &mut out, 1..=5);
    assert_eq!(room.take_following().count(), 0, "there is no player to follow");
    let ann = room.join(name("Ann")).expect("a free seat");
    let updates = run(&mut room, &mut out, 6..=7);
    assert_eq!(updates, [RoomUpdate::Named { player: ann, name: name("Ann") }]);
    assert_eq!(room.take_following().collect::<Vec<_>>(), [(spectator, ann)]);
    let seen = out.due.iter().find(|due| due.player == spectator).map(|due| due.focus);
    let seen = seen.or_else(|| {
        run(&mut room, &mut out, 8..=8);
        out.due.iter().find(|due| due.player == spectator).map(|due| due.focus)
    });
    assert_eq!(seen, room.game().player_state(ann).map(Toy::focus), "the spectator sees what Ann sees");
    room.follow(spectator, PlayerId(99));
    assert_eq!(room.take_following().count(), 0, "there is no such player");
    assert_eq!(room.roster(), [RoomUpdate::Named { player: ann, name: name("Ann") }]);
    room.back(spectator);
    assert_eq!(room.take_following().collect::<Vec<_>>(), [(spectator, ann)], "a new connection is notified again");
    room.look(spectator, (40, -70));
    run(&mut room, &mut out, 9..=12);
    let seen = out.due.iter().find(|due| due.player == spectator).map(|due| due.focus);
    assert!(seen.is_none_or(|seen| seen == Vec2::new(40.0, -70.0)), "it looks there: {seen:?}");
    assert_eq!(room.take_following().count(), 0, "and follows nobody");
    room.follow(spectator, ann);
    assert_eq!(room.take_following().collect::<Vec<_>>(), [(spectator, ann)]);
    room.leave(spectator);
    assert_eq!((room.players(), room.spectators()), (1, 0));
}

#[test]
fn a_new_name_goes_to_all_recipients_and_into_the_roster_for_later_ones() {
    let (mut room, mut out) = (room(2), RoomOutput::default());
    let ann = room.join(name("Ann")).expect("a free seat");
    let spectator = room.spectate(name("Dot")).expect("room for a spectator");
    run(&mut room, &mut out, 1..=5);
    room.rename(ann, &name("Zoe"));
    room.rename(spectator, &name("Dora"));
    room.rename(PlayerId(99), &name("Nobody"));
    let named = [RoomUpdate::Named { player: ann, name: name("Zoe") }];
    assert_eq!(run(&mut room, &mut out, 6..=6), named, "no update for a spectator");
    assert_eq!((room.roster(), room.name_of(spectator)), (named.to_vec(), Some(&name("Dora"))));
    room.rename(ann, &name("Zoe"));
    assert_eq!(run(&mut room, &mut out, 7..=7), [], "nothing is new");
}

#[test]
fn few_snapshots_go_out_on_one_tick_and_many_are_staggered() {
    let (mut room, mut out) = (room(40), RoomOutput::default());
    let mut due = |room: &mut Room<Toy>, ticks: std::ops::Range<u32>| -> Vec<(usize, bool)> {
        let step = |tick| {
            room.step(Tick(tick), 0, &mut out, |_| ());
            (out.due.len(), out.world.is_some())
        };
        ticks.map(step).collect()
    };
    for number in 0..10 {
        room.join(name(&format!("ann {number}"))).expect("a free seat");
    }
    assert_eq!(due(&mut room, 1..5), [(0, false), (10, true), (0, false), (10, true)]);
    for number in 10..30 {
        room.join(name(&format!("ann {number}"))).expect("a free seat");
    }
    assert_eq!(due(&mut room, 5..9), [(15, true); 4]);
    (15..30).for_each(|player| room.leave(PlayerId(player)));
    assert_eq!(due(&mut room, 9..11), [(7, true), (8, true)], "still staggered until the occupancy is lower yet");
    (5..15).for_each(|player| room.leave(PlayerId(player)));
    assert_eq!(due(&mut room, 11..13), [(0, false), (5, true)]);
}
