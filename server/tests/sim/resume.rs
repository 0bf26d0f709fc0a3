//! A socket is lost and another one takes up the seat: what it costs follows what was missed.

use broadside_shared::arena::Arena;
use broadside_shared::client::Client;
use broadside_shared::link::LinkProfile;
use broadside_shared::replication::world::HISTORY_TICKS;

use crate::feel::Pilots;
use crate::harness::Sim;

/// Bytes that a client got in the first quarter of a second of a connection, beyond what it gets in one in the two seconds after.
fn catch_up(sim: &Sim<Arena>, index: usize, before: usize) -> usize {
    let arrivals = &sim.clients[index].arrivals[before..];
    let first = arrivals.first().expect("a snapshot came").tick;
    let within = |from: u32, to: u32| {
        let those = arrivals.iter().filter(move |arrival| (from..to).contains(&arrival.tick.since(first)));
        those.map(|arrival| arrival.bytes).sum::<usize>()
    };
    within(0, 15).saturating_sub(within(30, 150) / 8)
}

/// The clients that lose their socket.
const LOST: std::ops::Range<usize> = 7..15;

#[test]
fn coming_back_costs_what_was_missed_and_not_a_join() {
    let line = LinkProfile::named("cable").expect("a known line");
    let mut sim = Sim::<Arena>::new(6, 3);
    for _ in 0..120 {
        sim.connect(&line);
    }
    let mut pilots = Pilots::new(6, 140);
    let mut drive = |index: usize, client: &Client<Arena>| pilots.decide(index, client);
    // The arena has grown by then: joins come over a few ticks, and the first ships see a crowd.
    sim.run(16.0, &mut drive);
    let (mut joins, mut costs) = (Vec::new(), Vec::new());
    for gap in [0.3, 2.0] {
        let seats: Vec<_> = LOST.map(|at| sim.clients[at].client.player().expect("seated")).collect();
        let before: Vec<_> = LOST.map(|at| sim.clients[at].arrivals.len()).collect();
        LOST.for_each(|at| sim.lose_socket(at));
        sim.run(gap, &mut drive);
        assert!(
            seats.iter().all(|seat| sim.clients[3].client.is_away(*seat)),
            "the others see that the seats are kept"
        );
        LOST.for_each(|at| sim.reconnect(at, &line));
        let newcomer = sim.connect(&line);
        sim.run(3.0, &mut drive);
        let mut bytes = 0;
        for (at, (seat, before)) in LOST.zip(seats.iter().zip(before)) {
            assert_eq!(sim.clients[at].client.player(), Some(*seat), "the same seat");
            assert!(!sim.clients[3].client.is_away(*seat));
            bytes += catch_up(&sim, at, before);
        }
        costs.push((gap, bytes / LOST.len()));
        joins.push(catch_up(&sim, newcomer, 0));
    }
    println!("bytes of a join {joins:?}, of coming back after so many seconds {costs:?}");
    let join = joins.iter().sum::<usize>() / joins.len();
    // TeamLabel misses two seconds of a fight misses much; a few newcomers are no exact measure of a join either.
    assert!(costs[0].1 * 2 <= join && costs[1].1 * 3 <= join * 2, "join {join}: {costs:?}");
    assert!(costs[0].1 < costs[1].1, "{costs:?}");
    assert!(HISTORY_TICKS as u32 > 2 * 60, "two seconds are served from the history");
}
