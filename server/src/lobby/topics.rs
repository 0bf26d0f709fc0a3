//! Publish and subscribe: what was published is encoded once, and handed to the shards, who know the subscribers.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::protocol::limits::CHAT_KEPT;
use broadside_shared::protocol::message::{Item, RoomId, ServerMsg};
use broadside_shared::protocol::topic::Topic;
use broadside_shared::time::MonoTime;
use dashmap::DashMap;

use super::letters::Letter;
use super::sessions::SessionId;

/// What was published.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Where.
    pub topic: Topic,
    /// By whom, if not by the server: who mutes them does not hear it.
    pub from: Option<SessionId>,
    /// What.
    pub letter: Letter,
}

/// What is kept of each topic for who subscribes later.
#[derive(Default)]
pub struct Topics {
    last: DashMap<Topic, (MonoTime, Letter)>,
    said: DashMap<Topic, VecDeque<(MonoTime, SessionId, Letter)>>,
}

impl Topics {
    /// Nothing was published yet.
    #[must_use]
    pub fn new() -> Self {
        Topics::default()
    }

    /// Encodes what is published, and keeps it as long as its topic wants.
    pub fn publish(&self, topic: Topic, from: Option<SessionId>, item: Item, now: MonoTime) -> Arc<Publication> {
        let letter = Letter::new(ServerMsg::Published { topic: topic.to_string(), at: now, item });
        match (topic, from) {
            (Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_), _) => {
                self.last.insert(topic, (now, letter.clone()));
            }
            (Topic::RoomChat(_) | Topic::LobbyChat, Some(from)) => {
                let mut said = self.said.entry(topic).or_default();
                said.push_back((now, from, letter.clone()));
                if said.len() > CHAT_KEPT {
                    said.pop_front();
                }
            }
            (Topic::RoomChat(_) | Topic::LobbyChat, None) | (Topic::RoomFeed(_), _) => {}
        }
        Arc::new(Publication { topic, from, letter })
    }

    /// What a new subscriber hears first: the last value, or the last lines of a chat, oldest first, but for those of `muted`.
    #[must_use]
    pub fn kept(&self, topic: Topic, muted: impl Fn(SessionId) -> bool) -> Vec<Letter> {
        self.kept_since(topic, MonoTime(0), muted)
    }

    /// What of that is not older than `since`: for who comes back.
    #[must_use]
    pub fn kept_since(&self, topic: Topic, since: MonoTime, muted: impl Fn(SessionId) -> bool) -> Vec<Letter> {
        match topic {
            Topic::Leaderboard | Topic::Notices | Topic::RoomMatch(_) => {
                let last = self.last.get(&topic).filter(|last| last.0 >= since);
                last.map(|last| last.1.clone()).into_iter().collect()
            }
            Topic::RoomChat(_) | Topic::LobbyChat => {
                let Some(said) = self.said.get(&topic) else { return Vec::new() };
                let missed = said.iter().filter(|(at, from, _)| *at >= since && !muted(*from));
                missed.map(|(_, _, letter)| letter.clone()).collect()
            }
            Topic::RoomFeed(_) => Vec::new(),
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

    fn said(line: &str) -> Item {
        let from = Name::new("Ann").expect("a fine name");
        Item::Said { from, text: Text::new(line).expect("a fine line") }
    }

    fn heard(letter: &Letter) -> (MonoTime, Item) {
        match codec::decode_server(letter.message()) {
            Ok(ServerMsg::Published { at, item, .. }) => (at, item),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_comes_later_hears_the_last_lines_but_for_those_of_whom_they_mute() {
        let topics = Topics::new();
        for line in 0..CHAT_KEPT as u64 + 5 {
            topics.publish(Topic::LobbyChat, Some(line % 2), said(&format!("line {line}")), MonoTime(line * 1_000_000));
        }
        let all: Vec<_> = topics.kept(Topic::LobbyChat, |_| false).iter().map(heard).collect();
        assert_eq!((all.len(), &all[0]), (CHAT_KEPT, &(MonoTime(5_000_000), said("line 5"))));
        assert_eq!(topics.kept(Topic::LobbyChat, |from| from == 1).len(), CHAT_KEPT / 2);
    }

    #[test]
    fn the_last_leaderboard_is_kept_and_a_feed_is_not() {
        let topics = Topics::new();
        let room = broadside_shared::protocol::message::RoomId(1);
        topics.publish(Topic::Leaderboard, None, Item::Leaders(Vec::new()), MonoTime(0));
        topics.publish(Topic::RoomFeed(room), None, said("x"), MonoTime(0));
        assert_eq!(topics.kept(Topic::Leaderboard, |_| false).len(), 1);
        assert_eq!(topics.kept(Topic::RoomFeed(room), |_| false), []);
    }
}
