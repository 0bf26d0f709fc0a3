//! The output of a tick.

use std::sync::Arc;

use broadside_shared::game::Recipients;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::message::RoomUpdate;
use broadside_shared::protocol::snapshot::SnapshotHead;
use broadside_shared::replication::cells::LayerSet;
use broadside_shared::replication::world::WorldState;
use broadside_shared::time::Tick;
use glam::Vec2;

/// The output of one tick: shared by all shards with recipients, immutable once stepped.
#[derive(Debug, Default)]
pub struct RoomOutput {
    /// The tick that was stepped.
    pub tick: Tick,
    /// How long the previous tick took, in microseconds.
    pub tick_us: u32,
    /// The room's level of service, 0 (full) to [`LEVEL_MAX`](super::LEVEL_MAX); the governor raises it when the machine is short of time.
    pub level: u8,
    /// The replicated world after the tick; `None` if no snapshot is due.
    pub world: Option<Arc<WorldState>>,
    /// For each player whose snapshot falls on this tick, in order of player.
    pub due: Vec<DueSnapshot>,
    /// The exact local player states; `due` holds ranges of it.
    pub player_state_bytes: Vec<u8>,
    /// The events of the tick: recipients, and range in `event_bytes`.
    pub events: Vec<(Recipients, std::ops::Range<usize>)>,
    pub event_bytes: Vec<u8>,
    /// Changes of the roster, the board and the match.
    pub updates: Vec<RoomUpdate>,
}

/// The space for private parts that an output of the room has needed so far, as a number of them and in bytes. All outputs get as much: if each
/// grew only with its own needs, memory would grow for hours, since there are many of them and each peak meets one.
#[derive(Debug, Default)]
pub(super) struct DueCapacity {
    due: usize,
    bytes: usize,
}

impl RoomOutput {
    /// Drops the private parts of the tick before.
    pub(super) fn clear_due(&mut self, capacity: &mut DueCapacity) {
        let RoomOutput { due, player_state_bytes: bytes, .. } = self;
        let raised = |largest: &mut usize, used: usize| {
            // A quarter more, so that a room that fills up does not allocate with each player.
            *largest = if *largest < used { used * 5 / 4 } else { *largest };
            *largest
        };
        let (due_max, bytes_max) = (raised(&mut capacity.due, due.len()), raised(&mut capacity.bytes, bytes.len()));
        due.clear();
        due.reserve_exact(due_max);
        bytes.clear();
        bytes.reserve_exact(bytes_max);
    }
}

/// A phase of a tick, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepPhase {
    /// One input per player is taken.
    Inputs,
    /// The game is stepped.
    Step,
    /// Poses are recorded.
    History,
    /// The state is sorted into cells.
    Capture,
    /// The output is written.
    Outgoing,
}

/// One player's private part of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSnapshot {
    pub player: PlayerId,
    pub head: SnapshotHead,
    /// The centre of the area of interest, in cell units.
    pub focus: Vec2,
    /// The layers that the player sees.
    pub layers: LayerSet,
    /// Range of the local player state in [`RoomOutput::player_state_bytes`].
    pub player_state: std::ops::Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_output_has_needed_every_output_has_from_its_next_use_on() {
        let (mut capacity, mut outputs) = (DueCapacity::default(), [RoomOutput::default(), RoomOutput::default()]);
        outputs[0].player_state_bytes.extend([7; 5000]);
        for output in &mut outputs {
            output.clear_due(&mut capacity);
            assert!(output.player_state_bytes.is_empty() && output.player_state_bytes.capacity() >= 5000);
        }
    }
}
