//! Who asks, under which API's rules.

use std::sync::Arc;

use causeway_model::{AccountId, DialectId, ExternalId, Kind, Region};

use crate::quota::Quota;
use crate::settings::Settings;

/// A client token: the same token with the same request gives the same result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientToken {
    /// The token's text.
    pub text: String,
    /// The action it was sent with.
    pub action: String,
    /// Hash of the request's parameters without the token and the transport's own.
    pub fingerprint: u64,
}

/// What an API's rules decide where the two APIs differ.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The documented default of each quota; `None` is unlimited.
    pub quota: fn(Quota) -> Option<u32>,
    /// Makes the API's id for a new resource from a random number. The second argument is the region.
    pub mint: fn(Kind, &Region, u64) -> ExternalId,
    /// Makes the API's id of a tunnel.
    pub mint_tunnel: fn(&Region, u64) -> ExternalId,
    /// A change of a gateway or its connections is refused while another one is under way.
    pub one_change_at_a_time: bool,
    /// Gateways that are paid for in advance can't be deleted before that is over.
    pub keeps_prepaid: bool,
    /// The routes that lead to a gateway go with it; otherwise they keep it.
    pub gateways_take_their_routes: bool,
    /// The name of an unnamed gateway is its id.
    pub gateway_name_defaults_to_id: bool,
    /// Resources belong to resource groups.
    pub has_resource_groups: bool,
    /// A gateway takes an address in a subnet of its network; otherwise it hangs on the network's router.
    pub gateways_live_in_subnets: bool,
    /// Routes lead out of the network's ranges; otherwise only out of those of its subnets.
    pub routes_leave_networks: bool,
    /// Connections of a gateway share no pairs of ranges, links or numbers of BGP and addresses of probes, reach no
    /// range of the gateway's network, and either all use BGP or none does.
    pub connections_are_apart: bool,
    /// Connections of a gateway all use BGP once one does, with one number of the gateway and links of their own;
    /// those to the same customer gateway have the same key and IKE options, and no pairs of ranges in common. No
    /// customer gateway has the gateway's address or one inside the ranges behind it.
    pub connections_agree: bool,
    /// The smallest bandwidth of a gateway with BGP, in Mbit/s; looked at where connections are apart.
    pub bgp_mbps_min: u32,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The API it speaks.
    pub dialect: DialectId,
    /// The region it addresses.
    pub region: Region,
    /// The API's rules.
    pub rules: Rules,
    /// Its client token, on creations.
    pub token: Option<ClientToken>,
    /// The service's settings.
    pub settings: Arc<Settings>,
}
