//! Resuming a seat over a new socket: its cost in bytes follows what the client missed.

use broadside_arena::Arena;
use broadside_shared::client::{Client, ClientEvent, Detail};
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use broadside_shared::replication::world::HISTORY_TICKS;

use crate::feel::AiPlayers;
use broadside_sim::Sim;

/// Bytes that a client received in the first quarter of a second of a connection, beyond its average for a quarter of a second in the two
/// seconds from half a second on.
fn catch_up(sim: &Sim<Arena>, index: usize, before: usize) -> usize {
    let arrivals = &sim.clients[index].arrivals[before..];
    let first = arrivals.first().expect("a snapshot arrived").tick;
    let within = |from: u32, to: u32| {
        let those = arrivals.iter().filter(move |arrival| (from..to).contains(&arrival.tick.since(first)));
        those.map(|arrival| arrival.bytes).sum::<usize>()
    };
    within(0, 15).saturating_sub(within(30, 150) / 8)
}

/// The clients that lose their socket.
const LOST: std::ops::Range<usize> = 7..15;

/// For how long, in seconds.
const GAPS_S: [f64; 2] = [0.3, 2.0];

#[test]
fn a_client_that_reads_only_heads_plays_on_and_resumes() {
    let profile = LinkProfile::named("cable").expect("a known link profile");
    let mut sim = Sim::<Arena>::new(3, 3);
    let (whole, heads) = (sim.connect(&profile), sim.connect_reading(Detail::Heads, &profile));
    let mut ais = AiPlayers::new(3, 2);
    let mut drive = |index: usize, client: &Client<Arena>| ais.decide(index, client);
    for _ in 0..2 {
        sim.run(6.0, &mut drive);
        let (all, some) = (sim.clients[whole].client.stats(), sim.clients[heads].client.stats());
        assert!(!sim.clients[heads].client.decodes() && some.bytes_unread > 0);
        assert!(some.snapshots.abs_diff(all.snapshots) <= 3, "{} and {}", some.snapshots, all.snapshots);
        assert!(some.inputs_missing <= 3, "its inputs arrive in time: {}", some.inputs_missing);
        [whole, heads].into_iter().for_each(|at| sim.lose_socket(at));
        sim.run(0.3, &mut drive);
        [whole, heads].into_iter().for_each(|at| sim.reconnect(at, &profile));
        sim.run(0.3, &mut drive);
        assert!(sim.all_play());
    }
}

#[test]
fn a_resume_costs_what_was_missed_and_not_as_much_as_a_join() {
    let profile = LinkProfile::named("cable").expect("a known link profile");
    let mut sim = Sim::<Arena>::new(6, 3);
    for _ in 0..120 {
        sim.connect(&profile);
    }
    let mut ais = AiPlayers::new(6, 140);
    let mut drive = |index: usize, client: &Client<Arena>| ais.decide(index, client);
    // By then the arena has grown: joins are spread over a few ticks, and the first ships see a crowd.
    sim.run(16.0, &mut drive);
    let (mut joins, mut costs) = (Vec::new(), [(GAPS_S[0], 0), (GAPS_S[1], 0)]);
    // More than once: what is missed depends on the fight as well.
    for round in 0..2 * GAPS_S.len() {
        let (gap, cost) = &mut costs[round % GAPS_S.len()];
        let gap = *gap;
        let seats: Vec<_> = LOST.map(|at| sim.clients[at].client.player().expect("seated")).collect();
        let before: Vec<_> = LOST.map(|at| sim.clients[at].arrivals.len()).collect();
        LOST.for_each(|at| sim.lose_socket(at));
        sim.run(gap, &mut drive);
        assert!(seats.iter().all(|seat| sim.clients[3].client.is_away(*seat)), "the others see the players as away");
        LOST.for_each(|at| sim.reconnect(at, &profile));
        let newcomer = sim.connect(&profile);
        sim.run(3.0, &mut drive);
        let mut bytes = 0;
        for (at, (seat, before)) in LOST.zip(seats.iter().zip(before)) {
            assert_eq!(sim.clients[at].client.player(), Some(*seat), "the same seat");
            assert!(!sim.clients[3].client.is_away(*seat));
            bytes += catch_up(&sim, at, before);
        }
        *cost += bytes / LOST.len() / 2;
        joins.push(catch_up(&sim, newcomer, 0));
    }
    println!("bytes of a join {joins:?}, of a resume by seconds of absence {costs:?}");
    let join = joins.iter().sum::<usize>() / joins.len();
    // Two seconds of a fight are much to catch up on, and two joins are no exact measure of a join.
    assert!(costs[0].1 * 2 <= join && costs[1].1 * 3 <= join * 2, "join {join}: {costs:?}");
    assert!(costs[0].1 < costs[1].1, "{costs:?}");
    assert!(HISTORY_TICKS as u32 > 2 * 60, "two seconds are served from the history");
}

#[test]
fn a_server_that_goes_on_after_a_crash_gives_everyone_the_same_seat_in_the_same_world() {
    let profile = LinkProfile::named("cable").expect("a known link profile");
    let mut sim = Sim::<Arena>::new(9, 2);
    for _ in 0..20 {
        sim.connect(&profile);
    }
    let mut ais = AiPlayers::new(9, 20);
    let mut drive = |index: usize, client: &Client<Arena>| ais.decide(index, client);
    sim.run(8.0, &mut drive);
    let seats = |sim: &Sim<Arena>| -> Vec<_> {
        sim.clients.iter().map(|c| (c.client.room().map(|(room, ..)| room), c.client.player())).collect()
    };
    let scores = |sim: &Sim<Arena>| -> Vec<i32> {
        sim.clients.iter().map(|c| sim.room().game().totals(c.client.player().expect("seated")).score).collect()
    };
    let (before, saved, scored) = (seats(&sim), sim.server().save(), scores(&sim));
    let tick = sim.room_loop().tick();
    // What happens from here on is lost.
    sim.run(0.9, &mut drive);
    sim.crash(&saved, 1_400_000);
    let welcomes: Vec<usize> = sim.clients.iter().map(|c| c.events.len()).collect();
    (0..20).for_each(|at| sim.reconnect(at, &profile));
    sim.run(0.2, &mut drive);
    assert!(sim.all_play());
    assert_eq!(seats(&sim), before, "the same seats");
    assert_eq!(sim.server().lobby.sessions.len(), 20, "no session was opened anew");
    assert!(scores(&sim).iter().zip(&scored).all(|(now, then)| now >= then), "{scored:?}");
    assert!(sim.room_loop().tick().since(tick) >= (0.9 + 1.4) as u32 * Arena::TICK_HZ, "no tick comes twice");
    sim.run(3.0, &mut drive);
    for (c, events) in sim.clients.iter().zip(welcomes) {
        let joined = c.events[events..].iter().filter(|event| matches!(event, ClientEvent::Joined { .. })).count();
        assert_eq!(joined, 1, "nobody was sent away");
        let own = c.client.local_player().map(Arena::focus).expect("seated");
        let there = sim.room().game().player_state(c.client.player().expect("seated")).map(Arena::focus);
        assert!(there.is_some_and(|there| there.distance(own) < 200.0), "{own} {there:?}");
        assert!(c.client.stats().snapshot_age_ms < 120.0);
    }
}
