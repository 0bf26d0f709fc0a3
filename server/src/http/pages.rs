//! Which file is at which address, how long it may be kept, and what a page may load, connect to and be framed by.

use axum::http::HeaderValue;

use crate::app::App;
use crate::config::frames::Entrance;
use crate::origin::{Scheme, split};
use crate::requester::Requester;
use crate::security_headers::NO_PAGE;

/// The page of the game.
pub(crate) const GAME_PAGE: &str = "index.html";
/// The page at invite links of private rooms.
pub(crate) const ROOM_PAGE: &str = "r/index.html";
/// The page at links of recorded matches.
pub(crate) const REPLAY_PAGE: &str = "replay/index.html";
/// The page for moderators, which is there once somebody is one.
pub(crate) const ADMIN_PAGE: &str = "admin.html";
/// The read-only view of a room for frames of other sites.
const EMBED_PAGE: &str = "embed/index.html";
/// The page of each player.
const PLAYER_PAGE: &str = "u/index.html";
/// The page at links by which people become friends.
const FRIEND_PAGE: &str = "friend/index.html";

/// The file at a path: the game at `/`, at invite links and at those of recorded matches, the pages beside it, and the developer pages.
pub(crate) fn page_of(path: &str) -> &str {
    match path {
        "" => GAME_PAGE,
        "account" => "account.html",
        "admin" => ADMIN_PAGE,
        "compare" => "compare.html",
        "friends" => "friends.html",
        "leaderboards" => "leaderboards.html",
        "wire" => "wire.html",
        // Pages with relative paths that are one folder deeper.
        path => match path.split_once('/') {
            Some(("r", code)) if !code.contains('/') => ROOM_PAGE,
            Some(("replay", id)) if !id.contains('/') => REPLAY_PAGE,
            Some(("embed", room)) if !room.contains('/') => EMBED_PAGE,
            Some(("u", name)) if !name.contains('/') => PLAYER_PAGE,
            Some(("friend", code)) if !code.contains('/') => FRIEND_PAGE,
            Some(_) | None => path,
        },
    }
}

/// How long caches may keep a file without asking again. What pages load is in a folder that is named after its build, and never changes
/// there; pictures of the page and its manifest may be a day old; everything else is revalidated each time, mostly with 304, so that a new
/// build shows at once.
pub(crate) fn lifetime(path: &str) -> &'static str {
    let build = path.strip_prefix("v/").and_then(|rest| rest.split_once('/')).map_or("", |(build, _)| build);
    let is_build = build.len() == 16 && build.bytes().all(|byte| byte.is_ascii_hexdigit());
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        _ if is_build => "public, max-age=31536000, immutable",
        "png" | "jpg" | "webmanifest" => "public, max-age=86400",
        _ => "no-cache",
    }
}

/// The content security policy of the page at `path`: only its own files, its own WebAssembly and its own server, and no frame of another
/// site except where flags allow it. `host` is that of the request, which has been checked.
pub(crate) fn policy(
    app: &App,
    path: &str,
    requester: &Requester,
    entrance: Entrance,
    host: Option<&str>,
) -> HeaderValue {
    let (socket, others) = (own_socket(requester, host), other_sockets(app));
    let ancestors = app.config.frames.ancestors(path == EMBED_PAGE, entrance);
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'{socket}{others}; object-src 'none'; frame-ancestors {ancestors}; base-uri 'none'; \
         form-action 'self'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(NO_PAGE))
}

/// The WebSocket of this server, as a source of a policy: before Safari 16, `'self'` does not cover it.
fn own_socket(requester: &Requester, host: Option<&str>) -> String {
    // The grammar of policies has no IPv6 addresses.
    let host = host.filter(|host| split(host).is_some() && !host.starts_with('['));
    match (host, requester.scheme) {
        (None, _) => String::new(),
        (Some(host), Some(Scheme::Http)) => format!(" ws://{host}"),
        (Some(host), Some(Scheme::Https)) => format!(" wss://{host}"),
        (Some(host), None) => format!(" ws://{host} wss://{host}"),
    }
}

/// Where pages of a node of a cluster may connect besides: nodes are added while pages are open, so any WebSocket of the scheme of this node.
fn other_sockets(app: &App) -> &'static str {
    match &app.lobby.peers {
        None => "",
        Some(peers) if peers.url.starts_with("wss:") => " wss:",
        Some(_) => " ws: wss:",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requester::AddressSource;

    #[test]
    fn pages_have_short_paths_and_invite_links_lead_to_the_game() {
        for (path, file) in [
            ("", "index.html"),
            ("compare", "compare.html"),
            ("wire", "wire.html"),
            ("leaderboards", "leaderboards.html"),
            ("r/K7QF2M", "r/index.html"),
            ("embed/1", "embed/index.html"),
            ("replay/01a21f7fee25b774203cfcb01d3ea042", "replay/index.html"),
            ("u/Ann%20B", "u/index.html"),
            ("friend/Zm9v", "friend/index.html"),
            ("a.js", "a.js"),
        ] {
            assert_eq!(page_of(path), file);
        }
        for path in ["r/K7QF2M/../x", "u/Ann/../x", "embed/1/x"] {
            assert_eq!(page_of(path), path, "not a plain path");
        }
    }

    #[test]
    fn only_what_never_changes_is_kept_for_long() {
        for (path, wanted) in [
            ("v/0123456789abcdef/game_bg.wasm", "public, max-age=31536000, immutable"),
            ("v/0123456789abcdef/dev/client/index.js", "public, max-age=31536000, immutable"),
            ("v/newest/game_bg.wasm", "no-cache"),
            ("v/0123456789abcdef", "no-cache"),
            ("index.html", "no-cache"),
            ("sw.js", "no-cache"),
            ("r/index.html", "no-cache"),
            ("og.jpg", "public, max-age=86400"),
        ] {
            assert_eq!(lifetime(path), wanted, "{path}");
        }
    }

    #[test]
    fn a_page_may_connect_only_to_its_own_server() {
        let connects = |host: &str, scheme| {
            let source = AddressSource::Connection;
            own_socket(&Requester { address: ([127, 0, 0, 1], 5000).into(), scheme, source }, Some(host))
        };
        assert_eq!(connects("game.example", Some(Scheme::Https)), " wss://game.example");
        assert_eq!(connects("127.0.0.1:8080", Some(Scheme::Http)), " ws://127.0.0.1:8080");
        assert_eq!(connects("game.example", None), " ws://game.example wss://game.example");
        for no_source in ["[::1]:8080", "", "x; script-src *", "a b", "*"] {
            assert_eq!(connects(no_source, None), "", "{no_source}");
        }
    }
}
