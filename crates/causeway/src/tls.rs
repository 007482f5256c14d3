//! Certificates: one that the operator gives, or one from an authority that is made at the first start.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use causeway_store::SqliteStore;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

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

/// An acceptor with the given certificate, or with one of the service's own authority for `listen` and the names
/// that clients call.
///
/// # Errors
/// When a file can't be read or written, or holds no certificate or key.
pub fn acceptor(
    store: &SqliteStore,
    data_dir: &Path,
    given: Option<&Given>,
    listen: std::net::IpAddr,
) -> anyhow::Result<TlsAcceptor> {
    let (chain, key) = match given {
        Some(given) => {
            let chain = CertificateDer::pem_file_iter(&given.certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("reading the certificate {}", given.certificate.display()))?;
            let key = PrivateKeyDer::from_pem_file(&given.key)
                .with_context(|| format!("reading the key {}", given.key.display()))?;
            (chain, key)
        }
        None => own_certificate(store, data_dir, listen)?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not fit")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn own_certificate(
    store: &SqliteStore,
    data_dir: &Path,
    listen: std::net::IpAddr,
) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (authority, issuer) = authority(store, data_dir)?;
    let mut params =
        CertificateParams::new(HOST_NAMES.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    for address in [std::net::IpAddr::from([127, 0, 0, 1]), std::net::Ipv6Addr::LOCALHOST.into(), listen] {
        if !address.is_unspecified() {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
    }
    params.distinguished_name.push(DnType::CommonName, "Causeway");
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    Ok((vec![certificate.der().clone(), authority], key))
}

/// The service's own authority, made at first use. Its certificate is a file that clients are given; its key is
/// sealed in the store.
fn authority(
    store: &SqliteStore,
    data_dir: &Path,
) -> anyhow::Result<(CertificateDer<'static>, Issuer<'static, KeyPair>)> {
    let certificate_file = authority_file(data_dir);
    let stored = store.secret(AUTHORITY_KEY).context("reading the authority's key")?;
    let key = match (stored, certificate_file.exists()) {
        (Some(pem), true) => KeyPair::from_pem(&pem).context("reading the authority's key")?,
        _ => make_authority(store, &certificate_file)?,
    };
    let text = fs::read_to_string(&certificate_file)
        .with_context(|| format!("reading {}", certificate_file.display()))?;
    Ok((CertificateDer::from_pem_slice(text.as_bytes())?, Issuer::new(authority_params()?, key)))
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

fn make_authority(store: &SqliteStore, certificate_file: &Path) -> anyhow::Result<KeyPair> {
    let key = KeyPair::generate()?;
    let certificate = authority_params()?.self_signed(&key)?;
    store.set_secret(AUTHORITY_KEY, &key.serialize_pem()).context("keeping the authority's key")?;
    // Whole or not at all: half a certificate would keep every later start from working.
    let beside = certificate_file.with_extension("pem.new");
    fs::write(&beside, certificate.pem())
        .and_then(|()| fs::rename(&beside, certificate_file))
        .with_context(|| format!("writing {}", certificate_file.display()))?;
    Ok(key)
}
