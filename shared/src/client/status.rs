//! The read-only half of [`Client`]: what it knows of its session, its room and the other players.

use super::stats::Stats;
use super::{Client, Phase, View};
use crate::game::{BotView, Game, Standing};
use crate::ids::{AccountId, PlayerId, RoomId};
use crate::protocol::match_status::MatchStatus;
use crate::protocol::message::ScoreLine;
use crate::protocol::name::Name;
use crate::protocol::room::{ModeId, Role};
use crate::protocol::token::Token;
use crate::replication::replica::Replica;
use crate::time::{MonoTime, Tick};

impl<G: Game> Client<G> {
    /// What a bot sees; `None` without a seat or before the first snapshot.
    #[must_use]
    pub fn bot_view(&self) -> Option<BotView<'_, G>> {
        let seat = self.session.seat.filter(|seat| seat.role == Role::Play)?;
        Some(BotView {
            tick: self.tick(),
            snapshot_tick: self.snapshot_tick()?,
            player: seat.player,
            mode: seat.mode,
            own: self.local_player()?,
            replica: self.replica(),
            match_status: self.match_status(),
            room_state: self.room_state(),
        })
    }

    /// Whether snapshots are read to their end: false for [`Detail::Heads`](super::Detail::Heads) once the clock is known. The replica is then
    /// as old as that.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.session.decodes()
    }

    /// What [`Client::view`] last gave.
    #[must_use]
    pub fn last_view(&self) -> &View<G> {
        &self.view
    }

    /// The newest state of the room, beyond scores.
    #[must_use]
    pub fn room_state(&self) -> &G::RoomState {
        &self.world.room_state
    }

    /// How far the connection has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.session.phase
    }

    /// The player's name: as the server last confirmed it, or as last requested.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.session.config.name
    }

    /// The token that gives the seat back over another connection, once welcomed.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        self.session.token
    }

    /// The account that results count for, as the last welcome said; `None` without one.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.session.account_in_use
    }

    /// The position in the join queue, 1 being the next; `None` outside it.
    #[must_use]
    pub fn queue_position(&self) -> Option<u32> {
        self.session.queue_position
    }

    /// The room, its mode, and the role in it, once seated.
    #[must_use]
    pub fn room(&self) -> Option<(RoomId, ModeId, Role)> {
        self.session.seat.map(|seat| (seat.room, seat.mode, seat.role))
    }

    /// The mode of the room, once seated.
    #[must_use]
    pub fn mode(&self) -> Option<ModeId> {
        self.session.seat.map(|seat| seat.mode)
    }

    /// The player's number in the room, once seated.
    #[must_use]
    pub fn player(&self) -> Option<PlayerId> {
        self.session.seat.map(|seat| seat.player)
    }

    /// Steps per second of the room, and ticks from one of its snapshots to the next, once seated.
    #[must_use]
    pub fn rates(&self) -> Option<(u32, u32)> {
        self.session.seat.map(|seat| (seat.tick_hz, seat.snapshot_every))
    }

    /// The server's clock at `now`, once a ping has been answered.
    #[must_use]
    pub fn server_time(&self, now: MonoTime) -> Option<MonoTime> {
        let clock = &self.session.clock;
        clock.is_set().then(|| MonoTime(clock.server_us(now).max(0.0) as u64))
    }

    /// How long ago a moment of the server's clock was, in milliseconds; 0 before the clock is known.
    #[must_use]
    pub fn age_ms_of(&self, at: MonoTime, now: MonoTime) -> f64 {
        let clock = &self.session.clock;
        if clock.is_set() { ((clock.server_us(now) - at.0 as f64) / 1000.0).max(0.0) } else { 0.0 }
    }

    /// The own state that the server last sent, as of [`Client::snapshot_tick`]: what prediction is checked against.
    #[must_use]
    pub fn authority(&self) -> Option<&G::LocalPlayerState> {
        self.local.prediction.authority()
    }

    /// The own state at the newest client tick.
    #[must_use]
    pub fn local_player(&self) -> Option<&G::LocalPlayerState> {
        self.local.prediction.local_player()
    }

    /// The newest client tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.local.prediction.tick()
    }

    /// The newest snapshot's tick.
    #[must_use]
    pub fn snapshot_tick(&self) -> Option<Tick> {
        self.world.newest.map(|(tick, _)| tick)
    }

    /// The client's copy of the cells around it, as of the newest snapshot.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.world.replica
    }

    /// A player's name; `None` for a player that the server has not named.
    #[must_use]
    pub fn name_of(&self, player: PlayerId) -> Option<&str> {
        self.world.names.get(player).map(Name::as_str)
    }

    /// Every named player in the room, in order of number.
    pub fn roster(&self) -> impl Iterator<Item = (PlayerId, &str)> + Clone {
        self.world.names.iter().map(|(player, name)| (player, name.as_str()))
    }

    /// Whether a player's connection is lost and their seat is kept.
    #[must_use]
    pub fn is_away(&self, player: PlayerId) -> bool {
        self.world.away.contains(player)
    }

    /// Whether a player is one of the server's own bots.
    #[must_use]
    pub fn is_bot(&self, player: PlayerId) -> bool {
        self.world.bots.contains(player)
    }

    /// What the last [`Request::Scores`](crate::protocol::message::Request::Scores) brought, best first; empty before.
    #[must_use]
    pub fn scores(&self) -> &[ScoreLine] {
        &self.world.scores
    }

    /// The best scores, best first, about a second old.
    #[must_use]
    pub fn board(&self) -> &[Standing] {
        &self.world.board
    }

    /// The number of players in the room, about a second old.
    #[must_use]
    pub fn players(&self) -> u16 {
        self.world.players
    }

    /// Distance from the origin to the end of the world, in world units, at most about a second old; 0 where the world has no end or
    /// nothing is known yet. A player finds the exact value in their own state, if the game has one.
    #[must_use]
    pub fn extent(&self) -> u16 {
        self.world.extent
    }

    /// The player that a spectator follows.
    #[must_use]
    pub fn following(&self) -> Option<PlayerId> {
        self.world.following
    }

    /// The state of the match, at most a second old; `None` before the first.
    #[must_use]
    pub fn match_status(&self) -> Option<&MatchStatus> {
        self.world.match_status.as_ref()
    }

    /// Running statistics of the session.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.out.stats
    }
}
