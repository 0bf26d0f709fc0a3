//! `cargo xtask play`: from a checkout to a game in a browser, and back to a quiet machine on Ctrl-C.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, GLANCE, Service, run};
use crate::workspace::{cargo, program, root, short, target_dir, web_dir};
use crate::{http, site, toolchain};

/// How long the server may take from its start to its first answer.
const START_MAX: Duration = Duration::from_secs(20);

/// Arguments of `cargo xtask play`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port for the page and the game, 1 to 65535.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Bots to play against, 0 to 200.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(..=200))]
    bots: u16,
    /// Address to listen on; 0.0.0.0 lets other machines in your network play.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Use https and wss, with a self-signed certificate of the server; the browser asks whether you trust it.
    #[arg(long)]
    tls: bool,
}

/// Builds, starts server and bots, and stays until Ctrl-C, SIGTERM, or the end of one of them.
pub(crate) fn play(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    // Before the build, which takes minutes, so that a server left running is reported at once.
    ensure_port_is_free(args)?;
    toolchain::ensure_wasm_target()?;
    site::build()?;
    // Both in one call, so that they share every dependency.
    run(&mut cargo("build --release --package broadside-server --package broadside-bots --bins"))?;

    let mut server = start_server(args)?;
    if !wait_until_up(&mut server, args)? {
        return server.end();
    }
    let mut bots = if args.bots > 0 { Some(start_bots(args)?) } else { None };
    let scheme = if args.tls { "https" } else { "http" };
    // A closed standard output does not stop the game.
    let _ = writeln!(std::io::stdout(), "playing at {scheme}://{}:{}", name_of(args.host), args.port);

    while process::stop_signals() == 0 {
        for service in [Some(&mut server), bots.as_mut()].into_iter().flatten() {
            let Some(status) = service.ended()? else {
                continue;
            };
            // The server prints its reason to the terminal, the bots print theirs to their log.
            let why = if service.name() == "bots" { last_words() } else { String::new() };
            bail!("the {} ended unexpectedly ({status}){why}", service.name());
        }
        std::thread::sleep(GLANCE);
    }
    // Bots first: a server that ends first is an error to them.
    bots.map_or(Ok(()), Service::end)?;
    server.end()
}

fn ensure_port_is_free(args: &Args) -> Result<()> {
    let mut addresses = vec![args.host];
    if args.host.is_loopback() || args.host.is_unspecified() {
        // Browsers may resolve `localhost` to this address, and another program that listens there would answer instead.
        addresses.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    for address in addresses {
        match TcpListener::bind((address, args.port)) {
            Err(error) if address == args.host || error.kind() == ErrorKind::AddrInUse => {
                bail!(broadside_cli::cannot_listen(SocketAddr::new(address, args.port), &error, "--port"));
            }
            // A machine without IPv6 has no such address, and no one else there either.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn start_server(args: &Args) -> Result<Service> {
    let mut command = Command::new(program("release", "broadside-server"));
    command.args(["--host", &args.host.to_string(), "--port", &args.port.to_string()]);
    command.arg("--assets").arg(web_dir()).current_dir(root());
    // The bots and the pages on this machine share an address.
    command.args(["--limit-exempt", &format!("127.0.0.0/8,::1,{}", reachable(args.host))]);
    if args.bots > 0 {
        // The bots are separate programs, over the network.
        command.args(["--bots", "0"]);
    }
    if args.tls {
        command.arg("--tls-self-signed").arg(tls_dir());
    }
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    Service::start("server", &command, Stdio::null(), Stdio::inherit())
}

/// Whether the server answers; false when we were asked to stop before it did.
fn wait_until_up(server: &mut Service, args: &Args) -> Result<bool> {
    let started_at = Instant::now();
    while process::stop_signals() == 0 {
        let answer = http::get(SocketAddr::new(reachable(args.host), args.port), "/healthz");
        // A server that speaks TLS answers too: 400, for we do not.
        if answer.is_ok_and(|answer| answer.status == if args.tls { 400 } else { 200 }) {
            return Ok(true);
        }
        if let Some(status) = server.ended()? {
            bail!("the server ended before it was up ({status})");
        }
        ensure!(started_at.elapsed() < START_MAX, "the server did not answer GET /healthz within {START_MAX:?}");
        std::thread::sleep(GLANCE);
    }
    Ok(false)
}

fn start_bots(args: &Args) -> Result<Service> {
    let log = File::create(bots_log()).with_context(|| format!("cannot write {}", short(&bots_log())))?;
    let scheme = if args.tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/ws", SocketAddr::new(reachable(args.host), args.port));
    let mut command = Command::new(program("release", "bot"));
    if args.tls {
        command.arg("--ca").arg(tls_dir().join("self-signed-cert.pem"));
    }
    command.args([&url, "--count", &args.bots.to_string(), "--skill", "0.6"]).current_dir(root());
    Service::start("bots", &command, log.try_clone()?.into(), log.into())
}

/// Where the server keeps the certificate that it makes.
fn tls_dir() -> PathBuf {
    target_dir().join("tls")
}

fn bots_log() -> PathBuf {
    target_dir().join("bots.log")
}

fn last_words() -> String {
    let log = std::fs::read_to_string(bots_log()).unwrap_or_default();
    let line = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("the log is empty");
    format!(": {line} (all of it: {})", short(&bots_log()))
}

/// An address at which this machine reaches what listens on `host`.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}

/// What a person on this machine types for `host`.
fn name_of(host: IpAddr) -> String {
    match reachable(host) {
        host if host.is_loopback() => "localhost".into(),
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_and_loopback_are_called_localhost() {
        assert_eq!(name_of(Ipv4Addr::UNSPECIFIED.into()), "localhost");
        assert_eq!(name_of(Ipv6Addr::LOCALHOST.into()), "localhost");
        assert_eq!(name_of(Ipv4Addr::new(192, 168, 1, 7).into()), "192.168.1.7");
    }
}
