//! A socket is lost and another one takes up the seat: what it costs follows what was missed.

use broadside_shared::arena::Arena;
use broadside_shared::client::Client;
use broadside_shared::link::LinkProfile;
use broadside_shared::replication::world::HISTORY_TICKS;

use crate::feel::Pilots;
use crate::harness::Sim;

/// Bytes of the snapshots that a client got within the first quarter of a second of its last connection.
fn catch_up(sim: &Sim<Arena>, index: usize, before: usize) -> usize {
    let arrivals = &sim.clients[index].arrivals[before..];
    let first = arrivals.first().expect("a snapshot came").tick;
    arrivals.iter().take_while(|arrival| arrival.tick.since(first) < 15).map(|arrival| arrival.bytes).sum()
}

#[test]
fn coming_back_costs_what_was_missed_and_not_a_join() {
    let line = LinkProfile::named("cable").expect("a known line");
    let mut sim = Sim::<Arena>::new(5, 3);
    for _ in 0..60 {
        sim.connect(&line);
    }
    let mut pilots = Pilots::new(5, 60);
    let mut drive = |index: usize, client: &Client<Arena>| pilots.decide(index, client);
    sim.run(8.0, &mut drive);
    let join = catch_up(&sim, 59, 0);
    let mut costs = Vec::new();
    for gap in [0.2, 0.5, 1.0, 2.0] {
        let seat = sim.clients[7].client.player();
        sim.lose_socket(7);
        sim.run(gap, &mut drive);
        assert!(sim.clients[3].client.is_away(seat.expect("seated")), "the others see that the seat is kept");
        let before = sim.clients[7].arrivals.len();
        sim.reconnect(7, &line);
        sim.run(1.5, &mut drive);
        let back = &sim.clients[7];
        assert_eq!(back.client.player(), seat, "the same seat");
        assert!(!sim.clients[3].client.is_away(seat.expect("seated")));
        costs.push((gap, catch_up(&sim, 7, before)));
        sim.run(2.0, &mut drive);
    }
    println!("join {join} bytes, gaps {costs:?}");
    assert!(costs.is_sorted_by_key(|(_, bytes)| *bytes), "join {join}: {costs:?}");
    assert!(costs.iter().all(|(_, bytes)| *bytes * 2 <= join), "join {join}: {costs:?}");
    assert!(HISTORY_TICKS as u32 > 2 * 60, "two seconds are served from the history");
}
