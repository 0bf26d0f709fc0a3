//! The operator's token. Where a request comes from says nothing of who asks: a page in any browser on this machine asks from
//! loopback, and so does everyone behind a proxy. So whatever is the operator's alone is done with a token, which only those
//! can read who can read the operator's files.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use broadside_shared::operator::token_files;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use crate::http::fields::trim;

/// Shortest token that is taken from a file, in characters: too many to be guessed over a network.
const TOKEN_MIN: usize = 16;
/// Longest one.
const TOKEN_MAX: usize = 256;

/// What the operator's calls must show.
pub struct OperatorToken(String);

/// What a request shows of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The token.
    Token,
    /// Another one, or something else than one token.
    Wrong,
    /// Nothing.
    Nothing,
}

/// The file in which a token was left for others; it goes with this value.
pub struct TokenFile {
    /// Where it is.
    pub path: PathBuf,
    token: String,
}

impl OperatorToken {
    /// The token in the operator's own file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token.
    pub fn of_file(path: &Path) -> anyhow::Result<OperatorToken> {
        let what = || format!("--operator-token {}", path.display());
        let text = fs::read_to_string(path).with_context(|| format!("{}: cannot be read", what()))?;
        let token = text.trim();
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !(TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) || !token.bytes().all(is_fine) {
            bail!(
                "{}: must hold one line of {TOKEN_MIN} to {TOKEN_MAX} letters, digits and -._~+/=; `openssl rand -hex 32` \
                 makes one",
                what()
            );
        }
        if is_open(path) {
            tracing::warn!(file = %path.display(), "others can read the operator's token: chmod 600");
        }
        Ok(OperatorToken(token.to_owned()))
    }

    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// The system has none.
    pub fn make() -> anyhow::Result<OperatorToken> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
        Ok(OperatorToken(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Leaves it for the operator's programs on this machine, where they look for that of a server on this port.
    ///
    /// # Errors
    /// Why it can be left in none of the folders, the last of them first.
    pub fn leave(&self, port: u16) -> anyhow::Result<TokenFile> {
        let paths = token_files(|name| std::env::var_os(name), &std::env::temp_dir(), uid(), port);
        let mut wrong = anyhow::anyhow!("there is no folder for it");
        for path in paths {
            match write(&path, &self.0) {
                Ok(()) => return Ok(TokenFile { path, token: self.0.clone() }),
                Err(error) => wrong = error.context(path.display().to_string()),
            }
        }
        Err(wrong)
    }

    /// Looks at what a request shows (RFC 6750, section 2.1). Takes as long for a token that is nearly right as for any other.
    #[must_use]
    pub fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), more) = (lines.next(), lines.next()) else { return Shown::Nothing };
        let credentials = line.to_str().ok().and_then(|line| line.split_once(' '));
        let token = match credentials {
            Some((scheme, token)) if more.is_none() && scheme.eq_ignore_ascii_case("bearer") => trim(token),
            Some(_) | None => return Shown::Wrong,
        };
        if bool::from(token.as_bytes().ct_eq(self.0.as_bytes())) { Shown::Token } else { Shown::Wrong }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // Another server on the same port of another address may have left its own there since.
        if fs::read_to_string(&self.path).is_ok_and(|text| text.trim() == self.token) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes the file for the eyes of this user alone. One that is there is left over from a server that did not end in good order.
fn write(path: &Path, token: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("it is in no folder")?;
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
    let mut file = options.open(path).context("cannot be made")?;
    file.write_all(format!("{token}\n").as_bytes()).context("cannot be written")
}

/// Makes the folder, or sees that nobody else can put something in its place or read what is in it.
#[cfg(unix)]
fn open_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).context("cannot make its folder");
        }
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(folder).context("cannot look at its folder")?;
    ensure!(found.is_dir(), "its folder is a file or a link: remove it");
    ensure!(Some(found.uid()) == uid(), "its folder belongs to user {}: remove it", found.uid());
    let mode = found.mode() & 0o777;
    ensure!(mode & 0o077 == 0, "its folder has mode {mode:o}, must be 700: chmod 700 {}", folder.display());
    Ok(())
}

#[cfg(not(unix))]
fn open_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("cannot make its folder")
}

/// Whether a file is open to others than its owner.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> bool {
    false
}

/// The number of the user who runs this, where users have numbers.
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

    /// A folder that is gone when the test is over.
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
    fn only_the_whole_token_in_one_header_is_the_token() {
        let token = OperatorToken("0123456789abcdef".to_owned());
        for (lines, shown) in [
            (&[][..], Shown::Nothing),
            (&["Bearer 0123456789abcdef"], Shown::Token),
            (&["bearer  0123456789abcdef"], Shown::Token),
            (&["Bearer 0123456789abcde"], Shown::Wrong),
            (&["Bearer 0123456789abcdef0"], Shown::Wrong),
            (&["Bearer 0123456789ABCDEF"], Shown::Wrong),
            (&["Bearer "], Shown::Wrong),
            (&["Bearer"], Shown::Wrong),
            (&["0123456789abcdef"], Shown::Wrong),
            (&["Basic 0123456789abcdef"], Shown::Wrong),
            (&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"], Shown::Wrong),
            (&["Bearer x, Bearer 0123456789abcdef"], Shown::Wrong),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(AUTHORIZATION, HeaderValue::from_static(line));
            }
            assert_eq!(token.shown(&headers), shown, "{lines:?}");
        }
    }

    #[test]
    fn tokens_differ_and_a_file_holds_one_or_is_refused() {
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
    fn the_file_is_for_its_owner_alone_and_goes_with_the_server() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("left");
        let path = folder.0.join("broadside/operator-token-8080");
        let mode = |path: &Path| fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777;
        write(&path, "first").expect("it can be left");
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        // One that is left over is replaced, and a link is not followed.
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
    fn a_folder_that_others_can_enter_is_not_used() {
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
