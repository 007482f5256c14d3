//! Tasks by request id. DeleteVpnConnection is a task too, and what it deletes is gone from the store at its end:
//! so the id of its request carries the id of the connection, and a check that other request ids fail.
//!
//! Of the 122 free bits of a UUID, 42 hold the connection, 48 are random, and 32 are the check.

use causeway_dialect::encoding::sha256_hex;
use causeway_model::{ExternalId, Kind};

use crate::ids;

/// Eight characters to base 36 fit into this many bits.
const SUBJECT_BITS: u32 = 42;
const CHECK_BITS: u32 = 32;
const RANDOM_BITS: u32 = 48;
const PREFIX: &str = "vpnx-";
/// Where the version and the variant of a UUID stand.
const VERSION_AT: u32 = 76;
const VERSION_BITS: u32 = 4;
const VARIANT_AT: u32 = 62;
const VARIANT_BITS: u32 = 2;

const fn mask(bits: u32) -> u128 {
    (1 << bits) - 1
}

/// A random UUID (RFC 9562 version 4) of a random number.
pub fn request_id(random: u128) -> String {
    uuid(with_gap(with_gap(random & mask(122), VARIANT_AT, VARIANT_BITS), VERSION_AT, VERSION_BITS))
}

/// The id of a request that deletes a connection. Ids of another form than this service's can't be carried.
pub fn deletion_id(connection: &str, random: u128) -> String {
    let number = connection.strip_prefix(PREFIX).filter(|suffix| suffix.len() == 8).and_then(number);
    let Some(number) = number else { return request_id(random) };
    let random = random & mask(RANDOM_BITS);
    let payload = (u128::from(number) << (RANDOM_BITS + CHECK_BITS)) | (random << CHECK_BITS);
    request_id(payload | check(payload))
}

/// The connection that the request with an id deletes, if it is the id of such a request.
pub fn deletion_of(request_id: &str) -> Option<ExternalId> {
    let hex: String = request_id.chars().filter(|letter| *letter != '-').collect();
    if hex.len() != 32 || request_id.len() != 36 {
        return None;
    }
    let uuid = u128::from_str_radix(&hex, 16).ok()?;
    let free = without_gap(without_gap(uuid, VERSION_AT, VERSION_BITS), VARIANT_AT, VARIANT_BITS);
    let payload = free & !mask(CHECK_BITS);
    if check(payload) != free & mask(CHECK_BITS) {
        return None;
    }
    let number = u64::try_from(free >> (RANDOM_BITS + CHECK_BITS)).ok()?;
    let suffix = ids::route_of_number(number)?;
    let suffix = suffix.as_str().strip_prefix(ids::prefix(Kind::Route))?.strip_prefix('-')?;
    Some(ExternalId::from(format!("{PREFIX}{suffix}")))
}

fn number(suffix: &str) -> Option<u64> {
    let is_own = suffix.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    is_own.then(|| ids::route_number(&format!("rti-{suffix}")))
}

fn check(payload: u128) -> u128 {
    let digest = sha256_hex(format!("DeleteVpnConnection {payload:x}").as_bytes());
    u128::from_str_radix(digest.get(..8).unwrap_or_default(), 16).unwrap_or_default()
}

/// Moves the bits above a place up.
fn with_gap(value: u128, at: u32, bits: u32) -> u128 {
    ((value >> at) << (at + bits)) | (value & mask(at))
}

/// Undoes [`with_gap`].
fn without_gap(value: u128, at: u32, bits: u32) -> u128 {
    ((value >> (at + bits)) << at) | (value & mask(at))
}

fn uuid(bits: u128) -> String {
    let number = bits | (0x4 << VERSION_AT) | (0x2 << VARIANT_AT);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

// The parts fill the free bits exactly.
const _: () = assert!(SUBJECT_BITS + RANDOM_BITS + CHECK_BITS + VERSION_BITS + VARIANT_BITS == 128);
const _: () = assert!(36u64.pow(8) < 1 << SUBJECT_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_random_uuids() {
        assert_eq!(request_id(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(request_id(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(deletion_of(&request_id(0)), None);
        assert_eq!(deletion_of(&request_id(u128::MAX)), None);
        assert_eq!(deletion_of("11111111-2222-3333-4444-555555555555"), None);
    }

    #[test]
    fn the_id_of_a_deletion_names_the_connection() {
        for connection in ["vpnx-00000000", "vpnx-zzzzzzzz", "vpnx-f49l6u0z"] {
            for random in [0, 1, u128::MAX, 0x1234_5678_9abc_def0] {
                let id = deletion_id(connection, random);
                assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'), "{id}");
                assert!(matches!(id.as_bytes()[19], b'8'..=b'b'), "{id}");
                assert_eq!(deletion_of(&id), Some(connection.into()), "{id}");
            }
        }
        assert_ne!(deletion_id("vpnx-00000001", 1), deletion_id("vpnx-00000001", 2));
        for other in ["vpnx-1", "vpnx-ABCDEFGH", "", "vpngw-00000001"] {
            assert_eq!(deletion_of(&deletion_id(other, 7)), None, "{other}");
        }
    }
}
