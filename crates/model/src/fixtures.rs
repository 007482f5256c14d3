//! Records for tests.

use std::collections::BTreeMap;

use crate::{
    Charge, DhGroup, Encryption, EspProposal, Exposure, Features, Gateway, GatewayId, GatewayStatus,
    IkeProposal, IkeVersion, Integrity, Meta, Millis, Network, NetworkId, OrderId, Placement, RouteTable,
    RouteTableId, SubnetId,
};

/// The common part of resource number `n`.
pub fn meta(n: u64, prefix: &str) -> Meta {
    Meta {
        seq: n,
        owner: "1000".into(),
        dialect: "test".into(),
        external: format!("{prefix}-{n:08}").into(),
        region: "test-1".into(),
        name: format!("{prefix}{n}"),
        description: String::new(),
        resource_group: String::new(),
        created: Millis(1_700_000_000_000 + n as i64),
        tags: BTreeMap::new(),
        generation: 1,
        deleting: false,
        facet: String::new(),
    }
}

/// A paid gateway that was not yet observed, in network 1 and subnet 1.
pub fn gateway(n: u64) -> Gateway {
    let [.., b, c, d] = (n as u32 + 10).to_be_bytes();
    Gateway {
        id: GatewayId(n),
        meta: meta(n, "gw"),
        network: Some(NetworkId(1)),
        bandwidth_mbps: 10,
        features: Features { ipsec: true, ssl_clients: None, transit: false },
        charge: Charge::PostPaid,
        exposure: Exposure::Public,
        asn: None,
        propagate: false,
        instances: vec![Placement {
            subnet: Some(SubnetId(1)),
            private_ip: Some([10, b, c, d].into()),
            public_ip: [100, 64 | b, c, d].into(),
        }],
        order: OrderId(n),
        paid: true,
        paid_at: None,
        status: GatewayStatus::default(),
    }
}

/// Network 1 with the range 10.0.0.0/8, and its main table. Neither was observed.
pub fn network() -> (Network, RouteTable) {
    let (id, table) = (NetworkId(1), RouteTableId(1));
    let network = Network {
        id,
        meta: meta(100, "net"),
        cidr: ipnet::Ipv4Net::new_assert([10, 0, 0, 0].into(), 8).into(),
        secondary_cidrs: vec![],
        main_table: table,
        is_default: false,
        observed_generation: 0,
    };
    (network, RouteTable { id: table, meta: meta(101, "rtb"), network: id, is_main: true })
}

/// Algorithms that every engine has.
pub fn proposals() -> (IkeProposal, EspProposal) {
    let (encryption, integrity) = (Encryption::Aes128Cbc, Integrity::Sha1);
    let ike = IkeProposal {
        version: IkeVersion::V2,
        encryption,
        integrity,
        dh_group: DhGroup(14),
        lifetime_s: 86_400,
    };
    (ike, EspProposal { encryption, integrity, pfs_group: None, lifetime_s: 3_600, lifetime_bytes: None })
}
