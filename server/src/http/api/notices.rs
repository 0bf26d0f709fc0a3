//! The operator's announcements.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::protocol::text::Text;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{UNTRUSTED_PROXY, not_the_operator};
use super::{Body, BodyRefused};
use crate::app::App;
use crate::operator::PresentedToken;
use crate::problem::{Problem, problem};
use crate::requester::{AddressSource, Requester};

/// An announcement to all players.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnnouncementRequest {
    /// The text, 1 to 200 characters.
    text: String,
}

/// Publishes an announcement in the topic `notices`, and keeps it for later subscribers. Requires the operator's token.
#[utoipa::path(
    post,
    path = "/api/notices",
    request_body = AnnouncementRequest,
    responses(
        (status = 204, description = "The announcement is published"),
        (status = 400, description = "The text is empty or too long", body = Problem),
        (status = 401, description = "The operator's token is missing or wrong", body = Problem),
        BodyRefused
    ),
    security(("operator" = []))
)]
pub(crate) async fn announce(
    State(app): State<Arc<App>>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    body: Result<Body<AnnouncementRequest>, Response>,
) -> Response {
    let presented = app.operator.presented(&headers);
    if requester.source == AddressSource::Unknown {
        return not_the_operator(presented, UNTRUSTED_PROXY);
    }
    if presented != PresentedToken::Valid {
        return not_the_operator(presented, "");
    }
    let text = match body.map(|Body(request)| Text::new(&request.text)) {
        Ok(Ok(text)) => text,
        Ok(Err(wrong)) => return problem(StatusCode::BAD_REQUEST, &format!("text: {wrong}")),
        Err(refused) => return refused,
    };
    tracing::info!(text = text.as_str(), "announcement published");
    app.lobby.announce(text);
    StatusCode::NO_CONTENT.into_response()
}
