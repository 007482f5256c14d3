//! Limits of the service itself. The quotas of an API are its dialect's, and can be configured.

/// Addresses of a subnet that the router keeps for itself: the first host address.
pub const SUBNET_RESERVED_HEAD: u32 = 2;
/// Addresses at the end of a subnet that are kept back.
pub const SUBNET_RESERVED_TAIL: u32 = 3;
/// Tries to find an unused random id before giving up.
pub const ID_TRIES_MAX: u32 = 32;
/// How long a client token is remembered, in milliseconds (24 hours).
pub const CLIENT_TOKEN_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// Items of one page of any list.
pub const PAGE_ITEMS_MAX: usize = 1000;
