//! CreateCustomerGateway: the record of a device at the far end. Synchronous.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use causeway_dialect::EncodeContext;
use causeway_model::CustomerGatewayId;
use causeway_ops::operation::{CreateCustomerGateway, Label};
use causeway_ops::{Operation, Outcome};

use crate::action::{self, Action, Answer, Input};
use crate::asn;
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::customer_gateway::customer_gateway;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateCustomerGateway", decode, encode };

const NAME_CHARS_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let name = members.name_chars("CustomerGatewayName", NAME_CHARS_MAX)?;
    let ip = address(&members)?;
    let asn = asn::read(&members)?;
    let label = Label { name, tags: members.tags()?, ..Label::default() };
    let it = CreateCustomerGateway { label, ip: IpAddr::V4(ip), asn, bgp_key: None };
    Ok(Operation::CreateCustomerGateway(it))
}

fn address(members: &Members<'_>) -> Result<Ipv4Addr, Refusal> {
    let text = members.required("IpAddress")?;
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Refusal::new(
            "UnsupportedOperation.CustomerGatewayIpv6",
            "Customer gateways do not support IPv6 addresses.",
            "对端网关不支持IPv6地址。",
        ));
    }
    let ip: Ipv4Addr = text.parse().map_err(|_| Refusal::malformed(MALFORMED, "IpAddress", &text))?;
    if is_usable(ip) { Ok(ip) } else { Err(Refusal::value("IpAddress", ip)) }
}

/// Whether a device can have the address: no multicast, reserved, loopback or link-local address, and none
/// whose host part is all zeros or ones in its class.
fn is_usable(ip: Ipv4Addr) -> bool {
    let number = u32::from(ip);
    let host_bits = match ip.octets()[0] {
        0 | 127 | 224..=255 => return false,
        1..=126 => 24,
        128..=191 => 16,
        192..=223 => 8,
    };
    let mask = (1u32 << host_bits) - 1;
    !ip.is_link_local() && number & mask != 0 && number & mask != mask
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let key = action::created(outcome);
    let made = key.and_then(|key| context.view.customer_gateway(CustomerGatewayId(key.id)));
    let made = made.ok_or_else(action::lost)?;
    Ok(action::one("CustomerGateway", customer_gateway(context.view, made)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn addresses_of_devices_are_taken_and_others_refused() {
        for right in ["58.211.1.12", "203.0.113.7", "10.0.0.1", "172.16.255.254", "192.168.1.254"] {
            assert!(is_usable(right.parse().unwrap()), "{right}");
        }
        for wrong in [
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.5",
            "240.0.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "192.168.1.0",
            "192.168.1.255",
        ] {
            assert!(!is_usable(wrong.parse().unwrap()), "{wrong}");
        }
    }

    #[test]
    fn each_refusal_has_its_code() {
        let cases = [
            (json!({"IpAddress": "58.211.1.12"}), "MissingParameter"),
            (json!({"CustomerGatewayName": "a"}), "MissingParameter"),
            (
                json!({"CustomerGatewayName": "n".repeat(61), "IpAddress": "58.211.1.12"}),
                "InvalidParameterValue.TooLong",
            ),
            (json!({"CustomerGatewayName": "a", "IpAddress": "58.211.1"}), "InvalidParameterValue.Malformed"),
            (json!({"CustomerGatewayName": "a", "IpAddress": "127.0.0.1"}), "InvalidParameterValue"),
            (
                json!({"CustomerGatewayName": "a", "IpAddress": "2001:db8::1"}),
                "UnsupportedOperation.CustomerGatewayIpv6",
            ),
            (
                json!({"CustomerGatewayName": "a", "IpAddress": "58.211.1.12", "BgpAsn": 139341}),
                "InvalidParameterValue",
            ),
        ];
        for (given, code) in cases {
            let refusal = testing::decode("CreateCustomerGateway", given.clone()).expect_err("is refused");
            assert_eq!(refusal.code, code, "{given}");
        }
        let right = json!({"CustomerGatewayName": "网".repeat(60), "IpAddress": "58.211.1.12"});
        assert!(testing::decode("CreateCustomerGateway", right).is_ok());
    }
}
