//! A player from another address, who must still get in after an attack.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::attacker::{ANSWER, Attacker, Reaction};
use crate::testbed::Testbed;

/// The newcomer's address, which no attacker uses.
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Pause between two polls for a snapshot.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// Pause between two attempts to join.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// Joins until it gets a seat and a snapshot, for at most `patience`.
///
/// # Errors
/// The server's reaction to the last attempt.
pub(crate) fn admit(testbed: &Testbed, patience: Duration) -> Result<(), Reaction> {
    let until = Instant::now() + patience;
    loop {
        let entered = Attacker::play(testbed, NEWCOMER).and_then(|mut player| {
            let until = Instant::now() + patience.min(ANSWER);
            while player.snapshots == 0 && player.listen(POLL_EVERY) == Reaction::Open && Instant::now() < until {}
            let seen = player.snapshots > 0;
            // An orderly leave keeps no seat reserved.
            let _ = player.leave();
            if seen { Ok(()) } else { Err(Reaction::Unanswered) }
        });
        match entered {
            Ok(()) => return Ok(()),
            Err(reaction) if Instant::now() > until => return Err(reaction),
            Err(_) => std::thread::sleep(RETRY_EVERY),
        }
    }
}
