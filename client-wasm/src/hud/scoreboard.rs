//! The scoreboard: all players of the room with score, kills, deaths, assists and ping, while Tab is held or until it is closed.
//!
//! What it shows costs nothing while nobody looks: the page asks for the scores once a second while it is open.

use broadside_shared::ids::PlayerId;
use broadside_shared::protocol::message::ScoreLine;
use web_sys::{Document, Element};

use super::dom::{Shown, make};
use super::match_status::team_class;
use crate::words::{say, say_with};

/// Seconds between two requests for the scores.
const EVERY_S: f64 = 1.0;

/// How the scoreboard came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    No,
    /// For as long as a key or button is down.
    Held,
    /// Until it is closed.
    Pinned,
}

/// A line of the scoreboard with what else is known of its player.
pub(crate) struct Row<'a> {
    pub(crate) line: ScoreLine,
    pub(crate) name: &'a str,
    pub(crate) team: Option<u8>,
    pub(crate) is_own: bool,
    pub(crate) is_bot: bool,
    pub(crate) is_away: bool,
    pub(crate) is_followed: bool,
}

pub(crate) struct Scoreboard {
    document: Document,
    panel: Shown,
    rows: Element,
    note: Shown,
    open: Open,
    asked_at: f64,
    shown: String,
}

impl Scoreboard {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        Ok(Scoreboard {
            document: document.clone(),
            panel: shown("scores")?,
            rows: shown("scores-rows")?.element.into(),
            note: shown("scores-note")?,
            open: Open::No,
            asked_at: 0.0,
            shown: String::new(),
        })
    }

    /// Opens it until it is closed, with the keyboard's focus in it; or closes it.
    pub(crate) fn toggle(&mut self) {
        self.open = if self.open == Open::No { Open::Pinned } else { Open::No };
        self.panel.visible(self.open != Open::No);
        if self.open == Open::Pinned {
            let _ = self.panel.element.focus();
        }
    }

    /// Whether it was opened until it is closed.
    #[must_use]
    pub(crate) fn is_pinned(&self) -> bool {
        self.open == Open::Pinned
    }

    pub(crate) fn close(&mut self) {
        self.open = Open::No;
        self.panel.visible(false);
    }

    /// Shows it while its key is down. Gives whether it is open.
    pub(crate) fn hold(&mut self, held: bool) -> bool {
        self.open = match (self.open, held) {
            (Open::Pinned, _) => Open::Pinned,
            (Open::No | Open::Held, true) => Open::Held,
            (Open::No | Open::Held, false) => Open::No,
        };
        self.panel.visible(self.open != Open::No);
        self.open != Open::No
    }

    /// Whether the scores are to be asked for now.
    pub(crate) fn is_due(&mut self, seconds: f64) -> bool {
        let is_due = seconds >= self.asked_at + EVERY_S;
        if is_due {
            self.asked_at = seconds;
        }
        is_due
    }

    /// Shows the players; a spectator can choose one to watch. `players` is the number of all.
    pub(crate) fn show<'a>(&mut self, rows: impl Iterator<Item = Row<'a>>, players: u16, is_spectator: bool) {
        let rows: Vec<Row<'_>> = rows.collect();
        let mut text = String::from(if is_spectator { "watch" } else { "" });
        for row in &rows {
            text.push_str(&describe(row));
        }
        if text == self.shown {
            return;
        }
        self.shown = text;
        let more = usize::from(players).saturating_sub(rows.len());
        self.note.text(&if more > 0 {
            say_with("scores.more", &[("count", &more.to_string())])
        } else {
            String::new()
        });
        // The row that has the focus keeps it, though it is another element.
        let focused = self.document.active_element().and_then(|focused| focused.get_attribute("data-act"));
        self.rows.set_text_content(None);
        for row in &rows {
            if let Some(made) = self.make_row(row, is_spectator) {
                let _ = self.rows.append_child(&made);
            }
        }
        let refocus =
            focused.and_then(|act| self.rows.query_selector(&format!("button[data-act=\"{act}\"]")).ok().flatten());
        if let Some(refocus) =
            refocus.and_then(|found| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(found).ok())
        {
            let _ = refocus.focus();
        }
    }

    fn make_row(&self, row: &Row<'_>, is_spectator: bool) -> Option<Element> {
        let own = if row.is_own || row.is_followed { "own " } else { "" };
        let away = if row.is_away { " away" } else { "" };
        let made = make(&self.document, "tr", &format!("{own}{}{away}", team_class(row.team)), "")?;
        let name = make(&self.document, "th", "", "")?;
        let _ = name.set_attribute("scope", "row");
        let label = make(&self.document, if is_spectator { "button" } else { "span" }, "", row.name)?;
        if is_spectator {
            let _ = label.set_attribute("type", "button");
            let _ = label.set_attribute("data-act", &format!("follow:{}", row.line.player.0));
            let _ = label.set_attribute("aria-pressed", if row.is_followed { "true" } else { "false" });
            // A click anywhere in the row counts.
            let _ = made.set_attribute("data-act", &format!("follow:{}", row.line.player.0));
        }
        let _ = name.append_child(&label);
        for mark in marks(row) {
            let _ = name.append_child(&make(&self.document, "small", "", mark)?.into());
        }
        let _ = made.append_child(&name);
        let ScoreLine { score, kills, deaths, assists, .. } = row.line;
        let numbers = [score.to_string(), kills.to_string(), deaths.to_string(), assists.to_string(), ping(row)];
        for number in numbers {
            let _ = made.append_child(&make(&self.document, "td", "", &number)?.into());
        }
        Some(made)
    }
}

/// What a row says beside the numbers, in words: no mark is a color alone.
fn marks<'a>(row: &Row<'_>) -> impl Iterator<Item = &'a str> {
    let all = [
        (row.is_own, say("mark.you")),
        (row.is_bot, say("mark.bot")),
        (row.is_away, say("mark.away")),
        (row.is_followed, say("mark.watched")),
    ];
    all.into_iter().filter_map(|(is, mark)| is.then_some(mark))
}

fn ping(row: &Row<'_>) -> String {
    if row.is_bot || row.is_away || row.line.ping_ms == 0 { "–".to_owned() } else { row.line.ping_ms.to_string() }
}

/// All that a row shows, to tell whether it changed.
fn describe(row: &Row<'_>) -> String {
    let PlayerId(player) = row.line.player;
    let ScoreLine { score, kills, deaths, assists, .. } = row.line;
    let mut text = format!("\n{player} {} {score} {kills} {deaths} {assists} {}", row.name, ping(row));
    text.extend(marks(row));
    text.push_str(team_class(row.team));
    text
}
