//! Fingerprints: how an engine remembers what an object was made from without keeping its secrets.

use std::fmt;
use std::io;
use std::sync::Arc;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::object::Object;

/// HMAC-SHA-256 of an object's canonical text under an engine's own key.
///
/// It is keyed because a tunnel's text holds a pre-shared key: who reads a bare hash could guess it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of something that is there but is not, or is not known to be, as it was asked for: half made, half
    /// removed, or of an unknown past. It agrees with no object, so a plan repairs or removes it.
    pub const UNKNOWN: Self = Self([0; 32]);
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..6] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// The key of an engine's fingerprints. An engine keeps it as long as what it made stays.
#[derive(Clone)]
pub struct FingerprintKey(Arc<hmac::Key>);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(***)")
    }
}

impl FingerprintKey {
    /// A key from 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The fingerprint of an object.
    pub fn fingerprint(&self, object: &Object) -> Fingerprint {
        let mut sink = Sink(hmac::Context::with_key(&self.0));
        // The text goes straight into the HMAC, so no buffer keeps a copy of a pre-shared key.
        serde_json::to_writer(&mut sink, object).expect("objects have no map keys that JSON cannot hold");
        let mut bytes = [0; 32];
        bytes.copy_from_slice(sink.0.sign().as_ref());
        Fingerprint(bytes)
    }
}

struct Sink(hmac::Context);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
