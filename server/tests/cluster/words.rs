//! Chat, direct messages, announcements and moderation cross nodes.

use std::sync::atomic::Ordering;

use broadside_server::peers::records::Control;
use broadside_shared::ids::AccountId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Outcome, Publication, Refusal, Request, ServerMsg};
use broadside_shared::protocol::text::Text;
use broadside_store::accounts::SignIn;
use broadside_store::moderation::{Restriction, RestrictionKind};

use crate::nats::Link;
use crate::scene::{Cluster, LOOK_AGAIN, Node, Puppet, get, look_until, within};

async fn named(node: &Node, name: &str) -> Puppet {
    let (mut puppet, _) = Puppet::welcomed(node.address()).await;
    assert_eq!(puppet.request(Request::SetName { name: name.to_owned() }).await, Outcome::Done);
    puppet
}

/// An account that no browser is signed in to.
async fn guest(node: &Node, number: u8) -> AccountId {
    let sign_in = SignIn { secret_hash: [number; 32], expires_us: i64::MAX };
    node.app().store.create_guest(sign_in, 1).await.expect("the database answers").id
}

fn ban_of(account: AccountId) -> Restriction {
    Restriction {
        account,
        name: String::new(),
        kind: RestrictionKind::Ban,
        until_us: None,
        reason: String::new(),
        imposed_by: "a test".to_owned(),
        imposed_us: 1,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_of_two_nodes_talk_and_moderators_reach_them() {
    let cluster = Cluster::start();
    let (one, two) = (cluster.node(1).await, cluster.node(2).await);
    one.sees(&[2], 1).await;
    two.sees(&[1], 1).await;
    let (mut ann, mut bob) = (named(&one, "Ann").await, named(&two, "Bob").await);
    bob.subscribe("lobby/chat").await;
    bob.subscribe("notices").await;
    let say = |text: &str| Request::Say { topic: "lobby/chat".to_owned(), text: text.to_owned() };
    assert_eq!(ann.request(say("ahoy")).await, Outcome::Done);
    match bob.publication().await {
        Publication::Said { from, text } => assert_eq!((from.as_str(), text.as_str()), ("Ann", "ahoy")),
        other => panic!("{other:?}"),
    }
    // A direct message is replied to by the node that has the player, or by none.
    let direct = |to: &str| Request::DirectMessage { to: to.to_owned(), text: "hello".to_owned() };
    assert_eq!(ann.request(direct("Bob")).await, Outcome::Done);
    match bob.hear().await {
        ServerMsg::DirectMessage { from, text } => assert_eq!((from.as_str(), text.as_str()), ("Ann", "hello")),
        other => panic!("{other:?}"),
    }
    assert_eq!(ann.request(direct("Nobody")).await, Outcome::Refused(Refusal::NoSuchPlayer));
    one.app().lobby.announce(Text::new("the sea is rough").expect("a fine text"));
    assert!(matches!(bob.publication().await, Publication::Announcement(text) if text.as_str() == "the sea is rough"));
    // Whoever was heard can be muted, wherever they are.
    assert_eq!(bob.request(Request::Mute { name: "Ann".to_owned() }).await, Outcome::Done);
    assert_eq!(ann.request(say("can you hear me?")).await, Outcome::Done);
    one.app().lobby.announce(Text::new("the sea is calm").expect("a fine text"));
    assert!(matches!(bob.publication().await, Publication::Announcement(_)), "nothing of whom Bob mutes comes first");
    // An admin ends a node from another one.
    one.app().lobby.tell_nodes(Control::EndNode { node: 2 });
    within("the word to end", two.app().asked_to_end.notified()).await;
    one.end().await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_plays_on_another_node_is_shown_there() {
    let cluster = Cluster::start();
    let (one, two) = (cluster.node(1).await, cluster.node(2).await);
    one.sees(&[2], 1).await;
    two.sees(&[1], 1).await;
    let account = guest(&one, 1).await;
    one.app().store.keep_name(account, "Ann", &["ann".to_owned()]).await.expect("the name is free");
    // Signed by one node, believed by the other.
    let lobby = &one.app().lobby;
    let token = lobby.account_tokens.sign(account, lobby.context.clock.unix_s());
    assert_eq!(get(one.address(), "/api/players/Ann").await["online"], false);
    let (_ann, room) = Puppet::seated_as(two.address(), "Ann", token).await;
    within("the other node to show her", async {
        loop {
            let shown = get(one.address(), "/api/players/Ann").await;
            if shown["room"]["id"] == room.0 {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
    one.end().await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_holds_on_every_node_also_on_one_that_was_away() {
    let cluster = Cluster::start();
    let link = Link::before(cluster.nats.address());
    let one = cluster.node(1).await;
    let two = cluster.node_at(2, &format!("nats://{}", link.address())).await;
    one.sees(&[2], 1).await;
    two.sees(&[1], 1).await;
    let (ann, eve) = (guest(&one, 1).await, guest(&one, 2).await);
    let ban = async |account| {
        let lobby = &one.app().lobby;
        one.app().store.restrict(&ban_of(account)).await.expect("the database answers");
        lobby.tell_nodes(Control::Account { account });
        lobby.kick_account_everywhere(account, CloseCode::Banned, &*one.app().rooms);
    };
    let is_banned = |account| {
        let lobby = &two.app().lobby;
        lobby.restrictions.is_banned(account, lobby.context.clock.unix_s())
    };
    ban(ann).await;
    look_until("the ban of Ann", || is_banned(ann)).await;
    link.cut();
    let standing = &two.app().lobby.peers.as_ref().expect("a node").standing;
    look_until("the cut", || !standing.is_connected.load(Ordering::Relaxed)).await;
    ban(eve).await;
    assert!(!is_banned(eve), "nobody told it");
    link.heal();
    look_until("the ban of Eve", || is_banned(eve)).await;
    one.end().await;
    two.end().await;
}
