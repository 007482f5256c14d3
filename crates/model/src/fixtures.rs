//! Records for tests.

use std::collections::BTreeMap;

use crate::{
    Charge, Exposure, Features, Gateway, GatewayId, GatewayStatus, Meta, Millis, NetworkId, OrderId,
    Placement, SubnetId,
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
        status: GatewayStatus::default(),
    }
}
