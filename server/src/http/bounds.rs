//! What every request passes: whether its sender may stay, how long it may take, and whether there is memory for its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;

use super::in_flight::Refused;
use super::{METRICS, WEBSOCKET, problem};
use crate::app::App;
use crate::metrics::labels::AddressLimit;
use crate::net::admission::Verdict;
use crate::net::client::Client;

/// Time that a request may take from its head to its answer, its body included.
const REQUEST_MAX: Duration = Duration::from_secs(20);

/// Answers a request within its bounds.
pub async fn bounds<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    Extension(verdict): Extension<Verdict>,
    request: Request,
    next: Next,
) -> Response {
    // A script cannot read why a handshake is refused: a WebSocket is opened first, and then closed with a code.
    if let Some(refusal) = verdict.refusal().filter(|_| request.uri().path() != WEBSOCKET) {
        return refusal;
    }
    // Figures are wanted most when much is on its way, and nobody else gets them.
    let is_operators = request.uri().path() == METRICS;
    let Ok(answer) = tokio::time::timeout(REQUEST_MAX, next.run(request)).await else {
        let detail = format!("the request did not come whole within {} s", REQUEST_MAX.as_secs());
        let mut answer = problem(StatusCode::REQUEST_TIMEOUT, &detail);
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return answer;
    };
    if is_operators {
        return answer;
    }
    let address = client.address.ip();
    app.in_flight.charge(answer, address, &app.lobby.context.limits).await.unwrap_or_else(|why| {
        match why {
            Refused::Server => drop(app.metrics.answers_refused.inc()),
            Refused::Address => app.lobby.context.refused(address, AddressLimit::InFlight),
        }
        why.into_response()
    })
}
