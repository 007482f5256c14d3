use causeway_dialect::Params;
use serde_json::{Value, json};

use super::{check, convert};
use crate::catalog::service;

fn checked(action: &str, params: Value) -> Result<(), (String, String)> {
    let service = service("vpc").unwrap();
    let params = Params(params.as_object().unwrap().clone());
    check(service, service.action(action).unwrap(), &params)
        .map_err(|refusal| (refusal.code.to_owned(), refusal.en))
}

fn code(action: &str, params: Value) -> String {
    checked(action, params).expect_err("is refused").0
}

#[test]
fn unknown_parameters_are_refused_at_every_level() {
    let given = json!({"$schema": "x"});
    let wanted = ("UnknownParameter".to_owned(), "The parameter `$schema` is not recognized.".to_owned());
    assert_eq!(checked("DescribeVpnGateways", given), Err(wanted));
    let given =
        json!({"CustomerGatewayName": "a", "IpAddress": "1.2.3.4", "Tags": [{"Key": "k", "Worth": "v"}]});
    let wanted = "The parameter `Tags.0.Worth` is not recognized.".to_owned();
    assert_eq!(checked("CreateCustomerGateway", given), Err(("UnknownParameter".to_owned(), wanted)));
}

#[test]
fn types_are_strict_but_for_pages() {
    let text =
        ("InvalidParameter".to_owned(), "The value type of parameter `BgpAsn` is not valid".to_owned());
    let given = json!({"CustomerGatewayName": "a", "IpAddress": "1.2.3.4", "BgpAsn": "65000"});
    assert_eq!(checked("CreateCustomerGateway", given), Err(text));
    assert_eq!(code("CreateCustomerGateway", json!({"CustomerGatewayName": 5})), "InvalidParameter");
    for action in ["DescribeVpcs", "DescribeVpnGateways"] {
        assert_eq!(checked(action, json!({"Offset": "0", "Limit": 20})), Ok(()));
        assert_eq!(checked(action, json!({"Offset": 0, "Limit": "20"})), Ok(()));
    }
    assert_eq!(code("DescribeVpnGateways", json!({"Offset": "first"})), "InvalidParameter");
    assert_eq!(code("DescribeVpnGateways", json!({"Offset": 1.5})), "InvalidParameter");
}

#[test]
fn missing_parameters_are_named() {
    let wanted = "The request is missing a required parameter `VpnGatewayId`.".to_owned();
    assert_eq!(checked("DeleteVpnGateway", json!({})), Err(("MissingParameter".to_owned(), wanted)));
    assert_eq!(code("DeleteVpnGateway", json!({"VpnGatewayId": null})), "MissingParameter");
    let prepaid = json!({"VpcId": "v", "VpnGatewayName": "n", "InternetMaxBandwidthOut": 5,
        "InstanceChargePrepaid": {"RenewFlag": "NOTIFY_AND_AUTO_RENEW"}});
    assert_eq!(code("CreateVpnGateway", prepaid), "MissingParameter");
    assert_eq!(checked("DeleteRoutes", json!({"RouteTableId": "rtb-1", "Routes": [{"RouteId": 5}]})), Ok(()));
}

#[test]
fn filters_have_refusals_of_their_own() {
    let cases = [
        (json!(["x"]), "InvalidParameter.FilterNotDict"),
        (json!([{"Name": "vpc-id"}]), "InvalidParameter.FilterMissParameter"),
        (json!([{"Name": "vpc-id", "Values": "v"}]), "InvalidParameter.FilterValuesNotList"),
        (json!([{"Name": "vpc-id", "Values": [5]}]), "InvalidParameter.FilterValuesNotList"),
        (json!([{"Name": 1, "Values": []}]), "InvalidParameter"),
        (json!({"Name": "vpc-id"}), "InvalidParameter"),
    ];
    for (filters, wanted) in cases {
        assert_eq!(code("DescribeVpnGateways", json!({"Filters": filters})), wanted, "{filters}");
    }
}

#[test]
fn texts_of_a_query_take_the_types_of_the_catalogue() {
    let service = service("vpc").unwrap();
    let spec = service.action("CreateVpnConnection").unwrap();
    let pairs = [
        ("EnableHealthCheck", "False"),
        ("DpdEnable", "1"),
        ("DpdTimeout", "30"),
        ("IKEOptionsSpecification.IKESaLifetimeSeconds", "86400"),
        ("SecurityPolicyDatabases.0.RemoteCidrBlock.0", "10.0.0.0/8"),
    ];
    let mut params = Params::from_pairs(pairs).unwrap();
    convert(service, spec, &mut params);
    let wanted = json!({
        "EnableHealthCheck": false,
        "DpdEnable": 1,
        "DpdTimeout": "30",
        "IKEOptionsSpecification": {"IKESaLifetimeSeconds": 86400},
        "SecurityPolicyDatabases": [{"RemoteCidrBlock": ["10.0.0.0/8"]}],
    });
    assert_eq!(Value::Object(params.0), wanted);
}
