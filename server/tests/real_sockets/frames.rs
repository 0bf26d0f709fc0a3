//! The cases of an independent conformance suite (Autobahn) with the responses of this server. It accepts only small binary messages of its
//! own protocol, so most messages that an echo server would return end the connection here, with a close code.

use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::limits::CLIENT_FRAME_MAX;
use broadside_shared::protocol::message::ClientMsg;
use broadside_shared::protocol::{REVISION, SUBPROTOCOL};
use broadside_shared::time::MonoTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::request;
use crate::scene::{Server, look_until, within};

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Payload of the ping after each case, which checks whether the connection is still open.
const MARK: &[u8] = b"still there?";

/// A frame of the server; the welcome is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// A message.
    Message,
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A close with this code, or none.
    Close(Option<u16>),
}

/// A masked client frame: the first byte, the length in its shortest form, and the payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        len @ 0..=125 => vec![0x80 | len as u8],
        len @ 126..=0xffff => [&[0x80 | 126], &(len as u16).to_be_bytes()[..]].concat(),
        len => [&[0x80 | 127], &(len as u64).to_be_bytes()[..]].concat(),
    };
    with_length(first, &length, payload)
}

/// The same with an arbitrary length field.
fn with_length(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x11, 0xc7, 0x5a, 0xfe];
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [&[first], length, &MASK].concat().into_iter().chain(masked).collect()
}

fn close(payload: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, payload)
}

/// A close with a code and a reason.
fn close_with(code: u16, reason: &[u8]) -> Vec<u8> {
    close(&[&code.to_be_bytes(), reason].concat())
}

/// A message that the server answers: a protocol ping.
fn message() -> Vec<u8> {
    encode_client(&ClientMsg::Ping { client_time: MonoTime(7_000_000_000) })
}

/// The message in this many fragments, with `between` after each but the last.
fn in_fragments(count: usize, between: &[u8]) -> Vec<u8> {
    let message = message();
    let mut bytes = Vec::new();
    for at in 0..count {
        let (from, to) = (message.len() * at / count, message.len() * (at + 1) / count);
        let opcode = if at == 0 { BINARY } else { CONTINUATION };
        let last = at + 1 == count;
        bytes.extend(frame(opcode | if last { FIN } else { 0 }, &message[from..to]));
        bytes.extend(if last { &[] } else { between });
    }
    bytes
}

/// Bytes sent, and the expected frames. Unless the last one is a close, the connection stays open.
type Case = (String, Vec<u8>, Vec<Answer>);

fn case(name: impl Into<String>, bytes: Vec<u8>, answers: impl Into<Vec<Answer>>) -> Case {
    (name.into(), bytes, answers.into())
}

fn closed(code: CloseCode) -> Answer {
    Answer::Close(Some(code.code()))
}

fn pong(payload: &[u8]) -> Answer {
    Answer::Pong(payload.to_vec())
}

/// Cases 1: whole messages, text and binary, of many lengths. Cases 9: huge ones, whole and in fragments.
fn messages() -> Vec<Case> {
    let (text, big) = (closed(CloseCode::Unsupported), closed(CloseCode::TooBig));
    let malformed = closed(CloseCode::Malformed);
    let mut cases = vec![
        case("1.2 a message", frame(FIN | BINARY, &message()), [Answer::Message]),
        case("1.2 two messages", frame(FIN | BINARY, &message()).repeat(2), [Answer::Message, Answer::Message]),
        case("9 a header of 16 MiB", with_length(FIN | BINARY, &[255, 0, 0, 0, 0, 1, 0, 0, 0], b""), [big.clone()]),
        case("9 text of 16 MiB", with_length(FIN | TEXT, &[255, 0, 0, 0, 0, 1, 0, 0, 0], b""), [text.clone()]),
    ];
    for length in [0, 1, 125, 126, 127, 128, CLIENT_FRAME_MAX] {
        let payload = vec![b'*'; length];
        cases.push(case(format!("1.1 text of {length}"), frame(FIN | TEXT, &payload), [text.clone()]));
        cases.push(case(format!("1.2 binary of {length}"), frame(FIN | BINARY, &payload), [malformed.clone()]));
    }
    for length in [CLIENT_FRAME_MAX + 1, 65_535, 65_536] {
        let payload = vec![b'*'; length];
        cases.push(case(format!("1.1 text of {length}"), frame(FIN | TEXT, &payload), [text.clone()]));
        cases.push(case(format!("1.2 binary of {length}"), frame(FIN | BINARY, &payload), [big.clone()]));
        let parts: Vec<u8> =
            payload.chunks(300).enumerate().flat_map(|(at, part)| frame(if at == 0 { 2 } else { 0 }, part)).collect();
        cases.push(case(format!("9.4 binary of {length} in fragments of 300"), parts, [big.clone()]));
    }
    cases
}

/// Cases 2: pings and pongs.
fn pings() -> Vec<Case> {
    let broken = closed(CloseCode::Broken);
    let full: Vec<u8> = (0..125).map(|at| at as u8 ^ 0xa5).collect();
    let ten: Vec<Vec<u8>> = (0..10).map(|at| format!("ping {at}").into_bytes()).collect();
    let of = |first: u8, payload: &[u8]| frame(FIN | first, payload);
    vec![
        case("2.1 empty ping", of(PING, b""), [pong(b"")]),
        case("2.2 ping with text", of(PING, b"Hello, world!"), [pong(b"Hello, world!")]),
        case("2.3 ping with bytes", of(PING, &[0, 255, 254, 253]), [pong(&[0, 255, 254, 253])]),
        case("2.4 ping of 125", of(PING, &full), [pong(&full)]),
        case("2.5 ping of 126", of(PING, &[7; 126]), [broken.clone()]),
        case("ping of 2000", of(PING, &[7; 2000]), [broken.clone()]),
        case("pong of 126", of(PONG, &[7; 126]), [broken.clone()]),
        case("2.7 pong nobody asked for", of(PONG, b""), []),
        case("2.8 with payload", of(PONG, b"unasked"), []),
        case("2.9 and a ping", [of(PONG, b"unasked"), of(PING, b"a")].concat(), [pong(b"a")]),
        case(
            "2.10 ten pings",
            ten.iter().flat_map(|payload| of(PING, payload)).collect(),
            ten.iter().map(|payload| pong(payload)).collect::<Vec<_>>(),
        ),
    ]
}

/// Cases 3 and 4: reserved bits and opcodes. Cases 12 and 13, compression, set such a bit as well.
fn reserved() -> Vec<Case> {
    let broken = closed(CloseCode::Broken);
    let whole = frame(FIN | BINARY, &message());
    let mut cases = Vec::new();
    for bits in 1..8u8 {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
            let bad = frame(FIN | bits << 4 | opcode, b"");
            cases.push(case(format!("3 reserved bits {bits} on {opcode}"), bad.clone(), [broken.clone()]));
            let after = [whole.clone(), bad, whole.clone()].concat();
            cases.push(case("3 between messages", after, [Answer::Message, broken.clone()]));
        }
    }
    for opcode in (3..8).chain(11..16) {
        for payload in [&b""[..], b"x"] {
            let bad = frame(FIN | opcode, payload);
            cases.push(case(format!("4 opcode {opcode}"), bad.clone(), [broken.clone()]));
            let after = [whole.clone(), bad, frame(FIN | PING, b"")].concat();
            cases.push(case("4 after a message", after, [Answer::Message, broken.clone()]));
        }
    }
    cases
}

/// Cases 5: fragments.
fn fragments() -> Vec<Case> {
    let (broken, text) = (closed(CloseCode::Broken), closed(CloseCode::Unsupported));
    let ping = frame(FIN | PING, b"between");
    let begun = frame(BINARY, b"");
    let ends = |opcode: u8| frame(FIN | opcode, b"x");
    vec![
        case("5.1 ping in fragments", [frame(PING, b"a"), ends(CONTINUATION)].concat(), [broken.clone()]),
        case("5.2 pong in fragments", [frame(PONG, b"a"), ends(CONTINUATION)].concat(), [broken.clone()]),
        case("close in fragments", [frame(CLOSE, &[3, 232]), ends(CONTINUATION)].concat(), [broken.clone()]),
        case("5.3 two fragments", in_fragments(2, b""), [Answer::Message]),
        case("eight fragments", in_fragments(8, b""), [Answer::Message]),
        case("nine fragments", in_fragments(9, b""), [closed(CloseCode::TooManyFrames)]),
        case("5.6 a ping between", in_fragments(2, &ping), [pong(b"between"), Answer::Message]),
        case("5.19 pings between", in_fragments(3, &ping), [pong(b"between"), pong(b"between"), Answer::Message]),
        case("a pong between", in_fragments(2, &frame(FIN | PONG, b"")), [Answer::Message]),
        case("5.9 the end of nothing", ends(CONTINUATION), [broken.clone()]),
        case("5.12 the middle of nothing", frame(CONTINUATION, b"x"), [broken.clone()]),
        case(
            "5.15 and after a message",
            [in_fragments(2, b""), frame(CONTINUATION, b"x")].concat(),
            [Answer::Message, broken.clone()],
        ),
        case("5.18 a message within another", [begun.clone(), ends(BINARY)].concat(), [broken.clone()]),
        case("a text within a message", [begun.clone(), ends(TEXT)].concat(), [broken.clone()]),
        case("5.3 text in two fragments", [frame(TEXT, b"a"), ends(CONTINUATION)].concat(), [text.clone()]),
        case("5.6 with a ping between", [frame(TEXT, b"a"), ping, ends(CONTINUATION)].concat(), [text.clone()]),
        case(
            "empty fragments",
            [begun.clone(), frame(CONTINUATION, b"").repeat(5000)].concat(),
            [closed(CloseCode::TooManyFrames)],
        ),
        case(
            "empty fragments and pings",
            [begun, [frame(CONTINUATION, b""), frame(FIN | PONG, b"")].concat().repeat(5000)].concat(),
            [closed(CloseCode::TooManyFrames)],
        ),
    ]
}

/// Cases 6: text is refused, valid UTF-8 or not, whole or in fragments.
fn texts() -> Vec<Case> {
    let payloads: [&[u8]; 7] = [
        "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}-UTF-8!!".as_bytes(),
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xc0\xaf",
        b"\xff",
        b"\xce",
    ];
    let mut cases = Vec::new();
    for payload in payloads {
        let (first, rest) = payload.split_at(1);
        let halves = [frame(TEXT, first), frame(FIN | CONTINUATION, rest)].concat();
        for bytes in [frame(FIN | TEXT, payload), frame(TEXT, payload), halves] {
            cases.push(case(format!("6 text {payload:x?}"), bytes, [closed(CloseCode::Unsupported)]));
        }
    }
    cases
}

/// Cases 7: closes.
fn closes() -> Vec<Case> {
    let broken = closed(CloseCode::Broken);
    let normal = closed(CloseCode::Normal);
    let bye = close_with(1000, b"");
    let whole = frame(FIN | BINARY, &message());
    let mut cases = vec![
        case("7.1.1 a message before", [whole.clone(), bye.clone()].concat(), [Answer::Message, normal.clone()]),
        case("7.1.2 twice", bye.repeat(2), [normal.clone()]),
        case("7.1.3 a ping after it", [bye.clone(), frame(FIN | PING, b"")].concat(), [normal.clone()]),
        case("7.1.4 a message after it", [bye.clone(), whole.clone()].concat(), [normal.clone()]),
        case("text after it", [bye.clone(), frame(FIN | TEXT, b"x")].concat(), [normal.clone()]),
        case(
            "7.1.5 within a message",
            [frame(BINARY, b"x"), bye, frame(FIN | CONTINUATION, b"y")].concat(),
            [normal.clone()],
        ),
        case("7.3.1 empty", close(b""), [Answer::Close(None)]),
        case("7.3.2 half a code", close(&[3]), [broken.clone()]),
        case("7.3.4 with a reason", close_with(1000, b"Hello World!"), [normal.clone()]),
        case("7.3.5 of 125", close_with(1000, &[b'*'; 123]), [normal]),
        case("7.3.6 of 126", close_with(1000, &[b'*'; 124]), [broken.clone()]),
        case("7.5.1 a reason that is no UTF-8", close_with(1000, b"\xce\xba\xed\xa0\x80"), [broken.clone()]),
        case("a reason cut within a letter", close_with(1000, b"\xce"), [broken.clone()]),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(case(format!("7.7 code {code}"), close_with(code, b""), [Answer::Close(Some(code))]));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        cases.push(case(format!("7.9 code {code}"), close_with(code, b""), [broken.clone()]));
    }
    cases
}

/// Beyond the suite: unmasked frames, and lengths that are not in their shortest form.
fn lengths() -> Vec<Case> {
    let broken = closed(CloseCode::Broken);
    let message = message();
    let mut cases = Vec::new();
    for opcode in [TEXT, BINARY, PING, PONG, CLOSE] {
        let bare = [&[FIN | opcode, message.len() as u8], &message[..]].concat();
        cases.push(case(format!("no mask on {opcode}"), bare, [broken.clone()]));
    }
    for length in [
        &[0x80 | 126, 0, message.len() as u8][..],
        &[0x80 | 126, 0, 125],
        &[0x80 | 127, 0, 0, 0, 0, 0, 0, 0, message.len() as u8],
        &[0x80 | 127, 0, 0, 0, 0, 0, 0, 255, 255],
        &[0x80 | 127, 128, 0, 0, 0, 0, 0, 0, message.len() as u8],
        &[255; 9],
    ] {
        let bytes = with_length(FIN | BINARY, length, &message);
        cases.push(case(format!("length {length:x?}"), bytes, [broken.clone()]));
    }
    cases
}

/// Plays a case and returns the frames of the server.
async fn play(server: &Server, bytes: &[u8]) -> Vec<Answer> {
    let mut stream = server.stream().await;
    let (head, hello) = (upgrade(server), hello());
    // In one write: bytes right after the handshake must work as well.
    let sent = [head.as_bytes(), &frame(FIN | BINARY, &hello), bytes, &frame(FIN | PING, MARK), &close_with(1000, b"")];
    within("the bytes to be sent", async {
        // A server that has closed may not accept the rest.
        let _ = stream.write_all(&sent.concat()).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let mut heard = Vec::new();
    let _ = within("the end", stream.read_to_end(&mut heard)).await;
    let head_ends = heard.windows(4).position(|four| four == b"\r\n\r\n").expect("the handshake is answered") + 4;
    let mut answers = answers(&heard[head_ends..]);
    assert_eq!(answers.remove(0), Answer::Message, "the welcome");
    answers
}

/// The request of a handshake.
fn upgrade(server: &Server) -> String {
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", SUBPROTOCOL),
    ];
    request(&server.address().to_string(), "GET", "/ws", &headers)
}

fn hello() -> Vec<u8> {
    encode_client(&ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None })
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let &[first, length, ..] = bytes {
        let (payload, rest) = bytes[2..].split_at(usize::from(length));
        answers.push(match first {
            0x82 => Answer::Message,
            0x88 => Answer::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            0x8a => Answer::Pong(payload.to_vec()),
            _ => panic!("a frame begins with {first:#x}"),
        });
        bytes = rest;
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_of_a_conformance_suite_gets_the_specified_response() {
    let server = Server::start().await;
    let cases = [messages(), pings(), reserved(), fragments(), texts(), closes(), lengths()].concat();
    let mut wrong = Vec::new();
    for (name, bytes, mut expected) in cases {
        if !matches!(expected.last(), Some(Answer::Close(_))) {
            expected.extend([pong(MARK), closed(CloseCode::Normal)]);
        }
        let heard = play(&server, &bytes).await;
        if heard != expected {
            wrong.push(format!("{name}: {heard:?} and not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_gone_before_it_is_answered_harms_no_shard() {
    let server = Server::start_with(|config| config.shards = Some(1)).await;
    let ping = frame(FIN | BINARY, &encode_client(&ClientMsg::Ping { client_time: MonoTime(1) }));
    let said = [frame(FIN | BINARY, &hello()), ping.repeat(12)].concat();
    for _ in 0..20 {
        let mut stream = server.stream().await;
        within("the handshake to be sent", stream.write_all(upgrade(&server).as_bytes())).await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the response", stream.read_u8()).await.expect("a response"));
        }
        // The first answer meets a closed socket, the next ones a reset one.
        within("the frames to be sent", stream.write_all(&said)).await.expect("a connection");
    }
    look_until("no connection", || server.metrics().connections.get() == 0).await;
    assert_eq!(server.metrics().shard_failures.get(), 0);
    server.end().await;
}
