//! Things handed out and taken back: a tick's output, and its world, are shared by those who tell the players, and their room is used
//! again once nobody holds them any more.

use std::collections::VecDeque;
use std::sync::Arc;

use broadside_shared::replication::world::HISTORY_TICKS;

/// Things kept at the most; one more is left to those who hold it. The history of those who tell the players, and a few that are on
/// their way.
const KEPT_MAX: usize = HISTORY_TICKS + 16;

/// What a room hands out of one sort, oldest first.
#[derive(Debug, Default)]
pub struct Recycled<T> {
    handed_out: VecDeque<Arc<T>>,
}

impl<T: Default> Recycled<T> {
    /// Fills one that nobody else holds, the oldest again if it is free, and shares it.
    pub fn fill(&mut self, fill: impl FnOnce(&mut T)) -> Arc<T> {
        let is_free = |one: &mut Arc<T>| Arc::get_mut(one).is_some();
        let mut one = self.handed_out.pop_front_if(is_free).unwrap_or_default();
        fill(Arc::get_mut(&mut one).expect("it is free, or new"));
        self.handed_out.push_back(Arc::clone(&one));
        if self.handed_out.len() > KEPT_MAX {
            self.handed_out.pop_front();
        }
        one
    }
}

#[cfg(test)]
mod tests {
    use super::super::RoomOutput;
    use super::*;
    use broadside_shared::time::Tick;

    #[test]
    fn an_output_is_used_again_only_when_nobody_holds_it() {
        let mut outputs = Recycled::default();
        let held = outputs.fill(|output: &mut RoomOutput| output.tick = Tick(1));
        outputs.fill(|output| assert_eq!(output.tick, Tick(0), "the first is still held"));
        drop(held);
        outputs.fill(|output| assert_eq!(output.tick, Tick(1), "now it is free"));
    }
}
