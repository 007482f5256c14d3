//! What happens behind tunnels: the addresses of a BGP link, and packets that come by one tunnel and leave by another.

use std::time::Duration;

use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_engine_linux::netns::Namespace;
use causeway_lab::{Lab, Machine};
use causeway_model::TrafficSelectors;
use causeway_plan::{Object, ObjectKey, Step, TunnelKey};
use ipnet::IpNet;

use crate::common::Answered;
use crate::common::gateway::{Peer, Place, until_up};
use crate::common::pair::{far_peer, near_peer, pair};

const EVERY: Duration = Duration::from_millis(20);

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ends_of_a_link_reach_each_other() {
    let Some(pair) = pair("ib", None).await else { return };
    let engine = pair.node.engine();
    let children = vec![TrafficSelectors::everything(), TrafficSelectors::pair(net("::/0"), net("::/0"))];
    for (near, far) in [("169.254.10.1/30", "169.254.10.2/30"), ("fd00:10::1/126", "fd00:10::2/126")] {
        for (place, peer, link) in [(Place(2), near_peer(), far), (Place(1), far_peer(), near)] {
            let mut tunnel = place.tunnel(&peer, place.0 == 1);
            tunnel.children.clone_from(&children);
            tunnel.inner_address = Some(net(link));
            engine.apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
        }
        until_up(engine, &pair.near_end).await;
        until_up(engine, &pair.far_end).await;
        for (place, other) in [(Place(1), far), (Place(2), near)] {
            let gateway = Namespace::named(engine.names().instance(&place.instance()));
            let gateway = Machine::new(gateway);
            gateway.until_answered(net(other).addr()).await;
            let ping = gateway.ping(net(other).addr(), 5, EVERY).await.unwrap();
            assert_eq!((ping.sent, ping.received), (5, 5), "{other}: {ping:?}");
        }
    }
    // What is forwarded passes as before.
    let ping = pair.near.ping(Place(2).host_ip(), 5, EVERY).await.unwrap();
    assert_eq!(ping.received, 5, "{ping:?}");
    pair.node.end().await;
}

/// A tunnel of `place` to `other` for all these pairs, and the routes of its network to the far ranges.
async fn connect(engine: &LinuxEngine, place: Place, other: Place, children: &[(&str, &str)]) -> TunnelKey {
    let (address, cidr) = (other.public_ip(), other.cidr());
    let connection = format!("c{}", place.0.max(other.0));
    let peer = Peer { connection: &connection, if_id: 20 + u32::from(other.0), ..Peer::new(&address, &cidr) };
    let initiate = place.0 < other.0;
    let key = place.connect(engine, &peer, initiate).await;
    let mut tunnel = place.tunnel(&peer, initiate);
    tunnel.children =
        children.iter().map(|(local, remote)| TrafficSelectors::pair(net(local), net(remote))).collect();
    tunnel.routes = children.iter().map(|(_, remote)| net(remote)).collect();
    tunnel.routes.dedup();
    engine.apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
    key
}

async fn received(from: &Machine, to: Place) -> u32 {
    from.ping(to.host_ip(), 5, EVERY).await.unwrap().received
}

/// Gateway 1 stands between 2 and 3. What the children of both its tunnels have passes through it; what only one of
/// them has does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_forwards_between_its_tunnels_what_both_have() {
    let Some(node) = crate::common::Node::start("ih").await else { return };
    let engine = node.engine();
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let (hub, two, three) = (Place(1), Place(2), Place(3));
    let mut hosts = Vec::new();
    for place in [hub, two, three] {
        place.make(engine, None).await;
        hosts.push(place.host(&lab).await);
    }
    let [a, b, c] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"];
    connect(engine, three, hub, &[(c, a), (c, b)]).await;
    connect(engine, two, hub, &[(b, a), (b, c)]).await;
    let to_three = connect(engine, hub, three, &[(a, c), (b, c)]).await;
    let to_two = connect(engine, hub, two, &[(a, b), (c, b)]).await;
    // The spokes' networks route the other spoke's range to their gateways.
    for (place, range) in [(two, c), (three, b)] {
        let (address, connection) = (hub.public_ip(), format!("c{}", place.0));
        let peer = Peer { connection: &connection, if_id: 21, ..Peer::new(&address, range) };
        place.route(engine, &peer).await;
    }
    for key in [&to_two, &to_three] {
        until_up(engine, key).await;
    }
    assert_eq!(received(&hosts[0], two).await, 5, "hub to 2");
    assert_eq!(received(&hosts[1], three).await, 5, "2 to 3");
    assert_eq!(received(&hosts[2], two).await, 5, "3 to 2");
    assert_eq!(received(&hosts[2], hub).await, 5, "3 to the hub");
    let counters = engine.counters(&hub.instance()).await.unwrap();
    assert!(counters["between-tunnels"].packets >= 20, "{counters:#?}");

    // A longer prefix of another tunnel takes the hub's own packets, and leaves those of 2 where they belong.
    let beside = connect(engine, hub, Place(4), &[(a, "10.3.1.10/32")]).await;
    assert_eq!(received(&hosts[1], three).await, 5, "2 to 3, with another tunnel to 3's host");
    assert_eq!(received(&hosts[0], three).await, 0, "hub to 3, into a tunnel to nobody");
    engine.apply(&Step::Delete(ObjectKey::Tunnel(beside))).await.unwrap();
    assert_eq!(received(&hosts[0], three).await, 5, "hub to 3");

    // Without 3 in the tunnel to 2, nothing of 3 enters it.
    connect(engine, hub, two, &[(a, b)]).await;
    until_up(engine, &to_two).await;
    assert_eq!(received(&hosts[1], three).await, 0, "2 to 3");
    assert_eq!(received(&hosts[2], two).await, 0, "3 to 2");
    assert_eq!(received(&hosts[1], hub).await, 5, "2 to the hub");
    node.end().await;
}
