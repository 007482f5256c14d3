//! Limits of the transport.

use std::time::Duration;

/// Octets of a request's body at most: what both clouds document for their largest form.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Octets of a body that every connection may send at any time.
pub const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;
/// Larger bodies in memory at the same time at most; others wait. With [`CONNECTIONS_MAX`] this bounds what clients
/// can make the service hold: a body is read before its signature can be checked.
pub const LARGE_BODIES_MAX: usize = 16;
/// Of these, those of one address.
pub const LARGE_BODIES_OF_ONE_MAX: usize = 4;
/// Octets of a body whose sender the head does not name: forms of the older schemes, which both clouds document to be
/// no larger.
pub const NAMELESS_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bodies above [`SMALL_BODY_BYTES_MAX`] of such senders at the same time at most, besides [`LARGE_BODIES_MAX`].
pub const NAMELESS_BODIES_MAX: usize = 16;
/// Of these, those of one address.
pub const NAMELESS_BODIES_OF_ONE_MAX: usize = 2;
/// A body that has a place is cut off when it pauses for longer than this...
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// ...beyond the time that it would have taken at so many octets in a second.
pub const BODY_BYTES_PER_S_MIN: usize = 32 * 1024;
/// Octets of a request's line and headers: the clouds take queries of 32 KiB. The parser's buffer may grow to twice
/// this before it refuses.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A client that is slower than this with its headers is cut off.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// A client that is slower than this with its body is cut off.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(60);
/// A client that takes nothing of its answer for longer than this is cut off.
pub const WRITE_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Connections at the same time at most.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections of one address (of IPv6: of one network of 64 bits) at the same time at most; others are closed at
/// once. Any client can hold one open for [`HEAD_TIME_MAX`] without a word.
pub const CONNECTIONS_OF_ONE_MAX: usize = 256;
/// Nonces that one dialect remembers at most, about 9 octets each. When they are used up requests are refused,
/// because an unknown nonce could be a replay; a key that has as many as are left
/// is refused before.
pub const NONCES_MAX: usize = 16_000_000;
/// Counters of the rate limiter at most; it forgets those of past windows before it grows further.
pub const RATE_COUNTERS_MAX: usize = 100_000;
/// How long open connections may finish their requests after the service was told to stop.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// Characters of a client's text that the log shows.
pub const LOGGED_CHARS_MAX: usize = 64;

/// Limits of connections, of all listeners together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// At the same time at most; others wait.
    pub connections: usize,
    /// Of one address (of IPv6: of one network of 64 bits) at the same time at most; others are closed at once.
    pub of_one: usize,
    /// A client that takes nothing of its answer for longer than this is cut off.
    pub write_pause: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { connections: CONNECTIONS_MAX, of_one: CONNECTIONS_OF_ONE_MAX, write_pause: WRITE_PAUSE_MAX }
    }
}
