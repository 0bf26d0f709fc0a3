//! The plain-HTTP port beside an https port. Its router redirects every request; each connection carries one request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::accept::{Accepted, Port, reject};
use super::admission::{ConnectionGuard, Descriptor};
use super::bare_responses::BareResponses;
use super::bounds::{HEAD_MAX, HEAD_TIMEOUT, REJECTION_TIMEOUT};
use crate::app::App;

/// Total lifetime of a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves until the app ends.
pub(crate) async fn serve(listener: TcpListener, router: Router, app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut port = Port::new(listener);
    loop {
        let Accepted { stream, peer, descriptor } = tokio::select! {
            accepted = port.accept() => accepted,
            () = crate::app::ended(&mut ending) => return,
        };
        let guard = match ConnectionGuard::new(&app, peer.ip(), descriptor) {
            Ok(guard) => guard,
            Err(why) => {
                reject(&stream, why);
                continue;
            }
        };
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        let mut ending = app.ending.clone();
        let timeout = if descriptor == Descriptor::FromReserve { REJECTION_TIMEOUT } else { CONNECTION_TIMEOUT };
        tokio::spawn(async move {
            if guard.start(peer.ip()).await.is_err() {
                return;
            }
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_MAX)
                .keep_alive(false)
                .serve_connection(TokioIo::new(BareResponses::new(stream)), service);
            tokio::select! {
                _ = tokio::time::timeout(timeout, connection) => {}
                () = crate::app::ended(&mut ending) => {}
            }
            drop(guard);
        });
    }
}
