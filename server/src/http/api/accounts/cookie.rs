//! Cookies: their names, attributes and reading.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::accounts::SIGNED_IN_S;
use crate::accounts::secrets::BrowserSecret;
use crate::base_path::BasePath;
use crate::origin::Scheme;

/// Name of the cookie with a browser's secret, without a prefix.
const ACCOUNT: &str = "broadside_account";

/// Name of the cookie that binds a flow at a provider to its browser. `Lax`, since the provider sends the browser back from another site.
#[cfg(feature = "oidc")]
const FLOW: &str = "broadside_oidc";

/// How cookies are set for a request: over which scheme, and below which path.
#[derive(Debug, Clone)]
pub(crate) struct CookieScope {
    scheme: Option<Scheme>,
    /// Empty for the whole host.
    base_path: String,
}

impl CookieScope {
    pub(crate) fn new(scheme: Option<Scheme>, base_path: &BasePath) -> CookieScope {
        CookieScope { scheme, base_path: base_path.to_string() }
    }

    /// The browser's secret, if the request has one.
    pub(crate) fn secret(&self, headers: &HeaderMap) -> Option<BrowserSecret> {
        value(headers, &self.name(ACCOUNT)).and_then(BrowserSecret::parse)
    }

    /// Makes the browser keep a secret.
    pub(crate) fn keep(&self, secret: &BrowserSecret) -> HeaderValue {
        self.set(ACCOUNT, secret.text(), SIGNED_IN_S, "Strict")
    }

    /// Makes the browser forget its secret.
    pub(crate) fn forget(&self) -> HeaderValue {
        self.set(ACCOUNT, "", 0, "Strict")
    }

    /// The secret of a flow at a provider, if the request has one.
    #[cfg(feature = "oidc")]
    pub(crate) fn flow(&self, headers: &HeaderMap) -> Option<BrowserSecret> {
        value(headers, &self.name(FLOW)).and_then(BrowserSecret::parse)
    }

    /// Binds a flow at a provider to the browser.
    #[cfg(feature = "oidc")]
    pub(crate) fn keep_flow(&self, secret: &BrowserSecret) -> HeaderValue {
        self.set(FLOW, secret.text(), crate::accounts::provider::FLOW_S, "Lax")
    }

    /// Ends a flow.
    #[cfg(feature = "oidc")]
    pub(crate) fn forget_flow(&self) -> HeaderValue {
        self.set(FLOW, "", 0, "Lax")
    }

    fn set(&self, name: &str, value: &str, max_age_s: u32, same_site: &str) -> HeaderValue {
        let (name, path) = (self.name(name), if self.base_path.is_empty() { "/" } else { &self.base_path });
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite={same_site}{secure}");
        HeaderValue::try_from(text).expect("names, paths and secrets are visible ASCII")
    }

    /// With the prefix by which a browser refuses the cookie from any other host (RFC 6265bis, section 4.1.3). `__Host-` demands the path
    /// `/`, so below a base path there is only `__Secure-`.
    fn name(&self, name: &str) -> String {
        match (self.is_secure(), self.base_path.is_empty()) {
            (true, true) => format!("__Host-{name}"),
            (true, false) => format!("__Secure-{name}"),
            (false, _) => name.to_owned(),
        }
    }

    fn is_secure(&self) -> bool {
        self.scheme == Some(Scheme::Https)
    }
}

/// The first cookie with this name: of two, browsers send the one with the longer path first.
fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(scheme: Option<Scheme>, base_path: &str) -> CookieScope {
        CookieScope::new(scheme, &base_path.parse().expect("a path"))
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_as_far_as_scheme_and_path_allow() {
        let secret = BrowserSecret::make();
        let rest = "Max-Age=34560000; HttpOnly; SameSite=Strict";
        for (scheme, base_path, name, attributes) in [
            (Some(Scheme::Https), "/", "__Host-broadside_account", format!("Path=/; {rest}; Secure")),
            (Some(Scheme::Https), "/game", "__Secure-broadside_account", format!("Path=/game; {rest}; Secure")),
            (Some(Scheme::Http), "/game", "broadside_account", format!("Path=/game; {rest}")),
            (None, "/", "broadside_account", format!("Path=/; {rest}")),
        ] {
            let set = scope(scheme, base_path).keep(&secret);
            assert_eq!(set, format!("{name}={}; {attributes}", secret.text()));
        }
    }

    #[test]
    fn the_secret_is_found_among_other_cookies_and_only_under_its_whole_name() {
        let (secret, other) = (BrowserSecret::make(), BrowserSecret::make());
        let found = |lines: &[String]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_str(line).expect("visible"));
            }
            scope(None, "/").secret(&headers).map(|secret| secret.text().to_owned())
        };
        let ours = format!("broadside_account={}", secret.text());
        let theirs = format!("broadside_account={}", other.text());
        assert_eq!(found(&[format!("a=b; {ours}; c=d")]).as_deref(), Some(secret.text()));
        assert_eq!(found(&["a=b".to_owned(), ours.clone(), theirs]).as_deref(), Some(secret.text()), "the first");
        assert_eq!(found(&[format!("x{ours}"), format!("__Host-{ours}"), "broadside_account=x".to_owned()]), None);
        assert_eq!(found(&[]), None);
    }
}
