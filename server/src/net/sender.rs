//! One room's sender: on its own thread it takes each tick's output, assembles one frame per connection that is due, and
//! writes it. No channel hop and no task wake per client: it walks its connections and writes to their sockets.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use broadside_shared::game::{Game, PlayerId};
use broadside_shared::protocol::close::CloseCode;

use super::conn::{Conn, HEADER_MAX, Sent};
use crate::clock::MonoClock;
use crate::driver::RoomFigures;
use crate::room::RoomOutput;
use crate::room::flow::{Decision, Flow};
use crate::room::outgoing::Outgoing;

/// Outputs waiting for the sender at the most; while so many wait, a tick's fan-out is skipped.
const WAITING_MAX: usize = 2;

/// Where a room leaves its output for its sender. Changes of seats are never lost; outputs are, when too many wait.
#[derive(Default)]
pub struct Handoff {
    state: Mutex<HandoffState>,
    changed: Condvar,
}

#[derive(Default)]
struct HandoffState {
    outputs: VecDeque<RoomOutput>,
    spare: Vec<RoomOutput>,
    seats: Vec<(PlayerId, Option<Arc<Conn>>)>,
    ended: bool,
    failed: Option<CloseCode>,
}

impl Handoff {
    /// Hands over a tick's output and leaves an empty one; false, and nothing handed over, when too many wait.
    pub fn put(&self, output: &mut RoomOutput) -> bool {
        let mut state = self.lock();
        if state.outputs.len() >= WAITING_MAX {
            return false;
        }
        let spare = state.spare.pop().unwrap_or_default();
        state.outputs.push_back(std::mem::replace(output, spare));
        self.changed.notify_one();
        true
    }

    /// From now on this seat's snapshots go to this connection.
    pub fn seat(&self, player: PlayerId, conn: Arc<Conn>) {
        self.lock().seats.push((player, Some(conn)));
    }

    /// The seat's connection is gone.
    pub fn unseat(&self, player: PlayerId) {
        self.lock().seats.push((player, None));
    }

    /// The room ends: so does the sender.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    /// The room failed: the sender closes every connection with this code and ends.
    pub fn fail(&self, code: CloseCode) {
        self.lock().failed = Some(code);
        self.end();
    }

    /// Whether the sender still runs.
    pub fn alive(&self) -> bool {
        !self.lock().ended
    }

    fn lock(&self) -> MutexGuard<'_, HandoffState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in a seat, and what is on its way to it.
struct Recipient {
    conn: Arc<Conn>,
    flow: Flow,
}

/// Starts a room's sender.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn<G: Game>(
    handoff: Arc<Handoff>,
    figures: Arc<RoomFigures>,
    clock: MonoClock,
    interval_us: u64,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("sender".to_owned()).spawn(move || {
        let mut sender = Sender {
            outgoing: Outgoing::new::<G>(),
            recipients: Vec::new(),
            frame: Vec::new(),
            figures,
            clock,
            interval_us,
        };
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| sender.run(&handoff)));
        // Also after a panic, so that the room notices and the players learn of it.
        handoff.end();
        if let Err(panic) = result {
            sender.close_all(CloseCode::RoomFailed);
            std::panic::resume_unwind(panic);
        }
    })
}

struct Sender {
    outgoing: Outgoing,
    recipients: Vec<Option<Recipient>>,
    frame: Vec<u8>,
    figures: Arc<RoomFigures>,
    clock: MonoClock,
    interval_us: u64,
}

impl Sender {
    fn run(&mut self, handoff: &Handoff) {
        let mut seats = Vec::new();
        loop {
            let mut state = handoff.lock();
            while state.outputs.is_empty() && !state.ended {
                state = handoff.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let failed = state.failed;
            let output = state.outputs.pop_front();
            std::mem::swap(&mut seats, &mut state.seats);
            let ended = state.ended;
            drop(state);

            for (player, conn) in seats.drain(..) {
                self.reseat(player, conn);
            }
            if let Some(code) = failed {
                self.close_all(code);
            }
            match output {
                Some(mut output) => {
                    self.outgoing.push(&mut output);
                    handoff.lock().spare.push(output);
                    self.fan_out();
                }
                None if ended => return,
                None => {}
            }
        }
    }

    fn close_all(&self, code: CloseCode) {
        self.recipients.iter().flatten().for_each(|recipient| recipient.conn.ask_close(code));
    }

    fn reseat(&mut self, player: PlayerId, conn: Option<Arc<Conn>>) {
        let at = usize::from(player.0);
        if self.recipients.len() <= at {
            self.recipients.resize_with(at + 1, || None);
        }
        self.outgoing.reset(player);
        self.recipients[at] = conn.map(|conn| Recipient { conn, flow: Flow::default() });
    }

    fn fan_out(&mut self) {
        let now = self.clock.now();
        let (mut written, mut superseded, mut steps_down, mut steps_up) = (0, 0, 0, 0);
        for at in 0..self.outgoing.due().len() {
            let player = self.outgoing.due()[at].player;
            let Some(Some(recipient)) = self.recipients.get_mut(usize::from(player.0)) else { continue };
            if !recipient.conn.is_live() {
                continue;
            }
            let (acked, acked_at) = recipient.conn.acked();
            recipient.flow.handle_ack(acked, acked_at);
            let socket_free = match recipient.conn.ready() {
                Sent::Written => true,
                Sent::Superseded => false,
                Sent::Ended => continue,
            };
            let before = recipient.flow.budget().steps();
            let decision = recipient.flow.decide(self.interval_us, socket_free);
            let after = recipient.flow.budget().steps();
            steps_down += after.0 - before.0;
            steps_up += after.1 - before.1;
            let thinning = match decision {
                Decision::Write(thinning) => thinning,
                Decision::Skip => {
                    superseded += 1;
                    continue;
                }
                Decision::Rest => continue,
            };
            let budget = recipient.flow.budget().level();
            self.frame.clear();
            self.frame.resize(HEADER_MAX, 0);
            self.outgoing.frame(at, budget, thinning, &mut self.frame);
            // Only this thread writes snapshots, and `ready` found nothing waiting: at worst an answer came in between, and the
            // frame waits behind it.
            if recipient.conn.send_framed(&mut self.frame) == Sent::Written {
                recipient.flow.wrote(self.outgoing.tick(), now);
                written += 1;
            }
        }
        self.figures.snapshots.fetch_add(written, Ordering::Relaxed);
        self.figures.superseded.fetch_add(superseded, Ordering::Relaxed);
        self.figures.budget_steps_down.fetch_add(steps_down, Ordering::Relaxed);
        self.figures.budget_steps_up.fetch_add(steps_up, Ordering::Relaxed);
    }
}
