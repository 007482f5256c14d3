//! A connection for the tests of the devices' texts.

use causeway_model::{
    DhGroup, Encryption, EspProposal, IkeProposal, IkeVersion, Integrity, Secret, TrafficSelectors,
};

use crate::facts::{PeerBgp, PeerConfig, PeerTunnel};

/// A policy-based connection with one tunnel.
pub fn connection(version: IkeVersion) -> PeerConfig {
    let tunnel = PeerTunnel {
        name: "vpnx-1-1".to_owned(),
        local: [58, 211, 1, 12].into(),
        remote: [203, 0, 113, 5].into(),
        local_id: "58.211.1.12".to_owned(),
        remote_id: "203.0.113.5".to_owned(),
        psk: Secret::new("k3y"),
        ike: IkeProposal {
            version,
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha1,
            dh_group: DhGroup(2),
            lifetime_s: 86_400,
        },
        esp: EspProposal {
            encryption: Encryption::Aes256Cbc,
            integrity: Integrity::Sha256,
            pfs_group: Some(DhGroup(14)),
            lifetime_s: 3_600,
            lifetime_bytes: Some(2_560 * 1024),
        },
        bgp: None,
    };
    let net = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is a range"));
    let selectors = vec![TrafficSelectors::pair(net("192.168.0.0/24"), net("10.0.0.0/16"))];
    PeerConfig { name: "vpnx-1".to_owned(), selectors, tunnels: vec![tunnel] }
}

/// The same, route-based, with BGP.
pub fn with_bgp(version: IkeVersion) -> PeerConfig {
    let mut config = connection(version);
    let net = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is a range"));
    config.selectors = vec![TrafficSelectors::everything()];
    for tunnel in &mut config.tunnels {
        tunnel.bgp = Some(PeerBgp {
            tunnel_cidr: net("169.254.128.0/30"),
            local_ip: [169, 254, 128, 2].into(),
            peer_ip: [169, 254, 128, 1].into(),
            local_asn: 65_010,
            peer_asn: 64_551,
        });
    }
    config
}
