//! The certificate and the key that the server shows: from two files, read anew when they change. Connections that are open
//! keep what they have agreed on; new ones get the new certificate. A bad file changes nothing but the log.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig, SupportedCipherSuite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::self_signed;
use crate::config::Config;

/// Time between two looks at the files. A change is taken when two looks have seen the same: whoever writes them may not be done.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where a certificate and its key are, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The server's own certificate first, then those that lead to its authority.
    pub cert: PathBuf,
    /// The private key of the first.
    pub key: PathBuf,
}

/// What the server shows.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    read_at: Stamp,
    current: Mutex<Arc<CertifiedKey>>,
}

/// Where the flags say that the certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// These files.
    Files(Files),
    /// One of our own making, in this folder.
    SelfSigned(PathBuf),
}

/// Where the certificate comes from that the flags ask for; `None` is no TLS. Looks at no file.
///
/// # Errors
/// Flags that make no sense together, with the way out.
pub fn source(config: &Config) -> Result<Option<Source>, String> {
    let refuse = |why: &str| Err(why.to_owned());
    let source = match (&config.tls_cert, &config.tls_key, &config.tls_self_signed) {
        (Some(cert), Some(key), None) => Source::Files(Files { cert: cert.clone(), key: key.clone() }),
        (None, None, Some(folder)) => Source::SelfSigned(folder.clone()),
        (Some(_), None, None) => {
            return refuse("--tls-cert needs the certificate's private key too: add --tls-key FILE");
        }
        (None, Some(_), None) => {
            return refuse("--tls-key needs the certificate that it belongs to: add --tls-cert FILE");
        }
        (_, _, Some(_)) => {
            return refuse(
                "--tls-self-signed makes a certificate and a key of its own: leave it out, or --tls-cert and --tls-key",
            );
        }
        (None, None, None) if config.redirect_http.is_some() => {
            return refuse(
                "--redirect-http sends everyone to https, which this server does not speak: add --tls-cert and --tls-key, or \
                 --tls-self-signed",
            );
        }
        (None, None, None) => return Ok(None),
    };
    match config.redirect_http {
        Some(port) if port != 0 && port == config.port => {
            Err(format!("--redirect-http {port}: is the --port of https too; choose another for one of them"))
        }
        Some(_) | None => Ok(Some(source)),
    }
}

/// The certificate that the flags ask for; `None` is no TLS.
///
/// # Errors
/// What is wrong with the files, or flags that make no sense together.
pub fn asked_for(config: &Config) -> anyhow::Result<Option<Certificate>> {
    let files = match source(config).map_err(anyhow::Error::msg)? {
        Some(Source::Files(files)) => files,
        Some(Source::SelfSigned(folder)) => self_signed::prepare(&folder, config.host)?,
        None => return Ok(None),
    };
    Certificate::read(files).map(Some)
}

impl Certificate {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// Which file is not what it should be, and why.
    pub fn read(files: Files) -> anyhow::Result<Certificate> {
        // Before the files: what changes from here on is seen as a change.
        let read_at = Stamp::of(&files);
        let current = Mutex::new(Arc::new(load(&files)?));
        Ok(Certificate { files, read_at, current })
    }

    /// Reads the files anew; what was shown until now stays if they are no good.
    ///
    /// # Errors
    /// As [`Certificate::read`].
    pub fn read_anew(&self) -> anyhow::Result<()> {
        let fresh = Arc::new(load(&self.files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The SHA-256 of the certificate itself, as browsers show it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.now().end_entity_cert().map(|cert| fingerprint(cert)).unwrap_or_default()
    }

    /// Tells the log what came of reading the files anew.
    fn tell(&self, read: anyhow::Result<()>) {
        match read {
            Ok(()) => tracing::info!(fingerprint = self.fingerprint(), "certificate replaced"),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "new certificate is no good; the one before stays");
            }
        }
    }

    fn now(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

/// Takes TLS connections with this certificate, whatever it is at that time.
///
/// # Errors
/// When the system gives no random numbers.
pub fn acceptor(certificate: Arc<Certificate>) -> anyhow::Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(provider());
    let config = config.with_safe_default_protocol_versions().context("cannot set up TLS")?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // TeamLabel comes back, after a network loss perhaps with a thousand others, is spared the costly part of the handshake; we keep
    // nothing for it.
    config.ticketer = Ticketer::new().context("cannot make a key for tickets of TLS")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Looks at the files until the app is ending, and reads them anew when they change.
pub async fn watch(certificate: Arc<Certificate>, mut ending: watch::Receiver<bool>) {
    let mut change = Change::since(certificate.read_at);
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = crate::app::ended(&mut ending) => return,
        }
        let (looked_at, due) = (Arc::clone(&certificate), change);
        // Files may be on a network.
        let look = tokio::task::spawn_blocking(move || {
            let mut change = due;
            let read = change.is_due(Stamp::of(&looked_at.files)).then(|| looked_at.read_anew());
            (change, read)
        });
        // A look that broke down has been told of; the next one may do better.
        let Ok((looked, read)) = look.await else { continue };
        change = looked;
        if let Some(read) = read {
            certificate.tell(read);
        }
    }
}

/// Reads the files anew now, changed or not.
pub async fn renew(certificate: &Arc<Certificate>) {
    let renewed = Arc::clone(certificate);
    // Files may be on a network.
    if let Ok(read) = tokio::task::spawn_blocking(move || renewed.read_anew()).await {
        certificate.tell(read);
    }
}

/// What tells one version of the files from another: time of change and length of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    fn of(files: &Files) -> Stamp {
        let stamp = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        Stamp([stamp(&files.cert), stamp(&files.key)])
    }
}

/// Whether files have changed, and are done changing.
#[derive(Debug, Clone, Copy)]
struct Change {
    read: Stamp,
    seen: Stamp,
}

impl Change {
    fn since(read: Stamp) -> Change {
        Change { read, seen: read }
    }

    /// Whether to read them now. Each version is read once, good or bad.
    fn is_due(&mut self, now: Stamp) -> bool {
        let settled = std::mem::replace(&mut self.seen, now) == now;
        let due = settled && now != self.read;
        if due {
            self.read = now;
        }
        due
    }
}

fn load(files: &Files) -> anyhow::Result<CertifiedKey> {
    let (cert, key) = (files.cert.display(), files.key.display());
    let cert_pem = std::fs::read(&files.cert).with_context(|| format!("certificate {cert}: cannot be read"))?;
    let key_pem = std::fs::read(&files.key).with_context(|| format!("key {key}: cannot be read"))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&cert_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("certificate {cert}: is no PEM: {error}"))?;
    if chain.is_empty() {
        let swapped = PrivateKeyDer::from_pem_slice(&cert_pem).is_ok();
        let way_out = if swapped { "; it holds a private key: are the two files swapped?" } else { "" };
        bail!(
            "certificate {cert}: holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----{way_out}"
        );
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| {
        let text = String::from_utf8_lossy(&key_pem);
        let way_out = if text.contains("BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
            "; it is encrypted: `openssl pkey -in FILE -out PLAIN` takes the password off"
        } else if text.contains("BEGIN CERTIFICATE") {
            "; it holds a certificate: are the two files swapped?"
        } else {
            ""
        };
        anyhow!("key {key}: holds no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----{way_out}")
    })?;
    CertifiedKey::from_der(chain, private, &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            anyhow!("key {key}: does not belong to the certificate {cert}: their public keys differ")
        }
        Error::InvalidCertificate(why) => anyhow!("certificate {cert}: is no good: {why:?}"),
        error => {
            anyhow!("key {key}: cannot be used: {error}; RSA from 2048 bits, ECDSA P-256 and P-384, and Ed25519 can")
        }
    })
}

/// The SHA-256 of a certificate, in pairs of hexadecimal digits.
fn fingerprint(cert: &CertificateDer<'_>) -> String {
    let SupportedCipherSuite::Tls13(suite) = cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        unreachable!("its name says TLS 1.3")
    };
    let hash = suite.common.hash_provider.hash(cert);
    let pairs: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// The cryptography that everything here uses.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    /// A folder with a good certificate and key, gone with this value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> (Folder, Files) {
            let folder = Folder(std::env::temp_dir().join(format!("broadside-{name}-{}", std::process::id())));
            let files = self_signed::prepare(&folder.0, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a folder of our own");
            (folder, files)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn refusal(files: &Files) -> String {
        format!("{:#}", Certificate::read(files.clone()).expect_err("no good"))
    }

    #[test]
    fn a_bad_file_is_refused_with_its_name_and_what_is_wrong() {
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
            (&broken, &good.key, "broken.pem: is no PEM"),
            (&odd, &good.key, "odd.pem: is no good"),
            (&good.cert, &empty, "empty.pem: holds no private key in PEM"),
            (&good.cert, &good.cert, "it holds a certificate"),
            (&good.cert, &locked, "takes the password off"),
            (&good.cert, &not_a_key, "not-a-key.pem: cannot be used"),
            (&good.cert, &other.key, "does not belong to the certificate"),
        ] {
            let refusal = refusal(&Files { cert: cert.clone(), key: key.clone() });
            assert!(refusal.contains(says), "{says}: {refusal}");
        }
    }

    #[test]
    fn a_change_is_read_once_and_only_when_it_is_done() {
        let stamp = |cert, key| Stamp([cert, key].map(|len| Some((SystemTime::UNIX_EPOCH, len))));
        let mut change = Change::since(stamp(1, 1));
        let mut due = |cert, key| change.is_due(stamp(cert, key));
        assert!(!due(1, 1));
        // The certificate is new, the key is not there yet.
        assert!(!due(2, 1));
        assert!(!due(2, 2));
        assert!(due(2, 2));
        assert!(!due(2, 2));
        // And back.
        assert!(!due(1, 1));
        assert!(due(1, 1));
    }

    #[test]
    fn a_bad_new_file_leaves_what_was_there() {
        let (_folder, files) = Folder::new("stays");
        let (_other, other) = Folder::new("stays-other");
        let certificate = Certificate::read(files.clone()).expect("a good pair");
        let first = certificate.fingerprint();
        std::fs::copy(&other.cert, &files.cert).expect("our own folder");
        assert!(certificate.read_anew().is_err());
        assert_eq!(certificate.fingerprint(), first);
        std::fs::copy(&other.key, &files.key).expect("our own folder");
        certificate.read_anew().expect("a good pair again");
        assert_ne!(certificate.fingerprint(), first);
    }
}
