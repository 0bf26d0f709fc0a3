//! Buffers that are shared and then reused: the shards share a tick's output and its world, and the room refills them once no shard
//! holds them.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::replication::world::HISTORY_TICKS;

/// Buffers kept for reuse; the holders of any further one drop it. Enough for the history of a shard's fan-out and a few that are still
/// queued.
const KEPT_MAX: usize = HISTORY_TICKS + 16;

/// The shared buffers of one type, oldest first.
#[derive(Debug, Default)]
pub struct Recycled<T> {
    shared: VecDeque<Arc<T>>,
}

impl<T: Default> Recycled<T> {
    /// Fills a buffer and shares it: the oldest one if nothing else holds it, otherwise a new one.
    pub fn fill(&mut self, fill: impl FnOnce(&mut T)) -> Arc<T> {
        let is_free = |buffer: &mut Arc<T>| Arc::get_mut(buffer).is_some();
        let mut buffer = self.shared.pop_front_if(is_free).unwrap_or_default();
        fill(Arc::get_mut(&mut buffer).expect("it is free, or new"));
        self.shared.push_back(Arc::clone(&buffer));
        if self.shared.len() > KEPT_MAX {
            self.shared.pop_front();
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::super::RoomOutput;
    use super::*;
    use broadside_shared::time::Tick;

    #[test]
    fn an_output_is_reused_only_when_nothing_holds_it() {
        let mut outputs = Recycled::default();
        let held = outputs.fill(|output: &mut RoomOutput| output.tick = Tick(1));
        outputs.fill(|output| assert_eq!(output.tick, Tick(0), "the first is still held"));
        drop(held);
        outputs.fill(|output| assert_eq!(output.tick, Tick(1), "now it is free"));
    }
}
