//! Messages encoded once, and the queue of messages for one session.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::protocol::FrameKind;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::{MESSAGES_BYTES_MAX, MESSAGES_WAITING_MAX};
use broadside_shared::protocol::message::{RoomUpdate, ServerMsg, ServerNotice};
use broadside_shared::protocol::topic::Topic;
use serde::{Deserialize, Serialize};

/// A message encoded once for all its recipients, both as an update in a snapshot and as a control frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct EncodedMessage {
    /// The update. A control frame is its kind and the message, which is the update without its variant.
    update: Arc<[u8]>,
}

impl From<Vec<u8>> for EncodedMessage {
    fn from(update: Vec<u8>) -> Self {
        EncodedMessage { update: update.into() }
    }
}

impl From<EncodedMessage> for Vec<u8> {
    fn from(message: EncodedMessage) -> Self {
        message.update.to_vec()
    }
}

impl EncodedMessage {
    #[must_use]
    pub fn new(msg: ServerMsg) -> EncodedMessage {
        let mut update = Vec::new();
        codec::encode_update(&RoomUpdate::Message(Box::new(msg)), &mut update);
        EncodedMessage { update: update.into() }
    }

    /// The bytes among the updates of a snapshot.
    #[must_use]
    pub fn update(&self) -> &[u8] {
        &self.update
    }

    /// The control frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = vec![FrameKind::Control as u8];
        frame.extend_from_slice(self.message());
        frame
    }

    /// The bytes behind the kind of a control frame.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.update[1..]
    }
}

/// Messages for one session that wait for its next snapshots or its next connection, at most [`MESSAGES_WAITING_MAX`]. Beyond that the
/// oldest are dropped, and a notice with their number precedes the rest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MessageQueue {
    /// With the topic in which it was published, unless it was sent to this session alone.
    queued: VecDeque<(EncodedMessage, Option<Topic>)>,
    missed: u32,
}

impl MessageQueue {
    /// Puts one behind the others that was sent to this session alone.
    pub fn push(&mut self, message: EncodedMessage) {
        self.push_back(message, None);
    }

    /// The same for a message published in a topic.
    pub fn push_published(&mut self, topic: Topic, message: EncodedMessage) {
        self.push_back(message, Some(topic));
    }

    /// Drops the messages published in topics; the caller sends them again.
    pub fn drop_published(&mut self) {
        self.queued.retain(|(_, topic)| topic.is_none());
    }

    /// Drops the messages published in this topic, which is no longer subscribed to.
    pub fn drop_of(&mut self, topic: Topic) {
        self.queued.retain(|(_, of)| *of != Some(topic));
    }

    fn push_back(&mut self, message: EncodedMessage, topic: Option<Topic>) {
        if self.queued.len() >= MESSAGES_WAITING_MAX {
            self.queued.pop_front();
            self.missed += 1;
        }
        self.queued.push_back((message, topic));
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Takes the oldest message.
    pub fn pop(&mut self) -> Option<EncodedMessage> {
        self.queued.pop_front().map(|(message, _)| message)
    }

    /// Moves as many messages as [`MESSAGES_BYTES_MAX`] allows into a snapshot, as its updates. Returns the bytes appended.
    pub fn append(&mut self, frame: &mut Vec<u8>) -> u64 {
        if self.queued.is_empty() {
            return 0;
        }
        let from = frame.len();
        if self.missed > 0 {
            let missed = ServerNotice::Missed { count: std::mem::take(&mut self.missed) };
            frame.extend_from_slice(EncodedMessage::new(ServerMsg::ServerNotice(missed)).update());
        }
        while let Some((message, _)) = self.queued.front() {
            let so_far = frame.len() - from;
            // The first goes out whatever its length. Only a handshake is long, and only developers request it.
            if so_far > 0 && so_far + message.update().len() > MESSAGES_BYTES_MAX {
                break;
            }
            frame.extend_from_slice(message.update());
            self.queued.pop_front();
        }
        (frame.len() - from) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_decodes_the_same_from_a_frame_and_from_an_update() {
        let message = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Muted));
        let (update, used) = codec::decode_update(message.update()).expect("our own update");
        let RoomUpdate::Message(msg) = update else { panic!("{update:?}") };
        assert_eq!(used, message.update().len());
        assert_eq!(*msg, codec::decode_server(message.message()).expect("our own message"));
    }

    #[test]
    fn a_full_queue_drops_the_oldest_message_and_a_snapshot_takes_its_share() {
        let mut messages = MessageQueue::default();
        let ends = |seconds| EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds }));
        (0..MESSAGES_WAITING_MAX as u32 + 3).for_each(|seconds| messages.push(ends(seconds)));
        let mut updates = Vec::new();
        let bytes = messages.append(&mut updates);
        assert_eq!(bytes, updates.len() as u64);
        assert!(updates.len() <= MESSAGES_BYTES_MAX);
        let first = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Missed { count: 3 }));
        assert!(updates.starts_with(&[first.update(), ends(3).update()].concat()));
    }
}
