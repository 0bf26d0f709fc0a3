//! The floor as a program: both sides over real sockets.

#![cfg(unix)]

use std::process::Command;

use serde_json::Value;

#[test]
fn the_floor_sends_every_frame_and_reads_every_input_with_one_call_each() {
    let output = Command::new(env!("CARGO_BIN_EXE_floor"))
        .args(["--players", "20", "--hz", "20", "--seconds", "1", "--bytes", "300", "--json", "-"])
        .output()
        .expect("the program was built for this test");
    let (text, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {text}"));
    // A busy machine may miss ticks, but the report counts them.
    assert!(number("/snapshots") + 20.0 * number("/server/missed_ticks") >= 20.0 * 20.0, "{text}");
    assert!((number("/server/writes_per_client_snapshot") - 1.0).abs() < 0.01, "{text}");
    assert!(number("/server/reads_per_client_snapshot") <= 1.2, "{text}");
    assert!(number("/server/cpu_us_per_client_snapshot") > 0.0, "{text}");
    assert!(number("/gap_ms/p50") > 0.0, "{text}");
}
