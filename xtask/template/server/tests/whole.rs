//! The whole game in virtual time: server and clients, joined by simulated links. Ten seconds of play take a moment.

use broadside_shared::client::Client;
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use broadside_sim::Sim;
use glam::Vec2;

use my_game::{Steer, World};

fn circle(_client: usize, client: &Client<World>) -> Steer {
    Steer::towards(Vec2::from_angle(client.tick().0 as f32 * 0.03))
}

#[test]
fn prediction_is_never_corrected_however_far_the_server_is() {
    // Links that lose nothing: where a packet is lost, inputs come too late, and the server uses others.
    for link in ["clean", "lte", "far"] {
        let mut sim = Sim::<World>::new(1, World::SNAPSHOT_EVERY);
        for _ in 0..3 {
            sim.connect(&LinkProfile::named(link).expect("a known link"));
        }
        // The clock and the input lead find their place.
        sim.run(8.0, &mut circle);
        assert!(sim.all_play(), "{link}");
        let before: Vec<_> = sim.clients.iter().map(|client| client.client.stats().corrections).collect();
        sim.run(10.0, &mut circle);
        for (client, before) in sim.clients.iter().zip(before) {
            assert_eq!(client.client.stats().corrections, before, "{link}");
        }
    }
}
