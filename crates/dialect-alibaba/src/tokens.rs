//! Client tokens: the same token with the same request makes nothing twice.

use causeway_dialect::encoding::sha256_hex;
use causeway_dialect::{Envelope, Failure};
use causeway_ops::{ClientToken, Operation};

use crate::params::{Fields, invalid};

/// Characters of a client token at most.
const TOKEN_CHARS_MAX: usize = 64;

/// Whether an operation makes something.
fn creates(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::CreateNetwork(_)
            | Operation::CreateSubnet(_)
            | Operation::CreateRoutes(_)
            | Operation::CreateGateway(_)
            | Operation::CreateCustomerGateway(_)
            | Operation::CreateConnection(_)
    )
}

/// The client token of a request that makes something. Without one the cloud takes the request id, which is
/// never repeated: no token at all.
///
/// # Errors
/// `InvalidClientToken` when it is too long or not ASCII.
pub fn read(envelope: &Envelope, operation: &Operation) -> Result<Option<ClientToken>, Failure> {
    let Some(text) = Fields::of(&envelope.params).text("ClientToken") else { return Ok(None) };
    if !text.is_ascii() || text.len() > TOKEN_CHARS_MAX {
        return Err(invalid("ClientToken"));
    }
    if !creates(operation) {
        return Ok(None);
    }
    Ok(Some(ClientToken { text, action: envelope.action.clone(), fingerprint: fingerprint(envelope) }))
}

/// The first eight bytes of the SHA-256 of the action's own parameters, in order of their names.
fn fingerprint(envelope: &Envelope) -> u64 {
    let mut members: Vec<_> =
        envelope.params.0.iter().filter(|(name, _)| name.as_str() != "ClientToken").collect();
    members.sort_by(|a, b| a.0.cmp(b.0));
    let lines: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let hash = sha256_hex(lines.join("\n").as_bytes());
    hash.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_fingerprint_is_of_the_parameters_without_the_token_in_any_order() {
        let of = |pairs: &[(&str, &str)]| fingerprint(&testing::envelope("CreateVpc", pairs));
        let first = of(&[("CidrBlock", "10.0.0.0/8"), ("VpcName", "a"), ("ClientToken", "t")]);
        assert_eq!(first, of(&[("ClientToken", "u"), ("VpcName", "a"), ("CidrBlock", "10.0.0.0/8")]));
        assert_ne!(first, of(&[("CidrBlock", "10.0.0.0/8"), ("VpcName", "b"), ("ClientToken", "t")]));
    }

    #[test]
    fn tokens_are_for_creations_and_have_bounds() {
        let long = "x".repeat(65);
        for (token, wanted) in [("", Ok(false)), ("t", Ok(true)), (long.as_str(), Err(())), ("é", Err(()))] {
            let call = testing::decode("CreateVpc", &[("RegionId", "cn-hangzhou"), ("ClientToken", token)]);
            match wanted {
                Ok(has_token) => assert_eq!(call.unwrap().token.is_some(), has_token, "{token}"),
                Err(()) => assert_eq!(call.unwrap_err().code, "InvalidClientToken"),
            }
        }
        let delete = [("RegionId", "cn-hangzhou"), ("VpcId", "vpc-1"), ("ClientToken", "t")];
        assert!(testing::decode("DeleteVpc", &delete).unwrap().token.is_none());
    }
}
