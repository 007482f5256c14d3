//! Certificates: one that the operator gives, or one from an authority that is made at the first start.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use causeway_store::SqliteStore;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

mod renewal;

use renewal::Renewed;

/// Host names that clients call by default, so that hosts files and proxies can point them here.
const HOST_NAMES: &[&str] = &[
    "localhost",
    "*.aliyuncs.com",
    "*.cn-hangzhou.aliyuncs.com",
    "*.tencentcloudapi.com",
    "*.intl.tencentcloudapi.com",
    "*.causeway.internal",
    "causeway.internal",
];

/// Name under which the store keeps the authority's key, sealed.
const AUTHORITY_KEY: &str = "authority-key";

/// The certificate and key that the operator gives.
#[derive(Clone, Debug)]
pub struct Given {
    /// The chain, in PEM.
    pub certificate: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

/// The file of the authority's certificate, for clients to trust.
pub fn authority_file(data_dir: &Path) -> PathBuf {
    data_dir.join("ca.pem")
}

/// An acceptor with the given certificate, or with one of the service's own authority for `listen`, the names that
/// clients call, and `names` (host names or addresses).
///
/// # Errors
/// When a file can't be read or written, or holds no certificate or key.
pub fn acceptor(
    store: &SqliteStore,
    data_dir: &Path,
    given: Option<&Given>,
    listen: IpAddr,
    names: &[String],
) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let mut config = match given {
        Some(given) => {
            let chain = CertificateDer::pem_file_iter(&given.certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("reading the certificate {}", given.certificate.display()))?;
            let key = PrivateKeyDer::from_pem_file(&given.key)
                .with_context(|| format!("reading the key {}", given.key.display()))?;
            if let Some(what) = out_of_time(&chain, UnixTime::now()) {
                // Renewed by somebody else, perhaps, who can't do it while this refuses to start.
                tracing::error!(file = %given.certificate.display(), "the certificate {what}: clients refuse it");
            }
            config.with_single_cert(chain, key).context("the certificate and the key do not fit")?
        }
        None => {
            let make = own_certificate(store, data_dir, listen, names)?;
            let certified = move |now| {
                let (chain, key) = make(now)?;
                Ok(CertifiedKey::from_der(chain, key, &provider)?)
            };
            config.with_cert_resolver(Arc::new(Renewed::new(certified)?))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Why a chain's first certificate is not of this time, if so.
fn out_of_time(chain: &[CertificateDer<'_>], now: UnixTime) -> Option<&'static str> {
    let (first, others) = chain.split_first()?;
    // Time is looked at before trust, and trust is the clients' matter.
    let mut roots = RootCertStore::empty();
    roots.add(chain.last()?.clone().into_owned()).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    match verifier.verify_server_cert(first, others, &name, &[], now) {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Some("has expired"),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Some("is not valid yet"),
        _ => None,
    }
}

/// A chain and its key.
type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What makes certificates of the service's own authority.
fn own_certificate(
    store: &SqliteStore,
    data_dir: &Path,
    listen: IpAddr,
    names: &[String],
) -> anyhow::Result<impl Fn(SystemTime) -> anyhow::Result<Certificate> + Send + Sync + 'static> {
    let (authority, issuer) = authority(store, data_dir)?;
    let known = HOST_NAMES.iter().map(|name| (*name).to_owned());
    // Each is taken as an address where it is one.
    let names: Vec<String> = known.chain(names.iter().cloned()).collect();
    let mut params = CertificateParams::new(names).context("a name of the certificate")?;
    for address in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into(), listen] {
        if !address.is_unspecified() {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
    }
    params.distinguished_name.push(DnType::CommonName, "Causeway");
    // RFC 5280 asks for these; Python from 3.13 on refuses a certificate without the first.
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(move |now: SystemTime| {
        let mut params = params.clone();
        params.not_before = (now - renewal::EARLIER).into();
        params.not_after = (now + renewal::VALIDITY - renewal::EARLIER).into();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        Ok((vec![certificate.der().clone(), authority.clone()], key))
    })
}

/// The service's own authority, made at first use. Its certificate is a file that clients are given; its key is
/// sealed in the store.
fn authority(
    store: &SqliteStore,
    data_dir: &Path,
) -> anyhow::Result<(CertificateDer<'static>, Issuer<'static, KeyPair>)> {
    let certificate_file = authority_file(data_dir);
    let key = match store.secret(AUTHORITY_KEY).context("reading the authority's key")? {
        Some(pem) => KeyPair::from_pem(&pem).context("reading the authority's key")?,
        None => {
            let key = KeyPair::generate()?;
            store.set_secret(AUTHORITY_KEY, &key.serialize_pem()).context("keeping the authority's key")?;
            write_certificate(&key, &certificate_file)?;
            key
        }
    };
    let kept = match fs::read(&certificate_file) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some(read.with_context(|| format!("reading {}", certificate_file.display()))?),
    };
    let certificate = kept.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
    let certificate = match certificate.filter(|it| holds(it, key.public_key_raw())) {
        Some(certificate) => certificate,
        None => {
            // Clients that trust one that was lost trust this one as well: name and key are the same.
            let file = certificate_file.display();
            tracing::warn!(%file, "the authority's certificate is lost or another one's, and is made anew");
            write_certificate(&key, &certificate_file)?
        }
    };
    Ok((certificate, Issuer::new(authority_params()?, key)))
}

/// What the authority's certificate says besides its key: the same at every start, so that the kept certificate
/// and the issuer made here are one.
fn authority_params() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Causeway local authority");
    Ok(params)
}

/// Whether a certificate is of this public key.
fn holds(certificate: &CertificateDer<'_>, public_key: &[u8]) -> bool {
    certificate.windows(public_key.len()).any(|part| part == public_key)
}

fn write_certificate(key: &KeyPair, certificate_file: &Path) -> anyhow::Result<CertificateDer<'static>> {
    let certificate = authority_params()?.self_signed(key)?;
    // Whole or not at all: half a certificate would keep every later start from working.
    let beside = certificate_file.with_extension("pem.new");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(certificate.pem().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, certificate_file)
    };
    write().with_context(|| format!("writing {}", certificate_file.display()))?;
    Ok(certificate.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a certificate as a start does, and gives what was written to the authority's file.
    fn start(dir: &Path, names: &[&str]) -> (Vec<CertificateDer<'static>>, String) {
        let store = SqliteStore::open(dir).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (chain, _) =
            own_certificate(&store, dir, [0, 0, 0, 0].into(), &names).unwrap()(SystemTime::now()).unwrap();
        (chain, fs::read_to_string(authority_file(dir)).unwrap())
    }

    /// Whether a client that trusts an authority's file takes a chain for a name.
    fn is_trusted(authority: &str, chain: &[CertificateDer<'_>], name: &str) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_certificate_is_for_the_names_that_the_operator_gives() {
        let dir = tempfile::tempdir().unwrap();
        let (chain, authority) = start(dir.path(), &["vpn.example.com", "192.0.2.7"]);
        for name in ["vpn.example.com", "192.0.2.7", "127.0.0.1", "vpc.aliyuncs.com"] {
            assert!(is_trusted(&authority, &chain, name), "{name}");
        }
        for name in ["www.example.com", "192.0.2.8"] {
            assert!(!is_trusted(&authority, &chain, name), "{name}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_of_this_time_is_told() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["vpn.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2024, 1, 1);
        params.not_after = rcgen::date_time_ymd(2025, 1, 1);
        let chain = [params.self_signed(&key).unwrap().der().clone()];
        let at = |seconds| {
            out_of_time(&chain, UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
        };
        // In 2023, in the middle of 2024, and in 2026.
        assert_eq!(at(1_690_000_000), Some("is not valid yet"));
        assert_eq!(at(1_720_000_000), None);
        assert_eq!(at(1_780_000_000), Some("has expired"));
    }

    #[test]
    fn who_trusted_the_authority_does_so_after_its_file_was_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (_, before) = start(dir.path(), &[]);
        assert_eq!(start(dir.path(), &[]).1, before, "the file stays as it is");
        fs::remove_file(authority_file(dir.path())).unwrap();
        let (chain, after) = start(dir.path(), &[]);
        assert!(is_trusted(&before, &chain, "localhost"));
        assert!(is_trusted(&after, &chain, "localhost"));
        for other in [start(tempfile::tempdir().unwrap().path(), &[]).1, "no certificate".to_owned()] {
            fs::write(authority_file(dir.path()), other).unwrap();
            let (chain, mended) = start(dir.path(), &[]);
            assert!(is_trusted(&mended, &chain, "localhost") && is_trusted(&before, &chain, "localhost"));
        }
    }

    #[test]
    fn a_certificate_is_renewed_long_before_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let make =
            own_certificate(&SqliteStore::open(dir.path()).unwrap(), dir.path(), [127, 0, 0, 1].into(), &[]);
        let make = make.unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let renewed = Renewed::new(move |now| {
            let (chain, key) = make(now)?;
            Ok(CertifiedKey::from_der(chain, key, &provider)?)
        });
        let renewed = renewed.unwrap();
        let (now, day) = (SystemTime::now(), std::time::Duration::from_secs(24 * 3600));
        let first = renewed.at(now + day).cert[0].clone();
        assert_eq!(renewed.at(now + 29 * day).cert[0], first);
        assert_ne!(renewed.at(now + 31 * day).cert[0], first);
        assert_ne!(renewed.at(now - day).cert[0], first);
    }
}
