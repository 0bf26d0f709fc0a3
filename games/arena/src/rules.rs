//! Every tuning constant of the arena, with its unit and the reason for its value.
//!
//! World units: a ship is 32 across, a view is 1920 x 1200. Speeds are in units per second, times in ticks of 1/60 s
//! unless the name says otherwise. Y grows downward, as on a screen, and angles grow from +x toward +y.

use glam::Vec2;

use crate::modes::Mode;
use broadside_shared::history::REWIND_MS_MAX;
use broadside_shared::time::ViewTime;

/// Steps per second.
pub const TICK_HZ: u32 = 60;
/// Length of a step in seconds.
pub const DT: f32 = 1.0 / TICK_HZ as f32;
/// Size of a client's view in world units.
pub const VIEW: Vec2 = Vec2::new(1920.0, 1200.0);
/// Most seats of an arena: an owner's number takes 13 bits on the wire.
pub const PLAYERS_MAX: u16 = 1 << 13;

// The ship.

/// Radius of a ship.
pub const SHIP_RADIUS: f32 = 16.0;
/// Acceleration of the main engine, units/s²: top speed in under a second.
pub const THRUST: f32 = 620.0;
/// Acceleration of the reverse engine, units/s²: braking takes longer than fleeing.
pub const REVERSE: f32 = 420.0;
/// Sideways acceleration, units/s²: enough to dodge a shot at medium range, too little to travel by.
pub const STRAFE: f32 = 460.0;
/// Share of the velocity lost per second: a ship without thrust drifts for about two seconds.
pub const DRAG: f32 = 0.55;
/// The same on a day of low gravity: it drifts on until it brakes.
pub const DRAG_LOW: f32 = 0.06;
/// Top speed, units/s: four seconds across a view, half the speed of a shot.
pub const SPEED_MAX: f32 = 450.0;
/// Additional acceleration along the nose while the boost burns, units/s².
pub const BOOST: f32 = 520.0;
/// Top speed with boost, units/s.
pub const SPEED_BOOST: f32 = 600.0;
/// Least share of the velocity that a ship above its top speed keeps per tick: the end of a boost is no wall.
pub const SPEED_EASE: f32 = 0.97;
/// A full boost. It refills by one per tick without the button: in eight seconds.
pub const BOOST_MAX: u16 = 480;
/// What a tick of boost uses: two seconds of a full one.
pub const BOOST_USE: u16 = 4;
/// Most turn per tick, in 1/65536 turn: 5.6 rad/s, half a turn in 0.56 s.
pub const TURN: u16 = 974;

// Hull and shield. A point is 60 units, so that rates per second are whole units per tick.

/// Hull or shield units per point.
pub const POINT: u16 = 60;
/// A whole hull.
pub const HULL_MAX: u16 = 100 * POINT;
/// A full shield.
pub const SHIELD_MAX: u16 = 60 * POINT;
/// Hull regained per tick of calm: 5 points a second.
pub const REGEN: u16 = 5;
/// Ticks without damage until the hull regenerates: long enough that hiding during a fight does not pay.
pub const CALM: u16 = 360;
/// Shield lost per tick: 2 points a second, so that it is spent in fights and not saved.
pub const SHIELD_DECAY: u16 = 2;
/// Ticks from sinking to the next ship.
pub const RESPAWN: u16 = 150;
/// Ticks in which a new ship is invulnerable unless it fires.
pub const PROTECTION: u16 = 105;

// The cannon.

/// Speed of a shot relative to its ship, units/s.
pub const SHOT_SPEED: f32 = 900.0;
/// Ticks a shot flies: a thousand units, about half a view.
pub const SHOT_LIFE: u32 = 66;
/// Radius of a shot.
pub const SHOT_RADIUS: f32 = 4.0;
/// Distance of the muzzle from the centre of its ship.
pub const MUZZLE: f32 = SHIP_RADIUS + 6.0;
/// Damage of a shot: eight sink a fresh ship.
pub const SHOT_DAMAGE: u16 = 14 * POINT;
/// Ticks from one shot to the next.
pub const COOLDOWN: u8 = 10;
/// Ticks from one shot to the next with rapid fire.
pub const COOLDOWN_RAPID: u8 = 5;

// The rail.

/// Length of a beam in world units: slightly less than a shot's range, and hardly beyond the edge of a view.
pub const RAIL_RANGE: f32 = 900.0;
/// Damage of a beam: three sink a fresh ship.
pub const RAIL_DAMAGE: u16 = 34 * POINT;
/// Ticks from one beam to the next.
pub const RAIL_COOLDOWN: u8 = 108;
/// Ticks a beam glows. It does damage in the first one only.
pub const BEAM_LIFE: u32 = 20;
/// Largest distance between a ship's position now and its edge at the judged moment of a beam, in world units.
pub const RAIL_SWAY: f32 = 230.0;

// Mines.

/// Ticks from one mine to the next of a ship: at most three of it lie around.
pub const MINE_COOLDOWN: u16 = 420;
/// Ticks until a mine is armed: whoever follows closely has passed it by then.
pub const MINE_ARM: u32 = 60;
/// Ticks a mine lies around.
pub const MINE_LIFE: u32 = 1200;
/// Distance to the centre of a ship at which an armed mine goes off, in world units.
pub const MINE_REACH: f32 = 46.0;
/// Distance to the centre of a ship up to which it does damage then.
pub const MINE_BLAST: f32 = 110.0;
/// Points of damage to a ship on top of it: two and a half sink a fresh ship.
pub const MINE_DAMAGE: f32 = 44.0;
/// Distance behind the centre of its ship at which a mine is left.
pub const MINE_BEHIND: f32 = SHIP_RADIUS + 14.0;

// Pickups.

/// Radius of a pickup: generous, since ships fly over it at full speed.
pub const PICKUP_RADIUS: f32 = 20.0;
/// Hull a repair restores.
pub const REPAIR: u16 = 40 * POINT;
/// Ticks of rapid fire.
pub const RAPID: u16 = 480;
/// Fewest pickups of an arena.
pub const PICKUPS_MIN: usize = 6;
/// Ticks between restockings.
pub const RESTOCK: u32 = 30;
/// Chance that a wreck leaves a pickup, which draws others to where the fight was.
pub const WRECK_DROP: f32 = 0.4;

// Score.

/// Score for sinking a ship.
pub const SCORE_KILL: i32 = 10;
/// Score for a ship that another player sank, or that went down on its own, after at least [`ASSIST_DAMAGE`].
pub const SCORE_ASSIST: i32 = 3;
/// Damage to a ship, since it was last whole and left alone, that counts as an assist: more than two hits.
pub const ASSIST_DAMAGE: u16 = HULL_MAX / 3;
/// Score from which on the leader of an open arena has a bounty: after three ships more.
pub const BOUNTY_FROM: i32 = 30;
/// Additional score for sinking the player with the bounty.
pub const SCORE_BOUNTY: i32 = 10;
/// Score for a pickup.
pub const SCORE_PICKUP: i32 = 1;
/// Hull that the shooter regains, so that the winner of a duel is not easy prey.
pub const KILL_REPAIR: u16 = 25 * POINT;

// Rocks and other ships.

/// Smallest and largest radius of a rock, whole units.
pub const ROCK_RADIUS: (u16, u16) = (40, 130);
/// The same on a day of big rocks: the radius has 8 bits on the wire.
pub const ROCK_RADIUS_BIG: (u16, u16) = (120, 240);
/// Gap between rocks: two ships pass each other in it.
pub const ROCK_GAP: f32 = 90.0;
/// Least distance from a ship of a new rock.
pub const ROCK_CLEAR: f32 = 250.0;
/// Attempts to place rocks per tick while an arena grows.
pub const ROCK_TRIES: u32 = 16;
/// Share of the impact speed that a ship keeps after bouncing off a rock.
pub const BOUNCE: f32 = 0.4;
/// Impact speed on a rock without damage, units/s.
pub const IMPACT_FREE: f32 = 200.0;
/// Damage per unit/s above that: 15 points at top speed.
pub const IMPACT_DAMAGE: f32 = 3.6;
/// Distance from its hull within which a ship considers rocks in one step.
pub const ROCK_REACH: f32 = 64.0;
/// Share of the overlap of two ships that one tick removes.
pub const CONTACT_SOFTNESS: f32 = 0.4;
/// Ticks in which a contact between ships counts as recent: longer than any gap between snapshots on a playable link.
pub const CONTACT_TICKS: u8 = 120;
/// Share of their approach speed that two ships keep after contact.
pub const CONTACT_BOUNCE: f32 = 0.3;

// The border.

/// Area of the arena per player, units²: a dozen ships in a view.
pub const AREA_PER_PLAYER: f32 = 200_000.0;
/// Smallest radius of an arena: two or three views for the first few players.
pub const RADIUS_MIN: f32 = 1300.0;
/// Largest radius: shots fired outward still end within the 32,768 units that a world may reach.
pub const RADIUS_MAX: f32 = 30_000.0;
/// Smallest change of the radius, as a share of it.
pub const BORDER_SLACK: f32 = 0.06;
/// Ticks from the announcement of a change to its start: longer than any client's prediction reaches.
pub const BORDER_NOTICE: u32 = 150;
/// Ticks of an outward change.
pub const BORDER_GROW: u32 = 180;
/// Speed of an inward change, units/s: slower than any ship.
pub const BORDER_SHRINK: f32 = 80.0;
/// Pull back inside per unit of distance outside, 1/s².
pub const BORDER_PULL: f32 = 5.0;
/// Largest pull, units/s²: stronger than the engine.
pub const BORDER_PULL_MAX: f32 = 900.0;
/// Distance outside from which on the void damages the hull.
pub const BORDER_DEEP: f32 = 60.0;
/// Damage per tick out there: 12 points a second.
pub const BORDER_DAMAGE: u16 = 12;
/// Distance outside at which rocks and pickups are removed.
pub const BORDER_DEBRIS: f32 = 300.0;

// Matches.

/// Ticks before a round in which ships are held at their places: they can turn and cannot fire.
pub const COUNTDOWN: u32 = 180;
/// Ticks between two rounds, without damage.
pub const PAUSE: u32 = 180;
/// Names of the teams: colours that people with red-green colour blindness can tell apart.
pub const TEAMS: [&str; 2] = ["Amber", "Azure"];
/// Rounds of a team match: best of three.
pub const TEAMS_ROUNDS: u8 = 3;
/// Ticks of a round of a team match: four minutes, which only equal teams need.
pub const TEAMS_ROUND: u32 = 240 * TICK_HZ;
/// Ticks for which the results of a team match are shown.
pub const TEAMS_RESULTS: u32 = 10 * TICK_HZ;
/// Ticks until the next match once everyone wants to play again.
pub const REMATCH_ALL: u32 = TICK_HZ;
/// Ticks until the next match once most want to play again: the others may leave, or read on.
pub const REMATCH_MOST: u32 = 4 * TICK_HZ;
/// Points that win a round, without those of [`TEAMS_GOAL_EACH`].
pub const TEAMS_GOAL: u32 = 40;
/// Additional points that win a round, for each player: with more players, more ships are sunk.
pub const TEAMS_GOAL_EACH: u32 = 10;
/// Points for sinking an enemy; the zone gives one a second.
pub const TEAMS_SUNK: u32 = 2;
/// Radius of a team match's arena for up to fifty players; it grows with more.
pub const TEAMS_RADIUS: f32 = 1700.0;
/// Distance of a team's base from the centre, as a share of the arena's radius.
pub const TEAMS_BASE: f32 = 0.72;
/// Radius of a team's base, in which its ships are launched.
pub const TEAMS_BASE_RADIUS: f32 = 300.0;
/// Radius of the zone: two ships can fight over it without meeting.
pub const ZONE_RADIUS: u16 = 230;
/// Ticks that a team alone in a neutral zone needs to take it; in the other team's zone, twice that.
pub const ZONE_FULL: u16 = 240;
/// Rounds of a duel: best of five.
pub const DUEL_ROUNDS: u8 = 5;
/// Ticks of a round of a duel; then the stronger ship wins.
pub const DUEL_ROUND: u32 = 90 * TICK_HZ;
/// Ticks for which the results of a duel are shown.
pub const DUEL_RESULTS: u32 = 8 * TICK_HZ;
/// Radius of a duel's arena: the players nearly always see each other.
pub const DUEL_RADIUS: f32 = 850.0;
/// Distance of a duellist's place from the centre, as a share of the arena's radius.
pub const DUEL_BASE: f32 = 0.6;

/// Ticks of a round of a mode; 0 where there are no rounds.
#[must_use]
pub const fn round_ticks(mode: Mode) -> u32 {
    match mode {
        Mode::Open | Mode::Daily => 0,
        Mode::Teams => TEAMS_ROUND,
        Mode::Duel => DUEL_ROUND,
    }
}

const _: () = assert!(BORDER_NOTICE >= 120);
const _: () = assert!(RADIUS_MAX + (SHOT_SPEED + SPEED_BOOST) * SHOT_LIFE as f32 * DT < 32_768.0);
// The path of a ship and of a shot in one tick lie within the reach of one grid lookup.
const _: () = assert!((SPEED_BOOST + SHOT_SPEED) * DT + SHOT_RADIUS < ROCK_REACH);
// A shot is first sent while its age still fits the field, also at the end of its life.
// The time to a beam's judged moment takes 8 bits, in parts of a tick.
const _: () = assert!(REWIND_MS_MAX * TICK_HZ * ViewTime::PARTS / 1000 < 1 << 8);
const _: () =
    assert!(MINE_REACH + SHIP_RADIUS < ROCK_REACH + SHIP_RADIUS, "a lookup of ships finds those that set a mine off");
const _: () = assert!(MINE_LIFE.div_ceil(MINE_COOLDOWN as u32) <= 3);
const _: () = assert!(SPEED_BOOST * REWIND_MS_MAX as f32 / 1000.0 + SHIP_RADIUS < RAIL_SWAY * 0.75);
