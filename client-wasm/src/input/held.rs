//! Which keys and pointers are down. An action lasts as long as any key or pointer for it is down: of two keys for the same
//! engine, either may be released first. So the keys and pointers are kept, and the actions follow from them.

/// Most pointers that press something at the same time; two hands have ten fingers.
const POINTERS_MAX: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Key codes and their buttons. Only keys with a meaning get here, so it stays short.
    keys: Vec<(String, u32)>,
    /// Pointer ids and their buttons.
    pointers: Vec<(i32, u32)>,
}

impl Held {
    /// A key with these `buttons`, bits of [`Controls`](super::Controls), went down.
    pub(crate) fn key_down(&mut self, code: &str, buttons: u32) {
        if !self.keys.iter().any(|(held, _)| held == code) {
            self.keys.push((code.to_owned(), buttons));
        }
    }

    pub(crate) fn key_up(&mut self, code: &str) {
        self.keys.retain(|(held, _)| held != code);
    }

    /// No Shift key is down: if two were, Windows reports the release of only one.
    pub(crate) fn no_shift(&mut self) {
        self.keys.retain(|(held, _)| !held.starts_with("Shift"));
    }

    /// Whether this key is down; `false` for keys without a meaning.
    #[must_use]
    pub(crate) fn is_down(&self, code: &str) -> bool {
        self.keys.iter().any(|(held, _)| held == code)
    }

    /// Sets the `buttons` of a pointer, 0 for none.
    #[inline(never)]
    pub(crate) fn point(&mut self, pointer: i32, buttons: u32) {
        self.pointers.retain(|(held, _)| *held != pointer);
        if buttons != 0 && self.pointers.len() < POINTERS_MAX {
            self.pointers.push((pointer, buttons));
        }
    }

    /// The buttons of a pointer.
    #[must_use]
    pub(crate) fn pointed(&self, pointer: i32) -> u32 {
        self.pointers.iter().find(|(held, _)| *held == pointer).map_or(0, |(_, buttons)| *buttons)
    }

    /// Releases all pointers.
    pub(crate) fn lift_pointers(&mut self) {
        self.pointers.clear();
    }

    /// Releases all keys and pointers.
    pub(crate) fn release(&mut self) {
        self.keys.clear();
        self.pointers.clear();
    }

    /// All buttons that are down, bits of [`Controls`](super::Controls).
    #[must_use]
    pub(crate) fn buttons(&self) -> u32 {
        self.keys
            .iter()
            .map(|(_, buttons)| buttons)
            .chain(self.pointers.iter().map(|(_, buttons)| buttons))
            .fold(0, |all, b| all | b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_lasts_until_the_last_key_for_it_is_up() {
        let mut held = Held::default();
        held.key_down("KeyW", 1);
        held.key_down("ArrowUp", 1);
        held.key_up("KeyW");
        assert_eq!(held.buttons(), 1);
        held.key_up("ArrowUp");
        assert_eq!(held.buttons(), 0);
    }

    #[test]
    fn a_second_pointer_neither_ends_nor_prolongs_what_the_first_does() {
        let mut held = Held::default();
        held.point(1, 4);
        held.point(2, 8);
        held.point(2, 0);
        assert_eq!((held.buttons(), held.pointed(1)), (4, 4));
        held.point(1, 0);
        assert_eq!(held.buttons(), 0);
    }

    #[test]
    fn the_number_of_pointers_is_bounded() {
        let mut held = Held::default();
        (0..1000).for_each(|pointer| held.point(pointer, 1));
        assert_eq!(held.pointers.len(), POINTERS_MAX);
    }
}
