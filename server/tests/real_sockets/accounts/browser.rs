//! A browser with a page of the server open: it keeps cookies and says where its requests come from.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::{Reply, ask_over, request};
use crate::scene::Server;

/// A browser.
pub(crate) struct Browser<'a> {
    server: &'a Server,
    /// Cookies by name.
    cookies: RefCell<BTreeMap<String, String>>,
    /// Headers of every request beside its own, in place of those if they have the same name.
    more: Vec<(&'static str, String)>,
}

impl<'a> Browser<'a> {
    /// One that was never here.
    pub(crate) fn new(server: &'a Server) -> Browser<'a> {
        Browser { server, cookies: RefCell::default(), more: Vec::new() }
    }

    /// One with a page of another origin open, or behind a proxy; an empty value removes a header.
    pub(crate) fn with(server: &'a Server, more: &[(&'static str, &str)]) -> Browser<'a> {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Browser { more, ..Browser::new(server) }
    }

    /// The same cookies with another page.
    pub(crate) fn elsewhere(&self, more: &[(&'static str, &str)]) -> Browser<'a> {
        Browser { cookies: self.cookies.clone(), ..Browser::with(self.server, more) }
    }

    /// Its cookies.
    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.borrow().clone()
    }

    /// Does not send this cookie any longer.
    #[cfg(feature = "oidc")]
    pub(crate) fn forget(&self, name: &str) {
        self.cookies.borrow_mut().remove(name);
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }

    /// POSTs JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, &body.to_string()).await
    }

    /// A request as the page's script sends it.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        let host = self.server.address().to_string();
        let scheme = if self.server.tls.is_some() { "https" } else { "http" };
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = BTreeMap::from([
            ("host", host.clone()),
            ("connection", "close".to_owned()),
            ("content-length", body.len().to_string()),
            ("sec-fetch-site", "same-origin".to_owned()),
            ("cookie", cookies.join("; ")),
        ]);
        if method != "GET" {
            headers.extend([("origin", format!("{scheme}://{host}")), ("content-type", "application/json".to_owned())]);
        }
        headers.extend(self.more.iter().map(|(name, value)| (*name, value.clone())));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = ask_over(self.server.stream().await, &(request("", method, path, &headers) + body)).await;
        for line in reply.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a name and a value");
            match attributes.contains("Max-Age=0;") {
                true => drop(self.cookies.borrow_mut().remove(name)),
                false => drop(self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned())),
            }
        }
        reply
    }

    /// The account that it is signed in to, made if it is not.
    pub(crate) async fn account(&self) -> Value {
        let reply = self.post("/api/account/token", &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["account"].clone()
    }
}
