//! What only this API knows of its resources, kept as JSON beside them.

use causeway_model::Policy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Of a gateway.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayFacet {
    /// `IPSEC`, `SSL`, `CCN` or `SSL_CCN`.
    pub kind: String,
    /// The zone given or chosen.
    pub zone: String,
    /// The renewal of a prepaid gateway.
    pub renew_flag: String,
}

/// Of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionFacet {
    /// `STATIC`, `StaticRoute`, `Policy` or `Bgp`.
    pub route_type: String,
    /// `active`, `passive` or `flowTrigger`.
    pub negotiation_type: String,
    /// Dead peer detection is on.
    pub dpd_enable: bool,
    /// Its seconds, as text.
    pub dpd_timeout: String,
    /// `clear` or `restart`.
    pub dpd_action: String,
    /// `MAIN` or `AGGRESSIVE`, also where IKEv2 has neither.
    pub exchange_mode: String,
    /// `ADDRESS` or `FQDN`.
    pub local_identity: String,
    /// `ADDRESS` or `FQDN`.
    pub remote_identity: String,
    /// Probes through the tunnel are on.
    pub health_check: bool,
    /// Address that the probes come from, also while they are off.
    pub health_local_ip: String,
    /// Address that the probes go to, also while they are off.
    pub health_remote_ip: String,
    /// Milliseconds between probes.
    pub probe_interval_ms: u32,
    /// Probes without an answer.
    pub probe_threshold: u32,
    /// Milliseconds that a probe waits.
    pub probe_timeout_ms: u32,
    /// Octets of the CHILD_SA's lifetime, in KB as given.
    pub lifetime_traffic_kb: u64,
    /// `SecurityPolicyDatabases` as given, where routes choose and not they: without effect.
    pub idle_policies: Vec<Policy>,
    /// The id of the request that made it, which is also the id of the task.
    pub task: String,
}

/// Of a network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkFacet {
    /// Multicast was asked for.
    pub multicast: bool,
    /// DNS servers.
    pub dns_servers: Vec<String>,
    /// Domain name.
    pub domain_name: String,
    /// Routes are published to CCN.
    pub route_publish: bool,
    /// IPv6 routes are published to CCN.
    pub route_publish_ipv6: bool,
}

/// Of a subnet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SubnetFacet {
    /// Broadcast was asked for.
    pub broadcast: bool,
}

/// A facet as the text that is stored.
pub fn write<F: Serialize>(facet: &F) -> String {
    // Plain structs of texts and numbers: serialising them does not fail.
    serde_json::to_string(facet).unwrap_or_default()
}

/// A stored facet; the default where there is none, as for what the service makes by itself.
pub fn read<F: DeserializeOwned + Default>(text: &str) -> F {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_survive_storage_and_absence() {
        let facet = GatewayFacet { kind: "CCN".to_owned(), ..GatewayFacet::default() };
        assert_eq!(read::<GatewayFacet>(&write(&facet)), facet);
        assert_eq!(read::<GatewayFacet>(""), GatewayFacet::default());
        assert_eq!(read::<GatewayFacet>(r#"{"zone":"z","of_a_later_version":1}"#).zone, "z");
    }
}
