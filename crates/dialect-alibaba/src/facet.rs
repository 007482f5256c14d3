//! This dialect's own facts about resources: what no other API has, stored beside them as JSON.

use causeway_model::{Facet, Meta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The edition of gateways that are bought by bandwidth.
pub const TRADITIONAL: &str = "Traditional";
/// The edition of gateways that only join sites.
pub const ENHANCED: &str = "Enhanced.SiteToSite";

/// The type of gateways with the algorithms and certificates of the Chinese national standard.
pub const NATIONAL_STANDARD: &str = "NationalStandard";

/// Facts about a gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayFacet {
    /// The edition: [`TRADITIONAL`] or [`ENHANCED`].
    pub edition: String,
    /// `Normal` or [`NATIONAL_STANDARD`].
    pub vpn_type: String,
}

impl Default for GatewayFacet {
    fn default() -> Self {
        Self { edition: TRADITIONAL.to_owned(), vpn_type: "Normal".to_owned() }
    }
}

/// Facts about a network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkFacet {
    /// Ranges that are private to the user although they look public.
    pub user_cidrs: Vec<String>,
    /// Hosts have DNS names; recorded and shown, without effect.
    pub dns_hostnames: bool,
}

/// Facts about a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionFacet {
    /// Made with a list of tunnels instead of one tunnel's parameters.
    pub has_tunnel_list: bool,
    /// Its tunnels speak BGP.
    pub tunnels_bgp: bool,
    /// `IkeMode` of each tunnel, also where IKEv2 has none.
    pub ike_modes: Vec<String>,
    /// `RemoteCaCertificate` of each tunnel.
    pub certificates: Vec<String>,
    /// The settings of a health check that is switched off.
    pub idle_check: Option<IdleCheck>,
    /// The settings of BGP that is switched off.
    pub idle_bgp: Option<IdleBgp>,
}

/// A health check that is switched off: recorded and shown, so that what was sent is what is read, without effect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IdleCheck {
    /// Source address; may be empty.
    pub source: String,
    /// Destination address; may be empty.
    pub destination: String,
    /// Seconds between probes.
    pub interval_s: u32,
    /// Probes without an answer.
    pub retries: u32,
    /// The routes would be withdrawn while the tunnel is down.
    pub revoke_routes: bool,
}

/// BGP that is switched off: recorded and shown, without effect. What was left out is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IdleBgp {
    /// The range of the link.
    pub tunnel_cidr: Option<String>,
    /// The gateway's number.
    pub local_asn: Option<u32>,
    /// The gateway's address in the link.
    pub local_ip: Option<String>,
}

/// A facet as it is stored.
pub fn write(facet: &impl Serialize) -> Facet {
    serde_json::to_string(facet).unwrap_or_default()
}

/// The facet of a resource; the defaults where there is none.
pub fn read<T: DeserializeOwned + Default>(meta: &Meta) -> T {
    parse(&meta.facet)
}

/// A facet as it was stored; the defaults where there is none.
pub fn parse<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
