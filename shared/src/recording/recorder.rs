//! Writes what a room does: the last minute in memory, and whole matches for whoever keeps them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::game::{Game, PlayerInput};
use crate::history::History;
use crate::ids::PlayerId;
use crate::protocol::name::Name;
use crate::saved;
use crate::time::{Tick, ViewTime};

use super::batch::{Batch, Call, Column};
use super::block::{self, BlockKind, MAGIC};
use super::{CheckpointHead, Head, RecordedPlayer};

/// Seconds between two checkpoints.
const CHECKPOINT_S: u32 = 10;
/// Seconds that are kept in memory, at least.
const KEPT_S: u32 = 60;
/// Most players of a world that is hashed after every tick: a larger one is hashed once a second, since a hash costs as much as its players.
const HASHED_PLAYERS: usize = 32;

/// Most players of a world that is recorded without being asked for. With 2,000, the inputs of a second and a whole world take several
/// milliseconds of the tick in which they are written.
pub const PLAYERS_MAX: usize = 64;

/// A part of a recording.
struct Block {
    kind: BlockKind,
    /// The tick of a checkpoint, and the first one of a batch.
    tick: Tick,
    bytes: Arc<[u8]>,
}

/// What a recorder has for whoever keeps recordings.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A recording begins with these bytes.
    Begun(Vec<u8>),
    Continued(Arc<[u8]>),
    /// It is whole with these bytes.
    Ended(Vec<u8>),
}

/// Records a room.
pub struct Recorder<G: Game> {
    head: Head,
    /// With more players nothing is recorded.
    players_max: usize,
    batch: Batch<G>,
    /// The input and the lag of each player as last written, by player number; `None` if the next tick names them anew.
    held: Vec<Option<(G::Input, u32)>>,
    /// From a checkpoint on, the oldest first.
    kept: VecDeque<Block>,
    /// Since when a checkpoint is due; `None` before the first.
    checkpoint_at: Option<Tick>,
    /// Whether a recording is under way that somebody keeps.
    is_kept: bool,
    recorded: Vec<Recorded>,
}

impl<G: Game> Recorder<G> {
    #[must_use]
    pub fn new(head: Head, players_max: usize) -> Self {
        Recorder {
            head,
            players_max,
            batch: Batch::default(),
            held: Vec::new(),
            kept: VecDeque::new(),
            checkpoint_at: None,
            is_kept: false,
            recorded: Vec::new(),
        }
    }

    /// The game was called, before the next tick.
    pub fn called(&mut self, call: Call<G::Request>) {
        if let Call::Join { player, .. } | Call::Leave { player } = call
            && let Some(held) = self.held.get_mut(usize::from(player.0))
        {
            *held = Some((G::Input::default(), 0));
        }
        self.batch.calls.push((self.batch.ticks.len() as u16, call));
    }

    /// The game is about to be stepped.
    pub fn stepping(&mut self, tick: Tick, inputs: &[PlayerInput<G::Input>]) {
        if inputs.len() > self.players_max {
            return self.suspend();
        }
        let at = self.batch.ticks.len() as u16;
        self.batch.ticks.push(tick);
        for PlayerInput { player, input, view } in inputs {
            let seat = usize::from(player.0);
            if self.held.len() <= seat {
                self.held.resize(seat + 1, Some((G::Input::default(), 0)));
            }
            let lag = ViewTime::of(tick).parts_since(*view);
            let held = self.held[seat].replace((*input, lag));
            let (same_input, same_lag) = held.map_or((false, false), |held| (held.0 == *input, held.1 == lag));
            if same_input && same_lag {
                continue;
            }
            let column = column(&mut self.batch.columns, *player);
            if !same_input {
                column.inputs.push((at, *input));
            }
            if !same_lag {
                column.lags.push((at, lag));
            }
        }
    }

    /// The game was stepped. `players` are those in the world, in order.
    pub fn stepped<'a>(
        &mut self,
        world: &G,
        history: &History,
        players: impl Iterator<Item = (PlayerId, &'a Name)> + Clone,
    ) {
        let Some(tick) = self.batch.ticks.last().copied() else { return };
        let is_hashed = players.clone().nth(HASHED_PLAYERS).is_none();
        let is_second = tick.since(self.batch.ticks[0]) + 1 >= G::TICK_HZ;
        if is_hashed || is_second {
            let hash = world.hash();
            self.batch.hashes.extend(is_hashed.then_some(hash as u8 & 15));
            self.batch.hash = is_second.then_some(hash);
        }
        if is_second {
            self.end_batch();
        }
        if self.checkpoint_at.is_none_or(|at| tick >= at) {
            self.checkpoint(tick, world, history, players);
        }
    }

    /// Begins a recording that somebody keeps, with a checkpoint.
    pub fn begin<'a>(
        &mut self,
        tick: Tick,
        world: &G,
        history: &History,
        players: impl Iterator<Item = (PlayerId, &'a Name)>,
    ) {
        if self.is_kept {
            return;
        }
        self.end_batch();
        self.is_kept = true;
        self.recorded.push(Recorded::Begun(self.beginning()));
        self.checkpoint(tick, world, history, players);
    }

    /// Ends the recording that somebody keeps.
    pub fn end(&mut self) {
        if self.is_kept {
            self.end_batch();
            self.is_kept = false;
            self.recorded.push(Recorded::Ended(block::write(BlockKind::End, &[])));
        }
    }

    /// Forgets everything, until a checkpoint begins anew.
    fn suspend(&mut self) {
        self.end();
        self.batch = Batch::default();
        self.kept.clear();
        self.checkpoint_at = None;
    }

    /// Takes what there is for whoever keeps recordings.
    pub fn take(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded)
    }

    /// A recording of the last minute, up to the tick that was begun last; `None` before the first checkpoint.
    #[must_use]
    pub fn last_minute(&self) -> Option<Vec<u8>> {
        self.kept.front()?;
        let mut bytes = self.beginning();
        self.kept.iter().for_each(|block| bytes.extend(&*block.bytes));
        if !self.batch.ticks.is_empty() {
            bytes.extend(block::write(BlockKind::Ticks, &self.batch.encode()));
        }
        Some(bytes)
    }

    fn beginning(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(block::write(BlockKind::Head, &saved::save(&self.head)));
        bytes
    }

    /// Writes the ticks since the last block. Calls without a tick wait for the next one.
    fn end_batch(&mut self) {
        let Some(first) = self.batch.ticks.first().copied() else { return };
        let mut batch = std::mem::take(&mut self.batch);
        let ticks = batch.ticks.len() as u16;
        let after = batch.calls.iter().position(|(at, _)| *at >= ticks).unwrap_or(batch.calls.len());
        self.batch.calls = batch.calls.split_off(after).into_iter().map(|(at, call)| (at - ticks, call)).collect();
        self.push(BlockKind::Ticks, first, &batch.encode());
    }

    fn checkpoint<'a>(
        &mut self,
        tick: Tick,
        world: &G,
        history: &History,
        players: impl Iterator<Item = (PlayerId, &'a Name)>,
    ) {
        let is_start = self.checkpoint_at.is_none();
        if is_start {
            // What led to the first checkpoint cannot be replayed.
            self.batch = Batch::default();
        }
        self.end_batch();
        let players = players.map(|(player, name)| RecordedPlayer { player, name: name.clone() }).collect();
        let payload = saved::save(&(CheckpointHead { tick, is_start, players }, world, history.recent(G::TICK_HZ)));
        self.push(BlockKind::Checkpoint, tick, &payload);
        self.checkpoint_at = Some(tick.after(CHECKPOINT_S * G::TICK_HZ));
        self.held.iter_mut().for_each(|held| *held = None);
        self.forget(tick.before(KEPT_S * G::TICK_HZ));
    }

    fn push(&mut self, kind: BlockKind, tick: Tick, payload: &[u8]) {
        let bytes: Arc<[u8]> = block::write(kind, payload).into();
        if self.is_kept {
            self.recorded.push(Recorded::Continued(Arc::clone(&bytes)));
        }
        self.kept.push_back(Block { kind, tick, bytes });
    }

    /// Drops what is older than the newest checkpoint at or before this tick.
    fn forget(&mut self, before: Tick) {
        let is_start = |block: &Block| block.kind == BlockKind::Checkpoint && block.tick <= before;
        if let Some(start) = self.kept.iter().rposition(is_start) {
            self.kept.drain(..start);
        }
    }
}

/// The column of a player, which is made if there is none.
fn column<I>(columns: &mut Vec<Column<I>>, player: PlayerId) -> &mut Column<I> {
    let at = match columns.binary_search_by_key(&player, |column| column.player) {
        Ok(at) => at,
        Err(at) => {
            columns.insert(at, Column::new(player));
            at
        }
    };
    &mut columns[at]
}
