//! Backups, and copies from one database to another.

use std::path::{Path, PathBuf};

use broadside_store::copy::CopyError;
use broadside_store::credentials::{Identity, Passkey};
use broadside_store::moderation::{AuditEntry, Report, Restriction, RestrictionKind};
use broadside_store::period::Season;
use broadside_store::results::Outcome;
use broadside_store::testing::TestPostgres;
use broadside_store::{Location, OpenError, Store, backup, new_id, restore};

use crate::{NOON_US, named, player, record, renewal};

/// A folder that is removed on drop.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        let folder =
            std::env::temp_dir().join(format!("broadside-store-{}-{:x}", std::process::id(), fastrand::u64(..)));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Folder(folder)
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn try_open(&self) -> Result<Store, OpenError> {
        Store::open(&Location::Folder(self.0.clone())).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A row in every table.
pub(crate) async fn fill(store: &Store) {
    let (ann, ben) = (named(store, 1, "Ann").await, named(store, 2, "Ben").await);
    let duel = record("duel", NOON_US, vec![player(&ann, 10, Outcome::Won), player(&ben, 4, Outcome::Lost)]);
    store.record(&[duel], Season::Quarter).await.expect("recorded");
    store.change_password(ann.id, "hash", renewal(None, 1).sign_in, NOON_US).await.expect("set");
    let text = |text: &str| text.to_owned();
    let (credential, body, label) = (vec![0, 255, 7], text("{}"), text("ключ"));
    let passkey = Passkey { credential, body, label, created_us: NOON_US, used_us: NOON_US };
    store.add_passkey(ann.id, &passkey).await.expect("added");
    let identity = Identity { issuer: text("https://id.example"), subject: text("42") };
    store.link_identity(ben.id, &identity, NOON_US).await.expect("linked");
    store.set_recovery_codes(ann.id, &[[1; 32], [2; 32]], NOON_US).await.expect("set");
    store.set_settings(ann.id, "{}", NOON_US).await.expect("set");
    store.befriend(ann.id, ben.id, NOON_US).await.expect("asked");
    store.set_friend_link(ann.id, "code", NOON_US).await.expect("a link");
    store.mute(ben.id, ann.id, NOON_US).await.expect("muted");
    let (reason, by) = (text("spam"), text("Mo"));
    let (account, kind) = (ben.id, RestrictionKind::Mute);
    let mute = Restriction {
        account,
        name: text("Ben"),
        kind,
        until_us: None,
        reason,
        imposed_by: by.clone(),
        imposed_us: NOON_US,
    };
    store.restrict(&mute).await.expect("muted");
    let report = Report {
        id: new_id(NOON_US),
        reporter: None,
        reporter_name: text("x"),
        subject: Some(ben.id),
        subject_name: text("Ben"),
        body: text("rude"),
        chat: text(""),
        room: text(""),
        reported_us: NOON_US,
        handled: None,
    };
    store.report(&report).await.expect("kept");
    let (action, subject, detail) = (text("mute"), text("Ben"), text("spam"));
    store
        .audit(&AuditEntry { id: new_id(NOON_US), actor: by, action, subject, detail, acted_us: NOON_US })
        .await
        .expect("logged");
}

#[tokio::test]
async fn everything_moves_to_the_other_database_and_back() {
    let server = TestPostgres::start();
    let source = Store::open(&Location::Memory).await.expect("a database");
    fill(&source).await;
    let middle = Store::open(&Location::Postgres(server.database("middle"))).await.expect("a database");
    let there = middle.copy_from(&source).await.expect("copied");
    assert!(there.iter().all(|copied| copied.rows > 0), "every table has a row: {there:?}");
    let end = Store::open(&Location::Memory).await.expect("a database");
    assert_eq!(end.copy_from(&middle).await.expect("copied back"), there);
    let ann = end.account_named(&["ann".to_owned()]).await.expect("an answer").expect("Ann");
    for store in [&source, &middle] {
        assert_eq!(store.account(ann.id).await, Ok(Some(ann.clone())));
        assert_eq!(store.totals(ann.id).await, end.totals(ann.id).await);
        assert_eq!(store.ratings(ann.id).await, end.ratings(ann.id).await, "to the last bit");
        assert_eq!(store.passkeys(ann.id).await, end.passkeys(ann.id).await);
        assert_eq!(store.friends(ann.id).await, end.friends(ann.id).await);
    }
    let again = middle.copy_from(&source).await;
    assert!(matches!(again, Err(CopyError::NotEmpty { table: "accounts", rows: 2 })), "{again:?}");
    middle.close().await;
}

#[tokio::test]
async fn a_backup_made_while_the_server_writes_is_whole() {
    let (folder, restored) = (Folder::new(), Folder::new());
    let store = folder.open().await;
    fill(&store).await;
    let file = folder.0.join("backup.db");
    backup(&folder.0, &file).await.expect("a backup");
    let refused = backup(&folder.0, &file).await.expect_err("it exists").to_string();
    assert!(refused.contains("exists; name a new file"), "{refused}");
    let refused = restore(&folder.0, &file).await.expect_err("a server has it");
    assert!(matches!(refused, OpenError::Locked(_)), "{refused}");

    restore(&restored.0, &file).await.expect("restored");
    let copy = restored.open().await;
    let ann = store.account_named(&["ann".to_owned()]).await.expect("an answer");
    assert!(ann.is_some());
    assert_eq!(copy.account_named(&["ann".to_owned()]).await, Ok(ann));
    drop(copy);
    let refused = restore(&restored.0, &file).await.expect_err("there is a database").to_string();
    assert!(refused.contains("move it away first"), "{refused}");
    let refused = backup(Path::new("no-such-folder"), &file).await.expect_err("no database").to_string();
    assert!(refused.contains("no database there"), "{refused}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_refused_in_one_line() {
    let folder = Folder::new();
    let store = folder.open().await;
    let second = folder.try_open().await.err().expect("in use").to_string();
    assert!(second.contains("in use by another server"), "{second}");
    fill(&store).await;
    store.close().await;
    drop(store);

    let file = folder.0.join("broadside.db");
    let good = std::fs::read(&file).expect("the file");
    let mut damaged = good.clone();
    let page = good.len() / 2 / 4096 * 4096;
    damaged[page..page + 4096].fill(0x5a);
    for (bytes, says) in [(b"no database at all".repeat(300), "damaged"), (damaged, "damaged")] {
        std::fs::write(&file, bytes).expect("written");
        let refused = folder.try_open().await.err().expect("damaged").to_string();
        assert!(refused.contains(says) && refused.contains("restore a backup") && !refused.contains('\n'), "{refused}");
    }
    let under_a_file = Location::Folder(file.join("below"));
    let refused = Store::open(&under_a_file).await.err().expect("not a folder").to_string();
    assert!(refused.contains("cannot be written") && refused.contains("or `memory`"), "{refused}");
    for url in ["mysql://db/game", "postgres://", "postgres://127.0.0.1:1/game"] {
        let refused = Store::open(&Location::Postgres(url.to_owned())).await.err().map(|error| error.to_string());
        let refused = refused.expect("no such database");
        assert!(refused.starts_with("--database ") && !refused.contains('\n'), "{refused}");
        assert!(!refused.contains("timed out"), "{refused}");
    }
}
