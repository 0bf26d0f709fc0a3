//! The browser client: from a folder, or from inside the program when it was built with the `embed` feature.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;

use super::coding::{Coding, accepted};
use super::door::NO_PAGE;
use super::problem;
use super::store::{File, Store};
use crate::app::App;
use crate::config::Config;
use crate::net::client::{Client, Scheme};
use crate::net::origin::split;

/// Where `cargo xtask` puts the built client.
const BUILT: &str = "target/web";

/// The page at the links of private rooms.
const ROOM_PAGE: &str = "r/index.html";

/// What stands in for the page in a clone in which it was not built yet.
const UNBUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Broadside</title><p>The server runs, but its page \
                       was not built yet: type <code>cargo xtask play</code>, which builds it and plays.</p></html>\n";

#[cfg(feature = "embed")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../target/web"]
struct Embedded;

/// Refuses to start without the page in a folder that was named, rather than serving errors later. Where none was named, the server runs
/// for bots and programs, and says in place of the page how to build it.
///
/// # Errors
/// When there is no `index.html` where the config says.
pub fn check(config: &Config) -> anyhow::Result<()> {
    if Assets::new(config).built("index.html").is_some() {
        return Ok(());
    }
    let folder = folder(config).display().to_string();
    ensure!(
        config.assets.is_none(),
        "no index.html in {folder}; build the client with `cargo xtask play`, or name its folder with --assets"
    );
    tracing::warn!(folder, "the page was not built yet: `cargo xtask play` builds it and plays; bots can play without");
    Ok(())
}

/// The files of the client, wherever they are.
pub struct Assets {
    #[cfg(feature = "embed")]
    inside: Option<std::collections::HashMap<String, Arc<File>>>,
    store: Store,
    /// What is sent for the page where no folder was named and none was built.
    unbuilt: Option<Arc<File>>,
}

impl Assets {
    /// Those that the config names. What is inside the program is hashed now.
    #[must_use]
    pub fn new(config: &Config) -> Assets {
        #[cfg(feature = "embed")]
        let inside = config.assets.is_none().then(|| {
            let bytes = |path: &str| {
                Embedded::get(path).map(|file| match file.data {
                    std::borrow::Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
                    std::borrow::Cow::Owned(bytes) => bytes.into(),
                })
            };
            Embedded::iter().filter_map(|path| Some((path.to_string(), Arc::new(File::new(bytes(&path)?))))).collect()
        });
        Assets {
            #[cfg(feature = "embed")]
            inside,
            store: Store::new(folder(config)),
            unbuilt: config.assets.is_none().then(|| Arc::new(File::new(UNBUILT.into()))),
        }
    }

    /// A file by its path.
    fn get(&self, path: &str) -> Option<Arc<File>> {
        self.built(path).or_else(|| self.unbuilt.clone().filter(|_| path == "index.html"))
    }

    /// A file of the built client by its path.
    fn built(&self, path: &str) -> Option<Arc<File>> {
        #[cfg(feature = "embed")]
        if let Some(inside) = &self.inside {
            return inside.get(path).cloned();
        }
        self.store.get(path)
    }

    fn in_coding(&self, path: &str, coding: Coding) -> Option<Arc<File>> {
        self.get(&format!("{path}{}", coding.ending()))
    }
}

/// Serves a file of the client; what people see in the address bar has no ending.
pub async fn serve<G: Game>(
    State(app): State<Arc<App<G>>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    if let Some(page) = app.config.base_path.redirect(request.uri()) {
        return (StatusCode::PERMANENT_REDIRECT, [(LOCATION, page)]).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let detail = format!("files do not answer {}; use GET", request.method());
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut path = page_of(request.uri().path().trim_start_matches('/'));
    if path == ROOM_PAGE && app.assets.get(path).is_none() {
        // A folder of one's own may have one page for all.
        path = "index.html";
    }
    if !is_plain(path) {
        return missing(path);
    }
    let (assets, headers) = (&app.assets, request.headers());
    let in_coding = |coding| Some((coding, assets.in_coding(path, coding)?));
    let mut response = match accepted(headers).find_map(in_coding) {
        Some((coding, file)) => send(path, coding, &file, assets, headers),
        None if assets.get(path).is_none() => return missing(path),
        None => {
            let detail =
                format!("{path:?} is here as it is, as gzip or as br, and Accept-Encoding rules out what there is");
            problem(StatusCode::NOT_ACCEPTABLE, &detail)
        }
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy(&client, headers.get(HOST)));
    response
}

fn send(path: &str, coding: Coding, file: &File, assets: &Assets, headers: &HeaderMap) -> Response {
    // TeamLabel has the file in another coding has it.
    let others: Vec<_> = match headers.contains_key(IF_NONE_MATCH) {
        true => Coding::ALL.into_iter().filter_map(|other| assets.in_coding(path, other)).collect(),
        false => Vec::new(),
    };
    let tags: Vec<&str> = others.iter().map(|other| other.tag.as_str()).collect();
    let mut response = file.answer(headers, &tags);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        if let Some(name) = coding.name() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
}

/// What a page may load, run and connect to: its own files, its own WebAssembly and its own server, nothing else. For Safari before 16
/// `'self'` does not cover the WebSocket, so the server is named as it was asked for, which has been checked by then.
fn policy(client: &Client, host: Option<&HeaderValue>) -> HeaderValue {
    let host = host.and_then(|host| host.to_str().ok()).filter(|host| split(host).is_some());
    // The grammar of policies knows no IPv6 addresses.
    let host = host.filter(|host| !host.starts_with('['));
    let socket = match (host, client.scheme) {
        (None, _) => String::new(),
        (Some(host), Some(Scheme::Http)) => format!(" ws://{host}"),
        (Some(host), Some(Scheme::Https)) => format!(" wss://{host}"),
        (Some(host), None) => format!(" ws://{host} wss://{host}"),
    };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'{socket}; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(NO_PAGE))
}

/// The file behind a path: the game at `/` and at the links of private rooms, whatever their code; the pages for developers.
fn page_of(path: &str) -> &str {
    match path {
        "" => "index.html",
        "compare" => "compare.html",
        "wire" => "wire.html",
        // The same page, with addresses that are one folder deeper.
        path if path.strip_prefix("r/").is_some_and(|code| !code.contains('/')) => ROOM_PAGE,
        path => path,
    }
}

fn missing(path: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no file {path:?}; the game is at /"))
}

/// Names like `a/b.js` and nothing that could lead out of the folder.
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
        "ico" => "image/x-icon",
        "json" | "webmanifest" => "application/json",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::client::Source;

    #[test]
    fn pages_go_by_short_names_and_a_link_leads_to_the_game() {
        for (path, file) in [
            ("", "index.html"),
            ("compare", "compare.html"),
            ("wire", "wire.html"),
            ("r/K7QF2M", "r/index.html"),
            ("a.js", "a.js"),
        ] {
            assert_eq!(page_of(path), file);
        }
        assert_eq!(page_of("r/K7QF2M/../x"), "r/K7QF2M/../x", "and that is no plain name");
    }

    #[test]
    fn a_page_connects_to_the_server_it_came_from_and_nowhere_else() {
        let connects = |host: &'static str, scheme| {
            let client = Client { address: ([127, 0, 0, 1], 5000).into(), scheme, source: Source::Connection };
            let policy = policy(&client, Some(&HeaderValue::from_static(host)));
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
    fn only_plain_names_are_looked_up() {
        for good in ["index.html", "broadside_client_wasm_bg.wasm", "img/a-b.svg"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["../Cargo.toml", "a/../b", "a//b", "/etc/passwd", ".git/config", "a\\b", "a%2e", "C:x", ""] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
