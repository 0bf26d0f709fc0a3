//! Publish and subscribe: what was published is encoded once, and handed to the shards, who know the subscribers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broadside_shared::protocol::limits::CHAT_KEPT;
use broadside_shared::protocol::message::{Publication, RoomId, ServerMsg};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;

use broadside_core::commands::{Kept, SessionId, TopicMessage};
use broadside_core::messages::EncodedMessage;

/// What is kept of each topic for who subscribes later.
#[derive(Default)]
pub struct Topics {
    last: DashMap<Topic, Last>,
    said: DashMap<Topic, VecDeque<Line>>,
    published: AtomicU64,
}

/// The last value of a topic.
struct Last {
    number: u64,
    message: EncodedMessage,
}

/// A line of a chat.
struct Line {
    number: u64,
    from: SessionId,
    message: EncodedMessage,
}

impl Topics {
    /// Nothing was published yet.
    #[must_use]
    pub fn new() -> Self {
        Topics::default()
    }

    /// Encodes what is published, keeps it as long as its topic wants, and hands it to `send`. What two threads publish in one topic is
    /// sent in the order of its numbers: a subscriber takes no number after a higher one.
    pub fn publish(
        &self,
        topic: Topic,
        from: Option<SessionId>,
        publication: Publication,
        now: MonoTime,
        send: impl FnOnce(&Arc<TopicMessage>),
    ) -> Arc<TopicMessage> {
        let message = EncodedMessage::new(ServerMsg::Published { topic: topic.to_string(), at: now, publication });
        let send_next = |message: EncodedMessage| {
            let number = self.published.fetch_add(1, Ordering::Relaxed) + 1;
            let message = Arc::new(TopicMessage { number, topic, from, message });
            send(&message);
            message
        };
        // Drawn and sent while the topic is held, so that who looks at what is kept knows what comes after.
        match (topic, from) {
            (Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_), _) => {
                let entry = self.last.entry(topic);
                let sent = send_next(message.clone());
                entry.insert(Last { number: sent.number, message });
                sent
            }
            (Topic::RoomChat(_) | Topic::LobbyChat, Some(from)) => {
                let mut said = self.said.entry(topic).or_default();
                let sent = send_next(message.clone());
                said.push_back(Line { number: sent.number, from, message });
                if said.len() > CHAT_KEPT {
                    said.pop_front();
                }
                sent
            }
            // Of a feed nothing is kept, and one thread publishes in it.
            (Topic::RoomChat(_) | Topic::LobbyChat, None) | (Topic::RoomFeed(_), _) => send_next(message),
        }
    }

    /// What a new subscriber hears first: the last value, or the last lines of a chat, oldest first, but for those of `muted`.
    #[must_use]
    pub fn kept(&self, topic: Topic, muted: impl Fn(SessionId) -> bool) -> Kept {
        self.kept_after(topic, 0, muted)
    }

    /// What of that came after message `number`: for who comes back.
    #[must_use]
    pub fn kept_after(&self, topic: Topic, number: u64, muted: impl Fn(SessionId) -> bool) -> Kept {
        match topic {
            Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_) => {
                let Some(last) = self.last.get(&topic) else { return Kept::default() };
                let missed = (last.number > number).then(|| last.message.clone());
                Kept { messages: missed.into_iter().collect(), until: last.number }
            }
            Topic::RoomChat(_) | Topic::LobbyChat => {
                let Some(said) = self.said.get(&topic) else { return Kept::default() };
                let missed = said.iter().filter(|line| line.number > number && !muted(line.from));
                let until = said.back().map_or(0, |line| line.number);
                Kept { messages: missed.map(|line| line.message.clone()).collect(), until }
            }
            Topic::RoomFeed(_) => Kept::default(),
        }
    }

    /// Forgets what is kept of a room that is gone.
    pub fn forget_room(&self, room: RoomId) {
        self.said.remove(&Topic::RoomChat(room));
        self.forget_match(room);
    }

    /// Forgets how the match of a room stood: nobody plays it any more.
    pub fn forget_match(&self, room: RoomId) {
        self.last.remove(&Topic::RoomMatch(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::protocol::codec;
    use broadside_shared::protocol::name::Name;
    use broadside_shared::protocol::text::Text;

    fn said(line: &str) -> Publication {
        let from = Name::new("Ann").expect("a fine name");
        Publication::Said { from, text: Text::new(line).expect("a fine line") }
    }

    fn heard(message: &EncodedMessage) -> (MonoTime, Publication) {
        match codec::decode_server(message.message()) {
            Ok(ServerMsg::Published { at, publication, .. }) => (at, publication),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_comes_later_hears_the_last_lines_but_for_those_of_whom_they_mute() {
        let topics = Topics::new();
        for line in 0..CHAT_KEPT as u64 + 5 {
            topics.publish(
                Topic::LobbyChat,
                Some(line % 2),
                said(&format!("line {line}")),
                MonoTime(line * 1_000_000),
                |_| {},
            );
        }
        let all: Vec<_> = topics.kept(Topic::LobbyChat, |_| false).messages.iter().map(heard).collect();
        assert_eq!((all.len(), &all[0]), (CHAT_KEPT, &(MonoTime(5_000_000), said("line 5"))));
        assert_eq!(topics.kept(Topic::LobbyChat, |from| from == 1).messages.len(), CHAT_KEPT / 2);
    }

    #[test]
    fn the_last_leaderboard_is_kept_and_a_feed_is_not() {
        let topics = Topics::new();
        let room = broadside_shared::protocol::message::RoomId(1);
        topics.publish(Topic::Leaderboard, None, Publication::Leaders(Vec::new()), MonoTime(0), |_| {});
        topics.publish(Topic::RoomFeed(room), None, said("x"), MonoTime(0), |_| {});
        assert_eq!(topics.kept(Topic::Leaderboard, |_| false).messages.len(), 1);
        assert_eq!(topics.kept(Topic::RoomFeed(room), |_| false), Kept::default());
    }

    #[test]
    fn what_is_kept_says_up_to_where_nothing_is_to_be_heard_again() {
        let topics = Topics::new();
        let say = |line| topics.publish(Topic::LobbyChat, Some(1), said(line), MonoTime(0), |_| {});
        let before = say("before");
        let kept = topics.kept(Topic::LobbyChat, |_| true);
        assert_eq!((kept.messages.len(), kept.until), (0, before.number), "also of what is not heard");
        assert!(say("after").number > kept.until);
    }
}
