//! Completes the bare responses that hyper itself sends to a request head that is malformed or too long: they carry only a status.
//! Here they get problem details and the headers of every other response.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bounds::HEAD_MAX;
use crate::problem::raw_problem;

/// A stream on which hyper's own responses are completed.
#[derive(Debug)]
pub(crate) struct BareResponses<S> {
    stream: S,
    replacement: Option<Replacement>,
}

/// A complete response in place of a bare one.
#[derive(Debug)]
struct Replacement {
    bytes: Vec<u8>,
    /// How many of `bytes` are written.
    written: usize,
    /// Length of hyper's own response.
    replaced: usize,
}

impl<S> BareResponses<S> {
    pub(crate) fn new(stream: S) -> Self {
        BareResponses { stream, replacement: None }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> BareResponses<S> {
    /// Writes all of the replacement, then reports hyper's own response as written.
    fn poll_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(replacement) = &mut self.replacement {
            if replacement.written == replacement.bytes.len() {
                let replaced = replacement.replaced;
                self.replacement = None;
                return Poll::Ready(Ok(replaced));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &replacement.bytes[replacement.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => replacement.written += more,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Whether a replacement goes out instead of these bytes.
    fn is_replaced(&mut self, bytes: &[u8]) -> bool {
        if self.replacement.is_none() {
            let replaced = bytes.len();
            self.replacement = completed(bytes).map(|bytes| Replacement { bytes, written: 0, replaced });
        }
        self.replacement.is_some()
    }
}

/// The complete response in place of one of hyper's own; `None` for any other bytes.
fn completed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = std::str::from_utf8(bytes.strip_suffix(b"\r\n\r\n")?).ok()?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    // Responses of the router have more headers.
    let is_bare = |line: &str| ["connection: close", "content-length: 0"].contains(&line) || line.starts_with("date: ");
    if !lines.all(is_bare) {
        return None;
    }
    let detail = match status {
        StatusCode::BAD_REQUEST => "the request is malformed or ambiguous HTTP/1.1".to_owned(),
        StatusCode::URI_TOO_LONG => "the request target is too long".to_owned(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("the head of the request is longer than {HEAD_MAX} bytes, or has more than 100 headers")
        }
        _ => return None,
    };
    Some(raw_problem(status, &detail, &[]))
}

impl<S: AsyncRead + Unpin> AsyncRead for BareResponses<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BareResponses<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_replaced(bytes) {
            self.poll_replacement(cx)
        } else {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // Hyper's own responses consist of the head only.
            [head] if self.is_replaced(head) => self.poll_replacement(cx),
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
    fn only_responses_of_hyper_itself_are_completed() {
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
