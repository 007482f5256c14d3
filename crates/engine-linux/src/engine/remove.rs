//! Removing objects, scopes and everything.

use std::collections::BTreeSet;

use causeway_engine::EngineError;
use causeway_plan::{InstanceKey, NetworkKey, ObjectKey, RouteKey, Scope, SubnetKey, TunnelKey};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Inner;
use crate::error::LinuxError;
use crate::names::Role;
use crate::netns::{self, Namespace};
use crate::routes::{self, TABLE_MAIN};
use crate::shim::protocol::Request;
use crate::{instance, network, orphans, records, tmpfs};

/// How many scopes are removed at once when all are.
const AT_ONCE: usize = 16;

pub(super) async fn object(inner: &Inner, key: &ObjectKey) -> Result<(), EngineError> {
    match key {
        ObjectKey::Network(network) => remove_network(inner, network).await?,
        ObjectKey::Subnet(network, subnet) => remove_subnet(inner, network, subnet).await?,
        ObjectKey::Instance(instance) => {
            unused(inner, key, |inner| {
                let keys = inner.state().keys(&key.scope());
                let tunnels = keys.into_iter().find(|other| other.parent().as_ref() == Some(key));
                tunnels.map(|tunnel| tunnel.to_string())
            })?;
            remove_instance(inner, instance).await?;
        }
        ObjectKey::Tunnel(tunnel) => remove_tunnel(inner, tunnel).await?,
        ObjectKey::Route(route) => remove_route(inner, route).await?,
    }
    inner.records.remove(key)?;
    inner.state().remove(key);
    Ok(())
}

fn unused(
    inner: &Inner,
    key: &ObjectKey,
    user: impl Fn(&Inner) -> Option<String>,
) -> Result<(), EngineError> {
    match user(inner) {
        Some(user) => Err(EngineError::InUse { object: Box::new(key.clone()), user }),
        None => Ok(()),
    }
}

async fn remove_network(inner: &Inner, key: &NetworkKey) -> Result<(), EngineError> {
    let object = ObjectKey::Network(key.clone());
    unused(inner, &object, |inner| {
        let state = inner.state();
        let subnet = state.keys(&object.scope()).into_iter().find(|other| *other != object);
        let user = state.user_of(key, None);
        subnet.map(|subnet| subnet.to_string()).or(user.map(|user| format!("instance {user}")))
    })?;
    let namespace = Namespace::named(inner.names.network(key));
    Ok(namespace.remove().await?)
}

async fn remove_subnet(inner: &Inner, network: &NetworkKey, subnet: &SubnetKey) -> Result<(), EngineError> {
    unused(inner, &ObjectKey::Subnet(network.clone(), subnet.clone()), |inner| {
        inner.state().user_of(network, Some(subnet)).map(|user| format!("instance {user}"))
    })?;
    let namespace = Namespace::named(inner.names.network(network));
    Ok(network::remove_subnet(&namespace, subnet).await?)
}

async fn remove_instance(inner: &Inner, key: &InstanceKey) -> Result<(), LinuxError> {
    inner.state().unwatch(key);
    if let Err(error) = inner.keeper(key).stop().await {
        tracing::warn!(instance = %key, %error, "keeper did not stop by itself");
    }
    // Whoever is left in the namespace would keep it alive.
    netns::end_processes(&inner.instance_namespace(key)).await?;
    instance::remove(&inner.names, key).await
}

async fn remove_tunnel(inner: &Inner, key: &TunnelKey) -> Result<(), LinuxError> {
    // An instance that is gone has no tunnels.
    let there = inner.state().instance(&key.instance).is_some();
    if !there {
        return Ok(());
    }
    let request = Request::Unload { connection: key.connection.to_string() };
    inner.keeper(&key.instance).order(&request).await
}

async fn remove_route(inner: &Inner, key: &RouteKey) -> Result<(), LinuxError> {
    let namespace = Namespace::named(inner.names.network(&key.network));
    if !namespace.exists() {
        return Ok(());
    }
    routes::remove(&namespace.route()?, key.destination, TABLE_MAIN).await
}

/// Every scope that has a record or a namespace.
pub(super) fn scopes(inner: &Inner) -> Result<Vec<Scope>, LinuxError> {
    let mut scopes: BTreeSet<Scope> = inner.state().scopes().cloned().collect();
    scopes.extend(netns::list()?.iter().filter_map(|name| inner.names.scope(name)));
    Ok(scopes.into_iter().collect())
}

/// Removes a scope: what has a record in the order of deletion, then what only has a namespace.
pub(super) async fn scope(inner: &Inner, scope: &Scope) -> Result<(), EngineError> {
    let keys = inner.state().keys(scope);
    for key in keys.iter().rev() {
        match key {
            // Its keeper closes all tunnels at its end.
            ObjectKey::Tunnel(_) => forget(inner, key)?,
            _ => object(inner, key).await?,
        }
    }
    for name in netns::list()? {
        if inner.names.scope(&name).as_ref() != Some(scope) {
            continue;
        }
        match inner.names.role(&name) {
            Some(Role::Instance(key)) => remove_instance(inner, &key).await?,
            Some(Role::Network(key)) => remove_network(inner, &key).await?,
            _ => {}
        }
    }
    Ok(inner.records.remove_scope(scope)?)
}

fn forget(inner: &Inner, key: &ObjectKey) -> Result<(), LinuxError> {
    inner.records.remove(key)?;
    inner.state().remove(key);
    Ok(())
}

/// Removes every scope, labs, the fabric and the run directory.
pub(super) async fn everything(inner: &Inner) -> Result<(), EngineError> {
    let all = scopes(inner)?;
    // Gateways before the networks that they are in.
    let (networks, gateways): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|scope| matches!(scope, Scope::Network(_)));
    for group in [gateways, networks] {
        let removing = group.into_iter().map(|one: Scope| async move { scope(inner, &one).await });
        stream::iter(removing).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    }
    for name in netns::list()? {
        if inner.names.role(&name).is_some() {
            let namespace = Namespace::named(name);
            netns::end_processes(&namespace).await?;
            namespace.remove().await?;
        }
    }
    tmpfs::remove(&inner.config.run_dir)?;
    records::remove_file(&orphans::owner_file(&inner.config.run_dir))?;
    Ok(records::remove_file(&inner.lock.1)?)
}
