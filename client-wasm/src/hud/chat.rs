//! The chat: lines that fade while it is closed, and an input field while it is open. Chat text is always text and never markup.

use std::collections::VecDeque;

use broadside_shared::time::MonoTime;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement};

use super::chat_command::quoted;
use super::dom::{Shown, element, make};
use crate::browser;
use crate::words::say;

/// Lines kept; the oldest is dropped first.
const LINES_MAX: usize = 100;
/// Milliseconds for which a new line is visible while the chat is closed.
const FRESH_MS: f64 = 9_000.0;
/// Age in milliseconds from which on a line shows its time.
const OLD_MS: f64 = 45_000.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Everyone on the server who subscribes to it.
    Lobby,
    /// Everyone in the room.
    Room,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatLineKind {
    Channel(Channel),
    DirectReceived,
    DirectSent,
    /// From the page or the server.
    Notice,
}

impl ChatLineKind {
    fn class(self) -> &'static str {
        match self {
            ChatLineKind::Channel(Channel::Lobby) => "lobby",
            ChatLineKind::Channel(Channel::Room) => "room",
            ChatLineKind::DirectReceived | ChatLineKind::DirectSent => "direct",
            ChatLineKind::Notice => "notice",
        }
    }

    /// The label before the name.
    fn sign(self) -> &'static str {
        match self {
            ChatLineKind::Channel(Channel::Lobby) => say("chat.sign.lobby"),
            ChatLineKind::Channel(Channel::Room) | ChatLineKind::Notice => "",
            ChatLineKind::DirectReceived => say("chat.sign.from"),
            ChatLineKind::DirectSent => say("chat.sign.to"),
        }
    }
}

struct ChatLine {
    element: Element,
    kind: ChatLineKind,
    from: String,
    text: String,
    /// When the server published it, to detect duplicates; 0 for other lines.
    at: u64,
    shown_ms: f64,
}

pub(crate) struct Chat {
    document: Document,
    root: Shown,
    log: HtmlElement,
    input: HtmlInputElement,
    channel_button: Shown,
    dot: Shown,
    player_menu: Shown,
    player_menu_name: Shown,
    lines: VecDeque<ChatLine>,
    open: bool,
    unread: u32,
    /// Messages of others so far, without those from before this page.
    received: u32,
    channel: Channel,
    in_room: bool,
    chosen: String,
    /// Our name: our own messages do not count as unread.
    own: String,
}

impl Chat {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        let shown = |id: &str| Shown::new(document, id);
        Ok(Chat {
            document: document.clone(),
            root: shown("chat")?,
            log: element(document, "chat-log")?,
            input: element(document, "chat-text")?,
            channel_button: shown("chat-channel")?,
            dot: shown("chat-dot")?,
            player_menu: shown("player-menu")?,
            player_menu_name: shown("player-menu-name")?,
            lines: VecDeque::new(),
            open: false,
            unread: 0,
            received: 0,
            channel: Channel::Lobby,
            in_room: false,
            chosen: String::new(),
            own: String::new(),
        })
    }

    /// Adds a message that was published at `at` on the server's clock, `age_ms` ago. Messages from before a reconnect are not
    /// shown twice.
    pub(crate) fn publish(&mut self, channel: Channel, (from, text): (&str, &str), at: MonoTime, age_ms: f64) {
        let again = |line: &ChatLine| line.at == at.0 && line.from == from && line.text == text;
        if !self.lines.iter().any(again) {
            self.append(ChatLineKind::Channel(channel), from, text, (at.0, age_ms));
        }
    }

    /// Adds a line with the current time.
    pub(crate) fn add(&mut self, kind: ChatLineKind, from: &str, text: &str) {
        self.append(kind, from, text, (0, 0.0));
    }

    fn append(&mut self, kind: ChatLineKind, from: &str, text: &str, (at, age_ms): (u64, f64)) {
        let now_ms = browser::now_ms();
        let Some(element) = self.show(kind, from, text, age_ms) else { return };
        // Scroll along, unless the reader has scrolled back.
        let at_end = self.log.scroll_height() - self.log.scroll_top() - self.log.client_height() < 40;
        if self.log.append_child(&element).is_err() {
            return;
        }
        if at_end {
            self.log.set_scroll_top(self.log.scroll_height());
        }
        // An old message counts as shown for its whole age.
        let shown_ms = now_ms - age_ms;
        self.lines.push_back(ChatLine { element, kind, from: from.to_owned(), text: text.to_owned(), at, shown_ms });
        if self.lines.len() > LINES_MAX
            && let Some(line) = self.lines.pop_front()
        {
            line.element.remove();
        }
        let ours = matches!(kind, ChatLineKind::Notice | ChatLineKind::DirectSent) || from == self.own;
        if !ours && age_ms < FRESH_MS {
            self.received = self.received.saturating_add(1);
            self.unread += u32::from(!self.open);
        }
        self.show_state();
    }

    fn show(&self, kind: ChatLineKind, from: &str, text: &str, age_ms: f64) -> Option<Element> {
        let line = make(&self.document, "li", kind.class(), "")?;
        let add = |tag, class, text: &str| {
            let part = make(&self.document, tag, class, text)?;
            line.append_child(&part).ok()?;
            Some(part)
        };
        if age_ms >= OLD_MS {
            add("time", "", &clock_time(age_ms));
        }
        if !kind.sign().is_empty() {
            add("i", "", kind.sign());
        }
        if !from.is_empty() {
            let name = add("button", "", from)?;
            let _ = name.set_attribute("type", "button");
            let _ = name.set_attribute("data-act", &format!("player_menu:{from}"));
        }
        add("span", "", text);
        Some(line)
    }

    pub(crate) fn set_own_name(&mut self, name: &str) {
        name.clone_into(&mut self.own);
    }

    /// Adds a notice.
    pub(crate) fn notice(&mut self, text: &str) {
        self.add(ChatLineKind::Notice, "", text);
    }

    /// Fades lines that were visible long enough.
    pub(crate) fn advance(&mut self, now_ms: f64) {
        for line in &mut self.lines {
            if line.shown_ms.is_finite() && now_ms - line.shown_ms >= FRESH_MS {
                let _ = line.element.class_list().add_1("old");
                line.shown_ms = f64::INFINITY;
            }
        }
    }

    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Opens the chat with a text in its field.
    pub(crate) fn open(&mut self, begun: &str) {
        self.open = true;
        self.unread = 0;
        if !begun.is_empty() {
            self.input.set_value(begun);
        }
        self.show_state();
        self.log.set_scroll_top(self.log.scroll_height());
        let _ = self.input.focus();
    }

    /// Closes the chat; the typed text stays.
    pub(crate) fn close(&mut self) {
        self.open = false;
        self.player_menu.visible(false);
        let _ = self.input.blur();
        self.show_state();
    }

    /// Takes the typed text and empties the field.
    pub(crate) fn take_text(&mut self) -> String {
        let text = self.input.value().trim().to_owned();
        self.input.set_value("");
        text
    }

    /// Restores a text that could not be sent, unless the field has another one.
    pub(crate) fn restore_text(&mut self, text: &str) {
        if self.input.value().is_empty() {
            self.input.set_value(text);
        }
    }

    /// The channel that messages go to.
    #[must_use]
    pub(crate) fn channel(&self) -> Channel {
        self.channel
    }

    pub(crate) fn set_in_room(&mut self, in_room: bool) {
        self.in_room = in_room;
        self.channel = if in_room { Channel::Room } else { Channel::Lobby };
        self.show_state();
    }

    /// Switches the channel, if there are two.
    pub(crate) fn switch_channel(&mut self) {
        if self.in_room {
            self.channel = match self.channel {
                Channel::Lobby => Channel::Room,
                Channel::Room => Channel::Lobby,
            };
            self.show_state();
        }
        let _ = self.input.focus();
    }

    /// Opens the menu about a player.
    pub(crate) fn open_player_menu(&mut self, name: &str) {
        self.chosen = name.to_owned();
        self.player_menu_name.text(name);
        self.player_menu.visible(true);
    }

    /// Closes the player menu; returns the player's name.
    pub(crate) fn close_player_menu(&mut self) -> String {
        self.player_menu.visible(false);
        std::mem::take(&mut self.chosen)
    }

    /// Opens the chat with a command about a player.
    pub(crate) fn begin_command(&mut self, command: &str, name: &str) {
        self.open(&format!("/{command} {} ", quoted(name)));
    }

    /// Messages of others so far.
    #[must_use]
    pub(crate) fn received(&self) -> u32 {
        self.received
    }

    /// Everyone who wrote a line that is kept.
    pub(crate) fn speakers(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.from.as_str()).filter(|from| !from.is_empty())
    }

    /// The lines as kind, name and text, for tests.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        self.lines.iter().map(|line| (line.kind.class(), line.from.as_str(), line.text.as_str()))
    }

    fn show_state(&mut self) {
        self.root.class(if self.open { "open" } else { "" });
        self.dot.visible(self.unread > 0);
        self.dot.text(&self.unread.min(99).to_string());
        let (name, class) = match self.channel {
            Channel::Lobby => (say("chat.lobby"), "lobby"),
            Channel::Room => (say("chat.room"), "room"),
        };
        self.channel_button.text(name);
        self.channel_button.class(class);
    }
}

/// The time of day `age_ms` ago, such as 14:05.
fn clock_time(age_ms: f64) -> String {
    let then = js_sys::Date::new(&(js_sys::Date::now() - age_ms).into());
    format!("{:02}:{:02}", then.get_hours(), then.get_minutes())
}
