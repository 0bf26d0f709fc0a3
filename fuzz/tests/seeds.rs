//! Every target on its committed seeds and on seeded mutations of them. `BLESS=1` makes the seeds again from the golden frames.

use std::fs;
use std::path::{Path, PathBuf};

use broadside_arena::Arena;
use broadside_fuzz::{TARGETS, joined};
use broadside_shared::game::Game;
use broadside_shared::replication::bits::BitReader;
use broadside_shared::replication::replica::Replica;
use broadside_shared::time::Tick;

/// Mutations of each seed.
const MUTATIONS: u64 = 1000;
/// All seeds together stay small: they are part of every clone.
const BYTES_MAX: usize = 100_000;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

/// The files of a folder with their names, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("a readable folder");
            (entry.file_name().into_string().expect("a plain name"), fs::read(entry.path()).expect("a readable file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn targets_return_on_their_seeds_and_on_mutations_of_them() {
    if std::env::var_os("BLESS").is_some() {
        renew();
    }
    let mut bytes = 0;
    for (name, target) in TARGETS {
        let seeds = files(&folder(name));
        assert!(
            !seeds.is_empty(),
            "{name} has no seeds: `BLESS=1 cargo test -p broadside-fuzz --test seeds` makes them"
        );
        for (file, seed) in &seeds {
            bytes += seed.len();
            // Shown only if the test fails.
            println!("{name}/{file}");
            target(seed);
            for number in 0..MUTATIONS {
                println!("mutation {number}");
                target(&mutated(seed, number));
            }
        }
    }
    assert!(bytes <= BYTES_MAX, "{bytes} bytes of seeds: remove some");
}

/// `seed` with a few bytes changed, removed, repeated or inserted.
fn mutated(seed: &[u8], number: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(number);
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 8));
        match rng.u8(..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 if at < bytes.len() => bytes[at] = *rng.choice([0, 1, 0x7f, 0x80, 0xfb, 0xff].iter()).expect("six bytes"),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => drop(bytes.splice(at..at, std::iter::repeat_with(|| rng.u8(..)).take(4)).count()),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Writes the seeds of all targets from the golden frames.
fn renew() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../games/arena/tests/golden");
    let goldens: Vec<(String, Vec<u8>)> = files(&golden)
        .into_iter()
        .filter_map(|(name, text)| {
            let name = name.strip_suffix(".hex")?.to_string();
            Some((name, unhex(&String::from_utf8(text).expect("hexadecimal text"))))
        })
        .collect();
    let named = |name: &str| {
        let (_, bytes) = goldens.iter().find(|(golden, _)| golden == name).expect("a golden of this name");
        bytes.as_slice()
    };
    let starting = |with: &'static str| goldens.iter().filter(move |(name, _)| name.starts_with(with));
    let mut seeds: Vec<(&str, String, Vec<u8>)> = Vec::new();
    // What the targets over single messages get starts behind the byte that says what a frame is.
    for (name, bytes) in starting("client-").chain(starting("server-")).chain(starting("input-")) {
        seeds.push(("control", name.clone(), bytes[1..].to_vec()));
    }
    for (name, bytes) in starting("update-") {
        seeds.push(("control", name.clone(), bytes.clone()));
    }
    for (name, bytes) in starting("snapshot-") {
        if let Some(cells) = (1..bytes.len()).map(|at| &bytes[at..]).find(|bytes| gives_records(bytes)) {
            seeds.push(("cells", name.clone(), cells.to_vec()));
        }
        seeds.push(("snapshot", name.clone(), joined(&[bytes])));
    }
    let in_order = [named("snapshot-first"), named("snapshot-next"), named("snapshot-far")];
    seeds.push(("snapshot", "in-order".into(), joined(&in_order)));
    for (name, bytes) in starting("server-") {
        seeds.push(("snapshot", name.clone(), joined(&[named("snapshot-first"), bytes, named("snapshot-next")])));
    }
    let (hello, join) = (named("client-hello"), named("client-join"));
    for (name, bytes) in starting("client-").chain(starting("input-")) {
        seeds.push(("connection", name.clone(), joined(&[hello, join, bytes])));
        seeds.push(("frames", name.clone(), joined(&[&masked(0x82, hello), &masked(0x82, bytes)])));
    }
    let fragments =
        [masked(0x02, &hello[..4]), masked(0x89, b"ping"), masked(0x80, &hello[4..]), masked(0x88, &[3, 232])];
    seeds.push(("frames", "fragments".into(), joined(&[&[], &fragments.concat()])));
    for (target, _) in TARGETS {
        // It fails only when there are none yet.
        _ = fs::remove_dir_all(folder(target));
        fs::create_dir_all(folder(target)).expect("a folder for the seeds");
    }
    for (target, name, bytes) in seeds {
        fs::write(folder(target).join(name), bytes).expect("a seed");
    }
}

fn gives_records(bytes: &[u8]) -> bool {
    let mut replica = Replica::default();
    let is_applied = replica.apply(Arena::KINDS, Tick(600), &mut BitReader::new(bytes)).is_ok();
    is_applied && replica.records().next().is_some()
}

/// A WebSocket frame of up to 125 bytes, or of up to 65,535 in the longer form, with a mask that changes nothing.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).expect("a short frame").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Bytes from text; what follows a `#` is for people.
fn unhex(text: &str) -> Vec<u8> {
    let digits = text.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    digits.map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}
