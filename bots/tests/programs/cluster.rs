//! Nodes of a cluster: whoever is sent to another one goes there, and a node that has died is left for another one.

use std::time::Instant;

use broadside_shared::protocol::codec::encode_server;
use broadside_shared::protocol::message::{ClientMsg, ServerMsg};
use broadside_shared::protocol::room::RoomChoice;
use broadside_shared::protocol::token::Token;
use broadside_shared::protocol::{FrameKind, REVISION, codec};

use super::*;

/// A node that welcomes everybody and sends whoever joins to the node at this address. Gives its own.
async fn sending_to(there: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(send_on(stream, there.clone()));
        }
    });
    url
}

async fn send_on(stream: TcpStream, url: String) {
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, with_subprotocol).await else { return };
    let token = Token { session: 1, signature: [0; 16] };
    let welcome =
        ServerMsg::Welcome { revision: REVISION, server: "test".to_owned(), token, resumed: false, account: None };
    let redirect = ServerMsg::Redirect { url, join: Some(RoomChoice::Quick) };
    let code = CloseCode::Restarting;
    let close = CloseFrame { code: code.code().into(), reason: code.reason().into() };
    while let Some(Ok(Message::Binary(frame))) = socket.next().await {
        let Ok((FrameKind::Control, bytes)) = FrameKind::split(&frame) else { continue };
        let answers = match codec::decode_client(bytes) {
            Ok(ClientMsg::Hello { .. }) => vec![Message::Binary(encode_server(&welcome).into())],
            Ok(ClientMsg::Join { .. }) => {
                vec![Message::Binary(encode_server(&redirect).into()), Message::Close(Some(close.clone()))]
            }
            _ => Vec::new(),
        };
        for answer in answers {
            let _ = socket.send(answer).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_and_load_go_where_a_node_sends_them() {
    let (server, _folder) = server(100).await;
    let there = format!("ws://{}", server.address);
    let node = sending_to(there.clone()).await;
    let output = run(BOT, &node, &["--count", "3", "--seconds", "2", "--retry", "0"]).await;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}\n{:?}", stderr_lines(&output));
    assert!(stdout.contains("3/3 playing"), "{stdout}");

    // Half of the players start at the one, half at the other.
    let flags = [&node, "--players", "6", "--seconds", "1", "--settle", "0", "--json", "-"];
    let output = run(LOAD, &format!("{there}/ws"), &flags).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert!(output.status.success(), "{report}\n{:?}", stderr_lines(&output));
    assert_eq!((&report["joined"], &report["dropped"]), (&6.into(), &0.into()), "{report}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_whose_node_has_died_play_at_another_one_within_ten_seconds() {
    let ((first, _folder), (second, _other)) = (server(100).await, server(100).await);
    let urls = format!("ws://{}/ws,ws://{}/ws", first.address, second.address);
    let mut child = command(BOT, &urls, &["--count", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    seated(&first, 2).await;
    first.end().await;
    let died = Instant::now();
    seated(&second, 2).await;
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    child.kill().await.expect("it runs");
    second.end().await;
}
