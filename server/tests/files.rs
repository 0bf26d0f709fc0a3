//! Out of file descriptors: new connections are rejected at once and do not hang. A test program of its own, since the limit applies to the
//! whole process.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::net::SocketAddr;
use std::time::Duration;

use broadside_server::config::Config;
use broadside_server::start;
use broadside_shared::toy::Toy;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Timeout of a response; only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(30);
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                         sec-websocket-protocol: broadside.v1\r\n\r\n";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";

/// Connects with an existing socket, which needs no new descriptor.
async fn connect(socket: TcpSocket, address: SocketAddr) -> TcpStream {
    socket.connect(address).await.expect("the server listens")
}

/// Everything received after `request`, or until a silent connection is closed.
async fn answer(mut stream: TcpStream, request: &str) -> String {
    // The connection may be rejected before the request is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut all = Vec::new();
    let read = async {
        // The server waits for an answer to its close frame; everything else has arrived.
        while stream.read_buf(&mut all).await.is_ok_and(|read| read > 0) {
            if all.windows(2).any(|two| two == 4008u16.to_be_bytes()) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer, or the end");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_a_free_descriptor_is_rejected_at_once() {
    let page = std::env::temp_dir().join(format!("broadside-files-{}", std::process::id()));
    std::fs::create_dir_all(&page).expect("the system has a temporary folder");
    std::fs::write(page.join("index.html"), "<!doctype html>").expect("it takes a file");
    let config = Config {
        port: 0,
        assets: Some(page.clone()),
        bots: 0,
        limit_exempt: vec!["127.0.0.0/8".parse().expect("a network")],
        ..Config::default()
    };
    let running = start::<Toy>(config, ()).await.expect("the system gives a free port");
    let address = running.address;
    let mut sockets: Vec<TcpSocket> = (0..24).map(|_| TcpSocket::new_v4().expect("a socket")).collect();
    let mut next = || sockets.pop().expect("enough were made");
    assert!(answer(connect(next(), address).await, HEALTH).await.starts_with("HTTP/1.1 200"));

    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    let open = std::fs::read_dir("/proc/self/fd").expect("this is Linux");
    let highest = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok()).max();
    setrlimit(Resource::RLIMIT_NOFILE, highest.expect("some are open") + 1, hard).expect("less is always allowed");
    let mut filled = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        filled.push(file);
    }

    let refused = answer(connect(next(), address).await, HEALTH).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("server is full"), "{refused}");
    let closed = answer(connect(next(), address).await, HANDSHAKE).await;
    assert!(closed.starts_with("HTTP/1.1 101") && closed.contains("server is full"), "{closed}");
    // A silent connection uses up the reserve, and the next one is rejected all the same.
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(connect(next(), address).await);
    }
    let refused = answer(connect(next(), address).await, HEALTH).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    for stream in silent {
        answer(stream, "").await;
    }

    drop(filled);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("what it was before");
    assert!(answer(connect(next(), address).await, HEALTH).await.starts_with("HTTP/1.1 200"), "all is well again");
    running.end().await;
    let _ = std::fs::remove_dir_all(page);
}
