//! Results that a test knows again.

use broadside_store::results::{MatchRecord, Outcome, PlayerRecord, ResultKind};

/// A stay of one player. Its number is its id.
pub(crate) fn record(number: u64) -> MatchRecord {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let player = PlayerRecord {
        account: None,
        name: "player".to_owned(),
        outcome: Outcome::None,
        score: 1,
        kills: 0,
        deaths: 0,
        shots: 0,
        hits: 0,
        streak: 0,
        played_ms: 1,
    };
    let (game, mode) = ("toy".to_owned(), "open".to_owned());
    let ended_us = 1_795_780_800_000_000 + number as i64;
    MatchRecord { id, game, mode, kind: ResultKind::Stay, is_rated: false, ended_us, players: vec![player] }
}
