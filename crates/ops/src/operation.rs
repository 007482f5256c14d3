//! The waist of the system: everything that a caller can ask for, in no vendor's words.
//!
//! References to existing resources are the ids of the caller's dialect ([`ExternalId`]); `decide` finds the
//! resources, within the caller's account, dialect and region.

use std::net::IpAddr;

use causeway_model::{
    AtEnd, Charge, Dpd, EspProposal, Exposure, ExternalId, Facet, Features, HealthCheck, IkeProposal,
    Initiation, Kind, Region, Secret, Selection, Zone,
};
use ipnet::IpNet;

use crate::query::Query;

mod facet;

pub use facet::{FacetChange, FacetTest, Suits};

/// What a caller names and describes when it makes something.
#[derive(Clone, Debug, Default)]
pub struct Label {
    /// Name; empty when none was given.
    pub name: String,
    /// Description; empty when none was given.
    pub description: String,
    /// Resource group; the account's default group when none was given.
    pub resource_group: Option<String>,
    /// Tags; keys are unique.
    pub tags: Vec<(String, String)>,
    /// The dialect's own facts.
    pub facet: Facet,
}

/// Everything that a caller can ask for.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Makes a network and its main route table. Always allowed.
    CreateNetwork(CreateNetwork),
    /// Deletes a network that nothing hangs on.
    DeleteNetwork(Target),
    /// Makes a subnet in a network.
    CreateSubnet(CreateSubnet),
    /// Deletes a subnet that nothing hangs on.
    DeleteSubnet(Target),
    /// Adds routes to a route table, all or none.
    CreateRoutes(CreateRoutes),
    /// Removes routes that the owner made, all or none.
    DeleteRoutes(DeleteRoutes),
    /// Makes and orders a gateway.
    CreateGateway(CreateGateway),
    /// Changes a gateway that is active.
    ModifyGateway(ModifyGateway),
    /// Deletes a gateway without connections.
    DeleteGateway(Target),
    /// Makes a customer gateway.
    CreateCustomerGateway(CreateCustomerGateway),
    /// Changes a customer gateway.
    ModifyCustomerGateway(ModifyCustomerGateway),
    /// Deletes a customer gateway without connections.
    DeleteCustomerGateway(Target),
    /// Makes a connection on a gateway that is active.
    CreateConnection(CreateConnection),
    /// Deletes a connection.
    DeleteConnection(Target),
    /// Changes the name or the dialect's own facts of a network or subnet.
    Relabel(Relabel),
    /// Adds, replaces and removes tags.
    SetTags(SetTags),
    /// Makes tags (key and value) that no resource has to have, all or none.
    CreateTags(Vec<(String, String)>),
    /// Deletes tags that no resource has, all or none.
    DeleteTags(Vec<(String, String)>),
    /// Moves a resource, and what follows it, to another resource group.
    MoveResourceGroup(MoveResourceGroup),
    /// Pays an order.
    PayOrder(Target),
    /// Reads.
    Read(Query),
}

/// One existing resource.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id in the caller's dialect.
    pub id: ExternalId,
    /// The parent it must belong to, when the caller names one.
    pub parent: Option<ExternalId>,
}

/// See [`Operation::CreateNetwork`].
#[derive(Clone, Debug)]
pub struct CreateNetwork {
    /// Name and so on.
    pub label: Label,
    /// Primary range.
    pub cidr: IpNet,
    /// Further ranges.
    pub secondary_cidrs: Vec<IpNet>,
    /// The account's default network.
    pub is_default: bool,
}

/// See [`Operation::CreateSubnet`].
#[derive(Clone, Debug)]
pub struct CreateSubnet {
    /// Name and so on.
    pub label: Label,
    /// The network.
    pub network: ExternalId,
    /// Its zone, one of the region's.
    pub zone: Zone,
    /// Its range, inside the network's.
    pub cidr: IpNet,
}

/// Where a new route sends packets.
#[derive(Clone, Debug)]
pub enum NextHopRef {
    /// A VPN gateway of the table's network.
    Gateway(ExternalId),
    /// Something of a kind that is not kept here, so that it is refused.
    Other {
        /// The type's word in the dialect.
        kind: String,
        /// The id's text.
        id: String,
    },
}

/// A route to be made.
#[derive(Clone, Debug)]
pub struct NewRoute {
    /// Name and so on.
    pub label: Label,
    /// Which packets.
    pub destination: IpNet,
    /// Where to.
    pub next_hop: NextHopRef,
    /// Whether it is in force.
    pub enabled: bool,
}

/// See [`Operation::CreateRoutes`].
#[derive(Clone, Debug)]
pub struct CreateRoutes {
    /// The table.
    pub table: ExternalId,
    /// The routes.
    pub routes: Vec<NewRoute>,
}

/// Which route of a table is meant: all that is given must agree.
#[derive(Clone, Debug, Default)]
pub struct RouteSelector {
    /// Its id.
    pub id: Option<ExternalId>,
    /// Its destination.
    pub destination: Option<IpNet>,
    /// The id of its next hop.
    pub next_hop: Option<ExternalId>,
}

/// See [`Operation::DeleteRoutes`].
#[derive(Clone, Debug)]
pub struct DeleteRoutes {
    /// The table; may be left out where a selector has a route id.
    pub table: Option<ExternalId>,
    /// The routes.
    pub routes: Vec<RouteSelector>,
}

/// See [`Operation::CreateGateway`].
#[derive(Clone, Debug)]
pub struct CreateGateway {
    /// Name and so on.
    pub label: Label,
    /// The network; none for transit gateways.
    pub network: Option<ExternalId>,
    /// The subnets of its instances, first the primary. Empty: the service chooses one with a free address.
    pub subnets: Vec<ExternalId>,
    /// It must have two instances, in different zones where the region has several.
    pub dual: bool,
    /// Bandwidth bought, in Mbit/s.
    pub bandwidth_mbps: u32,
    /// What it is for.
    pub features: Features,
    /// How it is paid for.
    pub charge: Charge,
    /// The order is paid at once, from the account's balance.
    pub pay_now: bool,
    /// Whom its outer address faces.
    pub exposure: Exposure,
    /// BGP autonomous system number.
    pub asn: Option<u32>,
    /// The zone asked for, where it does not follow from the subnets.
    pub zone: Option<Zone>,
}

/// See [`Operation::ModifyGateway`]. What is `None` stays.
#[derive(Clone, Debug)]
pub struct ModifyGateway {
    /// The gateway.
    pub id: ExternalId,
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// Routes learned by BGP are propagated.
    pub propagate: Option<bool>,
    /// New number of SSL-VPN clients, of a gateway that has them.
    pub ssl_clients: Option<u32>,
    /// New bandwidth.
    pub bandwidth: Option<NewBandwidth>,
    /// What is to follow the term that was paid in advance; without meaning for what is paid for after use.
    pub at_end: Option<AtEnd>,
    /// New BGP number.
    pub asn: Option<u32>,
    /// New dialect facts.
    pub facet: Option<Facet>,
}

/// A bandwidth that a gateway is to have from now on.
#[derive(Clone, Copy, Debug)]
pub struct NewBandwidth {
    /// In Mbit/s.
    pub mbps: u32,
    /// The old and the new one must be in the same of these ranges, ends included: gateways of different ranges are
    /// different machines in the cloud.
    pub bands: &'static [(u32, u32)],
}

/// See [`Operation::CreateCustomerGateway`].
#[derive(Clone, Debug)]
pub struct CreateCustomerGateway {
    /// Name and so on.
    pub label: Label,
    /// Public address of the device.
    pub ip: IpAddr,
    /// BGP number of the device.
    pub asn: Option<u32>,
    /// BGP authentication key.
    pub bgp_key: Option<Secret>,
}

/// See [`Operation::ModifyCustomerGateway`]. What is `None` stays.
#[derive(Clone, Debug)]
pub struct ModifyCustomerGateway {
    /// The customer gateway.
    pub id: ExternalId,
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New BGP number.
    pub asn: Option<u32>,
    /// New BGP authentication key.
    pub bgp_key: Option<Secret>,
    /// New dialect facts.
    pub facet: Option<Facet>,
}

/// BGP of a tunnel to be made; the numbers of the far end come from its customer gateway.
#[derive(Clone, Debug)]
pub struct NewTunnelBgp {
    /// The link's range, a /30.
    pub tunnel_cidr: IpNet,
    /// The gateway's address in it.
    pub local_ip: IpAddr,
    /// The gateway's number; 0 takes the one of the gateway itself.
    pub local_asn: u32,
}

/// A tunnel to be made.
#[derive(Clone, Debug)]
pub struct NewTunnel {
    /// The far end.
    pub customer_gateway: ExternalId,
    /// Pre-shared key; 16 random characters are made when none is given.
    pub psk: Option<Secret>,
    /// IKE identity of the gateway; its public address when none is given.
    pub local_id: Option<String>,
    /// IKE identity of the far end; its public address when none is given.
    pub remote_id: Option<String>,
    /// The IKE_SA's algorithms.
    pub ike: IkeProposal,
    /// The CHILD_SA's algorithms.
    pub esp: EspProposal,
    /// Dead peer detection.
    pub dpd: Option<Dpd>,
    /// NAT traversal is offered.
    pub nat_traversal: bool,
    /// BGP.
    pub bgp: Option<NewTunnelBgp>,
}

/// See [`Operation::CreateConnection`].
#[derive(Clone, Debug)]
pub struct CreateConnection {
    /// Name and so on.
    pub label: Label,
    /// The gateway; its instances and the tunnels must be as many.
    pub gateway: ExternalId,
    /// The network the caller says the gateway belongs to, when it says so.
    pub network: Option<ExternalId>,
    /// What the dialect's own facts of the gateway must be, if it matters.
    pub gateway_facet: Option<FacetTest>,
    /// How traffic is chosen.
    pub selection: Selection,
    /// Ranges on the gateway's side.
    pub local_subnets: Vec<IpNet>,
    /// Ranges on the customer's side.
    pub remote_subnets: Vec<IpNet>,
    /// The tunnels, in the order of the gateway's instances.
    pub tunnels: Vec<NewTunnel>,
    /// The tunnels have ids of their own in this dialect.
    pub tunnels_have_ids: bool,
    /// Probes through the tunnel.
    pub health_check: Option<HealthCheck>,
    /// When the gateway starts the negotiation.
    pub initiation: Initiation,
    /// Routes to the remote ranges are added to the network's main table by the service.
    pub auto_routes: bool,
}

/// See [`Operation::Relabel`]. What is `None` stays.
#[derive(Clone, Debug)]
pub struct Relabel {
    /// The resource's kind.
    pub kind: Kind,
    /// The resource.
    pub id: ExternalId,
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// Changes to the dialect's own facts: the new ones, from the old ones.
    pub facet: Option<FacetChange>,
}

/// A resource whose tags change.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ExternalId,
    /// Its region; the caller's when none is named.
    pub region: Option<Region>,
}

/// See [`Operation::SetTags`].
#[derive(Clone, Debug)]
pub struct SetTags {
    /// The resources.
    pub resources: Vec<Tagged>,
    /// Tags to add or replace.
    pub put: Vec<(String, String)>,
    /// Keys to remove.
    pub remove: Vec<String>,
    /// Every tag is removed first.
    pub remove_all: bool,
}

/// See [`Operation::MoveResourceGroup`].
#[derive(Clone, Debug)]
pub struct MoveResourceGroup {
    /// The resource's kind.
    pub kind: Kind,
    /// The resource.
    pub id: ExternalId,
    /// The new group.
    pub group: String,
}
