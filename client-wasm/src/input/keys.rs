//! What the shell's keys mean. Keys are named by their position and not by their letter, so that any keyboard layout works.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Menu,
    Help,
    Mute,
    Score,
    Net,
    Lab,
}

/// The key that shows the scoreboard while it is down.
pub(crate) const SCORES: &str = "Tab";

/// The command of a key by the browser's name for its position.
#[must_use]
pub(crate) fn command(code: &str) -> Option<Command> {
    Some(match code {
        "Escape" => Command::Menu,
        "KeyH" => Command::Help,
        "KeyM" => Command::Mute,
        "KeyN" => Command::Score,
        "F3" => Command::Net,
        "F4" => Command::Lab,
        _ => return None,
    })
}

/// Whether this is the Meta key: Cmd on Macs, the Windows key, OS in older browsers.
#[must_use]
pub(crate) fn is_meta(code: &str) -> bool {
    matches!(code, "MetaLeft" | "MetaRight" | "OSLeft" | "OSRight")
}
