use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use broadside_shared::protocol::REVISION;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::limits::{BYTES_BURST, CLIENT_FRAME_MAX, FRAMES_BURST};
use broadside_shared::protocol::message::{ClientMsg, Request};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use broadside_shared::toy::Toy;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::super::tls::Tls;
use super::*;
use broadside_core::connection::protocol::{ConnectionProtocol, ProtocolOutput};

const FIN: u8 = 0x80;
const NOW: MonoTime = MonoTime(1);

/// A client frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        len @ 0..=125 => vec![FIN | len as u8],
        len => [&[FIN | 126], &(len as u16).to_be_bytes()[..]].concat(),
    };
    [&[first], &length[..], &[0; 4], payload].concat()
}

/// How the bytes of a flood are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    None,
    /// In TLS records of this number of bytes.
    Records(usize),
    /// In TLS records of one byte, each after a key update.
    KeyUpdates,
}

/// A client that sends endlessly and never blocks.
struct Flood {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    encryption: Encryption,
    /// The bytes that are sent repeatedly.
    unit: Vec<u8>,
    queue: Vec<u8>,
}

impl Flood {
    /// A flood that starts with `first`, and the server's connection to it.
    fn new(first: &[u8], unit: &[u8], encryption: Encryption) -> (Flood, Conn) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the system gives a port");
        let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (accepted, _) = listener.accept().expect("it was connected to");
        for end in [&stream, &accepted] {
            end.set_nonblocking(true).expect("an option of every system");
        }
        let (server, client) = match encryption {
            Encryption::None => (None, None),
            Encryption::Records(_) | Encryption::KeyUpdates => {
                let (server, client) = tls_pair();
                (Some(Tls::new(server)), Some(client))
            }
        };
        let transport = Transport::new(mio::net::TcpStream::from_std(accepted), server);
        let mut flood = Flood { stream, tls: client, encryption, unit: unit.to_vec(), queue: Vec::new() };
        flood.put(first);
        (flood, Conn::new(transport, &[]))
    }

    /// Sends until the socket is full.
    fn pour(&mut self) {
        loop {
            while self.queue.len() < 64 * 1024 {
                let unit = self.unit.clone();
                self.put(&unit);
            }
            match self.stream.write(&self.queue) {
                Ok(n) => drop(self.queue.drain(..n)),
                // Full, or ended by the server.
                Err(_) => return,
            }
        }
    }

    fn put(&mut self, plain: &[u8]) {
        let Some(tls) = &mut self.tls else { return self.queue.extend_from_slice(plain) };
        let most = match self.encryption {
            Encryption::None | Encryption::KeyUpdates => 1,
            Encryption::Records(bytes) => bytes,
        };
        for piece in plain.chunks(most) {
            if self.encryption == Encryption::KeyUpdates {
                tls.refresh_traffic_keys().expect("the handshake is over");
            }
            tls.writer().write_all(piece).expect("a Vec takes all");
            while tls.wants_write() {
                tls.write_tls(&mut self.queue).expect("a Vec takes all");
            }
        }
    }

    /// Reads until a close frame, and returns its code.
    fn close_code(&mut self, conn: &mut Conn) -> u16 {
        let mut plain = Vec::new();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while std::time::Instant::now() < deadline {
            conn.flush();
            let mut bytes = vec![0; 64 * 1024];
            let Ok(n) = self.stream.read(&mut bytes) else { continue };
            match &mut self.tls {
                None => plain.extend_from_slice(&bytes[..n]),
                Some(tls) => {
                    let mut encrypted = &bytes[..n];
                    while !encrypted.is_empty() {
                        tls.read_tls(&mut encrypted).expect("it is in memory");
                        tls.process_new_packets().expect("the server speaks TLS");
                        let _ = tls.reader().read_to_end(&mut plain);
                    }
                }
            }
            // Server frames are not masked.
            let mut at = 0;
            while let Some(&[first, length, ref payload @ ..]) = plain.get(at..) {
                match payload {
                    [high, low, ..] if first == FINAL_CLOSE => return u16::from_be_bytes([*high, *low]),
                    _ => at += 2 + usize::from(length),
                }
            }
        }
        panic!("no close frame arrived");
    }
}

/// Both ends of a TLS connection in memory, after the handshake.
fn tls_pair() -> (ServerConnection, ClientConnection) {
    let key = KeyPair::generate().expect("the system has random numbers");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a valid name");
    let certificate = params.self_signed(&key).expect("its own key").der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a valid certificate");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a valid name");
    let mut server = ServerConnection::new(Arc::new(server.expect("key and certificate fit"))).expect("a valid config");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a valid config");
    while server.is_handshaking() || client.is_handshaking() || server.wants_write() || client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("a Vec takes all");
        server.read_tls(&mut bytes.as_slice()).expect("it is in memory");
        server.process_new_packets().expect("a handshake");
        bytes.clear();
        server.write_tls(&mut bytes).expect("a Vec takes all");
        client.read_tls(&mut bytes.as_slice()).expect("it is in memory");
        client.process_new_packets().expect("a handshake");
    }
    (server, client)
}

/// What one poll read.
#[derive(Debug, Default, Clone, Copy)]
struct Polled {
    frames: u32,
    bytes: usize,
    closed: Option<CloseCode>,
}

/// Polls a connection once, as a shard does, at a fixed time.
fn poll(conn: &mut Conn, session: &mut ConnectionProtocol<Toy>) -> Polled {
    let mut polled = Polled::default();
    conn.handle_readable(Readable::More);
    loop {
        match conn.receive() {
            Incoming::Message => {
                polled.frames += 1;
                session.handle_frame(NOW, conn.message());
            }
            Incoming::Frame => {
                polled.frames += 1;
                session.handle_alive(NOW);
            }
            Incoming::Refused(code) => session.handle_close(code),
            Incoming::Nothing | Incoming::PollLimit | Incoming::Ended => break,
        }
        polled.closed = polled.closed.or(drive(conn, session));
    }
    polled.bytes = conn.end_poll();
    session.handle_bytes(NOW, polled.bytes);
    polled.closed = polled.closed.or(drive(conn, session));
    polled
}

fn drive(conn: &mut Conn, session: &mut ConnectionProtocol<Toy>) -> Option<CloseCode> {
    while let Some(output) = session.poll_output() {
        match output {
            ProtocolOutput::Send(payload) => {
                conn.send_framed(&mut [&[0; HEADER_MAX], payload.as_slice()].concat());
            }
            ProtocolOutput::Hello(..) => session.handle_welcome(Token { session: 1, signature: [0; 16] }, None, None),
            ProtocolOutput::Close(code) => {
                conn.send_close(code);
                return Some(code);
            }
            ProtocolOutput::Ping
            | ProtocolOutput::Join(..)
            | ProtocolOutput::Input(_)
            | ProtocolOutput::Request(..) => {}
        }
    }
    None
}

#[test]
fn no_flood_exceeds_the_limits_of_a_poll_and_each_is_closed_with_its_code() {
    let hello = frame(
        FIN | 2,
        &encode_client(&ClientMsg::Hello { revision: REVISION, agent: String::new(), resume: None, account: None }),
    );
    let message = encode_client(&ClientMsg::Ping { client_time: MonoTime(7) });
    let begun = [&hello[..], &frame(2, b"")].concat();
    let long = Request::Say { topic: "lobby/chat".to_owned(), text: "\u{1f600}".repeat(200) };
    let long = frame(FIN | 2, &encode_client(&ClientMsg::Request { id: 1, request: long }));
    let cut = |parts: usize| -> Vec<u8> {
        let part = |at: usize| {
            let (first, last) = (at == 0, at + 1 == parts);
            let payload = if last { &message[..] } else { &[] };
            frame(if first { 2 } else { 0 } | if last { FIN } else { 0 }, payload)
        };
        (0..parts).flat_map(part).collect()
    };
    let endless = [&[FIN | 2, FIN | 126], &(CLIENT_FRAME_MAX as u16 + 1).to_be_bytes()[..], &[0; 4]].concat();
    let (full, records) = ([7; CONTROL_MAX], Encryption::Records);
    for (what, first, unit, encryption, ends) in [
        ("empty fragments", &begun, frame(0, b""), Encryption::None, CloseCode::TooManyFrames),
        ("messages in 16 fragments", &hello, cut(16), Encryption::None, CloseCode::TooManyFrames),
        ("messages in a few fragments", &hello, cut(4), Encryption::None, CloseCode::TooManyFrames),
        ("messages", &hello, frame(FIN | 2, &message), Encryption::None, CloseCode::TooManyFrames),
        ("long messages", &hello, long.clone(), Encryption::None, CloseCode::TooManyFrames),
        ("empty pings", &hello, frame(FIN | 9, b""), Encryption::None, CloseCode::TooManyFrames),
        ("full pings", &hello, frame(FIN | 9, &full), Encryption::None, CloseCode::TooManyFrames),
        ("pongs before a hello", &Vec::new(), frame(FIN | 10, b""), Encryption::None, CloseCode::TooManyFrames),
        ("empty messages", &hello, frame(FIN | 2, b""), Encryption::None, CloseCode::Malformed),
        ("text", &hello, frame(FIN | 1, b"hello"), Encryption::None, CloseCode::Unsupported),
        ("a frame without end", &endless, vec![0; 1000], Encryption::None, CloseCode::TooBig),
        ("zeros", &hello, vec![0; 1000], Encryption::None, CloseCode::Broken),
        ("empty fragments over TLS", &begun, frame(0, b""), records(16_000), CloseCode::TooManyFrames),
        ("pings over TLS", &hello, frame(FIN | 9, b""), records(16_000), CloseCode::TooManyFrames),
        ("records of one byte", &hello, frame(FIN | 2, &message), records(1), CloseCode::TooManyFrames),
        ("constant key updates", &hello, frame(FIN | 2, &message), Encryption::KeyUpdates, CloseCode::TooManyFrames),
    ] {
        let (mut flood, mut conn) = Flood::new(first, &unit, encryption);
        let mut session = ConnectionProtocol::new(NOW);
        let (mut frames, mut bytes, mut after, mut closed) = (0, 0, 0, None);
        // Far more polls than needed.
        for _ in 0..500 {
            flood.pour();
            let polled = poll(&mut conn, &mut session);
            assert!(polled.frames <= FRAMES_PER_POLL && polled.bytes <= BYTES_PER_POLL, "{what}: {polled:?}");
            if closed.is_none() {
                (frames, bytes) = (frames + polled.frames, bytes + polled.bytes);
            } else {
                after += polled.bytes;
            }
            closed = closed.or(polled.closed);
            assert!(conn.transport.waiting_bytes() <= 2 * CLIENT_FRAME_MAX, "{what}: answers pile up");
        }
        assert_eq!(closed, Some(ends), "{what}");
        assert!(frames <= FRAMES_BURST + FRAMES_PER_POLL, "{what}: {frames} frames");
        assert!(bytes <= BYTES_BURST as usize + BYTES_PER_POLL, "{what}: {bytes} bytes");
        assert!(after <= BYTES_AFTER_CLOSE, "{what}: {after} bytes after the close");
        assert_eq!(flood.close_code(&mut conn), ends.code(), "{what}");
    }
}

#[test]
fn a_client_that_pings_without_reading_gets_only_the_newest_pong() {
    let (mut client, mut conn) = Flood::new(&[], &[], Encryption::None);
    // Until the socket is full and bytes are pending.
    while conn.transport.is_free() {
        assert_eq!(conn.send_framed(&mut [0; HEADER_MAX + 1000]), Sent::Written);
    }
    let waiting = conn.transport.waiting_bytes();
    let mut session: ConnectionProtocol<Toy> = ConnectionProtocol::new(NOW);
    let mut frames = 0;
    for ping in 0..100 {
        client.stream.write_all(&frame(FIN | 9, &[ping; CONTROL_MAX])).expect("there is room");
    }
    while frames < 100 {
        frames += poll(&mut conn, &mut session).frames;
    }
    assert_eq!(conn.transport.waiting_bytes(), waiting, "nothing was added");
    let (mut bytes, mut last) = (vec![0; 64 * 1024], Vec::new());
    let pong = [&[FINAL_PONG, CONTROL_MAX as u8], &[99; CONTROL_MAX][..]].concat();
    while !last.ends_with(&pong) {
        conn.flush();
        if let Ok(n) = client.stream.read(&mut bytes) {
            last.extend_from_slice(&bytes[..n]);
            last.drain(..last.len().saturating_sub(1000));
        }
    }
}

#[test]
fn a_header_has_the_shortest_form_of_the_length() {
    for (len, header) in [
        (0, vec![0x82, 0]),
        (125, vec![0x82, 125]),
        (126, vec![0x82, 126, 0, 126]),
        (65_535, vec![0x82, 126, 255, 255]),
        (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut buffer = vec![7; HEADER_MAX + len];
        let start = frame_header(&mut buffer);
        assert_eq!(&buffer[start..HEADER_MAX], header, "{len}");
    }
}

#[test]
fn another_process_goes_on_in_the_middle_of_a_frame_and_of_a_write() {
    let sent = frame(0x82, b"one message");
    let (head, tail) = sent.split_at(9);
    let (mut client, mut conn) = Flood::new(head, &[], Encryption::None);
    let read = |client: &mut Flood, conn: &mut Conn, bytes: &[u8]| {
        client.stream.write_all(bytes).expect("an empty socket");
        conn.handle_readable(Readable::More);
        let incoming = conn.receive();
        let message = if incoming == Incoming::Message { conn.message().to_vec() } else { Vec::new() };
        assert_eq!(conn.receive(), Incoming::Nothing);
        (incoming, message)
    };
    assert_eq!(read(&mut client, &mut conn, head), (Incoming::Nothing, vec![]));
    let mut expected = Vec::new();
    while conn.transport.is_free() {
        let mut buffer = [vec![0; HEADER_MAX], vec![expected.len() as u8; 1000]].concat();
        assert_eq!(conn.send_framed(&mut buffer), Sent::Written);
        expected.extend_from_slice(&buffer[frame_header(&mut buffer.clone())..]);
    }
    assert!(conn.can_be_passed());
    let (stream, unread, unsent) = conn.pass_on().expect("a descriptor");
    let transport = Transport::passed(mio::net::TcpStream::from_std(stream.into()), &unsent);
    let mut conn = Conn::new(transport, &unread);
    assert_eq!(read(&mut client, &mut conn, tail), (Incoming::Message, b"one message".to_vec()));
    let mut received = vec![0; expected.len()];
    let mut at = 0;
    while at < received.len() {
        conn.flush();
        match client.stream.read(&mut received[at..]) {
            Ok(count) => at += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!(received == expected, "every byte once, in order");
    // What would have to be taken from the middle of a message, or of TLS, stays.
    let (mut client, mut conn) = Flood::new(&[], &[], Encryption::None);
    assert_eq!(read(&mut client, &mut conn, &frame(0x02, b"a fragment")), (Incoming::Frame, vec![]));
    assert!(!conn.can_be_passed());
    assert!(!Flood::new(&[], &[], Encryption::Records(1)).1.can_be_passed());
}
