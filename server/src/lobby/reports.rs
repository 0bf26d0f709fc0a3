//! Reports of players by players, on their way to the moderators.

use std::sync::{Mutex, MutexGuard, PoisonError};

use broadside_core::commands::{AccountId, SessionId};
use broadside_core::lobby::PlayerReport;
use broadside_core::messages::EncodedMessage;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::CHAT_KEPT;
use broadside_shared::protocol::message::{Publication, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::text::Text;
use broadside_shared::protocol::topic::Topic;

use tokio::sync::Notify;

use super::LobbyState;

/// Most reports that wait. Further ones are dropped and counted, and are still in the log.
pub const REPORTS_MAX: usize = 1_024;

/// The reports that wait for whoever keeps them, who may be as slow as a database: nobody waits for it.
#[derive(Debug, Default)]
pub struct Reports {
    waiting: Mutex<Vec<Report>>,
    arrived: Notify,
}

impl Reports {
    /// Takes what waits, oldest first; empty if nothing does.
    #[must_use]
    pub fn take(&self) -> Vec<Report> {
        std::mem::take(&mut *self.lock())
    }

    /// Returns once a report has come since the last call; may return without one.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Queues a report, unless too many wait; gives whether it did.
    fn send(&self, report: Report) -> bool {
        let mut waiting = self.lock();
        if waiting.len() >= REPORTS_MAX {
            return false;
        }
        waiting.push(report);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        // A panic while the lock is held leaves no report half-written.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report, with what was said around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When, in Unix seconds.
    pub at_s: u64,
    pub by: ReportParty,
    pub of: ReportParty,
    pub text: Text,
    /// The last lines, at most [`CHAT_KEPT`], of the chats that the author is subscribed to, oldest first.
    pub chat: Vec<ChatLine>,
}

/// Who reports, or is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportParty {
    pub session: SessionId,
    /// `None` for a player without an account.
    pub account: Option<AccountId>,
    /// `None` for a player who has set none.
    pub name: Option<Name>,
}

/// A line of chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatLine {
    /// When, in Unix seconds.
    pub at_s: u64,
    pub topic: Topic,
    pub from: Name,
    pub text: Text,
}

impl LobbyState {
    pub(super) fn keep_report(&self, report: PlayerReport, topics: &[Topic]) {
        let PlayerReport { by, of, text } = report;
        let (by, of) = (self.party(by), self.party(of));
        let name = of.name.as_ref().map_or("", Name::as_str);
        tracing::warn!(by = by.session, session = of.session, name, text = text.as_str(), "player reported");
        let report = Report { at_s: self.context.clock.unix_s(), by, of, text, chat: self.chat_of(topics) };
        if !self.reports.send(report) {
            self.context.metrics.reports_dropped.inc();
            tracing::error!(waiting = REPORTS_MAX, "report dropped: too many wait");
        }
    }

    fn party(&self, session: SessionId) -> ReportParty {
        let (account, name) = (self.sessions.account_of(session), self.sessions.name_of(session));
        ReportParty { session, account, name }
    }

    /// The last lines of the chats among these topics.
    fn chat_of(&self, topics: &[Topic]) -> Vec<ChatLine> {
        let (now, now_s) = (self.context.clock.now(), self.context.clock.unix_s());
        let mut kept: Vec<_> = topics.iter().flat_map(|topic| self.context.topics.chat(*topic)).collect();
        kept.sort_unstable_by_key(|(number, _)| *number);
        let last = kept.split_off(kept.len().saturating_sub(CHAT_KEPT));
        let line = |(_, message): (u64, EncodedMessage)| {
            let Ok(ServerMsg::Published { topic, at, publication: Publication::Said { from, text } }) =
                codec::decode_server(message.message())
            else {
                return None;
            };
            let at_s = now_s.saturating_sub(now.us_since(at) / 1_000_000);
            Some(ChatLine { at_s, topic: topic.parse().ok()?, from, text })
        };
        last.into_iter().filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_takes_reports_again_once_it_was_read() {
        let party = ReportParty { session: 1, account: None, name: None };
        let text = Text::new("shouts").expect("a fine text");
        let report = |at_s| Report { at_s, by: party.clone(), of: party.clone(), text: text.clone(), chat: Vec::new() };
        let reports = Reports::default();
        for at_s in 0..REPORTS_MAX as u64 {
            assert!(reports.send(report(at_s)));
        }
        assert!(!reports.send(report(9)));
        assert_eq!(reports.take().len(), REPORTS_MAX);
        assert_eq!((reports.send(report(10)), reports.take()), (true, vec![report(10)]));
    }
}
