//! The limits of a game's constants.

use super::{CorrectionCause, Game};
use crate::protocol::match_status::TEAMS_MAX;
use crate::replication::cells::CellId;
use crate::replication::fields::check_kinds;
use crate::replication::viewer::{SUBSCRIBED_MAX, VIEW_MAX, cells_max};

/// Checks the constants of a game when its server or its client is compiled.
pub const fn check_game<G: Game>() {
    assert!(G::TICK_HZ >= 10 && G::TICK_HZ <= 120, "TICK_HZ: 10 to 120");
    assert!(G::SNAPSHOT_EVERY >= 1 && G::SNAPSHOT_EVERY <= 12, "SNAPSHOT_EVERY: 1 to 12");
    assert!(G::CELL >= 1.0 && G::CELL <= 65_536.0, "CELL: 1 to 65,536 world units");
    let scale = CellId::SIZE / G::CELL;
    assert!(G::VIEW.x > 0.0 && G::VIEW.y > 0.0, "VIEW: more than 0 each way");
    assert!(G::VIEW.x * scale <= VIEW_MAX.x && G::VIEW.y * scale <= VIEW_MAX.y, "VIEW: at most 6 CELL each way");
    assert!(G::LAYERS >= 1 && G::LAYERS <= CellId::LAYERS_MAX, "LAYERS: 1 to 4");
    let cells = cells_max(G::VIEW.x * scale) * cells_max(G::VIEW.y * scale);
    assert!(cells * G::LAYERS as usize <= SUBSCRIBED_MAX, "VIEW / CELL: with this many layers, cells must be larger");
    assert!(!G::MODES.is_empty() && G::MODES.len() <= 16, "MODES: 1 to 16");
    let mut mode = 0;
    while mode < G::MODES.len() {
        assert!(G::MODES[mode].teams as usize <= TEAMS_MAX, "teams of a mode: at most 8");
        assert!(is_mode_name(G::MODES[mode].name), "name of a mode: 1 to 16 lower-case letters, digits and hyphens");
        assert!(G::MODES[mode].seats_max > 0, "seats_max of a mode: at least 1");
        let is_duel = G::MODES[mode].teams == 2 && G::MODES[mode].seats_max == 2;
        assert!(is_duel || !G::MODES[mode].rated, "a rated mode: two teams of one player each");
        mode += 1;
    }
    assert!(
        G::CORRECTION_CAUSES.len() <= CorrectionCause::COUNT_MAX - CorrectionCause::ENGINE.len(),
        "5 causes at most"
    );
    assert!(G::REFUSALS.len() <= 256, "REFUSALS: at most 256");
    check_kinds(G::KINDS, G::CELL, G::TICK_HZ);
}

const fn is_mode_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= 16
}
