//! ModifyVpnGatewayAttribute: name, charge and BGP number.

use causeway_model::{Charge, Kind};
use causeway_ops::Operation;
use causeway_ops::operation::ModifyGateway;

use crate::action::{self, Action, Decoded, Input};
use crate::asn;
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ModifyVpnGatewayAttribute", decode, encode: action::done };

const NAME_BYTES_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Decoded, Refusal> {
    let members = input.members();
    let id = members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let name = match members.text("VpnGatewayName") {
        Some(_) => Some(members.name_bytes("VpnGatewayName", NAME_BYTES_MAX)?),
        None => None,
    };
    if members.has("MaxConnection") {
        return Err(Refusal::unsupported("the number of SSL connections can't be changed"));
    }
    // Only from prepaid to pay-as-you-go. It takes effect at once: nothing expires here.
    let charge = members.word("InstanceChargeType", &["POSTPAID_BY_HOUR"])?.map(|_| Charge::PostPaid);
    let operation = Operation::ModifyGateway(ModifyGateway {
        id,
        name,
        description: None,
        propagate: None,
        bandwidth_mbps: None,
        charge,
        asn: asn::read(&members)?,
        facet: None,
    });
    Ok(operation.into())
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
        assert_eq!((it.name.as_deref(), it.charge, it.asn), (Some("new"), None, None));
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
        ];
        for (given, code) in cases {
            let refusal =
                testing::decode("ModifyVpnGatewayAttribute", given.clone()).expect_err("is refused");
            assert_eq!(refusal.code, code, "{given}");
        }
    }
}
