//! How a server numbers results, and the recordings of matches: alike before and after a restart, so that the database has each once.

use broadside_core::results::ResultKey;
use broadside_shared::game::Game;
use broadside_shared::time::{MonoTime, tick_us};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::secret;
use crate::store::now_us;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultIds {
    /// Random: no other server that shares the database has it.
    server: u64,
    /// When the server's clock read 0, in microseconds since 1970.
    began_us: i64,
}

impl ResultIds {
    /// Those of a server whose clock reads `now`.
    #[must_use]
    pub fn new(now: MonoTime) -> ResultIds {
        ResultIds { server: secret::number(), began_us: now_us().saturating_sub(now.0 as i64) }
    }

    /// The id of a result: 48 bits of milliseconds, as every id begins, and a hash of what it is known by.
    #[must_use]
    pub fn of<G: Game>(&self, key: ResultKey) -> [u8; 16] {
        let ResultKey { room, tick_zero, since, player } = key;
        let since_us = tick_zero.0 + tick_us(G::TICK_HZ, since);
        let ms = self.began_us.saturating_add(since_us as i64) / 1000;
        let player = player.map_or(u32::MAX, |player| player.0.into());
        let hash = Sha256::new()
            .chain_update(self.server.to_le_bytes())
            .chain_update(room.0.to_le_bytes())
            .chain_update(tick_zero.0.to_le_bytes())
            .chain_update(since.to_le_bytes())
            .chain_update(player.to_le_bytes())
            .finalize();
        let mut id = [0; 16];
        id[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        id[6..].copy_from_slice(&hash[..10]);
        id
    }
}

#[cfg(test)]
mod tests {
    use broadside_shared::ids::{PlayerId, RoomId};
    use broadside_shared::toy::Toy;

    use super::*;

    #[test]
    fn what_is_known_by_the_same_has_the_same_number_and_nothing_else_has() {
        let ids = ResultIds::new(MonoTime(0));
        let key = ResultKey { room: RoomId(1), tick_zero: MonoTime(5), since: 9, player: None };
        assert_eq!(ids.of::<Toy>(key), ids.of::<Toy>(key));
        let others = [
            ids.of::<Toy>(ResultKey { room: RoomId(2), ..key }),
            ids.of::<Toy>(ResultKey { tick_zero: MonoTime(6), ..key }),
            ids.of::<Toy>(ResultKey { since: 10, ..key }),
            ids.of::<Toy>(ResultKey { player: Some(PlayerId(0)), ..key }),
            ResultIds::new(MonoTime(0)).of::<Toy>(key),
        ];
        assert!(others.iter().all(|other| *other != ids.of::<Toy>(key)));
    }
}
