//! A room's seats as plain data, and the room that goes on from them.
//!
//! What follows from the world, such as the match status, is not saved, but made anew. Neither are the poses of the last ticks saved: a
//! shot within a quarter of a second after a restore is judged by where everyone is.

use broadside_shared::game::Game;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::name::Name;
use broadside_shared::replication::cells::LayerSet;
use broadside_shared::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};

use super::{Room, RoomOutput, Seat, Spectating};

/// How far a room has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTime {
    /// The newest tick stepped.
    pub tick: Tick,
    /// The number of ticks stepped.
    pub stepped: u32,
}

/// Who has a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOccupant {
    pub name: Name,
    /// The player that a spectator follows.
    pub follows: Option<PlayerId>,
}

impl<G: Game> Room<G> {
    #[must_use]
    pub fn saved_time(&self) -> SavedTime {
        SavedTime { tick: self.tick, stepped: self.stepped }
    }

    /// Who has this seat; `None` if it is free.
    #[must_use]
    pub fn saved_occupant(&self, player: PlayerId) -> Option<SavedOccupant> {
        let Seat { name, spectating, .. } = self.seats.get(usize::from(player.0))?.as_ref()?;
        let follows = spectating.and_then(|spectating| spectating.follows);
        Some(SavedOccupant { name: name.clone(), follows })
    }

    /// Goes on from a saved world; without one, from a new world. To be called on an empty room, before [`Room::restore_seat`].
    pub fn restore(&mut self, time: SavedTime, world: Option<G>) {
        assert!(self.seats.is_empty(), "a room with seats is not restored");
        (self.tick, self.stepped) = (time.tick, time.stepped);
        if let Some(world) = world {
            self.game = world;
        }
    }

    /// Gives back a seat, whose holder is away. The world knows the player already.
    pub fn restore_seat(&mut self, player: PlayerId, occupant: SavedOccupant, is_player: bool) {
        let at = usize::from(player.0);
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, || None);
        }
        let SavedOccupant { name, follows } = occupant;
        let spectating = Spectating { follows, is_free: false, focus: Vec2::ZERO, layers: LayerSet::EVERYONE };
        let phase = self.phase_load.take(self.config.snapshot_every);
        let seat = Seat::new(name, (!is_player).then_some(spectating), phase);
        let taken = self.seats[at].replace(Seat { away_since: Some(self.stepped), ..seat });
        assert!(taken.is_none(), "seat {at} is restored twice");
        if is_player {
            self.seated += 1;
        } else {
            self.spectators += 1;
        }
    }

    /// Publishes the match status of the restored world. To be called once every seat is given back.
    pub fn restore_match(&mut self) {
        let mut unused = RoomOutput::default();
        self.write_match_status(self.tick, &mut unused);
    }

    /// A player with a restored seat enters a world that does not know them.
    pub fn enter_world(&mut self, player: PlayerId) {
        self.game.join(player, self.tick.after(1), &mut self.events);
    }

    /// A player who was in the saved world, and has no seat, leaves it.
    pub fn leave_world(&mut self, player: PlayerId) {
        self.game.leave(player, self.tick.after(1), &mut self.events);
    }
}
