//! What is shown of play in any game: score, board, ping, toasts.

use broadside_shared::game::Standing;
use broadside_shared::ids::PlayerId;
use web_sys::Document;

use super::dom::{Shown, make};
use super::kill_feed::KillFeedPanel;
use super::match_status::team_class;
use crate::words::{say, say_count, say_with};

const BOARD_LINES: usize = 8;
/// Seconds between two updates of what changes slowly.
const SLOW_SECONDS: f64 = 0.25;
/// Round trip times in milliseconds from which on the ping is amber and red.
const PING_FAIR: f64 = 90.0;
const PING_POOR: f64 = 180.0;

/// The numbers in the corner.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    pub(crate) ping_ms: f64,
    pub(crate) fps: f32,
    pub(crate) muted: bool,
}

pub(crate) struct Play {
    document: Document,
    score_panel: Shown,
    score: Shown,
    rank: Shown,
    ping: Shown,
    fps: Shown,
    mute: Shown,
    toast: Shown,
    board: Shown,
    board_text: String,
    pub(crate) feed: KillFeedPanel,
    last_score: Option<i32>,
    slow_at: f64,
}

impl Play {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        Ok(Play {
            document: document.clone(),
            score_panel: shown("score")?,
            score: shown("score-number")?,
            rank: shown("score-rank")?,
            ping: shown("ping")?,
            fps: shown("fps")?,
            mute: shown("mute-note")?,
            toast: shown("toast")?,
            board: shown("board")?,
            board_text: String::new(),
            feed: KillFeedPanel::new(document)?,
            last_score: None,
            slow_at: 0.0,
        })
    }

    /// Shows the own score; `None` hides it.
    pub(crate) fn score(&mut self, score: Option<i32>) {
        self.score_panel.visible(score.is_some());
        if let Some(score) = score {
            self.score.text(&score.to_string());
            if self.last_score.is_some_and(|last| score > last) {
                self.score.replay("bump");
            }
        }
        self.last_score = score;
    }

    /// Shows what changes slowly, a few times per second: the board (names through `name_of`), rank and numbers.
    pub(crate) fn slow<'a>(
        &mut self,
        seconds: f64,
        meter: Meter,
        own: Option<PlayerId>,
        (board, players): (&[Standing], u16),
        (name_of, team_of): (impl Fn(PlayerId) -> &'a str, impl Fn(PlayerId) -> Option<u8>),
    ) {
        self.feed.advance(seconds);
        if seconds < self.slow_at {
            return;
        }
        self.slow_at = seconds + SLOW_SECONDS;
        self.ping.text(&say_with("ping", &[("count", &(meter.ping_ms.round() as u32).to_string())]));
        self.ping.class(match meter.ping_ms {
            ping if ping >= PING_POOR => "poor",
            ping if ping >= PING_FAIR => "fair",
            _ => "",
        });
        self.fps.text(&say_with("fps", &[("count", &(meter.fps.round() as u32).to_string())]));
        self.mute.text(if meter.muted { say("muted") } else { "" });
        let rank = board.iter().position(|line| Some(line.player) == own);
        self.rank.text(&match rank {
            Some(index) => say_with("rank", &[("rank", &(index + 1).to_string()), ("players", &players.to_string())]),
            None if players > 0 => say_count("players", players.into()),
            None => String::new(),
        });
        self.show_board(own, board, name_of, team_of);
    }

    fn show_board<'a>(
        &mut self,
        own: Option<PlayerId>,
        board: &[Standing],
        name_of: impl Fn(PlayerId) -> &'a str,
        team_of: impl Fn(PlayerId) -> Option<u8>,
    ) {
        let mut text = String::new();
        for line in board.iter().take(BOARD_LINES) {
            let team = team_class(team_of(line.player));
            text.push_str(&format!("{}\t{}\t{}\t{team}\n", line.player, name_of(line.player), line.score));
        }
        if text == self.board_text {
            return;
        }
        self.board_text = text;
        self.board.element.set_text_content(None);
        for (index, line) in board.iter().take(BOARD_LINES).enumerate() {
            let class = if Some(line.player) == own { "own" } else { "" };
            let class = format!("{class} {}", team_class(team_of(line.player)));
            let Some(row) = make(&self.document, "li", &class, "") else { return };
            // In a replay, a click on a name follows the player.
            let _ = row.set_attribute("data-act", &format!("follow:{}", line.player.0));
            for part in [(index + 1).to_string().as_str(), name_of(line.player), &line.score.to_string()] {
                if let Some(part) = make(&self.document, "span", "", part) {
                    let _ = row.append_child(&part);
                }
            }
            let _ = self.board.element.append_child(&row);
        }
    }

    /// Shows a message in large letters for a moment; `tone` is a class of the style sheet or empty.
    pub(crate) fn toast(&mut self, text: &str, tone: &str) {
        self.toast.text(text);
        self.toast.replay(&format!("on {tone}"));
    }

    /// Clears what is left of the last game.
    pub(crate) fn reset(&mut self) {
        self.feed.clear();
        self.last_score = None;
        self.slow_at = 0.0;
    }
}
