//! Which certificate the flags ask for. Checks the flags against each other and reads no file.

use std::path::PathBuf;

use super::Config;

/// Paths of a certificate and its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate first, then the intermediate certificates.
    pub cert: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// Where the certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CertificateSource {
    Files(CertificateFiles),
    /// A self-signed certificate that the server generates and keeps in this folder.
    SelfSigned(PathBuf),
}

impl Config {
    /// The source of the certificate; `None` without TLS.
    ///
    /// # Errors
    /// Flags that contradict each other, with the way out.
    pub(crate) fn certificate_source(&self) -> Result<Option<CertificateSource>, String> {
        let refuse = |why: &str| Err(why.to_owned());
        let source = match (&self.tls_cert, &self.tls_key, &self.tls_self_signed) {
            (Some(cert), Some(key), None) => {
                CertificateSource::Files(CertificateFiles { cert: cert.clone(), key: key.clone() })
            }
            (None, None, Some(folder)) => CertificateSource::SelfSigned(folder.clone()),
            (Some(_), None, None) => {
                return refuse("--tls-cert needs the private key of the certificate: add --tls-key FILE");
            }
            (None, Some(_), None) => {
                return refuse("--tls-key needs the certificate that it belongs to: add --tls-cert FILE");
            }
            (_, _, Some(_)) => {
                return refuse(
                    "--tls-self-signed generates its own certificate and key: leave it out, or leave out --tls-cert and \
                     --tls-key",
                );
            }
            (None, None, None) if self.redirect_http.is_some() => {
                return refuse(
                    "--redirect-http redirects to https, which this server does not serve: add --tls-cert and --tls-key, \
                     or --tls-self-signed",
                );
            }
            (None, None, None) => return Ok(None),
        };
        match self.redirect_http {
            Some(port) if port != 0 && port == self.port => {
                Err(format!("--redirect-http {port}: is also the --port of https; choose another for one of them"))
            }
            Some(_) | None => Ok(Some(source)),
        }
    }
}
