//! From one tick's output to one snapshot frame per connection: the shared encoded cells, the small private part, events and updates.
//!
//! Fan-out state lives here and not in the room, so that a long fan-out never delays a tick: each shard owns a [`SnapshotAssembler`] per
//! room on its own thread, and a test owns one in virtual time.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::game::{Game, in_cell_units};
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::limits::EVENTS_MAX;
use broadside_shared::protocol::message::RoomUpdate;
use broadside_shared::protocol::snapshot::{SectionBytes, Sections, SnapshotHead, write_events, write_frame};
use broadside_shared::replication::cells::CellId;
use broadside_shared::replication::viewer::{AreaOfInterest, UpdateRateTier, Viewer};
use broadside_shared::replication::world::{HISTORY_TICKS, WorldHistory};
use broadside_shared::time::{Tick, ticks_of_ms};
use glam::Vec2;

use super::events::{EventIndex, EventScope, EventViewer};
use super::roster::{Roster, SentRoster};
use crate::room::RoomOutput;

/// Assembles snapshot frames: what was sent to the connections of a room, and the history it is sent from.
pub struct SnapshotAssembler {
    view: Vec2,
    history: WorldHistory,
    roster: Roster,
    past: Past,
    scratch: EventScratch,
    sent: Vec<SentState>,
}

/// What was sent to one connection.
#[derive(Debug, Clone, Default)]
struct SentState {
    viewer: Viewer,
    sent_roster: SentRoster,
    tick: Option<Tick>,
    /// `sent_roster` by the frame that changed it, oldest first: a client that resumes names the newest frame it received.
    marks: VecDeque<(Tick, SentRoster)>,
}

/// Age in milliseconds up to which nearby events are sent: later a splash is not worth its bytes.
const NEAR_MS: u32 = 250;
/// Marks kept per connection. The board alone adds one per second.
const MARKS_MAX: usize = 32;

impl SnapshotAssembler {
    /// An assembler for a room of the game `G` from which nothing was sent yet.
    #[must_use]
    pub fn new<G: Game>(seats: u16) -> Self {
        SnapshotAssembler {
            view: in_cell_units::<G>(G::VIEW),
            history: WorldHistory::new(G::KINDS),
            roster: Roster::default(),
            past: Past { seats, near_ticks: ticks_of_ms(G::TICK_HZ, NEAR_MS), ..Past::default() },
            sent: Vec::new(),
            scratch: EventScratch::default(),
        }
    }

    /// A new connection has this seat: nothing was sent to it yet.
    pub fn reset(&mut self, player: PlayerId) {
        let at = usize::from(player.0);
        if self.sent.len() <= at {
            self.sent.resize_with(at + 1, SentState::default);
        }
        self.sent[at] = SentState::default();
    }

    /// The player in this seat resumes over a new connection. `have` is the newest frame that the client received, and `cells` are its
    /// cells with their ticks. Cells whose tick is still in the history continue as deltas; the others start again with a keyframe.
    pub fn resume(&mut self, player: PlayerId, have: Tick, cells: impl Iterator<Item = (CellId, Tick)>) {
        let Some(sent) = self.sent.get_mut(usize::from(player.0)) else { return self.reset(player) };
        if have == Tick(0) {
            return self.reset(player);
        }
        let sent_roster = sent.marks.iter().rev().find(|(tick, _)| *tick <= have).map(|(_, sent_roster)| *sent_roster);
        sent.sent_roster = sent_roster.unwrap_or_default();
        sent.marks.clear();
        sent.marks.push_back((have, sent.sent_roster));
        sent.tick = Some(have);
        sent.viewer = Viewer::resumed(cells);
    }

    /// The tick of the newest frame of this player.
    #[must_use]
    pub fn sent_tick(&self, player: PlayerId) -> Option<Tick> {
        self.sent.get(usize::from(player.0))?.tick
    }

    /// Adds the output of a tick and holds it until [`HISTORY_TICKS`] newer ones were added.
    pub fn push(&mut self, output: Arc<RoomOutput>) {
        self.apply_updates(&output.updates);
        if let Some(world) = &output.world {
            self.history.push(Arc::clone(world));
        }
        self.past.push(output);
    }

    /// Adds the updates of a tick whose output was left out.
    pub fn apply_updates(&mut self, updates: &[RoomUpdate]) {
        updates.iter().for_each(|update| self.roster.put(update));
    }

    /// The roster as of the newest update.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The newest tick's output.
    #[must_use]
    pub fn newest(&self) -> Option<&RoomOutput> {
        self.past.outputs.back().map(|(output, _)| output.as_ref())
    }

    /// Appends the frame of the `at`-th snapshot due in [`SnapshotAssembler::newest`] and records it as sent: call it only for a frame that
    /// will be written. `budget` is the connection's level of service, `tier` the update rate of its far cells.
    ///
    /// # Panics
    /// If nothing was pushed, `at` is out of range, or [`SnapshotAssembler::reset`] was not called for that player.
    pub fn frame(&mut self, at: usize, budget: u8, tier: UpdateRateTier, out: &mut Vec<u8>) -> SectionBytes {
        let (current, _) = self.past.outputs.back().expect("frames are assembled after a push");
        let due = &current.due[at];
        let sent = &mut self.sent[usize::from(due.player.0)];
        let tick = due.head.tick;
        let mut sections = FrameSections {
            tick,
            area: AreaOfInterest { focus: due.focus, view: self.view, layers: due.layers },
            tier,
            viewer: EventViewer { player: due.player, focus: due.focus, view: self.view },
            sent,
            history: &mut self.history,
            past: &self.past,
            scratch: &mut self.scratch,
            roster: &self.roster,
        };
        let player_state = &current.player_state_bytes[due.player_state.clone()];
        let bytes = write_frame(SnapshotHead { budget, ..due.head }, player_state, &mut sections, out);
        sent.tick = Some(tick);
        bytes
    }
}

/// The outputs of the last ticks, the newest last.
#[derive(Default)]
struct Past {
    outputs: VecDeque<(Arc<RoomOutput>, EventIndex)>,
    /// Seats of the room, from which the capacity for events follows.
    seats: u16,
    /// [`NEAR_MS`] in ticks.
    near_ticks: u32,
}

/// Buffers for the events of a frame.
#[derive(Default)]
struct EventScratch {
    /// The newest first: index into the outputs, and into the events of that output.
    found: Vec<(usize, u32)>,
    /// Those of one tick.
    of_tick: Vec<u32>,
}

/// What the sections of one frame are written from.
struct FrameSections<'a> {
    tick: Tick,
    area: AreaOfInterest,
    tier: UpdateRateTier,
    viewer: EventViewer,
    sent: &'a mut SentState,
    history: &'a mut WorldHistory,
    past: &'a Past,
    scratch: &'a mut EventScratch,
    roster: &'a Roster,
}

impl Sections for FrameSections<'_> {
    fn cells(&mut self, out: &mut Vec<u8>) -> (usize, usize) {
        let cells = self.sent.viewer.write(self.history, &self.area, self.tier, out);
        (cells.head_bytes, cells.encoded_cell_bytes)
    }

    fn events(&mut self, out: &mut Vec<u8>) {
        self.past.write_events(self.tick, self.viewer, self.sent.tick, self.scratch, out);
    }

    fn updates(&mut self, out: &mut Vec<u8>) {
        let sent_before = self.sent.sent_roster;
        self.roster.append_missing(&mut self.sent.sent_roster, out);
        if self.sent.sent_roster != sent_before {
            if self.sent.marks.len() == MARKS_MAX {
                self.sent.marks.pop_front();
            }
            self.sent.marks.push_back((self.tick, self.sent.sent_roster));
        }
    }
}

impl Past {
    fn push(&mut self, output: Arc<RoomOutput>) {
        let oldest = if self.outputs.len() == HISTORY_TICKS { self.outputs.pop_front() } else { None };
        let mut index = oldest.map_or_else(|| EventIndex::for_seats(self.seats), |(_, index)| index);
        index.sort(&output.events);
        self.outputs.push_back((output, index));
    }

    /// Appends the viewer's events since `sent`; of more than [`EVENTS_MAX`] only the newest.
    fn write_events(
        &self,
        tick: Tick,
        viewer: EventViewer,
        sent: Option<Tick>,
        scratch: &mut EventScratch,
        out: &mut Vec<u8>,
    ) {
        let EventScratch { found, of_tick } = scratch;
        let since = sent.unwrap_or(tick.before(1)).max(tick.before(u32::from(u8::MAX)));
        found.clear();
        for (at, (output, index)) in self.outputs.iter().enumerate().rev() {
            if output.tick <= since || found.len() >= EVENTS_MAX {
                break;
            }
            of_tick.clear();
            let scope =
                if tick.since(output.tick) <= self.near_ticks { EventScope::All } else { EventScope::Addressed };
            index.append_for(viewer, scope, of_tick);
            found.extend(of_tick.iter().map(|event| (at, *event)));
        }
        found.truncate(EVENTS_MAX);
        let events = found.iter().rev().map(|(at, event)| {
            let (output, _) = &self.outputs[*at];
            let (_, bytes) = &output.events[*event as usize];
            (tick.since(output.tick) as u8, &output.event_bytes[bytes.clone()])
        });
        write_events(events, out);
    }
}
