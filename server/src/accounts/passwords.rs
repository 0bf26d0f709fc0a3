//! Passwords: which are accepted, and hashing that leaves the cores to the ticks.
//!
//! Argon2id with the parameters that OWASP recommends takes 19 MiB and tens of milliseconds of a core for each hash. So few run at a time, some
//! more wait, and the rest are refused at once: a storm of sign-ins costs at most the cores' share given here, and no memory beyond it.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use broadside_shared::protocol::name::Name;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use super::AccountError;
use crate::lobby::names::Looks;

/// Fewest characters of a password.
pub(crate) const PASSWORD_MIN: usize = 8;
/// Most characters of a password.
pub(crate) const PASSWORD_MAX: usize = 128;
/// Memory of a hash, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Hashes that may wait; further ones are refused.
const WAITING_MAX: usize = 32;
/// Hashes that run at a time, at most; on fewer than four cores one.
const RUNNING_MAX: usize = 2;
/// Seconds after which who is refused may try again: the queue is empty then.
const BUSY_S: u64 = 3;

/// A hash with our parameters that no password has: for names that nobody has, so that they take as long as others.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$Y4KzzIgUErd7/K7tAmABwA2eMCXmbCD25+kvB5hRRio";

/// A password as entered, in normal form C: the same on every keyboard. Deliberately not `Debug`.
#[derive(Clone)]
pub(crate) struct Password(String);

/// Hashes passwords, a few at a time.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// One permit for each hash that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each that runs.
    running: Arc<Semaphore>,
    /// How many were refused.
    refused: Counter,
}

impl Password {
    /// A password that somebody signs in with; `None` if no account can have it.
    pub(crate) fn entered(text: &str) -> Option<Password> {
        // Bounds the work of normalizing.
        if text.len() > PASSWORD_MAX * 16 {
            return None;
        }
        let text: String = text.nfc().collect();
        (PASSWORD_MIN..=PASSWORD_MAX).contains(&text.chars().count()).then_some(Password(text))
    }

    /// A password that somebody chooses for an account of this name.
    ///
    /// # Errors
    /// [`AccountError::BadPassword`] if it is too short, too long, or among the first that anybody would guess.
    pub(crate) fn chosen(text: &str, name: &Name) -> Result<Password, AccountError> {
        let refuse = |why: String| Err(AccountError::BadPassword(why));
        let Some(password) = Password::entered(text) else {
            let length = text.nfc().take(PASSWORD_MAX * 16).count();
            return refuse(format!("has {length} characters, must have {PASSWORD_MIN} to {PASSWORD_MAX}"));
        };
        if is_like_name(&password.0, name) {
            return refuse("is the name itself; choose another one".to_owned());
        }
        if is_common(&password.0) {
            return refuse("is among those that are tried first; choose another one, such as four words".to_owned());
        }
        Ok(password)
    }
}

/// Whether a password is the name, perhaps with digits or signs around it.
fn is_like_name(password: &str, name: &Name) -> bool {
    let bare = |text: &str| text.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    let (password, of_name) = (bare(password), bare(name.as_str()));
    let looks = Name::new(&password).is_ok_and(|password| Looks::of(&password).meet(&Looks::of(name)));
    looks || (!of_name.is_empty() && password == of_name)
}

/// Whether a password is among the commonest: by the rules that people follow, which is most of every published list.
fn is_common(password: &str) -> bool {
    /// What people start from.
    const WORDS: &str = "password passwort passw qwerty qwertz azerty letmein welcome iloveyou dragon monkey football \
        baseball basketball soccer hockey superman batman starwars pokemon princess sunshine shadow master \
        michael jennifer jessica charlie jordan ashley daniel hello secret trustno whatever freedom computer \
        internet summer winter spring autumn admin login test guest changeme default";
    /// Rows of keyboards, and other sequences.
    const SEQUENCES: [&str; 9] = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "qwertyuiop",
        "qwertzuiop",
        "azertyuiop",
        "asdfghjkl",
        "zxcvbnm",
        "1q2w3e4r5t6z",
        "1q2w3e4r5t6y",
    ];
    let lower = password.to_lowercase();
    let chars: Vec<char> = lower.chars().collect();
    // One to four characters over and over.
    if (1..=4).any(|unit| chars.iter().enumerate().all(|(at, c)| *c == chars[at % unit])) {
        return true;
    }
    // The same word twice, or one with digits and signs around it.
    let half: String = chars[..chars.len() / 2].iter().collect();
    let is_sign = |c: char| !c.is_alphabetic();
    let is_word = |text: &str| {
        let tried = [text.trim_matches(is_sign), text.trim_end_matches(is_sign)];
        let is_known = |text: &str| WORDS.split(' ').any(|word| word == text);
        tried.into_iter().any(|text| is_known(text) || is_known(&text.chars().map(unspelled).collect::<String>()))
    };
    if is_word(&lower) || (lower == format!("{half}{half}") && is_word(&half)) {
        return true;
    }
    // A year or a date, and nothing but digits that short.
    if chars.len() <= 10 && chars.iter().all(char::is_ascii_digit) {
        return true;
    }
    let reversed: String = chars.iter().rev().collect();
    let bare = |text: &str| text.trim_end_matches(['!', '.', '?', '*', '#']).to_owned();
    SEQUENCES.iter().any(|row| {
        let twice = format!("{row}{row}");
        [&lower, &reversed].into_iter().any(|text| !bare(text).is_empty() && twice.contains(&bare(text)))
    })
}

/// The letter that a sign stands for in "p4ssw0rd".
fn unspelled(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    }
}

impl Passwords {
    /// As many at a time as half the cores, at most [`RUNNING_MAX`].
    pub(crate) fn new(refused: Counter) -> Passwords {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Passwords::with((cores / 2).clamp(1, RUNNING_MAX), WAITING_MAX, refused)
    }

    fn with(running: usize, waiting: usize, refused: Counter) -> Passwords {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Passwords { admitted: semaphore(running + waiting), running: semaphore(running), refused }
    }

    /// The hash of a password, in the PHC string format.
    ///
    /// # Errors
    /// [`AccountError::Busy`] if too many wait.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, AccountError> {
        let hash = move || match argon2().hash_password(password.0.as_bytes()) {
            Ok(hash) => Ok(hash.to_string()),
            Err(error) => {
                tracing::error!(%error, "a password cannot be hashed");
                Err(AccountError::Failed)
            }
        };
        self.run(hash).await?
    }

    /// Whether a password has this hash. Takes as long without a hash, and is false then.
    ///
    /// # Errors
    /// [`AccountError::Busy`] if too many wait.
    pub(crate) async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, AccountError> {
        let verify = move || {
            let is_of = |hash: &PasswordHash| argon2().verify_password(password.0.as_bytes(), hash).is_ok();
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS));
            parsed.is_ok_and(|parsed| is_of(&parsed)) && hash.is_some()
        };
        self.run(verify).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| {
            self.refused.inc();
            AccountError::Busy(BUSY_S)
        })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AccountError::Failed)?;
        // The permits end with the work, which goes on when its request is given up.
        let hashed = tokio::task::spawn_blocking(move || {
            let _permits = (admitted, running);
            work()
        });
        hashed.await.map_err(|error| {
            tracing::error!(%error, "hashing failed");
            AccountError::Failed
        })
    }
}

fn argon2() -> Argon2<'static> {
    const _: () = assert!(MEMORY_KIB >= 8 && PASSES >= 1);
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("parameters within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_tried_first_are_refused_and_others_are_not() {
        let name = Name::new("Ann Bonny").expect("a name");
        let refusal = |text: &str| match Password::chosen(text, &name) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        for (text, says) in [
            ("short", "has 5 characters, must have 8 to 128"),
            ("", "has 0 characters"),
            (&"x y".repeat(50), "has 150 characters"),
            (&"x".repeat(100_000), "must have 8 to 128"),
            ("ann bonny", "is the name itself"),
            ("Ann Bonny1!", "is the name itself"),
            ("аnn bоnny", "is the name itself"),
            ("password", "tried first"),
            ("P4ssw0rd!", "tried first"),
            ("Welcome2026!", "tried first"),
            ("12345678", "tried first"),
            ("1234567890", "tried first"),
            ("87654321", "tried first"),
            ("19840203", "tried first"),
            ("qwertyuiop", "tried first"),
            ("asdfghjkl", "tried first"),
            ("1q2w3e4r", "tried first"),
            ("abcdefgh", "tried first"),
            ("aaaaaaaa", "tried first"),
            ("abcabcabc", "tried first"),
            ("monkeymonkey", "tried first"),
            ("iloveyou1", "tried first"),
        ] {
            assert!(refusal(text).contains(says), "{text}: {}", refusal(text));
        }
        for text in [
            "correct horse",
            "tr0ub4dor&3",
            "пароль моряка",
            "пiрат-ship-77",
            "🏴‍☠️🚢🌊⚓🦜💣🗺️🌴",
            "annbonnysailsagain",
            "8371920465120",
        ] {
            assert_eq!(refusal(text), "", "{text}");
        }
    }

    #[tokio::test]
    async fn a_password_is_known_again_however_its_letters_are_composed() {
        let passwords = Passwords::with(1, 4, Counter::default());
        let entered = |text| Password::entered(text).expect("long enough");
        let hash = passwords.hash(entered("pi\u{f1}ata night")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let is = async |text, hash: Option<&String>| passwords.verify(entered(text), hash.cloned()).await;
        assert_eq!(is("pin\u{303}ata night", Some(&hash)).await, Ok(true));
        assert_eq!(is("pinata night", Some(&hash)).await, Ok(false));
        assert_eq!(is("pinata night", Some(&"damaged".to_owned())).await, Ok(false));
        assert_eq!(is("pinata night", None).await, Ok(false), "nobody has it");
        assert_ne!(passwords.hash(entered("pi\u{f1}ata night")).await, Ok(hash), "each has its salt");
    }

    #[test]
    fn a_name_that_nobody_has_takes_a_hash_of_the_same_parameters() {
        let nobodys = PasswordHash::new(NOBODYS).expect("a hash");
        let real = argon2().hash_password(b"whatever else").expect("hashed");
        assert_eq!(
            (nobodys.algorithm, nobodys.version, nobodys.params.to_string()),
            (real.algorithm, real.version, real.params.to_string())
        );
        let lengths = |hash: &PasswordHash| (hash.salt.map(|salt| salt.len()), hash.hash.map(|hash| hash.len()));
        assert_eq!(lengths(&nobodys), lengths(&real));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn beyond_the_queue_hashes_are_refused_and_never_more_than_its_share_run() {
        let passwords = Passwords::with(1, 2, Counter::default());
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let blocked = passwords.run(move || ended.recv());
        let waiting = [(); 2].map(|()| passwords.run(|| ()));
        let all = async {
            let [first, second] = waiting;
            tokio::join!(blocked, first, second)
        };
        let more = async {
            assert_eq!(passwords.run(|| ()).await, Err(AccountError::Busy(BUSY_S)));
            assert_eq!((passwords.running.available_permits(), passwords.refused.get()), (0, 1));
            end.send(()).expect("it waits");
        };
        let ((blocked, first, second), ()) = tokio::join!(all, more);
        assert_eq!((blocked, first, second), (Ok(Ok(())), Ok(()), Ok(())));
        assert_eq!(passwords.run(|| 7).await, Ok(7));
    }
}
