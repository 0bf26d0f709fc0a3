//! The tables of every version, oldest first: one folder per engine, with the same names.
//!
//! Not by `sqlx::migrate!`, for which sqlx and both drivers would be compiled a second time, for the compiler's own use.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// What one of the files is called, and what is in it.
type File = (&'static str, &'static str);

/// The files of an engine.
macro_rules! files {
    ($engine:literal) => {
        files!($engine: "0001_accounts", "0002_results", "0003_friends", "0004_moderation", "0005_settings")
    };
    ($engine:literal: $($name:literal),*) => {
        &[$(($name, include_str!(concat!("../migrations/", $engine, "/", $name, ".sql")))),*]
    };
}

pub(crate) const SQLITE: &[File] = files!("sqlite");
pub(crate) const POSTGRES: &[File] = files!("postgres");

/// What brings a database to this version.
pub(crate) fn migrator(files: &[File]) -> Migrator {
    let migration = |(name, sql): &File| {
        let (number, description) = name.split_once('_').expect("a number and a word");
        let number = number.parse().expect("a number");
        Migration::new(number, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_both_folders_is_run() {
        for (engine, files) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(folder).expect("it is there");
            let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("a file").file_name().into_string();
            let mut names: Vec<String> = entries.map(|entry| name(entry).expect("a plain name")).collect();
            names.sort();
            let listed: Vec<_> = files.iter().map(|(name, _)| format!("{name}.sql")).collect();
            assert_eq!(names, listed, "{engine}");
        }
    }
}
