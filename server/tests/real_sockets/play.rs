//! Players join, play, see each other and leave.

use broadside_bots::player::Progress;
use broadside_shared::client::Client;
use broadside_shared::game::Game;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::toy::{Push, Toy};
use glam::Vec2;

use crate::scene::{Player, Puppet, Server, play_until, player, within};

/// Position of a player's dot in the snapshots.
fn dot_of(client: &Client<Toy>, player: PlayerId) -> Option<Vec2> {
    let dot = client.replica().records().find(|record| record.id == EntityId(player.0))?;
    let [x, y, ..] = Toy::KINDS[0].fields else { return None };
    Some(Vec2::new(x.unpack(dot.values[0]), y.unpack(dot.values[1])))
}

fn own_dot(player: &Player) -> Option<Vec2> {
    dot_of(player.client(), player.client().player()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_joins_plays_and_leaves() {
    let server = Server::start().await;
    assert_eq!(server.room().await["players"], 0);
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat and a dot", |ann, _| ann.joined() && own_dot(ann).is_some()).await;
    server.until("players", |players| players == 1).await;

    let from = own_dot(&ann).expect("seen above");
    let mut acked = 0;
    play_until(&mut ann, "inputs to be used and the dot to move", |ann, progress| {
        if let Progress::Snapshot(arrival) = progress {
            acked += u32::from(arrival.input_to_ack_us.is_some());
        }
        acked >= 30 && own_dot(ann).is_some_and(|now| now.distance(from) > 50.0)
    })
    .await;

    ann.leave().await;
    server.until("players", |players| players == 0).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_players_see_each_others_dots_and_names() {
    let server = Server::start().await;
    let mut ann = Puppet::connect(&server, "Ann Łee").await;
    let mut bob = Puppet::connect(&server, "Bob 🚀").await;
    let idle = |_: &_| Push::default();
    let sees = |one: &Puppet, other: &Puppet, name: &str| {
        other.client.player().is_some_and(|player| {
            one.client.player() != Some(player)
                && one.client.name_of(player) == Some(name)
                && dot_of(&one.client, player).is_some()
        })
    };
    within("both to see the other", async {
        while !(sees(&ann, &bob, "Bob 🚀") && sees(&bob, &ann, "Ann Łee")) {
            tokio::join!(ann.step(idle), bob.step(idle));
        }
    })
    .await;
    // About a second later the scoreboard counts both.
    within("a board of two", async {
        while ann.client.players() != 2 || ann.client.board().len() != 2 {
            tokio::join!(ann.step(idle), bob.step(idle));
        }
    })
    .await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_frees_its_seat() {
    let server = Server::start_with(|config| config.grace = 0).await;
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat", |ann, _| ann.joined()).await;
    server.until("players", |players| players == 1).await;
    drop(ann);
    server.until("players", |players| players == 0).await;
    server.end().await;
}
