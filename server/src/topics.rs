//! Publish and subscribe: a publication is encoded once and sent to the shards, which know the subscribers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broadside_shared::ids::RoomId;
use broadside_shared::protocol::limits::CHAT_KEPT;
use broadside_shared::protocol::message::{Publication, ServerMsg};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;

use broadside_core::commands::{Kept, SessionId, TopicMessage};
use broadside_core::messages::EncodedMessage;

/// The messages that each topic keeps for later subscribers.
#[derive(Default)]
pub struct Topics {
    last: DashMap<Topic, Last>,
    chats: DashMap<Topic, VecDeque<ChatMessage>>,
    /// Number of messages published so far.
    published: AtomicU64,
}

/// The last value of a topic.
struct Last {
    number: u64,
    at: MonoTime,
    message: EncodedMessage,
}

struct ChatMessage {
    number: u64,
    at: MonoTime,
    from: SessionId,
    message: EncodedMessage,
}

impl Topics {
    #[must_use]
    pub fn new() -> Self {
        Topics::default()
    }

    /// Encodes a publication, and keeps it as long as its topic requires.
    pub fn publish(
        &self,
        topic: Topic,
        from: Option<SessionId>,
        publication: Publication,
        now: MonoTime,
    ) -> Arc<TopicMessage> {
        let message = EncodedMessage::new(ServerMsg::Published { topic: topic.to_string(), at: now, publication });
        // Called while the topic's entry is locked, so that the kept messages and later numbers never overlap.
        let next = || self.published.fetch_add(1, Ordering::Relaxed) + 1;
        let number = match (topic, from) {
            (Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_), _) => {
                let entry = self.last.entry(topic);
                let number = next();
                entry.insert(Last { number, at: now, message: message.clone() });
                number
            }
            (Topic::RoomChat(_) | Topic::LobbyChat, Some(from)) => {
                let mut chat = self.chats.entry(topic).or_default();
                let number = next();
                chat.push_back(ChatMessage { number, at: now, from, message: message.clone() });
                if chat.len() > CHAT_KEPT {
                    chat.pop_front();
                }
                number
            }
            (Topic::RoomChat(_) | Topic::LobbyChat, None) | (Topic::RoomFeed(_), _) => next(),
        };
        Arc::new(TopicMessage { number, topic, from, message })
    }

    /// The messages for a new subscriber: the last value, or the last messages of a chat, oldest first, without those of `muted` sessions.
    #[must_use]
    pub fn kept(&self, topic: Topic, muted: impl Fn(SessionId) -> bool) -> Kept {
        self.kept_since(topic, MonoTime(0), muted)
    }

    /// The same from `since` on, for a session that resumes.
    #[must_use]
    pub fn kept_since(&self, topic: Topic, since: MonoTime, muted: impl Fn(SessionId) -> bool) -> Kept {
        match topic {
            Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_) => {
                let Some(last) = self.last.get(&topic) else { return Kept::default() };
                let missed = (last.at >= since).then(|| last.message.clone());
                Kept { messages: missed.into_iter().collect(), until: last.number }
            }
            Topic::RoomChat(_) | Topic::LobbyChat => {
                let Some(chat) = self.chats.get(&topic) else { return Kept::default() };
                let missed = chat.iter().filter(|kept| kept.at >= since && !muted(kept.from));
                let until = chat.back().map_or(0, |kept| kept.number);
                Kept { messages: missed.map(|kept| kept.message.clone()).collect(), until }
            }
            Topic::RoomFeed(_) => Kept::default(),
        }
    }

    /// Drops the messages of a room that has ended.
    pub fn forget_room(&self, room: RoomId) {
        self.chats.remove(&Topic::RoomChat(room));
        self.forget_match(room);
    }

    /// Drops the match status of a room that is no longer played.
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

    fn said(text: &str) -> Publication {
        let from = Name::new("Ann").expect("a fine name");
        Publication::Said { from, text: Text::new(text).expect("a fine text") }
    }

    fn decoded(message: &EncodedMessage) -> (MonoTime, Publication) {
        match codec::decode_server(message.message()) {
            Ok(ServerMsg::Published { at, publication, .. }) => (at, publication),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_subscriber_gets_the_last_chat_messages_without_those_of_muted_sessions() {
        let topics = Topics::new();
        for n in 0..CHAT_KEPT as u64 + 5 {
            topics.publish(Topic::LobbyChat, Some(n % 2), said(&format!("message {n}")), MonoTime(n * 1_000_000));
        }
        let all: Vec<_> = topics.kept(Topic::LobbyChat, |_| false).messages.iter().map(decoded).collect();
        assert_eq!((all.len(), &all[0]), (CHAT_KEPT, &(MonoTime(5_000_000), said("message 5"))));
        assert_eq!(topics.kept(Topic::LobbyChat, |from| from == 1).messages.len(), CHAT_KEPT / 2);
    }

    #[test]
    fn the_last_leaderboard_is_kept_and_a_feed_is_not() {
        let topics = Topics::new();
        let room = broadside_shared::ids::RoomId(1);
        topics.publish(Topic::Leaderboard, None, Publication::Leaders(Vec::new()), MonoTime(0));
        topics.publish(Topic::RoomFeed(room), None, said("x"), MonoTime(0));
        assert_eq!(topics.kept(Topic::Leaderboard, |_| false).messages.len(), 1);
        assert_eq!(topics.kept(Topic::RoomFeed(room), |_| false), Kept::default());
    }

    #[test]
    fn kept_messages_come_with_the_number_up_to_which_a_subscriber_needs_none_again() {
        let topics = Topics::new();
        let say = |text| topics.publish(Topic::LobbyChat, Some(1), said(text), MonoTime(0));
        let before = say("before");
        let kept = topics.kept(Topic::LobbyChat, |_| true);
        assert_eq!((kept.messages.len(), kept.until), (0, before.number), "the number counts muted messages too");
        assert!(say("after").number > kept.until);
    }
}
