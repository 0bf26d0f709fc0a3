//! The router of the plain-HTTP port: it redirects every request to https.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use super::gate::gate;
use crate::app::App;
use crate::origin::split;
use crate::problem::problem;
use crate::security_headers;

/// `https_port` is the port that requests are redirected to.
pub(crate) fn router(app: Arc<App>, https_port: u16) -> Router {
    Router::new()
        .fallback(redirect)
        .layer(middleware::from_fn_with_state(app, gate))
        .layer(middleware::map_response(security_headers::add))
        .with_state(https_port)
}

async fn redirect(State(https_port): State<u16>, headers: HeaderMap, uri: Uri) -> Response {
    match location(&headers, &uri, https_port) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(detail) => problem(StatusCode::BAD_REQUEST, &detail),
    }
}

/// The same path and query at the https port of the requested host.
fn location(headers: &HeaderMap, uri: &Uri, https_port: u16) -> Result<HeaderValue, String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    // Only a name and a port may get into the response header.
    let Some((name, _)) = split(host) else {
        return Err(format!("Host is {host:?}, must be the name of this server"));
    };
    let port = if https_port == 443 { String::new() } else { format!(":{https_port}") };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    HeaderValue::try_from(format!("https://{name}{port}{path}"))
        .map_err(|_| format!("path {path:?} cannot be put into a Location header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_redirected_to_the_same_path_at_https() {
        for (host, path, port, wanted) in [
            ("game.example", "/", 443, Ok("https://game.example/")),
            ("game.example:80", "/r/AB?x=1&y=%20", 8443, Ok("https://game.example:8443/r/AB?x=1&y=%20")),
            ("[::1]:8080", "/a//b", 443, Ok("https://[::1]/a//b")),
            ("", "/", 443, Err("Host is")),
            ("evil.example/@game.example", "/", 443, Err("Host is")),
            ("a b", "/", 443, Err("Host is")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            let got = location(&headers, &Uri::from_static(path), port);
            match (got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted),
                (Err(got), Err(wanted)) => assert!(got.contains(wanted), "{got}"),
                (got, wanted) => panic!("{host}{path}: {got:?}, not {wanted:?}"),
            }
        }
    }
}
