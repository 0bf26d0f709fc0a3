//! What the program does besides serving: backups, copies, replays, and who is admin.

use std::path::PathBuf;
use std::process::ExitCode;

use broadside_cli::REFUSED;
use broadside_shared::game::Game;
use broadside_shared::protocol::name::Name;
use broadside_store::accounts::{Account, Role};
use broadside_store::moderation::AuditEntry;
use broadside_store::{Location, Store, new_id};
use clap::{Subcommand, ValueEnum};

use crate::config::{Config, DataFolder, port};
use crate::lobby::names::Looks;
use crate::recordings;
use crate::store::now_us;

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a copy of the database in --data to FILE, also while a server runs
    Backup {
        /// Folder of the database
        #[arg(long, env = "BROADSIDE_DATA", default_value = "broadside-data", value_name = "FOLDER")]
        data: PathBuf,
        /// The copy; it must not exist
        file: PathBuf,
    },
    /// Make the backup FILE the database in --data, which must have none
    Restore {
        /// Folder of the database; created if absent
        #[arg(long, env = "BROADSIDE_DATA", default_value = "broadside-data", value_name = "FOLDER")]
        data: PathBuf,
        /// The backup
        file: PathBuf,
    },
    /// Copy everything from one database to another that is empty, and compare the numbers of rows; what a server writes meanwhile is not copied
    Copy {
        /// A folder as of --data, or a URL as of --database
        #[arg(long, value_name = "FOLDER|URL")]
        from: String,
        /// A folder as of --data, or a URL as of --database
        #[arg(long, value_name = "FOLDER|URL")]
        to: String,
    },
    /// Replay a recorded match as fast as this machine can, and compare every hash; or show it in the browser
    Replay {
        /// The recording, a file of --data in the folder `recordings`
        file: PathBuf,
        /// Serve a page that shows it instead, on 127.0.0.1, until a signal
        #[arg(long)]
        serve: bool,
        /// Port of the page, 0 to 65535; 0 picks a free port
        #[arg(long = "port", id = "replay-port", requires = "serve", default_value_t = 0, value_name = "PORT", value_parser = port)]
        port: u16,
    },
    /// Say who may moderate, and appoint them, also while a server runs
    Admin {
        /// What to do
        #[command(subcommand)]
        action: Admin,
    },
}

/// Who may moderate.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Give an account a role
    Grant {
        /// Name of an account that keeps its name
        name: String,
        /// The role
        #[arg(long, default_value = "admin", value_name = "ROLE")]
        role: StaffRole,
    },
    /// Make an account a player again
    Revoke {
        /// Name of the account
        name: String,
    },
    /// List those who have a role
    List,
}

/// A role that can be granted.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StaffRole {
    /// Kicks, mutes, bans, and handles reports
    Moderator,
    /// The same, and appoints moderators
    Admin,
}

impl Command {
    /// Runs it. Prints what it did, or one line that says why not.
    pub(crate) fn run<G: Game>(self, config: &Config) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(self.carry_out::<G>(config)),
            Err(error) => Err(format!("cannot start: {error}")),
        };
        match done {
            Ok(says) => {
                println!("{says}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                broadside_cli::say(&format!("error: {why}"));
                REFUSED.into()
            }
        }
    }

    async fn carry_out<G: Game>(self, config: &Config) -> Result<String, String> {
        match self {
            Command::Backup { data, file } => {
                broadside_store::backup(&data, &file).await.map_err(|error| error.to_string())?;
                Ok(format!("wrote {}", file.display()))
            }
            Command::Restore { data, file } => {
                broadside_store::restore(&data, &file).await.map_err(|error| error.to_string())?;
                Ok(format!("{} has the database of {}", data.display(), file.display()))
            }
            Command::Copy { from, to } => copy(&from, &to).await,
            Command::Replay { file, .. } => recordings::check::replay::<G>(&file),
            Command::Admin { action } => admin(action, config).await,
        }
    }
}

async fn copy(from: &str, to: &str) -> Result<String, String> {
    let location = |text: &str| match text.contains("://") {
        true => Location::Postgres(text.to_owned()),
        false => Location::Folder(text.into()),
    };
    let source = Store::open_beside(&location(from)).await.map_err(|error| format!("--from {error}"))?;
    let target = Store::open(&location(to)).await.map_err(|error| error.to_string())?;
    let copied = target.copy_from(&source).await.map_err(|error| error.to_string())?;
    target.close().await;
    source.close().await;
    let lines: Vec<String> = copied.iter().map(|table| format!("{:>10}  {}", table.rows, table.table)).collect();
    Ok(format!("copied and compared, in rows:\n{}", lines.join("\n")))
}

async fn admin(action: Admin, config: &Config) -> Result<String, String> {
    if config.database.is_none() && config.data == DataFolder::Memory {
        return Err("--data memory keeps no accounts; name the --data folder or the --database of a server".to_owned());
    }
    let store = Store::open_beside(&config.location()).await.map_err(|error| error.to_string())?;
    let said = match action {
        Admin::Grant { name, role: StaffRole::Moderator } => appoint(&store, &name, Role::Moderator).await?,
        Admin::Grant { name, role: StaffRole::Admin } => appoint(&store, &name, Role::Admin).await?,
        Admin::Revoke { name } => appoint(&store, &name, Role::Player).await?,
        Admin::List => {
            let staff = store.staff().await.map_err(|error| error.to_string())?;
            let line = |account: &Account| format!("{:<10} {}", account.role.name(), account.name);
            let lines: Vec<String> = staff.iter().map(line).collect();
            if lines.is_empty() { "nobody has a role".to_owned() } else { lines.join("\n") }
        }
    };
    store.close().await;
    Ok(said)
}

async fn appoint(store: &Store, text: &str, role: Role) -> Result<String, String> {
    let name = Name::new(text).map_err(|error| format!("{text}: {error}"))?;
    let looks: Vec<String> = Looks::of(&name).each().map(str::to_owned).collect();
    let found = store.account_named(&looks).await.map_err(|error| error.to_string())?;
    let account = found.ok_or_else(|| format!("no account is called `{text}`; guests must keep their name first"))?;
    store.set_role(account.id, role).await.map_err(|error| error.to_string())?;
    let now = now_us();
    let entry = AuditEntry {
        id: new_id(now),
        actor: "command line".to_owned(),
        action: "role".to_owned(),
        subject: account.name.clone(),
        detail: role.name().to_owned(),
        acted_us: now,
    };
    store.audit(&entry).await.map_err(|error| error.to_string())?;
    Ok(format!("{} is {} now", account.name, role.name()))
}
