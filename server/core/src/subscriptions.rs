//! The subscriptions and mutes of one session, and its state while it has no connection.

use std::collections::BTreeMap;

use broadside_shared::ids::RoomId;
use broadside_shared::protocol::limits::{MUTED_MAX, SUBSCRIPTIONS_MAX};
use broadside_shared::protocol::message::Refusal;
use broadside_shared::protocol::name::Name;
use broadside_shared::protocol::topic::Topic;
use serde::{Deserialize, Serialize};

use crate::commands::{SenderId, TopicMessage};
use crate::messages::MessageQueue;

/// Subscriptions and mutes of one session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Subscriptions {
    /// With the number up to which each topic was received: those messages may still be on their way once more.
    topics: Vec<(Topic, u64)>,
    /// By sender, so that a new name does not lift a mute; with the name at the time of the mute.
    muted: BTreeMap<SenderId, Name>,
}

impl Subscriptions {
    /// The topics subscribed to, at most [`SUBSCRIPTIONS_MAX`].
    pub fn topics(&self) -> impl Iterator<Item = Topic> + '_ {
        self.topics.iter().map(|(topic, _)| *topic)
    }

    #[must_use]
    pub fn is_subscribed(&self, topic: Topic) -> bool {
        self.topics().any(|subscribed| subscribed == topic)
    }

    /// Subscribes to a topic whose messages up to `received` were delivered.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] with [`SUBSCRIPTIONS_MAX`] subscriptions.
    pub fn subscribe(&mut self, topic: Topic, received: u64) -> Result<(), Refusal> {
        if self.topics.len() >= SUBSCRIPTIONS_MAX {
            return Err(Refusal::TooMany);
        }
        self.topics.push((topic, received));
        Ok(())
    }

    pub fn unsubscribe(&mut self, topic: Topic) {
        self.topics.retain(|(subscribed, _)| *subscribed != topic);
    }

    /// Takes a message. Gives whether it is to be delivered: its topic is subscribed to, its sender not muted, and it was not received
    /// before.
    pub fn receive(&mut self, message: &TopicMessage) -> bool {
        let is_new = |(topic, received): &&mut (Topic, u64)| *topic == message.topic && *received < message.number;
        let Some((_, received)) = self.topics.iter_mut().find(is_new) else { return false };
        *received = message.number;
        self.accepts_from(message.from)
    }

    /// The number up to which a topic was received.
    #[must_use]
    pub fn received(&self, topic: Topic) -> u64 {
        self.topics.iter().find(|(subscribed, _)| *subscribed == topic).map_or(0, |(_, received)| *received)
    }

    /// Records that the topic's messages up to this number were delivered.
    pub fn mark_received(&mut self, topic: Topic, until: u64) {
        for (_, received) in self.topics.iter_mut().filter(|(subscribed, _)| *subscribed == topic) {
            *received = until.max(*received);
        }
    }

    /// Records that every message up to this number was delivered, whatever its topic.
    pub fn mark_all_received(&mut self, newest: u64) {
        for (_, received) in &mut self.topics {
            *received = newest.max(*received);
        }
    }

    /// Puts another topic, and the number up to which it was received, in the place of each; `None` drops it.
    pub fn renumber(&mut self, renumbered: impl Fn(Topic, u64) -> Option<(Topic, u64)>) {
        self.topics = self.topics.iter().filter_map(|(topic, received)| renumbered(*topic, *received)).collect();
    }

    /// Whether the sender is not muted. The server cannot be muted.
    #[must_use]
    pub fn accepts_from(&self, from: Option<SenderId>) -> bool {
        from.is_none_or(|from| !self.muted.contains_key(&from))
    }

    /// Whether anybody is muted.
    #[must_use]
    pub fn has_mutes(&self) -> bool {
        !self.muted.is_empty()
    }

    /// Mutes a sender. Returns whether it was not muted before.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] with [`MUTED_MAX`] mutes.
    pub fn mute(&mut self, sender: SenderId, name: Name) -> Result<bool, Refusal> {
        if self.muted.len() >= MUTED_MAX && !self.muted.contains_key(&sender) {
            return Err(Refusal::TooMany);
        }
        Ok(self.muted.insert(sender, name).is_none())
    }

    /// Lifts the mutes for which `matches` returns true. Returns whose.
    pub fn unmute(&mut self, matches: impl Fn(SenderId, &Name) -> bool) -> Vec<SenderId> {
        self.muted.extract_if(.., |sender, name| matches(*sender, name)).map(|(sender, _)| sender).collect()
    }

    /// Drops the subscriptions reserved for those in a room: its chat, and all topics of a private room.
    pub fn leave_room(&mut self, is_private: impl Fn(RoomId) -> bool) {
        self.topics.retain(|(topic, _)| match topic {
            Topic::RoomChat(_) => false,
            Topic::RoomFeed(room) | Topic::RoomMatch(room) => !is_private(*room),
            Topic::LobbyChat | Topic::Leaderboard | Topic::Notices => true,
        });
    }
}

/// The state of a session that has a seat but no connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ParkedSession {
    pub subscriptions: Subscriptions,
    /// Messages that wait for its next connection.
    pub messages: MessageQueue,
}
