//! The flags of a node of a cluster. Checks them against each other and reads no file but that of the key.

use std::path::{Path, PathBuf};

use broadside_cli::in_range;
use broadside_shared::protocol::limits::NODE_URL_MAX;
use clap::Args;
use sha2::{Digest, Sha256};

use super::Config;

/// Highest number of a node: what is above is for tests and for what comes.
pub const NODE_MAX: u16 = 4000;

/// What makes a server a node of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ClusterFlags {
    /// NATS servers through which this server is a node of a cluster, such as `nats://host:4222` or `tls://user:password@host`; several are separated by commas
    #[arg(long, env = "BROADSIDE_CLUSTER", value_name = "URL", value_delimiter = ',', hide_env_values = true, value_parser = engine)]
    pub cluster: Vec<EngineUrl>,

    /// Address at which players reach this node, such as `wss://n1.example`, with its base path if it has one
    #[arg(long, env = "BROADSIDE_NODE_URL", value_name = "URL", value_parser = node_url)]
    pub node_url: Option<String>,

    /// Number of this node, 1 to 4000, which no other node of the cluster has [default: drawn from --node-url]
    #[arg(long, env = "BROADSIDE_NODE_ID", value_name = "NUMBER", value_parser = node_id)]
    pub node_id: Option<u16>,

    /// File with the secret that all nodes share, a line of 32 to 256 characters; a second line holds the former one while it is replaced
    #[arg(long, env = "BROADSIDE_CLUSTER_KEY", value_name = "FILE")]
    pub cluster_key: Option<PathBuf>,

    /// File with the credentials of this node at the NATS servers, as `nsc` writes it
    #[arg(long, env = "BROADSIDE_CLUSTER_CREDENTIALS", value_name = "FILE")]
    pub cluster_credentials: Option<PathBuf>,

    /// File with certificates in PEM to trust for the NATS servers besides those of the system
    #[arg(long, env = "BROADSIDE_CLUSTER_CA", value_name = "FILE")]
    pub cluster_ca: Option<PathBuf>,
}

/// The URL of a NATS server. It may hold a password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct EngineUrl(pub String);

impl std::fmt::Debug for EngineUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EngineUrl")
    }
}

/// A node, as its flags make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFlags {
    pub engines: Vec<EngineUrl>,
    pub url: String,
    pub id: u16,
    pub credentials: Option<PathBuf>,
    pub ca: Option<PathBuf>,
}

/// The secrets that all nodes share.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKeys {
    newest: String,
    former: Option<String>,
}

impl ClusterKeys {
    /// Reads the file of `--cluster-key`.
    ///
    /// # Errors
    /// One line: what is wrong with it.
    pub fn read(file: &Path) -> Result<ClusterKeys, String> {
        let wrong = |what: String| format!("--cluster-key {}: {what}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() || lines.len() > 2 {
            return Err(wrong(format!("has {} lines; one holds the secret, and a second one the former", lines.len())));
        }
        if let Some(line) = lines.iter().find(|line| !(32..=256).contains(&line.len())) {
            let way_out = "such as `openssl rand -hex 32` prints";
            return Err(wrong(format!("a secret has {} characters; it must have 32 to 256, {way_out}", line.len())));
        }
        Ok(ClusterKeys { newest: lines[0].to_owned(), former: lines.get(1).map(|line| (*line).to_owned()) })
    }

    /// The keys for one purpose, the one to sign with first.
    #[must_use]
    pub fn of(&self, purpose: &str) -> Vec<[u8; 32]> {
        let derive = |secret: &String| {
            let hash = Sha256::new().chain_update("broadside cluster key 1\n").chain_update(purpose);
            hash.chain_update("\n").chain_update(secret).finalize().into()
        };
        std::iter::once(&self.newest).chain(&self.former).map(derive).collect()
    }
}

impl Config {
    /// What makes this server a node of a cluster; `None` if it is alone.
    ///
    /// # Errors
    /// Flags that contradict each other, with the way out.
    pub fn node(&self) -> Result<Option<NodeFlags>, String> {
        let flags = &self.cluster;
        if flags.cluster.is_empty() {
            let named = [
                ("--node-url", flags.node_url.is_some()),
                ("--node-id", flags.node_id.is_some()),
                ("--cluster-key", flags.cluster_key.is_some()),
                ("--cluster-credentials", flags.cluster_credentials.is_some()),
                ("--cluster-ca", flags.cluster_ca.is_some()),
            ];
            return match named.into_iter().find(|(_, is_named)| *is_named) {
                Some((flag, _)) => {
                    Err(format!("{flag} is for a node of a cluster: add --cluster URL, or leave it out"))
                }
                None => Ok(None),
            };
        }
        let Some(url) = flags.node_url.clone() else {
            return Err("--cluster needs the address at which players reach this node: add --node-url URL".to_owned());
        };
        if flags.cluster_key.is_none() {
            return Err("--cluster needs the secret that all nodes share: add --cluster-key FILE".to_owned());
        }
        if self.database.is_none() {
            return Err(
                "--cluster needs a database that all nodes share, and the embedded one is for one server: add --database \
                 URL; `cargo xtask play --nodes 3` shows a whole cluster"
                    .to_owned(),
            );
        }
        let hash = Sha256::digest(&url);
        let drawn = u16::from_be_bytes([hash[0], hash[1]]) % NODE_MAX + 1;
        Ok(Some(NodeFlags {
            engines: flags.cluster.clone(),
            url,
            id: flags.node_id.unwrap_or(drawn),
            credentials: flags.cluster_credentials.clone(),
            ca: flags.cluster_ca.clone(),
        }))
    }
}

fn engine(text: &str) -> Result<EngineUrl, String> {
    let is_url = text.strip_prefix("nats://").or_else(|| text.strip_prefix("tls://"));
    match is_url.filter(|rest| !rest.is_empty()) {
        Some(_) => Ok(EngineUrl(text.to_owned())),
        None => Err("must be like nats://host:4222 or tls://host:4222".to_owned()),
    }
}

fn node_id(text: &str) -> Result<u16, String> {
    in_range(text, 1..=NODE_MAX, "")
}

fn node_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://")).unwrap_or_default();
    let is_host = !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@', ' ', '"', ';', ',']);
    if !is_host || !text.is_ascii() {
        return Err("must be like wss://n1.example or ws://10.0.0.7:8080/game".to_owned());
    }
    if text.len() > NODE_URL_MAX {
        return Err(format!("has {} bytes; at most {NODE_URL_MAX} are allowed", text.len()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseUrl;

    fn node() -> Config {
        let cluster = ClusterFlags {
            cluster: vec![EngineUrl("nats://127.0.0.1".to_owned())],
            node_url: Some("wss://n1.example".to_owned()),
            cluster_key: Some("key".into()),
            ..ClusterFlags::default()
        };
        Config { cluster, database: Some(DatabaseUrl("postgres://db/game".to_owned())), ..Config::default() }
    }

    #[test]
    fn flags_of_a_cluster_go_together() {
        assert_eq!(Config::default().node(), Ok(None));
        let id = node().node().expect("a node").expect("a node").id;
        assert!((1..=NODE_MAX).contains(&id));
        let with = |change: fn(&mut Config)| {
            let mut config = node();
            change(&mut config);
            config.node().expect_err("a contradiction")
        };
        for (refusal, says) in [
            (with(|config| config.cluster.node_url = None), "add --node-url"),
            (with(|config| config.cluster.cluster_key = None), "add --cluster-key"),
            (with(|config| config.database = None), "add --database"),
            (with(|config| config.cluster.cluster.clear()), "--node-url is for a node of a cluster"),
        ] {
            assert!(refusal.contains(says), "{says}: {refusal}");
        }
    }

    #[test]
    fn the_address_of_a_node_is_that_of_a_websocket() {
        assert_eq!(node_url("wss://n1.example/game/"), Ok("wss://n1.example/game".to_owned()));
        for wrong in ["https://n1.example", "n1.example", "ws://", "wss:///game", "wss://a b", "wss://n1.example?x"] {
            assert!(node_url(wrong).is_err(), "{wrong}");
        }
        assert!(node_url(&format!("ws://{}", "n".repeat(NODE_URL_MAX))).is_err());
    }
}
