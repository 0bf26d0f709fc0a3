//! The nodes that the players of a load run connect to, each with its resolved address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use broadside_shared::client::nodes::Nodes;
use broadside_shared::protocol::close::CloseCode;

use crate::socket::{PlayError, Target};

/// A node, resolved once and not for each player.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
}

impl Endpoint {
    /// # Errors
    /// [`PlayError::Unreachable`] if the host has no address.
    pub(crate) fn resolve(target: Target) -> Result<Arc<Endpoint>, PlayError> {
        let address = target.resolve()?;
        Ok(Arc::new(Endpoint { target, address }))
    }
}

/// Where one player is: the nodes as it knows them, and the one it is connected to.
pub(crate) struct Route {
    pub(crate) nodes: Nodes,
    pub(crate) endpoint: Arc<Endpoint>,
}

impl Route {
    pub(crate) fn new(home: &Arc<Endpoint>, seed: u64) -> Route {
        Route { nodes: Nodes::new(&home.target.to_string(), seed), endpoint: Arc::clone(home) }
    }

    /// Turns to the node that the server has sent the player to, and gives the pause before the player connects there, in milliseconds.
    /// `endpoints` has the nodes that players were sent to before, by the address of the WebSocket.
    ///
    /// # Errors
    /// Why the player does not go there.
    pub(crate) fn follow(
        &mut self,
        url: &str,
        code: Option<CloseCode>,
        endpoints: &mut BTreeMap<String, Arc<Endpoint>>,
    ) -> Result<u32, String> {
        self.nodes.handle_redirect(url).map_err(|why| format!("sent to {url:?}, where it does not go: {why}"))?;
        let url = self.nodes.url();
        if !endpoints.contains_key(url) {
            let target = self.endpoint.target.another(url)?;
            endpoints.insert(url.to_owned(), Endpoint::resolve(target).map_err(|error| error.to_string())?);
        }
        self.endpoint = Arc::clone(&endpoints[url]);
        Ok(self.nodes.handle_end(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_follows_a_redirect_and_resolves_each_node_once() {
        let home = Target::parse("ws://127.0.0.1:8080/ws").expect("an address");
        let home = Endpoint::resolve(home).expect("this machine");
        let mut endpoints = BTreeMap::new();
        let (mut ann, mut bob) = (Route::new(&home, 1), Route::new(&home, 2));
        for route in [&mut ann, &mut bob] {
            route.nodes.handle_open();
            let pause_ms = route.follow("ws://127.0.0.1:8081", Some(CloseCode::Restarting), &mut endpoints);
            assert!(pause_ms.expect("a node") < 40);
        }
        assert!(Arc::ptr_eq(&ann.endpoint, &bob.endpoint) && ann.endpoint.address.port() == 8081);
        let refused = ann.follow("http://127.0.0.1:8082", None, &mut endpoints).expect_err("no WebSocket");
        assert!(refused.contains("8082") && refused.contains("wss://host"), "{refused}");
        assert_eq!(ann.endpoint.address.port(), 8081);
    }
}
