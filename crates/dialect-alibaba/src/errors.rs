//! The API's words for what an operation refuses. The same condition has different codes and statuses in
//! different actions; clients know them.

use causeway_dialect::{Envelope, Failure};
use causeway_model::Kind;
use causeway_ops::{Conflict, OpError, Quota};

use crate::params::{Fields, missing};
use crate::{availability, regions, tags, tunnel_options};

/// Why a gateway of the national standard takes no connections; other reasons are the option that does not suit it.
pub const NO_CERTIFICATES: &str = "certificates";

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn gone(code: &str, message: &str) -> Failure {
    Failure::new(404, code, message)
}

/// The API's words for a refusal.
pub fn refuse(envelope: &Envelope, error: &OpError) -> Failure {
    let action = envelope.action.as_str();
    match error {
        OpError::NotFound { kind, id } => not_found(action, *kind, id.as_str()),
        OpError::WrongParent { kind, id, .. } => not_found(action, *kind, id.as_str()),
        OpError::QuotaExceeded { quota: Quota::PolicyRoutesPerGateway, limit, present, more } => {
            availability::policy_routes(*limit, *present, *more)
        }
        OpError::QuotaExceeded { quota, .. } => quota_exceeded(action, *quota),
        OpError::TooManyTags { .. } => quota_exceeded(action, Quota::TagsPerResource),
        // No action of this API makes tags by themselves.
        OpError::KnownTag(_) => bad("InvalidTag", "The tag is invalid."),
        OpError::InUse { kind, by, .. } => in_use(action, *kind, *by),
        OpError::Busy { kind, .. } | OpError::WrongState { kind, .. } => busy(action, *kind),
        OpError::BeingDeleted { kind, .. } => being_deleted(action, *kind),
        OpError::Locked(_) => availability::locked(action),
        OpError::Prepaid { .. } => prepaid(),
        OpError::TokenMismatch => token_mismatch(),
        OpError::UnknownRegion(_) => regions::unknown(action),
        OpError::UnknownZone(_) => gone("InvalidZoneId.NotFound", "Specified zone does not exist."),
        OpError::UnknownResourceGroup(_) => {
            bad("InvalidResourceGroupId", "The specified ResourceGroupId does not exist.")
        }
        OpError::CidrOutsideNetwork(_) => {
            bad("InvalidParameter", "Specified CIDR block is not valid in VPC.")
        }
        OpError::CidrOverlap { .. } => {
            bad("InvalidCidrBlock.Overlapped", "Specified CIDR block overlapped with other subnets.")
        }
        OpError::SecondSubnetRequired => missing("DisasterRecoveryVSwitchId"),
        OpError::NoUsableSubnet => availability::no_address(envelope, 0),
        OpError::SameSubnet => {
            bad("InvalidVSwitchId.VswitchIdShouldDifferent", "The VSwitch ids should be different.")
        }
        OpError::SameZone => bad(
            "InvalidVSwitchId.ZoneIdShouldDifferent",
            "Two vSwitches should belong to different Availability Zones.",
        ),
        OpError::NoFreeAddress { ordinal } => availability::no_address(envelope, *ordinal),
        OpError::ZoneClosed { ordinal, why } => availability::zone_closed(envelope, *ordinal, *why),
        OpError::SubnetUnsuited(_) => {
            bad("OperationFailed.VSwitchConflict", "The vswitch can't create vpn. Try another vswitch.")
        }
        OpError::NoPublicAddress => bad("InventoryNotEnough", "The inventory is not enough."),
        OpError::DuplicateCustomerIp => {
            bad("InvalidIpAddress.AlreadyExist", "Specified IpAddress is already exist.")
        }
        OpError::BgpKeyWithoutAsn => key_without_number(),
        OpError::CustomerGatewayWithoutAsn(_) => peer_without_number(),
        OpError::TunnelCount { .. } => tunnel_count(envelope),
        OpError::IpsecDisabled(_) => {
            bad("VpnGateway.IpsecVpnDisabled", "The vpn gateway does not enable IPSec VPN.")
        }
        // No action of this API changes the number of clients.
        OpError::SslDisabled(_) => crate::params::illegal("SslConnections"),
        OpError::GatewayUnsuited { why, .. } => unsuited(envelope, why),
        OpError::Lacking(lack) => availability::lacking(*lack),
        OpError::DuplicateConnection(_) => {
            bad("InvalidVpnConnection.AlreadyExists", "Vpn connection already exists.")
        }
        OpError::Conflict(conflict) => conflicts(conflict),
        OpError::PropagationInUse(_) => propagation_in_use(),
        // No action of this API changes a bandwidth.
        OpError::BandwidthBand { .. } | OpError::BandwidthLowered { .. } => {
            crate::params::illegal("Bandwidth")
        }
        // No action of this API changes a number.
        OpError::AsnInUse { .. } => crate::params::illegal("Asn"),
        OpError::RouteExists(_) => route_exists(action),
        OpError::RouteConflictsWithSubnet(_) if action == "CreateVpnConnection" => {
            bad("VpnRouteEntry.Conflict", "The specified route entry has conflict.")
        }
        OpError::RouteConflictsWithSubnet(_) => {
            bad("RouteConflict.AlreadyExist", "Route conflict exists in routing table.")
        }
        OpError::NextHopNotFound { kind, .. } => availability::no_next_hop(kind),
        OpError::SystemRoute(_) => {
            bad("OperationDenied", "Specified operation is denied as route entry type is system.")
        }
        // Unverified: no VPN document lists what an empty account gets; these are the words of other products.
        OpError::InsufficientFunds => {
            Failure::new(403, "InsufficientBalance", "Your account does not have enough balance.")
        }
        OpError::BillingClosed => availability::billing_closed(),
        OpError::NoFreeId => Failure::new(
            503,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ),
    }
}

fn prepaid() -> Failure {
    let message = "Forbidden to release a prepaid instance within validity period";
    Failure::new(403, "ForbiddenRelease", message)
}

fn token_mismatch() -> Failure {
    bad(
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request. Do not reuse a client \
         token with different requests, unless the requests are identical.",
    )
}

fn key_without_number() -> Failure {
    bad(
        "OperationDenied.MissingAsn",
        "The autonomous system number of the customer gateway is mandatory when BGP authentication key is \
         specified.",
    )
}

fn peer_without_number() -> Failure {
    bad("MissingParam.CustomerGatewayAsn", "Asn of customer gateway is mandatory when BGP is enabled.")
}

fn propagation_in_use() -> Failure {
    bad(
        "OperationFailed.VpnConnectionExist",
        "Auto propagate cannot be closed when VPN connections with BGP enabled exist.",
    )
}

fn not_found(action: &str, kind: Kind, id: &str) -> Failure {
    match action {
        "TagResources" | "UnTagResources" | "ListTagResources" => {
            return bad("InvalidInstanceIds.NotFound", "The instanceIds are not found");
        }
        "MoveVpnResourceGroup" => {
            return bad("InvalidResourceId.NotFound", "The specified ResourceId does not exist.");
        }
        _ => {}
    }
    match kind {
        Kind::Network => network_not_found(action),
        Kind::Subnet => subnet_not_found(action),
        Kind::RouteTable => table_not_found(action, id),
        Kind::Route => bad("InvalidRouteEntry.NotFound", "Route entry not exists."),
        Kind::Gateway => gateway_not_found(action),
        Kind::CustomerGateway => gone(
            "InvalidCustomerGatewayInstanceId.NotFound",
            "The specified customer gateway instance id does not exist.",
        ),
        Kind::Connection => gone(
            "InvalidVpnConnectionInstanceId.NotFound",
            "The specified vpn connection instance id does not exist.",
        ),
        Kind::Order | Kind::Token | Kind::Tag => {
            bad("InvalidInstanceId.NotFound", "InstanceId is not found.")
        }
    }
}

fn network_not_found(action: &str) -> Failure {
    match action {
        "CreateVpnGateway" | "CreateEnhancedVpnGateway" => {
            bad("InvalidVpcId.NotFound", "The specified VPC id does not exist in our records.")
        }
        _ => gone("InvalidVpcId.NotFound", "Specified VPC does not exist."),
    }
}

fn subnet_not_found(action: &str) -> Failure {
    match action {
        "CreateVpnGateway" | "CreateEnhancedVpnGateway" => {
            bad("InvalidVSwitchId.NotFound", "The specified vswitchId is not found.")
        }
        "ModifyVSwitchAttribute" => {
            gone("InvalidVSwitchId.NotFound", "The specified virtual switch does not exists.")
        }
        _ => gone("InvalidVSwitchId.NotFound", "VSwitch not exist."),
    }
}

fn table_not_found(action: &str, id: &str) -> Failure {
    match action {
        "DescribeRouteEntryList" => {
            bad("InvalidRouteTable.NotFound", &format!("The specified route table {id} does not exist."))
        }
        _ => gone("InvalidRouteTableId.NotFound", "Specified route table does not exist."),
    }
}

/// Terraform takes any HTTP 404 for "gone", so that the status matters as much as the code.
fn gateway_not_found(action: &str) -> Failure {
    let message = "The specified vpn gateway instance id does not exist.";
    match action {
        "CreateRouteEntry" => bad("InvalidNextHop.NotFound", "Specified next hop does not exist."),
        "DeleteVpnConnection"
        | "DeleteEnhancedVpnGateway"
        | "DescribeSslVpnClients"
        | "DescribeVpnPbrRouteEntries"
        | "DescribeVpnRouteEntries"
        | "ModifyVpnAttachmentAttribute" => bad("InvalidVpnGatewayInstanceId.NotFound", message),
        _ => gone("InvalidVpnGatewayInstanceId.NotFound", message),
    }
}

fn quota_exceeded(action: &str, quota: Quota) -> Failure {
    match quota {
        Quota::NetworksPerRegion => bad("QuotaExceeded.Vpc", "VPC quota exceeded."),
        Quota::SubnetsPerNetwork => bad("QuotaExceeded.VSwitch", "Virtual switch quota exceeded."),
        Quota::RoutesPerTable => bad("QuotaExceeded", "Route entry quota exceeded in this route table."),
        Quota::GatewaysPerRegion
        | Quota::GatewaysPerNetwork
        | Quota::TransitGatewaysPerRegion
        | Quota::PolicyRoutesPerGateway
        | Quota::ConnectionsPerCustomerGateway
        | Quota::ConnectionsPerPair => bad("Resource.QuotaFull", "The quota of resource is full"),
        Quota::CustomerGatewaysPerRegion => bad(
            "CreateVpnUserGatewayQuotaFull.QuotaFull",
            "The number of created VPN customer gateways exceeds the quota.",
        ),
        Quota::ConnectionsPerGateway => bad(
            "CreateVpnConnectionsQuotaFull.QuotaFull",
            "The number of VPN connections exceeds the quota limit.",
        ),
        Quota::TagsPerResource if action == "TagResources" => {
            bad("QuotaExceeded.TagNum", "Custom Tags quota exceeded")
        }
        Quota::TagsPerResource => tags::too_many(),
    }
}

fn in_use(action: &str, kind: Kind, by: Kind) -> Failure {
    match (kind, by) {
        (Kind::Gateway, Kind::Connection) if action == "DeleteEnhancedVpnGateway" => bad(
            "VpnDependencyViolation.VpnConnection",
            "There are vpn connections on specified vpn gateway not deleted.",
        ),
        // The cloud speaks of a customer gateway here, whichever gateway is meant.
        (Kind::Gateway | Kind::CustomerGateway, Kind::Connection) => bad(
            "DependencyViolation.VpnConnection",
            "There are vpn connections on specified customer gateway not deleted.",
        ),
        (Kind::Network, Kind::Subnet) => {
            bad("DependencyViolation.VSwitch", "Specified object has dependent resources")
        }
        (Kind::Network, Kind::RouteTable) => {
            bad("DependencyViolation.RouteTable", "Specified object has dependent custom routeTable.")
        }
        (Kind::Network, Kind::Route) => {
            bad("DependencyViolation.RouteEntry", "Specified object has dependent resources")
        }
        (Kind::Network, _) => bad("DependencyViolation.Instance", "Specified object has dependent resources"),
        _ => bad("DependencyViolation", "Resources deployed in the vSwitch have not been deleted."),
    }
}

fn busy(action: &str, kind: Kind) -> Failure {
    match kind {
        Kind::Network => bad("IncorrectVpcStatus", "Current VPC status does not support this operation."),
        Kind::Subnet => bad("IncorrectVSwitchStatus", "vpc subnet is in middle status."),
        Kind::RouteTable | Kind::Route => {
            bad("IncorrectRouteEntryStatus", "Some route entry status blocked this operation.")
        }
        Kind::CustomerGateway if action == "CreateCustomerGateway" => Failure::new(
            409,
            "OperationConflict",
            "The operation against this instance is too frequent, please try again later.",
        ),
        Kind::Gateway if action == "ModifyCustomerGatewayAttribute" => bad(
            "OperationDenied.VpnConfiguring",
            "The associated VPN gateway is being configured. You cannot update the attributes of the customer \
             gateway.",
        ),
        // The one code that Terraform retries everywhere.
        Kind::Gateway | Kind::CustomerGateway | Kind::Connection | Kind::Order | Kind::Token | Kind::Tag => {
            bad("VpnGateway.Configuring", "The specified service is configuring.")
        }
    }
}

fn tunnel_count(envelope: &Envelope) -> Failure {
    if Fields::of(&envelope.params).value("TunnelOptionsSpecification").is_none() {
        return bad(
            "MissingParameter.TunnelOptionsSpecification",
            "The required parameters are missing when creating a tunnel for dual-tunnel VPN.",
        );
    }
    // Unverified: what a gateway with one tunnel says to a request with two.
    crate::params::illegal("TunnelOptionsSpecification")
}

/// What the connections of a gateway don't agree on.
fn conflicts(conflict: &Conflict) -> Failure {
    match conflict {
        Conflict::Link { .. } => crate::params::illegal("TunnelCidr"),
        Conflict::OtherLocalAsn { .. } => crate::params::illegal("LocalAsn"),
        Conflict::NeedsBgp => {
            bad("IllegalParam.EnableBgp", "VPN connection must enable BGP when VPN gateway has enabled BGP.")
        }
        Conflict::PeerIsGateway(_) => bad(
            "CustomerGateway.ConflictVpnIp",
            "The customer gateway associated with the IPSec connection should not have the same IP address as the \
             VPN gateway.",
        ),
        Conflict::PeerBehindItself { .. } => bad(
            "CustomerGateway.ConflictRouteEntry",
            "The specified customer gateway has conflict with route entry.",
        ),
        Conflict::PeerOptions(_) => bad(
            "VpnConnectionParamInvalid.SameVpnAndCgwDifferentIkeConfigs",
            "IPSec connections associated with the same user gateway and VPN gateway should have the same \
             pre-shared key and IKE configuration.",
        ),
        Conflict::PeerRanges(_) => bad(
            "VpnConnectionParamInvalid.SameVpnAndCgwTrafficSelectorOverlap",
            "Traffic selectors of IPSec connections associated with the same user gateway and VPN gateway should \
             not overlap.",
        ),
        // This API does not ask for these checks (see the rules).
        Conflict::BandwidthForBgp { .. }
        | Conflict::MixedWithBgp
        | Conflict::SameAsn(_)
        | Conflict::ProbeAddress(_) => bad("OperationFailed.Conflict", &conflict.to_string()),
    }
}

/// A second deletion while the first is under way. Terraform tries again what a gateway refuses as being
/// configured, and what a connection refuses as a conflict of tasks; it never does so with enhanced gateways.
fn being_deleted(action: &str, kind: Kind) -> Failure {
    match (action, kind) {
        ("DeleteEnhancedVpnGateway", Kind::Gateway) => {
            bad("TaskConflict", "The eip operate too frequent, TaskConflict.")
        }
        (_, Kind::Connection) => bad("VpnTask.CONFLICT", "Vpn task has conflict."),
        _ => busy(action, kind),
    }
}

/// A gateway of the other type than the connection is for.
fn unsuited(envelope: &Envelope, why: &str) -> Failure {
    if why == NO_CERTIFICATES {
        return no_certificates(envelope);
    }
    tunnel_options::unsupported_option(why)
}

/// Connections of the national standard name the far end, and their gateway has certificates.
fn no_certificates(envelope: &Envelope) -> Failure {
    if !tunnel_options::name_remote_ids(&Fields::of(&envelope.params)) {
        return bad(
            "MissingParam.RemoteId",
            "The remote ID is mandatory when creating national standard VPN connection.",
        );
    }
    bad("OperationFailed.MissCertificate", "The VPN gateway has not associated any certificates.")
}

fn route_exists(action: &str) -> Failure {
    match action {
        "CreateVpnConnection" => {
            bad("VpnRouteEntry.AlreadyExists", "The specified route entry is already exist.")
        }
        _ => bad("InvalidCIDRBlock.Duplicate", "Specified CIDR block is already exists."),
    }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
