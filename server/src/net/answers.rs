//! What hyper answers by itself, before anything of ours sees the request: to a head that is too long or no HTTP it says a status and
//! nothing else. Here such an answer gets the headers of every other one and says what was wrong.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::listener::HEAD_MAX;
use crate::http::raw_problem;

/// A connection on which hyper's own answers are completed.
#[derive(Debug)]
pub struct Answers<S> {
    stream: S,
    /// What is written in the place of an answer of hyper's, how much of it is, and how long hyper's own is.
    instead: Option<(Vec<u8>, usize, usize)>,
}

impl<S> Answers<S> {
    /// Looks at what goes out over this stream.
    pub fn new(stream: S) -> Self {
        Answers { stream, instead: None }
    }

    /// The stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Answers<S> {
    /// Writes all of what goes out instead; hyper then learns that its own answer is written.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some((bytes, written, own)) = &mut self.instead {
            if *written == bytes.len() {
                let own = *own;
                self.instead = None;
                return Poll::Ready(Ok(own));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => *written += more,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Whether something else goes out than these bytes.
    fn is_replaced(&mut self, bytes: &[u8]) -> bool {
        if self.instead.is_none() {
            self.instead = completed(bytes).map(|instead| (instead, 0, bytes.len()));
        }
        self.instead.is_some()
    }
}

/// The whole answer in the place of one that hyper made by itself; `None` if these bytes are none.
fn completed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = std::str::from_utf8(bytes.strip_suffix(b"\r\n\r\n")?).ok()?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    // One of ours has more than that.
    let is_bare = |line: &str| ["connection: close", "content-length: 0"].contains(&line) || line.starts_with("date: ");
    if !lines.all(is_bare) {
        return None;
    }
    let detail = match status {
        StatusCode::BAD_REQUEST => "this is no request of HTTP/1.1, or one that can be read in two ways".to_owned(),
        StatusCode::URI_TOO_LONG => "the address is too long".to_owned(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("the head of the request is longer than {HEAD_MAX} bytes, or has more than 100 headers")
        }
        _ => return None,
    };
    Some(raw_problem(status, &detail, &[]))
}

impl<S: AsyncRead + Unpin> AsyncRead for Answers<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answers<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_replaced(bytes) { self.poll_instead(cx) } else { Pin::new(&mut self.stream).poll_write(cx, bytes) }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // An answer of hyper's own is its head and nothing else.
            [head] if self.is_replaced(head) => self.poll_instead(cx),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_hyper_made_by_itself_are_completed() {
        let date = "date: Fri, 27 Nov 2026 00:00:00 GMT\r\n";
        let bare = format!(
            "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n{date}\r\n"
        );
        let whole = String::from_utf8(completed(bare.as_bytes()).expect("it is hyper's")).expect("it is text");
        let (head, body) = whole.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        for line in ["connection: close", "x-content-type-options: nosniff", "content-type: application/problem+json"] {
            assert!(head.split("\r\n").any(|l| l == line), "{line} in {head}");
        }
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert!(body.contains("\"status\":431"), "{body}");
        for ours in [
            format!("HTTP/1.1 400 Bad Request\r\nx-content-type-options: nosniff\r\ncontent-length: 0\r\n{date}\r\n"),
            format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{date}\r\n"),
            "HTTP/1.1 400 Bad Request\r\n".to_owned(),
            "HTTP/1.1".to_owned(),
            String::new(),
        ] {
            assert_eq!(completed(ours.as_bytes()), None, "{ours}");
        }
    }
}
