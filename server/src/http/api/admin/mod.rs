//! What moderators and admins see and do. There is none of it until somebody has a role (`broadside-server admin grant NAME`).
//!
//! | module | endpoints |
//! |---|---|
//! | [`views`] | `GET /api/admin`, `/api/admin/reports`, `/api/admin/restrictions`, `/api/admin/audit` |
//! | [`actions`] | `POST /api/admin/actions` |

pub(crate) mod actions;
pub(crate) mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use broadside_store::accounts::{Account, Role};

use super::super::no_such_route;
use super::accounts::browser::SignedIn;
use super::store_failed;
use crate::app::App;
use crate::problem::coded_problem;

/// All routes of this folder.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/admin", get(views::overview))
        .route("/api/admin/reports", get(views::reports))
        .route("/api/admin/restrictions", get(views::restrictions))
        .route("/api/admin/audit", get(views::audit))
        .route("/api/admin/actions", post(actions::act))
}

/// Who is signed in, and may moderate. Refused with 404 while nobody has a role, and with 401 or 403 where somebody else asks.
#[derive(Debug, Clone)]
pub(crate) struct Staff(pub(crate) Account);

impl FromRequestParts<Arc<App>> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Staff, Response> {
        let staff = app.store.staff().await.map_err(|error| store_failed(&error))?;
        if staff.is_empty() {
            return Err(no_such_route(parts.uri.clone()).await);
        }
        let SignedIn { account, .. } = SignedIn::from_request_parts(parts, app).await?;
        if account.role < Role::Moderator {
            let detail = "this is for moderators; an admin makes you one";
            return Err(coded_problem(StatusCode::FORBIDDEN, "not_a_moderator", detail));
        }
        Ok(Staff(account))
    }
}

/// Whether there is a page for moderators: whether anybody has a role. Not while the database does not answer.
pub(crate) async fn has_staff(app: &App) -> bool {
    app.store.staff().await.is_ok_and(|staff| !staff.is_empty())
}
