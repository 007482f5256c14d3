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
    let first_usable = route.next_hops.iter().find(|hop| is_usable(hop, statuses));
    let Some(hop) = first_usable.or(route.next_hops.first()) else { return Ok(()) };
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

fn is_usable(hop: &NextHop, statuses: &BTreeMap<InstanceKey, Status>) -> bool {
    let Some(status) = statuses.get(&hop.instance) else { return false };
    match &hop.tunnel {
        None => status.health == InstanceHealth::Active,
        Some(tunnel) => {
            let loaded = status.tunnels.get(tunnel.connection.as_str());
            loaded.is_some_and(|loaded| loaded.status.child == ChildState::Installed)
        }
    }
}
