//! The operator's token. The address of a request does not identify its sender: a page in any browser on this machine sends requests
//! from loopback, and so does everyone behind a local proxy. Calls that only the operator may make therefore need a token, which only
//! users who can read the operator's files can read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use broadside_shared::operator::token_files;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::header_fields::trim;

/// Shortest token accepted from a file, in characters; 16 are too many to guess over a network.
const TOKEN_MIN: usize = 16;
/// Longest token accepted from a file, in characters.
const TOKEN_MAX: usize = 256;

/// The token that the operator's calls must present.
pub struct OperatorToken(String);

/// What a request presents as the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PresentedToken {
    Valid,
    /// Another token, or something other than exactly one token.
    Invalid,
    None,
}

/// The file that holds a generated token; dropping this value removes it.
pub(crate) struct TokenFile {
    /// Path of the file.
    pub(crate) path: PathBuf,
    token: String,
}

impl OperatorToken {
    /// The token in the operator's own file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no valid token.
    pub(crate) fn of_file(path: &Path) -> anyhow::Result<OperatorToken> {
        let what = || format!("--operator-token {}", path.display());
        let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", what()))?;
        let token = text.trim();
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) || !token.bytes().all(is_valid) {
            bail!(
                "{}: must hold one line of {TOKEN_MIN} to {TOKEN_MAX} letters, digits and -._~+/=; `openssl rand -hex 32` \
                 makes one",
                what()
            );
        }
        if is_open(path) {
            tracing::warn!(file = %path.display(), "other users can read the operator's token: chmod 600");
        }
        Ok(OperatorToken(token.to_owned()))
    }

    /// Generates a token from the system's random numbers.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn make() -> anyhow::Result<OperatorToken> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
        Ok(OperatorToken(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Writes the token to the file where the operator's programs on this machine look for the token of a server on this port.
    ///
    /// # Errors
    /// The file cannot be written in any of the folders; the error of the last one.
    pub(crate) fn leave(&self, port: u16) -> anyhow::Result<TokenFile> {
        let paths = token_files(|name| std::env::var_os(name), &std::env::temp_dir(), uid(), port);
        let mut wrong = anyhow::anyhow!("there is no folder for the token");
        for path in paths {
            match write(&path, &self.0) {
                Ok(()) => return Ok(TokenFile { path, token: self.0.clone() }),
                Err(error) => wrong = error.context(path.display().to_string()),
            }
        }
        Err(wrong)
    }

    /// Checks the token of a request (RFC 6750, section 2.1), in constant time for tokens of the right length.
    pub(crate) fn presented(&self, headers: &HeaderMap) -> PresentedToken {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), more) = (lines.next(), lines.next()) else { return PresentedToken::None };
        let credentials = line.to_str().ok().and_then(|line| line.split_once(' '));
        let token = match credentials {
            Some((scheme, token)) if more.is_none() && scheme.eq_ignore_ascii_case("bearer") => trim(token),
            Some(_) | None => return PresentedToken::Invalid,
        };
        if bool::from(token.as_bytes().ct_eq(self.0.as_bytes())) {
            PresentedToken::Valid
        } else {
            PresentedToken::Invalid
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // Another server on the same port of another address may have replaced the file since.
        if fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.token) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes the file with mode 600. Replaces an existing one: a server that did not shut down cleanly left it.
fn write(path: &Path, token: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("the path has no folder")?;
    open_folder(folder)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("cannot replace the old one");
        }
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).context("cannot be created")?;
    file.write_all(format!("{token}\n").as_bytes()).context("cannot be written")
}

/// Creates the folder, or checks that other users can neither replace nor read it.
#[cfg(unix)]
fn open_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).context("cannot create its folder");
        }
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(folder).context("cannot read the metadata of its folder")?;
    ensure!(found.is_dir(), "its folder is a file or a link: remove it");
    ensure!(Some(found.uid()) == uid(), "its folder belongs to user {}: remove it", found.uid());
    let mode = found.mode() & 0o777;
    ensure!(mode & 0o077 == 0, "its folder has mode {mode:o}, must be 700: chmod 700 {}", folder.display());
    Ok(())
}

#[cfg(not(unix))]
fn open_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("cannot create its folder")
}

/// Whether users other than the owner can read or write a file.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> bool {
    false
}

/// The effective user id, on systems that have one.
#[cfg(unix)]
fn uid() -> Option<u32> {
    Some(nix::unistd::geteuid().as_raw())
}

#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// A temporary folder, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("broadside-operator-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("the system has a temporary folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_the_whole_token_in_one_header_is_valid() {
        let token = OperatorToken("0123456789abcdef".to_owned());
        for (lines, presented) in [
            (&[][..], PresentedToken::None),
            (&["Bearer 0123456789abcdef"], PresentedToken::Valid),
            (&["bearer  0123456789abcdef"], PresentedToken::Valid),
            (&["Bearer 0123456789abcde"], PresentedToken::Invalid),
            (&["Bearer 0123456789abcdef0"], PresentedToken::Invalid),
            (&["Bearer 0123456789ABCDEF"], PresentedToken::Invalid),
            (&["Bearer "], PresentedToken::Invalid),
            (&["Bearer"], PresentedToken::Invalid),
            (&["0123456789abcdef"], PresentedToken::Invalid),
            (&["Basic 0123456789abcdef"], PresentedToken::Invalid),
            (&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"], PresentedToken::Invalid),
            (&["Bearer x, Bearer 0123456789abcdef"], PresentedToken::Invalid),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(AUTHORIZATION, HeaderValue::from_static(line));
            }
            assert_eq!(token.presented(&headers), presented, "{lines:?}");
        }
    }

    #[test]
    fn generated_tokens_differ_and_a_file_without_a_token_is_refused() {
        let folder = Folder::new("file");
        let path = folder.0.join("token");
        let made = OperatorToken::make().expect("random numbers");
        assert_ne!(made.0, OperatorToken::make().expect("random numbers").0);
        for (text, is_one) in [
            (format!("{}\n", made.0), true),
            ("0123456789abcde".to_owned(), false),
            ("0123456789abcdef".repeat(17), false),
            ("two words that are long".to_owned(), false),
            (String::new(), false),
        ] {
            fs::write(&path, &text).expect("a file");
            assert_eq!(OperatorToken::of_file(&path).is_ok(), is_one, "{text:?}");
        }
        fs::remove_file(&path).expect("it is there");
        let refusal = OperatorToken::of_file(&path).err().expect("it is gone").to_string();
        assert!(refusal.contains("--operator-token") && refusal.contains("token"), "{refusal}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_and_removed_with_the_server() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("left");
        let path = folder.0.join("broadside/operator-token-8080");
        let mode = |path: &Path| fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777;
        write(&path, "first").expect("it can be left");
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        // A leftover file is replaced, and a link is not followed.
        let elsewhere = folder.0.join("elsewhere");
        fs::write(&elsewhere, "theirs").expect("a file");
        fs::remove_file(&path).expect("it is there");
        symlink(&elsewhere, &path).expect("a link");
        write(&path, "second").expect("it can be left");
        assert_eq!(fs::read_to_string(&elsewhere).expect("a file"), "theirs");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "second\n");
        drop(TokenFile { path: path.clone(), token: "another".to_owned() });
        assert!(path.exists(), "it is another server's");
        drop(TokenFile { path: path.clone(), token: "second".to_owned() });
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_other_users_can_enter_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("folder");
        let (open, link) = (folder.0.join("open"), folder.0.join("link"));
        fs::create_dir(&open).expect("a folder");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("ours");
        let refusal = write(&open.join("token"), "x").expect_err("others can look").to_string();
        assert!(refusal.contains("chmod 700"), "{refusal}");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o700)).expect("ours");
        symlink(&open, &link).expect("a link");
        let refusal = write(&link.join("token"), "x").expect_err("a link").to_string();
        assert!(refusal.contains("link"), "{refusal}");
        assert!(!open.join("token").exists());
    }
}
