//! The path below which a proxy serves the game, if the proxy passes that path on.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Paths of the server's own at the root; a base path of the same name would be ambiguous.
const OURS: [&str; 11] = ["api", "discord", "embed", "friend", "healthz", "metrics", "r", "readyz", "replay", "u", "v"];

/// A path such as `/game`, or none. The server answers below it as at its root, so it does not matter whether a proxy strips the
/// path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    /// Strips the path from a URI that starts with it. Leaves any other URI unchanged, also the path without a trailing slash: see
    /// [`BasePath::redirect`].
    pub(crate) fn strip(&self, uri: &mut Uri) {
        let Some(rest) = uri.path_and_query().and_then(|path| path.as_str().strip_prefix(&self.0)) else { return };
        if self.0.is_empty() || !rest.starts_with('/') {
            return;
        }
        let Ok(rest) = PathAndQuery::try_from(rest) else { return };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(rest);
        // The parts of a valid URI stay valid without the prefix.
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }

    /// The redirect from the path without a trailing slash to the path with one, since the page loads its files by relative path.
    /// `None` for any other URI.
    pub(crate) fn redirect(&self, uri: &Uri) -> Option<String> {
        if self.0.is_empty() || uri.path() != self.0 {
            return None;
        }
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        Some(format!("{}/{query}", self.0))
    }
}

impl FromStr for BasePath {
    type Err = String;

    /// Parses `/game`, `/game/`, `/some/game`, and `/` for none.
    fn from_str(text: &str) -> Result<BasePath, String> {
        let path = text.trim_matches('/');
        if path.is_empty() {
            return Ok(BasePath::default());
        }
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.bytes().any(|byte| byte != b'.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !text.starts_with('/') || !path.split('/').all(is_plain) {
            return Err("must be a path such as /game, made of letters, digits and - . _ ~".to_owned());
        }
        let first = path.split('/').next().unwrap_or(path);
        if OURS.contains(&first) {
            return Err(format!(
                "must not start with /{first}, which the server uses itself; choose another, such as /game"
            ));
        }
        Ok(BasePath(format!("/{path}")))
    }
}

/// Without a trailing slash and empty for none, so that a path of the server can be appended.
impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(base: &str, address: &str) -> String {
        let mut uri: Uri = address.parse().expect("an address");
        base.parse::<BasePath>().expect("a path").strip(&mut uri);
        uri.to_string()
    }

    #[test]
    fn the_path_is_stripped_and_other_addresses_stay() {
        for (base, address, ours) in [
            ("/game", "/game/", "/"),
            ("/game/", "/game/r/K7QF2M?name=Ann", "/r/K7QF2M?name=Ann"),
            ("/a/b", "/a/b/ws", "/ws"),
            ("/game", "http://host.example:80/game/ws?x", "http://host.example:80/ws?x"),
            ("/game", "/games/x", "/games/x"),
            ("/game", "/game", "/game"),
            ("/game", "/game?x", "/game?x"),
            ("/game", "/game//x", "//x"),
            ("/game", "/ws", "/ws"),
            ("/", "/game/ws", "/game/ws"),
        ] {
            assert_eq!(stripped(base, address), ours, "{address} with {base}");
        }
    }

    #[test]
    fn the_path_without_a_slash_redirects_to_the_path_with_one() {
        let base: BasePath = "/game".parse().expect("a path");
        let to = |address: &str| base.redirect(&address.parse().expect("an address"));
        assert_eq!(to("/game?name=Ann").as_deref(), Some("/game/?name=Ann"));
        assert_eq!((to("/game/"), to("/"), to("/games")), (None, None, None));
        assert_eq!(BasePath::default().redirect(&Uri::default()), None);
    }

    #[test]
    fn an_invalid_path_is_refused() {
        for bad in
            ["game", "/a b", "/a//b", "/..", "/a/../b", "/%2e", "/game?x", "/ä", "https://x/game", "/api", "/r/x"]
        {
            let refusal = bad.parse::<BasePath>().expect_err(bad);
            assert!(refusal.contains("/game"), "{bad}: {refusal}");
        }
    }
}
