//! The gauges: hull, shield, rail, powers, and the wait for a new ship.

use broadside_arena::LocalPlayerState;
use broadside_arena::rules::{BOOST_MAX, PROTECTION, RAIL_COOLDOWN, RAPID, SHIELD_MAX, TICK_HZ};
use broadside_client::words::{self, say, say_with};
use broadside_client::{Page, Shown};

/// Seconds left of a power below which it blinks.
const ENDING: f32 = 2.0;

pub(crate) struct Gauges {
    hull: Shown,
    hull_fill: Shown,
    hull_ghost: Shown,
    hull_number: Shown,
    shield: Shown,
    shield_fill: Shown,
    rail: Shown,
    rail_fill: Shown,
    boost_fill: Shown,
    mine: Shown,
    powers: [(Shown, Shown); 3],
    sunk: Shown,
    sunk_by: Shown,
    sunk_wait: Shown,
}

impl Gauges {
    pub(crate) fn new(page: &Page<'_>) -> Result<Self, String> {
        Ok(Gauges {
            hull: page.element("hull")?,
            hull_fill: page.find("#hull i")?,
            hull_ghost: page.find("#hull u")?,
            hull_number: page.element("hull-number")?,
            shield: page.element("shield")?,
            shield_fill: page.find("#shield i")?,
            rail: page.element("rail")?,
            rail_fill: page.find("#rail i")?,
            boost_fill: page.find("#boost i")?,
            mine: page.element("mine")?,
            powers: [
                (page.element("power-rapid")?, page.find("#power-rapid b")?),
                (page.element("power-shield")?, page.find("#power-shield b")?),
                (page.element("power-guard")?, page.find("#power-guard b")?),
            ],
            sunk: page.element("sunk")?,
            sunk_by: page.element("sunk-by")?,
            sunk_wait: page.element("sunk-wait")?,
        })
    }

    /// Shows the own ship's state. `between_rounds`: a sunk ship stays away until the next round.
    pub(crate) fn show(&mut self, own: &LocalPlayerState, sunk_by: &str, between_rounds: bool) {
        let hull = own.hull_share();
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
        self.boost_fill.fill(if own.afloat() { 1.0 - f32::from(own.spent) / f32::from(BOOST_MAX) } else { 0.0 });
        self.mine.class(if own.afloat() && own.mine == 0 { "ready" } else { "" });
        let seconds = |ticks: u16| f32::from(ticks) / TICK_HZ as f32;
        let [rapid, guard, fresh] = &mut self.powers;
        power(rapid, seconds(own.rapid.min(RAPID)), |left| {
            say_with("power.rapid", &[("count", &whole(left).to_string())])
        });
        power(guard, if own.shield > 0 { ENDING + 1.0 } else { 0.0 }, |_| {
            say_with("power.shield", &[("count", &whole(own.shield_points()).to_string())])
        });
        power(fresh, seconds(own.protection.min(PROTECTION)).max(0.0), |_| say("power.protected").to_owned());
        // Before the first ship, nothing has sunk.
        let down = !own.afloat() && own.deaths > 0;
        self.sunk.visible(down);
        if down {
            self.sunk_by.text(sunk_by);
            let wait = respawn_text(seconds(own.respawn));
            self.sunk_wait.text(if between_rounds { say("ship.next-round") } else { &wait });
        }
    }

    /// Clears what is left of the last battle.
    pub(crate) fn reset(&mut self) {
        self.sunk.visible(false);
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
    match tenths {
        0 => say("ship.launching").to_owned(),
        _ => say_with("ship.new-in", &[("count", &words::number(f64::from(tenths) / 10.0, 1))]),
    }
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
        words::add_for_tests(include_str!("../assets/languages/en.json"));
        assert_eq!(respawn_text(2.5), "new ship in 2.5 s");
        assert_eq!(respawn_text(0.0), "launching");
    }
}
