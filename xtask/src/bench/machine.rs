//! The machine that a benchmark ran on; no value means anything without it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::root;

/// A machine and what was built on it.
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    memory_gb: Option<f64>,
    kernel: String,
    rustc: String,
    commit: String,
}

impl Machine {
    /// Asks the system.
    pub(super) fn look() -> Result<Machine> {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let memory_kb = value(&file("/proc/meminfo"), "MemTotal");
        let memory_kb = memory_kb.and_then(|text| text.split(' ').next().and_then(|number| number.parse::<f64>().ok()));
        let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        let commit = said("git", &["rev-parse", "--short=10", "HEAD"])?;
        Ok(Machine {
            cpu: value(&file("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gb: memory_kb.map(|kb| kb / 1e6),
            kernel: said("uname", &["-sr"]).unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            rustc: said(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["--version"])?,
            commit: if changed { format!("{commit} and changes on top") } else { commit },
        })
    }

    /// One paragraph.
    pub(super) fn paragraph(&self) -> String {
        let memory = self.memory_gb.map_or_else(String::new, |gb| format!(", {gb:.1} GB"));
        let Machine { cpu, cores, kernel, rustc, commit, .. } = self;
        format!(
            "Machine: {cores} cores of {cpu}{memory}; {kernel}; {rustc}; commit {commit}. Everything, the players \
             included, ran on that one machine."
        )
    }
}

fn said(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(root()).output();
    let output = output.with_context(|| format!("cannot start `{program}`"))?;
    ensure!(output.status.success(), "`{program} {}` failed ({})", args.join(" "), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
