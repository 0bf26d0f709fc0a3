//! Players join, play, see each other and leave.

use broadside_arena::input::turn_of;
use broadside_arena::{Arena, ArenaInput, RecordView};
use broadside_bots::player::Progress;
use broadside_shared::client::Client;
use broadside_shared::ids::PlayerId;
use broadside_shared::math;
use glam::Vec2;

use crate::scene::{Player, Puppet, Server, play_until, player, within};

/// Position of the ship of a player in the snapshots.
fn ship_of(client: &Client<Arena>, player: PlayerId) -> Option<Vec2> {
    client.replica().records().find_map(|record| match RecordView::of(record)? {
        RecordView::Ship(ship) => (ship.player == player).then_some(ship.position),
        RecordView::Shot(_) | RecordView::Beam(_) | RecordView::Rock(_) | RecordView::Pickup(_) => None,
    })
}

fn own_ship(player: &Player) -> Option<Vec2> {
    ship_of(player.client(), player.client().player()?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_joins_plays_and_leaves() {
    let server = Server::start().await;
    assert_eq!(server.room().await["players"], 0);
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat and a ship", |ann, _| ann.joined() && own_ship(ann).is_some()).await;
    server.until("players", |players| players == 1).await;

    let from = own_ship(&ann).expect("seen above");
    let mut acked = 0;
    play_until(&mut ann, "inputs to be used and the ship to move", |ann, progress| {
        if let Progress::Snapshot(arrival) = progress {
            acked += u32::from(arrival.input_to_ack_us.is_some());
        }
        acked >= 30 && own_ship(ann).is_some_and(|now| now.distance(from) > 50.0)
    })
    .await;

    ann.leave().await;
    server.until("players", |players| players == 0).await;
    server.end().await;
}

/// Flies to the middle of the arena.
fn to_the_middle(client: &Client<Arena>) -> ArenaInput {
    client.local_player().map_or(ArenaInput::default(), |own| ArenaInput {
        aim: turn_of(math::angle_of(-own.position)),
        buttons: ArenaInput::THRUST,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_players_see_each_others_ships_and_names() {
    let server = Server::start().await;
    let mut ann = Puppet::connect(&server, "Ann Łee").await;
    let mut bob = Puppet::connect(&server, "Bob 🚀").await;
    let sees = |one: &Puppet, other: &Puppet, name: &str| {
        other.client.player().is_some_and(|player| {
            one.client.player() != Some(player)
                && one.client.name_of(player) == Some(name)
                && ship_of(&one.client, player).is_some()
        })
    };
    within("both to see the other", async {
        while !(sees(&ann, &bob, "Bob 🚀") && sees(&bob, &ann, "Ann Łee")) {
            tokio::join!(ann.step(to_the_middle), bob.step(to_the_middle));
        }
    })
    .await;
    // About a second later the scoreboard counts both.
    within("a board of two", async {
        while ann.client.players() != 2 || ann.client.board().len() != 2 {
            tokio::join!(ann.step(to_the_middle), bob.step(to_the_middle));
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
