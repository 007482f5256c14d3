//! The store's status from what was observed: pure functions of a snapshot and an observation.

use causeway_model::{Connection, Gateway, Kind, Millis, Network, Record, Subnet, TunnelStatus, View, Write};
use causeway_plan::{
    ChildState, IkeState, InstanceHealth, Object, ObjectKey, Observed, Plan, Step, TunnelKey,
};

use crate::desired::{Left, instance_key, tunnel_key};
use crate::keys::{network_key, subnet_key};

/// The objects whose steps failed, and why, in the order of the steps.
pub(crate) type Refusals = Vec<(ObjectKey, String)>;

/// What was seen of a gateway, for one snapshot.
pub(crate) struct GatewaySeen<'a> {
    /// The snapshot whose wishes were compared.
    pub wished: &'a View,
    /// What was observed after the steps.
    pub observed: &'a Observed,
    /// What would still have to be done.
    pub rest: &'a Plan,
    /// Tunnels that can't be carried.
    pub left: &'a Left,
    /// What went wrong.
    pub trouble: &'a Refusals,
}

impl GatewaySeen<'_> {
    /// Why an object's step failed, if it did.
    fn refusal(&self, key: &ObjectKey) -> Option<&str> {
        self.trouble.iter().find(|(refused, _)| refused == key).map(|(_, why)| why.as_str())
    }
}

/// The writes that bring a gateway's status, and its connections', up to what was seen. `newest` may be later
/// than the snapshot compared: only what was seen of the compared generation is claimed.
pub(crate) fn gateway(newest: &View, gateway: &Gateway, seen: &GatewaySeen<'_>) -> Vec<Write> {
    let Some(wished) = seen.wished.gateway(gateway.id) else { return Vec::new() };
    if wished.meta.deleting {
        return gone_gateway(newest, gateway, seen);
    }
    let mut writes = Vec::new();
    for record in newest.children(gateway.id, Kind::Connection) {
        if let Record::Connection(connection) = record {
            writes.extend(self::connection(connection, seen));
        }
    }
    let mut new = gateway.clone();
    if is_carried(wished, seen) {
        new.status.observed_generation = wished.meta.generation;
        new.status.was_active = true;
    } else if lacks_an_instance(seen.rest) && gateway.status.observed_generation >= wished.meta.generation {
        // Whatever was seen once: its data plane is not there now.
        new.status.observed_generation = 0;
    }
    new.status.trouble = trouble(seen);
    if new != *gateway {
        writes.push(Write::Put(new.into()));
    }
    writes
}

/// What keeps a gateway from being as it should: the first step that failed, or why an instance does not work.
fn trouble(seen: &GatewaySeen<'_>) -> String {
    let failed = seen.trouble.first().map(|(_, why)| why.clone());
    let sick = || {
        seen.observed.instances.iter().find_map(|(key, health)| match health {
            InstanceHealth::Failed(why) => Some(format!("{}: {why}", ObjectKey::Instance(key.clone()))),
            InstanceHealth::Starting | InstanceHealth::Active => None,
        })
    };
    failed.or_else(sick).unwrap_or_default()
}

/// Whether an instance is still to be made, or made again.
pub(crate) fn lacks_an_instance(rest: &Plan) -> bool {
    let makes =
        |step: &Step| matches!(step, Step::Create(Object::Instance(_)) | Step::Update(Object::Instance(_)));
    rest.steps.iter().any(makes)
}

/// Whether every instance is healthy and nothing of the gateway is left to be done. Tunnels and routes that were
/// tried and refused do not count: they are tried again, their connection shows the trouble, and the gateway must
/// stay open for the change that mends or removes them. A transit gateway has no data plane of its own.
fn is_carried(wished: &Gateway, seen: &GatewaySeen<'_>) -> bool {
    let healthy =
        |index| seen.observed.instances.get(&instance_key(wished.id, index)) == Some(&InstanceHealth::Active);
    let is_refused = |step: &Step| {
        let key = step.key();
        matches!(key, ObjectKey::Tunnel(_) | ObjectKey::Route(_)) && seen.refusal(&key).is_some()
    };
    wished.paid
        && seen.rest.steps.iter().all(is_refused)
        && (wished.network.is_none() || (0..wished.instances.len()).all(healthy))
}

fn gone_gateway(newest: &View, gateway: &Gateway, seen: &GatewaySeen<'_>) -> Vec<Write> {
    if !seen.observed.objects.is_empty() {
        return Vec::new();
    }
    let children = newest.children(gateway.id, Kind::Connection).map(|record| Write::Delete(record.key()));
    children.chain([Write::Delete(gateway.order.key()), Write::Delete(gateway.id.key())]).collect()
}

fn connection(connection: &Connection, seen: &GatewaySeen<'_>) -> Option<Write> {
    // Made after the comparison: nothing is known of it yet.
    let wished = seen.wished.connection(connection.id)?;
    let keys = (0..connection.tunnels.len()).map(|index| tunnel_key(connection, index));
    let present = |key| seen.observed.objects.contains_key(&ObjectKey::Tunnel(key));
    if wished.meta.deleting {
        let is_gone = !keys.into_iter().any(present);
        return is_gone.then(|| Write::Delete(connection.id.key()));
    }
    let mut new = connection.clone();
    let rest_names = |key: &TunnelKey| {
        let key = ObjectKey::Tunnel(key.clone());
        seen.rest.steps.iter().any(|step| step.key() == key)
    };
    let is_carried = keys.clone().all(|key| {
        seen.left.iter().any(|(left, _)| *left == key) || (present(key.clone()) && !rest_names(&key))
    });
    if is_carried {
        new.status.observed_generation = wished.meta.generation;
        new.status.was_active = true;
    }
    new.status.tunnels = keys.map(|key| tunnel_status(&key, seen)).collect();
    (new != *connection).then(|| Write::Put(new.into()))
}

fn tunnel_status(key: &TunnelKey, seen: &GatewaySeen<'_>) -> TunnelStatus {
    if let Some((_, why)) = seen.left.iter().find(|(left, _)| left == key) {
        return TunnelStatus { trouble: why.clone(), ..TunnelStatus::default() };
    }
    let Some(status) = seen.observed.tunnels.get(key) else {
        let trouble = seen.refusal(&ObjectKey::Tunnel(key.clone())).unwrap_or_default().to_owned();
        return TunnelStatus { trouble, ..TunnelStatus::default() };
    };
    TunnelStatus {
        ike_established: status.ike == IkeState::Established,
        child_installed: status.child == ChildState::Installed,
        since: Millis(status.since.cast_signed()),
        trouble: trouble_of(status),
    }
}

/// Why a tunnel is not up. A tunnel of which only a part is counts as not up and says how much is.
fn trouble_of(status: &causeway_plan::TunnelStatus) -> String {
    let why = status.last_error.map(|error| error.to_string());
    match status.child {
        ChildState::Partial { installed, of } => {
            let part = format!("{installed} of {of} CHILD_SAs are installed");
            why.map_or_else(|| part.clone(), |why| format!("{part}: {why}"))
        }
        ChildState::Down | ChildState::Installed => why.unwrap_or_default(),
    }
}

/// The writes that bring a network's and its subnets' status up to what was seen.
pub(crate) fn network(newest: &View, network: &Network, wished: &View, observed: &Observed) -> Vec<Write> {
    let mut writes = Vec::new();
    let key = network_key(network.id);
    for record in newest.children(network.id, Kind::Subnet) {
        let Record::Subnet(subnet) = record else { continue };
        let Some(asked) = wished.subnet(subnet.id) else { continue };
        let present = observed.objects.contains_key(&ObjectKey::Subnet(key.clone(), subnet_key(subnet.id)));
        if asked.meta.deleting && !present {
            writes.push(Write::Delete(subnet.id.key()));
        } else if !asked.meta.deleting && present && subnet.observed_generation < asked.meta.generation {
            let observed_generation = asked.meta.generation;
            writes.push(Write::Put(Subnet { observed_generation, ..(**subnet).clone() }.into()));
        }
    }
    let Some(asked) = wished.network(network.id) else { return writes };
    let present = observed.objects.contains_key(&ObjectKey::Network(key));
    if asked.meta.deleting && observed.objects.is_empty() {
        let hangs_on = |kind| newest.children(network.id, kind).map(|record| Write::Delete(record.key()));
        writes.extend(hangs_on(Kind::Route));
        writes.extend(hangs_on(Kind::RouteTable));
        writes.push(Write::Delete(network.id.key()));
    } else if !asked.meta.deleting && present && network.observed_generation < asked.meta.generation {
        let observed_generation = asked.meta.generation;
        writes.push(Write::Put(Network { observed_generation, ..network.clone() }.into()));
    }
    writes
}
