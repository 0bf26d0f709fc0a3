//! Friends of the account that asks: who they are, where they are, and how they become friends.
//!
//! Both sides keep their names: a friend is found, and shown, by name.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_store::StoreError;
use broadside_store::accounts::Account;
use broadside_store::friends::{Friend, FriendLink, Friendship};
use serde::Serialize;
use utoipa::ToSchema;

use super::accounts::browser::SignedIn;
use super::players::{looks_of, nobody};
use super::presence::{Elsewhere, PresenceView};
use super::tagged::{Audience, json, tagged};
use super::{store_failed, uncached};
use crate::app::App;
use crate::problem::{Problem, problem};
use crate::secret::{base64url, bytes};
use crate::store::now_us;

/// How long a link is valid, in microseconds: a week.
const LINK_US: i64 = 7 * 86_400_000_000;
/// Random bytes of a link's code: too many to be guessed, so that wrong ones need no limit of their own.
const CODE_BYTES: usize = 12;

/// Friends, and those who may become friends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendsView {
    /// In order of name, at most 400.
    friends: Vec<FriendView>,
    /// The account's link; null without a valid one.
    link: Option<FriendLinkView>,
}

/// A friend, or somebody who may become one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendView {
    /// Player name.
    name: String,
    /// friends; requested: the account has asked; asked: the other one has.
    friendship: &'static str,
    /// Since when they are friends, in seconds since 1970; null before.
    since_s: Option<i64>,
    /// Where the friend is. Who is no friend is shown nowhere.
    #[serde(flatten)]
    presence: PresenceView,
}

/// A link by which others become friends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendLinkView {
    /// Path of its page, with the server's base path if there is one.
    link: String,
    /// When it stops being valid, in seconds since 1970.
    expires_s: i64,
}

/// Whose link it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationView {
    /// Player name.
    name: String,
    /// When the link stops being valid, in seconds since 1970.
    expires_s: i64,
}

/// How two players stand to each other.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FriendshipView {
    /// Name of the other one.
    name: String,
    /// friends or requested.
    friendship: &'static str,
}

/// Why friends cannot be made.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "a description of what the handlers answer")]
enum FriendRefused {
    /// The browser is not signed in
    #[response(status = 401)]
    NotSignedIn(Problem),
    /// The account keeps no name, or the request does not come from a page of this server
    #[response(status = 403)]
    NoName(Problem),
    /// The account is the other one, or one of the two has 200 friends
    #[response(status = 409)]
    NotPossible(Problem),
    /// The content-type header does not say JSON
    #[response(status = 415)]
    NotJson(Problem),
    /// The account makes friends too fast
    #[response(status = 429)]
    TooFast(Problem),
    /// The database does not answer
    #[response(status = 503)]
    Unavailable(Problem),
}

/// Lists the friends of the account that the browser is signed in to, who asks to be one, and who was asked.
#[utoipa::path(
    get,
    path = "/api/friends",
    responses(
        (status = 200, body = FriendsView),
        (status = 304, description = "The client has it"),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn friends(State(app): State<Arc<App>>, headers: HeaderMap, signed_in: SignedIn) -> Response {
    let account = signed_in.account.id;
    let found = async {
        let friends = app.store.friends(account).await?;
        Ok::<_, StoreError>((friends, app.store.friend_link(account, now_us()).await?))
    };
    match found.await {
        Ok((friends, link)) => {
            let are = friends.iter().filter(|friend| matches!(friend.friendship, Friendship::Since(_)));
            let elsewhere = Elsewhere::ask(&app, are.map(|friend| friend.account.id).collect()).await;
            let view = FriendsView {
                friends: friends.into_iter().map(|friend| FriendView::of(&app, friend, &elsewhere)).collect(),
                link: link.map(|link| FriendLinkView::of(&app, &link)),
            };
            tagged(&headers, &json(&view), Audience::Account)
        }
        Err(error) => store_failed(&error),
    }
}

/// Asks a player for a friendship, or agrees to one that the player asked for.
#[utoipa::path(
    put,
    path = "/api/friends/{name}",
    params(("name" = String, Path, description = "A name that an account keeps")),
    responses(
        (status = 200, body = FriendshipView),
        (status = 404, description = "No account keeps this name", body = Problem),
        FriendRefused
    )
)]
pub(crate) async fn befriend(
    State(app): State<Arc<App>>,
    signed_in: SignedIn,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    if let Some(refused) = not_now(&app, &signed_in) {
        return refused;
    }
    let made = async {
        let Some(other) = app.store.account_named(&looks_of(&name)).await? else { return Ok(None) };
        let friendship = app.store.befriend(signed_in.account.id, other.id, now_us()).await?;
        Ok(Some(FriendshipView { name: other.name, friendship: word(friendship) }))
    };
    match made.await {
        Ok(Some(view)) => uncached(Json(view)),
        Ok(None) => nobody(&name),
        Err(error) => not_made(&error),
    }
}

/// Ends a friendship, withdraws a request, or declines one.
#[utoipa::path(
    delete,
    path = "/api/friends/{name}",
    params(("name" = String, Path, description = "A name that an account keeps")),
    responses(
        (status = 204, description = "They are no friends, and nobody asks to be"),
        (status = 401, description = "The browser is not signed in", body = Problem),
        (status = 403, description = "The request does not come from a page of this server", body = Problem),
        (status = 404, description = "No account keeps this name", body = Problem),
        (status = 415, description = "The content-type header does not say JSON", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn unfriend(
    State(app): State<Arc<App>>,
    signed_in: SignedIn,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let ended = async {
        let Some(other) = app.store.account_named(&looks_of(&name)).await? else { return Ok(None) };
        app.store.unfriend(signed_in.account.id, other.id).await.map(Some)
    };
    match ended.await {
        Ok(Some(_)) => StatusCode::NO_CONTENT.into_response(),
        Ok(None) => nobody(&name),
        Err(error) => store_failed(&error),
    }
}

/// Makes a link by which others become friends, valid for a week. It takes the place of the account's former one.
#[utoipa::path(post, path = "/api/friend-link", responses((status = 200, body = FriendLinkView), FriendRefused))]
pub(crate) async fn make_link(State(app): State<Arc<App>>, signed_in: SignedIn) -> Response {
    if let Some(refused) = not_now(&app, &signed_in) {
        return refused;
    }
    let link = FriendLink { code: base64url(&bytes::<CODE_BYTES>()), expires_us: now_us() + LINK_US };
    match app.store.set_friend_link(signed_in.account.id, &link.code, link.expires_us).await {
        Ok(()) => uncached(Json(FriendLinkView::of(&app, &link))),
        Err(error) => store_failed(&error),
    }
}

/// Shows whose link it is.
#[utoipa::path(
    get,
    path = "/api/friend-link/{code}",
    params(("code" = String, Path, description = "The last part of the link")),
    responses(
        (status = 200, body = InvitationView),
        (status = 404, description = "There is no such link, or no longer", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem)
    )
)]
pub(crate) async fn invitation(State(app): State<Arc<App>>, code: Result<Path<String>, PathRejection>) -> Response {
    match inviter(&app, code).await {
        Ok((inviter, link)) => {
            uncached(Json(InvitationView { name: inviter.name, expires_s: link.expires_us / 1_000_000 }))
        }
        Err(refused) => refused,
    }
}

/// Makes the account a friend of the one whose link it is.
#[utoipa::path(
    post,
    path = "/api/friend-link/{code}",
    params(("code" = String, Path, description = "The last part of the link")),
    responses(
        (status = 200, body = FriendshipView),
        (status = 404, description = "There is no such link, or no longer", body = Problem),
        FriendRefused
    )
)]
pub(crate) async fn accept_invitation(
    State(app): State<Arc<App>>,
    signed_in: SignedIn,
    code: Result<Path<String>, PathRejection>,
) -> Response {
    if let Some(refused) = not_now(&app, &signed_in) {
        return refused;
    }
    let inviter = match inviter(&app, code).await {
        Ok((inviter, _)) => inviter,
        Err(refused) => return refused,
    };
    match app.store.befriend_both(signed_in.account.id, inviter.id, now_us()).await {
        Ok(since_us) => {
            let friendship = word(Friendship::Since(since_us));
            uncached(Json(FriendshipView { name: inviter.name, friendship }))
        }
        Err(error) => not_made(&error),
    }
}

/// The account whose link has this code, and the link.
async fn inviter(app: &App, code: Result<Path<String>, PathRejection>) -> Result<(Account, FriendLink), Response> {
    let gone = || problem(StatusCode::NOT_FOUND, "this link is not valid, or no longer; ask for a new one");
    let code = code.map(|Path(code)| code).unwrap_or_default();
    if code.len() != CODE_BYTES * 4 / 3 || !code.is_ascii() {
        return Err(gone());
    }
    let now = now_us();
    let found = async {
        let Some(account) = app.store.account_of_friend_link(&code, now).await? else { return Ok(None) };
        Ok::<_, StoreError>(app.store.friend_link(account.id, now).await?.map(|link| (account, link)))
    };
    found.await.map_err(|error| store_failed(&error))?.ok_or_else(gone)
}

/// The refusal of an account that cannot make friends, or not so fast.
fn not_now(app: &App, SignedIn { account, .. }: &SignedIn) -> Option<Response> {
    if !account.keeps_name {
        let detail = "friends are found by name: keep your name at /account first";
        return Some(problem(StatusCode::FORBIDDEN, detail));
    }
    let wait_s = app.befriending.take(account.id, 1, app.lobby.context.clock.now()).err()?;
    let detail = format!("that was a lot at once; make more friends in {wait_s} s");
    Some(([(RETRY_AFTER, wait_s.to_string())], problem(StatusCode::TOO_MANY_REQUESTS, &detail)).into_response())
}

/// The answer when a friendship was not made.
fn not_made(error: &StoreError) -> Response {
    match error {
        StoreError::Conflict(why) => problem(StatusCode::CONFLICT, why),
        StoreError::Unavailable(_) | StoreError::Failed(_) => store_failed(error),
    }
}

fn word(friendship: Friendship) -> &'static str {
    match friendship {
        Friendship::Requested => "requested",
        Friendship::Asked => "asked",
        Friendship::Since(_) => "friends",
    }
}

impl FriendView {
    fn of(app: &App, Friend { account, friendship }: Friend, elsewhere: &Elsewhere) -> FriendView {
        let (presence, since_s) = match friendship {
            Friendship::Since(since_us) => (PresenceView::of(app, account.id, elsewhere), Some(since_us / 1_000_000)),
            Friendship::Requested | Friendship::Asked => (PresenceView::HIDDEN, None),
        };
        FriendView { name: account.name, friendship: word(friendship), since_s, presence }
    }
}

impl FriendLinkView {
    fn of(app: &App, link: &FriendLink) -> FriendLinkView {
        FriendLinkView {
            link: format!("{}/friend/{}", app.config.base_path, link.code),
            expires_s: link.expires_us / 1_000_000,
        }
    }
}
