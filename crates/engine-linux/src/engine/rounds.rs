//! Rounds: what stands outside an instance's own namespace is looked at every few seconds, because nobody lives there
//! who could tell of a change: the fabric, the networks' bridges, the far ends of the legs, the networks' routes. (A
//! socket that listens in a namespace would keep it alive after its name was removed.)

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use causeway_plan::{Instance, NetworkKey, Object, Route, Scope, Subnet};
use tokio::time::{MissedTickBehavior, interval};

use super::{Inner, remove};
use crate::error::{Doing, LinuxError};
use crate::names;
use crate::netns::Namespace;
use crate::routes::TABLE_MAIN;

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(5);

/// Goes round until the engine is dropped.
pub(super) async fn go(engine: Weak<Inner>) {
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once: what happened while no engine ran is found as well.
    loop {
        ticks.tick().await;
        let Some(inner) = engine.upgrade() else { return };
        if let Err(error) = round(&inner).await {
            tracing::warn!(%error, "looking after the fabric and the networks");
        }
    }
}

async fn round(inner: &Arc<Inner>) -> Result<(), LinuxError> {
    wake_strangers(inner)?;
    let objects = inner.state().objects();
    let fabric = Ground::of(&Namespace::named(inner.names.fabric())).await?;
    let mut networks: BTreeMap<&NetworkKey, Ground> = BTreeMap::new();
    for object in &objects {
        if let Object::Network(network) = object {
            let namespace = Namespace::named(inner.names.network(&network.key));
            networks.insert(&network.key, Ground::of(&namespace).await?);
        }
    }
    for object in &objects {
        let damage = match object {
            Object::Subnet(subnet) => {
                networks.get(&subnet.network).and_then(|ground| ground.subnet_damage(subnet))
            }
            Object::Instance(instance) if !inner.instance_namespace(&instance.key).exists() => {
                Some("its namespace is gone".to_owned())
            }
            Object::Instance(instance) => networks
                .get(&instance.network)
                .and_then(|ground| ground.private_damage(instance))
                .or_else(|| fabric.public_damage(instance)),
            Object::Route(route) => match networks.get(&route.key.network) {
                Some(ground) => route_damage(inner, ground, route),
                None => None,
            },
            Object::Network(network) => {
                let is_gone = networks.get(&network.key).is_some_and(|ground| ground.links.is_empty());
                is_gone.then(|| "its namespace is gone".to_owned())
            }
            Object::Tunnel(_) => None,
        };
        if let Some(what) = damage {
            let key = object.key();
            if inner.state().set_damage(object, what.clone()) {
                tracing::warn!(object = %key, %what, "not as it was made; it is made again");
                inner.wake(key.scope());
            }
        }
    }
    Ok(())
}

/// Whoever left a namespace without a record behind has to look at it.
fn wake_strangers(inner: &Inner) -> Result<(), LinuxError> {
    let known: BTreeSet<Scope> = inner.state().scopes().cloned().collect();
    let there: BTreeSet<Scope> = remove::scopes(inner)?.into_iter().collect();
    there.difference(&known).for_each(|scope| inner.wake(scope.clone()));
    Ok(())
}

/// A route that is not there, although this engine set it.
fn route_damage(inner: &Inner, ground: &Ground, route: &Route) -> Option<String> {
    let set = inner.state().routes.get(&route.key).cloned()?;
    let hop = route.next_hops.iter().find(|hop| hop.instance == set)?;
    let there = ground.routes.get(&route.key.destination.addr());
    let is_there = there.is_some_and(|ways| ways.contains(&Some(hop.private_ip)));
    (!is_there).then(|| "the network has no such route".to_owned())
}

/// What there is in a namespace; nothing when it is gone.
#[derive(Default)]
struct Ground {
    links: HashMap<String, Link>,
    /// Routers by the destination's address, in the main table; `None` where the destination is on a link.
    routes: HashMap<IpAddr, Vec<Option<IpAddr>>>,
}

struct Link {
    index: u32,
    is_up: bool,
    master: Option<u32>,
    addresses: Vec<IpAddr>,
    is_limited: bool,
}

impl Ground {
    async fn of(namespace: &Namespace) -> Result<Self, LinuxError> {
        if !namespace.exists() {
            return Ok(Self::default());
        }
        let what = || format!("looking at {}", namespace.name());
        let socket = namespace.route()?;
        let seen = socket.get_links().await.doing(what)?;
        let addresses = socket.get_addresses().await.doing(what)?;
        let qdiscs = socket.get_qdiscs().await.doing(what)?;
        let links = seen.iter().filter_map(|link| {
            let index = link.ifindex();
            let own = addresses.iter().filter(|address| address.ifindex() == index);
            let made = Link {
                index,
                is_up: link.is_up(),
                master: link.master(),
                addresses: own.filter_map(|address| address.address().copied()).collect(),
                is_limited: qdiscs
                    .iter()
                    .any(|qdisc| qdisc.ifindex() == index && qdisc.is_root() && qdisc.kind() == Some("tbf")),
            };
            Some((link.name()?.to_owned(), made))
        });
        let links = links.collect();
        let mut routes: HashMap<IpAddr, Vec<Option<IpAddr>>> = HashMap::new();
        for route in socket.get_routes_for_table(TABLE_MAIN).await.doing(what)? {
            if let Some(destination) = route.destination() {
                routes.entry(*destination).or_default().push(route.gateway().copied());
            }
        }
        Ok(Self { links, routes })
    }

    fn subnet_damage(&self, subnet: &Subnet) -> Option<String> {
        match self.links.get(&names::bridge(&subnet.key)) {
            None => Some("its bridge is gone".to_owned()),
            Some(bridge) if !bridge.is_up => Some("its bridge is down".to_owned()),
            Some(bridge) if !bridge.addresses.contains(&subnet.router_ip) => {
                Some("its bridge lacks the router's address".to_owned())
            }
            Some(_) => None,
        }
    }

    fn private_damage(&self, instance: &Instance) -> Option<String> {
        let bridge = self.links.get(&names::bridge(&instance.subnet)).map(|bridge| bridge.index);
        match self.links.get(&names::port(&instance.key)) {
            None => Some("the far end of its private leg is gone".to_owned()),
            Some(port) if !port.is_up => Some("the far end of its private leg is down".to_owned()),
            Some(port) if bridge.is_none() || port.master != bridge => {
                Some("its private leg is not in its subnet's bridge".to_owned())
            }
            Some(port) if instance.bandwidth_mbps.is_some() && !port.is_limited => {
                Some("the bandwidth towards it is not enforced".to_owned())
            }
            Some(_) => None,
        }
    }

    fn public_damage(&self, instance: &Instance) -> Option<String> {
        match self.links.get(&names::port(&instance.key)) {
            None => Some("the far end of its public leg is gone".to_owned()),
            Some(port) if !port.is_up => Some("the far end of its public leg is down".to_owned()),
            Some(_) if !self.routes.contains_key(&instance.public_ip) => {
                Some("the fabric has no route to its public address".to_owned())
            }
            Some(_) => None,
        }
    }
}
