//! What is there: records are only reported when the thing itself answers for them.

use std::collections::BTreeMap;

use causeway_plan::{
    ConnectionKey, InstanceHealth, InstanceKey, Object, ObjectKey, Observed, Scope, TunnelKey,
};
use futures_util::future::join_all;

use super::Inner;
use crate::error::LinuxError;
use crate::names::{self, PRIVATE, PUBLIC};
use crate::netns::Namespace;
use crate::network::links_in;
use crate::shim::protocol::Status;

pub(super) async fn observe(inner: &Inner, scope: &Scope) -> Result<Observed, LinuxError> {
    let mut observed = Observed::empty(scope.clone(), inner.key.clone());
    let records = inner.state().records(scope);
    if let Scope::Network(key) = scope {
        let links = links_in(&Namespace::named(inner.names.network(key))).await?;
        for record in records {
            let there = match &record.object {
                Object::Network(_) => !links.is_empty(),
                Object::Subnet(subnet) => links.contains(&names::bridge(&subnet.key)),
                Object::Instance(_) | Object::Tunnel(_) | Object::Route(_) => false,
            };
            if there {
                observed.objects.insert(record.object.key(), record.fingerprint);
            }
        }
        return Ok(observed);
    }
    let instances = records.iter().filter_map(|record| match &record.object {
        Object::Instance(instance) => Some((instance.key.clone(), record.fingerprint)),
        _ => None,
    });
    let instances: Vec<_> = instances.collect();
    let seen = join_all(instances.iter().map(|(key, _)| look(inner, key))).await;
    for ((key, fingerprint), seen) in instances.into_iter().zip(seen) {
        let Some(seen) = seen? else { continue };
        observed.objects.insert(ObjectKey::Instance(key.clone()), fingerprint);
        take_in(&mut observed, key, seen);
    }
    for record in &records {
        let ObjectKey::Route(route) = record.object.key() else { continue };
        if let Some(instance) = inner.state().routes.get(&route) {
            observed.objects.insert(record.object.key(), record.fingerprint);
            observed.routes.insert(route, instance.clone());
        }
    }
    Ok(observed)
}

/// An instance with its keeper's status; `None` when its namespace or a leg is missing.
async fn look(inner: &Inner, key: &InstanceKey) -> Result<Option<Result<Status, LinuxError>>, LinuxError> {
    let links = links_in(&inner.instance_namespace(key)).await?;
    if ![PUBLIC, PRIVATE].iter().all(|leg| links.iter().any(|link| link == leg)) {
        return Ok(None);
    }
    Ok(Some(inner.keeper(key).status().await))
}

fn take_in(observed: &mut Observed, key: InstanceKey, seen: Result<Status, LinuxError>) {
    let status = match seen {
        Ok(status) => status,
        Err(error) => {
            observed.instances.insert(key, InstanceHealth::Failed(error.to_string()));
            return;
        }
    };
    observed.instances.insert(key.clone(), status.health);
    for (connection, loaded) in status.tunnels {
        let Ok(connection) = ConnectionKey::new(connection) else { continue };
        let tunnel = TunnelKey { instance: key.clone(), connection };
        observed.objects.insert(ObjectKey::Tunnel(tunnel.clone()), loaded.fingerprint);
        observed.tunnels.insert(tunnel, loaded.status);
    }
}

/// The statuses of a gateway's keepers that answer.
pub(super) async fn statuses(inner: &Inner, keys: &[InstanceKey]) -> BTreeMap<InstanceKey, Status> {
    let seen = join_all(keys.iter().map(|key| async { inner.keeper(key).status().await.ok() })).await;
    let pairs = keys.iter().cloned().zip(seen);
    pairs.filter_map(|(key, status)| Some((key, status?))).collect()
}
