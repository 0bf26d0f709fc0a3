//! The cost of idle connections: the server's memory per connection, with ten thousand in one process, and the cost of a publication to
//! all of them. All subscribe to one topic, whose publications are encoded once.
//!
//! `cargo run --release -p broadside-server --example idle [connections] [--tls]`
//!
//! The server runs in this process, with `--tls` over TLS. The connections belong to a second process, so that neither their memory nor
//! their time is counted: it performs the handshakes, sends the hellos, subscribes, and then reports only when all have received a
//! publication.

use broadside_arena::Arena;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use broadside_bots::tls_verification::TlsVerification;
use broadside_server::config::Config;
use broadside_server::files::raise_limit;
use broadside_shared::protocol::codec::encode_client;
use broadside_shared::protocol::message::{ClientMsg, Publication, Request};
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::protocol::{REVISION, SUBPROTOCOL};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

/// Number of publications.
const PUBLISHED: usize = 50;

/// A TCP or TLS stream.
trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

fn main() -> anyhow::Result<()> {
    raise_limit();
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("--connect") {
        let address = args.next().unwrap_or_default().parse()?;
        return connect(address, args.next().unwrap_or_default().parse()?, args.next().is_some());
    }
    let tls = args.next().is_some_and(|flag| flag == "--tls");
    let connections = match first.map(|text| text.parse::<usize>()) {
        None => 10_000,
        Some(Ok(n)) if (1..=100_000).contains(&n) => n,
        Some(_) => anyhow::bail!("the argument is the number of connections, 1 to 100000"),
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(connections, tls))
}

async fn serve(connections: usize, tls: bool) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("broadside-idle-{}", std::process::id()));
    let page = folder.join("page");
    std::fs::create_dir_all(&page)?;
    std::fs::write(page.join("index.html"), "idle")?;
    let config = Config {
        port: 0,
        assets: Some(page),
        tls_self_signed: tls.then(|| folder.join("tls")),
        max_connections: connections + 100,
        limit_exempt: vec!["127.0.0.0/8".parse().map_err(anyhow::Error::msg)?],
        bots: 0,
        ..Config::default()
    };
    let running = broadside_server::start::<Arena>(config, Default::default()).await?;
    let before = resident_kib()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--connect", &running.address.to_string(), &connections.to_string()])
        .args(tls.then_some("--tls"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut report = [0; 1];
    let mut reports = child.stdout.take().ok_or_else(|| anyhow::anyhow!("no pipe from the second process"))?;
    reports.read_exact(&mut report)?;
    let open = running.app().connections.load(Ordering::Relaxed);
    let after = resident_kib()?;
    let (cpu_from, mut longest, mut sum) = (cpu_ms()?, 0.0f64, 0.0);
    let text = Text::new("The server restarts in five minutes: your seats are kept.").map_err(anyhow::Error::msg)?;
    for _ in 0..PUBLISHED {
        let from = std::time::Instant::now();
        running.app().lobby.context.publish(Topic::Notices, None, Publication::Announcement(text.clone()));
        reports.read_exact(&mut report)?;
        let ms = from.elapsed().as_secs_f64() * 1000.0;
        (longest, sum) = (longest.max(ms), sum + ms);
    }
    let cpu_us = (cpu_ms()? - cpu_from) as f64 * 1000.0 / (PUBLISHED * open) as f64;
    // The second process ends when its standard input does.
    drop(child.stdin.take());
    let status = child.wait()?;
    running.end().await;
    std::fs::remove_dir_all(&folder)?;
    anyhow::ensure!(status.success(), "the second process failed: {status}");
    println!("| idle connections | server memory before / with them | per connection |");
    println!("|---|---|---|");
    let per = (after - before) as f64 / open as f64;
    println!("| {open} | {:.1} / {:.1} MiB | {per:.2} KiB |", before as f64 / 1024.0, after as f64 / 1024.0);
    println!();
    println!(
        "| subscribers of one topic | encoded | server CPU per publication and subscriber | until the last has it, mean / longest |"
    );
    println!("|---|---|---|---|");
    println!("| {open} | once | {cpu_us:.2} us | {:.1} / {longest:.1} ms |", sum / PUBLISHED as f64);
    Ok(())
}

/// Opens the connections and reports it with an empty line, then again each time all have received a publication, until standard input
/// ends.
fn connect(address: SocketAddr, connections: usize, tls: bool) -> anyhow::Result<()> {
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: {SUBPROTOCOL}\r\n\r\n"
    );
    let hello =
        encode_client(&ClientMsg::Hello { revision: REVISION, agent: "idle".to_owned(), resume: None, account: None });
    let subscribe =
        encode_client(&ClientMsg::Request { id: 1, request: Request::Subscribe { topic: Topic::Notices.to_string() } });
    let anyone = TlsVerification { ca: None, insecure: true }.config().map_err(anyhow::Error::msg)?;
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address)?;
        let mut stream: Box<dyn ReadWrite> = if tls {
            let session = ClientConnection::new(Arc::clone(&anyone), ServerName::from(address.ip()))?;
            Box::new(StreamOwned::new(session, stream))
        } else {
            Box::new(stream)
        };
        stream.write_all(request.as_bytes())?;
        let mut answer = [0; 512];
        let n = stream.read(&mut answer)?;
        anyhow::ensure!(answer[..n].starts_with(b"HTTP/1.1 101"), "handshake refused");
        for message in [&hello, &subscribe] {
            stream.write_all(&masked(0x82, message))?;
            anyhow::ensure!(stream.read(&mut answer)? > 2, "no answer");
        }
        open.push(stream);
    }
    println!();
    for _ in 0..PUBLISHED {
        for stream in &mut open {
            receive(stream)?;
        }
        println!();
    }
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}

/// Reads up to the next binary frame, and answers pings.
fn receive(stream: &mut Box<dyn ReadWrite>) -> anyhow::Result<()> {
    loop {
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        anyhow::ensure!(head[1] < 126, "expected a short frame");
        let mut payload = vec![0; usize::from(head[1])];
        stream.read_exact(&mut payload)?;
        match head[0] {
            0x82 => return Ok(()),
            0x89 => stream.write_all(&masked(0x8a, &payload))?,
            other => anyhow::bail!("a frame of kind {other:#x}"),
        }
    }
}

/// A masked frame, as clients must send them; a mask of zeros leaves the payload as it is (RFC 6455, section 5.3).
fn masked(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// CPU time of this process so far, in milliseconds; Linux reports hundredths of a second.
fn cpu_ms() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // After the name, which may hold any character, user and system time are the 12th and 13th fields.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks * 10)
}

/// Resident memory of this process, in KiB, as Linux reports it.
fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_err(|_| anyhow::anyhow!("no VmRSS in /proc/self/status"))
}
