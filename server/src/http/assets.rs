//! The browser client, served from a folder or, with the `embed` feature, from the program itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use axum::extract::{Extension, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::api::admin;
use super::coding::{Coding, accepted};
use super::link_preview;
use super::pages::{ADMIN_PAGE, GAME_PAGE, REPLAY_PAGE, ROOM_PAGE, lifetime, page_of, policy};
use super::store::{AssetStore, StoredFile};
use crate::app::App;
use crate::config::Config;
use crate::config::frames::Entrance;
use crate::problem::problem;
use crate::requester::Requester;

/// Default folder of the client, where `cargo xtask` builds it.
const BUILT: &str = "target/web";

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
    Extension(entrance): Extension<Entrance>,
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
        path = GAME_PAGE;
    }
    if !is_plain(path) || (path == ADMIN_PAGE && !admin::has_staff(&app).await) {
        return missing(path);
    }
    let headers = request.headers();
    let in_coding = |coding| Some((coding, assets.in_coding(path, coding)?));
    let preview = assets
        .get(path)
        .and_then(|page| link_preview::render(&app, path, &page.bytes, &requester, (request.uri(), headers)));
    let mut response = match (accepted(headers).find_map(in_coding), preview) {
        (Some(_), Some(page)) => send(path, Coding::Identity, &StoredFile::new(page.into()), &assets, headers),
        (Some((coding, file)), None) => send(path, coding, &file, &assets, headers),
        (None, _) if assets.get(path).is_none() => return missing(path),
        (None, _) => {
            let detail = format!(
                "{path:?} is available uncompressed, as gzip or as br, and Accept-Encoding excludes what is available"
            );
            problem(StatusCode::NOT_ACCEPTABLE, &detail)
        }
    };
    let varies = if path.ends_with(".html") { "accept-encoding, sec-fetch-dest" } else { "accept-encoding" };
    response.headers_mut().insert(VARY, HeaderValue::from_static(varies));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy(&app, path, &requester, entrance, host));
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
    if matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(lifetime(path)));
    }
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        if let Some(name) = coding.name() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
    }
    response
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
