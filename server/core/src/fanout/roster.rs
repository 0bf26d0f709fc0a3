//! The roster: names, board, match status and the game's state of the room. Each client gets every entry once, in slices, whenever it joins.
//!
//! Every change gets the next version. A client that has everything up to version `v` lacks the entries with later versions. A seat has
//! one entry only, its newest: a new client gets the current roster, and a returning one only what it missed.

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
    /// An absence is an entry of its own, behind the name.
    of_absence: BTreeMap<PlayerId, u64>,
    /// So is being a bot.
    of_bot: BTreeMap<PlayerId, u64>,
    of_board: Option<u64>,
    of_match: Option<u64>,
    of_state: Option<u64>,
}

/// What one client was sent: everything up to this version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentRoster(u64);

impl Roster {
    /// Adds a change. It replaces the former entry of the same seat, or the former board, match status or state.
    pub fn put(&mut self, update: &RoomUpdate) {
        self.version += 1;
        let mut bytes = Vec::new();
        encode_update(update, &mut bytes);
        let former = match update {
            RoomUpdate::Named { player, .. } | RoomUpdate::Left { player } => {
                // A new holder of the number is neither away nor a bot.
                for behind in [self.of_absence.remove(player), self.of_bot.remove(player)].into_iter().flatten() {
                    self.entries.remove(&behind);
                }
                self.here.remove(player);
                self.of_player.insert(*player, self.version)
            }
            RoomUpdate::Away { player } | RoomUpdate::Back { player } => self.of_absence.insert(*player, self.version),
            RoomUpdate::Bot { player } => self.of_bot.insert(*player, self.version),
            // For one recipient and not for all.
            RoomUpdate::Message(_) => return,
            RoomUpdate::Board { .. } => self.of_board.replace(self.version),
            RoomUpdate::Match(_) => self.of_match.replace(self.version),
            RoomUpdate::State(_) => self.of_state.replace(self.version),
        };
        if let Some(former) = former {
            self.entries.remove(&former);
        }
        if let RoomUpdate::Named { player, .. } = update {
            self.here.insert(*player);
        }
        self.entries.insert(self.version, bytes);
    }

    /// Whether a player with this number is in the room, as of the newest update.
    #[must_use]
    pub fn has(&self, player: PlayerId) -> bool {
        self.here.contains(&player)
    }

    /// Appends the oldest updates that a client lacks, at most [`UPDATES_BYTES_MAX`] bytes, and marks them as sent.
    pub fn append_missing(&self, sent: &mut SentRoster, out: &mut Vec<u8>) {
        if sent.0 == self.version {
            return;
        }
        let from = out.len();
        for (version, bytes) in self.entries.range(sent.0 + 1..) {
            if out.len() - from + bytes.len() > UPDATES_BYTES_MAX {
                return;
            }
            out.extend_from_slice(bytes);
            sent.0 = *version;
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

    fn missing(roster: &Roster, sent: &mut SentRoster) -> Vec<RoomUpdate> {
        let (mut updates, mut bytes) = (Vec::new(), Vec::new());
        roster.append_missing(sent, &mut bytes);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (update, used) = decode_update(rest).expect("our own update");
            updates.push(update);
            rest = &rest[used..];
        }
        updates
    }

    #[test]
    fn a_new_client_gets_the_current_roster_and_others_get_only_the_changes() {
        let (mut roster, mut early) = (Roster::default(), SentRoster::default());
        roster.put(&named(0, "Ann"));
        roster.put(&named(1, "Bob"));
        assert_eq!(missing(&roster, &mut early), [named(0, "Ann"), named(1, "Bob")]);
        roster.put(&RoomUpdate::Left { player: PlayerId(0) });
        assert_eq!([0, 1, 2].map(|player| roster.has(PlayerId(player))), [false, true, false]);
        roster.put(&named(0, "Cid"));
        assert!(roster.has(PlayerId(0)), "a number is used again");
        assert_eq!(missing(&roster, &mut early), [named(0, "Cid")]);
        assert_eq!(missing(&roster, &mut early), []);
        assert_eq!(missing(&roster, &mut SentRoster::default()), [named(1, "Bob"), named(0, "Cid")]);
    }

    #[test]
    fn a_bot_is_marked_until_its_number_has_another_name() {
        let mut roster = Roster::default();
        let bot = RoomUpdate::Bot { player: PlayerId(0) };
        roster.put(&named(0, "Ann"));
        roster.put(&bot);
        assert_eq!(missing(&roster, &mut SentRoster::default()), [named(0, "Ann"), bot]);
        roster.put(&named(0, "Bob"));
        assert_eq!(missing(&roster, &mut SentRoster::default()), [named(0, "Bob")]);
    }

    #[test]
    fn a_long_roster_is_sent_in_slices_and_completely() {
        let mut roster = Roster::default();
        (0..500).for_each(|p| roster.put(&named(p, "A name 16 chars.")));
        let (mut sent, mut count, mut slices) = (SentRoster::default(), 0, 0);
        while count < 500 {
            let updates = missing(&roster, &mut sent).len();
            assert!(updates > 0, "stuck after {count}");
            count += updates;
            slices += 1;
        }
        assert!(slices > 5, "{slices}");
    }
}
