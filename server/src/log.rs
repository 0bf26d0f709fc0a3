//! The log: lines on standard error that never hold anybody up. The only place that names `tracing-subscriber`.
//!
//! A line goes into a bounded buffer in memory; one thread of its own empties that. When standard error takes nothing, because whoever
//! reads it has stopped or gone, or the disk behind it is full, lines are lost and counted, and nothing else happens.
//!
//! | module | what it holds |
//! |---|---|
//! | `writer` | the buffer, and the thread that empties it |
//! | `crowd` | the bound on lines of one kind a second |

mod crowd;
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
use crowd::Crowd;
use writer::Writer;

pub use writer::lines_lost;

/// The variable that says which lines are written.
const VARIABLE: &str = "RUST_LOG";
/// Time that the end of the program waits for its last lines to be taken.
const FLUSH: Duration = Duration::from_millis(500);

/// The log of this process. Dropped, it waits a moment for its last lines to be written.
pub struct Log {
    writer: Arc<Writer>,
    format: LogFormat,
}

/// Which lines are written.
pub struct Filter(EnvFilter);

impl Filter {
    /// What `RUST_LOG` says; `info` when it is not set, or set to nothing.
    ///
    /// # Errors
    /// Which part of it means nothing, and what one looks like.
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
        let way_out = "must be off, error, warn, info, debug or trace, or such a level for a part of the program, as in \
                       info,broadside_server::net=warn";
        let refuse = |part: &str| format!("{VARIABLE} {text:?}: {part:?} means nothing here; {way_out}");
        // A lone word is the name of a part to the library; a level that is misspelt would silence all others without a word.
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

/// Starts the log of this process: lines to standard error, and panics among them.
///
/// # Errors
/// When the operating system gives no thread, or the process has a log already.
pub fn start(format: LogFormat, Filter(filter): Filter) -> io::Result<Log> {
    let (writer, crowd) = (Arc::new(Writer::default()), Arc::new(Crowd::default()));
    let told = Arc::clone(&crowd);
    writer::spawn(&writer, io::stderr(), move || told.tell())?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines(Arc::clone(&writer)))
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false);
    let subscriber = tracing_subscriber::registry().with(filter).with(crowd::Layer(crowd));
    let begun = match format {
        LogFormat::Text => subscriber.with(lines).try_init(),
        LogFormat::Json => subscriber.with(lines.json()).try_init(),
    };
    begun.map_err(io::Error::other)?;
    std::panic::set_hook(Box::new(tell_panic));
    Ok(Log { writer, format })
}

impl Log {
    /// Writes why the program ends: one line, for people as `error: ...`, whatever `RUST_LOG` leaves out.
    pub fn error(&self, why: &str) {
        let line = match self.format {
            LogFormat::Text => format!("error: {}\n", why.replace('\n', " ")),
            LogFormat::Json => {
                let mut timestamp = String::new();
                // It fails only if a string does not take what is written to it.
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

/// Panics are lines like all others. Whatever this does must not panic itself: that would be the end of the process.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let why = panic.payload_as_str().unwrap_or("no reason given");
    let place = panic.location().map_or_else(String::new, ToString::to_string);
    tracing::error!(thread = std::thread::current().name(), place, why, "panic");
}

/// Gives a place to write a line to, by its level.
struct Lines(Arc<Writer>);

/// One line.
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
    fn a_filter_that_means_nothing_is_refused_with_the_part_and_what_one_looks_like() {
        for (text, part) in [
            ("loud", "loud"),
            ("info,verbos", "verbos"),
            ("broadside_server=chatty", "broadside_server=chatty"),
            ("info,=warn", "=warn"),
            ("8", "8"),
        ] {
            let Err(refusal) = Filter::parse(text) else { panic!("{text} is taken") };
            assert!(refusal.contains(&format!("{part:?} means nothing here; must be off, error, warn")), "{refusal}");
        }
        for fine in
            ["", " ", "off", "WARN", "info,broadside_server::net=warn", "info, hyper=debug,", "broadside_server", "3"]
        {
            assert!(Filter::parse(fine).is_ok(), "{fine:?}");
        }
    }
}
