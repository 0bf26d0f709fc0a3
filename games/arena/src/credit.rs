//! Credit for a ship that sank, beside that of who sank it: assists, and the bounty on the leader of an open arena.

use serde::{Deserialize, Serialize};

use super::rules::{ASSIST_DAMAGE, BOUNTY_FROM, SCORE_ASSIST, TICK_HZ};
use super::{Arena, ArenaEvent};
use crate::modes::Mode;
use broadside_shared::game::{AddressedEvent, Game, Recipients, Standing};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::PlayerId;
use broadside_shared::time::Tick;

/// Opponents of a ship that are remembered: with an assist for a third of a hull, hardly more can have earned one.
const OPPONENTS_MAX: usize = 4;

/// Who damaged a ship, and how much, since it was last whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Wounds([(PlayerId, u16); OPPONENTS_MAX]);

impl Wounds {
    /// Adds damage, to the entry of the player, or else in place of the smallest.
    pub(super) fn add(&mut self, by: PlayerId, dealt: u16) {
        let known = self.0.iter().position(|(player, damage)| *player == by && *damage > 0);
        if let Some(at) = known {
            self.0[at].1 = self.0[at].1.saturating_add(dealt);
        } else if let Some(least) = self.0.iter_mut().min_by_key(|(_, damage)| *damage) {
            *least = (by, dealt);
        }
    }

    /// Forgets a player, whose number may get another holder.
    pub(super) fn forget(&mut self, player: PlayerId) {
        for entry in self.0.iter_mut().filter(|(by, _)| *by == player) {
            *entry = (PlayerId(0), 0);
        }
    }

    /// Those who did enough damage for an assist, in order of player.
    fn helpers(&self) -> impl Iterator<Item = PlayerId> {
        let mut entries = self.0;
        entries.sort_unstable();
        entries.into_iter().filter(|(_, damage)| *damage >= ASSIST_DAMAGE).map(|(player, _)| player)
    }

    pub(super) fn hash(&self, hash: &mut WorldHash) {
        for (player, damage) in &self.0 {
            hash.u64(u64::from(player.0) << 16 | u64::from(*damage));
        }
    }
}

/// The player with a bounty, by the standings, best first: the leader of an open arena, once the lead is worth something.
#[must_use]
pub fn bounty_on(mode: Mode, standings: &[Standing]) -> Option<PlayerId> {
    let leader = standings.first().filter(|leader| mode.is_open() && leader.score >= BOUNTY_FROM)?;
    // Of two at the top, neither leads.
    standings.get(1).is_none_or(|second| second.score < leader.score).then_some(leader.player)
}

impl Arena {
    /// Looks once a second who leads, in the tick whose standings clients are sent.
    pub(super) fn follow_leader(&mut self, tick: Tick) {
        if !self.mode.is_open() || !tick.0.is_multiple_of(TICK_HZ) {
            return;
        }
        let mut best = std::mem::take(&mut self.best);
        best.clear();
        self.standings(&mut best);
        self.bounty = bounty_on(self.mode, &best);
        self.best = best;
    }

    /// Remembers who damaged a ship; `is_first`: the ship was whole, and had been left alone for a while.
    pub(super) fn note_wound(&mut self, target: PlayerId, by: PlayerId, is_first: bool, dealt: u16) {
        let Some(seat) = self.seat_mut(target) else { return };
        if is_first {
            seat.wounds = Wounds::default();
        }
        if dealt > 0 {
            seat.wounds.add(by, dealt);
        }
    }

    /// Rewards those who did much of the damage to a ship that sank, whatever sank it in the end.
    pub(super) fn reward_helpers(
        &mut self,
        victim: PlayerId,
        by: Option<PlayerId>,
        events: &mut Vec<AddressedEvent<ArenaEvent>>,
    ) {
        let Some(seat) = self.seat_mut(victim) else { return };
        let wounds = std::mem::take(&mut seat.wounds);
        for helper in wounds.helpers().filter(|helper| Some(*helper) != by) {
            let Some(seat) = self.seat_mut(helper) else { continue };
            seat.own.score = seat.own.score.saturating_add(SCORE_ASSIST);
            seat.counters.assists += 1;
            let event = ArenaEvent::Assisted { victim };
            events.push(AddressedEvent { recipients: Recipients::Player(helper), event });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_did_much_of_the_damage_have_helped() {
        let mut wounds = Wounds::default();
        let ids = |wounds: &Wounds| wounds.helpers().map(|player| player.0).collect::<Vec<_>>();
        wounds.add(PlayerId(9), ASSIST_DAMAGE - 1);
        wounds.add(PlayerId(0), ASSIST_DAMAGE);
        assert_eq!(ids(&wounds), [0]);
        wounds.add(PlayerId(9), 1);
        assert_eq!(ids(&wounds), [0, 9]);
        wounds.forget(PlayerId(0));
        assert_eq!(ids(&wounds), [9]);
        for stranger in 20..40 {
            wounds.add(PlayerId(stranger), 10);
        }
        assert_eq!(ids(&wounds), [9], "many who scratched it do not push out who hurt it");
    }

    #[test]
    fn the_bounty_is_on_a_leader_with_a_lead() {
        let at = |player, score| Standing { player: PlayerId(player), score };
        assert_eq!(bounty_on(Mode::Open, &[at(3, BOUNTY_FROM), at(1, 5)]), Some(PlayerId(3)));
        assert_eq!(bounty_on(Mode::Open, &[at(3, BOUNTY_FROM)]), Some(PlayerId(3)));
        assert_eq!(bounty_on(Mode::Open, &[at(1, BOUNTY_FROM), at(3, BOUNTY_FROM)]), None, "nobody leads");
        assert_eq!(bounty_on(Mode::Open, &[at(3, BOUNTY_FROM - 1)]), None);
        assert_eq!(bounty_on(Mode::Teams, &[at(3, BOUNTY_FROM)]), None);
        assert_eq!(bounty_on(Mode::Open, &[]), None);
    }
}
