//! Where a server stores the operator's token, for programs of the same user on the same machine. The server and those
//! programs must agree on the path; the environment is an argument.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The files in which the token of a server on `port` may be, best first: the server writes the first one it can
/// create, and other programs try each.
///
/// All are in a folder `broadside` that only its owner may enter: in `$RUNTIME_DIRECTORY` (created by systemd for a
/// service with `RuntimeDirectory=`), in `$XDG_RUNTIME_DIR` (created by a login), or in `temp_dir` with the user id
/// `uid` in its name.
#[must_use]
pub fn token_files(
    variable: impl Fn(&str) -> Option<OsString>,
    temp_dir: &Path,
    uid: Option<u32>,
    port: u16,
) -> Vec<PathBuf> {
    let folder_of = |name: &str| {
        let value = variable(name)?.into_string().ok()?;
        // systemd may list several folders, separated by colons.
        let first = PathBuf::from(value.split(':').next()?);
        first.is_absolute().then(|| first.join("broadside"))
    };
    let in_temp = temp_dir.join(uid.map_or_else(|| "broadside".to_owned(), |uid| format!("broadside-{uid}")));
    let folders = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].into_iter().filter_map(folder_of).chain([in_temp]);
    folders.map(|folder| folder.join(format!("operator-token-{port}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_folder_of_the_service_comes_first_and_a_relative_path_is_ignored() {
        let files = |runtime: &str, login: &str| {
            let variable = |name: &str| match name {
                "RUNTIME_DIRECTORY" => Some(runtime.into()),
                "XDG_RUNTIME_DIR" => Some(login.into()),
                _ => None,
            };
            let files = token_files(variable, Path::new("/tmp"), Some(1000), 8080);
            files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>()
        };
        let in_temp = "/tmp/broadside-1000/operator-token-8080";
        assert_eq!(
            files("/run/game:/run/other", "/run/user/1000"),
            ["/run/game/broadside/operator-token-8080", "/run/user/1000/broadside/operator-token-8080", in_temp]
        );
        assert_eq!(files("", "relative"), [in_temp]);
    }
}
