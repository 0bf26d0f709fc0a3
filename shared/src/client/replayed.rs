//! A client that is shown a replayed world: no server, no messages, and the same view as a spectator's.

use std::collections::BTreeMap;

use glam::Vec2;

use super::session::Seat;
use super::{Client, ClientConfig, Detail, Phase, View};
use crate::game::{AddressedEvent, Game, Recipients};
use crate::ids::{PlayerId, RoomId};
use crate::protocol::match_status::MatchStatus;
use crate::protocol::name::Name;
use crate::protocol::room::{ModeId, Role};
use crate::replication::fields::Record;
use crate::sorted::SortedMap;
use crate::time::{MonoTime, Tick};

/// The number of whoever watches a replay: that of no player.
const NOBODY: PlayerId = PlayerId(u16::MAX);

/// A tick of a replayed world, as a client is told of it.
#[derive(Debug)]
pub struct ReplayedTick<'a, G: Game> {
    /// The tick.
    pub tick: Tick,
    /// The world after it.
    pub world: &'a G,
    /// The players in it.
    pub names: &'a BTreeMap<PlayerId, Name>,
    /// Its match, in modes with matches.
    pub match_status: Option<&'a MatchStatus>,
    /// What happened in the tick. What one player alone was told is left out.
    pub events: &'a [AddressedEvent<G::Event>],
}

impl<G: Game> Client<G> {
    /// A client without a connection, which [`Client::handle_replayed`] tells of a world. It spectates. It is drawn by
    /// [`Client::view_replayed`] and never by [`Client::view`].
    ///
    /// # Panics
    /// Never: the name of a spectator is valid.
    #[must_use]
    pub fn replayed(room: RoomId, mode: ModeId) -> Self {
        let name = Name::new("spectator").expect("the name of a spectator is valid");
        let (room_choice, role, detail) = (None, Role::Spectate, Detail::View);
        let mut client = Client::new(ClientConfig { name, agent: String::new(), room: room_choice, role, detail });
        let (tick_hz, snapshot_every, tick_zero) = (G::TICK_HZ, 1, MonoTime(0));
        client.session.phase = Phase::Playing;
        client.session.seat = Some(Seat { room, player: NOBODY, mode, role, tick_hz, snapshot_every, tick_zero });
        client
    }

    /// Takes the next tick of the replay: names, match, scores, state of the room, and events, which come out as the view reaches them.
    pub fn handle_replayed(&mut self, replayed: &ReplayedTick<'_, G>) {
        let ReplayedTick { tick, world: game, names, match_status, events } = *replayed;
        let world = &mut self.world;
        if !world.names.iter().eq(names.iter().map(|(player, name)| (*player, name))) {
            world.names = SortedMap::default();
            names.iter().for_each(|(player, name)| world.names.insert(*player, name.clone()));
        }
        if let Some(status) = match_status.filter(|status| world.match_status.as_ref() != Some(status)) {
            world.match_status = Some(status.clone());
        }
        world.room_state = game.room_state();
        // As often as a room tells its players.
        if world.newest.is_none() || tick.0.is_multiple_of(G::TICK_HZ) {
            world.board.clear();
            game.standings(&mut world.board);
            (world.players, world.extent) = (names.len() as u16, game.extent());
        }
        world.newest = Some((tick, MonoTime(0)));
        let is_seen = |recipients: &Recipients| matches!(recipients, Recipients::Near(_) | Recipients::Room);
        let seen = events.iter().filter(|event| is_seen(&event.recipients));
        world.push_events(seen.map(|event| (tick, event.event.clone())));
    }

    /// Takes what is replicated of a tick that [`Client::handle_replayed`] was told of: needed for the two ticks around what is drawn.
    pub fn handle_replayed_records(&mut self, tick: Tick, records: &[(Vec2, Record)]) {
        let records = records.iter().map(|(_, record)| (tick, record));
        self.world.interpolation.handle_snapshot(tick, f64::from(tick.0), records);
    }

    /// What to draw at a moment, in ticks with a fraction: of the two ticks around it, the client was told the records.
    pub fn view_replayed(&mut self, moment: f64) -> &View<G> {
        let interpolation = &mut self.world.interpolation;
        interpolation.draw_at(moment);
        (self.view.tick, self.view.own_tick) = (moment, moment);
        self.view.entities.clear();
        interpolation.show(moment, |_| false, &mut self.view.entities);
        self.world.emit_events(moment, &mut self.out);
        &self.view
    }

    /// Follows a player, or nobody: what a spectator asks the server for.
    pub fn follow_replayed(&mut self, player: Option<PlayerId>) {
        self.world.following = player;
    }

    /// Forgets the world, since the replay goes on elsewhere. What is drawn stays until the next view.
    pub fn skip_replayed(&mut self) {
        let following = self.world.following;
        self.world.reset();
        self.world.following = following;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientEvent;
    use crate::game::{PlayerInput, Standing};
    use crate::history::History;
    use crate::time::ViewTime;
    use crate::toy::{Bump, DUEL, Push, Toy};

    #[test]
    fn a_replayed_world_is_drawn_between_its_ticks_with_names_board_and_events() {
        let (ann, ben) = (PlayerId(0), PlayerId(1));
        let name = |text| Name::new(text).expect("a valid name");
        let mut toy = Toy::new(&(), DUEL, 1);
        let mut events = Vec::new();
        toy.join(ann, Tick(1), &mut events);
        toy.join(ben, Tick(1), &mut events);
        let names = BTreeMap::from([(ann, name("Ann")), (ben, name("Ben"))]);
        let mut client = Client::<Toy>::replayed(RoomId(3), DUEL);
        assert_eq!((client.mode(), client.room().map(|(_, _, role)| role)), (Some(DUEL), Some(Role::Spectate)));
        let mut xs = Vec::new();
        for tick in [10, 11].map(Tick) {
            let view = ViewTime::of(tick);
            let input = |player, push| PlayerInput { player, input: Push(push, 0), view };
            toy.step(tick, &[input(ann, 1), input(ben, -1)], &History::default(), &mut events);
            events.push(AddressedEvent { recipients: Recipients::Near(Vec2::ZERO), event: Bump(7) });
            events.push(AddressedEvent { recipients: Recipients::Player(ann), event: Bump(8) });
            let (world, match_status) = (&toy, None);
            client.handle_replayed(&ReplayedTick { tick, world, names: &names, match_status, events: &events });
            events.clear();
            let mut records = Vec::new();
            toy.replicate(tick, &mut records);
            client.handle_replayed_records(tick, &records);
            xs.push(toy.player_state(ann).expect("she is there").at.x);
        }
        client.follow_replayed(Some(ben));
        let view = client.view_replayed(10.5);
        assert_eq!((view.entities.len(), view.tick, view.own_tick), (2, 10.5, 10.5));
        assert!(view.own.is_none());
        let drawn = view.entities[0].values[0];
        assert!((drawn - xs[0].midpoint(xs[1])).abs() < 0.3, "{drawn} between {xs:?}");
        assert!(matches!(client.poll_event(), Some(ClientEvent::Game(Bump(7)))));
        assert!(client.poll_event().is_none(), "the other tick is still to come, and hers is not for everyone");
        assert_eq!((client.name_of(ben), client.players(), client.following()), (Some("Ben"), 2, Some(ben)));
        assert_eq!(client.board().iter().map(|Standing { player, .. }| *player).collect::<Vec<_>>(), [ann, ben]);
        client.skip_replayed();
        assert_eq!((client.name_of(ben), client.following(), client.last_view().entities.len()), (None, Some(ben), 2));
        assert!(client.view_replayed(10.5).entities.is_empty());
    }
}
