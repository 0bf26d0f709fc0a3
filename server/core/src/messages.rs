//! Messages encoded once, and those that wait for somebody.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::protocol::codec;
use broadside_shared::protocol::limits::{MESSAGES_BYTES_MAX, MESSAGES_WAITING_MAX};
use broadside_shared::protocol::message::{RoomUpdate, ServerMsg, ServerNotice};
use broadside_shared::protocol::topic::Topic;

/// A message encoded once, for as many as want it: as a note of a snapshot, and as a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedMessage {
    /// The note; a frame is its kind and the message, which is the note without its variant.
    note: Arc<[u8]>,
}

impl EncodedMessage {
    /// Encodes a message.
    #[must_use]
    pub fn new(msg: ServerMsg) -> EncodedMessage {
        let mut note = Vec::new();
        codec::encode_update(&RoomUpdate::Message(Box::new(msg)), &mut note);
        EncodedMessage { note: note.into() }
    }

    /// The bytes to put among the updates of a snapshot.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// The bytes to put behind the kind of a control frame.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.note[1..]
    }
}

/// Messages that wait for somebody: to ride in their next snapshots, or for them to come back. At most [`MESSAGES_WAITING_MAX`]; beyond, the
/// oldest are dropped, and who gets the rest is told how many.
#[derive(Debug, Clone, Default)]
pub struct MessageQueue {
    /// With the topic in which it was published, unless it was sent to this session alone.
    waiting: VecDeque<(EncodedMessage, Option<Topic>)>,
    missed: u32,
}

impl MessageQueue {
    /// Puts one behind the others that was sent to this session alone.
    pub fn push(&mut self, message: EncodedMessage) {
        self.push_back(message, None);
    }

    /// The same for what was published in a topic.
    pub fn push_published(&mut self, topic: Topic, message: EncodedMessage) {
        self.push_back(message, Some(topic));
    }

    /// Drops what was published in topics, to be told anew.
    pub fn drop_published(&mut self) {
        self.waiting.retain(|(_, topic)| topic.is_none());
    }

    /// Drops what was published in this topic: it is no longer subscribed to.
    pub fn drop_of(&mut self, topic: Topic) {
        self.waiting.retain(|(_, of)| *of != Some(topic));
    }

    fn push_back(&mut self, message: EncodedMessage, topic: Option<Topic>) {
        if self.waiting.len() >= MESSAGES_WAITING_MAX {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back((message, topic));
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The oldest, taken out.
    pub fn pop(&mut self) -> Option<EncodedMessage> {
        self.waiting.pop_front().map(|(message, _)| message)
    }

    /// Takes out as many as a snapshot's share of bytes allows, and appends them as its updates. Gives their bytes.
    pub fn append(&mut self, frame: &mut Vec<u8>) -> u64 {
        if self.waiting.is_empty() {
            return 0;
        }
        let from = frame.len();
        if self.missed > 0 {
            let missed = ServerNotice::Missed { count: std::mem::take(&mut self.missed) };
            frame.extend_from_slice(EncodedMessage::new(ServerMsg::ServerNotice(missed)).note());
        }
        while let Some((message, _)) = self.waiting.front() {
            let so_far = frame.len() - from;
            // The first goes whatever its length: none is long but a handshake, which only a developer asks for.
            if so_far > 0 && so_far + message.note().len() > MESSAGES_BYTES_MAX {
                break;
            }
            frame.extend_from_slice(message.note());
            self.waiting.pop_front();
        }
        (frame.len() - from) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_reads_the_same_as_a_frame_and_as_a_note() {
        let message = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Muted));
        let (note, used) = codec::decode_update(message.note()).expect("our own note");
        let RoomUpdate::Message(msg) = note else { panic!("{note:?}") };
        assert_eq!(used, message.note().len());
        assert_eq!(*msg, codec::decode_server(message.message()).expect("our own message"));
    }

    #[test]
    fn too_many_letters_lose_the_oldest_and_a_snapshot_takes_its_share() {
        let mut messages = MessageQueue::default();
        let ends = |seconds| EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::RoomEnds { seconds }));
        (0..MESSAGES_WAITING_MAX as u32 + 3).for_each(|seconds| messages.push(ends(seconds)));
        let mut updates = Vec::new();
        let bytes = messages.append(&mut updates);
        assert_eq!(bytes, updates.len() as u64);
        assert!(updates.len() <= MESSAGES_BYTES_MAX);
        let first = EncodedMessage::new(ServerMsg::ServerNotice(ServerNotice::Missed { count: 3 }));
        assert!(updates.starts_with(&[first.note(), ends(3).note()].concat()));
    }
}
