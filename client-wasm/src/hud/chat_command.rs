//! What somebody typed into the chat: words for all, words for one, or a command.

/// What is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// To everyone in the channel.
    Say(String),
    /// To one player.
    Tell {
        /// Their name.
        to: String,
        /// The words.
        text: String,
    },
    /// To hear a player no more.
    Mute(String),
    /// To hear them again.
    Unmute(String),
    /// To tell the operator about a player.
    Report {
        /// Their name.
        name: String,
        /// What they did.
        text: String,
    },
    /// It is no command that there is, or lacks something: this is how it goes.
    Unclear(&'static str),
}

/// How commands go.
const HELP: &str = "/w NAME words, @NAME words, /mute NAME, /unmute NAME, /report NAME why";

/// Reads a line. Names may have spaces in them: those in `known` are found, others need quotes.
#[must_use]
pub fn read(line: &str, known: &[&str]) -> Said {
    let line = line.trim();
    let (command, rest) = match (line.strip_prefix('/'), line.strip_prefix('@')) {
        (Some(command), _) => command.split_once(char::is_whitespace).unwrap_or((command, "")),
        (None, Some(rest)) => ("w", rest),
        (None, None) => return Said::Say(line.to_owned()),
    };
    let (name, text) = split_name(rest.trim_start(), known);
    let text = text.trim().to_owned();
    match command {
        "w" | "tell" | "msg" if !name.is_empty() && !text.is_empty() => Said::Tell { to: name, text },
        "w" | "tell" | "msg" => Said::Unclear("a message to one player goes: /w NAME words, or @NAME words"),
        // These take nothing but a name, so that it needs no quotes.
        "mute" if !name.is_empty() => Said::Mute(whole(rest)),
        "mute" => Said::Unclear("to hear somebody no more: /mute NAME"),
        "unmute" if !name.is_empty() => Said::Unmute(whole(rest)),
        "unmute" => Said::Unclear("to hear somebody again: /unmute NAME"),
        "report" if !name.is_empty() && !text.is_empty() => Said::Report { name, text },
        "report" => Said::Unclear("to tell the operator: /report NAME what they did"),
        _ => Said::Unclear(HELP),
    }
}

/// A name as a command takes it, whatever it holds and whoever else is there: quotes within are doubled.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Takes a name out of its quotes at the beginning; what comes after is the rest.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut name, mut rest) = (String::new(), text.strip_prefix('"')?);
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

fn whole(rest: &str) -> String {
    let rest = rest.trim();
    match unquoted(rest) {
        Some((name, "")) => name,
        Some(_) | None => rest.to_owned(),
    }
}

/// Splits the name off the beginning: quoted, the longest that is known, or the first word.
fn split_name<'a>(rest: &'a str, known: &[&str]) -> (String, &'a str) {
    if let Some(found) = unquoted(rest) {
        return found;
    }
    // Letters beyond ASCII as they are: the tables for their cases would be a tenth of the download.
    let begins = |name: &&&str| {
        let begin = rest.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        begin && rest[name.len()..].chars().next().is_none_or(char::is_whitespace)
    };
    let (name, text) = match known.iter().filter(begins).max_by_key(|name| name.len()) {
        Some(name) => rest.split_at(name.len()),
        None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
    };
    (name.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_words_for_all_or_a_command() {
        let tell = |to: &str, text: &str| Said::Tell { to: to.into(), text: text.into() };
        let known = ["Ann", "Ann Lee", "Zoë"];
        assert_eq!(read(" hello there ", &known), Said::Say("hello there".into()));
        assert_eq!(read("@Ann hi", &known), tell("Ann", "hi"));
        assert_eq!(read("/w ann lee hi you", &known), tell("ann lee", "hi you"));
        assert_eq!(read("@\"Old Ben\" hi", &known), tell("Old Ben", "hi"));
        assert_eq!(read("/w Zoë hi", &known), tell("Zoë", "hi"));
        assert_eq!(read("/w Bob hi", &known), tell("Bob", "hi"));
        assert_eq!(read("/mute Old Ben", &known), Said::Mute("Old Ben".into()));
        assert_eq!(read("/unmute \"Old Ben\"", &known), Said::Unmute("Old Ben".into()));
        let report = Said::Report { name: "Ann Lee".into(), text: "rams me".into() };
        assert_eq!(read("/report Ann Lee rams me", &known), report);
        for unclear in ["/w", "/w Ann", "@", "/mute", "/report Ann", "/dance", "/"] {
            assert!(matches!(read(unclear, &known), Said::Unclear(_)), "{unclear}");
        }
    }

    #[test]
    fn every_name_comes_back_from_its_quotes_whoever_else_is_there() {
        let names = ["Ann", "Ann hi", "Old Ben", "Ann\" x", "\"Ann\"", "\"Ann", "\"", "\"\"", "a\"\"b c\""];
        for name in names {
            let line = format!("/w {} hi \"you\"", quoted(name));
            assert_eq!(read(&line, &names), Said::Tell { to: name.into(), text: "hi \"you\"".into() });
            let line = format!("/report {} rams me", quoted(name));
            assert_eq!(read(&line, &[]), Said::Report { name: name.into(), text: "rams me".into() });
            assert_eq!(read(&format!("/unmute {}", quoted(name)), &names), Said::Unmute(name.into()));
        }
    }
}
