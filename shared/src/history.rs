//! Positions of all players in the last ticks, so that a shot is judged as its shooter saw it (lag compensation).

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use glam::Vec2;

use crate::ids::PlayerId;
use crate::time::{Tick, ViewTime, ticks_of_ms};

/// Furthest back a shot may be judged, in milliseconds. A player whose picture is older has to aim ahead, so that
/// nobody is hit long after taking cover.
pub const REWIND_MS_MAX: u32 = 250;
/// Ticks of poses kept; covers [`REWIND_MS_MAX`] up to 120 ticks per second.
pub const HISTORY_TICKS: usize = 32;

const _: () = assert!(HISTORY_TICKS as u32 * 1000 / 120 >= REWIND_MS_MAX);

impl ViewTime {
    /// The moment clamped to what may be judged at `tick`: not after it, and at most [`REWIND_MS_MAX`] before it.
    #[must_use]
    pub fn judged_at(self, tick: Tick, tick_hz: u32) -> ViewTime {
        let newest = ViewTime::of(tick);
        let back = u64::from(REWIND_MS_MAX * tick_hz * Self::PARTS / 1000);
        self.clamp(ViewTime(newest.0.saturating_sub(back)), newest)
    }
}

/// Where a player was at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// The player.
    pub player: PlayerId,
    /// Position in world units.
    pub at: Vec2,
    /// Number of the player's life: positions of different lives are not interpolated.
    pub life: u16,
}

/// The poses of the last [`HISTORY_TICKS`] ticks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "SavedHistory", from = "SavedHistory")]
pub struct History {
    ticks: VecDeque<(Tick, Vec<Pose>)>,
}

/// A history as it is saved: positions as differences from where a player would be that goes on as before, which are mostly small.
#[derive(Clone, Serialize, Deserialize)]
struct SavedHistory {
    /// The players of each tick, with the numbers of their lives.
    ticks: Vec<(Tick, Vec<(PlayerId, u16)>)>,
    /// The differences of all poses in order, between the bits of floats: x and y. First the highest byte of each, then the next one.
    differences: Vec<u8>,
}

/// Bytes of a position.
const POSITION: usize = 8;

impl From<History> for SavedHistory {
    fn from(history: History) -> SavedHistory {
        let History { ticks } = history;
        let differences =
            ticks.iter().enumerate().flat_map(|(at, (_, poses))| poses.iter().map(move |pose| (at, pose)));
        let differences: Vec<u64> = differences
            .map(|(at, pose)| {
                let expected = expected(&ticks, at, pose.player);
                let of = |now: f32, expected: f32| {
                    let difference = now.to_bits().wrapping_sub(expected.to_bits()).cast_signed();
                    (difference << 1 ^ difference >> 31).cast_unsigned()
                };
                u64::from(of(pose.at.x, expected.x)) << 32 | u64::from(of(pose.at.y, expected.y))
            })
            .collect();
        let plane = |plane: usize| differences.iter().map(move |both| both.to_be_bytes()[plane]);
        SavedHistory {
            ticks: ticks
                .iter()
                .map(|(tick, poses)| (*tick, poses.iter().map(|pose| (pose.player, pose.life)).collect()))
                .collect(),
            differences: (0..POSITION).flat_map(plane).collect(),
        }
    }
}

impl From<SavedHistory> for History {
    fn from(SavedHistory { ticks: saved, differences }: SavedHistory) -> History {
        let count = differences.len() / POSITION;
        let (mut ticks, mut next) = (VecDeque::with_capacity(saved.len()), 0);
        for (at, (tick, players)) in saved.into_iter().enumerate() {
            ticks.push_back((tick, Vec::with_capacity(players.len())));
            for (player, life) in players {
                // Bytes that nobody saved may end too early.
                let byte = |plane: usize| differences.get(plane * count + next).copied().unwrap_or(0);
                let expected = expected(&ticks, at, player);
                let of = |first: usize, expected: f32| {
                    let zigzag = u32::from_be_bytes([0, 1, 2, 3].map(|plane| byte(first + plane)));
                    let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
                    f32::from_bits(expected.to_bits().wrapping_add_signed(difference))
                };
                let pose = Pose { player, at: Vec2::new(of(0, expected.x), of(4, expected.y)), life };
                next += 1;
                ticks[at].1.push(pose);
            }
        }
        History { ticks }
    }
}

/// Where a player would be at a place among the ticks that goes on as in the two before it.
fn expected(ticks: &VecDeque<(Tick, Vec<Pose>)>, at: usize, player: PlayerId) -> Vec2 {
    let before = |back: usize| at.checked_sub(back).and_then(|at| pose_of(&ticks[at].1, player)).map(|pose| pose.at);
    match (before(1), before(2)) {
        (Some(last), Some(earlier)) => last * 2.0 - earlier,
        (Some(last), None) => last,
        (None, _) => Vec2::ZERO,
    }
}

impl History {
    /// Records a tick: `fill` appends one pose per player, in order of player.
    pub fn record(&mut self, tick: Tick, fill: impl FnOnce(&mut Vec<Pose>)) {
        let mut poses = if self.ticks.len() == HISTORY_TICKS {
            self.ticks.pop_front().map_or_else(Vec::new, |(_, poses)| poses)
        } else {
            Vec::new()
        };
        poses.clear();
        fill(&mut poses);
        self.ticks.push_back((tick, poses));
    }

    /// What a shot can still be judged by, at this many ticks per second: the last [`REWIND_MS_MAX`].
    #[must_use]
    pub fn recent(&self, tick_hz: u32) -> History {
        let ticks = ticks_of_ms(tick_hz, REWIND_MS_MAX) as usize + 1;
        History { ticks: self.ticks.range(self.ticks.len().saturating_sub(ticks)..).cloned().collect() }
    }

    /// A player's position at a moment, interpolated between two ticks; `None` if the player was not there at both, or
    /// if it is too long ago. A moment after the newest tick counts as the newest tick.
    #[must_use]
    pub fn at(&self, player: PlayerId, when: ViewTime) -> Option<Vec2> {
        let after = self.ticks.partition_point(|(tick, _)| ViewTime::of(*tick) <= when);
        let (from_tick, from) = self.ticks.get(after.checked_sub(1)?)?;
        let from = pose_of(from, player)?;
        let Some((to_tick, to)) = self.ticks.get(after) else { return Some(from.at) };
        let to = pose_of(to, player)?;
        if to.life != from.life {
            return None;
        }
        let (start, end) = (ViewTime::of(*from_tick).0, ViewTime::of(*to_tick).0);
        let part = (when.0 - start) as f32 / (end - start) as f32;
        Some(from.at + (to.at - from.at) * part)
    }
}

fn pose_of(poses: &[Pose], player: PlayerId) -> Option<&Pose> {
    poses.binary_search_by_key(&player, |pose| pose.player).ok().map(|at| &poses[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saved;

    #[test]
    fn moments_differ_wherever_ticks_differ() {
        let last = ViewTime::of(Tick(u32::MAX));
        assert_eq!(last.parts_since(ViewTime::of(Tick(u32::MAX - 3))), 3 * ViewTime::PARTS);
        assert_eq!(last.judged_at(Tick(u32::MAX), 60), last);
        assert_eq!(ViewTime::of(Tick(3)).parts_since(last), 0);
    }

    #[test]
    fn a_pose_lies_between_those_of_the_ticks_around_it() {
        let mut history = History::default();
        for tick in 1..=100u32 {
            history.record(Tick(tick), |poses| {
                let life = u16::from(tick >= 90);
                poses.push(Pose { player: PlayerId(3), at: Vec2::new(tick as f32 * 10.0, 0.0), life });
            });
        }
        let at = |ticks: f64| history.at(PlayerId(3), ViewTime::from_ticks(ticks)).map(|at| at.x);
        assert_eq!(at(80.0), Some(800.0));
        assert_eq!(at(80.25), Some(802.5));
        assert_eq!(at(89.5), None, "between two lives");
        assert_eq!(at(250.0), Some(1000.0), "no later than the newest");
        assert_eq!(at(60.0), None, "too long ago");
        assert_eq!(history.at(PlayerId(4), ViewTime::from_ticks(80.0)), None);
    }

    #[test]
    fn a_history_that_was_saved_has_the_same_bits_and_fewer_of_those_who_go_on_as_before() {
        let mut rng = fastrand::Rng::with_seed(2);
        let (mut steady, mut wild) = (History::default(), History::default());
        for tick in (0..20).map(Tick) {
            let at = |player: u16| Vec2::new(100.0 + tick.0 as f32 * 1.3, f32::from(player));
            let pose = |player: u16, at| Pose { player: PlayerId(player), at, life: player };
            steady.record(tick, |poses| poses.extend((0..9).map(|player| pose(player, at(player)))));
            // Players come and go, and are anywhere, even where nobody can be.
            let players: Vec<u16> = (0..9).filter(|_| rng.bool()).collect();
            let mut anywhere = || f32::from_bits(rng.u32(..0xff80_0000));
            wild.record(tick, |poses| {
                poses.extend(players.iter().map(|player| pose(*player, Vec2::new(anywhere(), anywhere()))));
            });
        }
        let zeros = |history: &History| saved::save(history).iter().filter(|byte| **byte == 0).count();
        for history in [&steady, &wild] {
            let restored: History = saved::load(&saved::save(history)).expect("it was just saved");
            assert_eq!(saved::save(&restored), saved::save(history));
            let bits = |history: &History| {
                let poses = history.ticks.iter().flat_map(|(_, poses)| poses);
                poses.map(|pose| (pose.player, pose.life, pose.at.to_array().map(f32::to_bits))).collect::<Vec<_>>()
            };
            assert_eq!(bits(&restored), bits(history));
        }
        assert!(zeros(&steady) > 9 * 18 * 6, "{}", zeros(&steady));
    }

    #[test]
    fn a_shot_is_judged_at_most_a_quarter_of_a_second_back() {
        let judged = |ticks: f64| ViewTime::from_ticks(ticks).judged_at(Tick(100), 60).0 as f64 / 16.0;
        assert_eq!(judged(95.5), 95.5);
        assert_eq!(judged(20.0), 85.0);
        assert_eq!(judged(300.0), 100.0);
    }
}
