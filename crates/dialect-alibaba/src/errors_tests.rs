use super::*;
use crate::testing;

fn code(action: &str, error: &OpError) -> (u16, String) {
    let failure = refuse(&testing::envelope(action, &[]), error);
    assert!(!failure.message.is_empty());
    (failure.status, failure.code)
}

fn missing_one(kind: Kind) -> OpError {
    OpError::NotFound { kind, id: "x-1".into() }
}

#[test]
fn the_status_of_a_missing_gateway_differs_by_action() {
    let error = missing_one(Kind::Gateway);
    let word = "InvalidVpnGatewayInstanceId.NotFound".to_owned();
    assert_eq!(code("DescribeVpnGateway", &error), (404, word.clone()));
    assert_eq!(code("DeleteVpnGateway", &error), (404, word.clone()));
    assert_eq!(code("CreateVpnConnection", &error), (404, word.clone()));
    assert_eq!(code("DeleteEnhancedVpnGateway", &error), (400, word));
    assert_eq!(code("CreateRouteEntry", &error), (400, "InvalidNextHop.NotFound".into()));
}

#[test]
fn parents_of_new_gateways_are_400_and_gone_networks_are_404() {
    let network = missing_one(Kind::Network);
    assert_eq!(code("CreateVpnGateway", &network), (400, "InvalidVpcId.NotFound".into()));
    assert_eq!(code("DescribeVpcAttribute", &network), (404, "InvalidVpcId.NotFound".into()));
    let foreign = OpError::WrongParent { kind: Kind::Subnet, id: "vsw-1".into(), parent: "vpc-1".into() };
    assert_eq!(code("CreateEnhancedVpnGateway", &foreign), (400, "InvalidVSwitchId.NotFound".into()));
}

#[test]
fn a_busy_gateway_has_the_code_that_is_retried() {
    let error = OpError::Busy { kind: Kind::Gateway, id: "vpn-1".into() };
    for action in ["DeleteVpnGateway", "CreateVpnConnection", "DeleteVpnConnection", "DeleteCustomerGateway"]
    {
        assert_eq!(code(action, &error), (400, "VpnGateway.Configuring".into()));
    }
    let word = "OperationDenied.VpnConfiguring".to_owned();
    assert_eq!(code("ModifyCustomerGatewayAttribute", &error), (400, word));
}

#[test]
fn dependencies_have_their_codes() {
    let used = |kind: Kind, by: Kind| OpError::InUse { kind, id: "x-1".into(), by };
    let cases = [
        ("DeleteVpnGateway", Kind::Gateway, Kind::Connection, "DependencyViolation.VpnConnection"),
        ("DeleteEnhancedVpnGateway", Kind::Gateway, Kind::Connection, "VpnDependencyViolation.VpnConnection"),
        (
            "DeleteCustomerGateway",
            Kind::CustomerGateway,
            Kind::Connection,
            "DependencyViolation.VpnConnection",
        ),
        ("DeleteVpc", Kind::Network, Kind::Subnet, "DependencyViolation.VSwitch"),
        ("DeleteVSwitch", Kind::Subnet, Kind::Gateway, "DependencyViolation"),
    ];
    for (action, kind, by, wanted) in cases {
        assert_eq!(code(action, &used(kind, by)), (400, wanted.into()));
    }
}

#[test]
fn a_second_deletion_has_a_code_by_what_is_deleted() {
    let cases = [
        ("DeleteVpnConnection", Kind::Connection, "VpnTask.CONFLICT"),
        ("DeleteEnhancedVpnGateway", Kind::Gateway, "TaskConflict"),
        ("DeleteVpnGateway", Kind::Gateway, "VpnGateway.Configuring"),
    ];
    for (action, kind, wanted) in cases {
        let going = OpError::BeingDeleted { kind, id: "x-1".into() };
        assert_eq!(code(action, &going), (400, wanted.into()));
    }
}

#[test]
fn addresses_run_out_in_the_first_or_second_switch() {
    let error = |ordinal| OpError::NoFreeAddress { ordinal };
    assert_eq!(code("CreateVpnGateway", &error(0)).1, "OperationFailed.IpNotEnough");
    let two = [("VSwitchId", "vsw-1"), ("DisasterRecoveryVSwitchId", "vsw-2")];
    let envelope = testing::envelope("CreateVpnGateway", &two);
    assert_eq!(refuse(&envelope, &error(0)).code, "InvalidVSwitchId.FirstVswitchIpNotEnough");
    assert_eq!(refuse(&envelope, &error(1)).code, "InvalidVSwitchId.SecondVswitchIpNotEnough");
}

#[test]
fn quotas_have_their_codes() {
    let cases = [
        ("CreateVpc", Quota::NetworksPerRegion, "QuotaExceeded.Vpc"),
        ("CreateVpnGateway", Quota::GatewaysPerRegion, "Resource.QuotaFull"),
        (
            "CreateCustomerGateway",
            Quota::CustomerGatewaysPerRegion,
            "CreateVpnUserGatewayQuotaFull.QuotaFull",
        ),
        ("CreateVpnConnection", Quota::ConnectionsPerGateway, "CreateVpnConnectionsQuotaFull.QuotaFull"),
        ("TagResources", Quota::TagsPerResource, "QuotaExceeded.TagNum"),
        ("CreateCustomerGateway", Quota::TagsPerResource, "SizeLimitExceeded.TagNum"),
    ];
    for (action, quota, wanted) in cases {
        let full = OpError::QuotaExceeded { quota, limit: 1, present: 1, more: 1 };
        assert_eq!(code(action, &full), (400, wanted.into()));
    }
}

#[test]
fn what_connections_do_not_agree_on_has_its_code() {
    let link = "169.254.10.0/30".parse().unwrap();
    let ip = std::net::IpAddr::from([203, 0, 113, 1]);
    let cases = [
        (Conflict::Link { link, other: link }, "IllegalParam.TunnelCidr"),
        (Conflict::OtherLocalAsn { asn: 1, other: 2 }, "IllegalParam.LocalAsn"),
        (Conflict::NeedsBgp, "IllegalParam.EnableBgp"),
        (Conflict::PeerIsGateway(ip), "CustomerGateway.ConflictVpnIp"),
        (Conflict::PeerBehindItself { ip, range: link }, "CustomerGateway.ConflictRouteEntry"),
        (Conflict::PeerOptions("vco-1".into()), "VpnConnectionParamInvalid.SameVpnAndCgwDifferentIkeConfigs"),
        (
            Conflict::PeerRanges("vco-1".into()),
            "VpnConnectionParamInvalid.SameVpnAndCgwTrafficSelectorOverlap",
        ),
    ];
    for (conflict, wanted) in cases {
        assert_eq!(code("CreateVpnConnection", &OpError::Conflict(conflict)), (400, wanted.into()));
    }
    let in_use = OpError::PropagationInUse("vpn-1".into());
    let wanted = (400, "OperationFailed.VpnConnectionExist".to_owned());
    assert_eq!(code("ModifyVpnGatewayAttribute", &in_use), wanted);
    assert_eq!(code("UpdateEnhancedVpnGateway", &in_use), wanted);
}

#[test]
fn prepaid_gateways_and_reused_tokens() {
    assert_eq!(
        code("DeleteVpnGateway", &OpError::Prepaid { id: "vpn-1".into() }),
        (403, "ForbiddenRelease".into())
    );
    assert_eq!(code("CreateVpc", &OpError::TokenMismatch), (400, "IdempotentParameterMismatch".into()));
}
