//! The OpenID Connect provider that the flags name.

use std::path::Path;

use super::Config;

/// A provider that signs in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProviderConfig {
    /// Its URL, exactly as in its metadata.
    pub(crate) issuer: String,
    /// What it knows this server as.
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) client_secret: Option<String>,
    /// What people know it as.
    pub(crate) label: String,
}

impl Config {
    /// The provider, if there is one. Reads the file with the client's secret.
    ///
    /// # Errors
    /// Flags that need each other, or a file without a secret, with the way out.
    pub(crate) fn provider(&self) -> Result<Option<ProviderConfig>, String> {
        let (Some(issuer), Some(client_id)) = (&self.oidc_issuer, &self.oidc_client_id) else {
            return self.check_provider().map(|()| None);
        };
        let client_secret = self.oidc_client_secret_file.as_deref().map(secret_of).transpose()?;
        let label = self.oidc_label.clone();
        Ok(Some(ProviderConfig { issuer: issuer.clone(), client_id: client_id.clone(), client_secret, label }))
    }

    /// Checks the flags against each other, without reading a file.
    ///
    /// # Errors
    /// Flags that need each other, with the way out.
    pub(super) fn check_provider(&self) -> Result<(), String> {
        match (&self.oidc_issuer, &self.oidc_client_id, &self.oidc_client_secret_file) {
            (Some(_), None, _) => {
                Err("--oidc-issuer needs the name that the provider gave this server: add --oidc-client-id ID"
                    .to_owned())
            }
            (None, Some(_), _) | (None, None, Some(_)) => {
                Err("--oidc-client-id and --oidc-client-secret-file need the provider: add --oidc-issuer URL"
                    .to_owned())
            }
            (Some(_), Some(_), _) | (None, None, None) => Ok(()),
        }
    }
}

/// A provider's URL: https, or http on this machine.
pub(super) fn issuer(text: &str) -> Result<String, String> {
    let way_out = "must be the provider's URL, such as https://id.example; http is for localhost only";
    let (scheme, rest) = text.split_once("://").ok_or(way_out)?;
    let host = rest.split('/').next().and_then(crate::origin::split).map(|(host, _)| host).ok_or(way_out)?;
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['?', '#']);
    match scheme {
        "https" if is_plain => Ok(text.to_owned()),
        "http" if is_plain && is_here => Ok(text.to_owned()),
        _ => Err(way_out.to_owned()),
    }
}

fn secret_of(path: &Path) -> Result<String, String> {
    let what = || format!("--oidc-client-secret-file {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: cannot be read: {error}", what()))?;
    match text.trim() {
        "" => Err(format!("{}: is empty; it must hold the secret that the provider gave this server", what())),
        secret => Ok(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_url_of_https_or_of_this_machine() {
        for fine in [
            "https://id.example",
            "https://id.example:8443/realms/game/",
            "http://127.0.0.1:9000",
            "http://localhost/x",
        ] {
            assert_eq!(issuer(fine), Ok(fine.to_owned()));
        }
        for bad in
            ["id.example", "http://id.example", "https://", "https://a b", "https://id.example/?x", "ftp://id.example"]
        {
            assert!(issuer(bad).is_err_and(|why| why.contains("https://id.example")), "{bad}");
        }
    }
}
