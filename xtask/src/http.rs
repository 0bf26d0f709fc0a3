//! As much of an HTTP client as it takes to see that our own server answers, and to drive a browser.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// How long connecting, and each read, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer: its status, and its body as it came.
pub(crate) struct Answer {
    /// The HTTP status, 200 for instance.
    pub(crate) status: u16,
    /// Everything after the head.
    pub(crate) body: Vec<u8>,
}

/// `GET http://ADDRESS/PATH`, asked for without compression.
///
/// # Errors
/// Nobody listens, the connection breaks, or the answer is not HTTP.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    ask(address, "GET", path, "", PATIENCE)
}

/// A value on a page of metrics without labels.
///
/// # Errors
/// The page has no such metric.
pub(crate) fn metric(page: &str, name: &str) -> Result<f64> {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).with_context(|| format!("the metrics have no {name}"))
}

/// Any method, with a body of JSON; each read may take `patience`.
///
/// # Errors
/// As [`get`].
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, body: &str, patience: Duration) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(patience))?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let about = match body.len() {
        0 => String::new(),
        len => format!("Content-Type: application/json\r\nContent-Length: {len}\r\n"),
    };
    write!(stream, "{head}{about}\r\n{body}")?;
    let bytes = read(&mut stream)?;
    parse(&bytes).with_context(|| format!("{address}{path} did not answer in HTTP"))
}

/// Reads an answer to its end: some servers keep the connection open despite `Connection: close`.
fn read(stream: &mut impl Read) -> Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while whole_len(&bytes).is_none_or(|whole| bytes.len() < whole) {
        match stream.read(&mut chunk)? {
            0 => break,
            len => bytes.extend_from_slice(&chunk[..len]),
        }
    }
    Ok(bytes)
}

/// How long the answer is, once its head says so.
fn whole_len(bytes: &[u8]) -> Option<usize> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let len = fields
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, len)| len.trim().parse().ok());
    len.map(|len: usize| head_end.saturating_add(4).saturating_add(len))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: bytes[head_end + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        let answer = parse(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\nsuch").expect("it is HTTP");
        assert_eq!((answer.status, answer.body.as_slice()), (404, b"no\r\n\r\nsuch".as_slice()));
    }

    #[test]
    fn an_answer_that_says_how_long_it_is_ends_there() {
        let mut kept = &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..];
        assert_eq!(parse(&read(&mut kept).expect("readable")).expect("it is HTTP").body, b"ok");
        assert_eq!(whole_len(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nno"), None);
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert!(parse(b"SSH-2.0-x\r\n\r\n").is_none());
        assert!(parse(b"HTTP/1.1 2").is_none());
        assert!(parse(b"HTTP/1.1 two\r\n\r\n").is_none());
    }
}
