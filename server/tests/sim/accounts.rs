//! Accounts through the whole system: from the token in the hello to the result, and what moderators do.

use broadside_core::results::{MatchOutcome, ResultKind};
use broadside_server::lobby::account_tokens::ACCOUNT_TOKEN_S;
use broadside_server::lobby::restrictions::Until;
use broadside_shared::client::ClientEvent;
use broadside_shared::client::requests::Answer;
use broadside_shared::ids::AccountId;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::message::{Outcome, Refusal, Request};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::toy::{DUEL, Push, Toy};
use broadside_sim::Sim;

const ANN: AccountId = AccountId([1; 16]);
const BOB: AccountId = AccountId([2; 16]);

fn run(sim: &mut Sim<Toy>, seconds: f64) {
    // The second client pushes to the right, and wins its duels.
    sim.run(seconds, &mut |index, _| Push(i8::from(index == 1), 0));
}

fn request(sim: &mut Sim<Toy>, index: usize, request: Request) {
    let now = sim.now;
    sim.clients[index].client.request(now, request).expect("few requests are unanswered");
    run(sim, 0.5);
}

#[test]
fn what_is_played_counts_for_the_account_of_the_hello_and_survives_a_lost_socket() {
    let mut sim = Sim::<Toy>::of_mode(DUEL, 1, 2);
    sim.connect_as(Some(ANN), &LinkProfile::CLEAN);
    sim.connect_as(Some(BOB), &LinkProfile::CLEAN);
    run(&mut sim, 2.0);
    assert_eq!([0, 1].map(|index| sim.clients[index].client.account()), [Some(ANN), Some(BOB)]);
    // Meanwhile the token has expired, and one of another account does not move what is played.
    sim.lose_socket(0);
    let other = sim.sign(BOB);
    sim.clients[0].client.set_account(Some(other));
    sim.reconnect(0, &LinkProfile::CLEAN);
    run(&mut sim, 5.0);
    assert_eq!(sim.clients[0].client.account(), Some(ANN));
    let results = sim.server().take_results();
    assert_eq!(results.len(), 1, "{results:?}");
    let result = &results[0];
    let parts: Vec<_> = result.players.iter().map(|player| (player.account, player.outcome)).collect();
    assert_eq!((result.kind, result.mode), (ResultKind::Match, DUEL));
    assert_eq!(parts, [(Some(ANN), Some(MatchOutcome::Lost)), (Some(BOB), Some(MatchOutcome::Won))]);
}

#[test]
fn an_expired_token_makes_a_guest_and_a_banned_account_is_closed() {
    let mut sim = Sim::<Toy>::new(1, 2);
    let token = sim.sign(ANN);
    run(&mut sim, ACCOUNT_TOKEN_S as f64);
    let guest = sim.connect(&LinkProfile::CLEAN);
    sim.clients[guest].client.set_account(Some(token));
    sim.lose_socket(guest);
    sim.reconnect(guest, &LinkProfile::CLEAN);
    run(&mut sim, 1.0);
    assert!(sim.all_play());
    assert_eq!(sim.clients[guest].client.account(), None);

    let now_s = sim.server().lobby.context.clock.unix_s();
    sim.server().lobby.restrictions.ban(ANN, Until::Time(now_s + 10));
    let banned = sim.connect_as(Some(ANN), &LinkProfile::CLEAN);
    run(&mut sim, 1.0);
    assert_eq!(sim.clients[banned].closed, Some(CloseCode::Banned));
    run(&mut sim, 10.0);
    let again = sim.sign(ANN);
    sim.clients[banned].client.set_account(Some(again));
    sim.reconnect(banned, &LinkProfile::CLEAN);
    run(&mut sim, 1.0);
    assert_eq!(sim.clients[banned].client.account(), Some(ANN), "the ban is over");
}

#[test]
fn a_banned_player_loses_the_connection_or_the_parked_seat_and_does_not_resume() {
    let mut sim = Sim::<Toy>::new(1, 2);
    for account in [ANN, BOB] {
        sim.connect_as(Some(account), &LinkProfile::CLEAN);
    }
    run(&mut sim, 1.0);
    sim.lose_socket(1);
    run(&mut sim, 0.1);
    for account in [ANN, BOB] {
        sim.server().lobby.restrictions.ban(account, Until::Forever);
        let lobby = &sim.server().lobby;
        lobby.kick_account(account, CloseCode::Banned, &*lobby.directory);
    }
    // Before the room has freed the seat, and without a token of the account.
    sim.clients[1].client.set_account(None);
    sim.reconnect(1, &LinkProfile::CLEAN);
    run(&mut sim, 0.03);
    assert_eq!(sim.clients[0].closed, Some(CloseCode::Banned));
    run(&mut sim, 1.0);
    assert_eq!(sim.clients[1].client.account(), None, "a guest like any other");
    assert_eq!(
        (sim.server().lobby.sessions.of_account(ANN), sim.server().lobby.sessions.of_account(BOB)),
        (vec![], vec![])
    );
    assert_eq!(sim.room().players(), 1);
    let stays = sim.server().take_results();
    let mut accounts: Vec<_> = stays.iter().map(|stay| stay.players[0].account).collect();
    accounts.sort();
    assert_eq!(accounts, [Some(ANN), Some(BOB)], "what they had played stays theirs");
}

#[test]
fn a_report_has_the_chat_that_its_author_reads() {
    let mut sim = Sim::<Toy>::new(1, 2);
    for account in [Some(ANN), None] {
        sim.connect_as(account, &LinkProfile::CLEAN);
    }
    run(&mut sim, 1.0);
    let chat = Topic::LobbyChat.to_string();
    let say = |topic: &str, text: &str| Request::Say { topic: topic.to_owned(), text: text.to_owned() };
    request(&mut sim, 0, Request::Subscribe { topic: chat.clone() });
    let room = Topic::RoomChat(sim.room_loop().info().id).to_string();
    request(&mut sim, 1, say(&room, "unheard"));
    for line in 0..3 {
        request(&mut sim, 1, say(&chat, &format!("line {line}")));
    }
    request(&mut sim, 0, say(&chat, "stop it"));
    request(&mut sim, 0, Request::Report { name: "sim 1".to_owned(), text: "shouts".to_owned() });
    let reports = sim.server().lobby.reports.take();
    assert_eq!(reports.len(), 1, "{reports:?}");
    let report = &reports[0];
    let name = |name: Option<&_>| name.map(ToString::to_string);
    assert_eq!((report.by.account, name(report.by.name.as_ref())), (Some(ANN), Some("sim 0".to_owned())));
    assert_eq!((report.of.account, name(report.of.name.as_ref())), (None, Some("sim 1".to_owned())));
    assert_eq!(report.text.as_str(), "shouts");
    let chat: Vec<_> = report.chat.iter().map(|line| (line.from.as_str(), line.text.as_str())).collect();
    let of_eve = |text| ("sim 1", text);
    assert_eq!(chat, [of_eve("line 0"), of_eve("line 1"), of_eve("line 2"), ("sim 0", "stop it")]);
    assert!(report.chat.iter().all(|line| (report.at_s - 3..=report.at_s).contains(&line.at_s)));
}

#[test]
fn a_muted_account_is_refused_until_the_mute_is_over() {
    let mut sim = Sim::<Toy>::new(1, 2);
    sim.connect_as(Some(ANN), &LinkProfile::CLEAN);
    run(&mut sim, 1.0);
    let until_s = sim.server().lobby.context.clock.unix_s() + 5;
    sim.server().lobby.restrictions.mute(ANN, Until::Time(until_s));
    let mut say = || {
        sim.clients[0].events.clear();
        request(&mut sim, 0, Request::Say { topic: Topic::LobbyChat.to_string(), text: "hi".to_owned() });
        run(&mut sim, 5.0);
        let answer = sim.clients[0].events.iter().find_map(|event| match event {
            ClientEvent::Answered { answer: Answer::Received(outcome), .. } => Some(*outcome),
            _ => None,
        });
        answer.expect("an answer")
    };
    assert_eq!([say(), say()], [Outcome::Refused(Refusal::Muted), Outcome::Done]);
}
