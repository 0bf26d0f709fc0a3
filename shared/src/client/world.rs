//! The client's copy of the room: entities, names, standings, match and the events that are still to be shown.

use std::collections::VecDeque;

use super::output::{EVENTS_KEPT, Output};
use super::session::RoomTime;
use super::{ClientEvent, Detail, Interpolation};
use crate::game::{Game, Standing};
use crate::ids::PlayerId;
use crate::protocol::limits::EVENTS_MAX;
use crate::protocol::match_status::MatchStatus;
use crate::protocol::message::{Resume, ScoreLine};
use crate::protocol::name::Name;
use crate::protocol::token::Token;
use crate::replication::bits::{BitReader, WireError};
use crate::replication::replica::Replica;
use crate::sorted::SortedMap;
use crate::time::{MonoTime, Tick};

pub(super) struct World<G: Game> {
    pub(super) replica: Replica,
    pub(super) interpolation: Interpolation,
    /// Game events that the view has not reached, in order of tick.
    events: VecDeque<(Tick, G::Event)>,
    pub(super) names: SortedMap<PlayerId, Name>,
    /// Players whose connection is lost and whose seat is kept.
    pub(super) away: SortedMap<PlayerId, ()>,
    /// Players who are the server's own bots.
    pub(super) bots: SortedMap<PlayerId, ()>,
    pub(super) board: Vec<Standing>,
    /// What the last request for scores brought.
    pub(super) scores: Vec<ScoreLine>,
    pub(super) players: u16,
    pub(super) extent: u16,
    /// The player a spectator looks at.
    pub(super) following: Option<PlayerId>,
    pub(super) match_status: Option<MatchStatus>,
    pub(super) room_state: G::RoomState,
    /// The newest snapshot's tick, and when it arrived.
    pub(super) newest: Option<(Tick, MonoTime)>,
}

impl<G: Game> World<G> {
    pub(super) fn new() -> Self {
        World {
            replica: Replica::default(),
            interpolation: Interpolation::new(G::KINDS, G::TICK_HZ, G::CELL),
            events: VecDeque::new(),
            names: SortedMap::default(),
            away: SortedMap::default(),
            bots: SortedMap::default(),
            board: Vec::new(),
            scores: Vec::new(),
            players: 0,
            extent: 0,
            following: None,
            match_status: None,
            room_state: G::RoomState::default(),
            newest: None,
        }
    }

    /// Forgets the former room. The number of players stays until the next board, and the choice of drawing for good.
    pub(super) fn reset(&mut self) {
        let (players, plain) = (self.players, self.interpolation.plain());
        *self = World { players, ..World::new() };
        self.interpolation.set_plain(plain);
    }

    /// What a client that comes back with `token` already has.
    pub(super) fn resume(&mut self, token: Token) -> Resume {
        let have = self.newest_tick();
        Resume { token, have, cells: self.replica.keep_known(have) }
    }

    /// The newest snapshot's tick; tick 0 before the first.
    pub(super) fn newest_tick(&self) -> Tick {
        self.newest.map_or(Tick(0), |(tick, _)| tick)
    }

    /// The tick of the others' picture, with a fraction: the drawn one, or the newest snapshot where nobody draws.
    pub(super) fn seen_tick(&self, detail: Detail) -> f64 {
        match (detail, self.interpolation.drawn()) {
            (Detail::View, Some(drawn)) => drawn,
            (Detail::View, None) | (Detail::Replica | Detail::Decode | Detail::Heads, _) => {
                f64::from(self.newest_tick().0)
            }
        }
    }

    /// Age of the newest snapshot in milliseconds, at least 0; 0 before the first.
    pub(super) fn age_ms(&self, room_time: &RoomTime) -> f64 {
        self.newest.map_or(0.0, |(tick, _)| room_time.ms((room_time.server_tick - f64::from(tick.0)).max(0.0)))
    }

    /// Reads the events of the snapshot of `tick`; a client for a load test drops them.
    pub(super) fn read_events(&mut self, detail: Detail, tick: Tick, bits: &mut BitReader) -> Result<(), WireError> {
        let count = bits.count(1, EVENTS_MAX, "events")?;
        bits.align()?;
        for _ in 0..count {
            let at = tick.before(bits.bits(8)?);
            let event = G::read_event(bits)?;
            bits.align()?;
            if !detail.is_for_load() {
                self.events.push_back((at, event));
            }
        }
        if !self.events.iter().is_sorted_by_key(|(at, _)| *at) {
            self.events.make_contiguous().sort_by_key(|(at, _)| *at);
        }
        self.bound_events();
        Ok(())
    }

    /// Adds events of a later tick than all before.
    pub(super) fn push_events(&mut self, events: impl Iterator<Item = (Tick, G::Event)>) {
        self.events.extend(events);
        self.bound_events();
    }

    fn bound_events(&mut self) {
        while self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    /// Hands out the game events up to `tick`, the moment the view shows.
    pub(super) fn emit_events(&mut self, tick: f64, out: &mut Output<G>) {
        while self.events.front().is_some_and(|(at, _)| f64::from(at.0) <= tick) {
            if let Some((_, event)) = self.events.pop_front() {
                out.emit(ClientEvent::Game(event));
            }
        }
    }
}
