//! A server that has lost a vital part.

use broadside_core::commands::ShardCommand;
use broadside_server::config::Config;
use broadside_server::start;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::toy::Toy;

use crate::scene::{Folder, within};

#[tokio::test]
async fn a_thread_that_ends_early_ends_the_server() {
    for part in ["shard-0", "bots", "rooms-"] {
        let folder = Folder::new();
        folder.put("index.html", b"<!doctype html>");
        let config = Config { port: 0, assets: Some(folder.0.clone()), shards: Some(1), ..Config::default() };
        let running = start::<Toy>(config, ()).await.expect("the system gives a free port");
        let context = &running.app().lobby.context;
        match part {
            "shard-0" => context.shards[0].send([ShardCommand::Shutdown(CloseCode::GoingAway)]),
            // The bots are the last shard.
            "bots" => context.shards[1].send([ShardCommand::Shutdown(CloseCode::GoingAway)]),
            _ => running.app().rooms.end_threads(),
        }
        let gone = within("the word of its end", running.gone()).await;
        assert!(gone.starts_with(part), "{gone}, not {part}");
        within("the server's end", running.end()).await;
    }
}
