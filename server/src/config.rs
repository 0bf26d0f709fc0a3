//! All flags of the server. `--help` and the errors for invalid values are generated from here.

pub mod cluster;
pub mod frames;
pub mod game;
#[cfg(feature = "oidc")]
pub(crate) mod oidc;
pub mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use broadside_cli::in_range;
use broadside_shared::protocol::limits::GRACE_S;
use broadside_store::Location;
use broadside_store::period::Season;
use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::base_path::BasePath;
use crate::host::HostName;
use crate::network::Network;
use crate::origin::Origin;

/// The Broadside server: one port serves the game, its API and its WebSocket.
#[derive(Debug, Clone, Parser)]
#[command(name = "broadside-server", version, about, max_term_width = 100)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 accepts connections from other machines, such as a phone on the same network
    #[arg(long, env = "BROADSIDE_HOST", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS", value_parser = host)]
    pub host: IpAddr,

    /// Port to listen on, 0 to 65535; 0 picks a free port and prints it
    #[arg(long, env = "BROADSIDE_PORT", default_value_t = 8080, value_name = "PORT", value_parser = port)]
    pub port: u16,

    /// Certificate for https and wss in PEM, followed by the intermediate certificates; reloaded when the file changes
    #[arg(long, env = "BROADSIDE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert in PEM; reloaded when the file changes
    #[arg(long, env = "BROADSIDE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Serve https and wss with a self-signed certificate, for development; it is kept in FOLDER, by default broadside-tls
    #[arg(long, env = "BROADSIDE_TLS_SELF_SIGNED", value_name = "FOLDER", num_args = 0..=1, default_missing_value = "broadside-tls")]
    pub tls_self_signed: Option<PathBuf>,

    /// Plain-HTTP port that redirects to https, 0 to 65535; 0 picks a free port
    #[arg(long, env = "BROADSIDE_REDIRECT_HTTP", value_name = "PORT", value_parser = port)]
    pub redirect_http: Option<u16>,

    /// Host names of this server besides its addresses and localhost, such as game.example; separated by commas
    #[arg(long, env = "BROADSIDE_PUBLIC_HOST", value_name = "NAME", value_delimiter = ',')]
    pub public_host: Vec<HostName>,

    /// Origins of other pages that may connect, such as `https://portal.example`; separated by commas, or repeated
    #[arg(long, env = "BROADSIDE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<Origin>,

    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted: addresses, or networks such as 10.0.0.0/8
    #[arg(long, env = "BROADSIDE_TRUST_PROXY", value_name = "ADDRESS[/BITS]", value_delimiter = ',')]
    pub trust_proxy: Vec<Network>,

    /// Path below which a proxy serves the game, such as /game, if the proxy does not strip it; the server answers there as at its root
    #[arg(long, env = "BROADSIDE_BASE_PATH", default_value_t, hide_default_value = true, value_name = "PATH")]
    pub base_path: BasePath,

    /// Folder of the browser client [default: the client embedded in the program, else target/web]
    #[arg(long, env = "BROADSIDE_ASSETS", value_name = "FOLDER")]
    pub assets: Option<PathBuf>,

    /// File with the game's configuration, in TOML [default: that of the game]
    #[arg(long, env = "BROADSIDE_GAME_CONFIG", value_name = "FILE")]
    pub game_config: Option<PathBuf>,

    /// One value of the game's configuration, such as rock_density=3; repeated for several, and stronger than --game-config
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Folder for what is kept: accounts, results and more, in an embedded database; created if absent. `memory` keeps nothing
    #[arg(long, env = "BROADSIDE_DATA", default_value = "broadside-data", value_name = "FOLDER")]
    pub data: DataFolder,

    /// Seconds that the end of the server waits for matches in progress, 0..=86400; meanwhile nobody is let in. A second signal ends it at once
    #[arg(long, env = "BROADSIDE_DRAIN_WAIT", default_value_t = 0, value_name = "SECONDS", value_parser = drain_wait)]
    pub drain_wait: u32,

    /// Whether to keep the state of rooms and sessions on disk, so that play goes on after a crash: off, on, or sync, which survives the loss of power
    #[arg(long, env = "BROADSIDE_CHECKPOINT", default_value = "on", value_name = "HOW")]
    pub checkpoint: Checkpoint,

    /// What to record into the folder `recordings` of --data: off, matches, or all, which adds open arenas
    #[arg(long, env = "BROADSIDE_RECORD", default_value = "matches", value_name = "WHAT")]
    pub record: Record,

    /// Megabytes of recordings to keep, 1..=1000000; beyond, the oldest are removed
    #[arg(long, env = "BROADSIDE_RECORD_MB", default_value_t = 1024, value_name = "MB", value_parser = record_mb)]
    pub record_mb: u32,

    /// Days to keep recordings, 1..=3650
    #[arg(long, env = "BROADSIDE_RECORD_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = record_days)]
    pub record_days: u32,

    /// PostgreSQL database to keep accounts and results in, such as `postgres://user:password@host/name`, in place of the embedded one
    #[arg(long, env = "BROADSIDE_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,

    #[command(flatten)]
    pub frames: frames::FrameFlags,

    #[command(flatten)]
    pub cluster: cluster::ClusterFlags,

    /// Length of a season of the leaderboards: month, quarter or year
    #[arg(long, env = "BROADSIDE_SEASON", default_value = "quarter", value_name = "LENGTH", value_parser = season)]
    pub season: Season,

    /// OpenID Connect provider that signs players in, such as `https://id.example`; its metadata is discovered when somebody signs in
    #[cfg(feature = "oidc")]
    #[arg(long, env = "BROADSIDE_OIDC_ISSUER", value_name = "URL", value_parser = oidc::issuer)]
    pub oidc_issuer: Option<String>,

    /// What the provider of --oidc-issuer knows this server as; the address to allow there is `/api/account/oidc/callback` of this server
    #[cfg(feature = "oidc")]
    #[arg(long, env = "BROADSIDE_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,

    /// File with the secret that the provider gave this server [default: none, for a public client]
    #[cfg(feature = "oidc")]
    #[arg(long, env = "BROADSIDE_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,

    /// What players know the provider as, 1 to 40 characters
    #[cfg(feature = "oidc")]
    #[arg(long, env = "BROADSIDE_OIDC_LABEL", default_value = "single sign-on", value_name = "TEXT", value_parser = oidc_label)]
    pub oidc_label: String,

    /// Ticks from one snapshot to the next, 1 to 12; at 60 ticks per second 2 is 30 Hz, 3 is 20 Hz [default: that of the game]
    #[arg(long, env = "BROADSIDE_SNAPSHOT_EVERY", value_name = "TICKS", value_parser = snapshot_every)]
    pub snapshot_every: Option<u32>,

    /// Seats per room, 1 to 7900; a mode of the game may allow fewer
    #[arg(long, env = "BROADSIDE_CAPACITY", default_value_t = 2000, value_name = "PLAYERS", value_parser = capacity)]
    pub capacity: u16,

    /// Maximum number of open connections, HTTP and WebSocket, 1 to 100000; further clients are closed with "server is full"
    #[arg(long, env = "BROADSIDE_MAX_CONNECTIONS", default_value_t = 10_000, value_name = "CONNECTIONS", value_parser = max_connections)]
    pub max_connections: usize,

    /// Maximum number of open connections per address, 1 to 100000, and at most a quarter of --max-connections; the other limits per
    /// address, such as seats and rooms, follow from it
    #[arg(long, env = "BROADSIDE_LIMIT_PER_ADDRESS", default_value_t = LIMIT_PER_ADDRESS, value_name = "CONNECTIONS", value_parser = max_connections)]
    pub limit_per_address: usize,

    /// Addresses without limits per address, such as those of load tests, or networks such as 10.0.0.0/8; never 127.0.0.1 behind a local proxy
    #[arg(long, env = "BROADSIDE_LIMIT_EXEMPT", value_name = "ADDRESS[/BITS]", value_delimiter = ',')]
    pub limit_exempt: Vec<Network>,

    /// Persistent rooms of the first mode, open from the start, 1 to 1000; each has --capacity seats
    #[arg(long, env = "BROADSIDE_ROOMS", default_value_t = 1, value_name = "ROOMS", value_parser = rooms)]
    pub rooms: u16,

    /// Maximum number of open rooms, 1 to 20000, persistent and on demand
    #[arg(long, env = "BROADSIDE_MAX_ROOMS", default_value_t = 2000, value_name = "ROOMS", value_parser = max_rooms)]
    pub max_rooms: usize,

    /// Number of players to which server bots fill each public room that is not empty, 0 to 100
    #[arg(long, env = "BROADSIDE_BOTS", default_value_t = 6, value_name = "PLAYERS", value_parser = bots)]
    pub bots: u16,

    /// Lifetime of a room opened on demand, in seconds, 1 to 604800; an empty one ends much earlier
    #[arg(long, env = "BROADSIDE_ROOM_LIFE", default_value_t = 14_400, value_name = "SECONDS", value_parser = room_life)]
    pub room_life: u32,

    /// Region of this server, such as eu-west; quick play can require it
    #[arg(long, env = "BROADSIDE_REGION", default_value = "local", value_name = "LABEL", value_parser = region)]
    pub region: String,

    /// Shards, which are the threads that own the connections, 1 to 64 [default: one per core but one, at least one]
    #[arg(long, env = "BROADSIDE_SHARDS", value_name = "THREADS", value_parser = shards)]
    pub shards: Option<usize>,

    /// File with the token for the operator's calls, 16 to 256 characters [default: generated at start; the log names its file]
    #[arg(long, env = "BROADSIDE_OPERATOR_TOKEN", value_name = "FILE")]
    pub operator_token: Option<PathBuf>,

    /// Clients that may read /metrics without the operator's token: addresses, or networks such as 10.0.0.0/8, separated by commas
    #[arg(long, env = "BROADSIDE_METRICS_ALLOW", value_name = "ADDRESS[/BITS]", value_delimiter = ',')]
    pub metrics_allow: Vec<Network>,

    /// Grace period in which the seat of a lost connection is kept, in seconds, 0 to 3600
    #[arg(long, env = "BROADSIDE_GRACE", default_value_t = GRACE_S, value_name = "SECONDS", value_parser = grace)]
    pub grace: u32,

    /// Seed of the world, 0 to 18446744073709551615; equal seeds and inputs give equal worlds [default: random]
    #[arg(long, env = "BROADSIDE_SEED", value_name = "NUMBER", value_parser = seed)]
    pub seed: Option<u64>,

    /// Format of the log on standard error; RUST_LOG selects the lines (default info)
    #[arg(long, env = "BROADSIDE_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Enough connections for a school class behind one router, or a few households behind one carrier-grade NAT.
const LIMIT_PER_ADDRESS: usize = 64;

/// How the state of rooms and sessions is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Checkpoint {
    /// Not at all: a crash ends every match.
    Off,
    /// It survives the end of the process.
    On,
    /// The same, and every write is forced to the disk: it survives the loss of power.
    Sync,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

impl Default for Config {
    /// The config of an empty command line and environment, except that nothing is kept: an embedded server has no folder to leave behind.
    fn default() -> Self {
        let command = Config::command().mut_args(|arg| arg.env(Resettable::Reset));
        let parsed = command
            .try_get_matches_from(["broadside-server", "--data", "memory"])
            .and_then(|found| Config::from_arg_matches(&found));
        parsed.expect("every flag is optional or has a default")
    }
}

impl Config {
    /// Checks flags against each other.
    ///
    /// # Errors
    /// Flags that contradict each other, with the way out.
    pub fn check(&self) -> Result<(), String> {
        let (rooms, max_rooms) = (usize::from(self.rooms), self.max_rooms);
        if rooms > max_rooms {
            return Err(format!(
                "--rooms {rooms}: more than --max-rooms {max_rooms} allows; raise the maximum, or open fewer"
            ));
        }
        self.node()?;
        #[cfg(feature = "oidc")]
        self.check_provider()?;
        self.certificate_source().map(drop)
    }

    /// Origins of pages that may connect besides our own.
    pub(crate) fn allowed_origins(&self) -> Vec<Origin> {
        self.allow_origin.iter().cloned().chain(self.frames.discord_origin()).collect()
    }

    /// The folder of the checkpoints; `None` if none are kept.
    #[must_use]
    pub fn checkpoints(&self) -> Option<PathBuf> {
        self.data.path().filter(|_| self.checkpoint != Checkpoint::Off).map(|data| data.join("checkpoints"))
    }

    /// Where the database is.
    #[must_use]
    pub fn location(&self) -> Location {
        match (&self.database, &self.data) {
            (Some(DatabaseUrl(url)), _) => Location::Postgres(url.clone()),
            (None, DataFolder::Memory) => Location::Memory,
            (None, DataFolder::Folder(folder)) => Location::Folder(folder.clone()),
        }
    }
}

/// What a server records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Record {
    /// Nothing
    Off,
    /// Matches
    Matches,
    /// Matches, and open arenas in parts of ten minutes
    All,
}

/// Where a server keeps what must outlast it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFolder {
    /// Nowhere.
    Memory,
    /// In this folder.
    Folder(PathBuf),
}

impl std::str::FromStr for DataFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("must be a folder, or `memory`".to_owned()),
            "memory" => Ok(DataFolder::Memory),
            folder => Ok(DataFolder::Folder(folder.into())),
        }
    }
}

impl DataFolder {
    /// The folder; `None` if nothing is kept.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            DataFolder::Memory => None,
            DataFolder::Folder(folder) => Some(folder),
        }
    }
}

/// The URL of a database. It may hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(DatabaseUrl(text.to_owned()))
    }
}

fn season(text: &str) -> Result<Season, String> {
    Season::named(text).ok_or_else(|| "must be month, quarter or year".to_owned())
}

fn host(text: &str) -> Result<IpAddr, String> {
    let way_out = "must be an address of this machine such as 127.0.0.1, or 0.0.0.0 for all of them";
    text.parse().map_err(|_| way_out.to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    in_range(text, 0..=u64::MAX, "")
}

pub(crate) fn port(text: &str) -> Result<u16, String> {
    in_range(text, 0..=u16::MAX, "")
}

fn snapshot_every(text: &str) -> Result<u32, String> {
    in_range(text, 1..=12, " ticks")
}

/// Maximum number of seats in a room: player ids must suffice for players and spectators.
pub const CAPACITY_MAX: u16 = 7900;

fn capacity(text: &str) -> Result<u16, String> {
    in_range(text, 1..=CAPACITY_MAX, " players")
}

fn drain_wait(text: &str) -> Result<u32, String> {
    in_range(text, 0..=86_400, " seconds")
}

fn record_mb(text: &str) -> Result<u32, String> {
    in_range(text, 1..=1_000_000, " MB")
}

fn record_days(text: &str) -> Result<u32, String> {
    in_range(text, 1..=3650, " days")
}

fn grace(text: &str) -> Result<u32, String> {
    in_range(text, 0..=3600, " seconds")
}

fn rooms(text: &str) -> Result<u16, String> {
    in_range(text, 1..=1000, " rooms")
}

fn max_rooms(text: &str) -> Result<usize, String> {
    in_range(text, 1..=20_000, " rooms")
}

fn bots(text: &str) -> Result<u16, String> {
    in_range(text, 0..=100, " players")
}

fn room_life(text: &str) -> Result<u32, String> {
    in_range(text, 1..=604_800, " seconds")
}

fn region(text: &str) -> Result<String, String> {
    let is_valid = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_valid { Ok(text.to_owned()) } else { Err("must be 1 to 32 letters, digits and hyphens".to_owned()) }
}

#[cfg(feature = "oidc")]
fn oidc_label(text: &str) -> Result<String, String> {
    let is_valid = (1..=40).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_valid { Ok(text.to_owned()) } else { Err("must be 1 to 40 characters".to_owned()) }
}

fn shards(text: &str) -> Result<usize, String> {
    in_range(text, 1..=64, " threads")
}

fn max_connections(text: &str) -> Result<usize, String> {
    in_range(text, 1..=100_000, " connections")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_contradict_each_other_are_refused_with_the_way_out() {
        let file = || Some(PathBuf::from("x.pem"));
        let plain = Config::default();
        for (config, says) in [
            (Config { rooms: 3, max_rooms: 2, ..plain.clone() }, "--rooms 3: more than --max-rooms 2 allows"),
            (Config { tls_cert: file(), ..plain.clone() }, "add --tls-key FILE"),
            (Config { tls_key: file(), ..plain.clone() }, "add --tls-cert FILE"),
            (Config { tls_cert: file(), tls_key: file(), tls_self_signed: file(), ..plain.clone() }, "leave it out"),
            (Config { tls_key: file(), tls_self_signed: file(), ..plain.clone() }, "leave it out"),
            (Config { redirect_http: Some(80), ..plain.clone() }, "--redirect-http redirects to https"),
            (
                Config { tls_self_signed: file(), redirect_http: Some(8080), ..plain.clone() },
                "8080: is also the --port of https",
            ),
        ] {
            let refusal = config.check().expect_err("a contradiction");
            assert!(refusal.contains(says), "{says}: {refusal}");
        }
        #[cfg(feature = "oidc")]
        for (config, says) in [
            (Config { oidc_issuer: Some("https://id.example".to_owned()), ..plain.clone() }, "add --oidc-client-id ID"),
            (Config { oidc_client_id: Some("game".to_owned()), ..plain.clone() }, "add --oidc-issuer URL"),
        ] {
            let refusal = config.check().expect_err("a contradiction");
            assert!(refusal.contains(says), "{says}: {refusal}");
        }
        for config in [
            Config { rooms: 2, max_rooms: 2, ..plain.clone() },
            Config { tls_self_signed: file(), redirect_http: Some(0), port: 0, ..plain.clone() },
            plain,
        ] {
            config.check().expect("no contradiction");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name_its_value_and_its_range() {
        for (flag, value, says) in [
            ("--snapshot-every", "50", "must be 1 to 12 ticks"),
            ("--capacity", "0", "must be 1 to 7900 players"),
            ("--port", "99999", "must be 0 to 65535"),
            ("--max-connections", "many", "must be 1 to 100000 connections"),
            ("--metrics-allow", "10.0.0.0/33", "must be 0 to 32"),
            ("--limit-per-address", "0", "must be 1 to 100000 connections"),
            ("--limit-exempt", "localhost", "must be an address such as"),
            ("--trust-proxy", "proxy.example", "must be an address such as"),
            ("--allow-origin", "portal.example", "scheme is missing"),
            ("--base-path", "game", "must be a path such as /game"),
            ("--public-host", "https://game.example", "no scheme"),
            ("--season", "week", "must be month, quarter or year"),
            ("--redirect-http", "http", "must be 0 to 65535"),
            ("--host", "localhost", "must be an address of this machine such as 127.0.0.1"),
            ("--seed", "1e9", "must be 0 to 18446744073709551615"),
        ] {
            let refusal =
                Config::try_parse_from(["broadside-server", flag, value]).expect_err("out of range").to_string();
            assert!(refusal.contains(flag) && refusal.contains(value) && refusal.contains(says), "{refusal}");
        }
    }
}
