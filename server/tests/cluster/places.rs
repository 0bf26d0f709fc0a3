//! Rooms, codes and sessions are found on whatever node.

use broadside_core::commands::Hold;
use broadside_server::peers::{node_of_room, node_of_session};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::message::Request;
use broadside_shared::protocol::room::{ModeId, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::protocol::topic::Topic;

use crate::scene::{Cluster, Puppet, look_until, url_of};

const DUEL: ModeId = ModeId(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_play_links_codes_and_sessions_lead_to_the_node_that_has_them() {
    let cluster = Cluster::start();
    let (one, two) = (cluster.node(1).await, cluster.node(2).await);
    one.sees(&[2], 1).await;
    two.sees(&[1], 1).await;
    let (mut ann, ann_token, duel) = Puppet::seated(two.address(), "Ann", RoomChoice::Mode(DUEL)).await;
    assert_eq!((node_of_room(duel), node_of_session(ann_token.session)), (2, 2));
    let has_company = || {
        let (peers, now) = (one.app().lobby.peers.clone().expect("a node"), one.app().lobby.context.clock.now());
        let view = peers.view();
        view.room(duel, now).is_some_and(|record| record.taken == 1)
    };
    look_until("the duel of the other node", has_company).await;
    // Quick play: company is elsewhere.
    let (mut bob, _) = Puppet::joining(one.address(), "Bob", RoomChoice::Mode(DUEL)).await;
    let (url, join) = bob.redirect().await;
    let Some(RoomChoice::Reserved { room, .. }) = join else { panic!("{join:?}") };
    assert_eq!((url, room), (url_of(2), duel));
    let (_bob, _, seat) = Puppet::seated(two.address(), "Bob", join.expect("it is some")).await;
    assert_eq!(seat, duel);
    // Where somebody plays here, a player stays.
    let (_eve, _, stays) = Puppet::seated(one.address(), "Eve", RoomChoice::Quick).await;
    assert_eq!(node_of_room(stays), 1);
    let (_mia, _, with_eve) = Puppet::seated(one.address(), "Mia", RoomChoice::Quick).await;
    assert_eq!(with_eve, stays);
    // A link names a room by its number.
    let arena = two.rooms()[0];
    let (mut link, _) = Puppet::joining(one.address(), "Lia", RoomChoice::Room(arena)).await;
    assert_eq!(link.redirect().await, (url_of(2), Some(RoomChoice::Room(arena))));
    // A code names one that no list has.
    let private = two.app().rooms.open_ephemeral(ModeId(0), None, true, Hold::default()).expect("room for it");
    let code = private.code.expect("it is private");
    let is_known = || {
        let (peers, now) = (one.app().lobby.peers.clone().expect("a node"), one.app().lobby.context.clock.now());
        peers.with_code(code, now).is_some()
    };
    look_until("the code of the other node", is_known).await;
    assert!(!one.rooms_elsewhere().contains(&private.id()), "it is in no list");
    let (mut guest, _) = Puppet::joining(one.address(), "Joe", RoomChoice::Code(Some(code))).await;
    assert_eq!(guest.redirect().await, (url_of(2), Some(RoomChoice::Code(Some(code)))));
    // A session is resumed where its seat is, and a forged one nowhere.
    let mut back = Puppet::hello(one.address(), Some(ann_token)).await;
    assert_eq!(back.redirect().await, (url_of(2), None));
    let forged = Token { signature: [1; 16], ..ann_token };
    let mut forger = Puppet::hello(one.address(), Some(forged)).await;
    assert!(matches!(
        forger.hear().await,
        broadside_shared::protocol::message::ServerMsg::Welcome { resumed: false, .. }
    ));
    ann.join("Ann", RoomChoice::Room(RoomId(7))).await;
    assert_eq!(ann.closed().await, 4010, "no node has that room");
    one.end().await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_sends_players_to_others_and_nobody_is_sent_to_it() {
    let cluster = Cluster::start();
    let (one, two) = (cluster.node(1).await, cluster.node(2).await);
    one.sees(&[2], 1).await;
    two.sees(&[1], 1).await;
    let (mut bob, ..) = Puppet::seated(one.address(), "Bob", RoomChoice::Quick).await;
    one.0.drain().await;
    let (mut ann, _) = Puppet::joining(one.address(), "Ann", RoomChoice::Quick).await;
    assert_eq!(ann.redirect().await, (url_of(2), Some(RoomChoice::Quick)));
    let knows = || {
        let (peers, now) = (two.app().lobby.peers.clone().expect("a node"), two.app().lobby.context.clock.now());
        peers.open(now).is_empty()
    };
    look_until("the other node to know", knows).await;
    // It leaves, and says so: nobody waits for the end of its lease.
    one.end().await;
    assert_eq!(bob.redirect_when_it_ends().await, (url_of(2), None));
    look_until("the farewell", || two.others().is_empty()).await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rooms_of_a_node_that_ends_move_to_another_one_with_their_players() {
    let cluster = Cluster::start();
    let (one, two, three) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    one.sees(&[2, 3], 2).await;
    three.sees(&[1, 2], 2).await;
    // The emptiest node takes the rooms.
    let _eve = Puppet::seated(three.address(), "Eve", RoomChoice::Quick).await;
    let emptiest = || {
        let (peers, now) = (one.app().lobby.peers.clone().expect("a node"), one.app().lobby.context.clock.now());
        peers.open(now).first() == Some(&url_of(2))
    };
    look_until("the other nodes' players", emptiest).await;
    let (mut ann, ann_token, room) = Puppet::seated(one.address(), "Ann", RoomChoice::Quick).await;
    let (mut bob, bob_token, _) = Puppet::seated(one.address(), "Bob", RoomChoice::Room(room)).await;
    let topic = format!("room/{room}/chat");
    ann.subscribe(&topic).await;
    ann.request(Request::Say { topic, text: "before".to_owned() }).await;
    let home = one.0.home().await.expect("a node that takes the rooms");
    assert_eq!(home.node, 2);
    assert!(one.0.move_to(home).await.is_ok());
    for puppet in [&mut ann, &mut bob] {
        assert_eq!(puppet.redirect_with(1012).await, (url_of(2), None));
    }
    let (_ann, here) = Puppet::resumed(two.address(), ann_token).await;
    assert_eq!(node_of_room(here), 2);
    let said = two.app().lobby.context.topics.chat(Topic::RoomChat(here));
    assert_eq!(said.len(), 1, "what was said in the room is kept");
    // Whoever comes back elsewhere is sent to it, as are links to the room.
    let mut bob = Puppet::hello(three.address(), Some(bob_token)).await;
    assert_eq!(bob.redirect().await, (url_of(2), None));
    let (mut carol, _) = Puppet::joining(three.address(), "Carol", RoomChoice::Room(room)).await;
    assert_eq!(carol.redirect().await, (url_of(2), Some(RoomChoice::Room(room))));
    let (_carol, _, found) = Puppet::seated(two.address(), "Carol", RoomChoice::Room(room)).await;
    assert_eq!((found, Puppet::resumed(two.address(), bob_token).await.1), (here, here));
    two.end().await;
    three.end().await;
}
