//! The browser client, served from a folder or, with the `embed` feature, from the program itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::api::admin;
use super::coding::{Coding, accepted};
use super::store::{AssetStore, StoredFile};
use crate::app::App;
use crate::config::Config;
use crate::origin::{Scheme, split};
use crate::problem::problem;
use crate::requester::Requester;
use crate::security_headers::NO_PAGE;

/// Default folder of the client, where `cargo xtask` builds it.
const BUILT: &str = "target/web";

/// The page at invite links of private rooms.
const ROOM_PAGE: &str = "r/index.html";
/// The page at links of recorded matches.
const REPLAY_PAGE: &str = "replay/index.html";
/// The page of each player.
const PLAYER_PAGE: &str = "u/index.html";
/// The page for moderators, which is there once somebody is one.
const ADMIN_PAGE: &str = "admin.html";
/// The page at links by which people become friends.
const FRIEND_PAGE: &str = "friend/index.html";

/// Placeholder for a page that is not built yet.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Broadside</title><p>The server runs, but its page \
                       was not built yet: type <code>cargo xtask play</code>, which builds it and plays.</p></html>\n";

#[cfg(feature = "embed")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../target/web"]
struct Embedded;

/// Checks for the page at startup. Without a page in the default folder the server still runs, for bots and other programs, and serves a
/// placeholder that says how to build the page.
///
/// # Errors
/// The folder that the config names has no `index.html`.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    if Assets::new(config).built("index.html").is_some() {
        return Ok(());
    }
    let folder = folder(config).display().to_string();
    ensure!(
        config.assets.is_none(),
        "no index.html in {folder}; build the client with `cargo xtask play`, or set its folder with --assets"
    );
    tracing::warn!(
        folder,
        "the page was not built yet: `cargo xtask play` builds it and plays; bots can play without it"
    );
    Ok(())
}

/// The files of the client.
pub(crate) struct Assets {
    #[cfg(feature = "embed")]
    embedded: Option<std::collections::HashMap<String, Arc<StoredFile>>>,
    store: AssetStore,
    /// Sent for a page that is not built; only without a configured folder.
    placeholder: Option<Arc<StoredFile>>,
}

impl Assets {
    /// The files that the config names. Hashes embedded files now.
    pub(crate) fn new(config: &Config) -> Assets {
        #[cfg(feature = "embed")]
        let embedded = config.assets.is_none().then(|| {
            let bytes = |path: &str| {
                Embedded::get(path).map(|file| match file.data {
                    std::borrow::Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
                    std::borrow::Cow::Owned(bytes) => bytes.into(),
                })
            };
            Embedded::iter()
                .filter_map(|path| Some((path.to_string(), Arc::new(StoredFile::new(bytes(&path)?)))))
                .collect()
        });
        Assets {
            #[cfg(feature = "embed")]
            embedded,
            store: AssetStore::new(folder(config)),
            placeholder: config.assets.is_none().then(|| Arc::new(StoredFile::new(PLACEHOLDER.into()))),
        }
    }

    fn get(&self, path: &str) -> Option<Arc<StoredFile>> {
        self.built(path).or_else(|| self.placeholder.clone().filter(|_| path == "index.html"))
    }

    /// A file of the built client, without the placeholder.
    fn built(&self, path: &str) -> Option<Arc<StoredFile>> {
        #[cfg(feature = "embed")]
        if let Some(embedded) = &self.embedded {
            return embedded.get(path).cloned();
        }
        self.store.get(path)
    }

    fn in_coding(&self, path: &str, coding: Coding) -> Option<Arc<StoredFile>> {
        self.get(&format!("{path}{}", coding.extension()))
    }
}

/// Serves a file of the client; pages have short paths without extension.
pub(crate) async fn serve(
    State(app): State<Arc<App>>,
    Extension(assets): Extension<Arc<Assets>>,
    Extension(requester): Extension<Requester>,
    request: Request,
) -> Response {
    if let Some(page) = app.config.base_path.redirect(request.uri()) {
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, page)]).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let detail = format!("files do not support {}; use GET", request.method());
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut path = page_of(request.uri().path().trim_start_matches('/'));
    if (path == ROOM_PAGE || path == REPLAY_PAGE) && assets.get(path).is_none() {
        // A custom folder may have a single page.
        path = "index.html";
    }
    if !is_plain(path) || (path == ADMIN_PAGE && !admin::has_staff(&app).await) {
        return missing(path);
    }
    let headers = request.headers();
    let in_coding = |coding| Some((coding, assets.in_coding(path, coding)?));
    let mut response = match accepted(headers).find_map(in_coding) {
        Some((coding, file)) => send(path, coding, &file, &assets, headers),
        None if assets.get(path).is_none() => return missing(path),
        None => {
            let detail = format!(
                "{path:?} is available uncompressed, as gzip or as br, and Accept-Encoding excludes what is available"
            );
            problem(StatusCode::NOT_ACCEPTABLE, &detail)
        }
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy(&requester, headers.get(HOST), others(&app)));
    response
}

fn send(path: &str, coding: Coding, file: &StoredFile, assets: &Assets, headers: &HeaderMap) -> Response {
    // A client that has the file in another coding has it.
    let others: Vec<_> = match headers.contains_key(IF_NONE_MATCH) {
        true => Coding::ALL.into_iter().filter_map(|other| assets.in_coding(path, other)).collect(),
        false => Vec::new(),
    };
    let tags: Vec<&str> = others.iter().map(|other| other.tag.as_str()).collect();
    let mut response = file.response(headers, &tags);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        if let Some(name) = coding.name() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
}

/// The content security policy of a page: only its own files, its own WebAssembly and its own server. Before Safari 16, `'self'` does
/// not cover the WebSocket, so the policy also names the host of the request, which has been checked. `others` is where else it may connect.
fn policy(requester: &Requester, host: Option<&HeaderValue>, others: &str) -> HeaderValue {
    let host = host.and_then(|host| host.to_str().ok()).filter(|host| split(host).is_some());
    // The grammar of policies has no IPv6 addresses.
    let host = host.filter(|host| !host.starts_with('['));
    let socket = match (host, requester.scheme) {
        (None, _) => String::new(),
        (Some(host), Some(Scheme::Http)) => format!(" ws://{host}"),
        (Some(host), Some(Scheme::Https)) => format!(" wss://{host}"),
        (Some(host), None) => format!(" ws://{host} wss://{host}"),
    };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'{socket}{others}; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(NO_PAGE))
}

/// Where pages of a node of a cluster may connect besides: nodes are added while pages are open, so any WebSocket of the scheme of this node.
fn others(app: &App) -> &'static str {
    match &app.lobby.peers {
        None => "",
        Some(peers) if peers.url.starts_with("wss:") => " wss:",
        Some(_) => " ws: wss:",
    }
}

/// The file at a path: the game at `/`, at invite links and at those of recorded matches, the pages beside it, and the developer pages.
fn page_of(path: &str) -> &str {
    match path {
        "" => "index.html",
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
            Some(("u", name)) if !name.contains('/') => PLAYER_PAGE,
            Some(("friend", code)) if !code.contains('/') => FRIEND_PAGE,
            Some(_) | None => path,
        },
    }
}

fn missing(path: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no file {path:?}; the game is at /"))
}

/// Accepts paths like `a/b.js` and nothing that could lead out of the folder.
fn is_plain(path: &str) -> bool {
    let part_is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    };
    path.split('/').all(part_is_plain)
}

fn folder(config: &Config) -> PathBuf {
    config.assets.clone().unwrap_or_else(|| Path::new(BUILT).to_owned())
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "ico" => "image/x-icon",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
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
            ("replay/01a21f7fee25b774203cfcb01d3ea042", "replay/index.html"),
            ("u/Ann%20B", "u/index.html"),
            ("friend/Zm9v", "friend/index.html"),
            ("a.js", "a.js"),
        ] {
            assert_eq!(page_of(path), file);
        }
        for path in ["r/K7QF2M/../x", "u/Ann/../x"] {
            assert_eq!(page_of(path), path, "not a plain path");
        }
    }

    #[test]
    fn a_page_may_connect_only_to_its_own_server() {
        let connects = |host: &'static str, scheme| {
            let requester =
                Requester { address: ([127, 0, 0, 1], 5000).into(), scheme, source: AddressSource::Connection };
            let policy = policy(&requester, Some(&HeaderValue::from_static(host)), "");
            let policy = policy.to_str().expect("a policy is text").to_owned();
            let sources = policy.split("; ").find_map(|directive| directive.strip_prefix("connect-src "));
            sources.expect("there is one").to_owned()
        };
        assert_eq!(connects("game.example", Some(Scheme::Https)), "'self' wss://game.example");
        assert_eq!(connects("127.0.0.1:8080", Some(Scheme::Http)), "'self' ws://127.0.0.1:8080");
        assert_eq!(connects("game.example", None), "'self' ws://game.example wss://game.example");
        for no_source in ["[::1]:8080", "", "x; script-src *", "a b", "*"] {
            assert_eq!(connects(no_source, None), "'self'", "{no_source}");
        }
    }

    #[test]
    fn what_an_installed_page_needs_has_its_media_type() {
        for (path, wanted) in [
            ("manifest.webmanifest", "application/manifest+json"),
            ("icon-192.png", "image/png"),
            ("og.jpg", "image/jpeg"),
            ("openapi.json", "application/json"),
            ("LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(media_type(path), wanted, "{path}");
        }
    }

    #[test]
    fn only_plain_paths_are_looked_up() {
        for good in ["index.html", "game_bg.wasm", "img/a-b.svg"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["../Cargo.toml", "a/../b", "a//b", "/etc/passwd", ".git/config", "a\\b", "a%2e", "C:x", ""] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
