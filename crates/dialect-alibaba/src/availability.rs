//! The API's words for what can't be had: zones, addresses, abilities of gateways, quotas of routes, and money.

use causeway_dialect::{Envelope, Failure};
use causeway_ops::{Closed, Lack};

use crate::params::Fields;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

/// Requests with two vSwitches are told which one is meant.
fn names_two(envelope: &Envelope) -> bool {
    Fields::of(&envelope.params).text("DisasterRecoveryVSwitchId").is_some()
}

/// A vSwitch, counted from 0, has no free address.
pub fn no_address(envelope: &Envelope, ordinal: usize) -> Failure {
    match (names_two(envelope), ordinal) {
        (false, _) => bad(
            "OperationFailed.IpNotEnough",
            "Operation failed because private ip address of the virtual switch is not enough.",
        ),
        (true, 0) => bad("InvalidVSwitchId.FirstVswitchIpNotEnough", "The ip of vswitch1 not enough."),
        (true, _) => bad("InvalidVSwitchId.SecondVswitchIpNotEnough", "The ip of vswitch2 not enough."),
    }
}

/// The zone of a vSwitch, counted from 0, has no gateways. Two codes are documented for sold-out zones; the one
/// that speaks of one vSwitch is taken for requests with one (unverified).
pub fn zone_closed(envelope: &Envelope, ordinal: usize, why: Closed) -> Failure {
    match (why, names_two(envelope), ordinal) {
        (Closed::NotOffered, false, _) => bad(
            "OperationFailed.AzNotSupport",
            "Current available zone can't create vpn. Try another vswitch with different available zone.",
        ),
        (Closed::NotOffered, true, 0) => {
            bad("InvalidVSwitchId.FirstVswitchNotSupport", "The available zone of vswitch1 not supported.")
        }
        (Closed::NotOffered, true, _) => {
            bad("InvalidVSwitchId.SecondVswitchNotSupport", "The available zone of vswitch2 not supported.")
        }
        (Closed::SoldOut, false, _) => bad(
            "OperationFailed.InventoryNotEnough",
            "No enough available resource. Try another vswitch with different available zone.",
        ),
        (Closed::SoldOut, true, _) => bad("InventoryNotEnough", "The inventory is not enough."),
    }
}

/// The gateways of the region lack something.
pub fn lacking(what: Lack) -> Failure {
    match what {
        Lack::Bgp => {
            bad("OperationUnsupported.EnableBgp", "Current version of the VPN does not support enable BGP.")
        }
        Lack::Dpd => {
            bad("OperationUnsupported.SetDPD", "Current version of the VPN does not support setting DPD.")
        }
        Lack::NatTraversal => bad(
            "OperationUnsupported.SetNatTraversal",
            "Current version of the VPN does not support setting NAT traversal.",
        ),
    }
}

/// The gateway has no place for as many policy routes more.
pub fn policy_routes(limit: u32, present: usize, more: usize) -> Failure {
    if present >= limit as usize {
        return bad(
            "CreatePbrRoutesQuotaFull.QuotaFull",
            "The number of policy routes exceeds the quota limit.",
        );
    }
    let message = format!(
        "The maximum number of policy-based routes is exceeded. Existing routes: {present}. Routes to be created: \
         {more}. Maximum routes: {limit}."
    );
    bad("QuotaExceeded.PolicyBasedRoute", &message)
}

/// The refusal of a next hop of a type of which there are none; types without a code of their own have the general one.
pub fn no_next_hop(kind: &str) -> Failure {
    let (code, message) = match kind {
        "Instance" => ("IllegalParam.NextHopId", "Instance not exists or not vpc vm."),
        "HaVip" => ("InvalidHaVip.NotFound", "The specified HaVip does not exist in the specified region."),
        "NatGateway" => ("InvalidNatGateway.NotFound", "Natgateway not exist."),
        "Attachment" => ("InvalidAttachment.NotFound", "The attachment is not found."),
        "NetworkInterface" => {
            ("ResourceNotFound.NetworkInterface", "The specified resource of network interface is not found.")
        }
        "Ipv4Gateway" => ("ResourceNotFound.Ipv4Gateway", "Specified Ipv4Gateway does not exist."),
        "CEN" => ("ResourceNotAssociated.Cen", "The Vpc and Cen are not associated."),
        "Ecr" => ("ResourceNotAssociated.Ecr", "The ECR is not associated."),
        _ => ("InvalidNexthop.NotFound", "VRouterEntry nexthop does not exist."),
    };
    bad(code, message)
}

/// The gateway is locked for lack of funds.
pub fn locked(action: &str) -> Failure {
    match action {
        "ModifyCustomerGatewayAttribute" => bad(
            "OperationDenied.VpnFinancialLocked",
            "The associated VPN gateway is financially locked. You cannot update the attributes of the customer \
             gateway.",
        ),
        _ => bad("VpnGateway.FinancialLocked", "The specified service is financial locked."),
    }
}

/// The account has not opened the billing of traffic. Documented for enhanced gateways; the others have no code
/// for it (unverified).
pub fn billing_closed() -> Failure {
    let reason = "the Cloud Data Transfer (CDT) service is not activated";
    bad("OperationFailed.OpenCdtServiceFirst", &format!("The operation is failed because of {reason}."))
}

#[cfg(test)]
#[path = "availability_tests.rs"]
mod tests;
