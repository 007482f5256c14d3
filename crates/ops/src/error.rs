//! Why an operation was refused. Closed: each dialect turns every variant into its own code and message.

use causeway_model::{ExternalId, Kind};
use ipnet::IpNet;

use crate::apart::Conflict;
use crate::known_tags::TagTrouble;
use crate::quota::Quota;
use crate::settings::{Closed, Lack};

/// Why an operation was refused. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpError {
    /// The caller has no such resource (in this region of this API).
    #[error("{} {id} does not exist", kind.word())]
    NotFound {
        /// Kind looked for.
        kind: Kind,
        /// Id looked for.
        id: ExternalId,
    },
    /// The resource exists but does not belong to the parent the caller named.
    #[error("{} {id} does not belong to {parent}", kind.word())]
    WrongParent {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
        /// The parent named.
        parent: ExternalId,
    },
    /// A quota is used up. The caller may delete something or ask for more.
    #[error("quota {quota:?} of {limit} is used up: {present} are there, {more} more are wanted")]
    QuotaExceeded {
        /// Which quota.
        quota: Quota,
        /// Its value.
        limit: u32,
        /// As many as there are.
        present: usize,
        /// As many more as were asked for.
        more: usize,
    },
    /// Something still hangs on it. The caller may delete that first.
    #[error("{} {id} is still used by a {}", kind.word(), by.word())]
    InUse {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
        /// Kind of what hangs on it.
        by: Kind,
    },
    /// A change of it is under way. The caller may try again soon.
    #[error("{} {id} is being configured", kind.word())]
    Busy {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
    },
    /// It is being deleted, or not yet paid or made: the operation is not allowed in this state.
    #[error("{} {id} is in a state that does not allow this", kind.word())]
    WrongState {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
    },
    /// It is to be deleted, and is being deleted already.
    #[error("{} {id} is being deleted", kind.word())]
    BeingDeleted {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
    },
    /// The gateway is locked: its owner's account has no funds. Nothing of it can be changed.
    #[error("gateway {0} is locked for lack of funds")]
    Locked(ExternalId),
    /// A gateway bought in advance can't be deleted before its time is over.
    #[error("gateway {id} is prepaid and has not expired")]
    Prepaid {
        /// Its id.
        id: ExternalId,
    },
    /// The same client token was used with another request.
    #[error("the client token was used with other parameters")]
    TokenMismatch,
    /// The region is not one of this API's.
    #[error("region {0} does not exist")]
    UnknownRegion(String),
    /// The zone is not one of the region's.
    #[error("zone {0} does not exist")]
    UnknownZone(String),
    /// The account has no such resource group.
    #[error("resource group {0} does not exist")]
    UnknownResourceGroup(String),
    /// The range is not inside the network's.
    #[error("{0} is not inside the network")]
    CidrOutsideNetwork(IpNet),
    /// The range overlaps another one.
    #[error("{cidr} overlaps {other}")]
    CidrOverlap {
        /// The range asked for.
        cidr: IpNet,
        /// The range that is there.
        other: IpNet,
    },
    /// Two instances need two subnets, and one was left out.
    #[error("a second subnet is required")]
    SecondSubnetRequired,
    /// No subnet was named and the network has none with a free address.
    #[error("the network has no subnet with a free address")]
    NoUsableSubnet,
    /// The same subnet twice.
    #[error("the two subnets must be different")]
    SameSubnet,
    /// Two subnets in the same zone of a region that has several.
    #[error("the two subnets must be in different zones")]
    SameZone,
    /// The subnet has no free address. Counted from 0.
    #[error("subnet number {ordinal} has no free address")]
    NoFreeAddress {
        /// 0 for the primary, 1 for the second.
        ordinal: usize,
    },
    /// No gateway can be placed in the zone of the subnet with this number, counted from 0.
    #[error("no gateway can be placed in zone number {ordinal}: {why:?}")]
    ZoneClosed {
        /// 0 for the primary, 1 for the second.
        ordinal: usize,
        /// Why.
        why: Closed,
    },
    /// The subnet shares addresses with the pools of public ones: a gateway in it could not tell its two sides
    /// apart.
    #[error("subnet {0} overlaps the public addresses")]
    SubnetUnsuited(ExternalId),
    /// The pool of public addresses is used up.
    #[error("the pool of public addresses is used up")]
    NoPublicAddress,
    /// Another customer gateway has this address.
    #[error("a customer gateway with this address exists")]
    DuplicateCustomerIp,
    /// A BGP key without a number.
    #[error("a BGP key needs an autonomous system number")]
    BgpKeyWithoutAsn,
    /// BGP was asked for, and the customer gateway has no number.
    #[error("customer gateway {0} has no autonomous system number")]
    CustomerGatewayWithoutAsn(ExternalId),
    /// The gateway has another number of instances than the connection has tunnels.
    #[error("the gateway takes connections with {expected} tunnels")]
    TunnelCount {
        /// As many as the gateway has instances.
        expected: usize,
    },
    /// The gateway is not for IPsec connections.
    #[error("gateway {0} has no IPsec feature")]
    IpsecDisabled(ExternalId),
    /// The gateway is not for SSL-VPN clients.
    #[error("gateway {0} has no SSL feature")]
    SslDisabled(ExternalId),
    /// The dialect's own facts of the gateway do not allow it.
    #[error("gateway {id} is not made for this: {why}")]
    GatewayUnsuited {
        /// The gateway.
        id: ExternalId,
        /// The dialect's own word for what is wrong, see [`crate::operation::FacetTest`].
        why: &'static str,
    },
    /// The region's gateways can't do it.
    #[error("the region's gateways have no {0:?}")]
    Lacking(Lack),
    /// The gateway and the customer gateway are connected with the same ranges already.
    #[error("connection {0} has the same gateway, customer gateway and ranges")]
    DuplicateConnection(ExternalId),
    /// It can't be on the gateway beside the other connections.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Routes learned by BGP can't cease to be propagated while connections of the gateway use BGP.
    #[error("gateway {0} has connections with BGP")]
    PropagationInUse(ExternalId),
    /// The autonomous system number can't be changed while connections use it.
    #[error("connections use the autonomous system number of {} {id}", kind.word())]
    AsnInUse {
        /// Kind of the resource.
        kind: Kind,
        /// Its id.
        id: ExternalId,
    },
    /// The bandwidth can't be changed so far: the gateway would have to be another one.
    #[error("the bandwidth can't be changed from {from_mbps} to {to_mbps} Mbit/s")]
    BandwidthBand {
        /// The present one.
        from_mbps: u32,
        /// The one asked for.
        to_mbps: u32,
    },
    /// The bandwidth of what is paid for in advance can't be lowered.
    #[error("the bandwidth of a prepaid gateway can't be lowered to {to_mbps} Mbit/s")]
    BandwidthLowered {
        /// The one asked for.
        to_mbps: u32,
    },
    /// The table has a route to this destination.
    #[error("the table has a route to {0}")]
    RouteExists(IpNet),
    /// A custom route may not be inside or equal to a subnet's range, or the network's where the API says so.
    #[error("{0} conflicts with the range of a subnet")]
    RouteConflictsWithSubnet(IpNet),
    /// The route is the service's own.
    #[error("the route to {0} is the system's")]
    SystemRoute(IpNet),
    /// A next hop of a kind that is not kept here: none of them exists.
    #[error("there is no next hop {id} of the kind {kind}")]
    NextHopNotFound {
        /// The dialect's word for its kind.
        kind: String,
        /// Its id.
        id: String,
    },
    /// A tag by itself can't be made or deleted.
    #[error(transparent)]
    KnownTag(#[from] TagTrouble),
    /// More tags than a resource may have.
    #[error("more than {limit} tags")]
    TooManyTags {
        /// As many as allowed.
        limit: u32,
    },
    /// The account's balance does not pay the order.
    #[error("the account's balance is too low")]
    InsufficientFunds,
    /// The account has not opened what its orders would be billed by.
    #[error("the account can't place orders")]
    BillingClosed,
    /// No unused random id was found. The caller may try again.
    #[error("no free id was found")]
    NoFreeId,
}
