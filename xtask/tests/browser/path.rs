//! The game below a path of its host, and behind proxies that get in its way.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::driver::Browser;
use crate::page::{Page, State, number};
use crate::server::{Bots, Server};
use crate::{SMALL, setup};

/// Wide enough for the status of the connection.
const WIDE: (u32, u32) = (1000, 640);

/// What a proxy does.
#[derive(Clone, Copy, Default)]
pub(crate) struct Habits {
    /// The path below which it serves the server, which it takes away.
    pub(crate) below: &'static str,
    /// Addresses with this end are never answered.
    pub(crate) stalls: Option<&'static str>,
    /// Addresses with this end are refused with 403.
    pub(crate) refuses: Option<&'static str>,
}

/// A proxy on a free port: one request per connection, and a WebSocket for as long as it lasts.
pub(crate) struct Proxy {
    port: u16,
    strays: Strays,
}

type Strays = Arc<Mutex<Vec<String>>>;

impl Proxy {
    /// Stands before `server`.
    pub(crate) async fn before(server: &Server, habits: Habits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let strays = Strays::default();
        let (behind, counted) = (server.address(), Arc::clone(&strays));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (behind, counted) = (behind.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    // A browser that goes away ends its connections as it likes.
                    _ = forward(near, &behind, habits, &counted).await;
                });
            }
        });
        Proxy { port, strays }
    }

    /// The address of `path` at the proxy.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Requested paths that are not below the path of the proxy.
    pub(crate) fn strays(&self) -> Vec<String> {
        self.strays.lock().expect("nobody panicked").clone()
    }
}

async fn forward(near: TcpStream, behind: &str, habits: Habits, strays: &Strays) -> std::io::Result<()> {
    let mut near = BufReader::new(near);
    let mut line = String::new();
    near.read_line(&mut line).await?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let ends = |end: Option<&str>| end.is_some_and(|end| path.ends_with(end));
    let refused = match path.strip_prefix(habits.below) {
        _ if ends(habits.stalls) => return std::future::pending().await,
        _ if ends(habits.refuses) => "403 Forbidden",
        Some(inside) if inside.starts_with('/') => {
            let mut far = TcpStream::connect(behind).await?;
            far.write_all(format!("{method} {inside} HTTP/1.1\r\n").as_bytes()).await?;
            loop {
                let mut header = String::new();
                near.read_line(&mut header).await?;
                if header.to_ascii_lowercase().starts_with("connection: keep-alive") {
                    header = "connection: close\r\n".to_owned();
                }
                far.write_all(header.as_bytes()).await?;
                if header.trim().is_empty() {
                    break;
                }
            }
            tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            return Ok(());
        }
        Some(_) | None => {
            strays.lock().expect("nobody panicked").push(path.to_owned());
            "404 Not Found"
        }
    };
    let answer = format!("HTTP/1.1 {refused}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    near.write_all(answer.as_bytes()).await
}

/// Opens a private room and goes in; gives its link.
async fn open_private_room(page: &Page) -> String {
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.click("[data-act='create:arena']").await;
    page.wait_for_element("#invite").await;
    let link = page.value("#invite-link").await;
    page.click("[data-act='in']").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    link
}

#[tokio::test]
async fn the_game_is_played_below_a_path_that_the_server_does_not_know_of() {
    let server = Server::start().await;
    let proxy = Proxy::before(&server, Habits { below: "/some/game", ..Habits::default() }).await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &proxy.url("/some/game/?name=Ann&effects=low")).await;
    let link = open_private_room(&ann).await;
    assert!(link.starts_with(&proxy.url("/some/game/r/")), "{link}");
    assert!(ann.address().await.starts_with(&link));
    let here = ann.state().await;
    ann.reload().await;
    ann.wait_for("her seat after a reload", |state| state.is_playing() && state["player"] == here["player"]).await;

    let ben = browser.open(SMALL, &format!("{link}?name=Ben&effects=low")).await;
    ben.wait_for("the same room", |state| state.is_playing() && state["room"] == here["room"]).await;
    ben.press("#leave").await;
    ben.wait_for("the lobby", |state| state["phase"] == "menu").await;
    assert_eq!(ben.address().await, proxy.url("/some/game/?name=Ben&effects=low"));
    ben.wait_for_element("#rooms [data-act^='watch:']").await;
    ben.press("#menu nav a[href$=compare]").await;
    ben.wait_for("the other page", |state| state["phase"] == "compare").await;
    assert_eq!((ann.errors().await, ben.errors().await, proxy.strays()), (vec![], vec![], vec![]));
}

#[tokio::test]
async fn the_pages_for_developers_work_below_a_path() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 2);
    let proxy = Proxy::before(&server, Habits { below: "/game", ..Habits::default() }).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &proxy.url("/game/compare")).await;
    let asked = |state: &State| ["poll", "push"].iter().all(|side| number(&state[*side]["leaders"]) > 0.0);
    page.wait_for("both views", asked).await;
    page.visit(&proxy.url("/game/wire")).await;
    page.wait_for("the handshake", |state| state["handshake"] == "HTTP/1.1 101 Switching Protocols").await;
    assert_eq!((page.errors().await, proxy.strays()), (vec![], vec![]));
}

#[tokio::test]
async fn the_game_is_played_behind_a_proxy_that_passes_its_path_on() {
    let server = Server::start_with_flags(&["--base-path", "/game"]).await;
    let browser = Browser::start().await;
    // Without the slash at its end, as people type it.
    let page = browser.open(SMALL, &server.url("/game?name=Ann&effects=low")).await;
    let link = open_private_room(&page).await;
    assert!(link.starts_with(&server.url("/game/r/")), "{link}");
    page.reload().await;
    page.wait_for("a seat after a reload", State::is_playing).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_lets_no_socket_through_is_distinguished_from_a_server_that_is_gone() {
    let server = Server::start().await;
    let proxy = Proxy::before(&server, Habits { refuses: Some("/ws"), ..Habits::default() }).await;
    let browser = Browser::start().await;
    let page = browser.open(WIDE, &proxy.url("/?effects=low")).await;
    page.wait_for_text("#connection-note", "no WebSocket gets through").await;
    let file = setup::artifacts().join("no-socket.png");
    std::fs::write(&file, page.picture().await).expect("the folder of artifacts can be written");
    server.kill().await;
    page.wait_for_text("#connection-note", "cannot be reached").await;
}
