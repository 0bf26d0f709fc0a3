//! Numbers that the documents quote equal the constants of the code.

use crate::source::{Finding, SourceFile, code_only};

/// A number in a document, and where the code has it.
struct Quote {
    document: &'static str,
    /// What the document says, on one line, with `{}` for the number.
    says: &'static str,
    file: &'static str,
    /// A constant, or in lower case a flag of the server with its default.
    name: &'static str,
    /// What one unit of the document is in units of the code: 1,000,000 for seconds in a document and microseconds in the code.
    per: f64,
}

const fn quote(document: &'static str, says: &'static str, file: &'static str, name: &'static str, per: f64) -> Quote {
    Quote { document, says, file, name, per }
}

const README: &str = "README.md";
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";
const GLOSSARY: &str = "docs/GLOSSARY.md";
const OPERATIONS: &str = "docs/OPERATIONS.md";
const PROTOCOL: &str = "docs/PROTOCOL.md";
const STATES: &str = "docs/decisions/0001-states-not-encoded-cells.md";

const LIMITS: &str = "shared/src/protocol/limits.rs";
const WORLD: &str = "shared/src/replication/world.rs";
const HISTORY: &str = "shared/src/history.rs";
const CELLS: &str = "shared/src/replication/cells.rs";
const RULES: &str = "games/arena/src/rules.rs";
const ROOM: &str = "server/core/src/room/mod.rs";
const PHASE: &str = "server/core/src/room/phase.rs";
const FLOW: &str = "server/core/src/fanout/flow.rs";
const CONFIG: &str = "server/src/config.rs";
const SHARD: &str = "server/src/net/shard.rs";
const TRANSPORT: &str = "server/src/net/transport.rs";

const KIB: f64 = 1024.0;

const QUOTES: &[Quote] = &[
    quote(README, "runs the world at {} ticks per second", RULES, "TICK_HZ", 1.0),
    quote(README, "may open more than {} connections", CONFIG, "LIMIT_PER_ADDRESS", 1.0),
    quote(ARCHITECTURE, "looks at its sockets at most every {} ms", SHARD, "READ_EVERY", 1.0),
    quote(ARCHITECTURE, "whole cells ({} units square)", CELLS, "SIZE", 1.0),
    quote(ARCHITECTURE, "until it is {} units beyond the border", "shared/src/replication/state.rs", "LINGER", 1.0),
    quote(STATES, "the last {} ticks (`HISTORY_TICKS`", WORLD, "HISTORY_TICKS", 1.0),
    quote(STATES, "players; {} ticks take 2.25 times as much", WORLD, "HISTORY_TICKS", 1.0),
    quote(GLOSSARY, "The poses of the last {} ticks.", HISTORY, "HISTORY_TICKS", 1.0),
    quote(GLOSSARY, "at most {} ms back", HISTORY, "REWIND_MS_MAX", 1.0),
    quote(GLOSSARY, "The replicated world of the last {} ticks", WORLD, "HISTORY_TICKS", 1.0),
    quote(GLOSSARY, "A square of the world, {} units wide", CELLS, "SIZE", 1.0),
    quote(GLOSSARY, "A seat kept for {} s", "server/src/lobby/directory.rs", "RESERVATION_S", 1.0),
    quote(OPERATIONS, "| `--capacity` | {} |", CONFIG, "capacity", 1.0),
    quote(OPERATIONS, "| `--max-rooms` | {} |", CONFIG, "max_rooms", 1.0),
    quote(OPERATIONS, "| `--room-life` | {} h |", CONFIG, "room_life", 3600.0),
    quote(OPERATIONS, "| `--bots` | {} |", CONFIG, "bots", 1.0),
    quote(OPERATIONS, "| `--grace` | {} s |", LIMITS, "GRACE_S", 1.0),
    quote(OPERATIONS, "| `--max-connections` | {} |", CONFIG, "max_connections", 1.0),
    quote(OPERATIONS, "| `--limit-per-address` | {} |", CONFIG, "LIMIT_PER_ADDRESS", 1.0),
    quote(OPERATIONS, "at most {} KiB wait in the server for one client", TRANSPORT, "OUTBOX_MAX", KIB),
    quote(OPERATIONS, "no client has more than {} snapshots unacknowledged", FLOW, "UNACKED_MAX", 1.0),
    quote(OPERATIONS, "of the {} of each room", ROOM, "SPECTATORS_MAX", 1.0),
    quote(OPERATIONS, "then 408); {} KiB of body", "server/src/http/mod.rs", "BODY_MAX_BYTES", KIB),
    quote(OPERATIONS, "after {} s without progress", "server/src/net/paced.rs", "STALL_MAX", 1.0),
    quote(OPERATIONS, "When {} MiB of answers are in flight", "server/src/http/in_flight.rs", "TOTAL_KIB", KIB),
    quote(OPERATIONS, "wait in a buffer of {} MiB", "server/src/log/writer.rs", "WAITING_BYTES_MAX", KIB * KIB),
    quote(OPERATIONS, "At most {} lines per second", "server/src/log/rate_limit.rs", "LINES_PER_SECOND_MAX", 1.0),
    quote(PROTOCOL, "the head of the request is longer than {} KiB", "server/src/net/bounds.rs", "HEAD_MAX", KIB),
    quote(PROTOCOL, "the server waits {} s for the answer", SHARD, "CLOSING_US", 1_000_000.0),
    quote(PROTOCOL, "reads at most {} KiB", "server/src/net/conn.rs", "BYTES_AFTER_CLOSE", KIB),
    quote(PROTOCOL, "assumes a round trip of {} ms", FLOW, "FIRST_RTT_US", 1000.0),
    quote(PROTOCOL, "reads nothing until {} KiB of answers wait", TRANSPORT, "OUTBOX_MAX", KIB),
    quote(PROTOCOL, "In a room of fewer than {} clients", PHASE, "TOGETHER_MAX", 1.0),
    quote(PROTOCOL, "From {} clients on they are spread out", PHASE, "SPREAD_MIN", 1.0),
    quote(PROTOCOL, "a room takes {}, and one address", ROOM, "SPECTATORS_MAX", 1.0),
];

pub(crate) fn findings(files: &[SourceFile]) -> Vec<Finding> {
    compared(files, QUOTES)
}

fn compared(files: &[SourceFile], quotes: &[Quote]) -> Vec<Finding> {
    quotes.iter().filter_map(|quote| quote.wrong(files)).collect()
}

impl Quote {
    /// What is wrong with this quote, if anything.
    fn wrong(&self, files: &[SourceFile]) -> Option<Finding> {
        let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
        let (line, what) = match (self.quoted(text(self.document)), value(text(self.file), self.name)) {
            (Some((_, number)), Some(value)) if number * self.per == value => return None,
            (Some((line, number)), Some(value)) => {
                let should = value / self.per;
                (
                    line,
                    format!(
                        "says {number}, and {} in {} makes it {should}: correct the document",
                        self.name, self.file
                    ),
                )
            }
            (None, _) => (1, format!("\"{}\" is not here: correct the entry in xtask/src/numbers.rs", self.says)),
            (Some((line, _)), None) => {
                let way_out = "correct the entry in xtask/src/numbers.rs";
                (line, format!("no number `{}` in {} to compare with: {way_out}", self.name, self.file))
            }
        };
        Some(Finding { path: self.document.into(), line, what })
    }

    /// The number that stands in `document`, with its line. A line break counts as a blank.
    fn quoted(&self, document: &str) -> Option<(usize, f64)> {
        let (before, after) = self.says.split_once("{}").expect("a quote has a place for its number");
        let text = document.replace('\n', " ");
        text.match_indices(before).find_map(|(at, _)| {
            let start = at + before.len();
            let length = text[start..].find(|c: char| !c.is_ascii_digit() && !",.".contains(c))?;
            let length = text[start..start + length].trim_end_matches([',', '.']).len();
            let number = text[start..start + length].replace(',', "").parse().ok()?;
            text[start + length..].starts_with(after).then(|| (document[..start].lines().count(), number))
        })
    }
}

/// The value of the constant or the default of the flag `name`, as declared in the Rust file `text`.
fn value(text: &str, name: &str) -> Option<f64> {
    let code = code_only(text);
    if name.starts_with(|c: char| c.is_lowercase()) {
        // Of all defaults before the field, the last one is its own.
        let (before, _) = code.split_once(&format!("pub {name}: "))?;
        let (_, default) = before.rsplit_once("default_value_t = ")?;
        return Expression::value(&code, default.split_once(", ")?.0);
    }
    let declared = code.find(&format!("const {name}: "))?;
    let expression = code[declared..].split_once('=')?.1.split_once(';')?.0;
    Expression::value(&code, expression)
}

/// Sums and products of numbers and of constants of the same file.
struct Expression<'a> {
    code: &'a str,
    tokens: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl Expression<'_> {
    fn value(code: &str, text: &str) -> Option<f64> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && !"_.:".contains(c)).unwrap_or(rest.len());
            let length = if word > 0 { word } else { first.len_utf8() };
            tokens.push(rest[..length].to_string());
            rest = rest[length..].trim_start();
        }
        let mut expression = Expression { code, tokens: tokens.into_iter().peekable() };
        let value = expression.sum()?;
        expression.tokens.next().is_none().then_some(value)
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        loop {
            if self.tokens.next_if_eq("+").is_some() {
                value += self.product()?;
            } else if self.tokens.next_if_eq("-").is_some() {
                value -= self.product()?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.operand()?;
        loop {
            if self.tokens.next_if_eq("*").is_some() {
                value *= self.operand()?;
            } else if self.tokens.next_if_eq("/").is_some() {
                value /= self.operand()?;
            } else {
                return Some(value);
            }
        }
    }

    fn operand(&mut self) -> Option<f64> {
        let token = self.tokens.next()?;
        // `Duration::from_secs(8)` is worth 8, in the unit that its name says.
        if token == "(" || self.tokens.next_if_eq("(").is_some() {
            let value = self.sum();
            return self.tokens.next_if_eq(")").and(value);
        }
        token.replace('_', "").parse().ok().or_else(|| value(self.code, &token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str, code: &str, says: &'static str, name: &'static str, per: f64) -> Vec<(usize, String)> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let files = [file(README, document), file(LIMITS, code)];
        compared(&files, &[quote(README, says, LIMITS, name, per)])
            .into_iter()
            .map(|finding| (finding.line, finding.what))
            .collect()
    }

    #[test]
    fn a_number_is_compared_in_the_units_of_the_document() {
        let code = "const HALF: u64 = 2;\npub const WAIT_US: u64 = (HALF + 3) * 1_000_000; // 7";
        assert_eq!(found("one\nwaits\n5, s.", code, "waits {}, s", "WAIT_US", 1e6), []);
        assert_eq!(found("one\nwaits 6 s.", code, "waits {} s", "WAIT_US", 1e6)[0].0, 2);
        assert_eq!(found("10,000 ms", "const A: Duration = Duration::from_millis(10_000);", "{} ms", "A", 1.0), []);
        let flags =
            "#[arg(default_value_t = 9, env)]\npub bots: u16,\n#[arg(long, default_value_t = 8, env)]\npub rooms: u16,";
        assert_eq!(found("8 rooms", flags, "{} rooms", "rooms", 1.0), []);
    }

    #[test]
    fn a_quote_or_a_constant_that_is_gone_is_found() {
        assert_eq!(found("waits long", "const A: u8 = 1;", "waits {} s", "A", 1.0).len(), 1);
        assert_eq!(found("waits 1 s", "const B: u8 = 1;", "waits {} s", "A", 1.0).len(), 1);
    }
}
