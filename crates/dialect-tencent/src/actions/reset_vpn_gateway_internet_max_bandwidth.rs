//! ResetVpnGatewayInternetMaxBandwidth: another bandwidth of the same band. It takes effect at once; a prepaid
//! gateway's can only be raised (the page says both "up and down" and "up only").

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::{ModifyGateway, NewBandwidth};

use crate::action::{self, Action, Input};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ResetVpnGatewayInternetMaxBandwidth", decode, encode: action::done };

const NAME: &str = "InternetMaxBandwidthOut";
/// The bandwidths that can be changed to, in Mbit/s.
const OFFERED: [i64; 8] = [5, 10, 20, 50, 100, 200, 500, 1000];
/// Between these there is no change.
const BANDS: &[(u32, u32)] = &[(5, 100), (200, 1000)];

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let id = members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let mbps = members.integer_of(NAME, &OFFERED)?.ok_or_else(|| Refusal::missing(NAME))?;
    let mbps = u32::try_from(mbps).unwrap_or_default();
    Ok(Operation::ModifyGateway(ModifyGateway {
        id,
        name: None,
        description: None,
        propagate: None,
        ssl_clients: None,
        bandwidth: Some(NewBandwidth { mbps, bands: BANDS }),
        at_end: None,
        asn: None,
        facet: None,
    }))
}

#[cfg(test)]
mod tests {
    use causeway_model::{Gateway, Record, View, Write};
    use serde_json::{Value, json};

    use super::super::create_vpn_connection::tests::with_gateways;
    use crate::testing;

    fn code(view: &mut View, gateway: &Value, mbps: i64) -> &'static str {
        let given = json!({"VpnGatewayId": gateway, "InternetMaxBandwidthOut": mbps});
        let done = testing::call(view, "vpc", "ResetVpnGatewayInternetMaxBandwidth", given);
        done.map_or_else(|refusal| refusal.code, |_| "")
    }

    fn bandwidth(view: &mut View, gateway: &Value) -> Value {
        let given = json!({"VpnGatewayIds": [gateway]});
        let found = testing::call(view, "vpc", "DescribeVpnGateways", given).unwrap();
        found["VpnGatewaySet"][0]["InternetMaxBandwidthOut"].clone()
    }

    #[test]
    fn a_bandwidth_changes_within_its_band() {
        let mut view = View::default();
        let (gateway, _) = with_gateways(&mut view);
        assert_eq!(bandwidth(&mut view, &gateway), 200);
        for mbps in [1000, 500, 200] {
            assert_eq!(code(&mut view, &gateway, mbps), "");
            assert_eq!(bandwidth(&mut view, &gateway), mbps);
        }
        assert_eq!(code(&mut view, &gateway, 100), "UnsupportedOperation");
        assert_eq!(code(&mut view, &gateway, 3000), "InvalidParameterValue");
        assert_eq!(bandwidth(&mut view, &gateway), 200);
        assert_eq!(code(&mut view, &json!("vpngw-another1"), 500), "ResourceNotFound");
        assert_eq!(code(&mut view, &json!("another1"), 500), "InvalidParameterValue.Malformed");
    }

    #[test]
    fn a_prepaid_gateway_keeps_what_it_has() {
        let mut view = View::default();
        let (gateway, _) = with_gateways(&mut view);
        let prepaid = view.records().find_map(|record| match record {
            Record::Gateway(it) => {
                let at_end = causeway_model::AtEnd::Expires;
                let charge = causeway_model::Charge::PrePaid { months: 1, at_end };
                Some(Write::Put(Gateway { bandwidth_mbps: 500, charge, ..(**it).clone() }.into()))
            }
            _ => None,
        });
        view.apply(&[prepaid.unwrap()]);
        let word = "UnsupportedOperation.VpnUnsupportedModifyBandwidth";
        assert_eq!(code(&mut view, &gateway, 200), word);
        assert_eq!(code(&mut view, &gateway, 1000), "");
    }
}
