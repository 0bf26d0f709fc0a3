//! Which node of a cluster to connect to, and after which pause.
//!
//! A node may send a client to another one, which is followed at once. A node that cannot be connected to any more is left for
//! another one: first for home, which is the node the client was started with, then for those that a node has listed.
//!
//! The driver connects to [`Nodes::url`], reports how that goes with `handle_*`, and waits as long as [`Nodes::handle_end`] says before it
//! connects to [`Nodes::url`] again. What a connection to another node means to the client, [`Nodes::arrival`] says.

use thiserror::Error;

use super::retry::Backoff;
use crate::protocol::close::CloseCode;
use crate::protocol::limits::{GREETING_US, NODE_URL_MAX, NODES_TOLD_MAX};

/// What follows the address of a node in that of its WebSocket.
const SOCKET_PATH: &str = "/ws";
/// Redirects in a row without a seat that are followed: two nodes that disagree must not send a client to and fro.
const REDIRECTS_MAX: u32 = 3;
/// Time that an attempt has to open a connection while there are other nodes to try, in microseconds: a machine that is gone refuses nothing.
const OPEN_US: u64 = 4_000_000;

/// Why a node's address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NodeError {
    /// It is too long.
    #[error("its {0} bytes are more than {NODE_URL_MAX}")]
    Long(usize),
    /// It is no address of a node.
    #[error("it is not like wss://host:port/path")]
    Malformed,
    /// It is not encrypted, and home is.
    #[error("it is not encrypted, unlike the address that this client was started with")]
    Insecure,
    /// It could not be reached when the client was last sent there.
    #[error("it could not be reached when this client was last sent there: what was there is given up")]
    Gone,
    /// Too many redirects led to no seat.
    #[error("{REDIRECTS_MAX} redirects in a row led to no seat")]
    TooMany,
}

/// Whose server a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The node of the connection before, or there was none before.
    Same,
    /// Another node, since that one cannot be reached.
    Other,
    /// The node that the one before has named in a redirect.
    Redirected,
    /// The node of the connection before, which has sent the client to one that cannot be reached: what it had there is given up, and it
    /// asks for a seat here.
    Anew,
}

/// What came of the redirect of the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirect {
    /// There was none.
    None,
    Followed,
    Ignored,
    /// It named a node that is gone.
    GivenUp,
}

/// The nodes of a cluster as one client knows them. See the module.
#[derive(Debug, Clone)]
pub struct Nodes {
    /// Addresses of WebSockets, as all here.
    home: String,
    /// The others as a node last listed them, without home and each once.
    others: Vec<String>,
    /// The node that last accepted a connection, or that a redirect named since.
    current: String,
    is_open: bool,
    /// Attempts in a row that ended before they were open, those after short pauses left out.
    failures: u32,
    redirect: Redirect,
    /// A node that could not be reached when the client was sent there.
    gone: Option<String>,
    /// Redirects followed since the last seat.
    redirects: u32,
    backoff: Backoff,
}

impl Nodes {
    /// Starts with the WebSocket at `home`. `seed` spreads the pauses and should differ between clients.
    #[must_use]
    pub fn new(home: &str, seed: u64) -> Nodes {
        Nodes {
            home: home.to_owned(),
            others: Vec::new(),
            current: home.to_owned(),
            is_open: false,
            failures: 0,
            redirect: Redirect::None,
            gone: None,
            redirects: 0,
            backoff: Backoff::new(seed),
        }
    }

    /// Starts with the WebSocket that [`Nodes::url`] gave before a reload, instead of home.
    ///
    /// # Errors
    /// Why not.
    pub fn start_at(&mut self, url: &str) -> Result<(), NodeError> {
        self.check(url.strip_suffix(SOCKET_PATH).ok_or(NodeError::Malformed)?)?;
        url.clone_into(&mut self.current);
        Ok(())
    }

    /// The address of the WebSocket to connect to, or of the open one.
    #[must_use]
    pub fn url(&self) -> &str {
        self.in_turn().nth(self.turn()).unwrap_or(&self.current)
    }

    /// Whether that is the node the client was started with.
    #[must_use]
    pub fn is_at_home(&self) -> bool {
        self.url() == self.home
    }

    /// What a connection to [`Nodes::url`] is to the client, as long as it is not open.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        match self.redirect {
            _ if self.url() != self.current => Arrival::Other,
            Redirect::Followed => Arrival::Redirected,
            Redirect::GivenUp => Arrival::Anew,
            Redirect::None | Redirect::Ignored => Arrival::Same,
        }
    }

    /// Time that the attempt has until it is open, in microseconds; less while other nodes have not been tried.
    #[must_use]
    pub fn open_timeout_us(&self) -> u64 {
        let is_first_round = self.failures as usize <= self.count();
        if self.count() > 1 && is_first_round { OPEN_US } else { GREETING_US }
    }

    /// Attempts to connect since the client last had a seat or was in the lobby, those after short pauses and those at further nodes of the
    /// same round left out.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.backoff.attempts()
    }

    /// The connection is open. Further calls change nothing.
    pub fn handle_open(&mut self) {
        if !self.is_open {
            self.current = self.url().to_owned();
            self.gone = self.gone.take().filter(|gone| *gone != self.current);
            (self.is_open, self.failures, self.redirect) = (true, 0, Redirect::None);
        }
    }

    /// The client is in the lobby or in a join queue: the next pauses are short again.
    pub fn handle_waiting(&mut self) {
        self.backoff.reset();
    }

    /// The client has a seat.
    pub fn handle_seated(&mut self) {
        self.backoff.reset();
        self.redirects = 0;
    }

    /// The server has listed the other nodes of its cluster. What is no address is left out.
    pub fn handle_nodes(&mut self, urls: &[String]) {
        self.others.clear();
        for url in urls.iter().take(NODES_TOLD_MAX).filter_map(|url| self.socket_of(url).ok()).collect::<Vec<_>>() {
            if url != self.home && !self.others.contains(&url) {
                self.others.push(url);
            }
        }
    }

    /// The server has sent the client to another node. Before [`Nodes::handle_end`] of that connection.
    ///
    /// # Errors
    /// Why the client does not go there: it then connects to the current node again, after a normal pause.
    pub fn handle_redirect(&mut self, url: &str) -> Result<(), NodeError> {
        self.redirect = Redirect::Ignored;
        let url = self.socket_of(url)?;
        if self.gone.as_ref() == Some(&url) {
            self.redirect = Redirect::GivenUp;
            return Err(NodeError::Gone);
        }
        if self.redirects == REDIRECTS_MAX {
            // After the pause that follows they may have come to agree.
            self.redirects = 0;
            return Err(NodeError::TooMany);
        }
        self.redirects += 1;
        (self.current, self.failures, self.redirect) = (url, 0, Redirect::Followed);
        Ok(())
    }

    /// The connection has ended with this code of the server, or the attempt has failed. Gives the pause before the next attempt, in
    /// milliseconds.
    pub fn handle_end(&mut self, code: Option<CloseCode>) -> u32 {
        if std::mem::take(&mut self.is_open) {
            return self.pause_after_open_ms(code);
        }
        // Short pauses are for a server that is not quite ready: to leave it for another one could cost the seat.
        if let Some(pause_ms) = self.backoff.short_pause_ms() {
            return pause_ms;
        }
        self.failures += 1;
        if self.redirect == Redirect::Followed && self.turn() > 0 {
            self.gone = Some(self.current.clone());
        }
        let is_round_over = self.turn() == 0 && (self.failures > 1 || self.count() == 1);
        if is_round_over { self.backoff.next_pause_ms() } else { self.backoff.same_pause_ms() }
    }

    fn pause_after_open_ms(&mut self, code: Option<CloseCode>) -> u32 {
        let short = match self.redirect {
            Redirect::Followed | Redirect::GivenUp => {
                self.backoff.start_short();
                self.backoff.short_pause_ms()
            }
            Redirect::None if code == Some(CloseCode::Restarting) => {
                if self.backoff.is_fresh() {
                    self.backoff.start_short();
                }
                self.backoff.short_pause_ms()
            }
            Redirect::None | Redirect::Ignored => None,
        };
        if self.redirect == Redirect::Ignored {
            self.redirect = Redirect::None;
        }
        short.unwrap_or_else(|| self.backoff.next_pause_ms())
    }

    /// All nodes, in the order in which they are tried.
    fn in_turn(&self) -> impl Iterator<Item = &str> {
        let others = std::iter::once(&self.home).chain(&self.others).filter(|url| **url != self.current);
        std::iter::once(&self.current).chain(others).map(String::as_str)
    }

    /// Whose turn it is. The current node is tried twice before the first other one.
    fn turn(&self) -> usize {
        self.failures.saturating_sub(1) as usize % self.count()
    }

    fn count(&self) -> usize {
        self.in_turn().count()
    }

    /// The address of a node's WebSocket.
    fn socket_of(&self, url: &str) -> Result<String, NodeError> {
        self.check(url)?;
        Ok(format!("{}{SOCKET_PATH}", url.trim_end_matches('/')))
    }

    /// Whether the client may connect to the node with this address.
    fn check(&self, url: &str) -> Result<(), NodeError> {
        if url.len() > NODE_URL_MAX {
            return Err(NodeError::Long(url.len()));
        }
        let (is_secure, rest) = match url.split_once("://") {
            Some(("wss", rest)) => (true, rest),
            Some(("ws", rest)) => (false, rest),
            Some(_) | None => return Err(NodeError::Malformed),
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte);
        if rest.is_empty() || rest.starts_with(['/', ':']) || !rest.bytes().all(is_plain) {
            return Err(NodeError::Malformed);
        }
        if self.home.starts_with("wss:") && !is_secure {
            return Err(NodeError::Insecure);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "ws://home.example:8080/ws";
    const RESTARTING: Option<CloseCode> = Some(CloseCode::Restarting);

    /// A client that plays at home and knows the nodes b and c.
    fn playing() -> Nodes {
        let mut nodes = Nodes::new(HOME, 1);
        nodes.handle_open();
        nodes.handle_nodes(&["ws://b.example".to_owned(), "ws://c.example/game".to_owned()]);
        nodes.handle_seated();
        nodes
    }

    /// The node that is connected to next, by the first letter of its host.
    fn next(nodes: &Nodes) -> char {
        nodes.url().trim_start_matches("ws://").chars().next().unwrap_or(' ')
    }

    /// Lets attempts fail; gives the nodes in order, each followed by the longest pause that was drawn for it as a level of the backoff.
    fn fail(nodes: &mut Nodes, attempts: usize) -> String {
        (0..attempts)
            .map(|_| {
                let tried = next(nodes);
                let level = match nodes.handle_end(None) {
                    0..250 => '.',
                    250..=500 => '1',
                    501..=1000 => '2',
                    1001..=2000 => '3',
                    _ => '4',
                };
                format!("{tried}{level} ")
            })
            .collect()
    }

    #[test]
    fn a_dead_node_is_tried_twice_and_then_home_and_the_others_in_turn() {
        let mut nodes = playing();
        nodes.handle_redirect("ws://b.example/").expect("an address");
        nodes.handle_end(RESTARTING);
        nodes.handle_open();
        nodes.handle_seated();
        assert_eq!(nodes.url(), "ws://b.example/ws");
        assert!((250..=500).contains(&nodes.handle_end(None)), "lost");
        assert_eq!(fail(&mut nodes, 8), "b1 b1 h1 c2 b2 h2 c3 b3 ");
        // Whoever accepts a connection is the current one.
        assert_eq!((next(&nodes), nodes.arrival()), ('h', Arrival::Other));
        nodes.handle_open();
        nodes.handle_seated();
        assert!((250..=500).contains(&nodes.handle_end(None)), "lost");
        assert_eq!(nodes.arrival(), Arrival::Same);
        assert_eq!(fail(&mut nodes, 5), "h1 h1 b1 c2 h2 ");
    }

    #[test]
    fn whoever_is_sent_back_to_a_node_that_is_gone_gives_up_what_was_there() {
        let mut nodes = playing();
        nodes.handle_redirect("ws://b.example").expect("an address");
        nodes.handle_end(RESTARTING);
        nodes.handle_open();
        nodes.handle_seated();
        nodes.handle_end(None);
        assert_eq!(fail(&mut nodes, 2), "b1 b1 ");
        nodes.handle_open();
        // The others do not know yet that it is gone; it may be that only this client could not reach it.
        nodes.handle_redirect("ws://b.example").expect("the first time");
        nodes.handle_end(RESTARTING);
        assert_eq!(nodes.arrival(), Arrival::Redirected);
        while next(&nodes) == 'b' {
            nodes.handle_end(None);
        }
        nodes.handle_open();
        assert_eq!(nodes.handle_redirect("ws://b.example"), Err(NodeError::Gone));
        assert!(nodes.handle_end(RESTARTING) < 40, "at once");
        assert_eq!((next(&nodes), nodes.arrival()), ('h', Arrival::Anew));
        nodes.handle_open();
        assert_eq!(nodes.arrival(), Arrival::Same);
    }

    #[test]
    fn a_single_server_is_tried_again_with_pauses_that_grow_each_time() {
        let mut nodes = Nodes::new(HOME, 1);
        nodes.handle_open();
        nodes.handle_seated();
        nodes.handle_end(None);
        assert_eq!(nodes.open_timeout_us(), GREETING_US);
        assert_eq!(fail(&mut nodes, 4), "h2 h3 h4 h4 ");
        assert_eq!((nodes.attempts(), nodes.arrival()), (5, Arrival::Same));
    }

    #[test]
    fn a_server_that_restarts_is_not_left_because_of_a_moment() {
        let mut nodes = playing();
        assert!(nodes.handle_end(RESTARTING) < 40);
        let short_ms: u32 = (0..4)
            .map(|_| {
                assert_eq!(next(&nodes), 'h');
                nodes.handle_end(None)
            })
            .sum();
        assert!(short_ms < 1200, "{short_ms}");
        assert_eq!(nodes.attempts(), 0);
        assert_eq!(fail(&mut nodes, 4), "h1 h1 b1 c2 ");
    }

    #[test]
    fn a_server_that_closes_whoever_it_has_welcomed_is_backed_off_from_and_not_left() {
        let mut nodes = playing();
        let mut pauses = Vec::new();
        for _ in 0..5 {
            nodes.handle_open();
            pauses.push(nodes.handle_end(Some(CloseCode::ServerFull)));
            assert_eq!(next(&nodes), 'h');
        }
        assert!(pauses[4] >= 4_000, "{pauses:?}");
        // Also if it promises a successor each time: the short pauses come once.
        let mut nodes = playing();
        let pauses: Vec<u32> = (0..9)
            .map(|_| {
                nodes.handle_open();
                nodes.handle_end(RESTARTING)
            })
            .collect();
        assert!(pauses[0] < 40 && pauses[5] >= 250 && pauses[8] >= 2_000, "{pauses:?}");
    }

    #[test]
    fn a_redirect_is_followed_at_once_and_then_it_is_the_current_node() {
        let mut nodes = playing();
        nodes.handle_redirect("ws://d.example/base/").expect("an address");
        assert!(nodes.handle_end(RESTARTING) < 40);
        assert_eq!((nodes.url(), nodes.arrival()), ("ws://d.example/base/ws", Arrival::Redirected));
        nodes.handle_open();
        nodes.handle_waiting();
        assert_eq!(nodes.arrival(), Arrival::Same);
        nodes.handle_end(None);
        assert_eq!((nodes.url(), nodes.is_at_home()), ("ws://d.example/base/ws", false));
    }

    #[test]
    fn a_redirect_to_a_node_that_is_gone_is_given_up_for_home() {
        let mut nodes = playing();
        nodes.handle_redirect("ws://d.example").expect("an address");
        nodes.handle_end(RESTARTING);
        assert_eq!(fail(&mut nodes, 4).replace(['.', '1', '2'], ""), "d d d d ", "not quite ready");
        assert_eq!(nodes.arrival(), Arrival::Redirected);
        assert_eq!(fail(&mut nodes, 2), "d1 d1 ");
        assert_eq!((next(&nodes), nodes.arrival()), ('h', Arrival::Other), "and not what the redirect asked for");
        nodes.handle_open();
        nodes.handle_end(None);
        assert_eq!((next(&nodes), nodes.arrival()), ('h', Arrival::Same));
    }

    #[test]
    fn nodes_that_disagree_send_a_client_to_and_fro_three_times() {
        let mut nodes = playing();
        let mut pauses = Vec::new();
        for to in ["b", "c", "b", "c", "c"] {
            let followed = nodes.handle_redirect(&format!("ws://{to}.example"));
            pauses.push((nodes.handle_end(RESTARTING), followed));
            nodes.handle_open();
        }
        assert!(pauses[..3].iter().all(|(pause, followed)| *pause < 40 && followed.is_ok()), "{pauses:?}");
        assert!(pauses[3].0 >= 250 && pauses[3].1 == Err(NodeError::TooMany), "{pauses:?}");
        assert!(pauses[4].0 < 40 && pauses[4].1.is_ok(), "after a pause they may agree: {pauses:?}");
        // A seat in between, and they count from the start.
        for _ in 0..10 {
            nodes.handle_redirect("ws://b.example").expect("an address");
            nodes.handle_end(RESTARTING);
            nodes.handle_open();
            nodes.handle_seated();
        }
    }

    #[test]
    fn an_address_that_is_none_is_ignored_and_the_pause_is_a_normal_one() {
        let long = format!("ws://{}", "x".repeat(NODE_URL_MAX));
        for (url, error) in [
            (long.as_str(), NodeError::Long(NODE_URL_MAX + 5)),
            ("http://b.example", NodeError::Malformed),
            ("javascript:alert(1)", NodeError::Malformed),
            ("ws://", NodeError::Malformed),
            ("ws:///game", NodeError::Malformed),
            ("ws://:80", NodeError::Malformed),
            ("ws://b.example/?x", NodeError::Malformed),
            ("ws://ann@b.example", NodeError::Malformed),
            ("ws://b.example/ x", NodeError::Malformed),
            ("", NodeError::Malformed),
        ] {
            let mut nodes = playing();
            assert_eq!(nodes.handle_redirect(url), Err(error), "{url}");
            assert!(nodes.handle_end(RESTARTING) >= 250, "{url}");
            assert_eq!((nodes.url(), nodes.arrival()), (HOME, Arrival::Same));
            nodes.handle_open();
            nodes.handle_nodes(&[url.to_owned()]);
            assert_eq!(nodes.count(), 1, "{url}");
        }
    }

    #[test]
    fn a_client_that_came_over_tls_goes_nowhere_without() {
        let mut nodes = Nodes::new("wss://home.example/ws", 1);
        nodes.handle_open();
        assert_eq!(nodes.handle_redirect("ws://b.example"), Err(NodeError::Insecure));
        assert_eq!(nodes.start_at("ws://b.example/ws"), Err(NodeError::Insecure));
        nodes.handle_nodes(&["ws://b.example".to_owned(), "wss://c.example".to_owned()]);
        assert_eq!(nodes.in_turn().collect::<Vec<_>>(), ["wss://home.example/ws", "wss://c.example/ws"]);
        nodes.handle_redirect("wss://c.example").expect("an address");
    }

    #[test]
    fn a_reload_goes_to_the_node_it_was_at_and_then_home() {
        let mut nodes = Nodes::new(HOME, 1);
        nodes.start_at("ws://b.example/game/ws").expect("an address");
        assert_eq!((nodes.url(), nodes.arrival()), ("ws://b.example/game/ws", Arrival::Same));
        assert_eq!(nodes.start_at("ws://b.example"), Err(NodeError::Malformed));
        assert_eq!(fail(&mut nodes, 3), "b1 b1 h2 ");
    }

    #[test]
    fn each_node_is_known_once_and_home_never_among_the_others() {
        let mut nodes = Nodes::new(HOME, 1);
        let urls: Vec<String> = (0..40).map(|n| format!("ws://n{}.example", n / 2)).collect();
        nodes.handle_nodes(&urls);
        assert_eq!(nodes.count(), 1 + NODES_TOLD_MAX / 2);
        nodes.handle_nodes(&["ws://home.example:8080".to_owned(), "ws://home.example:8080/".to_owned()]);
        assert_eq!(nodes.count(), 1);
        assert_eq!(nodes.open_timeout_us(), GREETING_US);
        nodes.handle_nodes(&urls[..1]);
        assert_eq!(nodes.open_timeout_us(), OPEN_US);
        fail(&mut nodes, 3);
        assert_eq!(nodes.open_timeout_us(), GREETING_US, "after one round there is time");
    }
}
