//! Bounds of every request: admission, time limit, and the memory limit of its response.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::in_flight::{InFlight, InFlightLimit};
use super::{METRICS, WEBSOCKET};
use crate::app::App;
use crate::limits::admission::Admission;
use crate::metrics::labels::AddressLimit;
use crate::problem::problem;
use crate::requester::Requester;

/// Time from the head of a request to its response, including the request body.
const REQUEST_MAX: Duration = Duration::from_secs(20);

/// Middleware that applies the bounds.
pub(crate) async fn bounds(
    State((app, in_flight)): State<(Arc<App>, Arc<InFlight>)>,
    Extension(requester): Extension<Requester>,
    Extension(admission): Extension<Admission>,
    request: Request,
    next: Next,
) -> Response {
    // A script cannot read the status of a refused handshake: the WebSocket is opened first, then closed with a code.
    if let Some(refusal) = admission.refusal().filter(|_| request.uri().path() != WEBSOCKET) {
        return refusal;
    }
    // Metrics matter most under load, and only the operator gets them.
    let is_metrics = request.uri().path() == METRICS;
    let Ok(response) = tokio::time::timeout(REQUEST_MAX, next.run(request)).await else {
        let detail = format!("the request did not arrive completely within {} s", REQUEST_MAX.as_secs());
        let mut response = problem(StatusCode::REQUEST_TIMEOUT, &detail);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    };
    if is_metrics {
        return response;
    }
    let address = requester.address.ip();
    in_flight.charge(response, address, &app.lobby.context.limits).await.unwrap_or_else(|limit| {
        match limit {
            InFlightLimit::Server => drop(app.metrics.answers_refused.inc()),
            InFlightLimit::Address => app.lobby.context.refused(address, AddressLimit::InFlight),
        }
        limit.into_response()
    })
}
