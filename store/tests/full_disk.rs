//! A disk that is really full: a small file system of its own, with the outbox and the database on it.
//!
//! The test starts this program once more, in a mount namespace with a tmpfs, with [`DISK`] in its environment.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use broadside_store::outbox::{self, Status};
use broadside_store::period::Season;
use broadside_store::{Location, Store, StoreError};

use common::record;

/// Where the small file system is mounted.
const DISK: &str = "BROADSIDE_FULL_DISK";
/// Matches of one player each, before the disk is full and while it is. Those are more than a batch of the journal.
const MATCHES: [u64; 2] = [100, 2000];

#[test]
fn results_wait_in_memory_while_the_disk_is_full_and_arrive_once() {
    if let Some(disk) = std::env::var_os(DISK) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        return runtime.expect("a runtime").block_on(fill_and_free(Path::new(&disk)));
    }
    let disk = std::env::temp_dir().join(format!("broadside-full-disk-{}", std::process::id()));
    std::fs::create_dir_all(&disk).expect("a temporary folder");
    let within = |namespace: &[&str], program: &str| -> std::io::Result<Output> {
        // Room for an empty database and its write-ahead log, and some hundred results.
        let script = "mount -t tmpfs -o size=2m tmpfs \"$0\" && exec \"$1\" --nocapture";
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", script]).arg(&disk).arg(program).env(DISK, &disk).output()
    };
    let namespaces: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let can_mount = |namespace: &&&[&str]| within(namespace, "true").is_ok_and(|output| output.status.success());
    let found = namespaces.iter().find(can_mount);
    let Some(namespace) = found else {
        println!(
            "NOT TESTED: this system lets nobody mount a file system in a namespace of their own (unshare --user --mount)"
        );
        return;
    };
    let program = std::env::current_exe().expect("this program");
    let output = within(namespace, program.to_str().expect("a plain path")).expect("it starts");
    let _ = std::fs::remove_dir(&disk);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Runs an outbox on a disk that fills up, and has room again.
async fn fill_and_free(disk: &Path) {
    let store = Store::open(&Location::Folder(disk.to_owned())).await.expect("a database");
    let (outbox, journal, delivery) = outbox::open(Some(disk)).expect("an outbox");
    let journal = std::thread::spawn(move || journal.expect("a folder").run());
    let delivery = tokio::spawn(delivery.run(store.clone(), Season::Quarter));
    let reach = async |what: &str, reached: fn(&Status) -> bool| {
        let reaching = async {
            while !reached(&outbox.status()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), reaching).await;
        waited.unwrap_or_else(|_| panic!("{what}: {:?}", outbox.status()));
    };
    let [before, during] = MATCHES;
    (0..before).for_each(|number| outbox.put(record(number)));
    reach("results on a disk with room", |status| status.delivered == MATCHES[0]).await;

    let filler = disk.join("filler");
    fill(&filler);
    let records: Vec<_> = (before..before + during).map(record).collect();
    // The database refuses nothing for good: these may come again.
    let refused = store.record(&records, Season::Quarter).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    records.into_iter().for_each(|record| outbox.put(record));
    reach("a disk that takes nothing more", |status| status.disk_fails).await;
    let full = outbox.status();
    // What a killed process would lose is counted. The first few may still be on the disk: its last page had room for them.
    let (counted, is_on_disk) = (full.in_memory + full.delivered, full.on_disk_bytes > 0);
    assert!(counted == before + during || (counted < before + during && is_on_disk), "{full:?}");
    assert!(full.in_memory > 0 && (full.dropped, full.refused) == (0, 0), "{full:?}");

    std::fs::remove_file(&filler).expect("room again");
    reach("all results", |status| status.delivered == MATCHES[0] + MATCHES[1]).await;
    outbox.end();
    journal.join().expect("no panic");
    delivery.await.expect("no panic");
    let status = outbox.status();
    assert_eq!((status.in_memory, status.on_disk_bytes, status.dropped, status.refused), (0, 0, 0, 0), "{status:?}");
    assert_eq!(store.count_results().await, Ok(before + during));

    // The next start finds no torn line, and delivers nothing twice.
    let (outbox, journal, delivery) = outbox::open(Some(disk)).expect("an outbox");
    outbox.end();
    journal.expect("a folder").run();
    delivery.run(store.clone(), Season::Quarter).await;
    assert_eq!((store.count_results().await, outbox.status().damaged), (Ok(before + during), 0));
    store.close().await;
}

/// Takes all the room there is.
fn fill(filler: &Path) {
    let mut file = File::create(filler).expect("an empty file takes no room");
    let error = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
}
