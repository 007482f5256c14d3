//! A certificate that is made anew before its time is over, while the service runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How long a certificate is valid: some platforms refuse longer ones, even of an authority that they were told to
/// trust (Apple's: 825 days).
pub const VALIDITY: Duration = Duration::from_secs(397 * 24 * 3600);
/// A certificate is valid from so long before it was made, for clients whose clocks are behind.
pub const EARLIER: Duration = Duration::from_secs(24 * 3600);
/// The age at which one is made anew.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

type Make = dyn Fn(SystemTime) -> anyhow::Result<CertifiedKey> + Send + Sync;

/// Answers handshakes with the newest certificate.
pub struct Renewed {
    make: Box<Make>,
    newest: Mutex<(SystemTime, Arc<CertifiedKey>)>,
}

impl Renewed {
    /// With a first certificate, made now by `make`.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn new(
        make: impl Fn(SystemTime) -> anyhow::Result<CertifiedKey> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let now = SystemTime::now();
        let first = Arc::new(make(now)?);
        Ok(Self { make: Box::new(make), newest: Mutex::new((now, first)) })
    }

    /// The certificate for this time.
    pub fn at(&self, now: SystemTime) -> Arc<CertifiedKey> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back behind the making makes a new one as well.
        if now.duration_since(newest.0).is_ok_and(|age| age < RENEWAL) {
            return Arc::clone(&newest.1);
        }
        match (self.make)(now) {
            Ok(made) => *newest = (now, Arc::new(made)),
            Err(error) => tracing::error!("the certificate can't be renewed: {error:#}"),
        }
        Arc::clone(&newest.1)
    }
}

impl ResolvesServerCert for Renewed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.at(SystemTime::now()))
    }
}

impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renewed")
    }
}
