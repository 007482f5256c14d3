//! Two gateways that are connected to each other, with a host behind each.

use causeway_lab::{Lab, Machine};
use causeway_plan::TunnelKey;

use super::Node;
use super::gateway::{Peer, Place, until_up};

pub struct Pair {
    pub node: Node,
    pub near: Machine,
    pub far: Machine,
    pub near_end: TunnelKey,
    pub far_end: TunnelKey,
}

/// The far gateway as the near one's peer.
pub fn far_peer() -> Peer<'static> {
    Peer::new("192.0.2.2", "10.2.0.0/16")
}

/// The near gateway as the far one's peer.
pub fn near_peer() -> Peer<'static> {
    Peer::new("192.0.2.1", "10.1.0.0/16")
}

/// Makes both, with this bandwidth, and waits until the tunnel between them is up. The near one calls.
pub async fn pair(name: &str, mbps: Option<u32>) -> Option<Pair> {
    let node = Node::start(name).await?;
    let (one, two) = (Place(1), Place(2));
    let engine = node.engine();
    one.make(engine, mbps).await;
    two.make(engine, mbps).await;
    let far_end = two.connect(engine, &near_peer(), false).await;
    let near_end = one.connect(engine, &far_peer(), true).await;
    until_up(engine, &near_end).await;
    until_up(engine, &far_end).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let (near, far) = (one.host(&lab).await, two.host(&lab).await);
    Some(Pair { node, near, far, near_end, far_end })
}
