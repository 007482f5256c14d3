//! The clock and random numbers: the only place of the request path that reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use causeway_model::Millis;

/// Now.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn random<const OCTETS: usize>() -> [u8; OCTETS] {
    let mut bytes = [0; OCTETS];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// A random number that nobody can foretell.
///
/// # Panics
/// When the system has no random numbers: nothing can be signed or named without them.
pub fn random_u64() -> u64 {
    u64::from_ne_bytes(random())
}

/// Like [`random_u64`], of twice the size.
///
/// # Panics
/// As [`random_u64`].
pub fn random_u128() -> u128 {
    u128::from_ne_bytes(random())
}
