//! Pages and players over TLS, certificate reloads, and plain-HTTP clients on a TLS port.

use std::net::{IpAddr, Ipv4Addr};

use broadside_bots::player::Progress;
use broadside_bots::socket::{PlayError, Target, connect};
use broadside_bots::tls_verification::TlsVerification;
use broadside_server::net::self_signed::{self, CERT_FILE, KEY_FILE};
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::message::{ClientMsg, ServerMsg};
use broadside_shared::protocol::{REVISION, SUBPROTOCOL};
use broadside_shared::time::MonoTime;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http::{ask, ask_over, get, request};
use crate::scene::{Folder, Server, bare, close_of, greet, hear, play_until, player, say, sit, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_players_connect_over_tls() {
    let server = Server::start_secure().await;
    let page = ask_over(server.stream().await, &request("localhost", "GET", "/", &[])).await;
    assert_eq!((page.status, page.text().contains("<title>test")), (200, true));
    let mut socket = bare(&server).await;
    greet(&mut socket).await;
    let sent = MonoTime(77);
    say(&mut socket, &ClientMsg::Ping { client_time: sent }).await;
    let ServerMsg::Pong { client_time, .. } = hear(&mut socket).await else { panic!("a pong was due") };
    assert_eq!(client_time, sent);
    let mut ann = player(&server, "Ann").await;
    let mut snapshots = 0;
    play_until(&mut ann, "a second of snapshots", |_, progress| {
        snapshots += usize::from(matches!(progress, Progress::Snapshot(_)));
        snapshots > 30
    })
    .await;
    ann.leave().await;
    server.until("players", |players| players == 0).await;
    server.end().await;
}

/// The bytes of a handshake.
fn handshake(server: &Server) -> String {
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", SUBPROTOCOL),
    ];
    request(&server.address().to_string(), "GET", "/ws", &headers)
}

/// A masked frame; a mask of zeros changes nothing (RFC 6455, section 5.3).
fn framed(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_right_after_the_handshake_are_received() {
    let server = Server::start_secure().await;
    let hello = framed(
        2,
        &encode_client(&ClientMsg::Hello { revision: REVISION, agent: "test".to_owned(), resume: None, account: None }),
    );
    // In the same record, in a second record of the same write, and in a record split in two.
    for cut in [0, 1, 2] {
        let stream = TcpStream::connect(server.address()).await.expect("the server listens");
        let mut stream = server.secure(stream).await;
        let (io, session) = stream.get_mut();
        let mut wire = Vec::new();
        let mut seal = |bytes: &[u8]| {
            std::io::Write::write_all(&mut session.writer(), bytes).expect("it is little");
            session.write_tls(&mut wire).expect("a vector takes all");
        };
        if cut == 0 {
            seal(&[handshake(&server).as_bytes(), &hello].concat());
        } else {
            seal(handshake(&server).as_bytes());
            seal(&hello);
        }
        let first = if cut == 2 { wire.len() - hello.len() } else { wire.len() };
        io.write_all(&wire[..first]).await.expect("the server stays");
        let mut answer = Vec::new();
        if cut == 2 {
            within("the switch", async {
                while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
                    stream.read_buf(&mut answer).await.expect("the server stays");
                }
            })
            .await;
            stream.get_mut().0.write_all(&wire[first..]).await.expect("the server stays");
        }
        within("the welcome", async {
            // After the head: a binary frame.
            while !answer.windows(5).any(|five| five == b"\r\n\r\n\x82") {
                assert!(stream.read_buf(&mut answer).await.expect("the server stays") > 0, "cut {cut}");
            }
        })
        .await;
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_ends_gets_a_close_notify() {
    let server = Server::start_secure().await;
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let mut stream = server.secure(stream).await;
    let nonsense = framed(2, &[255; 9]);
    let said = [handshake(&server).as_bytes(), &nonsense, &framed(8, &1000u16.to_be_bytes())].concat();
    stream.write_all(&said).await.expect("the server stays");
    let mut heard = Vec::new();
    // Without close_notify this would be an error: the client could not tell the end from a truncation.
    within("the end", stream.read_to_end(&mut heard)).await.expect("an end in good order");
    let code = CloseCode::Malformed.code().to_be_bytes();
    assert!(heard.windows(2).any(|two| two == code), "{heard:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_tls_end_only_their_connection() {
    let server = Server::start_secure().await;
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat", |player, _| player.joined()).await;
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let mut stream = server.secure(stream).await;
    stream.write_all(handshake(&server).as_bytes()).await.expect("the server stays");
    let mut answer = [0; 1024];
    assert!(within("the switch", stream.read(&mut answer)).await.expect("the server stays") > 12);
    // A record of maximum length that cannot be decrypted.
    let noise = [&[23, 3, 3, 0x40, 0][..], &[7; 0x4000]].concat();
    stream.get_mut().0.write_all(&noise).await.expect("the server stays");
    let mut rest = Vec::new();
    let end = within("the end", stream.read_to_end(&mut rest)).await;
    assert!(end.is_err() && rest.is_empty(), "an alert was due: {end:?} {rest:?}");
    let mut snapshots = 0;
    play_until(&mut ann, "more snapshots", |_, progress| {
        snapshots += usize::from(matches!(progress, Progress::Snapshot(_)));
        snapshots > 10
    })
    .await;
    server.end().await;
}

/// The certificate that a new connection gets.
async fn shown(server: &Server) -> CertificateDer<'static> {
    let anyone = TlsVerification { ca: None, insecure: true }.config().expect("nothing is needed");
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let connecting = TlsConnector::from(anyone).connect(ServerName::from(server.address().ip()), stream);
    let stream = within("a TLS handshake", connecting).await.expect("the server speaks TLS");
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).expect("servers show one");
    shown.clone().into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_connections_get_a_new_certificate_and_open_ones_continue() {
    let server = Server::start_secure().await;
    let folder = &server.tls.as_ref().expect("it speaks TLS").0;
    let mut ann = player(&server, "Ann").await;
    play_until(&mut ann, "a seat", |player, _| player.joined()).await;
    let before = shown(&server).await;
    let other = Folder::new();
    self_signed::prepare(&other.0, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("our own folder");
    for file in [KEY_FILE, CERT_FILE] {
        std::fs::copy(other.0.join(file), folder.join(file)).expect("our own folder");
    }
    within("the new certificate", async {
        while shown(&server).await == before {
            play_until(&mut ann, "a snapshot", |_, progress| matches!(progress, Progress::Snapshot(_))).await;
        }
    })
    .await;
    let mut snapshots = 0;
    play_until(&mut ann, "more snapshots", |_, progress| {
        snapshots += usize::from(matches!(progress, Progress::Snapshot(_)));
        snapshots > 30
    })
    .await;
    // The client trusts the file, which holds the new certificate by now.
    let mut ben = bare(&server).await;
    sit(&mut ben, "Ben").await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_tls_learns_to_use_https() {
    let server = Server::start_secure_with(|config| config.redirect_http = Some(0)).await;
    let reply = get(server.address(), "/healthz", &[]).await;
    assert_eq!((reply.status, reply.header("connection")), (400, "close"));
    assert!(reply.text().contains("use https:// and wss://"), "{}", reply.text());
    let plain = Target::parse(&format!("ws://{}/ws", server.address())).expect("a fine address");
    let refused = connect(&plain).await.expect_err("it speaks TLS only");
    assert!(refused.to_string().contains("wss://"), "{refused}");

    let from = server.redirect();
    let reply = get(from, "/r/AB-12?x=%20&y", &[]).await;
    let to = format!("https://127.0.0.1:{}/r/AB-12?x=%20&y", server.address().port());
    assert_eq!((reply.status, reply.header("location")), (308, to.as_str()));
    assert_eq!(ask(from, "POST", "/api/rooms", &[]).await.status, 308);
    for host in ["", "evil.example/", "a@b"] {
        let stream = TcpStream::connect(from).await.expect("the server listens");
        let reply = ask_over(stream, &request(host, "GET", "/", &[])).await;
        assert_eq!((reply.status, reply.header("location")), (400, ""), "{host}");
        assert!(reply.text().contains("Host is"), "{}", reply.text());
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_refuse_an_untrusted_server() {
    let server = Server::start_secure().await;
    let target = || Target::parse(&format!("wss://{}/ws", server.address())).expect("a fine address");
    let PlayError::Handshake { cause, .. } = connect(&target()).await.expect_err("nobody vouches for it") else {
        panic!("a handshake was to fail")
    };
    assert!(cause.contains("--ca FILE"), "{cause}");
    let anyone =
        target().with_tls_verification(&TlsVerification { ca: None, insecure: true }).expect("nothing is needed");
    connect(&anyone).await.expect("anyone is believed");
    let plain = Server::start().await;
    let wrong = Target::parse(&format!("wss://{}/ws", plain.address())).expect("a fine address");
    let refused = connect(&wrong).await.expect_err("it speaks no TLS");
    assert!(refused.to_string().contains("does not speak TLS"), "{refused}");
    plain.end().await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_closes_connections_over_tls() {
    let server = Server::start_secure().await;
    let mut socket = bare(&server).await;
    sit(&mut socket, "Ann").await;
    let end = tokio::spawn(server.end());
    assert_eq!(close_of(&mut socket).await.0, CloseCode::GoingAway.code());
    within("the server's end", end).await.expect("it ends in good order");
}
