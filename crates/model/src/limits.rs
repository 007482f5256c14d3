//! Limits of the service itself. The quotas of an API are its dialect's, and can be configured.

/// Addresses at the start of a subnet that are kept back: the network's own and the router's.
pub const SUBNET_RESERVED_HEAD: u32 = 2;
/// Addresses at the end of a subnet that are kept back.
pub const SUBNET_RESERVED_TAIL: u32 = 3;
/// Tries to find an unused random id before giving up.
pub const ID_TRIES_MAX: u32 = 32;
/// Tags of an account that exist by themselves.
pub const KNOWN_TAGS_MAX: usize = 1000;
/// How long a client token is remembered, in milliseconds (24 hours).
pub const CLIENT_TOKEN_LIFE_MS: i64 = 24 * 60 * 60 * 1000;
/// Items of one page of any list.
pub const PAGE_ITEMS_MAX: usize = 1000;
/// Addresses at the start of a pool of public addresses that are kept back: the network's own and the
/// fabric router's.
pub const POOL_RESERVED_HEAD: u32 = 2;
/// Characters of a pre-shared key that the service makes.
pub const PSK_CHARS: usize = 16;
/// The range of the link between a network's router and the gateways that live in none of its subnets
/// (RFC 6890: IETF protocol assignments, never a customer's).
pub const ROUTER_LINK: [u8; 4] = [192, 0, 0, 0];
/// Prefix length of [`ROUTER_LINK`].
pub const ROUTER_LINK_PREFIX: u8 = 24;
/// Bits of an inner id: as many as fit 12 digits of base 36, the length of a data plane key.
pub const ID_BITS: u32 = 62;
