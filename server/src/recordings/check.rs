//! `broadside-server replay FILE`: steps a recording again and compares.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use broadside_core::room::mode_name;
use broadside_shared::game::Game;
use broadside_shared::hash::WorldHash;
use broadside_shared::recording::replay::{Divergence, Recording, Replay, Replayed};
use broadside_shared::time::{Tick, tick_us};
use broadside_shared::trial::rules_hash;
use bytes::Bytes;
use serde_json::Value;

use super::RecordingId;

/// Most bytes of a file that is read: an hour of an arena of 2,000.
const FILE_MAX: u64 = 1024 * 1024 * 1024;
/// Most bytes of a file that a page shows: it has all of it in memory.
const SHOWN_MAX: usize = 64 * 1024 * 1024;
/// Differing fields that are named.
const NAMED_MAX: usize = 5;

/// Replays a file as fast as it can. Returns what it found, in lines for people.
///
/// # Errors
/// One line: the file cannot be read or replayed, or the replay goes another way.
pub fn replay<G: Game>(file: &Path) -> Result<String, String> {
    let named = |why: &dyn std::fmt::Display| named(file, why);
    let recording = read::<G>(file)?;
    let length = std::fs::metadata(file).map_err(|error| named(&error))?.len();
    let mut replay = Replay::<G, _>::new(&recording, Tick(0)).map_err(|error| named(&error))?;
    let began = Instant::now();
    let (first, mut ticks, mut player_ticks) = (replay.tick(), 0u32, 0u64);
    loop {
        match replay.step() {
            Replayed::Tick(_) => {
                ticks += 1;
                player_ticks += replay.names().len() as u64;
            }
            Replayed::Ended => break,
            Replayed::Unreadable(tick) => {
                return Err(named(&format!("a block after tick {tick} cannot be read: report it as a bug")));
            }
            Replayed::Diverged(divergence) => return Err(named(&told(&divergence, first, G::TICK_HZ))),
        }
    }
    let took_s = began.elapsed().as_secs_f64().max(1e-6);
    let played_s = f64::from(ticks) / f64::from(G::TICK_HZ);
    let minutes = player_ticks as f64 / f64::from(G::TICK_HZ) / 60.0;
    let end = if recording.is_whole {
        String::new()
    } else {
        format!("\ncut off after {} of {} bytes", recording.bytes, recording.content().len())
    };
    Ok(format!(
        "{}: {} of room {}, ticks {} to {}\n{played_s:.1} s of play in {took_s:.2} s, {:.0} times as fast; {} bytes, {:.0} for a player's minute\n\
         every hash agrees{end}",
        file.display(),
        mode_name::<G>(recording.head.mode),
        recording.head.room,
        first.after(1),
        replay.tick(),
        played_s / took_s,
        length,
        length as f64 / minutes.max(1e-9),
    ))
}

/// A file that this build can show in a page: its id, and its bytes. The id is the name of the file, if that is one.
///
/// # Errors
/// As [`replay`], or it is too large for a page.
pub(crate) fn shown<G: Game>(file: &Path) -> Result<(RecordingId, Bytes), String> {
    let bytes = Bytes::from_owner(read::<G>(file)?.content().clone());
    if bytes.len() > SHOWN_MAX {
        let why =
            format!("{} bytes, and a page shows at most {SHOWN_MAX}; without --serve it is replayed", bytes.len());
        return Err(named(file, &why));
    }
    let stem = file.file_stem().and_then(OsStr::to_str).filter(|stem| stem.len() == 32);
    let id = stem.and_then(|stem| u128::from_str_radix(stem, 16).ok()).unwrap_or_else(|| {
        let mut hash = WorldHash::default();
        bytes.iter().for_each(|byte| hash.u64((*byte).into()));
        hash.finish().into()
    });
    Ok((RecordingId(id.to_be_bytes()), bytes))
}

/// Reads a file that this build can replay.
fn read<G: Game>(file: &Path) -> Result<Recording<Arc<[u8]>>, String> {
    let named = |why: &dyn std::fmt::Display| named(file, why);
    let length = std::fs::metadata(file).map_err(|error| named(&error))?.len();
    if length > FILE_MAX {
        return Err(named(&format!("{length} bytes; a recording has at most {FILE_MAX}")));
    }
    let bytes = std::fs::read(file).map_err(|error| named(&error))?;
    let recording = Recording::open(bytes.into()).map_err(|error| named(&error))?;
    recording.check::<G>(rules_hash::<G>()).map_err(|error| named(&error))?;
    Ok(recording)
}

fn named(file: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{}: {why}", file.display())
}

/// Where a replay first differs, and in what.
fn told<G: Game>(divergence: &Divergence<G>, first: Tick, tick_hz: u32) -> String {
    let Divergence { tick, worlds } = divergence;
    let at_s = tick_us(tick_hz, tick.since(first)) as f64 / 1e6;
    let what = match worlds {
        None => "the recording ends before a checkpoint that would show in what".to_owned(),
        Some((at, recorded, replayed)) => {
            let mut found = Vec::new();
            match (serde_json::to_value(recorded), serde_json::to_value(replayed)) {
                (Ok(recorded), Ok(replayed)) => differences("", &recorded, &replayed, &mut found),
                (Err(error), _) | (_, Err(error)) => found.push(format!("the worlds cannot be shown: {error}")),
            }
            let more = found.len().saturating_sub(NAMED_MAX);
            found.truncate(NAMED_MAX);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            match found[..] {
                [] => format!("at tick {at} only the positions of the past differ"),
                _ => format!("at tick {at}: {}{more}", found.join("; ")),
            }
        }
    };
    format!("the replay differs from tick {tick} on, {at_s:.1} s after the beginning; {what}")
}

/// The fields in which two worlds differ, in the order in which the game serializes them.
fn differences(path: &str, recorded: &Value, replayed: &Value, found: &mut Vec<String>) {
    let of = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (recorded, replayed) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            for (key, value) in a {
                differences(&of(key), value, b.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            found.push(format!("{path} has {} entries, recorded {}", b.len(), a.len()));
        }
        (a, b) if a != b => found.push(format!("{path} is {b}, recorded {a}")),
        _ => {}
    }
}
