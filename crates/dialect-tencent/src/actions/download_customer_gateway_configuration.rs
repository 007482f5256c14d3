//! DownloadCustomerGatewayConfiguration: the text that configures the device at the far end, keys included.

use causeway_dialect::EncodeContext;
use causeway_model::{Connection, Kind, Record};
use causeway_ops::{Operation, Outcome, Query};
use causeway_peerconfig::PeerConfig;
use serde_json::Value;

use crate::action::{self, Action, Answer, Input};
use crate::errors::missing_resource;
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::vendors::{self, Vendor};

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "DownloadCustomerGatewayConfiguration", decode, encode };

const INTERFACE_CHARS_MAX: usize = 64;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let id = members.required_id("VpnConnectionId", Kind::Connection, MALFORMED)?;
    interface(&members)?;
    vendor(&members)?;
    Ok(Operation::Read(Query::One { kind: Kind::Connection, id }))
}

/// The device's interface. It becomes a part of the text, so that only what names have is taken.
fn interface(members: &Members<'_>) -> Result<String, Refusal> {
    let name = members.required("InterfaceName")?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "/-._: ".contains(letter);
    if name.chars().count() > INTERFACE_CHARS_MAX || !name.chars().all(is_name) {
        return Err(Refusal::malformed(MALFORMED, "InterfaceName", &name));
    }
    Ok(name)
}

fn vendor(members: &Members<'_>) -> Result<&'static Vendor, Refusal> {
    const NAME: &str = "CustomerGatewayVendor";
    let given = members.structure(NAME).ok_or_else(|| Refusal::missing(NAME))?;
    let word = |name: &str| given.text(name).ok_or_else(|| Refusal::empty(&given.path(name)));
    let (name, platform, version) = (word("VendorName")?, word("Platform")?, word("SoftwareVersion")?);
    vendors::find(&name, &platform, &version)
        .ok_or_else(|| missing_resource(&format!("{name}/{platform}/{version}").into()))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let connection = found(outcome).ok_or_else(action::lost)?;
    let gateway = members.required("VpnGatewayId")?;
    if context.view.external(connection.gateway) != gateway {
        return Err(missing_resource(&gateway.into()));
    }
    let config = PeerConfig::of(context.view, connection).map_err(|_| action::lost())?;
    let text = (vendor(&members)?.render)(&config, &interface(&members)?)
        .map_err(|lack| Refusal::unsupported(&lack))?;
    Ok(action::one("CustomerGatewayConfiguration", Value::from(text)))
}

fn found(outcome: &Outcome) -> Option<&Connection> {
    match outcome {
        Outcome::Page { items, .. } => items.iter().find_map(|record| match record {
            Record::Connection(it) => Some(&**it),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use super::super::create_vpn_connection::tests::with_gateways;
    use crate::testing;

    #[test]
    fn every_vendor_of_the_list_has_a_text_with_the_key() {
        let mut view = View::default();
        let (gateway, peer) = with_gateways(&mut view);
        let given = json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c",
            "PreShareKey": "s3cretkey", "RouteType": "Policy", "SecurityPolicyDatabases":
            [{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["192.168.0.0/24"]}]});
        let made = testing::call(&mut view, "vpc", "CreateVpnConnection", given).unwrap();
        let id = made["VpnConnection"]["VpnConnectionId"].clone();
        let vendors = testing::call(&mut view, "vpc", "DescribeCustomerGatewayVendors", json!({})).unwrap();
        for vendor in vendors["CustomerGatewayVendorSet"].as_array().unwrap() {
            let given = json!({"VpnGatewayId": gateway, "VpnConnectionId": id, "CustomerGatewayVendor": vendor,
                "InterfaceName": "eth0"});
            let answer =
                testing::call(&mut view, "vpc", "DownloadCustomerGatewayConfiguration", given).unwrap();
            let text = answer["CustomerGatewayConfiguration"].as_str().unwrap();
            for part in ["s3cretkey", "58.211.1.12", "203.0.113.", "192.168.0.0", "10.0.0.0"] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        let other = json!({"VendorName": "juniper", "Platform": "junos", "SoftwareVersion": "V1"});
        let part = json!({"VendorName": "", "Platform": "ios", "SoftwareVersion": "V15.4"});
        let cisco = json!({"VendorName": "cisco", "Platform": "ios", "SoftwareVersion": "V15.4"});
        let cases = [
            (json!({"CustomerGatewayVendor": other}), "ResourceNotFound"),
            (json!({"CustomerGatewayVendor": part}), "InvalidParameterValue.Empty"),
            (json!({"InterfaceName": "eth0\r\nno crypto map"}), "InvalidParameterValue.Malformed"),
            (json!({"VpnGatewayId": "vpngw-another1"}), "ResourceNotFound"),
            (json!({"VpnConnectionId": "vpnx-another1"}), "ResourceNotFound"),
            (json!({"VpnConnectionId": "another1"}), "InvalidParameterValue.Malformed"),
        ];
        let right = json!({"VpnGatewayId": gateway, "VpnConnectionId": id, "CustomerGatewayVendor": cisco,
            "InterfaceName": "eth0"});
        for (extra, code) in cases {
            let given = testing::merged(right.clone(), extra.clone());
            let refusal = testing::call(&mut view, "vpc", "DownloadCustomerGatewayConfiguration", given);
            assert_eq!(refusal.expect_err("is refused").code, code, "{extra}");
        }
    }
}
