//! Which servers a client believes when they say by TLS who they are.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Flags of every program that connects.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Trust {
    /// For wss://: trust this certificate, or these authorities, in PEM and no others [default: the authorities that browsers trust]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,

    /// For wss://: take any certificate. Nobody then knows who is at the other end
    #[arg(long)]
    pub insecure: bool,
}

impl Trust {
    /// Whether a flag was given.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        *self != Trust::default()
    }

    /// What connections are made with. They share what makes coming back cheap.
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
                config.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth()
            }
            Some(path) => config.with_root_certificates(authorities(path)?).with_no_client_auth(),
            None => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
                config.with_root_certificates(roots).with_no_client_auth()
            }
        };
        Ok(Arc::new(config))
    }
}

fn authorities(path: &std::path::Path) -> Result<RootCertStore, String> {
    let wrong = |what: String| format!("--ca {}: {what}", path.display());
    let pem = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(&pem) {
        let cert = cert.map_err(|error| wrong(format!("is no PEM: {error}")))?;
        roots.add(cert).map_err(|error| wrong(format!("holds a certificate that is no good: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----".to_owned()));
    }
    Ok(roots)
}

/// Believes everyone. Signatures are looked at all the same, so that at least the connection is one.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
    fn a_file_that_holds_no_authority_is_refused_with_its_name() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (path, says) in [("/nowhere/ca.pem", "cannot be read"), (here, "holds no certificate in PEM")] {
            let refusal = Trust { ca: Some(path.into()), insecure: false }.config().expect_err("no good");
            assert!(refusal.contains(says) && refusal.contains(path), "{refusal}");
        }
        Trust::default().config().expect("the authorities that browsers trust");
    }
}
