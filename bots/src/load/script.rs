//! A recorded match as load: what its players did is done again, by as many players and as often as the run asks for.

use std::path::Path;
use std::sync::Arc;

use broadside_shared::game::Game;
use broadside_shared::protocol::room::ModeId;
use broadside_shared::recording::replay::{InputChanges, Recording};
use broadside_shared::trial::rules_hash;

/// Most bytes of a file that is read.
const FILE_MAX: u64 = 256 * 1024 * 1024;

/// The inputs of recorded players.
#[derive(Debug)]
pub(crate) struct Script<I> {
    players: Vec<InputChanges<I>>,
    /// Length of the match, in ticks, at least 1.
    ticks: u32,
    pub(crate) mode: ModeId,
}

/// The script of a game, which all players share.
pub(crate) type SharedScript<G> = Arc<Script<<G as Game>::Input>>;

impl<I: Copy + Default> Script<I> {
    /// What the player with this number of a run does after so many ticks: one recorded player after the other, from the start again once
    /// the match is over.
    pub(crate) fn input(&self, number: usize, tick: u64) -> I {
        let Some(changes) = self.players.get(number % self.players.len().max(1)) else { return I::default() };
        let tick = (tick % u64::from(self.ticks)) as u32;
        let next = changes.partition_point(|(from, _)| *from <= tick);
        next.checked_sub(1).map_or_else(I::default, |at| changes[at].1)
    }
}

/// Reads a file, and checks that it is a recording of this build's game.
///
/// # Errors
/// One line that says what is wrong with it.
pub(crate) fn read<G: Game>(file: &Path) -> Result<Arc<[u8]>, String> {
    let named = |why: &dyn std::fmt::Display| format!("--from {}: {why}", file.display());
    let length = std::fs::metadata(file).map_err(|error| named(&error))?.len();
    if length > FILE_MAX {
        return Err(named(&format!("{length} bytes; at most {FILE_MAX} are read")));
    }
    let bytes: Arc<[u8]> = std::fs::read(file).map_err(|error| named(&error))?.into();
    let script = script::<G>(&bytes).map_err(|why| named(&why))?;
    if script.players.iter().all(Vec::is_empty) {
        return Err(named(&"nobody does anything in this recording"));
    }
    Ok(bytes)
}

/// The script in the bytes of a recording.
///
/// # Errors
/// Why this build cannot read it.
pub(crate) fn script<G: Game>(bytes: &[u8]) -> Result<Script<G::Input>, String> {
    let recording = Recording::open(bytes.into()).map_err(|why| why.to_string())?;
    recording.check::<G>(rules_hash::<G>()).map_err(|why| why.to_string())?;
    let players = recording.inputs::<G>().map_err(|why| why.to_string())?;
    let last = players.iter().filter_map(|changes| changes.last()).map(|(tick, _)| *tick).max().unwrap_or(0);
    Ok(Script { players, ticks: last + 1, mode: recording.head.mode })
}

#[cfg(test)]
mod tests {
    use broadside_shared::game::PlayerInput;
    use broadside_shared::history::History;
    use broadside_shared::ids::{PlayerId, RoomId};
    use broadside_shared::protocol::name::Name;
    use broadside_shared::recording::Head;
    use broadside_shared::recording::recorder::{Recorded, Recorder};
    use broadside_shared::time::{Tick, ViewTime};
    use broadside_shared::toy::{Push, Toy};

    use super::*;

    #[test]
    fn a_match_is_played_again_by_as_many_as_asked_for_and_then_from_the_start() {
        let script = Script { players: vec![vec![(0, 1), (3, 2)], vec![(2, 9)]], ticks: 4, mode: ModeId(0) };
        let played = |number| (0..9).map(|tick| script.input(number, tick)).collect::<Vec<i32>>();
        assert_eq!(played(0), [1, 1, 1, 2, 1, 1, 1, 2, 1]);
        assert_eq!(played(1), [0, 0, 9, 9, 0, 0, 9, 9, 0]);
        assert_eq!(played(0), played(2), "more players than were recorded");
    }

    #[test]
    fn what_a_recorded_player_did_is_read_from_a_file() {
        let head = Head {
            game: Toy::NAME.to_owned(),
            rules: rules_hash::<Toy>(),
            mode: ModeId(0),
            room: RoomId(1),
            tick_hz: 60,
        };
        let mut recorder = Recorder::<Toy>::new(head, 2);
        let (player, name) = (PlayerId(0), Name::new("Ann").expect("a fine name"));
        let mut world = Toy::new(&(), ModeId(0), 1);
        let (mut history, mut events) = (History::default(), Vec::new());
        world.join(player, Tick(1), &mut events);
        recorder.begin(Tick(0), &world, &history, [(player, &name)].into_iter());
        for tick in (1..=150).map(Tick) {
            let input = if tick.0 <= 70 { Push(1, 0) } else { Push(0, -1) };
            let inputs = [PlayerInput { player, input, view: ViewTime::of(tick.before(1)) }];
            recorder.stepping(tick, &inputs);
            world.step(tick, &inputs, &history, &mut events);
            history.record(tick, |poses| world.poses(poses));
            recorder.stepped(&world, &history, [(player, &name)].into_iter());
        }
        recorder.end();
        let mut bytes = Vec::new();
        for part in recorder.take() {
            match part {
                Recorded::Begun(part) | Recorded::Ended(part) => bytes.extend(part),
                Recorded::Continued(part) => bytes.extend(&*part),
            }
        }
        let file = std::env::temp_dir().join(format!("broadside-script-{}", std::process::id()));
        std::fs::write(&file, &bytes).expect("the system has a temporary folder");
        let script = script::<Toy>(&read::<Toy>(&file).expect("a recording")).expect("the same");
        let did: Vec<Push> = [0, 69, 70].map(|tick| script.input(5, tick)).to_vec();
        assert_eq!(did, [Push(1, 0), Push(1, 0), Push(0, -1)]);
        std::fs::write(&file, b"else").expect("it can be written");
        let refused = read::<Toy>(&file).expect_err("no recording");
        assert!(refused.starts_with("--from ") && refused.contains("this is no recording"), "{refused}");
        std::fs::remove_file(file).expect("it is there");
    }
}
