//! A page plays on another node than the one it came from, and on its own again when that is gone.

use std::path::PathBuf;

use crate::SMALL;
use crate::driver::Browser;
use crate::nats::{Nats, free_port};
use crate::page::{State, number};
use crate::postgres::TestPostgres;
use crate::server::Server;

/// The number of the first room of the second node: that of the node, and 20 bits for the room.
const ROOM: u32 = (2 << 20) + 1;

/// A file with the secret of the cluster; removed on drop.
struct Key(PathBuf);

impl Key {
    fn new() -> Key {
        let file = std::env::temp_dir().join(format!("broadside-browser-key-{}", std::process::id()));
        std::fs::write(&file, "0123456789abcdef".repeat(4)).expect("the system has a temporary folder");
        Key(file)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_page_follows_a_link_to_another_node_and_goes_on_at_its_own_when_that_is_killed() {
    let (nats, postgres, key) = (Nats::start(), TestPostgres::start(), Key::new());
    let (database, key) = (postgres.database("game"), key.0.to_str().expect("a plain path").to_owned());
    let node = async |number: &str| {
        let port = free_port();
        let (engine, url) = (nats.url(), format!("ws://127.0.0.1:{port}"));
        let flags = ["--cluster", &engine, "--cluster-key", &key, "--node-id", number, "--node-url", &url];
        Server::start_on_with_flags(port, &[&flags[..], &["--database", &database]].concat()).await
    };
    let (one, two) = (node("1").await, node("2").await);
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &one.url(&format!("/?name=Ann&room={ROOM}&autojoin=1&effects=low"))).await;
    let away = page.wait_for("play on the other node", State::is_playing).await;
    assert_eq!(number(&away["room"]) as u32, ROOM);
    let seen = number(&away["snapshots"]);
    page.wait_for("snapshots", |state| number(&state["snapshots"]) > seen + 30.0).await;
    two.kill().await;
    let back = page.wait_for("play at home", |state| state.is_playing() && number(&state["room"]) as u32 != ROOM).await;
    assert_eq!((&back["name"], number(&back["room"]) as u32 >> 20), (&away["name"], 1));
    assert_eq!(page.errors().await, Vec::<String>::new());
}
