//! The gauges of play: hull, shield, powers, score, board, ping.

use broadside_arena::LocalPlayerState;
use broadside_arena::rules::{HULL_MAX, PROTECTION, RAIL_COOLDOWN, RAPID, SHIELD_MAX, TICK_HZ};
use broadside_shared::game::Standing;
use broadside_shared::ids::PlayerId;
use web_sys::Document;

use super::dom::{Shown, make};
use super::kill_feed::KillFeedPanel;
use super::match_status::team_class;

const BOARD_LINES: usize = 8;
/// Seconds between two updates of what changes slowly.
const SLOW_SECONDS: f64 = 0.25;
/// Seconds left of a power below which it blinks.
const ENDING: f32 = 2.0;
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
    hull: Shown,
    hull_fill: Shown,
    hull_ghost: Shown,
    hull_number: Shown,
    shield: Shown,
    shield_fill: Shown,
    rail: Shown,
    rail_fill: Shown,
    powers: [(Shown, Shown); 3],
    score: Shown,
    rank: Shown,
    ping: Shown,
    fps: Shown,
    mute: Shown,
    toast: Shown,
    sunk: Shown,
    sunk_by: Shown,
    sunk_wait: Shown,
    board: Shown,
    board_text: String,
    pub(crate) feed: KillFeedPanel,
    /// Whether a sunk ship stays away until the next round.
    pub(crate) between_rounds: bool,
    last_score: Option<i32>,
    slow_at: f64,
}

impl Play {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        let inside = |selector: &str| {
            let found = document.query_selector(selector).ok().flatten();
            let found = found.and_then(|e| wasm_bindgen::JsCast::dyn_into(e).ok());
            found.map(Shown::of).ok_or_else(|| format!("the page has no {selector}"))
        };
        Ok(Play {
            document: document.clone(),
            hull: shown("hull")?,
            hull_fill: inside("#hull i")?,
            hull_ghost: inside("#hull u")?,
            hull_number: shown("hull-number")?,
            shield: shown("shield")?,
            shield_fill: inside("#shield i")?,
            rail: shown("rail")?,
            rail_fill: inside("#rail i")?,
            powers: [
                (shown("power-rapid")?, inside("#power-rapid b")?),
                (shown("power-shield")?, inside("#power-shield b")?),
                (shown("power-guard")?, inside("#power-guard b")?),
            ],
            score: shown("score-number")?,
            rank: shown("score-rank")?,
            ping: shown("ping")?,
            fps: shown("fps")?,
            mute: shown("mute-note")?,
            toast: shown("toast")?,
            sunk: shown("sunk")?,
            sunk_by: shown("sunk-by")?,
            sunk_wait: shown("sunk-wait")?,
            board: shown("board")?,
            board_text: String::new(),
            feed: KillFeedPanel::new(document)?,
            between_rounds: false,
            last_score: None,
            slow_at: 0.0,
        })
    }

    /// Shows the own ship's state.
    pub(crate) fn own(&mut self, own: &LocalPlayerState, sunk_by: &str) {
        let hull = f32::from(own.hull) / f32::from(HULL_MAX);
        let shield = f32::from(own.shield) / f32::from(SHIELD_MAX);
        self.hull_fill.fill(hull);
        self.hull_ghost.fill(hull);
        let state = match hull {
            h if h > 0.55 => "gauge hull",
            h if h > 0.28 => "gauge hull worn",
            _ if own.afloat() => "gauge hull bad",
            _ => "gauge hull",
        };
        self.hull.class(state);
        self.hull_number.text(&if own.afloat() { whole(own.hull_points()).to_string() } else { String::new() });
        self.shield_fill.fill(shield);
        self.shield.class(if own.shield > 0 { "gauge shield on" } else { "gauge shield" });
        self.rail_fill.fill(if own.afloat() { 1.0 - f32::from(own.rail) / f32::from(RAIL_COOLDOWN) } else { 0.0 });
        self.rail.class(if own.afloat() && own.rail == 0 { "gauge rail ready" } else { "gauge rail" });
        let seconds = |ticks: u16| f32::from(ticks) / TICK_HZ as f32;
        let [rapid, guard, fresh] = &mut self.powers;
        power(rapid, seconds(own.rapid.min(RAPID)), |left| format!("rapid fire {}", whole(left)));
        power(guard, if own.shield > 0 { ENDING + 1.0 } else { 0.0 }, |_| {
            format!("shield {}", whole(own.shield_points()))
        });
        power(fresh, seconds(own.protection.min(PROTECTION)).max(0.0), |_| "protected".to_owned());

        self.score.text(&own.score.to_string());
        if self.last_score.is_some_and(|last| own.score > last) {
            self.score.replay("bump");
        }
        self.last_score = Some(own.score);
        // Before the first ship, nothing has sunk.
        let down = !own.afloat() && own.deaths > 0;
        self.sunk.visible(down);
        if down {
            self.sunk_by.text(sunk_by);
            let wait = respawn_text(seconds(own.respawn));
            self.sunk_wait.text(if self.between_rounds { "until the next round" } else { &wait });
        }
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
        self.ping.text(&format!("{} ms", meter.ping_ms.round() as u32));
        self.ping.class(match meter.ping_ms {
            ping if ping >= PING_POOR => "poor",
            ping if ping >= PING_FAIR => "fair",
            _ => "",
        });
        self.fps.text(&format!("{} fps", meter.fps.round() as u32));
        self.mute.text(if meter.muted { "sound off" } else { "" });
        let rank = board.iter().position(|line| Some(line.player) == own);
        self.rank.text(&match rank {
            Some(index) => format!("rank {} of {players}", index + 1),
            None if players > 0 => format!("{players} playing"),
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

    /// Clears what is left of the last battle.
    pub(crate) fn reset(&mut self) {
        self.feed.clear();
        self.sunk.visible(false);
        self.last_score = None;
        self.slow_at = 0.0;
    }
}

fn power(shown: &mut (Shown, Shown), seconds: f32, text: impl Fn(f32) -> String) {
    let class = match seconds {
        s if s <= 0.0 => "power",
        s if s < ENDING => "power on ending",
        _ => "power on",
    };
    shown.0.class(class);
    if seconds > 0.0 {
        shown.1.text(&text(seconds));
    }
}

/// The text for a sunk player, `seconds` before the next ship.
fn respawn_text(seconds: f32) -> String {
    let tenths = (seconds * 10.0).round() as u32;
    if tenths > 0 { format!("new ship in {}.{} s", tenths / 10, tenths % 10) } else { "launching".to_owned() }
}

/// Rounds up: what is not quite gone is not shown as 0. Whole numbers also keep the code that formats fractions, a tenth of the
/// download, out of the module.
fn whole(number: f32) -> u32 {
    number.ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sunk_player_sees_the_time_until_the_next_ship() {
        assert_eq!(respawn_text(2.5), "new ship in 2.5 s");
        assert_eq!(respawn_text(0.0), "launching");
    }
}
