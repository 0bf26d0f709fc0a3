//! HTTP: the browser client, the public API and the metrics. The WebSocket handler is passed in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`bounds`] | admission, request timeout and memory limit of every request |
//! | [`gate`] | checks of every request: host, origin, body |
//! | [`in_flight`] | memory that responses in flight may take |
//! | [`api`] | rooms, quick play, leaderboard, announcements, accounts, health, the schema of the game |
//! | [`assets`] | the browser client |
//! | [`pages`] | which file is at which address, and what a page may do |
//! | [`link_preview`] | what messengers show of a link |
//! | [`metrics`] | the metrics page |
//! | [`redirect`] | the router of the plain-HTTP port, which redirects to https |
//! | [`store`] | files held in memory |
//! | [`recent`] | answers of the database that are shared for a moment |
//! | [`precondition`] | conditional requests |
//! | [`coding`] | content codings |

pub mod api;
pub(crate) mod assets;
pub(crate) mod bounds;
pub(crate) mod coding;
pub(crate) mod gate;
pub(crate) mod in_flight;
pub(crate) mod link_preview;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod precondition;
pub(crate) mod recent;
pub(crate) mod redirect;
pub(crate) mod store;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post, put};
use axum::{Extension, Router};

use crate::app::App;
use crate::operator::PresentedToken;
use crate::problem::problem;
use crate::security_headers;
use api::leaderboards::RecentBoards;
use api::players::RecentPlayers;
use api::schema::SchemaFile;
use assets::Assets;
use in_flight::InFlight;

/// Longest body of a request in bytes: the longest useful one is an announcement of 200 characters.
const BODY_MAX_BYTES: usize = 16 * 1024;

const METRICS: &str = "/metrics";
const WEBSOCKET: &str = "/ws";

/// All routes of the server; `websocket` handles the WebSocket handshake.
pub(crate) fn router(app: Arc<App>, schema: SchemaFile, websocket: MethodRouter<Arc<App>>) -> Router {
    let assets = Arc::new(Assets::new(&app.config));
    let in_flight = Arc::new(InFlight::default());
    Router::new()
        .route(WEBSOCKET, websocket)
        .route("/healthz", get(api::health::healthz))
        .route("/readyz", get(api::health::readyz))
        .route(METRICS, get(metrics::metrics))
        .route("/api/rooms", get(api::rooms::rooms).post(api::rooms::create_room))
        .route("/api/rooms/{id}", get(api::rooms::room))
        .route("/api/rooms/{id}/last-minute", post(api::recordings::last_minute))
        .route("/api/quickplay", post(api::quick_play::quick_play))
        .route("/api/leaderboard", get(api::leaderboard::leaderboard))
        .route("/api/leaderboards", get(api::leaderboards::leaderboards))
        .route("/api/seasons", get(api::leaderboards::seasons))
        .route("/api/players/{name}", get(api::players::player))
        .route("/api/players/{name}/results", get(api::results::player_results))
        .route("/api/friends", get(api::friends::friends))
        .route("/api/friends/{name}", put(api::friends::befriend).delete(api::friends::unfriend))
        .route("/api/friend-link", post(api::friends::make_link))
        .route("/api/friend-link/{code}", get(api::friends::invitation).post(api::friends::accept_invitation))
        .route("/api/matches/{id}", get(api::results::match_result))
        .route("/api/recordings/{id}", get(api::recordings::recording))
        .route("/api/nodes", get(api::nodes::nodes))
        .route("/api/notices", post(api::notices::announce))
        .route("/api/schema", get(api::schema::schema))
        .merge(api::accounts::routes())
        .merge(api::admin::routes())
        .route("/api/openapi.json", get(api::description::description))
        .route("/api/{*rest}", any(no_such_route))
        .fallback(assets::serve)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), gate::gate))
        .layer(Extension(assets))
        .layer(Extension(Arc::new(schema)))
        .layer(Extension(Arc::new(RecentBoards::new())))
        .layer(Extension(Arc::new(RecentPlayers::new())))
        .layer(middleware::from_fn_with_state((Arc::clone(&app), in_flight), bounds::bounds))
        .layer(middleware::map_response(security_headers::add))
        .with_state(app)
}

/// Why a request that may come from anyone does not count as the operator's, even with the token.
const UNTRUSTED_PROXY: &str = "the request came through a proxy that --trust-proxy does not name";

/// The refusal of a call that needs the operator's token (RFC 6750, section 3); `way_out` says what else would help.
fn not_the_operator(presented: PresentedToken, way_out: &str) -> Response {
    let (what, challenge) = match presented {
        PresentedToken::Invalid => ("the token is wrong", "Bearer realm=\"operator\", error=\"invalid_token\""),
        PresentedToken::None | PresentedToken::Valid => {
            ("this needs the operator's token", "Bearer realm=\"operator\"")
        }
    };
    let detail = format!(
        "{what}: send `Authorization: Bearer TOKEN` with the token from the file that the server logs at startup; \
         {way_out}"
    );
    let mut response = problem(StatusCode::UNAUTHORIZED, detail.trim_end_matches("; "));
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

async fn no_such_route(uri: axum::http::Uri) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no {}; /api/openapi.json lists the API", uri.path()))
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not answer {method}; /api/openapi.json lists its methods", uri.path()),
    )
}
