//! Mines: left behind by a ship, they arm after a second and go off under the first enemy that comes near.

use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::event::rounded;
use super::fields::{self, MINE};
use super::rules::{MINE_ARM, MINE_BLAST, MINE_DAMAGE, MINE_LIFE, MINE_REACH, POINT, SHIP_RADIUS};
use super::ship::Cause;
use super::{Arena, ArenaEvent};
use broadside_shared::game::{AddressedEvent, Recipients};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::replication::fields::Record;
use broadside_shared::time::Tick;

/// A mine, which does not move. It lies on the wire's grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mine {
    /// The mine's number in the room.
    pub id: EntityId,
    /// Who left it: it does nothing to that ship and its friends.
    pub owner: PlayerId,
    /// Its centre in world units.
    pub at: Vec2,
    /// The tick it was left at.
    pub start: Tick,
}

impl Mine {
    /// The mine as it is replicated.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Record {
        let values = [self.at.x, self.at.y, 0.0, f32::from(self.owner.0)];
        let mut record = Record::pack(self.id, MINE, fields::spec(MINE), &values);
        // Set directly, since a float would lose the last bits of a large tick.
        record.values[2] = self.start.0.cast_signed();
        record
    }

    /// The mine of a record of kind [`fields::MINE`].
    #[must_use]
    pub fn read(record: &Record) -> Mine {
        let [x, y, ..] = fields::unpack(record);
        Mine {
            id: record.id,
            owner: PlayerId(record.values[3] as u16),
            at: Vec2::new(x, y),
            start: Tick(record.values[2].cast_unsigned()),
        }
    }

    /// Whether it goes off under an enemy at `tick`.
    #[must_use]
    pub fn armed_at(&self, tick: Tick) -> bool {
        tick.since(self.start) >= MINE_ARM
    }

    fn spent_at(&self, tick: Tick) -> bool {
        tick.since(self.start) > MINE_LIFE
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        hash.u64(u64::from(self.id.0) << 48 | u64::from(self.owner.0) << 32 | u64::from(self.start.0));
        hash.vec2(self.at);
    }
}

impl Arena {
    /// Sets off the mines that an enemy is near, in the order they were left, and removes old ones.
    pub(super) fn mind_mines(&mut self, tick: Tick, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let mut kept = 0;
        for index in 0..self.mines.len() {
            let mine = self.mines[index];
            let goes_off = mine.armed_at(tick) && self.is_near(&mine);
            if goes_off {
                self.blow_up(&mine, events);
            }
            if goes_off || mine.spent_at(tick) {
                self.ids.free(mine.id);
            } else {
                self.mines[kept] = mine;
                kept += 1;
            }
        }
        self.mines.truncate(kept);
    }

    /// Whether a ship is near that a mine is meant for.
    fn is_near(&self, mine: &Mine) -> bool {
        // Most mines lie where nobody is.
        let mut near = self.players_near(mine.at).peekable();
        if near.peek().is_none() {
            return false;
        }
        let Some(friends) = self.spared_by(mine.owner) else { return false };
        let mut near = near.filter_map(|player| self.seat(player)).map(|seat| &seat.own);
        near.any(|own| {
            let is_prey = own.afloat() && own.protection == 0 && own.player != mine.owner && !friends.has(own);
            is_prey && (own.position - mine.at).length_squared() < MINE_REACH * MINE_REACH
        })
    }

    /// Hurts every enemy around a mine: the further away, the less.
    fn blow_up(&mut self, mine: &Mine, events: &mut Vec<AddressedEvent<ArenaEvent>>) {
        let at = rounded(mine.at);
        let (by, blast) = (mine.owner, ArenaEvent::Blast { at, by: mine.owner });
        events.push(AddressedEvent { recipients: Recipients::Near(at), event: blast });
        let reach = Vec2::splat(MINE_BLAST);
        let mut struck = std::mem::take(&mut self.struck);
        struck.clear();
        if let Some(friends) = self.spared_by(by) {
            for player in self.players_within(mine.at - reach, mine.at + reach) {
                let Some(own) = self.seat(player).map(|seat| &seat.own) else { continue };
                let distance = (own.position - mine.at).length();
                if own.afloat() && player != by && !friends.has(own) && distance < MINE_BLAST {
                    let share = 1.0 - (distance - SHIP_RADIUS).max(0.0) / MINE_BLAST;
                    struck.push((player, (MINE_DAMAGE * share) as u16 * POINT));
                }
            }
        }
        struck.sort_unstable();
        struck.dedup();
        for &(target, damage) in &struck {
            let Some(wound) = self.wound(target, by, damage) else { continue };
            let now = rounded(wound.at);
            let pierced = ArenaEvent::Pierced { at: now, target, by, on: wound.on };
            events.push(AddressedEvent { recipients: Recipients::Near(now), event: pierced });
            if wound.dealt > 0 {
                let points = wound.dealt.div_ceil(POINT) as u8;
                let event = ArenaEvent::Dealt { target, points };
                events.push(AddressedEvent { recipients: Recipients::Player(by), event });
            }
            self.finish(target, by, &wound, Cause::Mine, events);
        }
        self.struck = struck;
    }
}
