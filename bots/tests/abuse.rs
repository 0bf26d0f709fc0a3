//! The abuse kit as a program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ABUSE: &str = env!("CARGO_BIN_EXE_abuse");

/// The server's program next to the kit. A test run of the whole workspace has built it; otherwise it is built here.
fn server() -> PathBuf {
    let program = Path::new(ABUSE).with_file_name("broadside-server").with_extension(std::env::consts::EXE_EXTENSION);
    if !program.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "broadside-server"]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if Path::new(ABUSE).parent().is_some_and(|folder| folder.ends_with("release")) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the server is built");
    }
    program
}

fn run(flags: &[&str]) -> Output {
    Command::new(ABUSE).args(flags).stdin(Stdio::null()).output().expect("the kit runs")
}

#[test]
fn the_short_form_finds_nothing() {
    let server = server().to_string_lossy().into_owned();
    // Wide limits, for a machine that is busy with other things: the other players must only get snapshots at all.
    let bounds = ["--seconds", "1", "--bots", "6", "--gap-limit", "5000", "--memory-limit", "200"];
    let flags = [&["--spawn", "--server", &server, "--short"], &bounds[..]].concat();
    let output = run(&flags);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}{stdout}");
    assert!(stdout.lines().filter(|row| row.ends_with(" good |")).count() >= 10, "{stderr}{stdout}");
}

#[test]
fn servers_elsewhere_are_refused_before_anything_is_sent() {
    let output = run(&["ws://192.0.2.1:8080/ws", "--all"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("192.0.2.1") && stderr.contains("must be in 127.0.0.0/8"), "{stderr}");
}
