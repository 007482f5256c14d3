//! Making and changing objects.

use causeway_engine::EngineError;
use causeway_model::proposal;
use causeway_plan::{Instance, Network, Object, ObjectKey, Route, Subnet, Tunnel};

use super::{Inner, failover, watch};
use crate::error::LinuxError;
use crate::netns::{self, Namespace};
use crate::records::Record;
use crate::shim::protocol::Request;
use crate::{fabric, instance, network};

pub(super) async fn network(inner: &Inner, network: &Network, object: &Object) -> Result<(), EngineError> {
    let namespace = Namespace::named(inner.names.network(&network.key));
    network::ensure(&namespace).await?;
    Ok(inner.remember(object)?)
}

pub(super) async fn subnet(inner: &Inner, subnet: &Subnet, object: &Object) -> Result<(), EngineError> {
    inner.need(object, ObjectKey::Network(subnet.network.clone()))?;
    network::ensure_subnet(&Namespace::named(inner.names.network(&subnet.network)), subnet).await?;
    Ok(inner.remember(object)?)
}

pub(super) async fn instance(
    inner: &std::sync::Arc<Inner>,
    wanted: &Instance,
    object: &Object,
) -> Result<(), EngineError> {
    inner.need(object, ObjectKey::Subnet(wanted.network.clone(), wanted.subnet.clone()))?;
    inner.check_addresses(wanted)?;
    let old = inner.state().instance(&wanted.key).cloned();
    let keeper = inner.keeper(&wanted.key);
    let is_new = !inner.instance_namespace(&wanted.key).exists();
    if is_new {
        // A keeper that lost its namespace's name would go on in one that nobody can reach.
        inner.state().unwatch(&wanted.key);
        keeper.stop().await?;
    } else if old.is_none() && !keeper.answers().await {
        // Whoever is in a namespace without a record, and can't be reached, has lost the files he lived by. He would
        // hold the ports of who comes now.
        netns::end_processes(&inner.instance_namespace(&wanted.key)).await?;
    }
    fabric::ensure(&Namespace::named(inner.names.fabric())).await?;
    instance::ensure(&inner.names, wanted, old.as_ref()).await?;
    // The keeper reads the record, so that comes first.
    inner.remember(object)?;
    keeper.ensure(&inner.config.shim, &inner.shim_args(&wanted.key)).await?;
    // Whoever watches finds out when a keeper has to be replaced, so that comes before it is asked for anything.
    if !inner.state().is_watched(&wanted.key) {
        watch::start(inner, wanted.key.clone());
    }
    if !is_new {
        keeper.order(&Request::Reload).await?;
    }
    Ok(())
}

pub(super) async fn tunnel(inner: &Inner, tunnel: &Tunnel, object: &Object) -> Result<(), EngineError> {
    inner.need(object, ObjectKey::Instance(tunnel.key.instance.clone()))?;
    let wrong = |source| EngineError::Proposal { object: Box::new(object.key()), source };
    proposal::ike(&tunnel.ike).map_err(wrong)?;
    proposal::esp(&tunnel.esp).map_err(wrong)?;
    inner.remember(object)?;
    let connection = tunnel.key.connection.to_string();
    Ok(inner.keeper(&tunnel.key.instance).order(&Request::Load { connection }).await?)
}

pub(super) async fn route(inner: &Inner, route: &Route, object: &Object) -> Result<(), EngineError> {
    inner.need(object, ObjectKey::Network(route.key.network.clone()))?;
    inner.remember(object)?;
    // Its ways may have changed although the instance has not.
    inner.state().routes.remove(&route.key);
    Ok(failover::follow(inner, &object.key().scope()).await?)
}

impl Inner {
    fn need(&self, object: &Object, parent: ObjectKey) -> Result<(), EngineError> {
        match self.state().get(&parent) {
            Some(_) => Ok(()),
            None => {
                Err(EngineError::MissingParent { object: Box::new(object.key()), parent: Box::new(parent) })
            }
        }
    }

    fn check_addresses(&self, wanted: &Instance) -> Result<(), EngineError> {
        let object = || Box::new(ObjectKey::Instance(wanted.key.clone()));
        let pools = &self.config.public_pools;
        if !pools.is_empty() && !pools.iter().any(|pool| pool.contains(&wanted.public_ip)) {
            let what = format!("the public address {} outside this node's pools", wanted.public_ip);
            return Err(EngineError::Unsupported { object: object(), what });
        }
        match self.state().holder(wanted) {
            Some((address, holder)) => Err(EngineError::AddressInUse {
                object: object(),
                address,
                holder: Box::new(ObjectKey::Instance(holder)),
            }),
            None => Ok(()),
        }
    }

    /// Writes an object's record.
    fn remember(&self, object: &Object) -> Result<(), LinuxError> {
        let record = Record { object: object.clone(), fingerprint: self.key.fingerprint(object) };
        self.records.put(&record)?;
        self.state().put(record);
        Ok(())
    }
}
