//! Orders, and the memory of client tokens.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Key, Meta, Millis, OrderId, Secret, TokenId};

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
    /// Hash of the request's parameters. It is kept like a secret: pre-shared keys are among the parameters, and
    /// from a plain hash of them weak ones could be guessed.
    #[serde(deserialize_with = "fingerprint")]
    pub fingerprint: Secret,
    /// What the request made.
    pub subject: Key,
    /// When it was used.
    pub used: Millis,
}

/// A fingerprint, also as it was once stored: a number in clear.
fn fingerprint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Sealed(Secret),
        Clear(u64),
    }
    Ok(match Stored::deserialize(deserializer)? {
        Stored::Sealed(fingerprint) => fingerprint,
        Stored::Clear(number) => Secret::new(number.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_fingerprint_is_marked_as_secret_and_read_in_its_old_form_too() {
        let fingerprint = Secret::new(u64::MAX.to_string());
        let subject = Key { kind: Kind::Gateway, id: 1 };
        let token = Token { id: TokenId(1), scope: String::new(), fingerprint, subject, used: Millis(0) };
        let mut json = serde_json::to_value(&token).unwrap();
        assert_eq!(json["fingerprint"]["$secret"], u64::MAX.to_string());
        assert_eq!(serde_json::from_value::<Token>(json.clone()).unwrap(), token);
        json["fingerprint"] = u64::MAX.into();
        assert_eq!(serde_json::from_value::<Token>(json).unwrap(), token);
    }
}
