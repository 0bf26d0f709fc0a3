//! A game with a scale and layers of its own: small cells, 30 Hz, and units that only their own side sees.

use broadside_shared::game::{AddressedEvent, Game, NoBot, NoRequest, PlayerInput, in_cell_units};
use broadside_shared::history::History;
use broadside_shared::ids::{EntityId, PlayerId};
use broadside_shared::protocol::room::ModeId;
use broadside_shared::replication::bits::BitReader;
use broadside_shared::replication::cells::LayerSet;
use broadside_shared::replication::fields::{FieldSpec, KindSpec, Motion, Record, velocity};
use broadside_shared::replication::replica::Replica;
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{Placement, WorldHistory, WorldState};
use broadside_shared::time::Tick;
use glam::Vec2;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const CELL: f32 = 32.0;
const KINDS: &[KindSpec] = &[KindSpec {
    name: "unit",
    motion: Motion::Moving,
    fields: &[
        FieldSpec::X.for_cells_of(CELL),
        FieldSpec::Y.for_cells_of(CELL),
        velocity("vx", 10, 30).for_cells_of(CELL),
        velocity("vy", 10, 30).for_cells_of(CELL),
    ],
}];

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Unit {
    at: Vec2,
    velocity: Vec2,
    layer: u8,
}

/// Units that drift and turn back. Player n sees the units of layer n + 1 besides those of layer 0.
#[derive(Serialize, Deserialize)]
struct Fog(Vec<Unit>);

impl Game for Fog {
    const NAME: &'static str = "fog";
    const TICK_HZ: u32 = 30;
    const KINDS: &'static [KindSpec] = KINDS;
    const VIEW: Vec2 = Vec2::new(60.0, 40.0);
    const CELL: f32 = CELL;
    const LAYERS: u8 = 3;
    type Config = ();
    type Input = ();
    type LocalPlayerState = ();
    type Event = ();
    type PredictionContext = ();
    type Request = NoRequest;
    type RoomState = ();
    type Bot = NoBot;

    fn new((): &(), _: ModeId, _: u64) -> Self {
        Fog(Vec::new())
    }

    fn join(&mut self, _: PlayerId, _: Tick, _: &mut Vec<AddressedEvent<()>>) {}

    fn leave(&mut self, _: PlayerId, _: Tick, _: &mut Vec<AddressedEvent<()>>) {}

    fn step(&mut self, _: Tick, _: &[PlayerInput<()>], _: &History, _: &mut Vec<AddressedEvent<()>>) {
        for unit in &mut self.0 {
            unit.at += unit.velocity / Self::TICK_HZ as f32;
            for (at, velocity) in [(unit.at.x, &mut unit.velocity.x), (unit.at.y, &mut unit.velocity.y)] {
                if at.abs() > 18.0 {
                    *velocity = -velocity.abs() * at.signum();
                }
            }
        }
    }

    fn player_state(&self, _: PlayerId) -> Option<&()> {
        None
    }

    fn focus((): &()) -> Vec2 {
        Vec2::ZERO
    }

    fn replicate(&self, _: Tick, out: &mut Vec<(Vec2, Record)>) {
        for (id, Unit { at, velocity, .. }) in (0u16..).zip(&self.0) {
            out.push((*at, Record::pack(EntityId(id), 0, &KINDS[0], &[at.x, at.y, velocity.x, velocity.y])));
        }
    }

    fn layer(&self, record: &Record) -> u8 {
        self.0[usize::from(record.id.0)].layer
    }

    fn layers_seen(&self, player: PlayerId) -> LayerSet {
        LayerSet::EVERYONE.with(player.0 as u8 + 1)
    }

    fn hash(&self) -> u64 {
        0
    }
}

/// The game, and two players who are sent every tick.
struct Run {
    game: Fog,
    tick: Tick,
    history: WorldHistory,
    placement: Placement,
    players: [(Viewer, Replica); 2],
}

impl Run {
    /// Units around the origin, on both sides of the corner of four cells; unit n is in layer n % `layers`.
    fn new(layers: u16) -> Self {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut vector = |reach: f32| Vec2::new(rng.f32() * 2.0 - 1.0, rng.f32() * 2.0 - 1.0) * reach;
        let units = (0..60).map(|n| Unit { at: vector(18.0), velocity: vector(6.0), layer: (n % layers) as u8 });
        Run {
            game: Fog(units.collect()),
            tick: Tick(0),
            history: WorldHistory::new(KINDS),
            placement: Placement::every(1),
            players: Default::default(),
        }
    }

    fn step(&mut self) {
        self.tick = self.tick.after(1);
        self.game.step(self.tick, &[], &History::default(), &mut Vec::new());
        let mut state = WorldState::default();
        state.capture(&self.game, self.tick, &mut self.placement);
        self.history.push(Arc::new(state));
        for (player, (viewer, replica)) in (0u16..).zip(&mut self.players) {
            let area = AreaOfInterest {
                focus: in_cell_units::<Fog>(Vec2::ZERO),
                view: in_cell_units::<Fog>(Fog::VIEW),
                layers: self.game.layers_seen(PlayerId(player)),
            };
            let mut frame = Vec::new();
            viewer.write(&mut self.history, &area, UpdateRateTier::Full, &mut frame);
            replica.apply(KINDS, self.tick, &mut BitReader::new(&frame)).expect("written cells are read");
        }
    }

    /// The units that a player knows, ascending.
    fn known(&self, player: usize) -> Vec<u16> {
        let mut ids: Vec<u16> = self.players[player].1.records().map(|record| record.id.0).collect();
        ids.sort_unstable();
        ids
    }
}

#[test]
fn positions_are_as_precise_as_cells_are_small() {
    let mut run = Run::new(1);
    for _ in 0..90 {
        run.step();
        let off = |record: &Record| {
            let [x, y] = [0, 1].map(|axis| KINDS[0].fields[axis].unpack(record.values[axis]));
            (Vec2::new(x, y) - run.game.0[usize::from(record.id.0)].at).abs().max_element()
        };
        let worst = run.players[0].1.records().map(off).fold(0.0, f32::max);
        assert_eq!(run.known(0).len(), 60);
        // Half a step, which is a 2,048th of a cell; and what one multiplication rounds.
        assert!(worst <= CELL / 4096.0 * 1.01, "{worst}");
    }
}

#[test]
fn a_hidden_unit_is_known_to_its_own_side_until_it_shows_itself() {
    let mut run = Run::new(3);
    let of_layers = |layers: [u16; 2]| (0..60u16).filter(|id| layers.contains(&(id % 3))).collect::<Vec<_>>();
    let (mine, mut theirs) = (of_layers([0, 1]), of_layers([0, 2]));
    for tick in 1..=60 {
        // Unit 1 of the first player's side is seen by everyone for a while, wherever it is then.
        let is_seen = (20..40).contains(&tick);
        run.game.0[1].layer = if is_seen { 0 } else { 1 };
        run.step();
        assert_eq!(run.known(0), mine, "tick {tick}");
        theirs.retain(|id| *id != 1);
        if is_seen {
            theirs.insert(1, 1);
        }
        assert_eq!(run.known(1), theirs, "tick {tick}");
    }
}
