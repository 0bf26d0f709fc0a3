//! A self-signed certificate for development. Browsers warn about it. It is kept in a folder, so that programs can trust its file and a
//! browser warns only once, not at each start.

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::tls::crypto_provider;
use crate::config::tls::CertificateFiles;

/// File of the certificate in its folder; `bot` and `load` take it as `--ca`. The name is unusual because the file is overwritten.
pub const CERT_FILE: &str = "self-signed-cert.pem";
/// File of the key in the same folder.
pub const KEY_FILE: &str = "self-signed-key.pem";
/// Validity of a certificate; browsers refuse more than 825 days.
const VALID_FOR: Duration = Duration::from_secs(365 * 24 * 3600);
/// A certificate that expires sooner than this is replaced at startup.
const RENEW_BEFORE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Allowance for clients whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);

/// The certificate in `folder` for this machine and `host`; generates one if none is there that is still valid.
///
/// # Errors
/// The folder cannot be written.
pub fn prepare(folder: &Path, host: IpAddr) -> anyhow::Result<CertificateFiles> {
    let files = CertificateFiles { cert: folder.join(CERT_FILE), key: folder.join(KEY_FILE) };
    let names = names(host);
    let kept =
        CertificateDer::from_pem_file(&files.cert).ok().filter(|cert| files.key.exists() && is_valid(cert, &names));
    let is_new = kept.is_none();
    if is_new {
        generate(folder, &files, &names)?;
    }
    tracing::info!(
        file = %files.cert.display(),
        names = names.join(" "),
        is_new,
        "self-signed development certificate; browsers warn about it"
    );
    Ok(files)
}

/// The names and addresses that the certificate is valid for.
fn names(host: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = host.to_canonical();
    if !host.is_unspecified() && !names.contains(&host.to_string()) {
        names.push(host.to_string());
    }
    names
}

/// Whether the certificate is valid for each of these names, now and until [`RENEW_BEFORE`] from now.
fn is_valid(cert: &CertificateDer<'_>, names: &[String]) -> bool {
    let mut roots = RootCertStore::empty();
    if roots.add(cert.clone().into_owned()).is_err() {
        return false;
    }
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto_provider()).build() else {
        return false;
    };
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = UnixTime::since_unix_epoch(since_epoch + RENEW_BEFORE);
    names.iter().all(|name| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| verifier.verify_server_cert(cert, &[], &name, &[], then).is_ok())
    })
}

fn generate(folder: &Path, files: &CertificateFiles, names: &[String]) -> anyhow::Result<()> {
    let key = KeyPair::generate().context("cannot generate a key")?;
    let mut params = CertificateParams::new(names.to_vec()).context("cannot generate a certificate")?;
    params.distinguished_name.push(DnType::CommonName, "Broadside development");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + VALID_FOR).into();
    let cert = params.self_signed(&key).context("cannot generate a certificate")?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("--tls-self-signed: cannot create the folder {}", folder.display()))?;
    let write = |path: &Path, pem: &str| {
        write_secret(path, pem).with_context(|| format!("--tls-self-signed: cannot write {}", path.display()))
    };
    write(&files.key, &key.serialize_pem())?;
    write(&files.cert, &cert.pem())
}

/// Writes a file that only its owner may read, replacing an existing one.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_reused_while_it_is_valid_for_all_names() {
        let folder = std::env::temp_dir().join(format!("broadside-self-signed-{}", std::process::id()));
        let host = |text: &str| text.parse::<IpAddr>().expect("an address");
        let pem = |files: &CertificateFiles| std::fs::read_to_string(&files.cert).expect("it was written");
        let files = prepare(&folder, host("0.0.0.0")).expect("a writable folder");
        let first = pem(&files);
        prepare(&folder, host("127.0.0.1")).expect("the same folder");
        assert_eq!(pem(&files), first);
        // The certificate does not cover this address.
        prepare(&folder, host("192.0.2.7")).expect("the same folder");
        let second = pem(&files);
        assert_ne!(second, first);
        // A certificate that covers more is reused.
        prepare(&folder, host("::")).expect("the same folder");
        assert_eq!(pem(&files), second);
        #[cfg(unix)]
        {
            let mode = std::fs::metadata(&files.key).expect("it was written").permissions();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
        }
        std::fs::remove_file(&files.key).expect("it was written");
        prepare(&folder, host("::")).expect("the same folder");
        assert_ne!(pem(&files), second);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
