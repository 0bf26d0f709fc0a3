//! A link between a browser and a server that tests can cut and restore.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::server::Server;

/// A running gate; it ends with this value, and every connection through it.
pub(crate) struct Gate {
    port: u16,
    open: watch::Sender<bool>,
}

impl Gate {
    /// Stands before `server`, open, on a free port.
    pub(crate) async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (open, seen) = watch::channel(true);
        let behind = Arc::new(server.address());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // While the link is cut, new connections are closed.
                if *seen.borrow() {
                    tokio::spawn(forward(near, Arc::clone(&behind), seen.clone()));
                }
            }
        });
        Gate { port, open }
    }

    /// The address of `path` on the server, through the gate.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Cuts every connection, and accepts no other.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn restore(&self) {
        self.open.send_replace(true);
    }
}

async fn forward(mut near: TcpStream, behind: Arc<String>, mut open: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(behind.as_str()).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
