//! The log: lines on standard error that never block the caller. The only user of `tracing-subscriber`.
//!
//! Lines go into a bounded buffer in memory, which a dedicated thread writes out. If standard error accepts nothing, because its reader
//! has stopped or its disk is full, lines are dropped and counted.
//!
//! | module | what it holds |
//! |---|---|
//! | `writer` | the buffer and the thread that writes it out |
//! | `rate_limit` | the limit on lines of one kind per second |

mod rate_limit;
mod writer;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer as Formatted;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use rate_limit::LineLimiter;
use writer::Writer;

pub(crate) use writer::lines_lost;

/// The environment variable that selects the lines.
const VARIABLE: &str = "RUST_LOG";
/// Time that the end of the program waits for the last lines to be written.
const FLUSH: Duration = Duration::from_millis(500);

/// The log of this process. Dropping it flushes the last lines, for at most [`FLUSH`].
pub struct Log {
    writer: Arc<Writer>,
    format: LogFormat,
}

/// Selects the lines that are written.
pub struct Filter(EnvFilter);

impl Filter {
    /// Parses `RUST_LOG`; `info` if it is unset or empty.
    ///
    /// # Errors
    /// The invalid part, with examples.
    pub fn from_environment() -> Result<Filter, String> {
        let text = match std::env::var(VARIABLE) {
            Ok(text) => text,
            Err(std::env::VarError::NotPresent) => String::new(),
            Err(std::env::VarError::NotUnicode(text)) => return Err(format!("{VARIABLE} {text:?}: is not UTF-8")),
        };
        Filter::parse(&text)
    }

    fn parse(text: &str) -> Result<Filter, String> {
        let text = if text.trim().is_empty() { "info" } else { text };
        let way_out = "must be off, error, warn, info, debug or trace, or a level for a part of the program, such as \
                       info,broadside_server::net=warn";
        let refuse = |part: &str| format!("{VARIABLE} {text:?}: {part:?} is not a valid filter; {way_out}");
        // The library takes a lone word as a target: a misspelt level would silently disable everything else.
        let is_known = |word: &str| {
            word.contains(['=', '[']) || word.starts_with("broadside") || word.parse::<LevelFilter>().is_ok()
        };
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        if let Some(unknown) =
            parts().find(|part| !is_known(part) || part.parse::<tracing_subscriber::filter::Directive>().is_err())
        {
            return Err(refuse(unknown));
        }
        let joined = parts().collect::<Vec<_>>().join(",");
        EnvFilter::builder().parse(&joined).map(Filter).map_err(|_| refuse(text))
    }
}

/// Starts the log of this process on standard error, including panics.
///
/// # Errors
/// The thread cannot be started, or the process already has a log.
pub fn start(format: LogFormat, Filter(filter): Filter) -> io::Result<Log> {
    let (writer, limiter) = (Arc::new(Writer::default()), Arc::new(LineLimiter::default()));
    let summary = Arc::clone(&limiter);
    writer::spawn(&writer, io::stderr(), move || summary.log_suppressed())?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines(Arc::clone(&writer)))
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false);
    let subscriber = tracing_subscriber::registry().with(filter).with(rate_limit::Layer(limiter));
    let started = match format {
        LogFormat::Text => subscriber.with(lines).try_init(),
        LogFormat::Json => subscriber.with(lines.json()).try_init(),
    };
    started.map_err(io::Error::other)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log { writer, format })
}

impl Log {
    /// Writes the reason why the program ends as one line, in text format as `error: ...`, regardless of `RUST_LOG`.
    pub fn error(&self, why: &str) {
        let line = match self.format {
            LogFormat::Text => format!("error: {}\n", why.replace('\n', " ")),
            LogFormat::Json => {
                let mut timestamp = String::new();
                // Writing to a string cannot fail.
                let _ = SystemTime.format_time(&mut Formatted::new(&mut timestamp));
                let fields = serde_json::json!({ "message": why });
                let level = Level::ERROR.as_str();
                let target = env!("CARGO_CRATE_NAME");
                format!(
                    "{}\n",
                    serde_json::json!({ "timestamp": timestamp, "level": level, "fields": fields, "target": target })
                )
            }
        };
        self.writer.put(line.as_bytes(), Level::ERROR);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.writer.flush(FLUSH);
    }
}

/// Logs a panic like any other line. Must not panic itself: that would abort the process.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let why = panic.payload_as_str().unwrap_or("no reason given");
    let place = panic.location().map_or_else(String::new, ToString::to_string);
    tracing::error!(thread = std::thread::current().name(), place, why, "panic");
}

/// Makes a writer per line, with the level of the line.
struct Lines(Arc<Writer>);

/// The writer of one line.
struct Line<'a> {
    writer: &'a Writer,
    level: Level,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { writer: &self.0, level: Level::ERROR }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line<'a> {
        Line { writer: &self.0, level: *about.level() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.writer.put(line, self.level);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_filter_is_refused_with_the_part_and_examples() {
        for (text, part) in [
            ("loud", "loud"),
            ("info,verbos", "verbos"),
            ("broadside_server=chatty", "broadside_server=chatty"),
            ("info,=warn", "=warn"),
            ("8", "8"),
        ] {
            let Err(refusal) = Filter::parse(text) else { panic!("{text} is accepted") };
            assert!(
                refusal.contains(&format!("{part:?} is not a valid filter; must be off, error, warn")),
                "{refusal}"
            );
        }
        for fine in
            ["", " ", "off", "WARN", "info,broadside_server::net=warn", "info, hyper=debug,", "broadside_server", "3"]
        {
            assert!(Filter::parse(fine).is_ok(), "{fine:?}");
        }
    }
}
