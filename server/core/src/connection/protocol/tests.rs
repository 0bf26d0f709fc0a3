use super::*;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::room::{ModeId, Role, RoomChoice};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::Tick;
use broadside_shared::toy::Toy;

type ToyProtocol = ConnectionProtocol<Toy>;
type Output = ProtocolOutput<<Toy as Game>::Input>;

const TOKEN: Token = Token { session: 1, signature: [7; 16] };

fn outputs(session: &mut ToyProtocol) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn hello(revision: u16) -> Vec<u8> {
    codec::encode_client(&ClientMsg::Hello { revision, agent: "test".into(), resume: None, account: None })
}

fn join() -> Vec<u8> {
    codec::encode_client(&ClientMsg::Join {
        name: Name::new("Ann").expect("a fine name"),
        room: RoomChoice::Quick,
        role: Role::Play,
    })
}

fn joined() -> ServerMsg {
    ServerMsg::Joined {
        room: RoomId(1),
        player: PlayerId(0),
        tick_hz: 60,
        snapshot_every: 2,
        tick_zero: MonoTime(0),
        mode: ModeId(0),
        role: Role::Play,
    }
}

fn seated(now: MonoTime) -> ToyProtocol {
    let mut session = ConnectionProtocol::new(now);
    session.handle_frame(now, &hello(REVISION));
    session.handle_welcome(TOKEN, None, None);
    session.handle_frame(now, &join());
    session.handle_seated(&joined());
    assert_eq!(outputs(&mut session).len(), 4, "hello, welcome, join, joined");
    session
}

#[test]
fn a_client_says_hello_joins_sends_inputs_and_leaves() {
    let now = MonoTime(0);
    let mut session = seated(now);
    let packet =
        InputPacket { acked: Tick(0), first: Tick(5), lag: 64, samples: [Default::default()].into_iter().collect() };
    session.handle_frame(now, &packet.encode());
    assert_eq!(outputs(&mut session), [ProtocolOutput::Input(packet)]);
    session.handle_frame(now, &codec::encode_client(&ClientMsg::Leave));
    assert_eq!(outputs(&mut session), [ProtocolOutput::Close(CloseCode::Normal)]);
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn messages_out_of_order_close_with_a_code() {
    // The frames in order, and the expected close code.
    let cases = [
        (vec![hello(REVISION + 1)], CloseCode::WrongRevision),
        (vec![join()], CloseCode::Malformed),
        (vec![hello(REVISION), hello(REVISION)], CloseCode::Malformed),
        (vec![vec![2, 0, 0, 0]], CloseCode::Malformed),
    ];
    for (frames, code) in cases {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        frames.iter().for_each(|frame| session.handle_frame(MonoTime(0), frame));
        assert_eq!(outputs(&mut session).last(), Some(&ProtocolOutput::Close(code)));
    }
}

#[test]
fn a_silent_peer_is_pinged_and_then_closed_but_one_that_answers_stays() {
    for answers in [true, false] {
        let mut session = seated(MonoTime(0));
        let (mut pings, mut closed) = (0, None);
        while let Some(at) = session.poll_timeout().filter(|at| *at <= MonoTime(60_000_000)) {
            session.handle_timeout(at);
            for output in outputs(&mut session) {
                match output {
                    ProtocolOutput::Ping => pings += 1,
                    ProtocolOutput::Close(code) => closed = Some((code, at)),
                    other => panic!("unexpected {other:?}"),
                }
                if answers {
                    session.handle_alive(at.plus_ms(40));
                }
            }
        }
        if answers {
            assert_eq!((pings, closed), (19, None));
        } else {
            assert_eq!((pings, closed), (3, Some((CloseCode::Silent, MonoTime(10_000_000)))));
        }
    }
}

#[test]
fn a_client_without_a_hello_is_closed_and_so_is_one_that_floods() {
    let mut quiet: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
    quiet.handle_alive(MonoTime(9_000_000));
    quiet.handle_timeout(MonoTime(limits::GREETING_US));
    assert_eq!(outputs(&mut quiet), [ProtocolOutput::Close(CloseCode::GreetingTimeout)]);

    let mut loud = seated(MonoTime(0));
    let ping = codec::encode_client(&ClientMsg::Ping { client_time: MonoTime(0) });
    let mut answered = 0;
    for _ in 0..limits::FRAMES_BURST * 2 {
        loud.handle_frame(MonoTime(1), &ping);
        answered += outputs(&mut loud).iter().filter(|o| matches!(o, ProtocolOutput::Send(_))).count();
    }
    assert!(answered <= limits::FRAMES_BURST as usize);
    assert_eq!(loud.poll_timeout(), None, "closed");
}

#[test]
fn any_bytes_in_any_state_end_in_an_output_or_a_close_code() {
    let mut rng = fastrand::Rng::with_seed(21);
    for round in 0..3000 {
        let mut session = if round % 2 == 0 { ConnectionProtocol::new(MonoTime(0)) } else { seated(MonoTime(0)) };
        for step in 0..6u64 {
            let mut bytes: Vec<u8> = (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect();
            if let Some(kind) = bytes.first_mut() {
                *kind = rng.u8(0..4);
            }
            session.handle_frame(MonoTime(step), &bytes);
            let outputs = outputs(&mut session);
            let closes = outputs.iter().filter(|o| matches!(o, ProtocolOutput::Close(_))).count();
            assert!(closes <= 1 && outputs.len() <= 2, "{outputs:?}");
        }
    }
}

#[test]
fn a_resuming_client_is_seated_without_a_join_and_one_without_a_seat_joins() {
    let resume = Resume { token: TOKEN, have: Tick(9), cells: vec![(8256, 0)] };
    let hello =
        ClientMsg::Hello { revision: REVISION, agent: "test".into(), resume: Some(resume.clone()), account: None };
    for has_seat in [true, false] {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        session.handle_frame(MonoTime(0), &codec::encode_client(&hello));
        assert_eq!(outputs(&mut session), [ProtocolOutput::Hello(Some(resume.clone()), None)]);
        let joined = joined();
        session.handle_welcome(TOKEN, None, Some(&joined).filter(|_| has_seat));
        let sent = outputs(&mut session).len();
        session.handle_frame(MonoTime(0), &join());
        assert_eq!(sent, if has_seat { 2 } else { 1 }, "welcome, and joined if it still has its seat");
        assert!(matches!(outputs(&mut session)[..], [ProtocolOutput::Join(..)]), "a join requests another seat");
    }
}

#[test]
fn messages_right_after_a_hello_are_deferred_until_the_welcome() {
    let resume = Resume { token: TOKEN, have: Tick(9), cells: Vec::new() };
    let hello = |resume| {
        codec::encode_client(&ClientMsg::Hello { revision: REVISION, agent: "test".into(), resume, account: None })
    };
    let request = codec::encode_client(&ClientMsg::Request { id: 7, request: Request::Exit });
    let input = InputPacket::<<Toy as Game>::Input> {
        acked: Tick(0),
        first: Tick(5),
        lag: 0,
        samples: [Default::default()].into_iter().collect(),
    };
    for (resume, has_seat) in [(None, false), (Some(resume.clone()), true), (Some(resume.clone()), false)] {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        for frame in [hello(resume), input.encode(), request.clone(), join()] {
            session.handle_frame(MonoTime(0), &frame);
        }
        assert!(matches!(outputs(&mut session)[..], [ProtocolOutput::Hello(..)]), "the rest is deferred");
        let joined = joined();
        session.handle_welcome(TOKEN, None, Some(&joined).filter(|_| has_seat));
        let welcome = if has_seat { 2 } else { 1 };
        let after = outputs(&mut session);
        assert!(after[..welcome].iter().all(|output| matches!(output, ProtocolOutput::Send(_))), "{after:?}");
        assert!(
            matches!(after[welcome..], [ProtocolOutput::Request(7, Request::Exit), ProtocolOutput::Join(..)]),
            "{after:?}"
        );
    }
    // The number of deferred messages is bounded; a leave is never deferred.
    let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
    session.handle_frame(MonoTime(0), &hello(Some(resume.clone())));
    (0..=limits::DEFERRED_MAX).for_each(|_| session.handle_frame(MonoTime(0), &request));
    assert_eq!(outputs(&mut session).last(), Some(&ProtocolOutput::Close(CloseCode::TooManyFrames)));
    let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
    session.handle_frame(MonoTime(0), &hello(Some(resume)));
    session.handle_frame(MonoTime(0), &codec::encode_client(&ClientMsg::Leave));
    assert_eq!(outputs(&mut session).last(), Some(&ProtocolOutput::Close(CloseCode::Normal)));
}

#[test]
fn requests_over_the_rate_limit_are_refused_with_a_waiting_time() {
    let mut session = seated(MonoTime(0));
    let say = |id| {
        let request = Request::Say { topic: "lobby/chat".into(), text: "hi".into() };
        codec::encode_client(&ClientMsg::Request { id, request })
    };
    let mut refused = Vec::new();
    for id in 0..10 {
        session.handle_frame(MonoTime(0), &say(id));
        for output in outputs(&mut session) {
            match output {
                ProtocolOutput::Request(request_id, _) => {
                    assert_eq!(request_id, id);
                    session.handle_outcome(id, Outcome::Done);
                }
                ProtocolOutput::Send(frame) => {
                    refused.push(codec::decode_server(&frame[1..]).expect("our own message"));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        outputs(&mut session);
    }
    assert_eq!(refused.len(), 10 - limits::CHAT_BURST as usize);
    let too_fast = Refusal::TooFast { wait_ms: limits::CHAT_EVERY_MS };
    assert!(matches!(&refused[0], ServerMsg::Reply { outcome: Outcome::Refused(why), .. } if *why == too_fast));
    session.handle_frame(MonoTime(u64::from(limits::CHAT_EVERY_MS) * 1000), &say(10));
    assert!(
        matches!(outputs(&mut session)[..], [ProtocolOutput::Request(10, _)]),
        "after that time one more is accepted"
    );
}

#[test]
fn anything_a_client_sends_counts_towards_its_frames_and_bytes() {
    // An act repeated at one moment, and how often it succeeds before the close.
    type Act = fn(&mut ToyProtocol);
    let acts: [(Act, u32); 3] = [
        (|session| session.handle_alive(MonoTime(1)), limits::FRAMES_BURST),
        (|session| session.handle_bytes(MonoTime(1), 1024), limits::BYTES_BURST / 1024),
        (|session| session.handle_bytes(MonoTime(1), usize::MAX), 0),
    ];
    for (act, allowed) in acts {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        let done = (0..).take_while(|_| {
            act(&mut session);
            session.poll_timeout().is_some()
        });
        assert_eq!(done.take(5000).count(), allowed as usize);
        assert_eq!(outputs(&mut session), [ProtocolOutput::Close(CloseCode::TooManyFrames)]);
    }
    // An honest client at the highest rate is never closed: 60 packets of 80 bytes a second, and half as much again for TLS.
    let mut session = seated(MonoTime(0));
    for tick in 0..60 * 600 {
        session.handle_alive(MonoTime(tick * 16_667));
        session.handle_bytes(MonoTime(tick * 16_667), 120);
    }
    assert_eq!(outputs(&mut session), []);
}

#[test]
fn a_pause_of_the_server_counts_towards_no_timeout_and_no_rate_limit() {
    const PAUSE_US: u64 = 30_000_000;
    let after = |us: u64| MonoTime(PAUSE_US + us);
    // A frame at 0, then a pause: silent only after the usual time of the server awake.
    let mut quiet = seated(MonoTime(0));
    quiet.handle_pause(PAUSE_US);
    quiet.handle_timeout(after(limits::SILENCE_US - 1));
    assert_eq!(outputs(&mut quiet), [ProtocolOutput::Ping]);
    quiet.handle_timeout(after(limits::SILENCE_US));
    assert_eq!(outputs(&mut quiet), [ProtocolOutput::Close(CloseCode::Silent)]);
    // The same for the time until the hello.
    let mut new: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
    new.handle_pause(PAUSE_US);
    new.handle_timeout(after(limits::GREETING_US - 1));
    assert!(!outputs(&mut new).contains(&ProtocolOutput::Close(CloseCode::GreetingTimeout)));
    new.handle_frame(after(limits::GREETING_US - 1), &hello(REVISION));
    assert_eq!(outputs(&mut new), [ProtocolOutput::Hello(None, None)]);
    // What a client sent during the pause arrives all at once, which is no flood.
    let mut loud = seated(MonoTime(0));
    loud.handle_pause(PAUSE_US);
    for _ in 0..60 * PAUSE_US / 1_000_000 {
        loud.handle_alive(after(0));
    }
    loud.handle_bytes(after(0), 60 * 30 * 120);
    assert_eq!(outputs(&mut loud), []);
    // A real flood is still closed.
    (0..100_000).for_each(|_| loud.handle_alive(after(0)));
    assert_eq!(outputs(&mut loud), [ProtocolOutput::Close(CloseCode::TooManyFrames)]);
}

#[test]
fn a_hello_of_another_revision_closes_with_wrong_revision_however_malformed_the_rest_is() {
    let whole = hello(REVISION + 1);
    let revision_ends = whole.len() - "test".len() - 3;
    let mut endings: Vec<Vec<u8>> = (revision_ends..whole.len()).map(|end| whole[..end].to_vec()).collect();
    endings.push([&whole[..], &[0; 9]].concat());
    endings.push([&whole[..revision_ends], &[255; 200]].concat());
    for frame in endings {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        session.handle_frame(MonoTime(0), &frame);
        assert_eq!(outputs(&mut session), [ProtocolOutput::Close(CloseCode::WrongRevision)], "{frame:?}");
    }
    // A truncated hello of our revision is malformed, as is one without the whole revision, or any hello after the first message.
    let ours = hello(REVISION);
    for frame in [&ours[..ours.len() - 1], &whole[..revision_ends - 1]] {
        let mut session: ToyProtocol = ConnectionProtocol::new(MonoTime(0));
        session.handle_frame(MonoTime(0), frame);
        assert_eq!(outputs(&mut session), [ProtocolOutput::Close(CloseCode::Malformed)], "{frame:?}");
    }
    let mut session = seated(MonoTime(0));
    session.handle_frame(MonoTime(0), &whole);
    assert_eq!(outputs(&mut session), [ProtocolOutput::Close(CloseCode::Malformed)]);
}
