//! The browser client: from a folder, or from inside the program when it was built with the `embed` feature.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use broadside_shared::game::Game;
use broadside_shared::hash::WorldHash;

use super::problem;
use crate::App;
use crate::config::Config;

/// Where `cargo xtask` puts the built client.
const BUILT: &str = "target/web";

/// What the page may load and run: its own files and its own WebAssembly, nothing else.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'";

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
    if read_built(config, "index.html").is_some() {
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

/// Serves a file of the client; what people see in the address bar has no ending.
pub async fn serve<G: Game>(State(app): State<Arc<App<G>>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let detail = format!("files do not answer {}; use GET", request.method());
        return problem(StatusCode::METHOD_NOT_ALLOWED, &detail).into_response();
    }
    let path = page_of(request.uri().path().trim_start_matches('/'));
    if !is_plain(path) {
        return missing(path);
    }
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    let accepts = |coding: &str| accepted.split(',').any(|part| part.split(';').next().unwrap_or("").trim() == coding);
    let found = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(coding, _)| accepts(coding))
        .find_map(|(coding, ending)| Some((read(&app.config, &format!("{path}{ending}"))?, Some(coding))))
        .or_else(|| Some((read(&app.config, path)?, None)));
    let Some((bytes, coding)) = found else { return missing(path) };
    respond(path, bytes, coding, request.headers().get(IF_NONE_MATCH))
}

/// The file behind a path: the game at `/` and at the links of private rooms, whatever their code; the pages for developers.
fn page_of(path: &str) -> &str {
    match path {
        "" => "index.html",
        "compare" => "dev/compare.html",
        "wire" => "dev/wire.html",
        path if path.strip_prefix("r/").is_some_and(|code| !code.contains('/')) => "index.html",
        path => path,
    }
}

fn respond(path: &str, bytes: Vec<u8>, coding: Option<&'static str>, known: Option<&HeaderValue>) -> Response {
    let tag = etag(&bytes);
    let unchanged = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response =
        if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(bytes).into_response() };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    // Always asked for again, and answered with "not modified": a new build shows at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn missing(path: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no file {path:?}; the game is at /")).into_response()
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

fn read(config: &Config, path: &str) -> Option<Vec<u8>> {
    let unbuilt = || (path == "index.html" && config.assets.is_none()).then(|| UNBUILT.as_bytes().to_vec());
    read_built(config, path).or_else(unbuilt)
}

fn read_built(config: &Config, path: &str) -> Option<Vec<u8>> {
    #[cfg(feature = "embed")]
    if config.assets.is_none() {
        return Embedded::get(path).map(|file| file.data.into_owned());
    }
    std::fs::read(folder(config).join(path)).ok()
}

fn folder(config: &Config) -> PathBuf {
    config.assets.clone().unwrap_or_else(|| Path::new(BUILT).to_owned())
}

fn etag(bytes: &[u8]) -> String {
    let mut hash = WorldHash::default();
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash.u64(u64::from_le_bytes(word));
    }
    format!("\"{:016x}-{}\"", hash.finish(), bytes.len())
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

    #[test]
    fn pages_go_by_short_names_and_a_link_leads_to_the_game() {
        for (path, file) in [
            ("", "index.html"),
            ("compare", "dev/compare.html"),
            ("wire", "dev/wire.html"),
            ("r/K7QF2M", "index.html"),
            ("a.js", "a.js"),
        ] {
            assert_eq!(page_of(path), file);
        }
        assert_eq!(page_of("r/K7QF2M/../x"), "r/K7QF2M/../x", "and that is no plain name");
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
