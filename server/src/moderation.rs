//! What the store knows and the lobby asks in memory: names that belong to accounts, bans, mutes. And the other way: reports of players, and whom
//! they mute.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use broadside_core::commands::MinuteFor;
use broadside_shared::protocol::close::CloseCode;
use broadside_shared::protocol::name::Name;
use broadside_store::accounts::AccountId;
use broadside_store::moderation::{self, RestrictionKind};
use broadside_store::{Store, StoreError, new_id};

use crate::app::{App, ended};
use crate::lobby::LobbyState;
use crate::lobby::mutes::MuteChange;
use crate::lobby::reports::{REPORTS_MAX, Report, ReportParty};
use crate::lobby::restrictions::Until;
use crate::store::now_us;

/// Rows of one query.
const PAGE: u32 = 1000;
/// Time between two attempts to keep reports while the database does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// Fills the lobby with the names that belong to accounts, and with bans and mutes.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn load(store: &Store, lobby: &LobbyState, now_us: i64) -> Result<(), StoreError> {
    load_names(store, lobby).await?;
    restrictions(store, now_us).await?.iter().for_each(|restriction| impose(lobby, restriction));
    Ok(())
}

/// The same again, after changes by other nodes may have been missed. A name that was given up since stays reserved until the next start.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn reload(app: &App, now_us: i64) -> Result<(), StoreError> {
    load_names(&app.store, &app.lobby).await?;
    let in_force = restrictions(&app.store, now_us).await?;
    in_force.iter().for_each(|restriction| impose(&app.lobby, restriction));
    let of = |kind| in_force.iter().filter(move |restriction| restriction.kind == kind).map(|found| found.account);
    let (banned, muted) = (of(RestrictionKind::Ban).collect(), of(RestrictionKind::Mute).collect());
    app.lobby.restrictions.keep_only(&banned, &muted);
    banned.into_iter().for_each(|account| app.lobby.kick_account(account, CloseCode::Banned, &*app.rooms));
    Ok(())
}

/// The same for one account, of which another node has changed something.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn reload_account(app: &App, account: AccountId, now_us: i64) -> Result<(), StoreError> {
    let in_force = app.store.restrictions_of(account, now_us).await?;
    app.lobby.restrictions.unban(account);
    app.lobby.restrictions.unmute(account);
    in_force.iter().for_each(|restriction| impose(&app.lobby, restriction));
    match app.store.account(account).await? {
        Some(found) if found.keeps_name => claim(&app.lobby, account, &found.name),
        Some(_) | None => app.lobby.sessions.reserved.release(account),
    }
    Ok(())
}

async fn load_names(store: &Store, lobby: &LobbyState) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let names = store.kept_names(after, PAGE).await?;
        let Some((last, _)) = names.last() else { break };
        after = Some(*last);
        names.iter().for_each(|(account, name)| claim(lobby, *account, name));
    }
    Ok(())
}

fn claim(lobby: &LobbyState, account: AccountId, name: &str) {
    let claimed = Name::new(name).map(|name| lobby.sessions.reserved.claim(account, &name));
    if !matches!(claimed, Ok(Ok(()))) {
        tracing::warn!(%account, name, "the name of this account is not reserved: the rules for names have changed");
    }
}

/// Every ban and mute in force.
async fn restrictions(store: &Store, now_us: i64) -> Result<Vec<moderation::Restriction>, StoreError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.restrictions(after, PAGE, now_us).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.account);
        all.extend(page);
    }
}

/// Imposes a restriction in the lobby, as the store has it.
pub(crate) fn impose(lobby: &LobbyState, restriction: &moderation::Restriction) {
    let until = restriction.until_us.map_or(Until::Forever, |us| Until::Time(us.max(0) as u64 / 1_000_000));
    match restriction.kind {
        RestrictionKind::Ban => lobby.restrictions.ban(restriction.account, until),
        RestrictionKind::Mute => lobby.restrictions.mute(restriction.account, until),
    }
}

/// Keeps the reports of players until the server ends. While the database does not answer they wait, as many as the lobby lets wait.
pub(crate) async fn keep_reports(app: Arc<App>) {
    let mut ending = app.ending.clone();
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            tokio::select! {
                () = app.lobby.reports.arrived() => {}
                () = ended(&mut ending) => return,
            }
        }
        waiting.extend(app.lobby.reports.take().into_iter().map(|report| as_kept(&app, &report)));
        while waiting.len() > REPORTS_MAX {
            waiting.pop_front();
            app.metrics.reports_dropped.inc();
        }
        while let Some(report) = waiting.front() {
            match app.store.report(report).await {
                Ok(()) => drop(waiting.pop_front()),
                Err(StoreError::Unavailable(_)) => {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = ended(&mut ending) => return,
                    }
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the database refuses a report, which is in the log");
                    app.metrics.reports_dropped.inc();
                    waiting.pop_front();
                }
            }
        }
    }
}

/// Loads whom an account mutes, before its hello.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn load_mutes(app: &App, account: AccountId) -> Result<(), StoreError> {
    let muted = app.store.mutes(account).await?;
    // A guest who has played under no name yet said nothing.
    let muted = muted.into_iter().filter_map(|(muted, name)| Some((muted, Name::new(&name).ok()?)));
    app.lobby.mutes.load(account, muted.collect(), app.lobby.context.clock.now());
    Ok(())
}

/// Keeps whom players mute until the server ends. While the database does not answer, changes wait, as many as the lobby lets wait.
pub(crate) async fn keep_mutes(app: Arc<App>) {
    let mut ending = app.ending.clone();
    loop {
        tokio::select! {
            () = app.lobby.mutes.arrived() => {}
            () = ended(&mut ending) => return,
        }
        while let Some(change) = app.lobby.mutes.next_change() {
            let kept = match change {
                MuteChange::Muted(account, muted) => app.store.mute(account, muted, now_us()).await,
                MuteChange::Unmuted(account, muted) => app.store.unmute(account, muted).await,
            };
            match kept {
                Ok(()) => app.lobby.mutes.change_kept(),
                Err(StoreError::Unavailable(_)) => {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = ended(&mut ending) => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a mute is not kept, as after the account was deleted");
                    app.lobby.mutes.change_kept();
                }
            }
        }
    }
}

fn as_kept(app: &App, report: &Report) -> moderation::Report {
    let reported_us = (report.at_s * 1_000_000).cast_signed();
    let name = |party: &ReportParty| party.name.as_ref().map_or(String::new(), |name| name.as_str().to_owned());
    let lines = report.chat.iter().map(|line| format!("{} {} {}: {}", line.at_s, line.topic, line.from, line.text));
    let (_, seat) = app.lobby.sessions.whereabouts(report.by.session);
    let room = seat.and_then(|seat| app.rooms.get(seat.room));
    let id = new_id(reported_us);
    if let Some(room) = &room {
        // It has the report's id, so that it is found again.
        app.rooms.keep_minute(room.id(), id, MinuteFor::Moderators);
    }
    let room = room.map_or(String::new(), |room| room.name.clone());
    moderation::Report {
        id,
        reporter: report.by.account,
        reporter_name: name(&report.by),
        subject: report.of.account,
        subject_name: name(&report.of),
        body: report.text.as_str().to_owned(),
        chat: lines.collect::<Vec<_>>().join("\n"),
        room,
        reported_us,
        handled: None,
    }
}
