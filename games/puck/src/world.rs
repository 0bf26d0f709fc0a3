//! The world: who plays for which team, places at a kick-off, goals.

use arrayvec::ArrayVec;
use broadside_shared::game::{AddressedEvent, MatchState, PlayerInput, Recipients, Standing};
use broadside_shared::hash::WorldHash;
use broadside_shared::ids::{EntityId, EntityIds, PlayerId};
use broadside_shared::protocol::match_status::MatchPhase;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};

use crate::event::{Bounce, PuckEvent};
use crate::input::PuckInput;
use crate::modes::DUEL;
use crate::own::LocalPlayerState;
use crate::play::{Disc, Play, PuckState, Touch, TouchKind};
use crate::referee::{Order, Referee};
use crate::rink::{self, Obstacle};
use crate::rules::{ADVANTAGE, DISC, PLAYERS_MAX, PUCK, TEAM_MAX};
use crate::{PuckConfig, RoomState};

/// Impacts slower than this make no sound, in units/s.
const QUIET: f32 = 60.0;
/// Most touches of one tick: of each pair of discs, of each disc with the puck and its kick, and of the puck's bounce.
const TOUCHES_MAX: usize = PLAYERS_MAX * (PLAYERS_MAX - 1) / 2 + 2 * PLAYERS_MAX + 1;
/// Where the players of the left team stand at a kick-off, in order of player.
const PLACES: [Vec2; TEAM_MAX] = [Vec2::new(-260.0, 0.0), Vec2::new(-560.0, 90.0), Vec2::new(-400.0, -190.0)];

/// The world of a room.
#[derive(Debug, Serialize, Deserialize)]
pub struct Puck {
    mode: ModeId,
    config: PuckConfig,
    ids: EntityIds,
    play: Play,
    referee: Referee,
    /// What each player is sent, in order of player; the same players as those of the discs.
    seats: ArrayVec<Seat, PLAYERS_MAX>,
    /// Who touched the puck last, and for which team.
    last_touch: Option<(PlayerId, u8)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Seat {
    own: LocalPlayerState,
    /// Goals in this match.
    goals: i32,
}

impl Puck {
    pub(crate) fn open(config: &PuckConfig, mode: ModeId) -> Puck {
        let mut ids = EntityIds::default();
        let id = take(&mut ids);
        let puck = PuckState { id, at: Vec2::ZERO, velocity: Vec2::ZERO };
        Puck {
            mode,
            config: config.clone(),
            ids,
            play: Play { discs: ArrayVec::new(), puck, held: 0 },
            referee: Referee::new(config.clone(), mode == DUEL),
            seats: ArrayVec::new(),
            last_touch: None,
        }
    }

    /// Everything that moves.
    #[must_use]
    pub fn play(&self) -> &Play {
        &self.play
    }

    #[cfg(test)]
    pub(crate) fn play_mut(&mut self) -> &mut Play {
        &mut self.play
    }

    pub(crate) fn own(&self, player: PlayerId) -> Option<&LocalPlayerState> {
        self.seats.iter().map(|seat| &seat.own).find(|own| own.player == player)
    }

    pub(crate) fn shared_state(&self) -> RoomState {
        self.referee.room_state()
    }

    pub(crate) fn published(&self) -> MatchState {
        self.referee.state(&self.play.discs)
    }

    pub(crate) fn list_standings(&self, out: &mut Vec<Standing>) {
        out.extend(self.seats.iter().map(|seat| Standing { player: seat.own.player, score: seat.goals }));
        out.sort_by_key(|standing| (std::cmp::Reverse(standing.score), standing.player));
    }

    /// Seats a player in the smaller team, at their place.
    pub(crate) fn seat(&mut self, player: PlayerId) {
        let players = self.players();
        let team = u8::from(players[1] < players[0]);
        let at = self.play.discs.partition_point(|disc| disc.player < player);
        let place = place_of(team, players[usize::from(team)]);
        self.play.discs.insert(at, Disc::new(player, team, take(&mut self.ids), place));
        self.seats.insert(at, Seat { own: LocalPlayerState::of(player, &self.play), goals: 0 });
        self.renew_seats();
    }

    /// Frees a player's seat before `tick`.
    pub(crate) fn unseat(&mut self, player: PlayerId, tick: Tick) {
        let Some(at) = self.play.discs.iter().position(|disc| disc.player == player) else { return };
        self.ids.free(self.play.discs.remove(at).id);
        self.seats.remove(at);
        self.referee.note_left(self.players(), tick);
        if self.seats.is_empty() {
            // An empty room has no match: the next players start another one.
            self.referee = Referee::new(self.config.clone(), self.mode == DUEL);
        }
        self.last_touch = self.last_touch.filter(|(by, _)| *by != player);
    }

    pub(crate) fn run_tick(
        &mut self,
        tick: Tick,
        inputs: &[PlayerInput<PuckInput>],
        events: &mut Vec<AddressedEvent<PuckEvent>>,
    ) {
        for order in self.referee.judge(tick, self.players()) {
            match order {
                Order::NewMatch => self.begin_match(),
                Order::KickOff { to, held } => self.kick_off(to, held),
            }
        }
        for PlayerInput { player, input, .. } in inputs {
            if let Some(disc) = self.play.disc_mut(*player) {
                disc.input = *input;
            }
        }
        let mut touches = ArrayVec::<Touch, TOUCHES_MAX>::new();
        self.play.step(|touch| touches.push(touch));
        for touch in touches {
            self.note(&touch, events);
        }
        if let Some(conceding) = rink::in_goal_of(self.play.puck.at) {
            self.goal(1 - conceding, tick, events);
        }
        self.renew_seats();
    }

    pub(crate) fn hash_world(&self) -> u64 {
        let mut hash = WorldHash::default();
        let Play { discs, puck, held } = &self.play;
        hash.u64(u64::from(puck.id.0) << 8 | u64::from(*held));
        hash.vec2(puck.at);
        hash.vec2(puck.velocity);
        for (disc, seat) in discs.iter().zip(&self.seats) {
            hash.u64(u64::from(disc.player.0) << 32 | u64::from(disc.id.0) << 8 | u64::from(disc.team));
            hash.u64(disc.input.number() << 32 | u64::from(disc.rest) << 8 | u64::from(disc.spent));
            hash.u64(seat.goals as u64);
            hash.vec2(disc.at);
            hash.vec2(disc.velocity);
        }
        hash.u64(self.last_touch.map_or(u64::MAX, |(player, team)| u64::from(player.0) << 1 | u64::from(team)));
        self.referee.hash(&mut hash);
        hash.finish()
    }

    /// Number of players of each team.
    fn players(&self) -> [usize; 2] {
        [0, 1].map(|team| self.play.discs.iter().filter(|disc| disc.team == team).count())
    }

    fn renew_seats(&mut self) {
        for seat in &mut self.seats {
            seat.own.renew(&self.play);
        }
    }

    /// Balances the teams, players with the highest numbers first, and forgets the goals of the former match.
    fn begin_match(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.goals = 0);
        let players = self.players();
        let larger = u8::from(players[1] > players[0]);
        let surplus = players[0].abs_diff(players[1]) / 2;
        for disc in self.play.discs.iter_mut().rev().filter(|disc| disc.team == larger).take(surplus) {
            disc.team = 1 - larger;
        }
    }

    fn kick_off(&mut self, to: Option<u8>, held: u32) {
        let mut placed = [0, 0];
        for disc in &mut self.play.discs {
            let number = &mut placed[usize::from(disc.team)];
            self.ids.free(disc.id);
            disc.place(take(&mut self.ids), place_of(disc.team, *number));
            *number += 1;
        }
        self.place_puck(to.map_or(Vec2::ZERO, |team| rink::goal_of(team).normalize_or_zero() * ADVANTAGE));
        self.play.held = held as u8;
    }

    fn place_puck(&mut self, at: Vec2) {
        self.ids.free(self.play.puck.id);
        self.play.puck = PuckState { id: take(&mut self.ids), at, velocity: Vec2::ZERO };
        self.last_touch = None;
    }

    fn note(&mut self, touch: &Touch, events: &mut Vec<AddressedEvent<PuckEvent>>) {
        let Touch { at, speed, what } = *touch;
        let (what, by) = match what {
            TouchKind::Kick(by) => {
                events.push(AddressedEvent { recipients: Recipients::Near(at), event: PuckEvent::Kick { by, at } });
                (None, Some(by))
            }
            TouchKind::Disc(by) => (Some(Bounce::Disc(by)), Some(by)),
            TouchKind::Discs => (Some(Bounce::Discs), None),
            TouchKind::Rink(Obstacle::Boards) => (Some(Bounce::Boards), None),
            TouchKind::Rink(Obstacle::Post) => (Some(Bounce::Post), None),
        };
        if let Some(what) = what.filter(|_| speed >= QUIET) {
            let event = PuckEvent::Bounce { what, at, speed: speed as u16 };
            events.push(AddressedEvent { recipients: Recipients::Near(at), event });
        }
        if let Some(disc) = by.and_then(|by| self.play.disc(by)) {
            self.last_touch = Some((disc.player, disc.team));
        }
    }

    fn goal(&mut self, team: u8, tick: Tick, events: &mut Vec<AddressedEvent<PuckEvent>>) {
        if self.referee.phase == MatchPhase::Waiting {
            // Alone, a player practises: the puck comes back at once.
            return self.place_puck(Vec2::ZERO);
        }
        if !self.referee.score(team, tick) {
            return;
        }
        let (by, of) = self.last_touch.unzip();
        let own_goal = of.is_some_and(|of| of != team);
        let scorer = self.seats.iter_mut().find(|seat| !own_goal && Some(seat.own.player) == by);
        if let Some(seat) = scorer {
            seat.goals += 1;
        }
        let event = PuckEvent::Goal { team, by, own_goal };
        events.push(AddressedEvent { recipients: Recipients::Room, event });
    }
}

/// The place of the team's player with this number among them. A team has a place for each of its seats; while the
/// teams are uneven, further players share the last one.
fn place_of(team: u8, number: usize) -> Vec2 {
    let further = number.saturating_sub(TEAM_MAX - 1) as f32;
    let Vec2 { x, y } = PLACES[number.min(TEAM_MAX - 1)] + Vec2::Y * (further * 2.0 * DISC);
    if team == 0 { Vec2::new(x, y) } else { Vec2::new(-x, -y) }
}

fn take(ids: &mut EntityIds) -> EntityId {
    ids.take().expect("a rink has fewer than 65,536 entities")
}

const _: () = assert!(ADVANTAGE > PUCK);
