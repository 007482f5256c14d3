//! Keys derived for a credential scope: made once for each day and service of an access key.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use causeway_dialect::encoding;
use causeway_model::Secret;
use zeroize::Zeroizing;

use super::tc3::TERMINATOR;

/// Derived keys that are remembered at most.
const KEYS_MAX: usize = 64;

/// Each key has one place, which it shares with others: the last one is remembered.
static KEYS: [Mutex<Option<Derived>>; KEYS_MAX] = [const { Mutex::new(None) }; KEYS_MAX];

/// A derived key and what it was derived from. The library wipes its keys when they go, as [`Secret`] does.
struct Derived {
    secret: Secret,
    scope: Vec<String>,
    key: hmac::Key,
}

impl Derived {
    fn new(secret: &str, scope: &[String]) -> Self {
        let mut key = Zeroizing::new(format!("TC3{secret}").into_bytes());
        for part in scope.iter().map(String::as_str).chain([TERMINATOR]) {
            key = Zeroizing::new(encoding::hmac_sha256(&key, part.as_bytes()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Self { secret: Secret::new(secret), scope: scope.to_vec(), key }
    }

    fn is_of(&self, secret: &str, scope: &[String]) -> bool {
        self.scope == scope && encoding::constant_time_eq(self.secret.expose().as_bytes(), secret.as_bytes())
    }
}

/// Works with the key that is derived from the secret of an access key for a scope.
pub fn with_key<T>(
    access_key: &str,
    secret: &str,
    scope: &[String],
    work: impl FnOnce(&hmac::Key) -> T,
) -> T {
    let mut hasher = DefaultHasher::new();
    (access_key, scope).hash(&mut hasher);
    let place = &KEYS[(hasher.finish() % KEYS_MAX as u64) as usize];
    let mut remembered = place.lock().unwrap_or_else(PoisonError::into_inner);
    let derived = match remembered.take() {
        Some(derived) if derived.is_of(secret, scope) => derived,
        _ => Derived::new(secret, scope),
    };
    work(&remembered.insert(derived).key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_key_is_the_one_that_would_be_derived() {
        let sign = |key: &hmac::Key| hmac::sign(key, b"text").as_ref().to_vec();
        // More than there are places, each twice, and a secret that changes.
        for round in 0..2 {
            for number in 0..3 * KEYS_MAX {
                for secret in ["a", "b"] {
                    let scope = ["2026-11-21".to_owned(), format!("service-{number}")];
                    let wanted = sign(&Derived::new(secret, &scope).key);
                    assert_eq!(with_key("id", secret, &scope, sign), wanted, "{round} {number}");
                    assert_eq!(with_key("id", secret, &scope, sign), wanted, "{round} {number}");
                }
            }
        }
    }
}
