//! Orders, and the memory of client tokens.

use serde::{Deserialize, Serialize};

use crate::{Key, Meta, Millis, OrderId, TokenId};

/// What was bought. Its API id is a decimal number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Inner id.
    pub id: OrderId,
    /// What every resource has.
    pub meta: Meta,
    /// What was ordered.
    pub subject: Key,
    /// It is paid.
    pub paid: bool,
}

/// A client token that was used: the same token with the same request gives the same result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Inner id: a hash of `scope`, or the next free number after it.
    pub id: TokenId,
    /// Account, API, action and token, one a line.
    pub scope: String,
    /// Hash of the request's parameters.
    pub fingerprint: u64,
    /// What the request made.
    pub subject: Key,
    /// When it was used.
    pub used: Millis,
}
