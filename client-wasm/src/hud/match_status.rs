//! The match: both teams with score and rounds, the clock, the countdown and the result.

use broadside_arena::Arena;
use broadside_arena::modes::{Mode, Zone};
use broadside_arena::rules::{TICK_HZ, round_ticks};
use broadside_shared::game::{Game, Standing};
use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::match_status::{MatchPhase, MatchStatus, TeamStatus};
use broadside_shared::protocol::room::ModeId;
use broadside_shared::time::Tick;
use web_sys::{Document, HtmlElement};

use super::dom::{Shown, make};

/// Ticks for which the word at the start of a round is shown.
const BEGUN_TICKS: u32 = TICK_HZ;

/// Who sees the match, and when.
pub(crate) struct MatchViewer<'a> {
    /// The tick that is shown.
    pub(crate) tick: Tick,
    /// The player, or the followed player for a spectator.
    pub(crate) player: Option<PlayerId>,
    /// That player's team.
    pub(crate) team: Option<u8>,
    /// Standings, best first.
    /// The zone to hold, in modes with one.
    pub(crate) zone: Option<&'a Zone>,
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
    table: HtmlElement,
    table_text: String,
    /// The last word in the middle, and whether a round was over.
    last_cue: (String, bool),
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
            table: shown("match-over-table")?.element,
            table_text: String::new(),
            last_cue: (String::new(), false),
        })
    }

    /// Shows the match, or hides it without one; returns the sound cue of a change.
    pub(crate) fn show(&mut self, match_status: Option<&MatchStatus>, viewer: &MatchViewer) -> Option<Cue> {
        let match_status = match_status.filter(|match_status| match_status.teams.len() == self.halves.len());
        self.all.visible(match_status.is_some());
        let Some(match_status) = match_status else {
            self.hide();
            return None;
        };
        let left = match_status.ends.map(|ends| seconds_between(viewer.tick, ends));
        self.bar(match_status, viewer.team, left);
        self.note.text(&match_note(match_status, viewer.zone, viewer.team));
        let (text, class) = count(match_status, viewer.tick);
        self.count.text(&text);
        self.count.class(class);
        self.results(match_status, viewer, left.unwrap_or(0));
        let over = matches!(match_status.phase, MatchPhase::Pause | MatchPhase::Results);
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

    pub(crate) fn hide(&mut self) {
        self.all.visible(false);
        self.over.visible(false);
        self.count.class("");
        self.count.text("");
        self.last_cue = (String::new(), false);
    }

    fn bar(&mut self, match_status: &MatchStatus, own: Option<u8>, left: Option<u32>) {
        self.all.class(mode_name(match_status.mode));
        for (at, (half, team)) in self.halves.iter_mut().zip(&match_status.teams).enumerate() {
            half.name.text(if team.name.is_empty() { "nobody yet" } else { &team.name });
            half.all.class(if own == Some(at as u8) { "own" } else { "" });
            let pips = (team.rounds, match_status.rounds / 2 + 1);
            let (have, need) = match Mode::of(match_status.mode) {
                Mode::Duel => (u32::from(pips.0), u32::from(pips.1)),
                Mode::Teams | Mode::Open => (team.score, team.goal),
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
        self.clock.text(&clock(left.unwrap_or(round_ticks(Mode::of(match_status.mode)) / TICK_HZ)));
        self.clock.class(match left {
            Some(0..=10) => "short",
            Some(_) => "",
            None => "still",
        });
        self.round.text(&match match_status.round {
            0 => String::new(),
            round => format!("round {round} of {}", match_status.rounds),
        });
    }

    /// Shows the result after a round, and the standings after the match.
    fn results(&mut self, match_status: &MatchStatus, viewer: &MatchViewer, left: u32) {
        let is_over = matches!(match_status.phase, MatchPhase::Pause | MatchPhase::Results);
        self.over.visible(is_over);
        if !is_over {
            return;
        }
        let last = match_status.phase == MatchPhase::Results;
        let (title, tone) = result_title(match_status, viewer.team);
        self.over_title.text(title);
        self.over.class(&format!("{tone}{}", if last { " last" } else { "" }));
        self.over_text.text(&result_text(match_status));
        let next = if last { "next match" } else { "next round" };
        self.over_next.text(&if left > 0 { format!("{next} in {left} s") } else { next.to_owned() });
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

/// The name of a mode in addresses, and the style sheet's class for it.
#[must_use]
pub(crate) fn mode_name(mode: ModeId) -> &'static str {
    Arena::MODES.get(usize::from(mode.0)).map_or("", |mode| mode.name)
}

/// The style sheet's class for a team.
#[must_use]
pub(crate) fn team_class(team: Option<u8>) -> &'static str {
    match team {
        Some(0) => "first",
        Some(_) => "second",
        None => "",
    }
}

/// Seconds from one tick to another, rounded up.
fn seconds_between(from: Tick, to: Tick) -> u32 {
    to.since(from.min(to)).div_ceil(TICK_HZ)
}

fn clock(seconds: u32) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The note below the score.
fn match_note(match_status: &MatchStatus, zone: Option<&Zone>, own: Option<u8>) -> String {
    let name = |team: u8| match_status.teams.get(usize::from(team)).map_or("", |team: &TeamStatus| team.name.as_str());
    match match_status.phase {
        MatchPhase::Waiting => "waiting for an opponent".to_owned(),
        MatchPhase::Countdown if Mode::of(match_status.mode) == Mode::Teams => match own {
            Some(own) => format!("you fight for {}: hold the ring, sink the others", name(own)),
            None => String::new(),
        },
        MatchPhase::Countdown => format!("best of {}: the first to sink loses the round", match_status.rounds),
        MatchPhase::Playing => match zone {
            Some(zone) if zone.contested => "the ring is contested".to_owned(),
            Some(zone) => match zone.holder {
                Some(holder) if Some(holder) == own => "your ring".to_owned(),
                Some(holder) => format!("{} holds the ring", name(holder)),
                None => "nobody holds the ring".to_owned(),
            },
            None => String::new(),
        },
        MatchPhase::Open | MatchPhase::Pause | MatchPhase::Results => String::new(),
    }
}

/// The large word in the middle of the picture and its class: a number before a round, a word at its start.
fn count(match_status: &MatchStatus, tick: Tick) -> (String, &'static str) {
    match (match_status.phase, match_status.ends) {
        // The client's clock is ahead of the newest status: its round starts before the server's message arrives.
        (MatchPhase::Countdown, Some(ends)) if tick < ends => {
            // Alternating classes restart the animation for every number.
            let left = seconds_between(tick, ends);
            (left.to_string(), if left.is_multiple_of(2) { "on even" } else { "on odd" })
        }
        (MatchPhase::Countdown, Some(_)) => ("fight".to_owned(), "on go"),
        (MatchPhase::Playing, Some(ends))
            if ends.since(tick.min(ends)) + BEGUN_TICKS > round_ticks(Mode::of(match_status.mode)) =>
        {
            ("fight".to_owned(), "on go")
        }
        (
            MatchPhase::Open
            | MatchPhase::Waiting
            | MatchPhase::Countdown
            | MatchPhase::Playing
            | MatchPhase::Pause
            | MatchPhase::Results,
            _,
        ) => (String::new(), ""),
    }
}

/// The result as the viewer's team sees it, and its class.
fn result_title(match_status: &MatchStatus, own: Option<u8>) -> (&'static str, &'static str) {
    let last = match_status.phase == MatchPhase::Results;
    match (match_status.winner, own) {
        (None, _) => (if last { "draw" } else { "round drawn" }, "drawn"),
        (Some(winner), Some(own)) if winner == own => (if last { "victory" } else { "round won" }, "won"),
        (Some(_), Some(_)) => (if last { "defeat" } else { "round lost" }, "lost"),
        (Some(_), None) => (if last { "match over" } else { "round over" }, "drawn"),
    }
}

fn result_text(match_status: &MatchStatus) -> String {
    let [first, second] = match_status.teams.as_slice() else { return String::new() };
    let what = if match_status.phase == MatchPhase::Results { "the match" } else { "the round" };
    let rounds = format!("{} : {}", first.rounds, second.rounds);
    match match_status.winner.and_then(|winner| match_status.teams.get(usize::from(winner))) {
        Some(winner) => format!("{} wins {what} · {rounds}", winner.name),
        None => format!("nobody wins {what} · {rounds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn match_status(phase: MatchPhase, ends: u32) -> MatchStatus {
        let team = |name: &str, rounds| TeamStatus { name: name.to_owned(), score: 0, goal: 1, rounds, players: 1 };
        MatchStatus {
            mode: Mode::Duel.id(),
            phase,
            round: 2,
            rounds: 5,
            tick: Tick(1000),
            ends: Some(Tick(ends)),
            teams: vec![team("Ann", 1), team("Bob", 2)],
            winner: Some(1),
        }
    }

    #[test]
    fn a_countdown_counts_whole_seconds_and_ends_with_a_word() {
        let before = match_status(MatchPhase::Countdown, 1180);
        let at = |tick| count(&before, Tick(tick)).0;
        assert_eq!([at(1000), at(1059), at(1060), at(1179), at(1180)], ["3", "3", "2", "1", "fight"]);
        assert_eq!(count(&match_status(MatchPhase::Playing, 1010), Tick(1005)).0, "", "in the middle of a round");
    }

    #[test]
    fn a_result_is_a_victory_for_one_team_and_a_defeat_for_the_other() {
        let over = match_status(MatchPhase::Results, 2000);
        assert_eq!(result_title(&over, Some(1)).0, "victory");
        assert_eq!(result_title(&over, Some(0)).0, "defeat");
        assert_eq!(result_text(&over), "Bob wins the match · 1 : 2");
        let drawn = MatchStatus { winner: None, ..match_status(MatchPhase::Pause, 2000) };
        assert_eq!(
            (result_title(&drawn, Some(0)).0, result_text(&drawn).as_str()),
            ("round drawn", "nobody wins the round · 1 : 2")
        );
    }
}
