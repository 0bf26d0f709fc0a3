//! What moderators do to players and rooms. Each action is in the audit log before its effect is seen.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broadside_shared::ids::RoomId;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::text::Text;
use broadside_store::accounts::{Account, Role};
use broadside_store::moderation::{AuditEntry, Restriction, RestrictionKind};
use broadside_store::{StoreError, new_id};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::players::looks_of;
use super::super::results::from_hex;
use super::super::{Body, BodyRefused, store_failed};
use super::Staff;
use super::views::StaffRefused;
use crate::app::App;
use crate::moderation;
use crate::peers::records::Control;
use crate::problem::{Problem, problem};
use crate::store::now_us;

/// Longest reason, in characters.
const REASON_MAX: usize = 200;
/// Longest time of a restriction, in minutes: ten years.
const MINUTES_MAX: u32 = 10 * 366 * 24 * 60;

/// What to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AdminAction {
    /// Closes a player's connection and frees the seat.
    Kick {
        /// Name of a connected player.
        player: String,
        /// For the audit log, at most 200 characters.
        #[serde(default)]
        reason: String,
    },
    /// Keeps an account from playing.
    Ban {
        /// Name of a connected player with an account, or a name that an account keeps.
        player: String,
        /// For how many minutes; null for ever.
        minutes: Option<u32>,
        /// Shown to the player, at most 200 characters.
        #[serde(default)]
        reason: String,
    },
    /// Keeps an account from chatting.
    Mute {
        /// As for a ban.
        player: String,
        /// For how many minutes; null for ever.
        minutes: Option<u32>,
        /// Shown to the player, at most 200 characters.
        #[serde(default)]
        reason: String,
    },
    /// Lifts a ban.
    Unban {
        /// As for a ban.
        player: String,
    },
    /// Lifts a mute.
    Unmute {
        /// As for a ban.
        player: String,
    },
    /// Ends a room that was opened on demand; its players return to the lobby.
    CloseRoom {
        /// Room number.
        room: u32,
    },
    /// Ends a node of the cluster, whose rooms move to another one; for admins.
    EndNode {
        /// Its number.
        node: u16,
    },
    /// Publishes an announcement to all players.
    Announce {
        /// 1 to 200 characters.
        text: String,
    },
    /// Marks a report as handled.
    HandleReport {
        /// Its id.
        report: String,
    },
    /// Gives an account a role; for admins.
    SetRole {
        /// A name that an account keeps.
        player: String,
        /// player, moderator or admin.
        role: String,
    },
}

/// Why an action is not possible.
enum Refusal {
    Store(StoreError),
    Why(StatusCode, String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Refusal::Store(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Store(error) => store_failed(&error),
            Refusal::Why(status, why) => problem(status, &why),
        }
    }
}

fn refuse<T>(status: StatusCode, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Why(status, why.into()))
}

/// Does something to a player or a room.
#[utoipa::path(
    post,
    path = "/api/admin/actions",
    request_body = AdminAction,
    responses(
        (status = 204, description = "It is done"),
        (status = 400, description = "A value is out of range", body = Problem),
        (status = 409, description = "There is no such player, room or report, or nothing to do it to", body = Problem),
        StaffRefused,
        BodyRefused
    )
)]
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Staff(actor): Staff,
    body: Result<Body<AdminAction>, Response>,
) -> Response {
    let Body(action) = match body {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    match carry_out(&app, &actor, action).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn carry_out(app: &App, actor: &Account, action: AdminAction) -> Result<(), Refusal> {
    let by = By { app, actor };
    match action {
        AdminAction::Kick { player, reason } => by.kick(&player, &reason).await,
        AdminAction::Ban { player, minutes, reason } => {
            by.restrict(RestrictionKind::Ban, &player, minutes, reason).await
        }
        AdminAction::Mute { player, minutes, reason } => {
            by.restrict(RestrictionKind::Mute, &player, minutes, reason).await
        }
        AdminAction::Unban { player } => by.lift(RestrictionKind::Ban, &player).await,
        AdminAction::Unmute { player } => by.lift(RestrictionKind::Mute, &player).await,
        AdminAction::CloseRoom { room } => by.close_room(room).await,
        AdminAction::EndNode { node } => by.end_node(node).await,
        AdminAction::Announce { text } => by.announce(&text).await,
        AdminAction::HandleReport { report } => by.handle_report(&report).await,
        AdminAction::SetRole { player, role } => by.set_role(&player, &role).await,
    }
}

/// An action of a moderator.
struct By<'a> {
    app: &'a App,
    actor: &'a Account,
}

impl By<'_> {
    async fn log(&self, action: &str, subject: &str, detail: &str) -> Result<(), Refusal> {
        let now = now_us();
        let [action, subject, detail] = [action, subject, detail].map(str::to_owned);
        tracing::info!(actor = self.actor.name, action, subject, detail, "moderation");
        let entry =
            AuditEntry { id: new_id(now), actor: self.actor.name.clone(), action, subject, detail, acted_us: now };
        Ok(self.app.store.audit(&entry).await?)
    }

    /// The account of a connected player, or the one that keeps the name. Nobody moderates who has the same role or a higher one.
    async fn account(&self, player: &str) -> Result<Account, Refusal> {
        let sessions = &self.app.lobby.sessions;
        let session = Name::new(player).ok().and_then(|name| sessions.find(&name));
        let found = match session.and_then(|session| sessions.account_of(session)) {
            Some(account) => self.app.store.account(account).await?,
            None => self.app.store.account_named(&looks_of(player)).await?,
        };
        match found {
            Some(account) if account.role >= self.actor.role => {
                refuse(StatusCode::CONFLICT, format!("{player} is {} as well", account.role.name()))
            }
            Some(account) => Ok(account),
            None if session.is_some() => {
                refuse(StatusCode::CONFLICT, format!("{player} plays without an account: remove the player instead"))
            }
            None => refuse(StatusCode::CONFLICT, format!("no account is called {player}")),
        }
    }

    async fn kick(&self, player: &str, reason: &str) -> Result<(), Refusal> {
        let reason = checked_reason(reason)?;
        let lobby = &self.app.lobby;
        let session = Name::new(player).ok().and_then(|name| lobby.sessions.find(&name));
        if session.is_none() && lobby.peers.is_none() {
            return refuse(StatusCode::CONFLICT, format!("{player} is not connected"));
        }
        self.log("kick", player, &reason).await?;
        match session {
            Some(session) => lobby.kick(session, CloseCode::Kicked, &*self.app.rooms),
            // On another node, if anywhere.
            None => {
                lobby.tell_nodes(Control::KickName { name: player.to_owned(), code: CloseCode::Kicked.code() });
            }
        }
        Ok(())
    }

    async fn restrict(
        &self,
        kind: RestrictionKind,
        player: &str,
        minutes: Option<u32>,
        reason: String,
    ) -> Result<(), Refusal> {
        let reason = checked_reason(&reason)?;
        if minutes.is_some_and(|minutes| !(1..=MINUTES_MAX).contains(&minutes)) {
            return refuse(StatusCode::BAD_REQUEST, format!("minutes: must be 1 to {MINUTES_MAX}, or null for ever"));
        }
        let account = self.account(player).await?;
        let now = now_us();
        let restriction = Restriction {
            account: account.id,
            name: account.name,
            kind,
            until_us: minutes.map(|minutes| now + i64::from(minutes) * 60_000_000),
            reason: reason.clone(),
            imposed_by: self.actor.name.clone(),
            imposed_us: now,
        };
        let length = minutes.map_or("for ever".to_owned(), |minutes| format!("{minutes} min"));
        self.log(word(kind), player, format!("{length} {reason}").trim()).await?;
        self.app.store.restrict(&restriction).await?;
        moderation::impose(&self.app.lobby, &restriction);
        self.app.lobby.tell_nodes(Control::Account { account: account.id });
        if kind == RestrictionKind::Ban {
            self.app.lobby.kick_account_everywhere(account.id, CloseCode::Banned, &*self.app.rooms);
        }
        Ok(())
    }

    async fn lift(&self, kind: RestrictionKind, player: &str) -> Result<(), Refusal> {
        let account = self.account(player).await?;
        if !self.app.store.lift(account.id, kind).await? {
            return refuse(StatusCode::CONFLICT, format!("there is no {} of {player}", word(kind)));
        }
        match kind {
            RestrictionKind::Ban => self.app.lobby.restrictions.unban(account.id),
            RestrictionKind::Mute => self.app.lobby.restrictions.unmute(account.id),
        }
        self.app.lobby.tell_nodes(Control::Account { account: account.id });
        self.log(&format!("un{}", word(kind)), player, "").await
    }

    async fn close_room(&self, room: u32) -> Result<(), Refusal> {
        let Some(room) = self.app.rooms.get(RoomId(room)) else {
            return refuse(StatusCode::CONFLICT, format!("there is no room {room}"));
        };
        if !room.is_ephemeral {
            return refuse(StatusCode::CONFLICT, "this room is open as long as the server runs (--rooms)");
        }
        self.log("close room", &room.name, "").await?;
        self.app.rooms.close(room.id());
        Ok(())
    }

    async fn announce(&self, text: &str) -> Result<(), Refusal> {
        let text = match Text::new(text) {
            Ok(text) => text,
            Err(wrong) => return refuse(StatusCode::BAD_REQUEST, format!("text: {wrong}")),
        };
        self.log("announce", "everyone", text.as_str()).await?;
        self.app.lobby.announce(text);
        Ok(())
    }

    /// The program of the node ends as on SIGTERM.
    async fn end_node(&self, node: u16) -> Result<(), Refusal> {
        if self.actor.role != Role::Admin {
            return refuse(StatusCode::FORBIDDEN, "only an admin ends nodes");
        }
        let lobby = &self.app.lobby;
        let Some(peers) = &lobby.peers else {
            return refuse(StatusCode::CONFLICT, "this server is no node of a cluster");
        };
        let is_there = node == peers.node || peers.view().node(node, lobby.context.clock.now()).is_some();
        if !is_there {
            return refuse(StatusCode::CONFLICT, format!("no node {node} is there"));
        }
        self.log("end node", &node.to_string(), "").await?;
        if node == peers.node {
            self.app.asked_to_end.notify_one();
        } else {
            lobby.tell_nodes(Control::EndNode { node });
        }
        Ok(())
    }

    async fn handle_report(&self, report: &str) -> Result<(), Refusal> {
        let subject = match from_hex(report) {
            Some(id) => self.app.store.handle_report(id, &self.actor.name, now_us()).await?,
            None => None,
        };
        match subject {
            Some(subject) => self.log("handle report", &subject, report).await,
            None => refuse(StatusCode::CONFLICT, "no open report has this id"),
        }
    }

    async fn set_role(&self, player: &str, role: &str) -> Result<(), Refusal> {
        if self.actor.role != Role::Admin {
            return refuse(StatusCode::FORBIDDEN, "only an admin appoints moderators");
        }
        let Some(role) = [Role::Player, Role::Moderator, Role::Admin].into_iter().find(|known| known.name() == role)
        else {
            return refuse(StatusCode::BAD_REQUEST, "role: must be player, moderator or admin");
        };
        let Some(account) = self.app.store.account_named(&looks_of(player)).await? else {
            return refuse(StatusCode::CONFLICT, format!("no account keeps the name {player}"));
        };
        if account.id == self.actor.id {
            return refuse(
                StatusCode::CONFLICT,
                "nobody changes their own role; another admin does, or the command line",
            );
        }
        self.log("role", &account.name, role.name()).await?;
        self.app.store.set_role(account.id, role).await?;
        Ok(())
    }
}

fn word(kind: RestrictionKind) -> &'static str {
    match kind {
        RestrictionKind::Ban => "ban",
        RestrictionKind::Mute => "mute",
    }
}

fn checked_reason(reason: &str) -> Result<String, Refusal> {
    if reason.chars().count() > REASON_MAX {
        return refuse(StatusCode::BAD_REQUEST, format!("reason: must be at most {REASON_MAX} characters"));
    }
    Ok(reason.split_whitespace().collect::<Vec<_>>().join(" "))
}
