//! How a client verifies a server's TLS certificate: against public authorities, against pinned certificates, or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The TLS flags of every program that connects to a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct TlsVerification {
    /// For wss://: accept only this certificate, or certificates of these authorities, in PEM [default: the authorities that browsers
    /// trust]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,

    /// For wss://: accept any certificate. The identity of the server is then not verified
    #[arg(long)]
    pub insecure: bool,
}

impl TlsVerification {
    /// Whether one of the flags was given.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self != TlsVerification::default()
    }

    /// The TLS configuration for these flags. Connections that share it also share its cache of session tickets.
    ///
    /// # Errors
    /// What is wrong with the file of `--ca`.
    pub fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let config =
            config.with_safe_default_protocol_versions().map_err(|error| format!("cannot set up TLS: {error}"))?;
        let config = match &self.ca {
            _ if self.insecure => {
                config.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider))).with_no_client_auth()
            }
            Some(path) => {
                let pinned = PinnedCertificates::read(path, provider)?;
                config.dangerous().with_custom_certificate_verifier(Arc::new(pinned)).with_no_client_auth()
            }
            None => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
                config.with_root_certificates(roots).with_no_client_auth()
            }
        };
        Ok(Arc::new(config))
    }
}

/// Accepts servers whose certificate is one of these or is signed by one of these.
#[derive(Debug)]
struct PinnedCertificates {
    certs: Vec<CertificateDer<'static>>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl PinnedCertificates {
    fn read(path: &Path, provider: Arc<CryptoProvider>) -> Result<PinnedCertificates, String> {
        let wrong = |what: String| format!("--ca {}: {what}", path.display());
        let pem = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let certs = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let certs = certs.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        if certs.is_empty() {
            return Err(wrong("contains no PEM certificate, which begins with -----BEGIN CERTIFICATE-----".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for cert in &certs {
            let added = roots.add(cert.clone());
            added.map_err(|error| wrong(format!("contains an invalid certificate: {error}")))?;
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(PinnedCertificates { certs, webpki: webpki.map_err(|error| wrong(error.to_string()))? })
    }
}

impl ServerCertVerifier for PinnedCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // `openssl req -x509` makes self-signed CA certificates, which webpki refuses as a server's certificate. If that very
        // certificate is pinned, it is accepted, but its name must still match the server.
        if self.certs.iter().any(|cert| cert == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Accepts any certificate. Signatures are still verified, so the server holds the key of the certificate it shows.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_with_its_name() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (path, says) in [("/nowhere/ca.pem", "cannot be read"), (here, "contains no PEM certificate")] {
            let refusal =
                TlsVerification { ca: Some(path.into()), insecure: false }.config().expect_err("no certificate");
            assert!(refusal.contains(says) && refusal.contains(path), "{refusal}");
        }
        TlsVerification::default().config().expect("the authorities that browsers trust");
    }
}
