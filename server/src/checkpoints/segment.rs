//! The files of checkpoints: a head, the state of everything, and then whatever changes, block by block.
//!
//! ```text
//! segment := magic, head, lobby, room..., complete, (lobby | room | gone)...
//! ```
//! Blocks are those of recordings. A segment counts once its block `complete` is there; until then the one before does. It is good up to
//! the first block that is not whole. Like recordings, segments are for the build that wrote them: the head has the rules hash.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use broadside_shared::ids::RoomId;
use broadside_shared::recording::block;
use broadside_shared::saved;
use serde::{Deserialize, Serialize};

use super::Lasting;

/// The first bytes of a segment; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"BSCHECK\x02";
const EXTENSION: &str = "bsc";

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Head = 16,
    Lobby = 17,
    Room = 18,
    Complete = 19,
    Gone = 20,
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> u8 {
        kind as u8
    }
}

impl TryFrom<u8> for Kind {
    type Error = ();

    fn try_from(number: u8) -> Result<Self, ()> {
        let all = [Kind::Head, Kind::Lobby, Kind::Room, Kind::Complete, Kind::Gone];
        all.into_iter().find(|kind| *kind as u8 == number).ok_or(())
    }
}

/// Whose checkpoints these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub game: String,
    /// See [`rules_hash`](broadside_shared::trial::rules_hash).
    pub rules: u64,
    pub lasting: Lasting,
}

/// Everything that a segment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub head: Head,
    /// Sessions and topics.
    pub lobby: Vec<u8>,
    pub rooms: BTreeMap<RoomId, Vec<u8>>,
    /// Whether the last block was cut off or is damaged; those before it count.
    pub is_torn: bool,
}

/// Why a segment does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is no checkpoint")]
    NotOne,
    #[error("it has format {0}; this build reads format {supported}", supported = MAGIC[7])]
    OtherFormat(u8),
    #[error("it is of the game `{0}`")]
    OtherGame(String),
    #[error("it was written with other rules ({0:016x}; this build has {1:016x})")]
    OtherRules(u64, u64),
    #[error("it was cut off, or is damaged, before it was complete")]
    Incomplete,
}

/// A complete segment.
#[must_use]
pub fn whole<'a>(head: &Head, lobby: &[u8], rooms: impl Iterator<Item = (RoomId, &'a [u8])>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(block::write(Kind::Head, &saved::save(head)));
    bytes.extend(block::write(Kind::Lobby, lobby));
    rooms.for_each(|(id, payload)| bytes.extend(room_block(id, payload)));
    bytes.extend(block::write(Kind::Complete, &[]));
    bytes
}

pub(super) fn room_block(id: RoomId, payload: &[u8]) -> Vec<u8> {
    block::write(Kind::Room, &[&id.0.to_le_bytes(), payload].concat())
}

/// Reads a segment of this game; of these rules, if they are given.
///
/// # Errors
/// It does not count.
pub fn read(bytes: &[u8], game: &str, rules: Option<u64>) -> Result<Segment, Unusable> {
    let (name, version) = MAGIC.split_at(MAGIC.len() - 1);
    let rest = bytes.strip_prefix(name).ok_or(Unusable::NotOne)?;
    let found = *rest.first().ok_or(Unusable::NotOne)?;
    if [found] != version {
        return Err(Unusable::OtherFormat(found));
    }
    let mut at = MAGIC.len();
    let Some((Kind::Head, payload, length)) = block::read(&bytes[at..]) else { return Err(Unusable::Incomplete) };
    // The name comes first, so that it can be read whatever follows it.
    let name: String = saved::load_first(payload).map_err(|_| Unusable::Incomplete)?;
    if name != game {
        return Err(Unusable::OtherGame(name));
    }
    let head: Head = saved::load(payload).map_err(|_| Unusable::Incomplete)?;
    if let Some(rules) = rules.filter(|rules| *rules != head.rules) {
        return Err(Unusable::OtherRules(head.rules, rules));
    }
    at += length;
    let (mut lobby, mut rooms, mut is_complete) = (Vec::new(), BTreeMap::new(), false);
    while let Some((kind, payload, length)) = block::read::<Kind>(&bytes[at..]) {
        at += length;
        let id = || payload.first_chunk().map(|id| RoomId(u32::from_le_bytes(*id)));
        match kind {
            Kind::Lobby => lobby = payload.to_vec(),
            Kind::Room => drop(id().map(|id| rooms.insert(id, payload[4..].to_vec()))),
            Kind::Gone => drop(id().map(|id| rooms.remove(&id))),
            Kind::Complete => is_complete = true,
            Kind::Head => {}
        }
    }
    if !is_complete {
        return Err(Unusable::Incomplete);
    }
    Ok(Segment { head, lobby, rooms, is_torn: at < bytes.len() })
}

/// The newest segment of a folder that counts. What does not is in the log.
pub(crate) fn newest(folder: &Path, game: &str, rules: u64) -> Option<Segment> {
    for (_, path) in files(folder).into_iter().rev() {
        let file = path.display();
        let segment = match fs::read(&path) {
            Ok(bytes) => read(&bytes, game, Some(rules)),
            Err(error) => {
                tracing::warn!(%file, %error, "a checkpoint cannot be read");
                continue;
            }
        };
        match segment {
            Ok(segment) => return Some(segment),
            Err(why) => tracing::warn!(%file, %why, "a checkpoint does not count"),
        }
    }
    None
}

/// The path of the segment with this number.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}")).with_extension(EXTENSION)
}

/// The segments of a folder by number, the oldest first.
pub(super) fn files(folder: &Path) -> BTreeMap<u64, PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: &Path| {
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        u64::from_str_radix(path.file_stem().filter(|_| is_segment)?.to_str()?, 16).ok()
    };
    entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result_ids::ResultIds;
    use broadside_shared::time::MonoTime;

    fn head(game: &str, rules: u64) -> Head {
        let result_ids = ResultIds::new(MonoTime(0));
        Head {
            game: game.to_owned(),
            rules,
            lasting: Lasting { session_key: [1; 32], account_key: [2; 32], result_ids },
        }
    }

    fn room(id: u32, state: u8) -> Vec<u8> {
        room_block(RoomId(id), &[state; 5])
    }

    /// Two rooms, and then another state of the first and the end of the second.
    fn segment() -> (Vec<u8>, usize) {
        let rooms = [(RoomId(1), &[10; 5][..]), (RoomId(2), &[20; 5])];
        let mut bytes = whole(&head("toy", 7), &[9], rooms.into_iter());
        let complete = bytes.len();
        bytes.extend([room(1, 11), block::write(Kind::Gone, &2u32.to_le_bytes())].concat());
        (bytes, complete)
    }

    fn rooms(segment: &Segment) -> Vec<(u32, u8)> {
        segment.rooms.iter().map(|(id, state)| (id.0, state[0])).collect()
    }

    #[test]
    fn the_newest_state_of_each_room_counts_up_to_where_a_segment_was_cut_off() {
        let (bytes, complete) = segment();
        let whole = read(&bytes, "toy", Some(7)).expect("it counts");
        assert_eq!((rooms(&whole), &whole.lobby[..], whole.is_torn), (vec![(1, 11)], &[9][..], false));
        for cut in 0..bytes.len() {
            match read(&bytes[..cut], "toy", Some(7)) {
                Ok(found) => {
                    assert!(cut >= complete, "cut at {cut}");
                    let first = if cut < complete + room(1, 11).len() { 10 } else { 11 };
                    assert_eq!(rooms(&found), [(1, first), (2, 20)], "cut at {cut}");
                }
                Err(why) => assert!(cut < complete && matches!(why, Unusable::NotOne | Unusable::Incomplete)),
            }
        }
        for damaged in 0..bytes.len() {
            let mut other = bytes.clone();
            other[damaged] ^= 0x10;
            // Whatever a byte does, it does not pass for something else.
            if let Ok(found) = read(&other, "toy", Some(7)) {
                assert!(found.is_torn && rooms(&found)[0].1 / 10 == 1, "byte {damaged}");
            }
        }
    }

    #[test]
    fn a_segment_of_another_build_or_game_is_named_and_the_one_before_counts() {
        let (bytes, _) = segment();
        assert_eq!(read(&bytes, "toy", Some(8)), Err(Unusable::OtherRules(7, 8)));
        assert_eq!(read(&bytes, "chess", Some(7)), Err(Unusable::OtherGame("toy".to_owned())));
        let mut newer = bytes.clone();
        newer[7] += 1;
        assert_eq!(read(&newer, "toy", Some(7)), Err(Unusable::OtherFormat(newer[7])));
        let folder = std::env::temp_dir().join(format!("broadside-segments-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(path(&folder, 3), &bytes).expect("a file");
        fs::write(path(&folder, 4), &bytes[..60]).expect("a file");
        fs::write(folder.join("notes.txt"), "no segment").expect("a file");
        assert_eq!(newest(&folder, "toy", 7).as_ref().map(rooms), Some(vec![(1, 11)]));
        assert_eq!(newest(&folder, "toy", 8), None);
        fs::remove_dir_all(&folder).expect("it is there");
    }
}
