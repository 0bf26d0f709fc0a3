//! A PostgreSQL server for play, whose data stay for the next time. Tests start theirs with `store/src/testing.rs`: that crate brings a
//! database client, and each build of this program would take longer.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{User, geteuid};

use crate::guard::Owner;
use crate::process::{Service, Stopped, run};
use crate::toolchain::silent;
use crate::workspace::short;

/// The database, and the user that it belongs to.
const NAME: &str = "broadside";

/// Starts the server on a port of 127.0.0.1, where everybody on this machine is trusted, with its data and its log in `folder`. Gives it
/// with the URL of its database.
///
/// # Errors
/// One of the `programs` fails, and the error names the log; or [`Stopped`].
pub(crate) fn start(programs: &Path, folder: &Path, port: u16) -> Result<(Service, String)> {
    let (data, log) = (folder.join("postgres"), folder.join("postgres.log"));
    let owner = owner()?;
    let see_log = || format!("PostgreSQL does not start: see {}", short(&log));
    if !data.join("PG_VERSION").exists() {
        make_cluster(programs, &data, &log, owner).with_context(see_log)?;
    }
    let port = port.to_string();
    let mut command = Command::new(programs.join("postgres"));
    command.args(["-h", "127.0.0.1", "-p", &port, "-c", "unix_socket_directories=", "-D"]).arg(&data);
    command.current_dir(folder);
    let mut server =
        Service::start_as(owner, "PostgreSQL server", &command, Stdio::null(), File::create(&log)?.into())?;
    let client = |program: &str| {
        let mut client = Command::new(programs.join(program));
        client.args(["-h", "127.0.0.1", "-p", &port, "-U", NAME]).current_dir(folder);
        client
    };
    ensure!(server.wait_until(|| silent(&mut client("pg_isready"))).with_context(see_log)?, Stopped);
    if !silent(client("psql").args(["-X", "-d", NAME, "-c", "SELECT 1"])) {
        run(client("createdb").arg(NAME))?;
    }
    Ok((server, format!("postgres://{NAME}@127.0.0.1:{port}/{NAME}")))
}

/// Ends it while programs are connected, such as a `psql` that somebody left open: SIGTERM, which follows, would wait for them, and
/// changes nothing after a SIGINT.
pub(crate) fn end(server: Service) -> Result<()> {
    // It fails only when the server has ended already.
    _ = kill(server.process(), Signal::SIGINT);
    server.end()
}

fn make_cluster(programs: &Path, data: &Path, log: &Path, owner: Option<Owner>) -> Result<()> {
    fs::create_dir_all(data)?;
    let log = File::create(log)?;
    let mut initdb = Command::new(programs.join("initdb"));
    initdb.args(["--auth=trust", "--encoding=UTF8", "--no-instructions", "--username", NAME, "-D"]).arg(data);
    initdb.current_dir(data).stdout(log.try_clone()?).stderr(log);
    let Some(Owner { user, group }) = owner else { return run(&mut initdb) };
    chown(data, Some(user), Some(group))?;
    run(initdb.uid(user).gid(group)).with_context(|| {
        format!(
            "we are root, so it runs as the user with the number {user}, who must be able to reach {}",
            data.display()
        )
    })
}

/// Who runs the server: `None` is this user, unless that is root, whom PostgreSQL refuses.
fn owner() -> Result<Option<Owner>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(Owner { user: user.uid.as_raw(), group: user.gid.as_raw() }));
        }
    }
    bail!("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`: run this as another user")
}
