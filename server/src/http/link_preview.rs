//! What messengers show of a link to the game: the page with the title, description and picture of what the link leads to.
//!
//! Browsers say where they put what they load, in `Sec-Fetch-Dest`, and receive the page as it was built, compressed. Whoever does not say
//! so may be a messenger, and receives a page with absolute addresses, since many do not resolve relative ones, and a description of the
//! room. A private room is described like one that does not exist, so nobody can find out codes here.

use std::fmt::Write;

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, Uri};
use broadside_shared::ids::RoomId;
use serde_json::Value;

use super::api::rooms;
use super::pages::{GAME_PAGE, ROOM_PAGE};
use crate::app::App;
use crate::host::is_name_of;
use crate::origin::{Scheme, split};
use crate::requester::Requester;

/// What browsers send with every request for a page, if they trust the connection.
pub(crate) const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// The picture of a link, relative to the page.
const PICTURE: &str = "og.jpg";

/// What a link leads to.
#[derive(Debug, PartialEq, Eq)]
enum Invitation {
    /// The title of the game.
    Game,
    /// A private room, if there is one with this code.
    Private,
    /// A public room.
    Room { name: String, mode: String, players: u64, capacity: u64 },
}

/// The page at `path` for a messenger; `None` if it is for a browser, or has nothing to fill in.
pub(crate) fn render(
    app: &App,
    path: &str,
    page: &[u8],
    requester: &Requester,
    (uri, headers): (&Uri, &HeaderMap),
) -> Option<String> {
    if headers.contains_key(FETCH_DEST) || ![GAME_PAGE, ROOM_PAGE].contains(&path) {
        return None;
    }
    let host = headers.get(HOST)?.to_str().ok()?;
    let (name, _) = split(host)?;
    // Without a proxy that is trusted it is unknown what the browser used; players reach a server with a name by https.
    let is_https = match requester.scheme {
        Some(Scheme::Https) => true,
        Some(Scheme::Http) => false,
        None => is_name_of(name, &app.config.public_host) && !name.eq_ignore_ascii_case("localhost"),
    };
    let scheme = if is_https { "https" } else { "http" };
    let base = format!("{scheme}://{host}{}/", app.config.base_path);
    let invitation = match path {
        ROOM_PAGE => Invitation::Private,
        _ => room_of(uri).and_then(|room| public_room(app, room)).unwrap_or(Invitation::Game),
    };
    // Nothing else that stands in the address: it may hold a name.
    let target = match &invitation {
        Invitation::Game => String::new(),
        Invitation::Private => uri.path().trim_start_matches('/').to_owned(),
        Invitation::Room { .. } => room_of(uri).map_or(String::new(), |room| format!("?room={room}")),
    };
    fill(std::str::from_utf8(page).ok()?, &base, &target, &invitation)
}

/// The public room that an address names.
fn room_of(uri: &Uri) -> Option<RoomId> {
    let parameters = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    parameters.filter(|(name, _)| *name == "room").find_map(|(_, value)| value.parse().ok()).map(RoomId)
}

fn public_room(app: &App, id: RoomId) -> Option<Invitation> {
    let here = app.rooms.get(id).filter(|room| room.code.is_none()).map(|room| rooms::view_json(app, &room));
    let view: Value = serde_json::from_str(&here.or_else(|| rooms::view_elsewhere(app, &id.to_string()))?).ok()?;
    let text = |name: &str| view[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| view[name].as_u64().unwrap_or_default();
    let players = number("players").saturating_sub(number("bots"));
    Some(Invitation::Room { name: text("name"), mode: text("mode"), players, capacity: number("capacity") })
}

/// Fills the tags of a page; `None` if it has none. `base` is the address of the game, `target` what follows it in that of the page.
fn fill(page: &str, base: &str, target: &str, invitation: &Invitation) -> Option<String> {
    let (game, about) = (content(page, "og:title")?, content(page, "og:description")?);
    let (title, description) = match invitation {
        Invitation::Game => (game.to_owned(), about.to_owned()),
        Invitation::Private => (format!("{game}: you are invited"), format!("Join a private game. {about}")),
        Invitation::Room { name, mode, players, capacity } => {
            let seats = match players {
                0 => format!("nobody plays yet, {capacity} seats"),
                1 => format!("1 player, {capacity} seats"),
                players => format!("{players} players, {capacity} seats"),
            };
            (format!("{game}: {}", escape(name)), format!("{}: {seats}. {about}", escape(mode)))
        }
    };
    let mut page = page.to_owned();
    for tag in ["og:title", "twitter:title"] {
        page = with_content(&page, tag, &title);
    }
    for tag in ["og:description", "twitter:description"] {
        page = with_content(&page, tag, &description);
    }
    let picture = format!("{}{PICTURE}", escape(base));
    for tag in ["og:image", "twitter:image"] {
        page = with_content(&page, tag, &picture);
    }
    let url = format!("<meta property=\"og:url\" content=\"{}{}\">\n", escape(base), escape(target));
    let at = page.find("<meta property=\"og:type\"")?;
    page.insert_str(at, &url);
    Some(page)
}

/// Where the content of a tag is.
fn range(page: &str, tag: &str) -> Option<std::ops::Range<usize>> {
    let head = format!("\"{tag}\" content=\"");
    let start = page.find(&head)? + head.len();
    Some(start..start + page[start..].find('"')?)
}

fn content<'a>(page: &'a str, tag: &str) -> Option<&'a str> {
    page.get(range(page, tag)?)
}

fn with_content(page: &str, tag: &str, content: &str) -> String {
    let mut page = page.to_owned();
    if let Some(range) = range(&page, tag) {
        page.replace_range(range, content);
    }
    page
}

/// Text as the value of an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<title>Dots</title><meta property=\"og:type\" content=\"website\">\
                        <meta property=\"og:title\" content=\"Dots\"><meta property=\"og:description\" content=\"All round.\">\
                        <meta property=\"og:image\" content=\"./og.jpg\"><meta name=\"twitter:image\" content=\"./og.jpg\">";

    #[test]
    fn a_public_room_is_described_and_what_people_wrote_stays_text() {
        let room = Invitation::Room { name: "\"><script>".into(), mode: "duel".into(), players: 1, capacity: 2 };
        let page = fill(PAGE, "https://game.example/", "?room=7&x=\"", &room).expect("it has tags");
        assert_eq!(content(&page, "og:title"), Some("Dots: &#34;&#62;&#60;script&#62;"));
        assert_eq!(content(&page, "og:description"), Some("duel: 1 player, 2 seats. All round."));
        assert_eq!(content(&page, "og:image"), Some("https://game.example/og.jpg"));
        assert_eq!(content(&page, "twitter:image"), Some("https://game.example/og.jpg"));
        assert_eq!(content(&page, "og:url"), Some("https://game.example/?room=7&#38;x=&#34;"));
    }

    #[test]
    fn a_private_room_is_no_more_than_an_invitation() {
        let page = fill(PAGE, "http://localhost:8080/game/", "r/K7QF2M", &Invitation::Private).expect("it has tags");
        assert_eq!(content(&page, "og:title"), Some("Dots: you are invited"));
        assert_eq!(content(&page, "og:image"), Some("http://localhost:8080/game/og.jpg"));
    }

    #[test]
    fn a_page_without_tags_is_left_alone() {
        assert_eq!(fill("<title>mine</title>", "http://localhost/", "", &Invitation::Game), None);
    }

    #[test]
    fn the_room_of_an_address_is_a_number() {
        let room = |address: &str| room_of(&address.parse().expect("an address"));
        assert_eq!(room("/?watch=1&room=12"), Some(RoomId(12)));
        assert_eq!((room("/?room=K7QF2M"), room("/"), room("/?rooms=1")), (None, None, None));
    }
}
