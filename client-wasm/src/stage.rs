//! The stage: everything of a world that one image shows, in one plain struct.
//!
//! The live game and the title screen's own little battle both fill it; drawing, sound and radar read it and know neither.

use broadside_shared::arena::pickup::Boon;
use glam::Vec2;

/// A ship as it is to be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShipLook {
    /// Its entity number: what tells it from others from image to image.
    pub(crate) id: u16,
    /// Whose it is.
    pub(crate) player: u16,
    /// The team it fights for, where there are teams.
    pub(crate) team: Option<u8>,
    /// Its middle, world units.
    pub(crate) at: Vec2,
    /// Velocity, world units per second.
    pub(crate) velocity: Vec2,
    /// Where its bow points, radians from +x toward +y.
    pub(crate) heading: f32,
    /// Hull left, 0..=1.
    pub(crate) hull: f32,
    /// Shield left, 0..=1; of other ships only whether there is any is known, which counts as 1.
    pub(crate) shield: f32,
    /// Whether it takes no damage because it is new.
    pub(crate) protected: bool,
    /// Whether it fires fast.
    pub(crate) rapid: bool,
    /// Whether its main engine burns.
    pub(crate) thrust: bool,
}

/// A shot in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShotLook {
    /// Who fired it.
    pub(crate) player: u16,
    /// Where it is, world units.
    pub(crate) at: Vec2,
    /// Velocity, world units per second.
    pub(crate) velocity: Vec2,
    /// How long it has flown, seconds; negative while it is still in the barrel.
    pub(crate) age: f32,
    /// What tells it from every other shot, before and after the server has numbered it.
    pub(crate) key: u64,
}

/// A rail's beam that still glows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BeamLook {
    /// Who fired it.
    pub(crate) player: u16,
    /// The muzzle, world units.
    pub(crate) from: Vec2,
    /// Where it ended, world units.
    pub(crate) to: Vec2,
    /// How long ago it was fired, seconds; negative while it is still to come.
    pub(crate) age: f32,
    /// What tells it from every other beam and shot.
    pub(crate) key: u64,
}

/// A rock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RockLook {
    /// Its entity number, from which its looks follow.
    pub(crate) id: u16,
    /// Its middle, world units.
    pub(crate) at: Vec2,
    /// Its radius, world units.
    pub(crate) radius: f32,
}

/// A pickup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PickupLook {
    /// Its entity number.
    pub(crate) id: u16,
    /// Its middle, world units.
    pub(crate) at: Vec2,
    /// What it does.
    pub(crate) what: Boon,
}

/// The place that two teams fight over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ZoneLook {
    /// Its middle, world units.
    pub(crate) at: Vec2,
    /// Its radius, world units.
    pub(crate) radius: f32,
    /// How far it leans: -1 wholly to the first team, 1 wholly to the second.
    pub(crate) lean: f32,
    /// The team that holds it.
    pub(crate) holder: Option<u8>,
    /// Whether both are in it.
    pub(crate) contested: bool,
}

/// Something that happened just now and is worth a flash or a sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// A ship fired.
    Fired {
        /// Who.
        player: u16,
        /// The muzzle, world units.
        at: Vec2,
        /// Velocity of the shot, world units per second.
        velocity: Vec2,
    },
    /// A ship fired its rail.
    Railed {
        /// Who.
        player: u16,
        /// The muzzle, world units.
        from: Vec2,
        /// Where the beam ended, world units.
        to: Vec2,
    },
    /// What was judged of a beam that hit: shown to its shooter and to its victim.
    Judged {
        /// Where the ship was as the shooter saw it, world units.
        seen_at: Vec2,
        /// Where it was when the shot was judged, if this is told to the victim, world units.
        now: Option<Vec2>,
    },
    /// A shot or a beam hit a ship.
    Struck {
        /// Whom.
        player: u16,
        /// Who fired.
        by: u16,
        /// Where, world units.
        at: Vec2,
        /// Whether a shield took it.
        shielded: bool,
        /// Whether it was a beam, which hurts more.
        heavy: bool,
    },
    /// A shot ended at a rock.
    Chipped {
        /// Where, world units.
        at: Vec2,
    },
    /// A ship blew up.
    Sunk {
        /// Who.
        player: u16,
        /// Where, world units.
        at: Vec2,
        /// How fast it flew, world units per second.
        velocity: Vec2,
    },
    /// A ship took a pickup.
    Taken {
        /// Who.
        player: u16,
        /// What.
        what: Boon,
        /// Where, world units.
        at: Vec2,
    },
    /// A shot of the own player did damage, perhaps far away.
    Dealt {
        /// Points of damage.
        points: u8,
    },
    /// A ship appeared.
    Launched {
        /// Who.
        player: u16,
        /// Where, world units.
        at: Vec2,
    },
}

/// What one image shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    /// The arena's radius, world units.
    pub(crate) edge: f32,
    /// The player who watches, if it plays.
    pub(crate) own: Option<u16>,
    /// Whom a spectator without a ship looks at.
    pub(crate) followed: Option<u16>,
    /// Players among the ships whose connection is lost.
    pub(crate) away: Vec<u16>,
    /// Every ship in view, the own one included.
    pub(crate) ships: Vec<ShipLook>,
    /// The own ship once more, where the server last had it; only while someone wants to compare.
    pub(crate) ghost: Option<ShipLook>,
    /// Every shot in view.
    pub(crate) shots: Vec<ShotLook>,
    /// Every beam in view.
    pub(crate) beams: Vec<BeamLook>,
    /// Every rock in view.
    pub(crate) rocks: Vec<RockLook>,
    /// Every pickup in view.
    pub(crate) pickups: Vec<PickupLook>,
    /// The place to hold, if there is one.
    pub(crate) zone: Option<ZoneLook>,
    /// What happened since the last image.
    pub(crate) effects: Vec<Effect>,
    /// The team of every player whose ship was seen, in order of player: their shots are seen further than they are.
    teams: Vec<(u16, u8)>,
    /// Keys of the shots of the image before, sorted.
    known: Vec<u64>,
}

/// A shot that is first seen older than this, in seconds, was fired out of effect: no flash, no bang.
const FRESH_SECONDS: f32 = 0.15;

impl Stage {
    /// Empties it for the next image and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ships.clear();
        (self.own, self.followed, self.ghost) = (None, None, None);
        self.away.clear();
        self.shots.clear();
        self.beams.clear();
        self.rocks.clear();
        self.pickups.clear();
        self.zone = None;
        self.effects.clear();
    }

    /// Remembers who fights for which team. Call it once, after the ships are in.
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

    /// Forgets who fights for which team: another room.
    pub(crate) fn forget_teams(&mut self) {
        self.teams.clear();
    }

    /// The team a player was last seen to fight for.
    #[must_use]
    pub(crate) fn team_of(&self, player: u16) -> Option<u8> {
        let at = self.teams.binary_search_by_key(&player, |(player, _)| *player).ok()?;
        Some(self.teams[at].1)
    }

    /// The team of who watches this: the own, or that of whom they follow.
    #[must_use]
    pub(crate) fn own_team(&self) -> Option<u8> {
        self.team_of(self.own.or(self.followed)?)
    }

    /// Whether a ship is of the own team, and not the own.
    #[must_use]
    pub(crate) fn is_friend(&self, ship: &ShipLook) -> bool {
        ship.team.is_some() && ship.team == self.own_team() && self.own != Some(ship.player)
    }

    /// Adds a [`Effect::Fired`] or [`Effect::Railed`] for every shot and beam that was not on the image before. Call it once, after the shots are in.
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
        // One still to come counts as unknown, so that it flashes when it comes.
        self.known.extend(self.beams.iter().filter(|beam| beam.age >= 0.0).map(|beam| beam.key));
        self.known.sort_unstable();
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
    fn a_shot_flashes_once_and_only_if_it_was_seen_to_be_fired() {
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
