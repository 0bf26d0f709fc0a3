//! Command-line conventions shared by all programs.
//!
//! - A refusal is one line with the flag, the value, the limit and the way out. Its exit status is [`REFUSED`].
//! - A negative number is accepted as a value, so that its refusal names its flag.
//! - The refusal of a value from an environment variable names the variable.
//! - An empty variable counts as unset. A variable that Kubernetes sets for a service of the same name is ignored.
//!
//! Absent on purpose: the flags themselves, which are defined next to the code that uses them.

mod environment;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::error::ErrorKind as Refusal;
use clap::{Command, Parser};

pub use environment::Environment;

/// Exit status for wrong flags or variables, the same as clap's.
pub const REFUSED: u8 = 2;

/// Parses the flags from the command line and the environment; also gives the flags that the environment set. Exits with [`REFUSED`]
/// and a one-line message if something is wrong, and with 0 after `--help` and `--version`.
#[must_use]
pub fn parse<T: Parser>() -> (T, Environment) {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let (command, environment) = Environment::read(T::command(), &argv);
    let parsed =
        with_negative_numbers(command).try_get_matches_from(&argv).and_then(|matches| T::from_arg_matches(&matches));
    match parsed {
        Ok(parsed) => (parsed, environment),
        Err(wrong) => match wrong.kind() {
            Refusal::DisplayHelp | Refusal::DisplayVersion | Refusal::DisplayHelpOnMissingArgumentOrSubcommand => {
                wrong.exit()
            }
            _ => refuse(&environment.explain(&one_line(&wrong.to_string()))),
        },
    }
}

/// Exits with [`REFUSED`] and a one-line reason.
pub fn refuse(why: &str) -> ! {
    say(&format!("error: {why}"));
    std::process::exit(REFUSED.into())
}

/// Writes a line to standard error. Errors are ignored, because there is no other place to report them.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Parses a flag's number within a range.
///
/// # Errors
/// The range and the unit, for clap to show behind the flag and its value.
pub fn in_range<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
    unit: &str,
) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(value) if range.contains(&value) => Ok(value),
        Ok(_) | Err(_) => Err(format!("must be {} to {}{unit}", range.start(), range.end())),
    }
}

/// The message for a program that cannot listen on `address`, with the way out. `port_flag` is the flag that names the port.
#[must_use]
pub fn cannot_listen(address: SocketAddr, error: &io::Error, port_flag: &str) -> String {
    let port = address.port();
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            format!("port {port} is taken: end the program that has it, or choose another with {port_flag}")
        }
        ErrorKind::AddrNotAvailable => format!(
            "{} is no address of this machine: give --host one of its own, or 0.0.0.0 for all of them",
            address.ip()
        ),
        ErrorKind::PermissionDenied if port < 1024 => format!(
            "ports below 1024 need a permission: choose another with {port_flag}, or grant CAP_NET_BIND_SERVICE"
        ),
        _ => format!("{error}: choose another address with --host, or another port with {port_flag}"),
    };
    format!("cannot listen on {address}: {why}")
}

/// Lets `-1` be the value of the flag before it, here and in every subcommand; by default clap takes it for an unknown flag.
fn with_negative_numbers(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let takes_value = arg.get_action().takes_values();
            arg.allow_negative_numbers(takes_value)
        })
        .mut_subcommands(with_negative_numbers)
}

/// Joins the lines of a message from clap into one, without the `error:` prefix and the usage, which `--help` shows.
fn one_line(refusal: &str) -> String {
    let mut line = String::new();
    let text = refusal.strip_prefix("error: ").unwrap_or(refusal);
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"));
    for part in lines.filter(|part| !part.is_empty()) {
        match (line.is_empty(), part.starts_with("tip:")) {
            (true, _) => {}
            (false, true) => line.push_str("; "),
            (false, false) => line.push(' '),
        }
        line.push_str(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "x")]
    struct Args {
        #[arg(long, value_parser = |text: &str| in_range::<u16>(text, 1..=9, " cats"))]
        cats: Option<u16>,
        #[arg(long)]
        loud: bool,
        #[arg(long, value_parser = ["red", "green"])]
        color: Option<String>,
        #[command(subcommand)]
        sub: Option<Sub>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Sub {
        Feed {
            #[arg(long, value_parser = |text: &str| in_range::<f32>(text, 0.0..=1.0, ""))]
            much: f32,
        },
    }

    fn refusal(argv: &[&str]) -> String {
        let argv = std::iter::once("x").chain(argv.iter().copied());
        let wrong = with_negative_numbers(<Args as clap::CommandFactory>::command()).try_get_matches_from(argv);
        one_line(&wrong.expect_err("wrong").to_string())
    }

    #[test]
    fn a_refusal_is_one_line_that_names_flag_value_and_limit() {
        for (argv, says) in [
            (&["--cats", "-1"][..], "invalid value '-1' for '--cats <CATS>': must be 1 to 9 cats"),
            (&["--cats", "-1.5e3"], "invalid value '-1.5e3' for '--cats <CATS>': must be 1 to 9 cats"),
            (&["--cats=-1"], "invalid value '-1' for '--cats <CATS>': must be 1 to 9 cats"),
            (&["--cats", "ten"], "invalid value 'ten' for '--cats <CATS>': must be 1 to 9 cats"),
            (&["feed", "--much", "-0.5"], "invalid value '-0.5' for '--much <MUCH>': must be 0 to 1"),
            (&["--cats"], "a value is required for '--cats <CATS>' but none was supplied"),
            (&["--color", "blue"], "invalid value 'blue' for '--color <COLOR>' [possible values: red, green]"),
            (&["--cat", "3"], "unexpected argument '--cat' found; tip: a similar argument exists: '--cats'"),
            (&["--loud=yes"], "unexpected value 'yes' for '--loud' found; no more were expected"),
            (&["feed"], "the following required arguments were not provided: --much <MUCH>"),
        ] {
            assert_eq!(refusal(argv), says);
        }
    }

    #[test]
    fn an_address_that_cannot_be_listened_on_is_refused_with_the_flag_that_helps() {
        let v4 = |port| SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), port));
        for (kind, address, says) in [
            (
                ErrorKind::AddrInUse,
                v4(8080),
                "192.0.2.1:8080: port 8080 is taken: end the program that has it, or choose another with --port",
            ),
            (
                ErrorKind::AddrNotAvailable,
                v4(8080),
                "192.0.2.1 is no address of this machine: give --host one of its own",
            ),
            (ErrorKind::PermissionDenied, v4(80), "ports below 1024 need a permission: choose another with --port"),
            (
                ErrorKind::Unsupported,
                SocketAddr::from((Ipv6Addr::LOCALHOST, 1)),
                "[::1]:1: unsupported: choose another address with --host, or another port with --port",
            ),
        ] {
            let message = cannot_listen(address, &kind.into(), "--port");
            assert!(message.contains(says), "{message}");
        }
    }
}
