//! A PostgreSQL server for tests: its own cluster in a temporary folder, on a free port of 127.0.0.1, as a user that is not root.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running PostgreSQL server; stopped and removed on drop.
pub struct TestPostgres {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    owner: (u32, u32),
    server: Option<Child>,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// After the transactions in progress.
    Fast,
    /// At once, as in a crash; the next start recovers.
    Crash,
}

impl TestPostgres {
    /// Makes a cluster and starts a server.
    ///
    /// # Panics
    /// PostgreSQL is not installed, or does not start: the message says what to do.
    #[must_use]
    pub fn start() -> TestPostgres {
        let programs = programs().unwrap_or_else(|| {
            panic!("the tests need PostgreSQL: install it with `apt-get install --no-install-recommends postgresql`")
        });
        let folder =
            std::env::temp_dir().join(format!("broadside-postgres-{}-{:x}", std::process::id(), fastrand::u32(..)));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let owner = owner(&folder);
        chown(&folder, Some(owner.0), Some(owner.1)).expect("giving the folder to its owner");
        let data = folder.join("data");
        let made = command(&programs.join("initdb"), owner, &folder)
            .args(["--auth=trust", "--username=broadside", "--encoding=UTF8", "--no-sync", "--no-instructions", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut server = TestPostgres { folder, programs, port, owner, server: None };
        server.resume();
        server
    }

    /// The URL of a new, empty database on it.
    ///
    /// # Panics
    /// The server does not answer.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let made = command(&self.programs.join("createdb"), self.owner, &self.folder)
            .args(["-h", "127.0.0.1", "-U", "broadside", "-p", &self.port.to_string(), name])
            .output()
            .expect("createdb runs");
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://broadside@127.0.0.1:{}/{name}", self.port)
    }

    /// From now on it accepts nothing but TLS, with this certificate and key in PEM.
    ///
    /// # Panics
    /// It does not start with them.
    pub fn require_tls(&mut self, certificate: &str, key: &str) {
        self.stop(Stop::Fast);
        let files = [
            ("server.crt", certificate),
            ("server.key", key),
            ("postgresql.auto.conf", "ssl = on\n"),
            ("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n"),
        ];
        for (name, content) in files {
            let file = self.folder.join("data").join(name);
            std::fs::write(&file, content).expect("the cluster's folder");
            // Neither the key nor anything else is used if others may read or own it.
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode");
            chown(&file, Some(self.owner.0), Some(self.owner.1)).expect("giving it to the owner");
        }
        self.resume();
    }

    /// A file in a folder that ends with the server.
    ///
    /// # Panics
    /// It cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, content: &str) -> String {
        let file = self.folder.join(name);
        std::fs::write(&file, content).expect("the server's folder");
        file.display().to_string()
    }

    /// Stops the server; its data stays.
    ///
    /// # Panics
    /// It does not end within a minute.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut server) = self.server.take() else { return };
        let signal = match how {
            Stop::Fast => "-INT",
            Stop::Crash => "-QUIT",
        };
        let sent = Command::new("kill").args([signal, &server.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "kill {signal}");
        let until = Instant::now() + Duration::from_secs(60);
        while server.try_wait().expect("waiting for the server").is_none() {
            assert!(Instant::now() < until, "PostgreSQL does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the server again.
    ///
    /// # Panics
    /// It does not answer within a minute.
    pub fn resume(&mut self) {
        let log = std::fs::File::create(self.folder.join("log")).expect("a log");
        let server = command(&self.programs.join("postgres"), self.owner, &self.folder)
            .arg("-D")
            .arg(self.folder.join("data"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-c",
                "unix_socket_directories=",
                "-c",
                "fsync=off",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        self.server = Some(server);
        let until = Instant::now() + Duration::from_secs(60);
        let ready = || {
            let asked = command(&self.programs.join("pg_isready"), self.owner, &self.folder)
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            asked.is_ok_and(|status| status.success())
        };
        while !ready() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "PostgreSQL does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    let mut found: Vec<u32> = versions.collect();
    found.sort_unstable();
    let debian = found.into_iter().rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian.chain(on_path).find(|folder| {
        ["initdb", "postgres", "createdb", "pg_isready"].iter().all(|program| folder.join(program).exists())
    })
}

/// Who runs the server: this user, unless that is root, whom PostgreSQL refuses.
fn owner(of_this_user: &Path) -> (u32, u32) {
    let own = std::fs::metadata(of_this_user).expect("our own folder");
    if own.uid() != 0 {
        return (own.uid(), own.gid());
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    of("postgres").or_else(|| of("nobody")).expect("a user that is not root")
}

fn command(program: &Path, (user, group): (u32, u32), folder: &Path) -> Command {
    let mut command = Command::new(program);
    // Of itself only root may change its user.
    if std::fs::metadata(folder).is_ok_and(|own| own.uid() == user) && !is_root() {
        command.current_dir(folder);
        return command;
    }
    command.uid(user).gid(group).current_dir(folder);
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
