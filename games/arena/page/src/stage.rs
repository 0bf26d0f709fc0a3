//! The stage: everything that one image shows of a world, as one plain struct.
//!
//! The game and the battle behind the title both fill it; drawing and radar read it and know neither.

use std::borrow::Cow;

use broadside_arena::Craft;
use broadside_arena::pickup::Boon;
use broadside_client::Color;
use broadside_client::words::say;
use glam::Vec2;

use crate::trail::Trail;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShipLook {
    /// Its entity number, which identifies it from image to image.
    pub(crate) id: u16,
    pub(crate) player: u16,
    /// The team, in modes with teams.
    pub(crate) team: Option<u8>,
    pub(crate) craft: Craft,
    /// Its middle, in world units.
    pub(crate) at: Vec2,
    /// World units per second.
    pub(crate) velocity: Vec2,
    /// Direction of the bow, in radians from +x toward +y.
    pub(crate) heading: f32,
    /// Hull left, 0..=1.
    pub(crate) hull: f32,
    /// Shield left, 0..=1; of other ships only whether there is one is known, which counts as 1.
    pub(crate) shield: f32,
    /// Whether it takes no damage because it is new.
    pub(crate) protected: bool,
    /// Whether it has rapid fire.
    pub(crate) rapid: bool,
    /// Whether its main engine burns.
    pub(crate) thrust: bool,
    /// Whether its boost burns.
    pub(crate) boost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShotLook {
    /// The player who fired it.
    pub(crate) player: u16,
    /// World units.
    pub(crate) at: Vec2,
    /// World units per second.
    pub(crate) velocity: Vec2,
    /// Seconds of flight; negative while it is still in the barrel.
    pub(crate) age: f32,
    /// Identifies the shot before and after the server has numbered it.
    pub(crate) key: u64,
}

/// A rail's beam while it glows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BeamLook {
    /// The player who fired it.
    pub(crate) player: u16,
    /// The muzzle, in world units.
    pub(crate) from: Vec2,
    /// Its end, in world units.
    pub(crate) to: Vec2,
    /// Seconds since it was fired; negative before.
    pub(crate) age: f32,
    /// Identifies the beam among all beams and shots.
    pub(crate) key: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RockLook {
    /// Its entity number, which decides how it looks.
    pub(crate) id: u16,
    /// World units.
    pub(crate) at: Vec2,
    /// World units.
    pub(crate) radius: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PickupLook {
    pub(crate) id: u16,
    /// World units.
    pub(crate) at: Vec2,
    pub(crate) what: Boon,
}

/// A mine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MineLook {
    /// Who left it.
    pub(crate) player: u16,
    /// World units.
    pub(crate) at: Vec2,
    /// Whether it goes off under an enemy.
    pub(crate) armed: bool,
    /// Whether it does nothing to the own ship.
    pub(crate) friendly: bool,
}

/// The zone that two teams fight over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ZoneLook {
    /// World units.
    pub(crate) at: Vec2,
    /// World units.
    pub(crate) radius: f32,
    /// How far it leans: -1 fully to the first team, 1 fully to the second.
    pub(crate) lean: f32,
    /// The team that holds it.
    pub(crate) holder: Option<u8>,
    /// Whether both teams are in it.
    pub(crate) contested: bool,
}

/// Something that just happened and has a flash or a sound. Positions are in world units, velocities in world units per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// A ship fired its cannon.
    Fired {
        player: u16,
        /// The muzzle.
        at: Vec2,
        /// Velocity of the shot.
        velocity: Vec2,
    },
    /// A ship fired its rail.
    Railed {
        player: u16,
        /// The muzzle.
        from: Vec2,
        /// Where the beam ended.
        to: Vec2,
    },
    /// How the server judged a beam that hit; shown to its shooter and to its victim.
    Judged {
        /// Where the ship was as the shooter saw it.
        seen_at: Vec2,
        /// Where it was when the shot was judged; only for the victim.
        now: Option<Vec2>,
    },
    /// A shot or a beam hit the ship of `player`.
    Struck {
        player: u16,
        /// The player who fired.
        by: u16,
        at: Vec2,
        /// Whether a shield took it.
        shielded: bool,
        /// Whether it was a beam, which does more damage.
        heavy: bool,
    },
    /// A shot ended at a rock.
    Chipped { at: Vec2 },
    /// A ship was sunk.
    Sunk { player: u16, at: Vec2, velocity: Vec2 },
    /// A mine of `player` went off.
    Blown { player: u16, at: Vec2 },
    /// A ship took a pickup.
    Taken { player: u16, what: Boon, at: Vec2 },
    /// A shot of the own player did damage, perhaps out of view.
    Dealt {
        /// Points of damage.
        points: u8,
    },
    /// A new ship appeared.
    Launched { player: u16, at: Vec2 },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    /// The arena's radius, in world units.
    pub(crate) edge: f32,
    /// The own player, unless spectating.
    pub(crate) own: Option<u16>,
    /// The player whom a spectator follows.
    pub(crate) followed: Option<u16>,
    /// The players in view whose connection is lost.
    pub(crate) away: Vec<u16>,
    /// The color that the player has chosen for the own ship.
    pub(crate) paint: Option<Color>,
    /// What the own ship leaves behind.
    pub(crate) trail: Trail,
    /// The player to take revenge on.
    pub(crate) nemesis: Option<u16>,
    /// The player with a bounty.
    pub(crate) bounty: Option<u16>,
    /// Every ship in view, including the own one.
    pub(crate) ships: Vec<ShipLook>,
    /// The own ship where the server last had it; only while the network lab compares both.
    pub(crate) ghost: Option<ShipLook>,
    pub(crate) shots: Vec<ShotLook>,
    pub(crate) beams: Vec<BeamLook>,
    pub(crate) rocks: Vec<RockLook>,
    pub(crate) pickups: Vec<PickupLook>,
    /// Mines in view.
    pub(crate) mines: Vec<MineLook>,
    pub(crate) zone: Option<ZoneLook>,
    /// What happened since the last image.
    pub(crate) effects: Vec<Effect>,
    /// The team of every player whose ship was seen, by player: their shots are visible farther than their ships.
    teams: Vec<(u16, u8)>,
    /// Keys of the shots and beams of the previous image, sorted.
    known: Vec<u64>,
}

/// A shot first seen older than this, in seconds, was fired out of view: no flash, no sound.
const FRESH_SECONDS: f32 = 0.15;

impl Stage {
    /// Clears it for the next image and keeps the allocations.
    pub(crate) fn clear(&mut self) {
        self.ships.clear();
        (self.own, self.followed, self.ghost) = (None, None, None);
        self.away.clear();
        (self.nemesis, self.bounty) = (None, None);
        self.shots.clear();
        self.beams.clear();
        self.rocks.clear();
        self.pickups.clear();
        self.mines.clear();
        self.zone = None;
        self.effects.clear();
    }

    /// Remembers every player's team. Call it once per image, after the ships are filled in.
    pub(crate) fn record_teams(&mut self) {
        if self.ships.iter().all(|ship| ship.team.is_none()) {
            return;
        }
        for ship in &self.ships {
            let Some(team) = ship.team else { continue };
            match self.teams.binary_search_by_key(&ship.player, |(player, _)| *player) {
                Ok(at) => self.teams[at].1 = team,
                Err(at) => self.teams.insert(at, (ship.player, team)),
            }
        }
    }

    /// The team of a player when last seen.
    #[must_use]
    pub(crate) fn team_of(&self, player: u16) -> Option<u8> {
        let at = self.teams.binary_search_by_key(&player, |(player, _)| *player).ok()?;
        Some(self.teams[at].1)
    }

    /// The team of the own player, or of the followed one.
    #[must_use]
    pub(crate) fn own_team(&self) -> Option<u8> {
        self.team_of(self.own.or(self.followed)?)
    }

    /// Whether a ship is a teammate's.
    #[must_use]
    pub(crate) fn is_friend(&self, ship: &ShipLook) -> bool {
        ship.team.is_some() && ship.team == self.own_team() && self.own != Some(ship.player)
    }

    /// Adds an [`Effect::Fired`] or [`Effect::Railed`] for every shot and beam that the previous image did not have. Call it once
    /// per image, after the shots are filled in.
    pub(crate) fn add_shot_effects(&mut self) {
        for shot in &self.shots {
            if shot.age < FRESH_SECONDS && self.known.binary_search(&shot.key).is_err() {
                let at = shot.at - shot.velocity * shot.age;
                self.effects.push(Effect::Fired { player: shot.player, at, velocity: shot.velocity });
            }
        }
        for beam in &self.beams {
            if (0.0..FRESH_SECONDS).contains(&beam.age) && self.known.binary_search(&beam.key).is_err() {
                self.effects.push(Effect::Railed { player: beam.player, from: beam.from, to: beam.to });
            }
        }
        self.known.clear();
        self.known.extend(self.shots.iter().map(|shot| shot.key));
        // A beam that is not fired yet counts as unknown, so that it flashes later.
        self.known.extend(self.beams.iter().filter(|beam| beam.age >= 0.0).map(|beam| beam.key));
        self.known.sort_unstable();
    }

    /// A player's name with what is to be known of its ship, in words.
    #[must_use]
    pub(crate) fn tag<'a>(&self, player: u16, name: &'a str) -> Cow<'a, str> {
        let marks = [
            (self.bounty == Some(player), say("tag.bounty")),
            (self.nemesis == Some(player), say("tag.revenge")),
            (self.away.contains(&player), say("tag.away")),
        ];
        if marks.iter().all(|(is, _)| !is) {
            return Cow::Borrowed(name);
        }
        let marks = marks.into_iter().filter_map(|(is, mark)| is.then_some(mark));
        Cow::Owned(std::iter::once(name).chain(marks).collect())
    }

    /// The own ship, if it is afloat.
    #[must_use]
    pub(crate) fn own_ship(&self) -> Option<&ShipLook> {
        self.ship_of(self.own?)
    }

    /// A player's ship, if it is in view.
    #[must_use]
    pub(crate) fn ship_of(&self, player: u16) -> Option<&ShipLook> {
        self.ships.iter().find(|ship| ship.player == player)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(key: u64, age: f32) -> ShotLook {
        ShotLook { player: 1, at: Vec2::X * 90.0, velocity: Vec2::X * 900.0, age, key }
    }

    #[test]
    fn a_shot_flashes_once_and_only_if_it_was_fired_in_view() {
        let mut stage = Stage::default();
        stage.shots.extend([shot(7, 0.1), shot(8, 0.9)]);
        stage.add_shot_effects();
        assert_eq!(stage.effects, [Effect::Fired { player: 1, at: Vec2::ZERO, velocity: Vec2::X * 900.0 }]);
        stage.clear();
        stage.shots.push(shot(7, 0.12));
        stage.add_shot_effects();
        assert_eq!(stage.effects, []);
    }
}
