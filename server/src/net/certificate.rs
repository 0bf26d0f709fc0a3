//! The server's certificate and key, reloaded when their files change. Open connections keep their session; new ones get the new
//! certificate. Invalid files are logged and otherwise ignored.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use rustls::crypto::ring::{Ticketer, cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig, SupportedCipherSuite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::self_signed;
use super::tls::crypto_provider;
use crate::config::Config;
use crate::config::tls::{CertificateFiles, CertificateSource};

/// Interval between checks of the files. A change counts once two checks have seen the same: a write may be under way.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// The current certificate and key.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: CertificateFiles,
    read_at: FileStamps,
    current: Mutex<Arc<CertifiedKey>>,
}

/// Loads the certificate that the flags name; `None` without TLS.
///
/// # Errors
/// Invalid files, or flags that contradict each other.
pub(crate) fn configured(config: &Config) -> anyhow::Result<Option<Certificate>> {
    let files = match config.certificate_source().map_err(anyhow::Error::msg)? {
        Some(CertificateSource::Files(files)) => files,
        Some(CertificateSource::SelfSigned(folder)) => self_signed::prepare(&folder, config.host)?,
        None => return Ok(None),
    };
    Certificate::read(files).map(Some)
}

impl Certificate {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// Which file is invalid, and why.
    pub(crate) fn read(files: CertificateFiles) -> anyhow::Result<Certificate> {
        // Before reading the files, so that a later write counts as a change.
        let read_at = FileStamps::of(&files);
        let current = Mutex::new(Arc::new(load(&files)?));
        Ok(Certificate { files, read_at, current })
    }

    /// Reloads the files; keeps the current certificate if they are invalid.
    ///
    /// # Errors
    /// As [`Certificate::read`].
    pub(crate) fn reload(&self) -> anyhow::Result<()> {
        let fresh = Arc::new(load(&self.files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// SHA-256 of the certificate, as browsers show it.
    pub(crate) fn fingerprint(&self) -> String {
        self.current().end_entity_cert().map(|cert| fingerprint(cert)).unwrap_or_default()
    }

    fn log_reload(&self, result: anyhow::Result<()>) {
        match result {
            Ok(()) => tracing::info!(fingerprint = self.fingerprint(), "certificate replaced"),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "new certificate is invalid; keeping the current one");
            }
        }
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// Accepts TLS connections, each with the certificate that is current at that time.
///
/// # Errors
/// The system has no random numbers.
pub(crate) fn acceptor(certificate: Arc<Certificate>) -> anyhow::Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(crypto_provider());
    let config = config.with_safe_default_protocol_versions().context("cannot set up TLS")?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A returning client skips the costly part of the handshake: after a network outage a thousand may return at once. Tickets need
    // no state on the server.
    config.ticketer = Ticketer::new().context("cannot generate a key for TLS tickets")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Reloads the files whenever they change, until the app ends.
pub(crate) async fn watch(certificate: Arc<Certificate>, mut ending: watch::Receiver<bool>) {
    let mut change = ChangeDetector::since(certificate.read_at);
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECK_EVERY) => {}
            () = crate::app::ended(&mut ending) => return,
        }
        let (checked, mut detector) = (Arc::clone(&certificate), change);
        // The files may be on a network.
        let check = tokio::task::spawn_blocking(move || {
            let reloaded = detector.is_due(FileStamps::of(&checked.files)).then(|| checked.reload());
            (detector, reloaded)
        });
        // A check that panicked is already logged; the next one may succeed.
        let Ok((detector, reloaded)) = check.await else { continue };
        change = detector;
        if let Some(result) = reloaded {
            certificate.log_reload(result);
        }
    }
}

/// Reloads the files now, changed or not, and logs the result.
pub(crate) async fn reload(certificate: &Arc<Certificate>) {
    let reloaded = Arc::clone(certificate);
    // The files may be on a network.
    if let Ok(result) = tokio::task::spawn_blocking(move || reloaded.reload()).await {
        certificate.log_reload(result);
    }
}

/// Identifies a version of the files: modification time and length of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamps([Option<(SystemTime, u64)>; 2]);

impl FileStamps {
    fn of(files: &CertificateFiles) -> FileStamps {
        let stamp = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        FileStamps([stamp(&files.cert), stamp(&files.key)])
    }
}

/// Detects that files have changed and that the change is complete.
#[derive(Debug, Clone, Copy)]
struct ChangeDetector {
    read: FileStamps,
    seen: FileStamps,
}

impl ChangeDetector {
    fn since(read: FileStamps) -> ChangeDetector {
        ChangeDetector { read, seen: read }
    }

    /// Whether to reload the files now. Each version is due once, valid or not.
    fn is_due(&mut self, now: FileStamps) -> bool {
        let settled = std::mem::replace(&mut self.seen, now) == now;
        let due = settled && now != self.read;
        if due {
            self.read = now;
        }
        due
    }
}

fn load(files: &CertificateFiles) -> anyhow::Result<CertifiedKey> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let cert_pem = std::fs::read(&files.cert).with_context(|| format!("certificate {cert}: cannot be read"))?;
    let key_pem = std::fs::read(&files.key).with_context(|| format!("key {key}: cannot be read"))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&cert_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("certificate {cert}: is not PEM: {error}"))?;
    if chain.is_empty() {
        let swapped = PrivateKeyDer::from_pem_slice(&cert_pem).is_ok();
        let way_out = if swapped { "; it holds a private key: are the two files swapped?" } else { "" };
        bail!(
            "certificate {cert}: holds no certificate in PEM, which starts with -----BEGIN CERTIFICATE-----{way_out}"
        );
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| {
        let text = String::from_utf8_lossy(&key_pem);
        let way_out = if text.contains("BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
            "; it is encrypted: `openssl pkey -in FILE -out PLAIN` removes the password"
        } else if text.contains("BEGIN CERTIFICATE") {
            "; it holds a certificate: are the two files swapped?"
        } else {
            ""
        };
        anyhow!("key {key}: holds no private key in PEM, which starts with -----BEGIN PRIVATE KEY-----{way_out}")
    })?;
    CertifiedKey::from_der(chain, private, &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            anyhow!("key {key}: does not belong to the certificate {cert}: their public keys differ")
        }
        Error::InvalidCertificate(why) => anyhow!("certificate {cert}: is invalid: {why:?}"),
        error => {
            anyhow!("key {key}: cannot be used: {error}; supported are RSA from 2048 bits, ECDSA P-256 and P-384, and Ed25519")
        }
    })
}

/// SHA-256 of a certificate, as pairs of hexadecimal digits.
fn fingerprint(cert: &CertificateDer<'_>) -> String {
    let SupportedCipherSuite::Tls13(suite) = cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        unreachable!("its name says TLS 1.3")
    };
    let hash = suite.common.hash_provider.hash(cert);
    let pairs: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::PathBuf;

    use super::*;

    /// A temporary folder with a valid certificate and key, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> (Folder, CertificateFiles) {
            let folder = Folder(std::env::temp_dir().join(format!("broadside-{name}-{}", std::process::id())));
            let files = self_signed::prepare(&folder.0, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a writable folder");
            (folder, files)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn refusal(files: &CertificateFiles) -> String {
        format!("{:#}", Certificate::read(files.clone()).expect_err("no good"))
    }

    #[test]
    fn an_invalid_file_is_refused_with_its_name_and_the_reason() {
        let (folder, good) = Folder::new("bad-files");
        let (_other, other) = Folder::new("bad-files-other");
        Certificate::read(good.clone()).expect("a good pair");
        let put = |name: &str, text: &str| {
            let path = folder.0.join(name);
            std::fs::write(&path, text).expect("our own folder");
            path
        };
        let missing = folder.0.join("missing.pem");
        let empty = put("empty.pem", "");
        let broken = put("broken.pem", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
        let odd = put("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let locked =
            put("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        let not_a_key = put("not-a-key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        for (cert, key, says) in [
            (&missing, &good.key, "missing.pem: cannot be read: No such file"),
            (&good.cert, &missing, "key"),
            (&empty, &good.key, "empty.pem: holds no certificate in PEM"),
            (&good.key, &good.cert, "are the two files swapped?"),
            (&broken, &good.key, "broken.pem: is not PEM"),
            (&odd, &good.key, "odd.pem: is invalid"),
            (&good.cert, &empty, "empty.pem: holds no private key in PEM"),
            (&good.cert, &good.cert, "it holds a certificate"),
            (&good.cert, &locked, "removes the password"),
            (&good.cert, &not_a_key, "not-a-key.pem: cannot be used"),
            (&good.cert, &other.key, "does not belong to the certificate"),
        ] {
            let refusal = refusal(&CertificateFiles { cert: cert.clone(), key: key.clone() });
            assert!(refusal.contains(says), "{says}: {refusal}");
        }
    }

    #[test]
    fn a_change_is_loaded_once_and_only_when_it_is_complete() {
        let stamp = |cert, key| FileStamps([cert, key].map(|len| Some((SystemTime::UNIX_EPOCH, len))));
        let mut change = ChangeDetector::since(stamp(1, 1));
        let mut due = |cert, key| change.is_due(stamp(cert, key));
        assert!(!due(1, 1));
        // The certificate is new, the key is not written yet.
        assert!(!due(2, 1));
        assert!(!due(2, 2));
        assert!(due(2, 2));
        assert!(!due(2, 2));
        // Back to the first version.
        assert!(!due(1, 1));
        assert!(due(1, 1));
    }

    #[test]
    fn an_invalid_new_file_keeps_the_current_certificate() {
        let (_folder, files) = Folder::new("stays");
        let (_other, other) = Folder::new("stays-other");
        let certificate = Certificate::read(files.clone()).expect("a good pair");
        let first = certificate.fingerprint();
        std::fs::copy(&other.cert, &files.cert).expect("our own folder");
        assert!(certificate.reload().is_err());
        assert_eq!(certificate.fingerprint(), first);
        std::fs::copy(&other.key, &files.key).expect("our own folder");
        certificate.reload().expect("a good pair again");
        assert_ne!(certificate.fingerprint(), first);
    }
}
