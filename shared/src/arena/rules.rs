//! Every tuning constant of the arena, with its unit and the reason for its value.
//!
//! World units: a ship is 32 across, a view 1920 x 1200. Speeds are units per second, times are ticks of 1/60 s unless a
//! name says otherwise. Y grows downward, as on a screen, and angles grow from +x toward +y.

use glam::Vec2;

use super::fields;
use crate::history::REWIND_MS_MAX;
use crate::protocol::room::Mode;
use crate::time::ViewTime;

/// Steps per second.
pub const TICK_HZ: u32 = 60;
/// Length of a step in seconds.
pub const DT: f32 = 1.0 / TICK_HZ as f32;
/// What a client may show, in world units.
pub const VIEW: Vec2 = Vec2::new(1920.0, 1200.0);
/// Seats an arena can have: an owner's number takes 13 bits on the wire.
pub const PLAYERS_MAX: u16 = 1 << fields::OWNER_BITS;

// The ship.

/// Radius of a ship.
pub const SHIP_RADIUS: f32 = 16.0;
/// Acceleration of the main engine, units/s²: top speed in under a second.
pub const THRUST: f32 = 620.0;
/// Acceleration of the reverse engine, units/s²: braking takes longer than running away.
pub const REVERSE: f32 = 420.0;
/// Acceleration sideways, units/s²: enough to slip a shot at medium range, too little to travel by.
pub const STRAFE: f32 = 460.0;
/// Share of the velocity lost per second: a ship left alone drifts for about two seconds.
pub const DRAG: f32 = 0.55;
/// Top speed, units/s: four seconds across a view, half the speed of a shot.
pub const SPEED_MAX: f32 = 450.0;
/// How far the nose turns in a tick, in 1/65536 turn: 5.6 rad/s, half a turn in 0.56 s.
pub const TURN: u16 = 974;

// Armour. A point is 60 units, so that rates per second are whole units per tick.

/// Units of armour per point.
pub const POINT: u16 = 60;
/// A whole hull.
pub const HULL_MAX: u16 = 100 * POINT;
/// The most a shield holds.
pub const SHIELD_MAX: u16 = 60 * POINT;
/// Hull regained per tick of calm: 5 points a second.
pub const REGEN: u16 = 5;
/// Ticks without damage until the hull regains: long enough that hiding in a fight does not pay.
pub const CALM: u16 = 360;
/// Shield lost per tick: 2 points a second, so that it is spent in fights and not saved.
pub const SHIELD_DECAY: u16 = 2;
/// Ticks from sinking to the next ship.
pub const RESPAWN: u16 = 150;
/// Ticks in which a new ship takes no damage unless it fires.
pub const PROTECTION: u16 = 105;

// The cannon.

/// Speed of a shot over that of its ship, units/s.
pub const SHOT_SPEED: f32 = 900.0;
/// Ticks a shot flies: a thousand units, about half a view.
pub const SHOT_LIFE: u32 = 66;
/// Radius of a shot.
pub const SHOT_RADIUS: f32 = 4.0;
/// Distance of the muzzle from the middle of its ship.
pub const MUZZLE: f32 = SHIP_RADIUS + 6.0;
/// Damage of a shot: eight sink a fresh ship.
pub const SHOT_DAMAGE: u16 = 14 * POINT;
/// Ticks from one shot to the next.
pub const COOLDOWN: u8 = 10;
/// The same with rapid fire.
pub const COOLDOWN_RAPID: u8 = 5;

// The rail.

/// How far a beam reaches, world units: a little less than a shot flies, and hardly beyond the edge of a view.
pub const RAIL_RANGE: f32 = 900.0;
/// Damage of a beam: three sink a fresh ship.
pub const RAIL_DAMAGE: u16 = 34 * POINT;
/// Ticks from one beam to the next.
pub const RAIL_COOLDOWN: u8 = 108;
/// Ticks a beam glows. It has done its work in the first.
pub const BEAM_LIFE: u32 = 20;
/// Furthest a ship's place now can be from its edge at a moment a beam is judged at, world units.
pub const RAIL_SWAY: f32 = 200.0;

// Pickups.

/// Radius of a pickup: generous, since one flies over it at full speed.
pub const PICKUP_RADIUS: f32 = 20.0;
/// Hull a repair restores.
pub const REPAIR: u16 = 40 * POINT;
/// Ticks of rapid fire.
pub const RAPID: u16 = 480;
/// Fewest pickups an arena keeps in stock.
pub const PICKUPS_MIN: usize = 6;
/// Ticks between restockings.
pub const RESTOCK: u32 = 30;
/// Chance that a wreck leaves a pickup: it draws others to where the fight was.
pub const WRECK_DROP: f32 = 0.4;

// Score.

/// Score for sinking a ship.
pub const SCORE_KILL: i32 = 10;
/// Score for a pickup.
pub const SCORE_PICKUP: i32 = 1;
/// Hull the killer regains, so that the winner of a duel is not the next one's easy prey.
pub const KILL_REPAIR: u16 = 25 * POINT;

// Rocks and other ships.

/// Smallest and largest radius of a rock, whole units.
pub const ROCK_RADIUS: (u16, u16) = (40, 130);
/// Gap between rocks: two ships pass each other in it.
pub const ROCK_GAP: f32 = 90.0;
/// Distance from a ship within which no rock appears.
pub const ROCK_CLEAR: f32 = 250.0;
/// Rocks tried per tick while an arena grows.
pub const ROCK_TRIES: u32 = 16;
/// Share of the speed into a rock that a ship keeps after it.
pub const BOUNCE: f32 = 0.4;
/// Speed into a rock that costs nothing, units/s.
pub const IMPACT_FREE: f32 = 200.0;
/// Units of armour per unit/s above that: 15 points at top speed.
pub const IMPACT_DAMAGE: f32 = 3.6;
/// How far from its hull a ship looks for rocks in one step.
pub const ROCK_REACH: f32 = 64.0;
/// Share of the overlap of two ships that one tick takes away.
pub const CONTACT_SOFTNESS: f32 = 0.4;
/// Ticks for which a ship remembers that it touched another: longer than any gap between the snapshots of a playable line.
pub const CONTACT_TICKS: u8 = 120;
/// Share of their speed toward each other that two ships keep after contact.
pub const CONTACT_BOUNCE: f32 = 0.3;

// The border.

/// Area of the arena per player, units²: a dozen ships in a view.
pub const AREA_PER_PLAYER: f32 = 200_000.0;
/// Smallest radius of an arena: two or three views for the first few.
pub const RADIUS_MIN: f32 = 1300.0;
/// Largest radius: shots fired outward still end within the 32,768 units a world may reach.
pub const RADIUS_MAX: f32 = 30_000.0;
/// Change of radius below which the border stays where it is, as a share of it.
pub const BORDER_SLACK: f32 = 0.06;
/// Ticks from announcing a change to its start: longer than any client's prediction reaches.
pub const BORDER_NOTICE: u32 = 150;
/// Ticks an outward change takes.
pub const BORDER_GROW: u32 = 180;
/// Speed of an inward change, units/s: slower than any ship.
pub const BORDER_SHRINK: f32 = 80.0;
/// Pull back inside per unit of depth outside, 1/s².
pub const BORDER_PULL: f32 = 5.0;
/// The most of that pull, units/s²: beats the engine.
pub const BORDER_PULL_MAX: f32 = 900.0;
/// Depth outside at which the void starts to eat the hull.
pub const BORDER_DEEP: f32 = 60.0;
/// Armour lost per tick out there: 12 points a second.
pub const BORDER_DAMAGE: u16 = 12;
/// Depth outside at which rocks and pickups vanish.
pub const BORDER_DEBRIS: f32 = 300.0;

// Matches.

/// Ticks before a round in which ships lie at their places, may turn, and cannot fire.
pub const COUNTDOWN: u32 = 180;
/// Ticks between two rounds, in which nothing hurts anyone.
pub const PAUSE: u32 = 180;
/// What players of a team are called by. Told apart by eyes that see red and green alike.
pub const TEAMS: [&str; 2] = ["Amber", "Azure"];
/// Rounds of a team match: best of three.
pub const TEAMS_ROUNDS: u8 = 3;
/// Ticks of a round of a team match: four minutes, which only even teams need.
pub const TEAMS_ROUND: u32 = 240 * TICK_HZ;
/// Ticks for which the results of a team match are shown.
pub const TEAMS_RESULTS: u32 = 10 * TICK_HZ;
/// Points that win a round, but for those of [`TEAMS_GOAL_EACH`].
pub const TEAMS_GOAL: u32 = 40;
/// Points that win a round, on top for each player: the more there are, the more are sunk.
pub const TEAMS_GOAL_EACH: u32 = 10;
/// Points for sinking an enemy; the zone gives one a second.
pub const TEAMS_SUNK: u32 = 2;
/// Radius of a team match's arena for up to fifty; it grows with more.
pub const TEAMS_RADIUS: f32 = 1700.0;
/// Distance of a team's base from the middle, as a share of the arena's radius.
pub const TEAMS_BASE: f32 = 0.72;
/// Radius of a team's base, in which its ships begin.
pub const TEAMS_BASE_RADIUS: f32 = 300.0;
/// Radius of the zone: two ships can fight over it without meeting.
pub const ZONE_RADIUS: u16 = 230;
/// Ticks alone in a zone that nobody holds until it is held; in the other side's, twice that.
pub const ZONE_FULL: u16 = 240;
/// Rounds of a duel: best of five.
pub const DUEL_ROUNDS: u8 = 5;
/// Ticks of a round of a duel; then the stronger ship wins.
pub const DUEL_ROUND: u32 = 90 * TICK_HZ;
/// Ticks for which the results of a duel are shown.
pub const DUEL_RESULTS: u32 = 8 * TICK_HZ;
/// Radius of a duel's arena: each sees the other nearly always.
pub const DUEL_RADIUS: f32 = 850.0;
/// Distance of a duellist's place from the middle, as a share of the arena's radius.
pub const DUEL_BASE: f32 = 0.6;

/// Ticks of a round of a mode; 0 where there are no rounds.
#[must_use]
pub const fn round_ticks(mode: Mode) -> u32 {
    match mode {
        Mode::Open => 0,
        Mode::Teams => TEAMS_ROUND,
        Mode::Duel => DUEL_ROUND,
    }
}

const _: () = assert!(BORDER_NOTICE >= 120);
const _: () = assert!(RADIUS_MAX + (SHOT_SPEED + SPEED_MAX) * SHOT_LIFE as f32 * DT < 32_768.0);
// A ship's whole way and a shot's whole way in one tick lie within the reach of one look into a grid.
const _: () = assert!((SPEED_MAX + SHOT_SPEED) * DT + SHOT_RADIUS < ROCK_REACH);
// A shot that ends at its life's end was told of while its start still fitted the field.
const _: () = assert!(SHOT_LIFE < 1 << fields::START_BITS);
const _: () = assert!(BEAM_LIFE < 1 << fields::BEAM_START_BITS);
const _: () = assert!((RAIL_RANGE as u32) < 1 << fields::LENGTH_BITS);
// How long ago a beam was judged takes 8 bits, in parts of a tick.
const _: () = assert!(REWIND_MS_MAX * TICK_HZ * ViewTime::PARTS / 1000 < 1 << 8);
const _: () = assert!(SPEED_MAX * REWIND_MS_MAX as f32 / 1000.0 + SHIP_RADIUS < RAIL_SWAY * 0.75);
