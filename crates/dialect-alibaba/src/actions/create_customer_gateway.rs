//! CreateCustomerGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{CustomerGatewayId, Kind, Secret};
use causeway_ops::operation::CreateCustomerGateway;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::{Fields, illegal, missing};
use crate::shapes::{customer_gateway, pick};
use crate::tags::Codes;
use crate::{asn, cidr, labels, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateCustomerGateway", decode, encode };

/// Characters of a BGP key at most.
const KEY_CHARS_MAX: usize = 64;
/// The number that the cloud's own side of BGP has.
const CLOUD_ASN: u32 = 45104;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

/// The BGP key.
///
/// # Errors
/// `InvalidAuthkey.Malformed`.
pub fn key(fields: &Fields<'_>) -> Result<Option<Secret>, Failure> {
    let Some(text) = fields.text("AuthKey") else { return Ok(None) };
    let is_good =
        text.len() <= KEY_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?');
    if is_good {
        return Ok(Some(Secret::new(text)));
    }
    let message = format!("The specified BGP authentication key ({text}) is malformed.");
    Err(bad("InvalidAuthkey.Malformed", &message))
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let address = fields.text("IpAddress").ok_or_else(|| missing("IpAddress"))?;
    let ip = cidr::customer_address(&address)
        .ok_or_else(|| bad("InvalidIpAddress.WrongFormat", "Specified IpAddress is invalid."))?;
    let name = labels::plain_name(fields, bad("InvalidName", labels::NAME_MESSAGE))?.unwrap_or_default();
    let description = labels::description(fields)?.unwrap_or_default();
    let number = match fields.text("Asn") {
        None => None,
        Some(text) => {
            let number = asn::parse(&text).filter(|number| *number != CLOUD_ASN);
            Some(number.ok_or_else(|| illegal("Asn"))?)
        }
    };
    Ok(Operation::CreateCustomerGateway(CreateCustomerGateway {
        label: labels::label(fields, name, description, Codes::Vpn, String::new())?,
        ip,
        asn: number,
        bgp_key: key(fields)?,
    }))
}

/// The members of the answers of creation and change.
const MEMBERS: &[&str] = &["CustomerGatewayId", "IpAddress", "Name", "Description", "CreateTime"];

/// Some members of the customer gateway that was made or changed.
pub fn made(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let key = selects::subject(outcome).filter(|key| key.kind == Kind::CustomerGateway);
    match key.and_then(|key| context.view.customer_gateway(CustomerGatewayId(key.id))) {
        Some(it) => customer_gateway::describe(it),
        None => json!({}),
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    pick(&made(outcome, context), MEMBERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn the_documents_answer() {
        let mut world = World::new();
        let pairs = [("IpAddress", "101.12.0.1"), ("Name", "nametest"), ("Description", "desctest")];
        let made = world.ok("CreateCustomerGateway", &pairs);
        assert_eq!(made["IpAddress"], "101.12.0.1");
        assert_eq!(made["Name"], "nametest");
        assert_eq!(made["Description"], "desctest");
        assert_eq!(made["CreateTime"], 1_800_000_000_000_i64);
        let id = made["CustomerGatewayId"].as_str().unwrap();
        assert!(id.starts_with("cgw-bp1"));
        assert_eq!(made.as_object().unwrap().len(), 6);
    }

    #[test]
    fn each_rule_has_its_code() {
        let mut world = World::new();
        let mut code = |pairs: &[(&str, &str)]| {
            let mut all = pairs.to_vec();
            if !all.iter().any(|pair| pair.0 == "IpAddress") {
                all.push(("IpAddress", "101.12.0.1"));
            }
            world.code("CreateCustomerGateway", &all)
        };
        for wrong in ["127.0.0.1", "100.64.0.1", "x", "::1", "224.0.0.1"] {
            assert_eq!(code(&[("IpAddress", wrong)]), "InvalidIpAddress.WrongFormat");
        }
        assert_eq!(code(&[("IpAddress", "")]), "MissingIpAddress");
        assert_eq!(code(&[("Asn", "45104")]), "IllegalParam.Asn");
        assert_eq!(code(&[("Asn", "0")]), "IllegalParam.Asn");
        assert_eq!(code(&[("AuthKey", "k")]), "OperationDenied.MissingAsn");
        assert_eq!(code(&[("AuthKey", "a b"), ("Asn", "1")]), "InvalidAuthkey.Malformed");
        assert_eq!(code(&[("AuthKey", "a?"), ("Asn", "1")]), "InvalidAuthkey.Malformed");
        assert_eq!(code(&[("Name", "http://a")]), "InvalidName");
        assert_eq!(code(&[("Description", "https://a")]), "InvalidDescription");
        assert_eq!(code(&[("Tags.1.Key", "acs:a")]), "InvalidParameter.TagKey");
    }

    #[test]
    fn an_address_is_taken_once_in_a_region() {
        let mut world = World::new();
        world.customer_gateway("101.12.0.1");
        let failure = world.call("CreateCustomerGateway", &[("IpAddress", "101.12.0.1")]).unwrap_err();
        let wanted =
            Failure::new(400, "InvalidIpAddress.AlreadyExist", "Specified IpAddress is already exist.");
        assert_eq!(failure, wanted);
    }
}
