//! Opening a WebSocket, and connection errors as one line each.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use broadside_shared::link::LinkProfile;
use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::limits::{SERVER_FRAME_MAX, SILENCE_US};
use broadside_shared::replication::bits::WireError;
use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::proxy::LinkProxy;
use crate::tls_verification::TlsVerification;

/// An open connection to a server.
pub type Socket = WebSocketStream<Stream>;

/// The stream below a WebSocket: TCP, or TLS over TCP.
pub type Stream = Box<dyn ReadWrite>;

/// A bidirectional byte stream.
pub trait ReadWrite: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> ReadWrite for T {}

/// Timeout of connect and handshakes together.
const CONNECT: Duration = Duration::from_secs(10);

/// A validated server URL.
#[derive(Debug, Clone)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<TlsSettings>,
    /// The local address to connect from; `None` lets the system choose.
    from: Option<IpAddr>,
}

/// TLS settings of a wss URL.
#[derive(Debug, Clone)]
struct TlsSettings {
    config: Arc<ClientConfig>,
    /// The name that the server's certificate must match.
    name: ServerName<'static>,
}

/// Why a player could not connect or was disconnected.
#[derive(Debug, Error)]
pub enum PlayError {
    /// No server listens there, or there is no route to it.
    #[error("cannot reach {target}: {cause}; is the server running?")]
    Unreachable {
        /// The URL.
        target: String,
        /// The system's error.
        cause: String,
    },
    /// The peer answered, but not with a Broadside WebSocket.
    #[error("{target} refused the handshake: {cause}")]
    Handshake {
        /// The URL.
        target: String,
        /// The peer's answer.
        cause: String,
    },
    /// The server closed the connection with a close frame.
    #[error("server closed the connection: {reason} (code {code})")]
    Closed {
        /// The close code.
        code: u16,
        /// The reason in the close frame.
        reason: String,
    },
    /// The connection was lost.
    #[error("connection lost: {0}")]
    Lost(String),
    /// No message arrived for the time after which a server counts as lost.
    #[error("connection lost: no message from the server for {} s", SILENCE_US / 1_000_000)]
    Silent,
    /// The server sent bytes that are not a valid message.
    #[error("server sent a malformed frame: {0}")]
    Malformed(#[from] WireError),
}

impl PlayError {
    /// The code with which the server closed the connection.
    #[must_use]
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            PlayError::Closed { code, .. } => CloseCode::from_code(*code),
            PlayError::Unreachable { .. }
            | PlayError::Handshake { .. }
            | PlayError::Lost(_)
            | PlayError::Silent
            | PlayError::Malformed(_) => None,
        }
    }

    /// Whether a player who was in the game connects again without being asked to.
    #[must_use]
    pub fn is_retried(&self) -> bool {
        match self {
            PlayError::Closed { .. } => self.code().is_some_and(|code| code.retry() == Retry::Automatic),
            PlayError::Unreachable { .. } | PlayError::Handshake { .. } | PlayError::Lost(_) | PlayError::Silent => {
                true
            }
            PlayError::Malformed(_) => false,
        }
    }
}

impl Target {
    /// Parses a URL such as `ws://127.0.0.1:8080/ws` or `wss://game.example/ws`.
    ///
    /// # Errors
    /// What is wrong with it, and examples of valid URLs.
    pub fn parse(text: &str) -> Result<Target, String> {
        let wrong =
            |what: &str| format!("{what}; an address looks like ws://127.0.0.1:8080/ws or wss://game.example/ws");
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("not an address ({error})")))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            Some(scheme) => return Err(wrong(&format!("scheme is {scheme}, must be ws or wss"))),
            None => return Err(wrong("scheme is missing")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("host is missing"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|_| wrong("host is not a valid TLS server name"))?;
            Some(TlsSettings { config: TlsVerification::default().config()?, name })
        } else {
            None
        };
        Ok(Target { host, port, uri, tls, from: None })
    }

    /// The same server, whose certificate is verified as these flags say.
    ///
    /// # Errors
    /// What is wrong with the flags.
    pub fn with_tls_verification(mut self, verification: &TlsVerification) -> Result<Target, String> {
        match &mut self.tls {
            Some(tls) => tls.config = verification.config()?,
            None if verification.is_set() => {
                return Err(format!("--ca and --insecure are for wss://; {self} is not encrypted"));
            }
            None => {}
        }
        Ok(self)
    }

    /// The node at another URL of the same cluster, whose certificate is verified as that of this one.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn another(&self, url: &str) -> Result<Target, String> {
        let mut target = Target::parse(url)?;
        if let (Some(theirs), Some(ours)) = (&mut target.tls, &self.tls) {
            theirs.config = Arc::clone(&ours.config);
        }
        target.from = self.from;
        Ok(target)
    }
}

impl Target {
    /// Resolves the host; prefers IPv4.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] if the host has no address.
    pub fn resolve(&self) -> Result<SocketAddr, PlayError> {
        let unreachable = |cause: String| PlayError::Unreachable { target: self.to_string(), cause };
        let found =
            (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| unreachable(error.to_string()))?;
        let found: Vec<SocketAddr> = found.collect();
        // Many local servers listen on IPv4 only.
        let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
        best.copied().ok_or_else(|| unreachable("the host has no address".to_owned()))
    }

    /// Whether it is a wss URL.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// The same server, connected to from this local address.
    #[must_use]
    pub fn from_local_address(mut self, address: IpAddr) -> Target {
        self.from = Some(address);
        self
    }

    async fn dial(&self) -> std::io::Result<TcpStream> {
        let Some(from) = self.from else { return TcpStream::connect((self.host.as_str(), self.port)).await };
        let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(self.resolve().map_err(std::io::Error::other)?).await
    }

    /// A new TLS connection to the server, before its handshake; `None` for ws URLs.
    ///
    /// # Errors
    /// [`PlayError::Handshake`] if TLS cannot start.
    pub fn tls_connection(&self) -> Result<Option<ClientConnection>, PlayError> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let connection = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone());
        connection
            .map(Some)
            .map_err(|error| PlayError::Handshake { target: self.to_string(), cause: error.to_string() })
    }

    /// Path and query of the URL.
    #[must_use]
    pub(crate) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// Host and port as written in the URL.
    #[must_use]
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or(self.host.as_str(), |authority| authority.as_str())
    }

    /// The same server, reached over a simulated link: starts the proxy that simulates it.
    ///
    /// # Errors
    /// [`PlayError::Unreachable`] if the proxy cannot bind a port.
    pub async fn through(&self, profile: LinkProfile, seed: u64) -> Result<(Target, LinkProxy), PlayError> {
        let proxy = LinkProxy::start((self.host.clone(), self.port), profile, seed).await.map_err(|error| {
            PlayError::Unreachable {
                target: self.to_string(),
                cause: format!("the link proxy cannot bind a port: {error}"),
            }
        })?;
        let (host, port) = (proxy.address.ip().to_string(), proxy.address.port());
        Ok((Target { host, port, ..self.clone() }, proxy))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

/// Connects and completes the TLS and WebSocket handshakes.
///
/// # Errors
/// [`PlayError::Unreachable`] or [`PlayError::Handshake`].
pub async fn connect(target: &Target) -> Result<Socket, PlayError> {
    let unreachable = |cause: String| PlayError::Unreachable { target: target.to_string(), cause };
    let refused = |cause: String| PlayError::Handshake { target: target.to_string(), cause };
    let opening = async {
        let stream = target.dial().await.map_err(|error| unreachable(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let stream: Stream = match &target.tls {
            None => Box::new(stream),
            Some(tls) => {
                let connector = TlsConnector::from(Arc::clone(&tls.config));
                Box::new(connector.connect(tls.name.clone(), stream).await.map_err(|error| refused(tls_error(&error)))?)
            }
        };
        let mut request = target.uri.clone().into_client_request().map_err(|error| refused(error.to_string()))?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(0)
            .max_message_size(Some(SERVER_FRAME_MAX))
            .max_frame_size(Some(SERVER_FRAME_MAX));
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| refused(describe(&error)))?;
        Ok(socket)
    };
    match tokio::time::timeout(CONNECT, opening).await {
        Ok(result) => result,
        Err(_) => Err(unreachable(format!("no answer within {} s", CONNECT.as_secs()))),
    }
}

/// Describes a failed TLS handshake.
fn tls_error(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("{error}; --ca FILE accepts a certificate of your own, --insecure accepts any")
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("the server does not speak TLS ({error}); is it a ws:// server?")
        }
        Some(_) | None => format!("TLS: {error}"),
    }
}

/// Describes a WebSocket error.
#[must_use]
pub(crate) fn describe(error: &WsError) -> String {
    match error {
        WsError::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let body = body.lines().next().unwrap_or("").chars().take(200).collect::<String>();
            format!("status {} {body}", response.status()).trim_end().to_owned()
        }
        error => error.to_string(),
    }
}

/// The error for a close frame.
#[must_use]
pub(crate) fn closed_error(code: u16, reason: &str) -> PlayError {
    let reason = match CloseCode::from_code(code) {
        Some(known @ CloseCode::TooManyFromAddress) => {
            return PlayError::Closed {
                code,
                reason: format!("{}; start the server with --limit-exempt and this machine's address", known.reason()),
            };
        }
        Some(known) if reason.is_empty() => known.reason(),
        Some(_) | None => reason,
    };
    PlayError::Closed { code, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_accepted_or_refused_with_the_reason() {
        assert!(Target::parse("ws://127.0.0.1:8080/ws").is_ok());
        assert_eq!(Target::parse("ws://[::1]/ws").map(|t| (t.host, t.port)), Ok(("::1".to_owned(), 80)));
        assert_eq!(Target::parse("wss://[::1]/ws").map(|t| (t.host, t.port)), Ok(("::1".to_owned(), 443)));
        let any = TlsVerification { insecure: true, ca: None };
        Target::parse("wss://localhost/ws")
            .and_then(|target| target.with_tls_verification(&any))
            .expect("any certificate is accepted");
        let refusal = Target::parse("ws://localhost/ws")
            .and_then(|target| target.with_tls_verification(&any))
            .expect_err("no TLS");
        assert!(refusal.contains("for wss://"), "{refusal}");
        let home = Target::parse("wss://localhost/ws").and_then(|target| target.with_tls_verification(&any));
        let other = home.as_ref().map(|home| home.another("wss://n2.example:8443/game/ws"));
        let other = other.expect("a target").expect("another");
        assert_eq!((other.host.as_str(), other.port), ("n2.example", 8443));
        let config = |target: &Target| target.tls.as_ref().map(|tls| Arc::as_ptr(&tls.config));
        assert_eq!(config(&other), home.as_ref().ok().and_then(config), "certificates are verified alike");
        for (bad, says) in [
            ("http://127.0.0.1/ws", "scheme is http"),
            ("127.0.0.1:8080", "scheme"),
            ("ws:///ws", "not an address"),
            ("", "not an address"),
        ] {
            let refusal = Target::parse(bad).expect_err(bad);
            assert!(refusal.contains(says) && refusal.contains("looks like"), "{bad}: {refusal}");
        }
    }
}
