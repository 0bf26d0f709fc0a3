//! What a typed chat line means: a message to the channel, a message to one player, or a command.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChatCommand {
    /// A message to everyone in the channel.
    Say(String),
    DirectMessage {
        to: String,
        text: String,
    },
    Mute(String),
    Unmute(String),
    /// A report of a player to the operator.
    Report {
        name: String,
        text: String,
    },
    /// Not a known command, or one with a missing part; the text with this key explains its syntax.
    Invalid(&'static str),
}

/// The key of the text about all commands.
const HELP: &str = "chat.usage";

/// Parses a line. Names may contain spaces: those in `known` are recognized, others need quotes.
#[must_use]
pub(crate) fn parse(line: &str, known: &[&str]) -> ChatCommand {
    let line = line.trim();
    let (command, rest) = match (line.strip_prefix('/'), line.strip_prefix('@')) {
        (Some(command), _) => command.split_once(char::is_whitespace).unwrap_or((command, "")),
        (None, Some(rest)) => ("w", rest),
        (None, None) => return ChatCommand::Say(line.to_owned()),
    };
    let (name, text) = split_name(rest.trim_start(), known);
    let text = text.trim().to_owned();
    match command {
        "w" | "tell" | "msg" if !name.is_empty() && !text.is_empty() => ChatCommand::DirectMessage { to: name, text },
        "w" | "tell" | "msg" => ChatCommand::Invalid("chat.usage.w"),
        // These take only a name, so that it needs no quotes.
        "mute" if !name.is_empty() => ChatCommand::Mute(whole(rest)),
        "mute" => ChatCommand::Invalid("chat.usage.mute"),
        "unmute" if !name.is_empty() => ChatCommand::Unmute(whole(rest)),
        "unmute" => ChatCommand::Invalid("chat.usage.unmute"),
        "report" if !name.is_empty() && !text.is_empty() => ChatCommand::Report { name, text },
        "report" => ChatCommand::Invalid("chat.usage.report"),
        _ => ChatCommand::Invalid(HELP),
    }
}

/// Quotes a name for a command; quotes within are doubled.
#[must_use]
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Splits a quoted name off the start; returns it and the rest.
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

/// Splits the name off the start: a quoted one, the longest known one, or the first word.
fn split_name<'a>(rest: &'a str, known: &[&str]) -> (String, &'a str) {
    if let Some(found) = unquoted(rest) {
        return found;
    }
    // Letters beyond ASCII are compared as they are: tables of their cases would be a tenth of the download.
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
    fn a_line_is_a_message_or_a_command() {
        let message = |to: &str, text: &str| ChatCommand::DirectMessage { to: to.into(), text: text.into() };
        let known = ["Ann", "Ann Lee", "Zoë"];
        assert_eq!(parse(" hello there ", &known), ChatCommand::Say("hello there".into()));
        assert_eq!(parse("@Ann hi", &known), message("Ann", "hi"));
        assert_eq!(parse("/w ann lee hi you", &known), message("ann lee", "hi you"));
        assert_eq!(parse("@\"Old Ben\" hi", &known), message("Old Ben", "hi"));
        assert_eq!(parse("/w Zoë hi", &known), message("Zoë", "hi"));
        assert_eq!(parse("/w Bob hi", &known), message("Bob", "hi"));
        assert_eq!(parse("/mute Old Ben", &known), ChatCommand::Mute("Old Ben".into()));
        assert_eq!(parse("/unmute \"Old Ben\"", &known), ChatCommand::Unmute("Old Ben".into()));
        let report = ChatCommand::Report { name: "Ann Lee".into(), text: "rams me".into() };
        assert_eq!(parse("/report Ann Lee rams me", &known), report);
        for unclear in ["/w", "/w Ann", "@", "/mute", "/report Ann", "/dance", "/"] {
            assert!(matches!(parse(unclear, &known), ChatCommand::Invalid(_)), "{unclear}");
        }
    }

    #[test]
    fn every_quoted_name_is_parsed_back_whatever_other_names_are_known() {
        let names = ["Ann", "Ann hi", "Old Ben", "Ann\" x", "\"Ann\"", "\"Ann", "\"", "\"\"", "a\"\"b c\""];
        for name in names {
            let line = format!("/w {} hi \"you\"", quoted(name));
            assert_eq!(parse(&line, &names), ChatCommand::DirectMessage { to: name.into(), text: "hi \"you\"".into() });
            let line = format!("/report {} rams me", quoted(name));
            assert_eq!(parse(&line, &[]), ChatCommand::Report { name: name.into(), text: "rams me".into() });
            assert_eq!(parse(&format!("/unmute {}", quoted(name)), &names), ChatCommand::Unmute(name.into()));
        }
    }
}
