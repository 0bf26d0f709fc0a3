//! The modes: how many play on each side.

use broadside_shared::game::{BotFill, ModeSpec, WhenFull};
use broadside_shared::protocol::room::ModeId;

/// Seconds until bots take the seats that nobody has taken.
const BOTS_AFTER_S: u16 = 4;

/// Every mode, in the order of its number.
pub(crate) const MODES: &[ModeSpec] = &[
    of("duel", "One on one", "you, one rival and a puck; five goals win", 1),
    of("pairs", "Two on two", "one attacks, one stays back; five goals win", 2),
    of("teams", "Three on three", "passes, rebounds and chaos; five goals win", 3),
];

/// The mode that a match between two friends is played in.
pub const DUEL: ModeId = ModeId(0);
/// The mode with the most players.
pub const TEAMS_MODE: ModeId = ModeId(2);

const fn of(name: &'static str, title: &'static str, summary: &'static str, each: u16) -> ModeSpec {
    let bots = BotFill::UpTo { players: 2 * each, after_s: BOTS_AFTER_S };
    let when_full = WhenFull::OpenRoom;
    ModeSpec { name, title, summary, seats_max: 2 * each, teams: 2, when_full, bots, rated: each == 1 }
}
