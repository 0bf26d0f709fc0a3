//! `cargo xtask play`: from a checkout to a game in a browser, and back to a quiet machine on Ctrl-C.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::games::Game;
use crate::process::{self, GLANCE, Service, run};
use crate::workspace::{cargo, program, root, target_dir};
use crate::{http, site, toolchain};

/// Arguments of `cargo xtask play`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port for the page and the game, 1 to 65535.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Players to which the server's own bots fill a room that somebody plays in, 0 to 100.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(..=100))]
    bots: u16,
    /// Address to listen on; 0.0.0.0 lets other machines in your network play.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Use https and wss, with a self-signed certificate of the server; the browser asks whether you trust it.
    #[arg(long)]
    tls: bool,
    /// Play on a cluster of N servers, 1 to 5, on --port and the ports after it; PostgreSQL and NATS are started for them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5))]
    pub(crate) nodes: Option<u16>,
}

impl Args {
    /// Of the page.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The page of the server on `port`, as a browser on this machine reaches it.
    pub(crate) fn url(&self, port: u16) -> String {
        format!("{}://{}:{port}", self.scheme(), name_of(self.host))
    }
}

/// Builds, starts the server, and stays until Ctrl-C, SIGTERM, or its end.
pub(crate) fn play(args: &Args, game: &Game) -> Result<()> {
    process::catch_stop_signals()?;
    // Before the build, which takes minutes, so that a server left running is reported at once.
    ensure_port_is_free(args, args.port)?;
    build(game)?;

    let mut server = Service::start("server", &server_command(args, game, args.port), Stdio::null(), Stdio::inherit())?;
    if !wait_until_up(&mut server, args, args.port)? {
        return server.end();
    }
    announce(args, args.port);

    while process::stop_signals() == 0 {
        if let Some(status) = server.ended()? {
            // It has printed its reason to the terminal.
            bail!("the server ended unexpectedly ({status})");
        }
        std::thread::sleep(GLANCE);
    }
    server.end()
}

/// Builds the page and the server.
pub(crate) fn build(game: &Game) -> Result<()> {
    toolchain::ensure_wasm_target()?;
    site::build(game)?;
    run(&mut cargo(&format!("build --release --package {} --bin {}", game.server, game.server)))
}

/// Says where to play. A closed standard output does not stop the game.
pub(crate) fn announce(args: &Args, port: u16) {
    let _ = writeln!(std::io::stdout(), "playing at {}", args.url(port));
}

/// Fails when another program listens on `port`, and says how to choose another one.
pub(crate) fn ensure_port_is_free(args: &Args, port: u16) -> Result<()> {
    let mut addresses = vec![args.host];
    if args.host.is_loopback() || args.host.is_unspecified() {
        // Browsers may resolve `localhost` to this address, and another program that listens there would answer instead.
        addresses.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    for address in addresses {
        match TcpListener::bind((address, port)) {
            Err(error) if address == args.host || error.kind() == ErrorKind::AddrInUse => {
                bail!(broadside_cli::cannot_listen(SocketAddr::new(address, port), &error, "--port"));
            }
            // A machine without IPv6 has no such address, and no one else there either.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// The command of a server on `port`.
pub(crate) fn server_command(args: &Args, game: &Game, port: u16) -> Command {
    let mut command = Command::new(program("release", &game.server));
    command.args(["--host", &args.host.to_string(), "--port", &port.to_string()]);
    command.args(["--bots", &args.bots.to_string()]).arg("--assets").arg(&game.web).current_dir(root());
    // The pages and other programs on this machine share an address.
    command.args(["--limit-exempt", &format!("127.0.0.0/8,::1,{}", reachable(args.host))]);
    if args.tls {
        command.arg("--tls-self-signed").arg(target_dir().join("tls"));
    }
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    command
}

/// Waits until the server on `port` answers; false when we were asked to stop before it did.
pub(crate) fn wait_until_up(server: &mut Service, args: &Args, port: u16) -> Result<bool> {
    let address = SocketAddr::new(reachable(args.host), port);
    // A server that speaks TLS answers too: 400, for we do not.
    let status = if args.tls { 400 } else { 200 };
    server.wait_until(|| http::get(address, "/healthz").is_ok_and(|answer| answer.status == status))
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
