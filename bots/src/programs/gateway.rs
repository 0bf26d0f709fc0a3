//! How the bots reach the nodes of a cluster: the target of each address, and each bot's way from node to node.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broadside_shared::client::nodes::{Arrival, Nodes};
use broadside_shared::game::Game;
use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::close::CloseCode;
use tokio::sync::Mutex;

use crate::output::print_error;
use crate::player::{Player, Progress};
use crate::proxy::LinkProxy;
use crate::socket::{PlayError, Target};
use crate::tick_time;

/// The targets of all bots.
pub(super) struct Gateway {
    home: Target,
    link: LinkProfile,
    seed: u64,
    /// By address of the WebSocket, with the proxy that simulates the link to it.
    reached: Mutex<BTreeMap<String, (Target, Option<LinkProxy>)>>,
}

impl Gateway {
    pub(super) fn new(home: Target, link: LinkProfile, seed: u64) -> Gateway {
        Gateway { home, link, seed, reached: Mutex::default() }
    }

    /// The target of the WebSocket with this address.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] if it is no address, or if no proxy can be started.
    pub(super) async fn target(&self, url: &str) -> Result<Target, PlayError> {
        let mut reached = self.reached.lock().await;
        if let Some((target, _)) = reached.get(url) {
            return Ok(target.clone());
        }
        let target = self.home.another(url);
        let target = target.map_err(|cause| PlayError::Unreachable { target: url.to_owned(), cause })?;
        // A clean link needs no proxy.
        let (target, proxy) = if self.link == LinkProfile::CLEAN {
            (target, None)
        } else {
            let (target, proxy) = target.through(self.link, self.seed).await?;
            (target, Some(proxy))
        };
        reached.insert(url.to_owned(), (target.clone(), proxy));
        Ok(target)
    }
}

/// One bot's way from node to node.
pub(super) struct Route<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) nodes: Nodes,
    /// How long a bot that lost its connection tries to come back.
    pub(super) retry: Duration,
}

impl Route<'_> {
    /// Connects again until the seat is back, and the first snapshot has arrived: at the node that the server has named, or else at the former
    /// one and, if that is gone, at others.
    ///
    /// # Errors
    /// Why the connection was lost.
    pub(super) async fn resume<G: Game>(&mut self, player: &mut Player<G>, lost: PlayError) -> Result<(), PlayError> {
        let until = Instant::now() + self.retry;
        let (mut is_retried, mut code) = (lost.is_retried(), lost.code());
        while is_retried {
            let pause = self.end(player, code);
            if self.nodes.arrival() != Arrival::Redirected && Instant::now() >= until {
                break;
            }
            tokio::time::sleep(pause).await;
            match self.attempt(player).await {
                Ok(()) => return Ok(()),
                Err(error) => (is_retried, code) = (error.is_retried(), error.code()),
            }
        }
        Err(lost)
    }

    /// Gives the pause before the next attempt, after the connection has ended or an attempt has failed.
    fn end<G: Game>(&mut self, player: &mut Player<G>, code: Option<CloseCode>) -> Duration {
        if let Some(urls) = player.take_nodes() {
            self.nodes.handle_nodes(&urls);
        }
        if let Some(url) = player.take_redirect()
            && let Err(why) = self.nodes.handle_redirect(&url)
        {
            print_error("bot", format_args!("the server sent it to {url:?}, where it does not go: {why}"));
        }
        Duration::from_millis(self.nodes.handle_end(code).into())
    }

    async fn attempt<G: Game>(&mut self, player: &mut Player<G>) -> Result<(), PlayError> {
        let target = self.gateway.target(self.nodes.url()).await?;
        let timeout = Duration::from_micros(self.nodes.open_timeout_us());
        match tokio::time::timeout(timeout, player.reconnect_at(&target, self.nodes.arrival())).await {
            Ok(result) => result?,
            Err(_) => {
                let cause = format!("no answer within {} s", timeout.as_secs());
                return Err(PlayError::Unreachable { target: target.to_string(), cause });
            }
        }
        self.nodes.handle_open();
        while !matches!(player.step(Instant::now() + tick_time::<G>()).await?, Progress::Snapshot(_)) {}
        self.nodes.handle_seated();
        Ok(())
    }
}
