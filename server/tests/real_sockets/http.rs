//! A raw HTTP client, so that a test can send what no well-behaved client would.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::within;

/// A response.
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// The header lines, names in lower case.
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value, or "" if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Every value of a header.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// `GET path` with these header lines beside `host`.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    ask(address, "GET", path, headers).await
}

/// A request without a body. The path is not normalized.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    ask_over(stream, &request(&address.to_string(), method, path, headers)).await
}

/// A request, as bytes; without `host` if that is empty.
pub(crate) fn request(host: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in [("host", host)].iter().chain(headers).filter(|(_, value)| !value.is_empty()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}

/// Sends a request over an open connection.
pub(crate) async fn ask_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Reply {
    within("an answer over http", async {
        // A server that refuses a request early does not read all of it; its response says more than the write error.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.flush().await;
        read_reply(&mut stream, request.starts_with("HEAD ")).await
    })
    .await
}

async fn read_reply(stream: &mut (impl AsyncRead + Unpin), is_head: bool) -> Reply {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let read = stream.read_buf(&mut bytes).await.expect("the head of an answer");
        assert!(read > 0, "the connection ended within the head: {:?}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("a head is text");
    let mut body = bytes.split_off(head_end + 4);
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or("");
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect(status_line);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: Vec::new() };
    let length =
        if matches!(status, 101 | 304) || is_head { 0 } else { reply.header("content-length").parse().unwrap_or(0) };
    while body.len() < length {
        let read = stream.read_buf(&mut body).await.expect("the body of an answer");
        assert!(read > 0, "the connection ended within the body");
    }
    reply.body = body;
    reply
}
