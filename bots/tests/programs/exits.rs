//! How the programs exit when standard output is closed, when nothing can be written, and when they are killed.

use broadside_arena::Arena;
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::*;

const FLOOR: &str = env!("CARGO_BIN_EXE_floor");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_standard_output_ends_the_bots_without_an_error() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let mut child = command(BOT, &url, &["--seconds", "600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut String::new()).await.expect("it says something");
    drop(stdout);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran");
    assert_eq!((output.status.code(), stderr_lines(&output).len()), (Some(0), 0), "{:?}", stderr_lines(&output));
    server.end().await;
}

/// Standard output on a full disk.
fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into()
}

/// Runs a program whose standard output is on a full disk.
async fn full_disk(mut command: Command) -> Output {
    let child = command.stdout(full()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the program runs");
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran")
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_one_line() {
    let (server, _folder) = server(100).await;
    let url = format!("ws://{}/ws", server.address);
    let short = ["--players", "1", "--seconds", "1", "--settle", "0"];
    let runs: [(&str, &[&str]); 2] = [(BOT, &["--seconds", "2"]), (LOAD, &short)];
    for (program, flags) in runs {
        let output = full_disk(command(program, &url, flags)).await;
        failed_with(program, &output, &["cannot write to standard output", "No space left"]);
        // A standard error that cannot be written either must not cause a panic, which would be status 101.
        let mute = command(program, &url, flags).stdout(full()).stderr(full()).status();
        let status = tokio::time::timeout(PATIENCE, mute).await.expect("it ends").expect("it ran");
        assert_eq!(status.code(), Some(1), "{program}");
    }
    let output = run(LOAD, &url, &[&short[..], &["--json", "/dev/full"]].concat()).await;
    failed_with(LOAD, &output, &["cannot write --json /dev/full", "No space left"]);
    let mut floor = Command::new(FLOOR);
    floor.args(["--players", "1", "--seconds", "1"]);
    let output = full_disk(floor).await;
    failed_with(FLOOR, &output, &["cannot write to standard output", "No space left"]);
    server.end().await;
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_an_error_before_the_run() {
    // No server listens there: the path is checked first.
    let url = "ws://127.0.0.1:9/ws";
    for flag in ["--json", "--html"] {
        let output = run(LOAD, url, &[flag, "/nowhere/report"]).await;
        failed_with(LOAD, &output, &["cannot write", flag, "/nowhere/report"]);
    }
    let output = run(LOAD, url, &["--json", "same", "--html", "same"]).await;
    failed_with(LOAD, &output, &["--json and --html both name same"]);
    assert!(!Path::new("same").exists(), "a run without a report leaves no file");
}

/// A stand-in for the server's program: it writes its process id and flags to a file, prints the address of a running server, and
/// waits.
fn stand_in(folder: &Folder, server: &Running<Arena>) -> PathBuf {
    let (program, notes) = (folder.0.join("stand-in.sh"), folder.0.join("notes"));
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in --help) exit;; esac\necho $$ \"$@\" > {notes}.new && mv {notes}.new {notes}\necho listening on http://{}\nexec sleep 600\n",
        server.address,
        notes = notes.display()
    );
    std::fs::write(&program, script).expect("the temporary folder takes a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    program
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_tester_that_is_killed_leaves_no_server_and_no_folder() {
    let (server, folder) = server(100).await;
    let program = stand_in(&folder, &server).to_string_lossy().into_owned();
    let mut load = Command::new(LOAD);
    load.args(["--spawn", "--server", &program, "--players", "2", "--seconds", "600"]).kill_on_drop(true);
    let mut load = load.stdout(Stdio::null()).spawn().expect("the program runs");
    seated(&server, 2).await;
    let notes = std::fs::read_to_string(folder.0.join("notes")).expect("the stand-in has written its notes");
    let mut words = notes.split_whitespace();
    let process = Pid::from_raw(words.next().and_then(|id| id.parse().ok()).expect("a number"));
    let page = Path::new(words.skip_while(|word| *word != "--assets").nth(1).expect("it serves a page"));
    assert_eq!(kill(process, None), Ok(()), "it runs");
    load.kill().await.expect("it runs");
    let exited = async {
        while kill(process, None) != Err(Errno::ESRCH) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, exited).await.expect("the server has exited");
    let made = page.parent().expect("in a folder of the load tester's");
    assert!(made.starts_with(std::env::temp_dir()) && !made.exists(), "{} is left behind", made.display());
    server.end().await;
}

#[tokio::test]
async fn a_server_that_cannot_be_started_is_one_line() {
    let output = Command::new(LOAD).args(["--spawn", "--server", "/nowhere/broadside-server"]).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it ran");
    failed_with(LOAD, &output, &["cannot start /nowhere/broadside-server", "No such file", "--server PATH"]);
}
