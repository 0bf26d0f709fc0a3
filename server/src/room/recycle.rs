//! Outputs handed out and taken back: a tick's output is shared by those who tell the players, and its room is used again once
//! nobody holds it any more.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::replication::world::HISTORY_TICKS;

use super::RoomOutput;

/// Outputs kept at the most; one more is left to those who hold it. The history of those who tell the players, and a few that
/// are on their way.
const KEPT_MAX: usize = HISTORY_TICKS + 16;

/// The outputs of a room, oldest first.
#[derive(Debug, Default)]
pub struct Outputs {
    handed_out: VecDeque<Arc<RoomOutput>>,
}

impl Outputs {
    /// Fills an output that nobody else holds, the oldest one again if it is free, and shares it.
    pub fn fill(&mut self, fill: impl FnOnce(&mut RoomOutput)) -> Arc<RoomOutput> {
        let is_free = |output: &mut Arc<RoomOutput>| Arc::get_mut(output).is_some();
        let mut output = self.handed_out.pop_front_if(is_free).unwrap_or_default();
        fill(Arc::get_mut(&mut output).expect("it is free, or new"));
        self.handed_out.push_back(Arc::clone(&output));
        if self.handed_out.len() > KEPT_MAX {
            self.handed_out.pop_front();
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::time::Tick;

    #[test]
    fn an_output_is_used_again_only_when_nobody_holds_it() {
        let mut outputs = Outputs::default();
        let held = outputs.fill(|output| output.tick = Tick(1));
        outputs.fill(|output| assert_eq!(output.tick, Tick(0), "the first is still held"));
        drop(held);
        outputs.fill(|output| assert_eq!(output.tick, Tick(1), "now it is free"));
    }
}
