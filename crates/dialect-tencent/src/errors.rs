//! Refusals by operations in the API's words: one exhaustive match.

use causeway_model::{ExternalId, Kind};
use causeway_ops::{Closed, Conflict, Lack, OpError};
use ipnet::IpNet;

use crate::refusal::Refusal;
use crate::tagging::dictionary;

/// The API's words for a refusal by the operation of an action of a service.
pub fn refuse(service: &str, action: &str, error: &OpError) -> Refusal {
    match error {
        OpError::NotFound { kind, id } => not_found(service, action, *kind, id),
        OpError::WrongParent { kind: Kind::Gateway, id, .. } if action == "CreateRoutes" => {
            foreign_next_hop(id)
        }
        OpError::WrongParent { id, parent, .. } if action == "CreateVpnConnection" => {
            foreign_network(id, parent)
        }
        OpError::WrongParent { id, .. } => missing_resource(id),
        OpError::QuotaExceeded { limit, .. } => Refusal::new(
            "LimitExceeded",
            format!("The quota limit `{limit}` is reached."),
            format!("超过配额限制`{limit}`。"),
        ),
        OpError::InUse { kind, id, .. } => in_use(*kind, id),
        OpError::Busy { kind, id }
        | OpError::WrongState { kind, id }
        | OpError::BeingDeleted { kind, id } => invalid_state(action, *kind, id),
        OpError::Locked(id) => isolated(id),
        OpError::Prepaid { id } => prepaid(id),
        OpError::TokenMismatch => Refusal::plain("InvalidParameter", "The client token was used before."),
        OpError::UnknownRegion(_) => unknown_region("X-TC-Region"),
        OpError::UnknownZone(zone) => Refusal::value("Zone", zone),
        OpError::UnknownResourceGroup(group) => Refusal::value("ResourceGroupId", group),
        OpError::CidrOutsideNetwork(cidr) => outside_network(cidr),
        OpError::CidrOverlap { cidr, other } => overlap(action, &cidr.to_string(), &other.to_string()),
        OpError::SecondSubnetRequired
        | OpError::NoUsableSubnet
        | OpError::SameSubnet
        | OpError::SameZone
        | OpError::SubnetUnsuited(_)
        | OpError::GatewayUnsuited { .. }
        | OpError::TunnelCount { .. } => Refusal::unsupported(&error.to_string()),
        OpError::ZoneClosed { why: Closed::NotOffered, .. } => {
            Refusal::unsupported("the zone has no VPN gateways")
        }
        OpError::ZoneClosed { why: Closed::SoldOut, .. } => {
            insufficient("the zone is sold out", "可用区资源已售罄")
        }
        OpError::Lacking(lack) => lacking(*lack),
        OpError::NoFreeAddress { .. } => insufficient("the VPC has no free address", "VPC内没有可用的IP地址"),
        OpError::NoPublicAddress => insufficient("no public address is left", "公网IP资源不足"),
        OpError::DuplicateCustomerIp => Refusal::new(
            "InvalidParameterValue.Duplicate",
            "A customer gateway with the same `IpAddress` exists already.",
            "相同`IpAddress`的对端网关已存在。",
        ),
        OpError::BgpKeyWithoutAsn => Refusal::missing("BgpAsn"),
        OpError::CustomerGatewayWithoutAsn(id) => Refusal::new(
            "UnsupportedOperation.VpnUnsupportedUsrGwNotExistBgpAsn",
            format!("The customer gateway `{id}` has no BGP ASN."),
            format!("对端网关`{id}`未配置BGP ASN。"),
        ),
        OpError::IpsecDisabled(id) => {
            Refusal::unsupported(&format!("the VPN gateway `{id}` takes no IPsec connections"))
        }
        OpError::SslDisabled(id) => {
            Refusal::unsupported(&format!("the VPN gateway `{id}` takes no SSL connections"))
        }
        OpError::DuplicateConnection(id) => duplicate_connection(id),
        OpError::Conflict(conflict) => conflicts(conflict),
        OpError::PropagationInUse(id) => {
            Refusal::unsupported(&format!("the VPN gateway `{id}` has BGP tunnels"))
        }
        OpError::AsnInUse { id, .. } => asn_in_use(id),
        OpError::BandwidthBand { .. } => Refusal::unsupported(&error.to_string()),
        OpError::BandwidthLowered { to_mbps } => Refusal::new(
            "UnsupportedOperation.VpnUnsupportedModifyBandwidth",
            format!("The bandwidth can't be lowered to `{to_mbps}`."),
            format!("`{to_mbps}`，不支持降低VPN带宽。"),
        ),
        OpError::RouteExists(cidr) => Refusal::new(
            "InvalidParameterValue.Duplicate",
            format!("A route to `{cidr}` exists already."),
            format!("目的网段`{cidr}`的路由已存在。"),
        ),
        OpError::NextHopNotFound { id, .. } => missing_resource(&ExternalId::from(id.as_str())),
        OpError::RouteConflictsWithSubnet(cidr) => inside_network(cidr),
        OpError::SystemRoute(cidr) => Refusal::new(
            "UnsupportedOperation.SystemRoute",
            format!("The system route to `{cidr}` can't be changed."),
            format!("不支持操作系统路由`{cidr}`。"),
        ),
        OpError::KnownTag(why) => dictionary::refuse(why),
        OpError::TooManyTags { limit } => too_many_tags(service, *limit),
        OpError::InsufficientFunds => Refusal::new(
            "UnsupportedOperation.InsufficientFunds",
            "Insufficient account balance.",
            "账户余额不足。",
        ),
        OpError::BillingClosed => Refusal::new(
            "UnsupportedOperation.BillingFailed",
            "The order could not be placed.",
            "计费下单失败。",
        ),
        OpError::NoFreeId => no_free_id(action),
    }
}

/// `ResourceNotFound`: clients take exactly this code for "gone". Only a new gateway's VPC has a code of its own,
/// and the tag service knows resources by their descriptions.
fn not_found(service: &str, action: &str, kind: Kind, id: &ExternalId) -> Refusal {
    match (service, action, kind) {
        ("vpc", "CreateVpnGateway", Kind::Network) => Refusal::new(
            "InvalidVpcId.NotFound",
            format!("The VPC `{id}` does not exist."),
            format!("VPC`{id}`不存在。"),
        ),
        ("tag", "AttachResourcesTag" | "DetachResourcesTag" | "ModifyResourcesTagValue", _) => {
            Refusal::value_as("InvalidParameterValue.ResourceIdInvalid", "ResourceIds", id)
        }
        ("tag", _, _) => Refusal::value_as("InvalidParameterValue.ResourceDescriptionError", "Resource", id),
        _ => missing_resource(id),
    }
}

/// `ResourceNotFound` for an id.
pub fn missing_resource(id: &ExternalId) -> Refusal {
    Refusal::new(
        "ResourceNotFound",
        format!("The resource `{id}` does not exist."),
        format!("资源`{id}`不存在。"),
    )
}

fn foreign_next_hop(id: &ExternalId) -> Refusal {
    Refusal::new(
        "InvalidParameterValue.RouteNextHopInvalid",
        format!("The next hop `{id}` is not in the VPC of the route table."),
        format!("下一跳`{id}`不属于路由表所在的VPC。"),
    )
}

fn prepaid(id: &ExternalId) -> Refusal {
    Refusal::new(
        "UnsupportedOperation",
        format!("The prepaid VPN gateway `{id}` can't be deleted before it expires."),
        format!("包年包月VPN网关`{id}`未到期，不支持删除。"),
    )
}

fn outside_network(cidr: &IpNet) -> Refusal {
    Refusal::new(
        "InvalidParameterValue.SubnetRange",
        format!("The CIDR block `{cidr}` is not in the range of the VPC."),
        format!("子网网段`{cidr}`不在VPC网段内。"),
    )
}

fn inside_network(cidr: &IpNet) -> Refusal {
    Refusal::new(
        "InvalidParameterValue.VpcCidrConflict",
        format!("The destination `{cidr}` conflicts with the CIDR block of the VPC."),
        format!("目的网段`{cidr}`与VPC网段冲突。"),
    )
}

/// A gateway whose owner has no funds (`RestrictState` `PROTECTIVELY_ISOLATED`); the code is unverified.
fn isolated(id: &ExternalId) -> Refusal {
    Refusal::unsupported(&format!("the VPN gateway `{id}` is isolated for lack of funds"))
}

/// The gateways of the region lack something.
pub fn lacking(what: Lack) -> Refusal {
    match what {
        Lack::Bgp => Refusal::new(
            "UnsupportedOperation.VpnUnsupportedBgp",
            "The VPN gateways of the region do not support BGP.",
            "该地域的VPN网关不支持BGP。",
        ),
        Lack::Dpd => Refusal::unsupported("the VPN gateways of the region have no dead peer detection"),
        Lack::NatTraversal => Refusal::unsupported("the VPN gateways of the region have no NAT traversal"),
    }
}

fn no_free_id(action: &str) -> Refusal {
    let code =
        if action == "CreateVpnGateway" { "FailedOperation.CreateVpnGatewayFailed" } else { "InternalError" };
    Refusal::plain(code, "No free id was found. Please try again.")
}

fn asn_in_use(id: &ExternalId) -> Refusal {
    Refusal::new(
        "UnsupportedOperation.VpnUnsupportedModifyBgpAsn",
        format!("The BGP ASN of `{id}` can't be changed while BGP tunnels use it."),
        format!("`{id}`存在BGP通道，不支持修改BGP ASN。"),
    )
}

fn duplicate_connection(id: &ExternalId) -> Refusal {
    Refusal::new(
        "InvalidParameterValue.Duplicate",
        format!("The VPN tunnel `{id}` has the same gateways and CIDR blocks."),
        format!("已存在相同网关和网段的VPN通道`{id}`。"),
    )
}

/// A VPC that is not the gateway's.
fn foreign_network(gateway: &ExternalId, network: &ExternalId) -> Refusal {
    Refusal::new(
        "ResourceNotFound",
        format!("The VPC `{network}` does not exist or has no VPN gateway `{gateway}`."),
        format!("VPC`{network}`不存在，或VPN网关`{gateway}`不属于该VPC。"),
    )
}

fn in_use(kind: Kind, id: &ExternalId) -> Refusal {
    // ResourceInUse is not among the codes of DeleteVpnGateway.
    let code = if kind == Kind::Gateway { "UnsupportedOperation" } else { "ResourceInUse" };
    Refusal::new(
        code,
        format!("The resource `{id}` is in use."),
        format!("资源`{id}`正在使用中，不支持删除。"),
    )
}

fn invalid_state(action: &str, kind: Kind, id: &ExternalId) -> Refusal {
    // Of the codes for a busy tunnel, only InvalidState is retried by Terraform.
    let code = match (action, kind) {
        ("DeleteVpnGateway", Kind::Gateway) => "UnsupportedOperation",
        ("ModifyVpnConnectionAttribute" | "ResetVpnConnection", Kind::Connection) => {
            "UnsupportedOperation.VpnConnInvalidState"
        }
        _ => "UnsupportedOperation.InvalidState",
    };
    Refusal::new(
        code,
        format!("The state of `{id}` does not support the operation."),
        format!("`{id}`当前状态不支持该操作。"),
    )
}

fn overlap(action: &str, cidr: &str, other: &str) -> Refusal {
    let code = match action {
        "CreateSubnet" => "InvalidParameterValue.SubnetConflict",
        "CreateVpnConnection" => "InvalidParameterValue.VpnConnCidrConflict",
        _ => "InvalidParameterValue.VpcCidrConflict",
    };
    Refusal::new(
        code,
        format!("The CIDR block `{cidr}` conflicts with `{other}`."),
        format!("网段`{cidr}`与`{other}`冲突。"),
    )
}

fn conflicts(conflict: &Conflict) -> Refusal {
    match conflict {
        Conflict::BandwidthForBgp { min_mbps } => Refusal::new(
            "UnsupportedOperation.VpnUnsupportedBgp",
            format!("BGP needs a VPN gateway of at least `{min_mbps}` Mbps."),
            format!("带宽低于`{min_mbps}`Mbps的VPN网关不支持BGP。"),
        ),
        Conflict::MixedWithBgp => Refusal::new(
            "UnsupportedOperation.VpnConnRouteTypeMixed",
            "A VPN gateway can't have BGP tunnels and others at the same time.",
            "同一VPN网关不支持同时存在BGP通道和非BGP通道。",
        ),
        Conflict::SameAsn(asn) => Refusal::new(
            "UnsupportedOperation.VpnUnsupportedBgpAsnEqual",
            format!("The BGP ASN `{asn}` of the customer gateway is in use on the VPN gateway."),
            format!("对端网关的BGP ASN`{asn}`与VPN网关或其他对端网关相同。"),
        ),
        Conflict::Link { link, other } => Refusal::new(
            "InvalidParameterValue.VpnConnBgpTunnelCidrConflict",
            format!("The BGP tunnel range `{link}` overlaps the existing range `{other}`."),
            format!("当前BGP隧道网段：`{link}`和已有BGP隧道网段：`{other}`重叠。"),
        ),
        Conflict::ProbeAddress(ip) => Refusal::new(
            "InvalidParameterValue.VpnConnHealthCheckIpConflict",
            format!("The health check address `{ip}` is used by another VPN tunnel or the VPC."),
            format!("健康检查IP`{ip}`已被其他VPN通道或VPC使用。"),
        ),
        // This API does not ask for these checks (see the rules).
        Conflict::NeedsBgp
        | Conflict::OtherLocalAsn { .. }
        | Conflict::PeerIsGateway(_)
        | Conflict::PeerBehindItself { .. }
        | Conflict::PeerOptions(_)
        | Conflict::PeerRanges(_) => Refusal::unsupported(&conflict.to_string()),
    }
}

fn insufficient(en: &str, zh: &str) -> Refusal {
    Refusal::new(
        "ResourceInsufficient",
        format!("Insufficient resources: {en}."),
        format!("资源不足：{zh}。"),
    )
}

fn too_many_tags(service: &str, limit: u32) -> Refusal {
    let code = if service == "tag" {
        "LimitExceeded.ResourceAttachedTags"
    } else {
        "LimitExceeded.TagKeyPerResourceExceeded"
    };
    Refusal::new(
        code,
        format!("The number of tags of the resource exceeds the limit `{limit}`."),
        format!("资源的标签数量超过上限`{limit}`。"),
    )
}

/// A region that is none of the API's. The first scheme calls the parameter `Region`.
pub fn unknown_region(parameter: &str) -> Refusal {
    let text = format!("A value specified in `{parameter}` is not valid, is unsupported, or cannot be used.");
    Refusal::plain("InvalidParameterValue", text)
}

#[cfg(test)]
mod tests {
    use causeway_ops::Quota;

    use super::*;

    fn code(service: &str, action: &str, error: &OpError) -> &'static str {
        refuse(service, action, error).code
    }

    #[test]
    fn only_resource_not_found_means_gone() {
        let missing = |kind| OpError::NotFound { kind, id: "x".into() };
        for (action, kind) in [
            ("DeleteVpnGateway", Kind::Gateway),
            ("ModifyVpnGatewayAttribute", Kind::Gateway),
            ("DeleteVpnConnection", Kind::Connection),
            ("DeleteCustomerGateway", Kind::CustomerGateway),
            ("CreateSubnet", Kind::Network),
        ] {
            assert_eq!(code("vpc", action, &missing(kind)), "ResourceNotFound", "{action}");
        }
        assert_eq!(code("vpc", "CreateVpnGateway", &missing(Kind::Network)), "InvalidVpcId.NotFound");
    }

    #[test]
    fn busy_tunnels_answer_what_terraform_retries() {
        let busy = OpError::Busy { kind: Kind::Connection, id: "vpnx-1".into() };
        assert_eq!(code("vpc", "DeleteVpnConnection", &busy), "UnsupportedOperation.InvalidState");
        let state = OpError::WrongState { kind: Kind::Gateway, id: "vpngw-1".into() };
        assert_eq!(code("vpc", "CreateVpnConnection", &state), "UnsupportedOperation.InvalidState");
        assert_eq!(code("vpc", "DeleteVpnGateway", &state), "UnsupportedOperation");
    }

    #[test]
    fn numbers_in_use_stay() {
        let in_use = OpError::AsnInUse { kind: Kind::CustomerGateway, id: "cgw-1".into() };
        let word = "UnsupportedOperation.VpnUnsupportedModifyBgpAsn";
        assert_eq!(code("vpc", "ModifyCustomerGatewayAttribute", &in_use), word);
    }

    #[test]
    fn dependants_keep_their_parents() {
        let used = |kind| OpError::InUse { kind, id: "x".into(), by: Kind::Connection };
        assert_eq!(code("vpc", "DeleteVpnGateway", &used(Kind::Gateway)), "UnsupportedOperation");
        assert_eq!(code("vpc", "DeleteCustomerGateway", &used(Kind::CustomerGateway)), "ResourceInUse");
        assert_eq!(code("vpc", "DeleteVpc", &used(Kind::Network)), "ResourceInUse");
        let full =
            OpError::QuotaExceeded { quota: Quota::GatewaysPerNetwork, limit: 10, present: 10, more: 1 };
        assert_eq!(code("vpc", "CreateVpnGateway", &full), "LimitExceeded");
        for (error, wanted) in [
            (OpError::InsufficientFunds, "UnsupportedOperation.InsufficientFunds"),
            (OpError::BillingClosed, "UnsupportedOperation.BillingFailed"),
            (OpError::NoFreeId, "FailedOperation.CreateVpnGatewayFailed"),
            (OpError::Lacking(Lack::Bgp), "UnsupportedOperation.VpnUnsupportedBgp"),
            (OpError::ZoneClosed { ordinal: 0, why: Closed::SoldOut }, "ResourceInsufficient"),
            (OpError::ZoneClosed { ordinal: 0, why: Closed::NotOffered }, "UnsupportedOperation"),
        ] {
            assert_eq!(code("vpc", "CreateVpnGateway", &error), wanted);
        }
        assert_eq!(code("vpc", "CreateVpc", &OpError::NoFreeId), "InternalError");
        let locked = OpError::Locked("vpngw-1".into());
        assert_eq!(code("vpc", "CreateVpnConnection", &locked), "UnsupportedOperation");
        let going = OpError::BeingDeleted { kind: Kind::Connection, id: "vpnx-1".into() };
        assert_eq!(code("vpc", "DeleteVpnConnection", &going), "UnsupportedOperation.InvalidState");
    }
}
