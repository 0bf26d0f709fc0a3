//! Steps a recorded world again, and compares it with the recording.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::game::{AddressedEvent, Game, PlayerInput};
use crate::history::History;
use crate::ids::PlayerId;
use crate::protocol::name::Name;
use crate::saved;
use crate::time::{Tick, ViewTime};
use thiserror::Error;

use super::batch::{Batch, Call};
use super::block::{self, BlockKind, MAGIC};
use super::{CheckpointHead, Head, RECORDING_MAX};

/// Why a recording cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    #[error("this is no recording")]
    NotARecording,
    #[error("this recording has format {0}; this build reads format {supported}", supported = MAGIC[7])]
    OtherFormat(u8),
    #[error("this is a recording of the game `{0}`, not of `{1}`")]
    OtherGame(String, &'static str),
    #[error(
        "this recording was made with other rules ({recorded:016x}; this build has {ours:016x}): replay it with the \
         build that made it"
    )]
    OtherRules { recorded: u64, ours: u64 },
    #[error("the recording is damaged from byte {0} on, before its first checkpoint")]
    Damaged(usize),
    #[error("the recording unpacks to more than {RECORDING_MAX} bytes")]
    TooLarge,
}

/// What a player did: after how many ticks of the recording, and what from then on.
pub type InputChanges<I> = Vec<(u32, I)>;

/// A recording, checked block by block, over bytes that it borrows or shares.
#[derive(Debug)]
pub struct Recording<B> {
    pub head: Head,
    /// Whether it ends as it should; otherwise it was cut off, or is damaged, after `bytes`.
    pub is_whole: bool,
    /// Length of what can be read.
    pub bytes: usize,
    content: B,
    /// Without the first and the last one. Ranges are those of the payloads.
    blocks: Vec<(BlockKind, Range<usize>)>,
}

#[cfg(feature = "files")]
impl Recording<std::sync::Arc<[u8]>> {
    /// Reads a recording that may be packed, as files are.
    ///
    /// # Errors
    /// As [`Recording::read`], or it is too large.
    pub fn open(bytes: std::sync::Arc<[u8]>) -> Result<Self, RecordingError> {
        use std::borrow::Cow;
        match super::pack::unpack(&bytes).map_err(|_| RecordingError::TooLarge)? {
            Cow::Owned(unpacked) => Recording::read(unpacked.into()),
            Cow::Borrowed(_) => Recording::read(bytes),
        }
    }
}

impl<B: AsRef<[u8]> + Clone> Recording<B> {
    /// Reads a recording up to its end, or to the first block that is not whole.
    ///
    /// # Errors
    /// These are no bytes of a recording, or not enough of them.
    pub fn read(content: B) -> Result<Self, RecordingError> {
        let bytes = content.as_ref();
        let (name, version) = MAGIC.split_at(MAGIC.len() - 1);
        let rest = bytes.strip_prefix(name).ok_or(RecordingError::NotARecording)?;
        let found = *rest.first().ok_or(RecordingError::NotARecording)?;
        if [found] != version {
            return Err(RecordingError::OtherFormat(found));
        }
        let mut at = MAGIC.len();
        let damaged = |at| RecordingError::Damaged(at);
        let Some((BlockKind::Head, payload, length)) = block::read(&bytes[at..]) else { return Err(damaged(at)) };
        let head = saved::load(payload).map_err(|_| damaged(at))?;
        at += length;
        let (mut blocks, mut is_whole) = (Vec::new(), false);
        while let Some((kind, payload, length)) = block::read(&bytes[at..]) {
            let payload = at + block::HEADER..at + block::HEADER + payload.len();
            at += length;
            if kind == BlockKind::End {
                is_whole = true;
                break;
            }
            blocks.push((kind, payload));
        }
        if !matches!(blocks.first(), Some((BlockKind::Checkpoint, _))) {
            return Err(damaged(at));
        }
        Ok(Recording { head, is_whole, bytes: at, content, blocks })
    }

    /// The bytes that were read.
    #[must_use]
    pub fn content(&self) -> &B {
        &self.content
    }

    fn payload(&self, range: &Range<usize>) -> &[u8] {
        &self.content.as_ref()[range.clone()]
    }

    /// The tick of a block that is a checkpoint and can be read.
    fn checkpoint(&self, (kind, range): &(BlockKind, Range<usize>)) -> Option<Tick> {
        let head = || saved::load_first::<CheckpointHead>(self.payload(range)).ok();
        (*kind == BlockKind::Checkpoint).then(head).flatten().map(|head| head.tick)
    }

    /// The last checkpoint at or before a tick.
    #[must_use]
    pub fn checkpoint_before(&self, tick: Tick) -> Option<Tick> {
        self.blocks.iter().rev().filter_map(|block| self.checkpoint(block)).find(|at| *at <= tick)
    }

    /// The tick after which the recording ends.
    #[must_use]
    pub fn last_tick<G: Game>(&self) -> Option<Tick> {
        self.blocks.iter().rev().find_map(|block| match block.0 {
            BlockKind::Ticks => Batch::<G>::decode(self.payload(&block.1)).ok()?.ticks.last().copied(),
            BlockKind::Checkpoint | BlockKind::Head | BlockKind::End => self.checkpoint(block),
        })
    }

    /// What every player did, in order of player.
    ///
    /// # Errors
    /// A block cannot be read.
    pub fn inputs<G: Game>(&self) -> Result<Vec<InputChanges<G::Input>>, RecordingError> {
        let mut players = BTreeMap::<PlayerId, InputChanges<G::Input>>::new();
        let mut first = None;
        for (_, range) in self.blocks.iter().filter(|(kind, _)| *kind == BlockKind::Ticks) {
            let batch = Batch::<G>::decode(self.payload(range)).map_err(|_| RecordingError::Damaged(range.start))?;
            for column in batch.columns {
                let changes = column.inputs.into_iter().filter_map(|(place, input)| {
                    let tick = *batch.ticks.get(usize::from(place))?;
                    Some((tick.since(*first.get_or_insert(tick)), input))
                });
                players.entry(column.player).or_default().extend(changes);
            }
        }
        Ok(players.into_values().collect())
    }

    /// Checks that this build can replay it; `rules` is its rules hash.
    ///
    /// # Errors
    /// It is of another game, or of other rules.
    pub fn check<G: Game>(&self, rules: u64) -> Result<(), RecordingError> {
        if self.head.game != G::NAME {
            return Err(RecordingError::OtherGame(self.head.game.clone(), G::NAME));
        }
        if self.head.rules != rules {
            return Err(RecordingError::OtherRules { recorded: self.head.rules, ours: rules });
        }
        Ok(())
    }
}

/// Where a replay first went another way than the recording.
#[derive(Debug)]
pub struct Divergence<G> {
    /// The first tick whose hashes differ.
    pub tick: Tick,
    /// The worlds at the next checkpoint, with its tick: the recorded one and the replayed one. `None` if no checkpoint follows.
    pub worlds: Option<(Tick, Box<G>, Box<G>)>,
}

/// What a step of a replay came to.
#[derive(Debug)]
pub enum Replayed<G> {
    /// This tick was stepped, and agrees as far as the recording can tell.
    Tick(Tick),
    /// The replay goes another way than the recording, and ends.
    Diverged(Divergence<G>),
    /// A block has a good checksum and a meaning that this build cannot read: a bug.
    Unreadable(Tick),
    Ended,
}

/// A recorded world that is stepped again.
pub struct Replay<G: Game, B> {
    content: B,
    blocks: std::vec::IntoIter<(BlockKind, Range<usize>)>,
    world: G,
    history: History,
    tick: Tick,
    names: BTreeMap<PlayerId, Name>,
    /// What each player in the world holds: the input and the lag.
    held: BTreeMap<PlayerId, (G::Input, u32)>,
    batch: Batch<G>,
    /// The place of the next tick in the batch.
    at: usize,
    /// The first tick that differs.
    differs: Option<Tick>,
    pub events: Vec<AddressedEvent<G::Event>>,
}

/// A checkpoint as it is saved.
type Checkpoint<G> = (CheckpointHead, G, History);

impl<G: Game, B: AsRef<[u8]> + Clone> Replay<G, B> {
    /// The world at the last checkpoint at or before `from`, or else at the first one.
    ///
    /// # Errors
    /// The checkpoint cannot be read.
    pub fn new(recording: &Recording<B>, from: Tick) -> Result<Self, RecordingError> {
        let starts = |block: &(BlockKind, Range<usize>)| recording.checkpoint(block).is_some_and(|tick| tick <= from);
        let first = recording.blocks.iter().rposition(starts).unwrap_or(0);
        let mut blocks = recording.blocks.clone();
        blocks.drain(..first);
        let mut blocks = blocks.into_iter();
        let (_, range) = blocks.next().ok_or(RecordingError::NotARecording)?;
        let unreadable = |_| RecordingError::Damaged(recording.bytes);
        let (head, world, history) = saved::load::<Checkpoint<G>>(recording.payload(&range)).map_err(unreadable)?;
        let mut replay = Replay {
            content: recording.content.clone(),
            blocks,
            world,
            history,
            tick: head.tick,
            held: BTreeMap::new(),
            names: BTreeMap::new(),
            batch: Batch::default(),
            at: 0,
            differs: None,
            events: Vec::new(),
        };
        replay.start(head);
        Ok(replay)
    }

    /// The world is that of a checkpoint.
    fn start(&mut self, head: CheckpointHead) {
        self.tick = head.tick;
        self.held = head.players.iter().map(|recorded| (recorded.player, Default::default())).collect();
        self.names = head.players.into_iter().map(|recorded| (recorded.player, recorded.name)).collect();
    }

    #[must_use]
    pub fn world(&self) -> &G {
        &self.world
    }

    /// The tick of the world.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The players in the world.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<PlayerId, Name> {
        &self.names
    }

    /// Steps the next recorded tick. Its events are in `events` afterwards.
    pub fn step(&mut self) -> Replayed<G> {
        self.events.clear();
        while self.at == self.batch.ticks.len() {
            if let Some(end) = self.next_block() {
                return end;
            }
        }
        let (at, tick) = (self.at, self.batch.ticks[self.at]);
        self.at += 1;
        // As rooms do: before the tick that follows the last one, whichever is stepped then.
        self.call(at, self.tick.after(1));
        self.tick = tick;
        let inputs = self.inputs(at, tick);
        self.world.step(tick, &inputs, &self.history, &mut self.events);
        self.history.record(tick, |poses| self.world.poses(poses));
        let is_last = self.at == self.batch.ticks.len();
        let low = self.batch.hashes.get(at).is_none_or(|recorded| *recorded == self.world.hash() as u8 & 15);
        let whole = self.batch.hash.filter(|_| is_last).is_none_or(|recorded| recorded == self.world.hash());
        if !(low && whole) {
            self.differs.get_or_insert(tick);
        }
        if is_last && self.differs.is_some() && self.blocks.as_slice().is_empty() {
            return self.diverged(None);
        }
        Replayed::Tick(tick)
    }

    /// Takes the next block; gives how the replay ends, if it does.
    fn next_block(&mut self) -> Option<Replayed<G>> {
        let Some((kind, range)) = self.blocks.next() else {
            return Some(if self.differs.is_some() { self.diverged(None) } else { Replayed::Ended });
        };
        let payload = &self.content.as_ref()[range];
        match kind {
            BlockKind::Ticks => match Batch::decode(payload) {
                Ok(batch) => (self.batch, self.at) = (batch, 0),
                Err(_) => return Some(Replayed::Unreadable(self.tick)),
            },
            BlockKind::Checkpoint => {
                let Ok((head, recorded, history)) = saved::load::<Checkpoint<G>>(payload) else {
                    return Some(Replayed::Unreadable(self.tick));
                };
                if head.is_start {
                    if self.differs.is_some() {
                        return Some(self.diverged(None));
                    }
                    (self.world, self.history) = (recorded, history);
                    self.start(head);
                    return None;
                }
                // Compared as bytes: what the hash does not cover is compared too.
                let is_same = saved::save(&(&head, &self.world, &self.history.recent(G::TICK_HZ))) == payload;
                if !is_same || self.differs.is_some() {
                    self.differs.get_or_insert(head.tick);
                    return Some(self.diverged(Some((head.tick, recorded))));
                }
            }
            // The first block is read apart, and the last one is no block of the list.
            BlockKind::Head | BlockKind::End => {}
        }
        None
    }

    fn diverged(&mut self, recorded: Option<(Tick, G)>) -> Replayed<G> {
        let tick = self.differs.unwrap_or(self.tick);
        let worlds = recorded.and_then(|(at, recorded)| {
            let replayed = saved::load(&saved::save(&self.world)).ok()?;
            Some((at, Box::new(recorded), Box::new(replayed)))
        });
        self.blocks = Vec::new().into_iter();
        (self.batch, self.at, self.differs) = (Batch::default(), 0, None);
        Replayed::Diverged(Divergence { tick, worlds })
    }

    /// Calls the game as it was called before this tick.
    fn call(&mut self, at: usize, tick: Tick) {
        for (_, call) in self.batch.calls.iter().filter(|(before, _)| usize::from(*before) == at) {
            match call {
                Call::Join { player, name } => {
                    self.names.insert(*player, name.clone());
                    self.held.insert(*player, Default::default());
                    self.world.join(*player, tick, &mut self.events);
                }
                Call::Leave { player } => {
                    self.names.remove(player);
                    self.held.remove(player);
                    self.world.leave(*player, tick, &mut self.events);
                }
                Call::Rename { player, name } => {
                    self.names.insert(*player, name.clone());
                }
                Call::Request { player, request } => {
                    // Refused then, refused now.
                    let _ = self.world.handle_request(*player, request, tick, &mut self.events);
                }
            }
        }
    }

    fn inputs(&mut self, at: usize, tick: Tick) -> Vec<PlayerInput<G::Input>> {
        for column in &self.batch.columns {
            let Some(held) = self.held.get_mut(&column.player) else { continue };
            if let Ok(place) = column.inputs.binary_search_by_key(&(at as u16), |(place, _)| *place) {
                held.0 = column.inputs[place].1;
            }
            if let Ok(place) = column.lags.binary_search_by_key(&(at as u16), |(place, _)| *place) {
                held.1 = column.lags[place].1;
            }
        }
        let view = |lag: u32| ViewTime(ViewTime::of(tick).0.saturating_sub(lag.into()));
        let input = |(player, (input, lag)): (&PlayerId, &(G::Input, u32))| PlayerInput {
            player: *player,
            input: *input,
            view: view(*lag),
        };
        self.held.iter().map(input).collect()
    }
}
