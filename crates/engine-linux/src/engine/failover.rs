//! Routes of networks follow the tunnels that carry traffic. It happens here, on the node, the moment a
//! keeper reports a change; the control plane learns of it afterwards.

use std::collections::{BTreeMap, BTreeSet};

use causeway_plan::{ChildState, InstanceHealth, InstanceKey, NextHop, Route, Scope};

use super::{Inner, observe};
use crate::error::LinuxError;
use crate::netns::Namespace;
use crate::routes::{self, TABLE_MAIN, Way};
use crate::shim::protocol::Status;

/// Lets every route of a gateway lead to its first usable way.
pub(super) async fn follow(inner: &Inner, scope: &Scope) -> Result<(), LinuxError> {
    let routes = inner.state().routes_of(scope);
    if routes.is_empty() {
        return Ok(());
    }
    let hops = routes.iter().flat_map(|route| &route.next_hops);
    let instances: BTreeSet<InstanceKey> = hops.map(|hop| hop.instance.clone()).collect();
    let instances: Vec<InstanceKey> = instances.into_iter().collect();
    let statuses = observe::statuses(inner, &instances).await;
    for route in &routes {
        set(inner, route, &statuses).await?;
    }
    Ok(())
}

async fn set(
    inner: &Inner,
    route: &Route,
    statuses: &BTreeMap<InstanceKey, Status>,
) -> Result<(), LinuxError> {
    // The first of those that carry most; of equals the last would count, so the order is turned round.
    let best = route.next_hops.iter().rev().max_by_key(|hop| carried(hop, statuses));
    let Some(hop) = best else { return Ok(()) };
    if inner.state().routes.get(&route.key) == Some(&hop.instance) {
        return Ok(());
    }
    let network = Namespace::named(inner.names.network(&route.key.network));
    let way = Way { gateway: Some(hop.private_ip), link: None, onlink: false, table: TABLE_MAIN };
    routes::set(&network.route()?, route.key.destination, way).await?;
    inner.state().routes.insert(route.key.clone(), hop.instance.clone());
    tracing::info!(route = %route.key, instance = %hop.instance, "route leads to instance");
    Ok(())
}

/// How much of its traffic a way carries ([`ChildState::rank`]).
fn carried(hop: &NextHop, statuses: &BTreeMap<InstanceKey, Status>) -> u8 {
    let Some(status) = statuses.get(&hop.instance) else { return ChildState::Down.rank() };
    let child = match &hop.tunnel {
        None if status.health == InstanceHealth::Active => ChildState::Installed,
        None => ChildState::Down,
        Some(tunnel) => {
            let loaded = status.tunnels.get(tunnel.connection.as_str());
            loaded.map_or(ChildState::Down, |loaded| loaded.status.child)
        }
    };
    child.rank()
}
