//! The match: teams with score and rounds, the clock, the countdown and the result.

use broadside_shared::game::Standing;
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus, TEAMS_MAX, TeamStatus};
use broadside_shared::time::Tick;
use web_sys::{Document, HtmlElement};

use super::dom::{Shown, make};
use crate::words::{say, say_or, say_with};

/// Who sees the match, and when.
pub(crate) struct MatchViewer<'a> {
    /// The tick that is shown.
    pub(crate) tick: Tick,
    /// Ticks per second.
    pub(crate) tick_hz: u32,
    /// The player, or the followed player for a spectator.
    pub(crate) player: Option<PlayerId>,
    /// That player's team.
    pub(crate) team: Option<u8>,
    /// The mode's name, which is a class of the style sheet.
    pub(crate) mode: &'static str,
    /// The line below the bar.
    pub(crate) note: String,
    /// What the clock shows while it stands still, in seconds, if the game says so.
    pub(crate) still_s: Option<u32>,
    /// The word at the start of a round.
    pub(crate) go: &'static str,
    /// Standings, best first.
    pub(crate) board: &'a [Standing],
    pub(crate) name_of: &'a dyn Fn(PlayerId) -> &'a str,
    pub(crate) team_of: &'a dyn Fn(PlayerId) -> Option<u8>,
}

/// One team's half of the bar.
struct Half {
    all: Shown,
    name: Shown,
    pips: Shown,
    score: Shown,
    fill: Shown,
    shown: (u8, u8),
}

pub(crate) struct MatchHud {
    document: Document,
    all: Shown,
    halves: [Half; 2],
    clock: Shown,
    round: Shown,
    note: Shown,
    count: Shown,
    over: Shown,
    over_title: Shown,
    over_text: Shown,
    over_next: Shown,
    over_replay: Shown,
    table: HtmlElement,
    table_text: String,
    /// The last word in the middle, and whether a round was over.
    last_cue: (String, bool),
    /// When the last countdown ended, or will.
    begins: Option<Tick>,
}

/// A sound cue of the match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cue {
    /// One second less until the round.
    Count,
    /// The round starts.
    Begin,
    /// The viewer's team has won.
    Won,
    /// The round or the match is over, and the viewer's team has not won.
    Over,
}

impl MatchHud {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        let half = |team: &str| -> Result<Half, String> {
            Ok(Half {
                all: shown(&format!("match-{team}"))?,
                name: shown(&format!("match-{team}-name"))?,
                pips: shown(&format!("match-{team}-pips"))?,
                score: shown(&format!("match-{team}-score"))?,
                fill: shown(&format!("match-{team}-fill"))?,
                shown: (0, 0),
            })
        };
        Ok(MatchHud {
            document: document.clone(),
            all: shown("match")?,
            halves: [half("first")?, half("second")?],
            clock: shown("match-clock")?,
            round: shown("match-round")?,
            note: shown("match-note")?,
            count: shown("match-count")?,
            over: shown("match-over")?,
            over_title: shown("match-over-title")?,
            over_text: shown("match-over-text")?,
            over_next: shown("match-over-next")?,
            over_replay: shown("match-over-replay")?,
            table: shown("match-over-table")?.element,
            table_text: String::new(),
            last_cue: (String::new(), false),
            begins: None,
        })
    }

    /// Shows the match, or hides it without one; returns the sound cue of a change.
    pub(crate) fn show(&mut self, match_status: Option<&MatchStatus>, viewer: &MatchViewer) -> Option<Cue> {
        let match_status = match_status.filter(|status| status.phase != MatchPhase::Open);
        self.all.visible(match_status.is_some());
        let Some(match_status) = match_status else {
            self.hide();
            return None;
        };
        let left = match_status.ends.map(|ends| seconds_between(viewer, ends));
        self.bar(match_status, viewer, left);
        self.note.text(&viewer.note);
        if match_status.phase == MatchPhase::Countdown {
            self.begins = match_status.ends;
        }
        let (text, class) = count(match_status.phase, self.begins, viewer);
        self.count.text(&text);
        self.count.class(class);
        self.results(match_status, viewer, left.unwrap_or(0));
        let over = is_over(match_status);
        let before = std::mem::replace(&mut self.last_cue, (text, over));
        let now = &self.last_cue;
        if now.1 && !before.1 {
            let won = match_status.winner.is_some() && match_status.winner == viewer.team;
            return Some(if won { Cue::Won } else { Cue::Over });
        }
        if now.0.is_empty() || now.0 == before.0 {
            return None;
        }
        Some(if class == "on go" { Cue::Begin } else { Cue::Count })
    }

    /// Shows a link to the recording of the match, or none.
    pub(crate) fn offer_replay(&mut self, address: Option<&str>) {
        self.over_replay.visible(address.is_some());
        if let Some(address) = address {
            let _ = self.over_replay.element.set_attribute("href", address);
        }
    }

    pub(crate) fn hide(&mut self) {
        self.all.visible(false);
        self.over.visible(false);
        self.count.class("");
        self.count.text("");
        self.last_cue = (String::new(), false);
        self.begins = None;
    }

    fn bar(&mut self, match_status: &MatchStatus, viewer: &MatchViewer, left: Option<u32>) {
        // The bar has two halves: more teams are written below it, and without teams there is the clock alone.
        let teams = if match_status.teams.len() == self.halves.len() { match_status.teams.as_slice() } else { &[] };
        self.all.class(if teams.is_empty() { "alone" } else { viewer.mode });
        for (at, (half, team)) in self.halves.iter_mut().zip(teams).enumerate() {
            half.name.text(if team.name.is_empty() { say("match.nobody") } else { team_name(viewer.mode, team) });
            half.all.class(if viewer.team == Some(at as u8) { "own" } else { "" });
            let pips = (team.rounds, if match_status.rounds > 1 { match_status.rounds / 2 + 1 } else { 0 });
            // Where one point wins a round, the rounds are the score.
            let (have, need) = match team.goal {
                0..=1 if pips.1 > 0 => (u32::from(pips.0), u32::from(pips.1)),
                goal => (team.score, goal),
            };
            half.score.text(&have.to_string());
            half.fill.fill(have as f32 / need.max(1) as f32);
            if pips != half.shown {
                half.shown = pips;
                half.pips.element.set_text_content(None);
                for pip in 0..pips.1 {
                    if let Some(pip) = make(&self.document, "i", if pip < pips.0 { "won" } else { "" }, "") {
                        let _ = half.pips.element.append_child(&pip);
                    }
                }
            }
        }
        let left = left.filter(|_| match_status.phase == MatchPhase::Playing);
        self.clock.text(&left.or(viewer.still_s).map_or_else(|| "–".to_owned(), clock));
        self.clock.class(match left {
            Some(0..=10) => "short",
            Some(_) => "",
            None => "still",
        });
        self.round.text(&match (match_status.round, match_status.rounds) {
            (0, _) | (_, 0..=1) => String::new(),
            (round, rounds) => {
                say_with("match.round", &[("round", &round.to_string()), ("rounds", &rounds.to_string())])
            }
        });
    }

    /// Shows the result after a round, and the standings after the match.
    fn results(&mut self, match_status: &MatchStatus, viewer: &MatchViewer, left: u32) {
        self.over.visible(is_over(match_status));
        if !is_over(match_status) {
            return;
        }
        let last = match_status.phase == MatchPhase::Results;
        let (title, tone) = result_title(match_status, viewer.team);
        self.over_title.text(title);
        self.over.class(&format!("{tone}{}", if last { " last" } else { "" }));
        self.over_text.text(&result_text(match_status, viewer.mode));
        let seconds = left.to_string();
        self.over_next.text(&match (last, left) {
            (true, 0) => say("result.next-match").to_owned(),
            (false, 0) => say("result.next-round").to_owned(),
            (true, _) => say_with("result.next-match-in", &[("count", &seconds)]),
            (false, _) => say_with("result.next-round-in", &[("count", &seconds)]),
        });
        let lines: Vec<String> =
            viewer.board.iter().map(|line| format!("{}\t{}", (viewer.name_of)(line.player), line.score)).collect();
        let text = if last { lines.join("\n") } else { String::new() };
        if text == self.table_text {
            return;
        }
        self.table_text = text;
        self.table.set_text_content(None);
        for line in viewer.board.iter().filter(|_| last) {
            let own = if Some(line.player) == viewer.player { "own" } else { "" };
            let team = team_class((viewer.team_of)(line.player));
            let Some(row) = make(&self.document, "li", &format!("{team} {own}"), "") else { return };
            for part in [(viewer.name_of)(line.player), &line.score.to_string()] {
                if let Some(part) = make(&self.document, "span", "", part) {
                    let _ = row.append_child(&part);
                }
            }
            let _ = self.table.append_child(&row);
        }
    }
}

/// The style sheet's classes for teams.
const TEAMS: [&str; TEAMS_MAX] = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

/// The style sheet's class for a team.
#[must_use]
pub(crate) fn team_class(team: Option<u8>) -> &'static str {
    team.and_then(|team| TEAMS.get(usize::from(team)).copied()).unwrap_or_default()
}

/// What a team of this mode is called: a player's name stays as it is.
#[must_use]
pub(crate) fn team_name<'a>(mode: &str, team: &'a TeamStatus) -> &'a str {
    say_or(&["team.", mode, ".", &team.name].concat(), &team.name)
}

/// Seconds from the shown tick to another, rounded up.
fn seconds_between(viewer: &MatchViewer, to: Tick) -> u32 {
    to.since(viewer.tick.min(to)).div_ceil(viewer.tick_hz.max(1))
}

pub(crate) fn clock(seconds: u32) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The note below the score that fits any game.
#[must_use]
pub(crate) fn match_note(match_status: &MatchStatus) -> String {
    match match_status.phase {
        MatchPhase::Waiting => say("match.waiting").to_owned(),
        MatchPhase::Countdown if match_status.rounds > 1 => {
            say_with("match.best-of", &[("rounds", &match_status.rounds.to_string())])
        }
        _ if match_status.teams.len() > 2 => {
            joined(match_status.teams.iter().map(|team| format!("{} {}", team.name, team.score)), " · ")
        }
        _ => String::new(),
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.reduce(|all, part| all + between + &part).unwrap_or_default()
}

/// The large word in the middle of the picture and its class: a number before a round, a word for a second at its start. The
/// client's clock is ahead of the newest status: its round starts before the server's message arrives.
fn count(phase: MatchPhase, begins: Option<Tick>, viewer: &MatchViewer) -> (String, &'static str) {
    match (phase, begins) {
        (MatchPhase::Countdown, Some(begins)) if viewer.tick < begins => {
            // Alternating classes restart the animation for every number.
            let left = seconds_between(viewer, begins);
            (left.to_string(), if left.is_multiple_of(2) { "on even" } else { "on odd" })
        }
        (MatchPhase::Countdown | MatchPhase::Playing, Some(begins))
            if viewer.tick.since(begins.min(viewer.tick)) < viewer.tick_hz =>
        {
            (viewer.go.to_owned(), "on go")
        }
        _ => (String::new(), ""),
    }
}

/// The result as the viewer's team sees it, and its class.
fn result_title(match_status: &MatchStatus, own: Option<u8>) -> (&'static str, &'static str) {
    let last = match_status.phase == MatchPhase::Results;
    match (match_status.winner, own) {
        (None, _) => (if last { say("result.draw") } else { say("result.round-drawn") }, "drawn"),
        (Some(winner), Some(own)) if winner == own => {
            (if last { say("result.victory") } else { say("result.round-won") }, "won")
        }
        (Some(_), Some(_)) => (if last { say("result.defeat") } else { say("result.round-lost") }, "lost"),
        (Some(_), None) => (if last { say("result.match-over") } else { say("result.round-over") }, "drawn"),
    }
}

fn result_text(match_status: &MatchStatus, mode: &str) -> String {
    let last = match_status.phase == MatchPhase::Results;
    // Of a match, the rounds count; of a match of one round, its points.
    let count = |team: &TeamStatus| if match_status.rounds > 1 { team.rounds.into() } else { team.score };
    let counts = joined(match_status.teams.iter().map(|team| count(team).to_string()), " : ");
    match match_status.winner.and_then(|winner| match_status.teams.get(usize::from(winner))) {
        Some(winner) => {
            let values = [("name", team_name(mode, winner)), ("counts", &counts)];
            if last { say_with("result.match-won", &values) } else { say_with("result.round-won-by", &values) }
        }
        None => {
            let values = [("counts", counts.as_str())];
            if last { say_with("result.match-nobody", &values) } else { say_with("result.round-nobody", &values) }
        }
    }
}

/// Whether a round or the match is over. Where the match is one round, a pause only interrupts it, as after a goal.
fn is_over(match_status: &MatchStatus) -> bool {
    match match_status.phase {
        MatchPhase::Results => true,
        MatchPhase::Pause => match_status.rounds > 1,
        MatchPhase::Open | MatchPhase::Waiting | MatchPhase::Countdown | MatchPhase::Playing => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::protocol::room::ModeId;

    fn match_status(phase: MatchPhase) -> MatchStatus {
        let team = |name: &str, rounds| TeamStatus { name: name.to_owned(), score: 7, goal: 9, rounds, players: 1 };
        MatchStatus {
            mode: ModeId(0),
            phase,
            round: 2,
            rounds: 5,
            tick: Tick(1000),
            ends: Some(Tick(2000)),
            teams: vec![team("Ann", 1), team("Bob", 2)],
            winner: Some(1),
        }
    }

    fn viewer(tick: u32) -> MatchViewer<'static> {
        MatchViewer {
            tick: Tick(tick),
            tick_hz: 60,
            player: None,
            team: None,
            mode: "",
            note: String::new(),
            still_s: None,
            go: "go",
            board: &[],
            name_of: &|_| "",
            team_of: &|_| None,
        }
    }

    #[test]
    fn a_countdown_counts_whole_seconds_and_ends_with_a_word() {
        let at = |phase, tick| count(phase, Some(Tick(1180)), &viewer(tick)).0;
        let before = [1000, 1059, 1060, 1179, 1180].map(|tick| at(MatchPhase::Countdown, tick));
        assert_eq!(before, ["3", "3", "2", "1", "go"]);
        assert_eq!([1200, 1239, 1240].map(|tick| at(MatchPhase::Playing, tick)), ["go", "go", ""]);
        assert_eq!(count(MatchPhase::Playing, None, &viewer(1200)).0, "", "came in the middle of a round");
    }

    #[test]
    fn a_result_is_a_victory_for_one_team_and_a_defeat_for_the_other() {
        let over = match_status(MatchPhase::Results);
        assert_eq!(result_title(&over, Some(1)).0, "victory");
        assert_eq!(result_title(&over, Some(0)).0, "defeat");
        assert_eq!(result_text(&over, ""), "Bob wins the match · 1 : 2");
        let drawn = MatchStatus { winner: None, ..match_status(MatchPhase::Pause) };
        assert_eq!(
            (result_title(&drawn, Some(0)).0, result_text(&drawn, "").as_str()),
            ("round drawn", "nobody wins the round · 1 : 2")
        );
        let single = MatchStatus { rounds: 1, ..over };
        assert!(is_over(&drawn) && is_over(&single));
        assert!(!is_over(&MatchStatus { phase: MatchPhase::Pause, ..single.clone() }), "play goes on after a goal");
        assert_eq!(result_text(&single, ""), "Bob wins the match · 7 : 7");
    }
}
