//! Flags that are set by environment variables, and variables that are ignored.

use std::ffi::{OsStr, OsString};

use clap::Command;

/// The flags that environment variables set, and the variables that were ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    set: Vec<Setting>,
    /// Ignored variables of other programs, with their values.
    foreign: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    /// With its dashes.
    flag: String,
    variable: String,
    /// Whether the value is UTF-8.
    is_text: bool,
}

/// How a variable's value applies to its flag.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// Empty, as from `${PORT:-}` in a compose file: counts as unset.
    Empty,
    /// Set for another purpose: for each service NAME, Kubernetes gives every pod a variable `NAME_PORT=tcp://10.96.0.12:8080`; Docker's
    /// links did the same.
    Foreign,
    /// The flag's value.
    Value,
}

impl Meaning {
    fn of(variable: &str, value: &OsStr) -> Meaning {
        let of_a_service = |value: &str| ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
        match value.to_str() {
            Some("") => Meaning::Empty,
            Some(value) if variable.ends_with("_PORT") && of_a_service(value) => Meaning::Foreign,
            Some(_) | None => Meaning::Value,
        }
    }
}

impl Environment {
    /// Finds the variables that set flags of `command`, and removes from `command` those that do not apply. A flag on the command line
    /// overrides its variable.
    pub(crate) fn read(command: Command, argv: &[OsString]) -> (Command, Environment) {
        Environment::read_from(command, argv, |variable| std::env::var_os(variable))
    }

    fn read_from(
        mut command: Command,
        argv: &[OsString],
        look_up: impl Fn(&OsStr) -> Option<OsString>,
    ) -> (Command, Environment) {
        let mut environment = Environment::default();
        let known =
            |arg: &clap::Arg| Some((arg.get_id().clone(), arg.get_long()?.to_owned(), arg.get_env()?.to_owned()));
        let flags: Vec<_> = command.get_arguments().filter_map(known).collect();
        for (id, long, variable) in flags {
            let Some(value) = look_up(&variable) else { continue };
            let (flag, variable) = (format!("--{long}"), variable.to_string_lossy().into_owned());
            if is_given(&flag, argv) {
                continue;
            }
            match Meaning::of(&variable, &value) {
                Meaning::Value => {
                    environment.set.push(Setting { flag, variable, is_text: value.to_str().is_some() });
                }
                Meaning::Empty => command = command.mut_arg(id, |arg| arg.env(None::<&'static str>)),
                Meaning::Foreign => {
                    command = command.mut_arg(id, |arg| arg.env(None::<&'static str>));
                    environment.foreign.push((variable, value.to_string_lossy().into_owned()));
                }
            }
        }
        (command, environment)
    }

    /// Ignored variables of other programs, with their values, for the log.
    #[must_use]
    pub fn foreign(&self) -> &[(String, String)] {
        &self.foreign
    }

    /// `text`, followed by the variables that set the flags it names, since a flag from a variable is not on the command line.
    #[must_use]
    pub fn explain(&self, text: &str) -> String {
        let mut notes: Vec<String> = Vec::new();
        for Setting { flag, variable, is_text } in &self.set {
            if names(text, flag) {
                notes.push(format!("{flag} is set by the environment variable {variable}"));
            } else if !is_text && names(text, "UTF-8") {
                notes.push(format!("the environment variable {variable} is not UTF-8"));
            }
        }
        if notes.is_empty() { text.to_owned() } else { format!("{text} ({})", notes.join(", ")) }
    }
}

/// Whether the command line has this flag, which overrides its variable.
fn is_given(flag: &str, argv: &[OsString]) -> bool {
    let rest = |arg: &OsString| arg.to_string_lossy().strip_prefix(flag).map(str::to_owned);
    argv.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('='))
}

/// Whether `text` contains `word` as a whole word.
fn names(text: &str, word: &str) -> bool {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(of_a_name) && !text[at + word.len()..].starts_with(of_a_name))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "x")]
    struct Args {
        #[arg(long, env = "X_PORT", default_value_t = 8080)]
        port: u16,
        #[arg(long, env = "X_ROOMS", default_value_t = 1)]
        rooms: u16,
        #[arg(long, env = "X_MAX_ROOMS", default_value_t = 9)]
        max_rooms: u16,
    }

    fn read(argv: &[&str], variables: &'static [(&str, &str)]) -> (Command, Environment) {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let look_up = |wanted: &OsStr| {
            let (_, value) = variables.iter().find(|(name, _)| OsStr::new(name) == wanted)?;
            Some(OsString::from(value))
        };
        Environment::read_from(Args::command(), &argv, look_up)
    }

    #[test]
    fn a_message_names_the_variable_behind_a_flag_and_no_other() {
        let (_, environment) = read(&["x", "--port=90"], &[("X_PORT", "80"), ("X_ROOMS", "7")]);
        let text = "--rooms 7: more than --max-rooms 3 allows";
        assert_eq!(environment.explain(text), format!("{text} (--rooms is set by the environment variable X_ROOMS)"));
        for text in ["--port 90: is taken", "--max-rooms 3", "--rooms-of"] {
            assert_eq!(environment.explain(text), text);
        }
    }

    #[test]
    fn variables_of_kubernetes_services_are_ignored_and_empty_ones_are_unset() {
        for value in ["tcp://10.96.0.12:8080", "udp://10.96.0.12:53", "sctp://[fd00::12]:9"] {
            assert_eq!(Meaning::of("X_PORT", OsStr::new(value)), Meaning::Foreign, "{value}");
        }
        assert_eq!(Meaning::of("X_ORIGIN", OsStr::new("tcp://a")), Meaning::Value);
        assert_eq!(Meaning::of("X_PORT", OsStr::new("http://a")), Meaning::Value);
        let given = read(&["x", "--port", "1"], &[("X_PORT", "tcp://10.0.0.1:1")]);
        assert_eq!(given.1, Environment::default());
        let (command, environment) = read(&["x"], &[("X_PORT", "tcp://10.0.0.1:1"), ("X_ROOMS", "")]);
        assert_eq!(environment.foreign(), [("X_PORT".to_owned(), "tcp://10.0.0.1:1".to_owned())]);
        assert_eq!(environment.explain("--port --rooms"), "--port --rooms");
        let still_read: Vec<_> = command.get_arguments().filter_map(Arg::get_env).collect();
        assert_eq!(still_read, ["X_MAX_ROOMS"]);
    }
}
