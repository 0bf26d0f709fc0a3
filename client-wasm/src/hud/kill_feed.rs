//! The kill feed: the last few entries, each for a few seconds.

use web_sys::{Document, Element, HtmlElement};

use super::dom::{element, make};
use super::match_status::team_class;

/// Entries shown at a time; the oldest is removed first.
const LINES: usize = 5;
/// Seconds after which an entry fades, and is removed.
const FADES_AFTER: f64 = 6.0;
const GONE_AFTER: f64 = 6.8;

/// A player's name in the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KillFeedName {
    pub(crate) name: String,
    /// Whether it is our own.
    pub(crate) own: bool,
    /// The team, in modes with teams.
    pub(crate) team: Option<u8>,
}

pub(crate) struct KillFeedPanel {
    document: Document,
    list: HtmlElement,
    lines: Vec<(Element, f64)>,
}

impl KillFeedPanel {
    pub(crate) fn new(document: &Document) -> Result<Self, String> {
        Ok(KillFeedPanel { document: document.clone(), list: element(document, "feed")?, lines: Vec::new() })
    }

    /// Adds an entry: a name, a verb, and perhaps another name.
    pub(crate) fn add(&mut self, seconds: f64, first: &KillFeedName, verb: &str, second: Option<&KillFeedName>) {
        let Some(line) = make(&self.document, "li", "", "") else { return };
        let part = |tag, class, text: &str| {
            if let Some(part) = make(&self.document, tag, class, text) {
                let _ = line.append_child(&part);
            }
        };
        let class = |name: &KillFeedName| if name.own && name.team.is_none() { "you" } else { team_class(name.team) };
        part("b", class(first), &first.name);
        part("i", "", verb);
        if let Some(second) = second {
            part("b", class(second), &second.name);
        }
        if self.list.append_child(&line).is_ok() {
            self.lines.push((line, seconds));
        }
        while self.lines.len() > LINES {
            self.lines.remove(0).0.remove();
        }
    }

    /// Fades and removes old entries.
    pub(crate) fn advance(&mut self, seconds: f64) {
        self.lines.retain(|(line, since)| {
            let age = seconds - since;
            if age > GONE_AFTER {
                line.remove();
            } else if age > FADES_AFTER {
                line.set_class_name("old");
            }
            age <= GONE_AFTER
        });
    }

    pub(crate) fn clear(&mut self) {
        for (line, _) in self.lines.drain(..) {
            line.remove();
        }
    }
}
