//! What is there: a record only counts when the thing itself answers for it, and a thing without its
//! record is reported as unknown.

use std::collections::{BTreeMap, BTreeSet};

use causeway_plan::{
    ConnectionKey, Fingerprint, GatewayKey, InstanceHealth, InstanceKey, NetworkKey, ObjectKey, Observed,
    Scope, TunnelKey,
};
use futures_util::future::join_all;

use super::Inner;
use crate::error::LinuxError;
use crate::names::{self, PRIVATE, PUBLIC};
use crate::netns::Namespace;
use crate::network::links_in;
use crate::shim::protocol::Status;

/// How many instances a gateway has at most.
const MAX_INSTANCES: u8 = 2;

pub(super) async fn observe(inner: &Inner, scope: &Scope) -> Result<Observed, LinuxError> {
    let mut observed = Observed::empty(scope.clone(), inner.key.clone());
    match scope {
        Scope::Network(key) => network(inner, key, &mut observed).await?,
        Scope::Gateway(key) => gateway(inner, key, &mut observed).await?,
    }
    Ok(observed)
}

async fn network(inner: &Inner, key: &NetworkKey, observed: &mut Observed) -> Result<(), LinuxError> {
    let links = links_in(&Namespace::named(inner.names.network(key))).await?;
    if links.is_empty() {
        return Ok(());
    }
    let records = fingerprints(inner, &observed.scope);
    let bridges = links.iter().filter_map(|link| names::subnet_of(link));
    let there = bridges.map(|subnet| ObjectKey::Subnet(key.clone(), subnet));
    for object in there.chain([ObjectKey::Network(key.clone())]) {
        let whole = records.get(&object).filter(|_| inner.state().damage(&object).is_none());
        let fingerprint = whole.copied().unwrap_or(Fingerprint::UNKNOWN);
        observed.objects.insert(object, fingerprint);
    }
    Ok(())
}

async fn gateway(inner: &Inner, key: &GatewayKey, observed: &mut Observed) -> Result<(), LinuxError> {
    let records = fingerprints(inner, &observed.scope);
    // Tunnels and routes that have a record and nothing else: a step was broken off, and the record would
    // bring them back one day.
    for object in records.keys() {
        match object {
            ObjectKey::Tunnel(_) => drop(observed.objects.insert(object.clone(), Fingerprint::UNKNOWN)),
            ObjectKey::Route(route) => {
                let set = inner.state().routes.get(route).cloned();
                let fingerprint = if set.is_some() { records[object] } else { Fingerprint::UNKNOWN };
                observed.objects.insert(object.clone(), fingerprint);
                observed.routes.extend(set.map(|instance| (route.clone(), instance)));
            }
            ObjectKey::Instance(_) | ObjectKey::Network(_) | ObjectKey::Subnet(..) => {}
        }
    }
    let instances: Vec<InstanceKey> = instances(inner, key, &records);
    let seen = join_all(instances.iter().map(|key| look(inner, key))).await;
    for (key, seen) in instances.into_iter().zip(seen) {
        let object = ObjectKey::Instance(key.clone());
        let recorded = records.get(&object).copied();
        match (seen?, recorded) {
            (Seen::Whole(status), Some(recorded)) => {
                let outside = inner.state().damage(&object).map(str::to_owned);
                let status = status.map(|seen| Status { damage: seen.damage.or(outside.clone()), ..seen });
                let is_damaged = outside.is_some() || matches!(&status, Ok(seen) if seen.damage.is_some());
                observed.objects.insert(object, if is_damaged { Fingerprint::UNKNOWN } else { recorded });
                take_in(observed, key, status);
            }
            (Seen::Nothing, None) => {}
            (Seen::Whole(_) | Seen::Part | Seen::Nothing, _) => {
                observed.objects.insert(object, Fingerprint::UNKNOWN);
                let reason = "the instance is not complete".to_owned();
                observed.instances.insert(key, InstanceHealth::Failed(reason));
            }
        }
    }
    Ok(())
}

fn fingerprints(inner: &Inner, scope: &Scope) -> BTreeMap<ObjectKey, Fingerprint> {
    let records = inner.state().records(scope);
    records.into_iter().map(|record| (record.object.key(), record.fingerprint)).collect()
}

/// The instances that a gateway has a record of, and those it may have left without one.
fn instances(
    inner: &Inner,
    gateway: &GatewayKey,
    records: &BTreeMap<ObjectKey, Fingerprint>,
) -> Vec<InstanceKey> {
    let recorded = records.keys().filter_map(|key| match key {
        ObjectKey::Instance(instance) => Some(instance.clone()),
        _ => None,
    });
    let possible = (0..MAX_INSTANCES).map(|index| InstanceKey { gateway: gateway.clone(), index });
    let unrecorded = possible.filter(|key| inner.instance_namespace(key).exists());
    recorded.chain(unrecorded).collect::<BTreeSet<_>>().into_iter().collect()
}

/// How much of an instance there is.
enum Seen {
    Nothing,
    Part,
    Whole(Result<Status, LinuxError>),
}

async fn look(inner: &Inner, key: &InstanceKey) -> Result<Seen, LinuxError> {
    let links = links_in(&inner.instance_namespace(key)).await?;
    if links.is_empty() {
        return Ok(Seen::Nothing);
    }
    let legs = [PUBLIC, PRIVATE].iter().all(|leg| links.iter().any(|link| link == leg));
    Ok(if legs { Seen::Whole(inner.keeper(key).status().await) } else { Seen::Part })
}

fn take_in(observed: &mut Observed, key: InstanceKey, seen: Result<Status, LinuxError>) {
    let status = match seen {
        Ok(status) => status,
        Err(error) => {
            observed.instances.insert(key, InstanceHealth::Failed(error.to_string()));
            return;
        }
    };
    let health = match status.damage {
        Some(what) => InstanceHealth::Failed(what),
        None => status.health,
    };
    observed.instances.insert(key.clone(), health);
    for (connection, loaded) in status.tunnels {
        let Ok(connection) = ConnectionKey::new(connection) else { continue };
        let tunnel = TunnelKey { instance: key.clone(), connection };
        observed.objects.insert(ObjectKey::Tunnel(tunnel.clone()), loaded.fingerprint);
        observed.tunnels.insert(tunnel, loaded.status);
    }
}

/// The last lines of every charon of a gateway, each with its instance before it.
pub(super) async fn log(inner: &Inner, scope: &Scope) -> Result<Vec<String>, LinuxError> {
    let Scope::Gateway(gateway) = scope else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    for key in instances(inner, gateway, &fingerprints(inner, scope)) {
        let said = inner.keeper(&key).log().await?;
        lines.extend(said.into_iter().map(|line| format!("{}: {line}", key.index)));
    }
    Ok(lines)
}

/// The statuses of a gateway's keepers that answer.
pub(super) async fn statuses(inner: &Inner, keys: &[InstanceKey]) -> BTreeMap<InstanceKey, Status> {
    let seen = join_all(keys.iter().map(|key| async { inner.keeper(key).status().await.ok() })).await;
    let pairs = keys.iter().cloned().zip(seen);
    pairs.filter_map(|(key, status)| Some((key, status?))).collect()
}
