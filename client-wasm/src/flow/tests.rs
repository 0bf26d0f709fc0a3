use super::state::ConnectionEnd;
use super::test_shell::{HOME, NOW, Shell, name, unseated};
use super::*;
use broadside_shared::client::nodes::Arrival;
use broadside_shared::game::Game;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::room::RoomCode;
use broadside_shared::toy::Toy;

const STORED: &str = "code:K7QF2M";

fn private(code: &str) -> RoomRequest {
    RoomRequest::play(RoomChoice::Code(Some(code.parse::<RoomCode>().expect("a valid code"))))
}

fn quick() -> RoomRequest {
    RoomRequest::play(RoomChoice::Quick)
}

fn notice(actions: &[PageAction]) -> Option<&Notice> {
    actions.iter().rev().find_map(|action| match action {
        PageAction::ShowNotice(notice) => Some(notice),
        _ => None,
    })
}

fn position(actions: &[PageAction], wanted: &PageAction) -> usize {
    actions.iter().position(|action| action == wanted).unwrap_or_else(|| panic!("no {wanted:?} in {actions:?}"))
}

#[test]
fn a_fresh_page_shows_the_title_and_connects() {
    let (mut shell, actions) = Shell::open(PageStart::default());
    assert_eq!(actions, [PageAction::Enter(PageState::Title), PageAction::Connect]);
    let status = |text: &str, tone| vec![PageAction::ShowConnectionStatus { text: text.to_owned(), tone }];
    assert_eq!(shell.at(NOW), status("connecting", ""));
    assert_eq!(shell.reach(Phase::Lobby), []);
    assert_eq!(shell.at(NOW), status("connected", "good"));
}

#[test]
fn a_room_waits_for_a_name_and_is_entered_over_the_same_socket() {
    let (mut shell, _) = Shell::open(PageStart::default());
    shell.reach(Phase::Lobby);
    shell.page.handle_go(private("K7QF2M"));
    assert_eq!(shell.drain(), [], "no name yet");
    shell.name = name("Ann");
    shell.page.handle_play();
    let actions = shell.drain();
    let rename = position(&actions, &PageAction::RenameClient(Name::new("Ann").expect("a valid name")));
    assert!(rename < position(&actions, &PageAction::SwitchRoom(private("K7QF2M"))));
    assert!(actions.contains(&PageAction::SetPath("r/K7QF2M".to_owned())));
    assert!(!actions.contains(&PageAction::Connect) && !actions.contains(&PageAction::DeleteToken), "{actions:?}");
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false });
}

#[test]
fn a_player_sees_the_room_with_the_own_ship_and_a_spectator_at_once() {
    let (mut shell, _) = Shell::open(PageStart { autojoin: true, name: name("Ann"), ..PageStart::default() });
    shell.reach(Phase::Joining);
    shell.reach(Phase::Playing);
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false }, "no state yet");
    shell.seat(Role::Play);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: false });
    shell.seat(Role::Spectate);
    assert!(shell.page.is_spectating());
    // Another room was requested: the seat is gone until the server assigns one.
    shell.reach(Phase::Joining);
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false });
}

#[test]
fn the_join_queue_shows_its_position() {
    let (mut shell, _) = Shell::open(PageStart { autojoin: true, name: name("Ann"), ..PageStart::default() });
    let queued = ConnectionReport { queue_position: Some(3), ..unseated(Phase::Joining) };
    let actions = shell.report(queued);
    let shown = notice(&actions).expect("a notice");
    assert_eq!(
        (shown.text.as_str(), shown.back),
        ("Every seat is taken. 2 players are ahead of you.", "Leave the queue")
    );
}

#[test]
fn the_queue_position_of_a_lost_connection_is_not_shown() {
    let (mut shell, _) = Shell::open(PageStart { autojoin: true, name: name("Ann"), ..PageStart::default() });
    let stale = ConnectionReport { queue_position: Some(3), ..unseated(Phase::Greeting) };
    assert_eq!(shell.report(stale), []);
}

#[test]
fn a_lost_link_counts_down_reconnects_and_resumes_the_game() {
    let mut shell = Shell::playing();
    shell.lose(Phase::Playing, ConnectionEnd::Closed(1006));
    assert_eq!(*shell.page.state(), PageState::Lost);
    let actions = shell.at(NOW);
    assert_eq!(
        notice(&actions).map(|shown| shown.text.as_str()),
        Some("The connection was lost. Trying again in 1 s.")
    );
    let pause_ms = shell.wait_for_connect();
    assert!((250..=500).contains(&pause_ms), "{pause_ms}");
    assert_eq!(*shell.page.state(), PageState::Connecting { again: true });
    shell.seat(Role::Play);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: true });
    shell.seat(Role::Spectate);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: true, resumed: false }, "once only");
    shell.lose(Phase::Playing, ConnectionEnd::TimedOut);
    assert!(shell.wait_for_connect() <= 500, "the backoff starts over after a seat");
    shell.lose(Phase::Greeting, ConnectionEnd::TimedOut);
    shell.wait_for_connect();
    assert_eq!(*shell.page.state(), PageState::Connecting { again: true }, "after two failures as well");
}

#[test]
fn a_connection_lost_before_the_first_seat_is_not_a_reconnect() {
    let (mut shell, _) = Shell::open(PageStart { autojoin: true, name: name("Ann"), ..PageStart::default() });
    shell.lose(Phase::Greeting, ConnectionEnd::TimedOut);
    assert_eq!(*shell.page.state(), PageState::Lost);
    shell.wait_for_connect();
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false });
}

#[test]
fn pauses_grow_until_a_seat_or_the_lobby_and_a_welcome_alone_does_not_reset_them() {
    let mut shell = Shell::playing();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        // Welcomed, and closed before there is a seat.
        let actions = shell.close(Phase::Joining, CloseCode::RoomFull);
        assert!(!actions.iter().any(|action| matches!(action, PageAction::AskHealth { .. })), "the socket was open");
        pauses.push(shell.wait_for_connect());
    }
    assert!(pauses[6] >= 5_000 && pauses[6] <= 10_000 && pauses[0] <= 500, "{pauses:?}");
    shell.reach(Phase::Lobby);
    shell.lose(Phase::Lobby, ConnectionEnd::TimedOut);
    assert!(shell.wait_for_connect() <= 500);
}

#[test]
fn a_button_and_a_returning_network_cut_the_pause_short() {
    for skip in [PageFlow::handle_try_now, PageFlow::handle_network_back] {
        let mut shell = Shell::playing();
        shell.lose(Phase::Playing, ConnectionEnd::TimedOut);
        skip(&mut shell.page);
        assert!(shell.drain().contains(&PageAction::Connect));
        assert_eq!(*shell.page.state(), PageState::Connecting { again: true });
        skip(&mut shell.page);
        assert_eq!(shell.drain(), [], "one attempt at a time");
    }
}

#[test]
fn a_takeover_is_final_until_the_player_takes_the_seat_back() {
    let mut shell = Shell::playing();
    let actions = shell.close(Phase::Playing, CloseCode::TakenOver);
    assert_eq!(*shell.page.state(), PageState::Refused { remedy: Remedy::PlayHere });
    assert_eq!(notice(&actions).and_then(|shown| shown.now), Some("Play here"));
    assert_eq!(shell.at(NOW.plus_ms(3_600_000)), [], "an hour later");
    shell.page.handle_network_back();
    assert_eq!(shell.drain(), []);
    shell.page.handle_try_now();
    let actions = shell.drain();
    assert!(actions.contains(&PageAction::Connect) && !actions.contains(&PageAction::DropKeptClient), "{actions:?}");
    shell.seat(Role::Play);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: true });
}

#[test]
fn leaving_after_a_takeover_starts_as_a_new_player() {
    let mut shell = Shell::playing();
    shell.close(Phase::Playing, CloseCode::TakenOver);
    shell.page.handle_leave();
    let actions = shell.drain();
    assert!(position(&actions, &PageAction::DropKeptClient) < position(&actions, &PageAction::Connect));
    assert!(actions.contains(&PageAction::DeleteToken) && !actions.contains(&PageAction::ExitRoom), "{actions:?}");
    assert!(shell.page.is_at_title());
}

#[test]
fn every_close_code_leads_to_one_state() {
    let lost = PageState::Lost;
    let reload = PageState::Refused { remedy: Remedy::Reload };
    for code in CloseCode::ALL {
        let expected = match code {
            CloseCode::TakenOver => PageState::Refused { remedy: Remedy::PlayHere },
            CloseCode::Normal | CloseCode::NoSuchRoom => PageState::Title,
            CloseCode::Broken
            | CloseCode::Unsupported
            | CloseCode::TooBig
            | CloseCode::WrongRevision
            | CloseCode::Malformed
            | CloseCode::WrongOrigin
            | CloseCode::Banned
            | CloseCode::Kicked => reload,
            CloseCode::GoingAway
            | CloseCode::Restarting
            | CloseCode::GreetingTimeout
            | CloseCode::TooManyFrames
            | CloseCode::Silent
            | CloseCode::RoomFull
            | CloseCode::RoomFailed
            | CloseCode::ServerFull
            | CloseCode::TooSlow
            | CloseCode::TooManyFromAddress => lost,
        };
        let mut shell = Shell::playing();
        shell.close(Phase::Playing, code);
        assert_eq!(*shell.page.state(), expected, "{code:?}");
    }
    for (end, expected) in
        [(ConnectionEnd::TimedOut, lost), (ConnectionEnd::Malformed, reload), (ConnectionEnd::Closed(4999), lost)]
    {
        let mut shell = Shell::playing();
        shell.lose(Phase::Playing, end);
        assert_eq!(*shell.page.state(), expected, "{end:?}");
    }
}

#[test]
fn a_page_that_the_server_does_not_understand_offers_to_reload() {
    let mut shell = Shell::playing();
    let actions = shell.close(Phase::Greeting, CloseCode::WrongRevision);
    assert_eq!(actions.last(), Some(&PageAction::RenewPage), "it tries that itself first");
    shell.page.handle_try_now();
    assert_eq!(shell.drain(), [PageAction::ReloadPage]);
    let mut page = PageFlow::new(Nodes::new(HOME, 1), Toy::MODES);
    page.handle_connect_failed("no such address");
    assert_eq!(*page.state(), PageState::Refused { remedy: Remedy::Reload });
}

#[test]
fn a_room_that_ends_leads_to_the_lobby_over_the_same_socket() {
    let mut shell = Shell::playing();
    let actions = shell.reach(Phase::Lobby);
    assert!(shell.page.is_at_title());
    assert!(actions.contains(&PageAction::StoreRoom(None)) && actions.contains(&PageAction::SetPath(String::new())));
    let note = PageAction::ShowNote { text: "That game has ended. Choose another one.".to_owned(), is_error: false };
    assert!(position(&actions, &note) > position(&actions, &PageAction::Enter(PageState::Title)), "{actions:?}");
    assert!(!actions.contains(&PageAction::Connect));
    assert_eq!(shell.page.room(), None);
}

#[test]
fn a_room_that_waited_for_a_name_is_forgotten_at_the_title() {
    let mut shell = Shell::playing();
    shell.name = None;
    shell.page.handle_go(private("K7QF2M"));
    shell.drain();
    shell.reach(Phase::Lobby);
    shell.name = name("Ann");
    shell.page.handle_play();
    shell.drain();
    assert_eq!(shell.page.room(), Some(quick()));
}

#[test]
fn a_room_that_does_not_exist_leads_to_the_title_and_its_client_is_dropped() {
    let mut shell = Shell::playing();
    let actions = shell.close(Phase::Joining, CloseCode::NoSuchRoom);
    assert!(actions.contains(&PageAction::DropKeptClient));
    let status = PageAction::ShowConnectionStatus { text: "Trying again in 1 s.".to_owned(), tone: "bad" };
    assert_eq!(shell.at(NOW), [status]);
    assert!(shell.wait_for_connect() <= 500);
    assert!(shell.page.is_at_title());
}

#[test]
fn leaving_keeps_the_socket_and_a_seat_that_is_resumed_at_the_title_is_left() {
    let mut shell = Shell::playing();
    shell.page.handle_leave();
    let actions = shell.drain();
    assert!(actions.contains(&PageAction::ExitRoom) && !actions.contains(&PageAction::Connect), "{actions:?}");
    assert_eq!(shell.seat(Role::Play), [PageAction::ExitRoom]);
    assert!(shell.page.is_at_title());
}

#[test]
fn a_reload_continues_in_the_stored_room_with_the_stored_token() {
    let here = PageStart { path: "r/K7QF2M", ..PageStart::default() };
    for start in [PageStart::default(), here] {
        let (shell, actions) = Shell::open(PageStart { stored_room: Some(STORED), name: name("Ann"), ..start });
        assert_eq!(shell.page.room(), Some(private("K7QF2M")));
        // The client is made for the connection, with the token and this room: it resumes the seat and switches to no other.
        assert_eq!(actions.last(), Some(&PageAction::Connect));
        for other in [PageAction::DeleteToken, PageAction::KeepNewClient, PageAction::SwitchRoom(private("K7QF2M"))] {
            assert!(!actions.contains(&other), "{actions:?}");
        }
    }
}

#[test]
fn a_link_in_a_tab_with_a_seat_elsewhere_resumes_that_seat_and_leaves_it() {
    let public = PageStart { room_parameter: Some("7"), ..PageStart::default() };
    let linked = PageStart { path: "r/K7QF2M", ..PageStart::default() };
    let seven = RoomRequest::from_text("room:7", Toy::MODES).expect("a room");
    let watched = PageStart { room_parameter: Some("7"), watch_parameter: Some("1"), ..PageStart::default() };
    let watch_seven = RoomRequest::from_text("watch:room:7", Toy::MODES).expect("a room");
    for (start, room) in [(public, seven), (watched, watch_seven), (linked, private("K7QF2M"))] {
        let (shell, actions) = Shell::open(PageStart { stored_room: Some("mode:duel"), name: name("Ann"), ..start });
        let at = |action| position(&actions, &action);
        // The client takes the token before the tab deletes it: a reload in between enters the linked room.
        assert!(at(PageAction::KeepNewClient) < at(PageAction::DeleteToken));
        assert!(at(PageAction::SwitchRoom(room)) < at(PageAction::Connect));
        assert!(at(PageAction::StoreRoom(Some(room))) < at(PageAction::Connect));
        assert_eq!(shell.page.room(), Some(room));
    }
}

#[test]
fn a_link_invites_a_player_without_a_name_and_connects_meanwhile() {
    let (mut shell, actions) = Shell::open(PageStart { path: "r/k7qf2m/", ..PageStart::default() });
    assert!(actions.contains(&PageAction::SetPlayLabel("Join")));
    let note = PageAction::ShowNote { text: "You are invited to a private game.".to_owned(), is_error: false };
    assert!(actions.contains(&note) && actions.contains(&PageAction::Connect));
    assert!(shell.page.is_at_title());
    shell.name = name("Ben");
    shell.page.handle_play();
    assert!(shell.drain().contains(&PageAction::SwitchRoom(private("K7QF2M"))));
}

#[test]
fn a_broken_link_says_so_and_shows_the_title() {
    let (shell, actions) = Shell::open(PageStart { path: "r/K7", name: name("Ann"), ..PageStart::default() });
    assert!(actions.contains(&PageAction::ShowCodeError(say("link.bad-code"))));
    assert!(actions.contains(&PageAction::SetPath(String::new())));
    assert!(shell.page.is_at_title());
}

#[test]
fn a_room_chosen_before_the_welcome_deletes_the_token_of_the_seat_before() {
    let (mut shell, _) = Shell::open(PageStart { name: name("Ann"), ..PageStart::default() });
    shell.page.handle_play();
    assert!(shell.drain().contains(&PageAction::DeleteToken));
    let mut shell = Shell::playing();
    shell.page.handle_go(private("K7QF2M"));
    assert!(!shell.drain().contains(&PageAction::DeleteToken), "the server knows about the switch");
}

#[test]
fn a_room_chosen_while_the_link_is_lost_is_entered_after_the_seat_is_resumed() {
    let mut shell = Shell::playing();
    shell.lose(Phase::Playing, ConnectionEnd::TimedOut);
    shell.page.handle_go(private("K7QF2M"));
    let actions = shell.drain();
    assert!(actions.contains(&PageAction::DeleteToken));
    assert!(position(&actions, &PageAction::SwitchRoom(private("K7QF2M"))) < position(&actions, &PageAction::Connect));
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false }, "not a reconnect");
    shell.seat(Role::Play);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: false });
}

#[test]
fn a_name_is_sent_when_it_changes_and_not_again_with_the_next_room() {
    let mut shell = Shell::playing();
    shell.page.handle_rename(Name::new("Bea").expect("a valid name"));
    assert_eq!(shell.drain(), [PageAction::RenameClient(Name::new("Bea").expect("a valid name"))]);
    shell.name = name("Bea");
    shell.page.handle_go(quick());
    assert!(!shell.drain().iter().any(|action| matches!(action, PageAction::RenameClient(_))));
}

#[test]
fn sockets_that_never_open_are_explained_by_the_servers_health() {
    let mut shell = Shell::playing();
    assert!(!shell.lose(Phase::Greeting, ConnectionEnd::Closed(1006)).contains(&PageAction::AskHealth { retry: 1 }));
    shell.wait_for_connect();
    let actions = shell.lose(Phase::Greeting, ConnectionEnd::Closed(1006));
    assert!(actions.contains(&PageAction::AskHealth { retry: 2 }), "{actions:?}");
    shell.page.handle_health(1, Ok(()));
    let now = shell.now;
    let text = |actions: Vec<PageAction>| notice(&actions).map(|shown| shown.text.clone()).unwrap_or_default();
    assert!(text(shell.at(now)).contains("cannot be reached"), "the answer of an earlier pause");
    shell.page.handle_health(2, Ok(()));
    assert!(text(shell.at(now)).contains("no WebSocket gets through"));
}

#[test]
fn the_last_minute_of_a_room_is_a_recording_too() {
    let (_, actions) = Shell::open(PageStart { path: "replay/last", name: name("Ann"), ..PageStart::default() });
    assert_eq!(actions.last(), Some(&PageAction::OpenReplay("last".to_owned())));
}

#[test]
fn a_recorded_match_is_shown_without_a_connection_and_left_for_the_title() {
    const PATH: &str = "replay/01a21f7fee25b774203cfcb01d3ea042";
    let start = || PageStart { path: PATH, name: name("Ann"), stored_room: Some(STORED), ..PageStart::default() };
    let (mut shell, actions) = Shell::open(start());
    let id = PATH.trim_start_matches("replay/").to_owned();
    assert_eq!(
        actions,
        [
            PageAction::Enter(PageState::Replaying),
            PageAction::ShowNotice(Notice::loading_replay()),
            PageAction::OpenReplay(id)
        ]
    );
    assert_eq!(shell.at(NOW), []);
    shell.page.handle_no_replay("It is gone.".to_owned());
    assert_eq!(notice(&shell.drain()).map(|shown| shown.text.as_str()), Some("It is gone."));
    shell.page.handle_leave();
    let actions = shell.drain();
    assert!(actions.contains(&PageAction::Enter(PageState::Title)) && actions.contains(&PageAction::Connect));
    assert!(actions.contains(&PageAction::SetPath(String::new())) && !actions.contains(&PageAction::ExitRoom));
    shell.page.handle_no_replay("Too late.".to_owned());
    assert_eq!(shell.drain(), []);
}

#[test]
fn a_link_of_a_recorded_match_with_a_wrong_id_leads_to_the_title_with_a_note() {
    for path in ["replay/", "replay/K7QF2M", "replay/01A21F7FEE25B774203CFCB01D3EA042"] {
        let (shell, actions) = Shell::open(PageStart { path, ..PageStart::default() });
        assert!(shell.page.is_at_title() && actions.contains(&PageAction::Connect), "{path}: {actions:?}");
        assert!(actions.iter().any(|action| matches!(action, PageAction::ShowNote { is_error: true, .. })), "{path}");
    }
}

#[test]
fn a_redirect_moves_the_page_to_another_node_in_a_moment_and_without_a_word() {
    const THERE: &str = "wss://b.example/game";
    let mut shell = Shell::playing();
    let actions = shell.redirect(Phase::Playing, THERE);
    assert_eq!(*shell.page.state(), PageState::Connecting { again: true });
    assert_eq!(notice(&actions).map(|shown| shown.title), Some("Reconnecting"));
    assert_eq!(shell.at(shell.now), [], "no countdown");
    assert!(shell.wait_for_connect() < 40);
    assert_eq!(shell.page.nodes().url(), "wss://b.example/game/ws");
    assert_eq!(shell.page.nodes().arrival(), Arrival::Redirected);
    assert_eq!(
        shell.seat(Role::Play).first(),
        Some(&PageAction::Enter(PageState::Playing { spectating: false, resumed: true }))
    );
    // On the way into a room what is shown stays, and so does the title.
    shell.page.handle_go(quick());
    shell.drain();
    assert_eq!(shell.redirect(Phase::Joining, THERE), []);
    assert_eq!(*shell.page.state(), PageState::Connecting { again: false });
    let (mut shell, _) = Shell::open(PageStart::default());
    shell.reach(Phase::Lobby);
    assert_eq!(shell.redirect(Phase::Lobby, THERE), []);
    assert!(shell.page.is_at_title() && shell.wait_for_connect() < 40);
}

#[test]
fn a_redirect_that_is_not_followed_is_a_restart_and_a_line_in_the_console() {
    let mut shell = Shell::playing();
    let actions = shell.redirect(Phase::Playing, "ws://b.example");
    let warning = actions.iter().find_map(|action| match action {
        PageAction::Warn(text) => Some(text.as_str()),
        _ => None,
    });
    assert!(
        warning.is_some_and(|text| text.contains("\"ws://b.example\"") && text.contains("not encrypted")),
        "{warning:?}"
    );
    assert_eq!(*shell.page.state(), PageState::Lost);
    assert!(shell.wait_for_connect() >= 250);
    assert_eq!(shell.page.nodes().url(), HOME);
    // Whoever closes for good sends nobody anywhere.
    let mut shell = Shell::playing();
    let (end, url) = (ConnectionEnd::Closed(CloseCode::Kicked.code()), "wss://b.example".to_owned());
    shell.end(Phase::Playing, LostConnection { end, reason: String::new(), redirect: Some(url), nodes: None });
    assert_eq!(*shell.page.state(), PageState::Refused { remedy: Remedy::Reload });
    assert_eq!(shell.page.nodes().url(), HOME);
}

#[test]
fn a_node_that_died_is_left_for_another_one_within_seconds() {
    let mut shell = Shell::playing();
    let (end, nodes) = (ConnectionEnd::Closed(1006), Some(vec!["wss://b.example".to_owned()]));
    shell.end(Phase::Playing, LostConnection { end, reason: String::new(), redirect: None, nodes });
    let mut waited_ms = shell.wait_for_connect();
    for _ in 0..2 {
        assert_eq!(shell.page.nodes().url(), HOME);
        let actions = shell.lose(Phase::Greeting, end);
        assert!(!actions.iter().any(|action| matches!(action, PageAction::AskHealth { .. })), "others may answer");
        waited_ms += shell.wait_for_connect();
    }
    assert_eq!((shell.page.nodes().url(), shell.page.nodes().arrival()), ("wss://b.example/ws", Arrival::Other));
    assert!(waited_ms <= 1_500, "{waited_ms}");
    shell.seat(Role::Play);
    assert_eq!(*shell.page.state(), PageState::Playing { spectating: false, resumed: true });
}
