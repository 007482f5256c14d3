//! What the tests write into the store, and how they wait for what comes of it.

use std::sync::Arc;
use std::time::Duration;

use causeway_model::fixtures::{self, gateway, meta};
use causeway_model::{
    Connection, ConnectionId, ConnectionStatus, CustomerGateway, CustomerGatewayId, GatewayId, GatewayState,
    Initiation, NetworkId, RouteTableId, Secret, Selection, Subnet, SubnetId, Tunnel, View, Write,
};
use causeway_store::{Store, transact};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn ground() -> Vec<Write> {
    let (network, table) = fixtures::network();
    let subnet = Subnet {
        id: SubnetId(1),
        meta: meta(102, "subnet"),
        network: NetworkId(1),
        zone: "a".into(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        table: RouteTableId(1),
        observed_generation: 0,
    };
    vec![Write::Put(network.into()), Write::Put(table.into()), Write::Put(subnet.into())]
}

/// Gateway `n`'s connection to gateway `other`.
pub fn connection(n: u64, other: u64, psk: &str) -> [Write; 2] {
    let [own_ip, other_ip] = [n, other].map(|n| gateway(n).instances[0].public_ip);
    let peer = CustomerGateway {
        id: CustomerGatewayId(n),
        meta: meta(200 + n, "cgw"),
        ip: other_ip,
        asn: None,
        bgp_key: None,
    };
    let (ike, esp) = fixtures::proposals();
    let connection = Connection {
        id: ConnectionId(n),
        meta: meta(300 + n, "conn"),
        gateway: GatewayId(n),
        selection: Selection::Routes,
        local_subnets: vec![],
        remote_subnets: vec![format!("192.168.{other}.0/24").parse().unwrap()],
        tunnels: vec![Tunnel {
            external: None,
            customer_gateway: peer.id,
            psk: Secret::new(psk),
            local_id: own_ip.to_string(),
            remote_id: other_ip.to_string(),
            ike,
            esp,
            dpd: None,
            nat_traversal: true,
            bgp: None,
        }],
        health_check: None,
        initiation: Initiation::AtOnce,
        status: ConnectionStatus::default(),
    };
    [Write::Put(peer.into()), Write::Put(connection.into())]
}

pub async fn write(store: &Arc<dyn Store>, writes: impl IntoIterator<Item = Write>) {
    let writes: Vec<Write> = writes.into_iter().collect();
    transact(&**store, move |_| (writes.clone(), ())).await.unwrap();
}

pub async fn eventually(store: &Arc<dyn Store>, what: &str, test: impl Fn(&View) -> bool) {
    let wait = async {
        while !test(&store.view()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

pub fn is_active(view: &View, n: u64) -> bool {
    view.gateway(GatewayId(n)).is_some_and(|gateway| gateway.state() == GatewayState::Active)
}

pub fn is_up(view: &View, n: u64) -> bool {
    view.connection(ConnectionId(n)).is_some_and(|connection| connection.is_up())
}
