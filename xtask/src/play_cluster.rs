//! `cargo xtask play --nodes N`: a cluster on this machine. Its servers share a NATS server and a PostgreSQL server, and all end together.
//!
//! What they keep is in target/play-cluster, and there the next time; remove that folder to begin with nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::games::Game;
use crate::nats::Nats;
use crate::play::{self, Args};
use crate::process::{self, GLANCE, Service, free_port};
use crate::workspace::{short, target_dir};
use crate::{postgres, toolchain};

/// What the servers have in common.
struct Cluster<'a> {
    args: &'a Args,
    game: &'a Game,
    /// Of each server, from the first on.
    ports: Vec<u16>,
    folder: PathBuf,
    nats_url: String,
    key: PathBuf,
    database: String,
}

/// Builds, starts everything, and stays until Ctrl-C, SIGTERM, or the end of one of them.
pub(crate) fn play(args: &Args, nodes: u16, game: &Game) -> Result<()> {
    process::catch_stop_signals()?;
    let ports = ports(args.port, nodes)?;
    // Before what takes minutes, so that a server left running is reported at once.
    for port in &ports {
        play::ensure_port_is_free(args, *port)?;
    }
    let (nats, postgres) = (toolchain::ensure_nats()?, toolchain::ensure_postgres()?);
    play::build(game)?;

    let folder = target_dir().join("play-cluster");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", short(&folder)))?;
    let key = key(&folder)?;
    let engine = Nats::alone(&nats, &folder)?;
    let mut nats = engine.start()?;
    let (mut postgres, database) = postgres::start(&postgres, &folder, free_port()?)?;
    let cluster = Cluster { args, game, ports, folder, nats_url: engine.url(), key, database };
    let mut servers = Vec::new();
    let played =
        cluster.start(&mut servers).and_then(|()| watch(&mut servers, [&mut postgres, &mut nats], &cluster.folder));
    // From those that use to those that are used.
    let ended = [process::end_all(servers), postgres::end(postgres), nats.end()];
    played.and_then(|()| ended.into_iter().collect())
}

/// Waits for a stop signal. A server that ends is reported, and the others play on: that is what a cluster is for.
///
/// # Errors
/// The last server, or what the servers share, ended before that.
fn watch(servers: &mut Vec<Service>, mut shared: [&mut Service; 2], folder: &Path) -> Result<()> {
    while process::stop_signals() == 0 {
        for service in &mut shared {
            if let Some(status) = service.ended()? {
                let (name, logs) = (service.name(), short(folder));
                bail!("the {name} ended unexpectedly ({status}); {logs} has the logs of PostgreSQL and NATS");
            }
        }
        let mut at = 0;
        while let Some(server) = servers.get_mut(at) {
            match server.ended()? {
                Some(status) => {
                    eprintln!("the {} has ended ({status})", server.name());
                    servers.remove(at);
                    ensure!(!servers.is_empty(), "the last server has ended");
                }
                None => at += 1,
            }
        }
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

impl Cluster<'_> {
    /// Starts the servers one after the other, since the first one makes the tables of the database, and says where to play. A stop signal
    /// ends that early.
    fn start(&self, servers: &mut Vec<Service>) -> Result<()> {
        for (port, number) in self.ports.iter().zip(1..) {
            let name = format!("server on port {port}");
            let mut server = Service::start(&name, &self.server(number, *port), Stdio::null(), Stdio::inherit())?;
            let is_up = play::wait_until_up(&mut server, self.args, *port);
            servers.push(server);
            if !is_up? {
                return Ok(());
            }
        }
        self.ports.iter().for_each(|port| play::announce(self.args, *port));
        Ok(())
    }

    /// The command of the server with this number.
    fn server(&self, number: u32, port: u16) -> Command {
        let mut command = play::server_command(self.args, self.game, port);
        command.args(["--cluster", &self.nats_url, "--cluster-key"]).arg(&self.key);
        let url = self.args.url(port).replacen("http", "ws", 1);
        command.args(["--node-id", &number.to_string(), "--node-url", &url]);
        command.args(["--database", &self.database, "--data"]).arg(self.folder.join(format!("node-{number}")));
        // The page of any server connects to the one where a room is.
        for other in self.ports.iter().filter(|other| **other != port) {
            for origin in [self.args.url(*other), format!("{}://{}:{other}", self.args.scheme(), Ipv4Addr::LOCALHOST)] {
                command.args(["--allow-origin", &origin]);
            }
        }
        command
    }
}

/// One port for each server.
fn ports(first: u16, nodes: u16) -> Result<Vec<u16>> {
    let max = u16::MAX - (nodes - 1);
    ensure!(
        first <= max,
        "--port {first}: must be 1 to {max} with --nodes {nodes}, which take the ports after it as well"
    );
    Ok((first..=first + (nodes - 1)).collect())
}

/// The file with the key that the servers share. It is made once: what they signed with it stays valid the next time.
pub(crate) fn key(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("cluster-key");
    if !file.exists() {
        let mut bytes = [0; 32];
        // The system's generator, without a dependency: this program has no other use for chance.
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        made.and_then(|mut made| writeln!(made, "{digits}"))
            .with_context(|| format!("cannot write {}", short(&file)))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_a_port_and_the_last_one_is_a_port_too() {
        assert_eq!(ports(8080, 3).expect("free of overflow"), [8080, 8081, 8082]);
        assert_eq!(ports(u16::MAX, 1).expect("the last port"), [u16::MAX]);
        let refusal = ports(u16::MAX, 2).expect_err("there is no port 65536").to_string();
        assert!(refusal.starts_with("--port 65535: must be 1 to 65534 with --nodes 2"), "{refusal}");
    }
}
