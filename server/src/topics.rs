//! Publish and subscribe: a publication is encoded once and sent to the shards, which know the subscribers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broadside_shared::ids::RoomId;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::CHAT_KEPT;
use broadside_shared::protocol::message::{Publication, ServerMsg};
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;
use serde::{Deserialize, Serialize};

use broadside_core::commands::{KeptMessages, SenderId, TopicMessage};
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
#[derive(Clone, Serialize, Deserialize)]
struct Last {
    number: u64,
    message: EncodedMessage,
}

#[derive(Clone, Serialize, Deserialize)]
struct ChatMessage {
    number: u64,
    from: SenderId,
    message: EncodedMessage,
}

/// By topic of another server: the topic here, and the numbers of its messages there and here, in order.
pub type Renumbered = BTreeMap<Topic, (Topic, Vec<(u64, u64)>)>;

/// What topics keep, as it was.
#[derive(Default, Serialize, Deserialize)]
pub struct SavedTopics {
    last: Vec<(Topic, Last)>,
    chats: Vec<(Topic, VecDeque<ChatMessage>)>,
    published: u64,
}

impl Topics {
    /// What is kept now.
    #[must_use]
    pub fn save(&self) -> SavedTopics {
        let (mut saved, last) = (SavedTopics::default(), self.last.iter());
        saved.last = last.map(|entry| (*entry.key(), entry.value().clone())).collect();
        saved.chats = self.chats.iter().map(|entry| (*entry.key(), entry.value().clone())).collect();
        // Read last, so that no message above has a higher number.
        saved.published = self.published.load(Ordering::Relaxed);
        saved
    }

    /// Keeps what was kept before.
    pub fn restore(&self, saved: SavedTopics) {
        saved.last.into_iter().for_each(|(topic, last)| drop(self.last.insert(topic, last)));
        saved.chats.into_iter().for_each(|(topic, chat)| drop(self.chats.insert(topic, chat)));
        self.published.fetch_max(saved.published, Ordering::Relaxed);
    }

    /// Keeps what was kept of the chats of rooms on another server, which have other numbers here, as does its clock: it reads `by_us` more. Gives
    /// the numbers of the messages there and here, by topic there.
    pub fn move_in(&self, saved: SavedTopics, rooms: &BTreeMap<RoomId, RoomId>, by_us: i64) -> Renumbered {
        let mut renumbered = Renumbered::new();
        for (there, chat) in saved.chats {
            let Topic::RoomChat(room) = there else { continue };
            let Some(here) = rooms.get(&room).map(|room| Topic::RoomChat(*room)) else { continue };
            let mut numbers = Vec::new();
            for ChatMessage { number, from, message } in chat {
                let Ok(ServerMsg::Published { at, publication, .. }) = codec::decode_server(message.message()) else {
                    continue;
                };
                let at = MonoTime(at.0.saturating_add_signed(by_us));
                numbers.push((number, self.publish(here, Some(from), publication, at, |_| {}).number));
            }
            renumbered.insert(there, (here, numbers));
        }
        renumbered
    }

    /// The number of the newest message that was said in a chat by a time, as far as it is kept; 0 without one.
    #[must_use]
    pub fn said_by(&self, topic: Topic, time: MonoTime) -> u64 {
        let at = |message: &EncodedMessage| match codec::decode_server(message.message()) {
            Ok(ServerMsg::Published { at, .. }) => at,
            _ => MonoTime(0),
        };
        let Some(chat) = self.chats.get(&topic) else { return 0 };
        chat.iter().rev().find(|kept| at(&kept.message) <= time).map_or(0, |kept| kept.number)
    }

    /// The number of the newest message so far.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn new() -> Self {
        Topics::default()
    }

    /// Encodes a publication, keeps it as long as its topic requires, and hands it to `send`. Two threads that publish in one topic send in
    /// the order of the numbers, so a subscriber never receives a number after a higher one.
    pub fn publish(
        &self,
        topic: Topic,
        from: Option<SenderId>,
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
                let mut chat = self.chats.entry(topic).or_default();
                let sent = send_next(message.clone());
                chat.push_back(ChatMessage { number: sent.number, from, message });
                if chat.len() > CHAT_KEPT {
                    chat.pop_front();
                }
                sent
            }
            // Of a feed nothing is kept, and one thread publishes in it.
            (Topic::RoomChat(_) | Topic::LobbyChat, None) | (Topic::RoomFeed(_), _) => send_next(message),
        }
    }

    /// The messages for a new subscriber: the last value, or the last messages of a chat, oldest first, without those of `muted` sessions.
    #[must_use]
    pub fn kept(&self, topic: Topic, muted: impl Fn(SenderId) -> bool) -> KeptMessages {
        self.kept_after(topic, 0, muted)
    }

    /// The same after message `number`, for a session that resumes.
    #[must_use]
    pub fn kept_after(&self, topic: Topic, number: u64, muted: impl Fn(SenderId) -> bool) -> KeptMessages {
        match topic {
            Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_) => {
                let Some(last) = self.last.get(&topic) else { return KeptMessages::default() };
                let missed = (last.number > number).then(|| last.message.clone());
                KeptMessages { messages: missed.into_iter().collect(), until: last.number }
            }
            Topic::RoomChat(_) | Topic::LobbyChat => {
                let Some(chat) = self.chats.get(&topic) else { return KeptMessages::default() };
                let missed = chat.iter().filter(|kept| kept.number > number && !muted(kept.from));
                let until = chat.back().map_or(0, |kept| kept.number);
                KeptMessages { messages: missed.map(|kept| kept.message.clone()).collect(), until }
            }
            Topic::RoomFeed(_) => KeptMessages::default(),
        }
    }

    /// What is kept of a chat, oldest first: number and message; nothing of other topics.
    #[must_use]
    pub fn chat(&self, topic: Topic) -> Vec<(u64, EncodedMessage)> {
        let Some(chat) = self.chats.get(&topic) else { return Vec::new() };
        chat.iter().map(|kept| (kept.number, kept.message.clone())).collect()
    }

    /// Who has last said something in a chat under a name that `is_named`, as far as it is kept.
    #[must_use]
    pub fn last_speaker(&self, topic: Topic, is_named: impl Fn(&Name) -> bool) -> Option<SenderId> {
        let chat = self.chats.get(&topic)?;
        let spoke = |kept: &&ChatMessage| match codec::decode_server(kept.message.message()) {
            Ok(ServerMsg::Published { publication: Publication::Said { from, .. }, .. }) => is_named(&from),
            _ => false,
        };
        chat.iter().rev().find(spoke).map(|kept| kept.from)
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
            topics.publish(
                Topic::LobbyChat,
                Some(n % 2),
                said(&format!("message {n}")),
                MonoTime(n * 1_000_000),
                |_| {},
            );
        }
        let all: Vec<_> = topics.kept(Topic::LobbyChat, |_| false).messages.iter().map(decoded).collect();
        assert_eq!((all.len(), &all[0]), (CHAT_KEPT, &(MonoTime(5_000_000), said("message 5"))));
        assert_eq!(topics.kept(Topic::LobbyChat, |from| from == 1).messages.len(), CHAT_KEPT / 2);
    }

    #[test]
    fn the_last_leaderboard_is_kept_and_a_feed_is_not() {
        let topics = Topics::new();
        let room = broadside_shared::ids::RoomId(1);
        topics.publish(Topic::Leaderboard, None, Publication::Leaders(Vec::new()), MonoTime(0), |_| {});
        topics.publish(Topic::RoomFeed(room), None, said("x"), MonoTime(0), |_| {});
        assert_eq!(topics.kept(Topic::Leaderboard, |_| false).messages.len(), 1);
        assert_eq!(topics.kept(Topic::RoomFeed(room), |_| false), KeptMessages::default());
    }

    #[test]
    fn kept_messages_come_with_the_number_up_to_which_a_subscriber_needs_none_again() {
        let topics = Topics::new();
        let say = |text| topics.publish(Topic::LobbyChat, Some(1), said(text), MonoTime(0), |_| {});
        let before = say("before");
        let kept = topics.kept(Topic::LobbyChat, |_| true);
        assert_eq!((kept.messages.len(), kept.until), (0, before.number), "the number counts muted messages too");
        assert!(say("after").number > kept.until);
    }
}
