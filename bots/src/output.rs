//! What the programs here say: standard output, which may be a closed pipe or a full disk, and the files of reports.
//!
//! `println!` panics where nobody reads any more or the disk is full. These say so instead: a reader who has gone is no fault,
//! and the program ends as it would have; a full disk is an error in one line.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Whether anybody still reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutState {
    /// Somebody does, as far as one can tell.
    Open,
    /// The pipe is closed: nothing said from now on is heard.
    Closed,
}

/// Writes a line to standard output, at once.
///
/// # Errors
/// Why it cannot be written, other than for want of a reader.
pub fn print_line(line: impl Display) -> anyhow::Result<StdoutState> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(StdoutState::Open),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(StdoutState::Closed),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Writes a program's complaint to standard error in one line. Where that cannot be written, the exit status must do.
pub fn print_error(program: &str, what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{program}: {what}");
}

/// Where a report goes: opened before the run, so that a bad path costs nobody a run.
#[derive(Debug)]
pub struct ReportFile {
    flag: &'static str,
    path: PathBuf,
    /// Without one it is standard output.
    file: Option<File>,
    /// Made by us, and still empty: nobody misses it if the run brings nothing.
    fresh: bool,
}

impl ReportFile {
    /// Opens the file behind a flag; what it holds stays until the report is there. `-` is standard output.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub fn open(flag: &'static str, path: &Path) -> anyhow::Result<ReportFile> {
        let report = |file, fresh| ReportFile { flag, path: path.to_owned(), file, fresh };
        if path.as_os_str() == "-" {
            return Ok(report(None, false));
        }
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => Ok(report(Some(file), true)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let file = OpenOptions::new().write(true).open(path).with_context(|| cannot(flag, path))?;
                Ok(report(Some(file), false))
            }
            Err(error) => Err(error).with_context(|| cannot(flag, path)),
        }
    }

    /// Whether it is standard output.
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Writes the report in the place of what was there.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn write(mut self, text: &str) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return print_line(text).map(drop) };
        // A device or a pipe has no length to cut.
        let replace = if file.metadata().is_ok_and(|known| known.is_file()) { file.set_len(0) } else { Ok(()) };
        replace
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.write_all(b"\n"))
            .with_context(|| cannot(self.flag, &self.path))?;
        self.fresh = false;
        Ok(())
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if self.fresh {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn cannot(flag: &str, path: &Path) -> String {
    format!("cannot write {flag} {}", path.display())
}

/// Refuses two reports in one place, where the second would take that of the first.
///
/// # Errors
/// Which flags name it.
pub fn refuse_same_path(one: Option<&ReportFile>, other: Option<&ReportFile>) -> anyhow::Result<()> {
    match (one, other) {
        (Some(one), Some(other)) if one.path == other.path => {
            bail!("{} and {} both name {}: write one of them elsewhere", one.flag, other.flag, one.path.display())
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_takes_the_place_of_the_old_one_and_no_report_leaves_no_file() {
        let folder = std::env::temp_dir().join(format!("broadside-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("report.json");
        drop(ReportFile::open("--json", &path).expect("it can be made"));
        assert!(!path.exists(), "a run that brings nothing leaves nothing");
        std::fs::write(&path, "an older and longer report").expect("a file");
        drop(ReportFile::open("--json", &path).expect("it is there"));
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), Some("an older and longer report"));
        ReportFile::open("--json", &path).expect("it is there").write("new").expect("it is written");
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), Some("new\n"));
        for bad in [folder.clone(), folder.join("nowhere/report.json")] {
            let refusal = format!("{:#}", ReportFile::open("--json", &bad).expect_err("no file"));
            assert!(refusal.contains("cannot write --json") && refusal.contains(&*bad.to_string_lossy()), "{refusal}");
        }
        let twice = [ReportFile::open("--json", &path).ok(), ReportFile::open("--html", &path).ok()];
        let refusal = refuse_same_path(twice[0].as_ref(), twice[1].as_ref()).expect_err("one place").to_string();
        assert!(refusal.contains("--json and --html both name"), "{refusal}");
        drop(twice);
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
