//! Scenes of accounts: tokens in the hello, bans, kicks, mutes, reports.

use broadside_shared::ids::AccountId;
use broadside_shared::protocol::token::AccountToken;

use super::*;
use crate::lobby::PlayerReport;

const ANN: AccountId = AccountId([1; 16]);
const EVE: AccountId = AccountId([2; 16]);

fn token_of(account: AccountId) -> AccountToken {
    AccountToken { account, expires_s: 9, signature: [0; 16] }
}

fn hello_of(resumed: Option<Token>, account: Option<AccountToken>) -> ClientMsg {
    match hello(resumed) {
        ClientMsg::Hello { revision, agent, resume, .. } => ClientMsg::Hello { revision, agent, resume, account },
        other => other,
    }
}

impl Scene {
    /// The account that the first message of a connection names, which is a welcome.
    fn welcomed(&mut self, id: ConnectionId) -> (Token, Option<AccountId>) {
        match self.seen(id).first() {
            Some(Seen::Message(ServerMsg::Welcome { token, account, .. })) => (*token, *account),
            other => panic!("a welcome was due, not {other:?}"),
        }
    }

    fn greet_as(&mut self, key: usize, account: AccountToken) -> (Token, Option<AccountId>) {
        let id = self.connect(0, key);
        self.say(id, &hello_of(None, Some(account)));
        self.welcomed(id)
    }
}

#[test]
fn a_token_makes_a_session_that_of_an_account_and_one_that_is_not_valid_is_ignored() {
    let mut scene = Scene::new();
    let (session, account) = scene.greet_as(0, token_of(ANN));
    assert_eq!((account, scene.lobby.account_of(session.session)), (Some(ANN), Some(ANN)));
    let forged = AccountToken { signature: [1; 16], ..token_of(ANN) };
    let (session, account) = scene.greet_as(1, forged);
    assert_eq!((account, scene.lobby.account_of(session.session)), (None, None), "a guest, and still connected");
}

#[test]
fn a_resumed_session_gets_an_account_if_it_has_none_and_otherwise_keeps_its_own() {
    let mut scene = Scene::new();
    let (former, token) = scene.seated(0, 0, ONE, 4);
    scene.lose(former);
    scene.lobby.take_sent();
    for (key, shown, kept) in [(1, Some(token_of(ANN)), ANN), (2, Some(token_of(EVE)), ANN), (3, None, ANN)] {
        let next = scene.connect(0, key);
        scene.say(next, &hello_of(Some(token), shown));
        assert_eq!(scene.welcomed(next), (token, Some(kept)), "{shown:?}");
        assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Resume(seat(4), next, Some(kept)))]);
    }
    // The seat is gone: the new session is that of the account in the hello, also over another shard.
    let gone = Token { session: 77, ..token };
    let other = scene.connect(1, 5);
    scene.say(other, &hello_of(Some(gone), Some(token_of(EVE))));
    assert_eq!(scene.welcomed(other).1, Some(EVE));
}

#[test]
fn a_banned_account_is_closed_at_the_hello_and_the_seat_that_it_would_resume_stays_as_it_is() {
    let mut scene = Scene::new();
    let (holder, token) = scene.seated(0, 0, ONE, 4);
    scene.lobby.ban(EVE);
    let next = scene.connect(0, 1);
    scene.say(next, &hello_of(Some(token), Some(token_of(EVE))));
    assert_eq!(scene.seen(next), [Seen::Closed(CloseCode::Banned)]);
    assert_eq!((scene.seen(holder), scene.lobby.take_sent()), (vec![], vec![]));
}

#[test]
fn a_kick_closes_the_connection_and_gives_up_the_seat_wherever_the_session_is_by_then() {
    let mut scene = Scene::new();
    let (player, token) = scene.seated(0, 0, ONE, 4);
    scene.lobby.kick(token.session, CloseCode::Kicked);
    scene.deliver_commands();
    assert_eq!(scene.seen(player), [Seen::Closed(CloseCode::Kicked)]);
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Leave(seat(4)))]);
    assert!(!scene.lobby.has_session(token.session));
    scene.lose(player);

    // The connection is lost while the kick is on its way: the parked seat is given up.
    let (player, token) = scene.seated(0, 1, ONE, 5);
    scene.lobby.kick(token.session, CloseCode::Kicked);
    let kick = scene.lobby.take_shard_commands();
    scene.lose(player);
    kick.into_iter().for_each(|(_, command)| scene.command(0, command));
    assert_eq!(scene.lobby.take_sent(), [(ONE, Sent::Park(seat(5))), (ONE, Sent::Leave(seat(5)))]);

    // It is taken over meanwhile: the next connection is closed.
    let (_, token) = scene.seated(0, 2, ONE, 6);
    scene.lobby.kick(token.session, CloseCode::Kicked);
    let kick = scene.lobby.take_shard_commands();
    let next = scene.connect(0, 3);
    scene.say(next, &hello(Some(token)));
    assert!(is_resumed(&scene.seen(next), 6));
    kick.into_iter().for_each(|(_, command)| scene.command(0, command));
    scene.deliver_commands();
    assert_eq!(scene.seen(next), [Seen::Closed(CloseCode::Kicked)]);
}

#[test]
fn a_muted_account_may_listen_and_not_speak() {
    let mut scene = Scene::new();
    let (ann, _) = scene.greet(0, 0);
    scene.request(ann, 1, Request::SetName { name: "Ann".to_owned() });
    let eve = scene.connect(0, 1);
    scene.say(eve, &hello_of(None, Some(token_of(EVE))));
    scene.request(eve, 1, Request::SetName { name: "Eve".to_owned() });
    scene.lobby.mute(EVE);
    scene.seen(eve);
    scene.request(eve, 2, subscribe());
    let text = "hi".to_owned();
    scene.request(eve, 3, Request::Say { topic: Topic::LobbyChat.to_string(), text: text.clone() });
    scene.request(eve, 4, Request::DirectMessage { to: "Ann".to_owned(), text });
    let refused = Outcome::Refused(Refusal::Muted);
    assert_eq!(scene.seen(eve), [reply(2, Outcome::Done), reply(3, refused), reply(4, refused)]);
    assert!(scene.lobby.take_shard_commands().is_empty(), "nobody hears of it");
}

#[test]
fn a_report_goes_to_the_moderators_with_the_topics_that_its_author_reads() {
    let mut scene = Scene::new();
    let [(ann, ann_token), (eve, eve_token)] = [0, 1].map(|key| scene.greet(0, key));
    scene.request(eve, 1, Request::SetName { name: "Eve".to_owned() });
    scene.request(ann, 1, subscribe());
    scene.request(ann, 2, Request::Report { name: "Eve".to_owned(), text: "shouts".to_owned() });
    scene.request(ann, 3, Request::Report { name: "Nobody".to_owned(), text: "shouts".to_owned() });
    let text = Text::new("shouts").expect("a valid text");
    let report = PlayerReport { by: ann_token.session, of: eve_token.session, text };
    assert_eq!(scene.lobby.take_reports(), [(report, vec![Topic::LobbyChat])]);
}

#[test]
fn a_mute_between_accounts_holds_in_later_sessions_of_both() {
    let mut scene = Scene::new();
    let enter = |scene: &mut Scene, key, account, name: &str| {
        let id = scene.connect(0, key);
        scene.say(id, &hello_of(None, Some(token_of(account))));
        scene.request(id, 1, Request::SetName { name: name.to_owned() });
        scene.request(id, 2, subscribe());
        id
    };
    let say = |scene: &mut Scene, id, text: &str| {
        scene.request(id, 3, Request::Say { topic: "lobby/chat".to_owned(), text: text.to_owned() });
        scene.deliver_commands();
    };
    let (ann, eve) = (enter(&mut scene, 0, ANN, "Ann"), enter(&mut scene, 1, EVE, "Eve"));
    scene.request(ann, 4, Request::Mute { name: "Eve".to_owned() });
    scene.lose(ann);
    scene.lose(eve);
    let (eve, ann) = (enter(&mut scene, 2, EVE, "Zoe"), enter(&mut scene, 3, ANN, "Ann"));
    say(&mut scene, eve, "under another name");
    assert_eq!(texts(&scene.seen(ann)), [""; 0], "still muted");
    scene.request(ann, 5, Request::Unmute { name: "Eve".to_owned() });
    say(&mut scene, eve, "and again");
    assert_eq!(texts(&scene.seen(ann)), ["and again"]);
    assert_eq!(scene.lobby.mutes_of(ANN), [], "and so for later sessions");
}
