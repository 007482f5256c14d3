//! ModifyVpnGatewayAttribute: name, charge, BGP number and number of SSL connections.

use causeway_model::{AtEnd, Kind};
use causeway_ops::Operation;
use causeway_ops::operation::ModifyGateway;

use crate::action::{self, Action, Input};
use crate::asn;
use crate::params::MALFORMED;
use crate::refusal::Refusal;
use crate::shapes::gateway::MAX_CONNECTIONS;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ModifyVpnGatewayAttribute", decode, encode: action::done };

const NAME_BYTES_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let id = members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let name = match members.text("VpnGatewayName") {
        Some(_) => Some(members.name_bytes("VpnGatewayName", NAME_BYTES_MAX)?),
        None => None,
    };
    let ssl_clients = members.integer_of("MaxConnection", &MAX_CONNECTIONS)?;
    // Only from prepaid to pay-as-you-go, once the term is over.
    let at_end = members.word("InstanceChargeType", &["POSTPAID_BY_HOUR"])?.map(|_| AtEnd::PostPaid);
    let operation = Operation::ModifyGateway(ModifyGateway {
        id,
        name,
        description: None,
        propagate: None,
        ssl_clients: ssl_clients.and_then(|number| u32::try_from(number).ok()),
        bandwidth: None,
        at_end,
        asn: asn::read(&members)?,
        facet: None,
    });
    Ok(operation)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn what_is_left_out_stays() {
        let given = json!({"VpnGatewayId": "vpngw-edvft32x", "VpnGatewayName": "new"});
        let Ok(Operation::ModifyGateway(it)) = testing::decode("ModifyVpnGatewayAttribute", given) else {
            panic!("is taken");
        };
        assert_eq!((it.name.as_deref(), it.at_end, it.asn, it.ssl_clients), (Some("new"), None, None, None));
        let given = json!({"VpnGatewayId": "vpngw-edvft32x", "MaxConnection": 10});
        let Ok(Operation::ModifyGateway(it)) = testing::decode("ModifyVpnGatewayAttribute", given) else {
            panic!("is taken");
        };
        assert_eq!(it.ssl_clients, Some(10));
    }

    #[test]
    fn each_refusal_has_its_code() {
        let cases = [
            (json!({"VpnGatewayName": "n"}), "MissingParameter"),
            (json!({"VpnGatewayId": "gw-1"}), "InvalidParameterValue.Malformed"),
            (
                json!({"VpnGatewayId": "vpngw-1", "VpnGatewayName": "n".repeat(61)}),
                "InvalidParameterValue.TooLong",
            ),
            (json!({"VpnGatewayId": "vpngw-1", "InstanceChargeType": "PREPAID"}), "InvalidParameterValue"),
            (json!({"VpnGatewayId": "vpngw-1", "BgpAsn": 58835}), "InvalidParameterValue"),
            (json!({"VpnGatewayId": "vpngw-1", "MaxConnection": 6}), "InvalidParameterValue"),
        ];
        for (given, code) in cases {
            let refusal =
                testing::decode("ModifyVpnGatewayAttribute", given.clone()).expect_err("is refused");
            assert_eq!(refusal.code, code, "{given}");
        }
    }
}
