//! What each key means. Keys are named by their position and not by their letter, so that any keyboard layout works.

use broadside_arena::ArenaInput;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Holds a button of [`ArenaInput`] down.
    Hold(u8),
    /// Gives a command once.
    Press(Command),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Menu,
    Help,
    Mute,
    Net,
    Lab,
}

/// The meaning of a key by the browser's name for its position.
#[must_use]
pub(crate) fn meaning(code: &str) -> Option<Key> {
    Some(match code {
        "KeyW" | "ArrowUp" => Key::Hold(ArenaInput::THRUST),
        "KeyS" | "ArrowDown" => Key::Hold(ArenaInput::REVERSE),
        "KeyA" | "ArrowLeft" => Key::Hold(ArenaInput::LEFT),
        "KeyD" | "ArrowRight" => Key::Hold(ArenaInput::RIGHT),
        "Space" => Key::Hold(ArenaInput::FIRE),
        "KeyE" | "ShiftLeft" | "ShiftRight" => Key::Hold(ArenaInput::RAIL),
        "Escape" => Key::Press(Command::Menu),
        "KeyH" => Key::Press(Command::Help),
        "KeyM" => Key::Press(Command::Mute),
        "F3" => Key::Press(Command::Net),
        "F4" => Key::Press(Command::Lab),
        _ => return None,
    })
}

/// Whether this is the Meta key: Cmd on Macs, the Windows key, OS in older browsers.
#[must_use]
pub(crate) fn is_meta(code: &str) -> bool {
    matches!(code, "MetaLeft" | "MetaRight" | "OSLeft" | "OSRight")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_can_steer() {
        for (left, right) in [("KeyW", "ArrowUp"), ("KeyA", "ArrowLeft"), ("KeyS", "ArrowDown"), ("KeyD", "ArrowRight")]
        {
            assert_eq!(meaning(left), meaning(right));
            assert!(meaning(left).is_some());
        }
        assert_eq!(meaning("KeyQ"), None);
    }
}
