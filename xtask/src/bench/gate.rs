//! The limits on cost: instruction counts, and the server's CPU against the floor's in the same run. Neither depends on
//! how fast the machine is or what else it does. The ceilings are in `xtask/bench-ceilings.txt`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::counts::{self, Count};
use super::level::{Level, Time};
use crate::process::run;
use crate::workspace::{cargo, root, short, target_dir};

/// Room above what was measured when a ceiling was set: enough for a new compiler or a small change, not for a regression.
const MARGIN_COUNT: f64 = 1.05;
/// The same for the ratio, which two runs on a busy machine do not agree on better than this.
const MARGIN_RATIO: f64 = 1.15;
/// Name of the ratio in the list.
const RATIO: &str = "ratio_to_floor";
/// Players and seconds of the ratio, and how often it is tried: one good try is proof, a bad one may be due to other load on the machine.
const RATIO_PLAYERS: usize = 400;
const RATIO_TIME: Time = Time { ramp_s: 10, measured_s: 5 };
const RATIO_TRIES: usize = 3;

/// What to do with the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceilings {
    /// Fail above them.
    Hold,
    /// Replace them by what is measured.
    Replace,
}

/// `cargo xtask bench --gate`: everything in the list.
pub(super) fn gate(ceilings: Ceilings) -> Result<()> {
    super::programs::build()?;
    let counts = counted()?;
    match ceilings {
        Ceilings::Replace => {
            let counts = counts.context("valgrind is not installed, so there is nothing to set ceilings from")?;
            let ratio = ratio(0.0)?;
            let text = listing(&counts, ratio);
            fs::write(path(), text).with_context(|| format!("cannot write {}", short(&path())))?;
            println!("wrote {}", short(&path()));
            Ok(())
        }
        Ceilings::Hold => {
            let list = read()?;
            let dear = hold(&list, counts.as_deref())?;
            let ceiling = ceiling(&list, RATIO)?;
            let ratio = ratio(ceiling)?;
            println!("{RATIO:16} {ratio:10.2} of {ceiling:10.2}");
            let dear = dear + usize::from(ratio > ceiling);
            ensure!(dear == 0, "{dear} of the ceilings in {} do not hold; see above", short(&path()));
            Ok(())
        }
    }
}

/// The instruction counts alone, for `cargo xtask test`. Without valgrind it prints a note and succeeds.
pub(crate) fn check() -> Result<()> {
    let counts = counted()?;
    let dear = hold(&read()?, counts.as_deref())?;
    ensure!(
        dear == 0,
        "{dear} of the ceilings in {} do not hold; if that is meant, `cargo xtask bench --gate --set-ceilings`",
        short(&path())
    );
    Ok(())
}

fn counted() -> Result<Option<Vec<Count>>> {
    if !cfg!(target_arch = "x86_64") {
        println!("instruction counts are left out: the ceilings are those of x86-64");
        return Ok(None);
    }
    if !counts::is_there() {
        println!("instruction counts are left out: valgrind is not installed");
        return Ok(None);
    }
    run(&mut cargo("build --release --package broadside-server --example cost"))?;
    counts::measure()
}

/// Prints each count beside its ceiling; gives how many are above.
fn hold(list: &[(String, f64)], counts: Option<&[Count]>) -> Result<usize> {
    let mut dear = 0;
    for count in counts.unwrap_or_default() {
        let ceiling = ceiling(list, count.name)?;
        let held = if count.instructions > ceiling { "TOO MANY" } else { "" };
        println!(
            "{:16} {:10.0} of {ceiling:10.0} instructions per {} {held}",
            count.name, count.instructions, count.unit
        );
        dear += usize::from(count.instructions > ceiling);
    }
    Ok(dear)
}

/// The best ratio of a few tries; the first that holds ends them.
fn ratio(ceiling: f64) -> Result<f64> {
    let folder = target_dir().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", short(&folder)))?;
    let mut best = f64::INFINITY;
    for _ in 0..RATIO_TRIES {
        let level = Level::measure(&folder, 20, RATIO_PLAYERS, RATIO_TIME)?;
        println!("{level}");
        let ratio = level.ratio().context("the server's CPU could not be read, so there is no ratio to the floor")?;
        best = best.min(ratio);
        if best <= ceiling {
            break;
        }
    }
    Ok(best)
}

fn path() -> PathBuf {
    root().join("xtask/bench-ceilings.txt")
}

fn listing(counts: &[Count], ratio: f64) -> String {
    let mut text = format!(
        "# What `cargo xtask bench --gate` and `cargo xtask test` hold the server to: instructions of the release build on x86-64\n\
         # (other machines have other counts), and its CPU against the floor's. Each is what was measured when it was set, and\n\
         # {:.0} % more for counts, {:.0} % for the ratio. Lower them after a gain: `cargo xtask bench --gate --set-ceilings`.\n",
        (MARGIN_COUNT - 1.0) * 100.0,
        (MARGIN_RATIO - 1.0) * 100.0,
    );
    for count in counts {
        text += &format!("{} {:.0} # per {}\n", count.name, count.instructions * MARGIN_COUNT, count.unit);
    }
    text + &format!("{RATIO} {:.2} # {RATIO_PLAYERS} players at 20 Hz\n", ratio * MARGIN_RATIO)
}

fn read() -> Result<Vec<(String, f64)>> {
    let text = fs::read_to_string(path()).with_context(|| format!("cannot read {}", short(&path())))?;
    parse(&text).with_context(|| format!("{} is not a list of ceilings", short(&path())))
}

/// Lines of a name and a number; `#` starts a comment.
fn parse(text: &str) -> Result<Vec<(String, f64)>> {
    let mut list = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let plain = line.split('#').next().unwrap_or("").trim();
        if plain.is_empty() {
            continue;
        }
        match plain.split_once(' ').map(|(name, value)| (name, value.trim().parse::<f64>())) {
            Some((name, Ok(value))) => list.push((name.to_owned(), value)),
            Some((_, Err(_))) | None => bail!("line {number} is {line:?}; must be a name and a number"),
        }
    }
    Ok(list)
}

fn ceiling(list: &[(String, f64)], name: &str) -> Result<f64> {
    let found = list.iter().find(|(listed, _)| listed == name).map(|(_, ceiling)| *ceiling);
    found.with_context(|| {
        format!(
            "{} has no ceiling for {name}; set the ceilings again with `cargo xtask bench --gate --set-ceilings`",
            short(&path())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Vec<Count> {
        vec![Count { name: "step_room", unit: "player", instructions: 1000.0 }]
    }

    #[test]
    fn a_listing_can_be_read_again_with_its_margin() {
        let list = parse(&listing(&counts(), 1.2)).expect("our own list");
        assert_eq!(list, [("step_room".to_owned(), 1050.0), (RATIO.to_owned(), 1.38)]);
        assert_eq!(hold(&list, Some(&counts())).expect("all listed"), 0);
        parse("step_room many").expect_err("no number");
    }

    #[test]
    fn a_count_above_its_ceiling_is_found_and_one_that_is_not_listed_is_an_error() {
        assert_eq!(hold(&[("step_room".to_owned(), 999.0)], Some(&counts())).expect("listed"), 1);
        hold(&[], Some(&counts())).expect_err("not listed");
        assert_eq!(hold(&[], None).expect("nothing was counted"), 0);
    }
}
