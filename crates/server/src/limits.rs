//! Limits of the transport.

use std::time::Duration;

/// Octets of a request's body at most: what both clouds document for their largest form.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Octets of a request's line and headers: the clouds take queries of 32 KiB. The parser's buffer may grow to twice
/// this before it refuses.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A client that is slower than this with its headers is cut off.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// A client that is slower than this with its body is cut off.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(60);
/// Connections at the same time at most.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Nonces remembered at most in one half of the window. When they are used up requests are refused, because an
/// unknown nonce could be a replay.
pub const NONCES_MAX: usize = 8_000_000;
/// Counters of the rate limiter at most; it forgets those of past windows before it grows further.
pub const RATE_COUNTERS_MAX: usize = 100_000;
/// How long open connections may finish their requests after the service was told to stop.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
