//! Routes of networks follow the tunnels that carry traffic. It happens here, on the node, the moment a
//! keeper reports a change; the control plane learns of it afterwards.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use causeway_model::Initiation;
use causeway_plan::{
    ChildState, InstanceHealth, InstanceKey, NextHop, Object, ObjectKey, Route, Scope, UnixMillis,
};

use super::{Inner, observe};
use crate::error::LinuxError;
use crate::netns::Namespace;
use crate::routes::{self, TABLE_MAIN, Way};
use crate::shim::protocol::Status;

/// Lets every route of a gateway lead to its first usable way. Where none is, packets start the negotiation of the way
/// that they take; each way that waits for them gets its turn.
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
    let worth = |hop: &&NextHop| (carried(hop, statuses), Reverse(failed_in_vain(inner, hop, statuses)));
    let best = route.next_hops.iter().rev().max_by_key(worth);
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

/// When the last negotiation failed of a way that carries nothing and is negotiated by traffic; 0 when none did. Only
/// packets on that way start the next one, so that of several ways each gets its turn.
fn failed_in_vain(inner: &Inner, hop: &NextHop, statuses: &BTreeMap<InstanceKey, Status>) -> UnixMillis {
    let Some(key) = &hop.tunnel else { return 0 };
    let loaded = statuses.get(&hop.instance).and_then(|it| it.tunnels.get(key.connection.as_str()));
    let Some(status) = loaded.map(|loaded| &loaded.status) else { return 0 };
    let waits_for_traffic = match inner.state().get(&ObjectKey::Tunnel(key.clone())).map(|it| &it.object) {
        Some(Object::Tunnel(tunnel)) => tunnel.initiation == Initiation::OnTraffic,
        _ => false,
    };
    let failed = waits_for_traffic && status.child == ChildState::Down && status.last_error.is_some();
    if failed { status.since } else { 0 }
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
