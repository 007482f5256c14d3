//! Rate limits: calls of one action by one account.

use causeway_dialect::RateLimit;

/// Twenty calls a second for every action: documented for most, the newest value for those whose older pages
/// said 100, and unverified for the rest.
pub const LIMIT: RateLimit = RateLimit { calls: 20, per_s: 1 };
