//! Who sank whom, as far as the player cares: runs, revenge, and what sank the own ship. It all follows from the kill feed.

use broadside_arena::Cause;
use broadside_arena::rules::{SCORE_BOUNTY, SCORE_KILL};
use broadside_client::words::{say, say_count, say_with};
use broadside_shared::sorted::SortedMap;

/// Ships sunk in one life from which on it is a run worth a word, and of others a word to everyone.
const RUN: u32 = 3;
const BIG_RUN: u32 = 5;

/// An entry of the kill feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kill {
    pub(crate) victim: u16,
    pub(crate) by: Option<u16>,
    pub(crate) cause: Cause,
    pub(crate) bounty: bool,
    /// Distance between the two ships in world units, if both are in view.
    pub(crate) distance: Option<f32>,
}

/// What to tell the player of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// The player sank somebody.
    Won(String),
    /// The player sank somebody who had it coming.
    Revenge(String),
    /// The player was sunk: the line of the respawn screen.
    Sunk(String),
    /// Somebody else has a big run.
    News(String),
}

#[derive(Debug, Default)]
pub(crate) struct Rivals {
    /// Ships sunk by each player in the current life.
    runs: SortedMap<u16, u32>,
    /// Who sank the player last, until the player sinks them.
    nemesis: Option<u16>,
}

impl Rivals {
    /// The player to take revenge on.
    #[must_use]
    pub(crate) fn nemesis(&self) -> Option<u16> {
        self.nemesis
    }

    /// Forgets all, for another room.
    pub(crate) fn clear(&mut self) {
        *self = Rivals::default();
    }

    /// Takes an entry of the kill feed. `name` says what a player is called.
    pub(crate) fn take(&mut self, kill: Kill, own: Option<u16>, name: impl Fn(u16) -> String) -> Option<Word> {
        let Kill { victim, by, .. } = kill;
        let ended = self.runs.remove(victim).unwrap_or(0);
        let run = by.map_or(0, |by| {
            let run = self.runs.get_or_insert_with(by, || 0);
            *run += 1;
            *run
        });
        if own == Some(victim) {
            self.nemesis = by.or(self.nemesis);
            return Some(Word::Sunk(how(kill, by.map(name).as_deref())));
        }
        let by = by?;
        if own != Some(by) {
            let text = match (run, ended) {
                (run, _) if run >= BIG_RUN && run.is_multiple_of(BIG_RUN) => {
                    say_with("rivals.run-of", &[("name", &name(by)), ("count", &run.to_string())])
                }
                (_, ended) if ended >= BIG_RUN => {
                    say_with("rivals.run-ended", &[("name", &name(by)), ("count", &ended.to_string())])
                }
                _ => return None,
            };
            return Some(Word::News(text));
        }
        let mut text = say_with("ship.you-sank", &[("name", &name(victim))]);
        if kill.bounty {
            text.push_str(&say_with("rivals.bounty", &[("points", &(SCORE_KILL + SCORE_BOUNTY).to_string())]));
        }
        if run >= RUN {
            text.push_str(&say_with("rivals.run", &[("count", &run.to_string())]));
        }
        if self.nemesis == Some(victim) {
            self.nemesis = None;
            return Some(Word::Revenge(say_with("rivals.revenge", &[("text", &text)])));
        }
        Some(Word::Won(text))
    }
}

/// How the player went down: by whom, with what, and from how far.
fn how(kill: Kill, by: Option<&str>) -> String {
    let Some(by) = by else {
        return match kill.cause {
            Cause::Rock => say("verb.you.hit a rock"),
            Cause::Border => say("verb.you.got lost in the void"),
            Cause::Cannon | Cause::Rail | Cause::Mine => say("verb.you.went down under fire"),
        }
        .to_owned();
    };
    let weapon = match kill.cause {
        Cause::Cannon => say("weapon.cannon"),
        Cause::Rail => say("weapon.rail"),
        Cause::Mine => say("weapon.mine"),
        Cause::Rock | Cause::Border => "",
    };
    let mut text = say_with("ship.sunk-by", &[("name", by)]);
    if !weapon.is_empty() {
        text.push_str(" · ");
        text.push_str(weapon);
    }
    if let Some(distance) = kill.distance {
        // Rounded to ten: ships drift on while the line is read.
        text.push_str(" · ");
        text.push_str(&say_count("units-away", (distance / 10.0).round() as u32 * 10));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(victim: u16, by: Option<u16>) -> Kill {
        Kill { victim, by, cause: Cause::Rail, bounty: false, distance: Some(423.0) }
    }

    fn take(rivals: &mut Rivals, kill: Kill) -> Option<Word> {
        broadside_client::words::add_for_tests(include_str!("../assets/languages/en.json"));
        rivals.take(kill, Some(1), |player| format!("P{player}"))
    }

    #[test]
    fn the_respawn_screen_says_who_with_what_and_from_where() {
        let mut rivals = Rivals::default();
        let sunk = |text: &str| Some(Word::Sunk(text.to_owned()));
        assert_eq!(take(&mut rivals, kill(1, Some(2))), sunk("by P2 · rail · 420 units away"));
        assert_eq!(take(&mut rivals, Kill { distance: None, ..kill(1, Some(2)) }), sunk("by P2 · rail"));
        let rock = Kill { cause: Cause::Rock, ..kill(1, None) };
        assert_eq!(take(&mut rivals, rock), sunk("you hit a rock"));
    }

    #[test]
    fn revenge_is_on_who_sank_the_player_last_and_taken_once() {
        let mut rivals = Rivals::default();
        take(&mut rivals, kill(1, Some(2)));
        take(&mut rivals, Kill { cause: Cause::Border, ..kill(1, None) });
        assert_eq!(rivals.nemesis(), Some(2), "a border is no rival");
        assert_eq!(take(&mut rivals, kill(3, Some(1))), Some(Word::Won("you sank P3".to_owned())));
        assert_eq!(take(&mut rivals, kill(2, Some(1))), Some(Word::Revenge("revenge: you sank P2".to_owned())));
        assert_eq!(rivals.nemesis(), None);
        let third = take(&mut rivals, Kill { bounty: true, ..kill(2, Some(1)) });
        assert_eq!(third, Some(Word::Won("you sank P2 · bounty, +20 · 3 in a row".to_owned())));
    }

    #[test]
    fn a_big_run_of_another_is_news_and_so_is_its_end() {
        let mut rivals = Rivals::default();
        let news = |text: &str| Some(Word::News(text.to_owned()));
        for _ in 0..4 {
            assert_eq!(take(&mut rivals, kill(5, Some(2))), None);
        }
        assert_eq!(take(&mut rivals, kill(5, Some(2))), news("P2 has sunk 5 in a row"));
        assert_eq!(take(&mut rivals, kill(2, Some(5))), news("P5 ended a run of 5"));
        assert_eq!(take(&mut rivals, kill(5, Some(2))), None, "the run starts again");
    }
}
