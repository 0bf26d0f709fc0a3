//! Every tuning constant, with its unit. Distances are world units, times ticks unless the name says otherwise.

/// Steps per second.
pub const TICK_HZ: u32 = 60;
/// Seconds per tick.
pub(crate) const TICK_S: f32 = 1.0 / TICK_HZ as f32;
/// Most players of a team.
pub const TEAM_MAX: usize = 3;
/// Most players of a match.
pub const PLAYERS_MAX: usize = 2 * TEAM_MAX;

/// Half the length of the rink, from the centre to a goal line.
pub const HALF_LENGTH: f32 = 740.0;
/// Half its width.
pub const HALF_WIDTH: f32 = 380.0;
/// Radius of its rounded corners.
pub const CORNER: f32 = 160.0;
/// Half the width of a goal's mouth.
pub const GOAL_HALF: f32 = 135.0;
/// Depth of a goal behind its line.
pub const GOAL_DEPTH: f32 = 64.0;
/// Radius of a goal post.
pub const POST: f32 = 8.0;

/// Radius of a disc.
pub const DISC: f32 = 26.0;
/// Push of a disc, in units/s^2.
pub(crate) const PUSH: f32 = 1650.0;
/// Share of a disc's speed lost per second: with [`PUSH`], a top speed of 430 units/s.
pub(crate) const DISC_DRAG: f32 = 3.8;
/// Share of the push that is left while the kick is held: aiming costs speed.
pub(crate) const PUSH_KICKING: f32 = 0.75;
/// Share of the speed kept when a disc hits a wall, and when two discs meet.
pub(crate) const DISC_BOUNCE: f32 = 0.4;

/// Radius of the puck.
pub const PUCK: f32 = 16.0;
/// Share of the puck's speed lost per second.
pub(crate) const PUCK_DRAG: f32 = 0.6;
/// The same in a goal, whose net stops it.
pub(crate) const NET_DRAG: f32 = 9.0;
/// Share of the speed that a net leaves.
pub(crate) const NET_BOUNCE: f32 = 0.3;
/// Fastest puck, in units/s: it cannot pass through a disc in one tick.
pub const PUCK_SPEED: f32 = 1250.0;
/// Share of the speed kept when the puck hits the boards or a post.
pub(crate) const BOARD_BOUNCE: f32 = 0.8;
/// Share of the speed kept when a disc meets the puck.
pub(crate) const TOUCH_BOUNCE: f32 = 0.35;
/// Weight of the puck, of which a disc has 1.
pub(crate) const PUCK_WEIGHT: f32 = 0.4;
/// Largest gap between disc and puck for a kick.
pub const KICK_GAP: f32 = 9.0;
/// Speed that a kick adds to the puck, in units/s.
pub const KICK: f32 = 760.0;
/// Ticks from a kick to the next.
pub(crate) const KICK_REST: u8 = 15;

/// Ticks for which everyone is held at their place before a kick-off, at the start of a match and after a goal.
pub(crate) const COUNTDOWN: u32 = 3 * TICK_HZ;
/// See [`COUNTDOWN`].
pub(crate) const COUNTDOWN_SHORT: u32 = 3 * TICK_HZ / 2;
/// Ticks of joy after a goal.
pub(crate) const PAUSE: u32 = 2 * TICK_HZ;
/// Ticks for which the result stands, before the rematch.
pub(crate) const RESULTS: u32 = 8 * TICK_HZ;
/// Ticks for which a team may be empty before it forfeits the match: somebody may take over from a bot.
pub(crate) const DESERTED: u32 = 3 * TICK_HZ;
/// Distance from the centre to the puck at a kick-off after a goal: it lies on the side of those who conceded.
pub(crate) const ADVANTAGE: f32 = 110.0;

const _: () = assert!(PUCK_SPEED * TICK_S < PUCK + DISC, "the puck meets every disc on its way");
const _: () = assert!(PUCK_SPEED * TICK_S < PUCK + POST, "boards stop the puck before the plane of a net");
const _: () = assert!(HALF_WIDTH - CORNER > GOAL_HALF + POST, "a goal stands in a straight wall");
const _: () = assert!(CORNER > DISC && GOAL_HALF > DISC + POST, "a disc reaches every corner, and fits a goal");
const _: () = assert!(GOAL_DEPTH > 2.0 * PUCK, "the puck fits behind the line");
const _: () = assert!(COUNTDOWN <= u8::MAX as u32, "the time held fits its byte");
