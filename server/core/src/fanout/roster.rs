//! Who is called what, and the board: sent to each client once, in slices, however late it comes.
//!
//! Every change gets the next version. A client that knows all up to version `v` needs the entries with later versions, and a
//! seat has one entry only, its newest: so a newcomer gets the roster as it is, and one who was away gets what was missed.

use std::collections::{BTreeMap, BTreeSet};

use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::codec::encode_update;
use broadside_shared::protocol::limits::UPDATES_BYTES_MAX;
use broadside_shared::protocol::message::RoomUpdate;

/// The updates of a room by version; each encoded once.
#[derive(Debug, Default)]
pub struct Roster {
    version: u64,
    entries: BTreeMap<u64, Vec<u8>>,
    of_player: BTreeMap<PlayerId, u64>,
    here: BTreeSet<PlayerId>,
    /// Who is away is sent by an entry of its own, behind the name.
    of_absence: BTreeMap<PlayerId, u64>,
    of_board: Option<u64>,
    of_match: Option<u64>,
}

/// What one client knows: everything up to a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentRoster(u64);

impl Roster {
    /// Takes a change; the former entry of the same seat, or the former board, goes.
    pub fn put(&mut self, note: &RoomUpdate) {
        self.version += 1;
        let mut bytes = Vec::new();
        encode_update(note, &mut bytes);
        let former = match note {
            RoomUpdate::Named { player, .. } | RoomUpdate::Left { player } => {
                // A new holder of the number is not away.
                if let Some(absence) = self.of_absence.remove(player) {
                    self.entries.remove(&absence);
                }
                self.here.remove(player);
                self.of_player.insert(*player, self.version)
            }
            RoomUpdate::Away { player } | RoomUpdate::Back { player } => self.of_absence.insert(*player, self.version),
            // Said to one and not to all.
            RoomUpdate::Message(_) => return,
            RoomUpdate::Board { .. } => self.of_board.replace(self.version),
            RoomUpdate::Match(_) => self.of_match.replace(self.version),
        };
        if let Some(former) = former {
            self.entries.remove(&former);
        }
        if let RoomUpdate::Named { player, .. } = note {
            self.here.insert(*player);
        }
        self.entries.insert(self.version, bytes);
    }

    /// Whether a player of this number is in the room, as far as the updates have come.
    #[must_use]
    pub fn has(&self, player: PlayerId) -> bool {
        self.here.contains(&player)
    }

    /// Appends the oldest updates that a client lacks, at most [`UPDATES_BYTES_MAX`] bytes, and takes them as sent.
    pub fn tell(&self, known: &mut SentRoster, out: &mut Vec<u8>) {
        if known.0 == self.version {
            return;
        }
        let from = out.len();
        for (version, bytes) in self.entries.range(known.0 + 1..) {
            if out.len() - from + bytes.len() > UPDATES_BYTES_MAX {
                return;
            }
            out.extend_from_slice(bytes);
            known.0 = *version;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::protocol::codec::decode_update;
    use broadside_shared::protocol::name::Name;

    fn named(player: u16, name: &str) -> RoomUpdate {
        RoomUpdate::Named { player: PlayerId(player), name: Name::new(name).expect("a fine name") }
    }

    fn sent(roster: &Roster, known: &mut SentRoster) -> Vec<RoomUpdate> {
        let (mut updates, mut bytes) = (Vec::new(), Vec::new());
        roster.tell(known, &mut bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (note, used) = decode_update(rest).expect("our own note");
            updates.push(note);
            rest = &rest[used..];
        }
        updates
    }

    #[test]
    fn a_newcomer_learns_who_is_there_and_others_learn_what_changed() {
        let (mut roster, mut early) = (Roster::default(), SentRoster::default());
        roster.put(&named(0, "Ann"));
        roster.put(&named(1, "Bob"));
        assert_eq!(sent(&roster, &mut early), [named(0, "Ann"), named(1, "Bob")]);
        roster.put(&RoomUpdate::Left { player: PlayerId(0) });
        assert_eq!([0, 1, 2].map(|player| roster.has(PlayerId(player))), [false, true, false]);
        roster.put(&named(0, "Cid"));
        assert!(roster.has(PlayerId(0)), "a number is used again");
        assert_eq!(sent(&roster, &mut early), [named(0, "Cid")]);
        assert_eq!(sent(&roster, &mut early), []);
        assert_eq!(sent(&roster, &mut SentRoster::default()), [named(1, "Bob"), named(0, "Cid")]);
    }

    #[test]
    fn a_long_roster_comes_in_slices_and_all_of_it_comes() {
        let mut roster = Roster::default();
        (0..500).for_each(|p| roster.put(&named(p, "A name 16 chars.")));
        let (mut known, mut count, mut slices) = (SentRoster::default(), 0, 0);
        while count < 500 {
            let updates = sent(&roster, &mut known).len();
            assert!(updates > 0, "stuck after {count}");
            count += updates;
            slices += 1;
        }
        assert!(slices > 5, "{slices}");
    }
}
