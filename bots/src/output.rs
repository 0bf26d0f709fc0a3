//! Standard output, which may be a closed pipe or a full disk, error messages, and report files.
//!
//! `println!` panics if the pipe is closed or the disk is full. Here a closed pipe is no error, and the program exits as usual; a full
//! disk is an error of one line.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Whether standard output is still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutState {
    /// The line was written.
    Open,
    /// The pipe is closed: further output is lost.
    Closed,
}

/// Writes a line to standard output and flushes it.
///
/// # Errors
/// The line cannot be written for another reason than a closed pipe.
pub fn print_line(line: impl Display) -> anyhow::Result<StdoutState> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(StdoutState::Open),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(StdoutState::Closed),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Writes a program's error message to standard error as one line. If that fails, only the exit status remains.
pub fn print_error(program: &str, what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{program}: {what}");
}

/// The file of a report. It is opened before the run, so that a bad path fails early.
#[derive(Debug)]
pub struct ReportFile {
    flag: &'static str,
    path: PathBuf,
    /// `None` is standard output.
    file: Option<File>,
    /// Created by this program and still empty: removed if the run produces no report.
    fresh: bool,
}

impl ReportFile {
    /// Opens the file of a flag; its contents stay until the report is written. `-` is standard output.
    ///
    /// # Errors
    /// Why the file cannot be written.
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

    /// Replaces the contents of the file with the report.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn write(mut self, text: &str) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return print_line(text).map(drop) };
        // A device or a pipe cannot be truncated.
        let replace = if file.metadata().is_ok_and(|metadata| metadata.is_file()) { file.set_len(0) } else { Ok(()) };
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

/// Refuses two reports with the same path, where the second would replace the first.
///
/// # Errors
/// The two flags and the path.
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
    fn a_report_replaces_the_old_one_and_no_report_leaves_no_file() {
        let folder = std::env::temp_dir().join(format!("broadside-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("report.json");
        drop(ReportFile::open("--json", &path).expect("the file can be created"));
        assert!(!path.exists(), "a run without a report leaves no file");
        std::fs::write(&path, "an older and longer report").expect("a file");
        drop(ReportFile::open("--json", &path).expect("the file can be opened"));
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), Some("an older and longer report"));
        ReportFile::open("--json", &path).expect("the file can be opened").write("new").expect("the report is written");
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), Some("new\n"));
        for bad in [folder.clone(), folder.join("nowhere/report.json")] {
            let refusal = format!("{:#}", ReportFile::open("--json", &bad).expect_err("no file"));
            assert!(refusal.contains("cannot write --json") && refusal.contains(&*bad.to_string_lossy()), "{refusal}");
        }
        let twice = [ReportFile::open("--json", &path).ok(), ReportFile::open("--html", &path).ok()];
        let refusal = refuse_same_path(twice[0].as_ref(), twice[1].as_ref()).expect_err("the same path").to_string();
        assert!(refusal.contains("--json and --html both name"), "{refusal}");
        drop(twice);
        std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    }
}
