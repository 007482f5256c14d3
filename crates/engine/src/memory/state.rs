//! The memory engine's objects and the indices that keep every operation as small as its scope.

use std::collections::BTreeSet;

use causeway_model::proposal;
use causeway_plan::{
    ChildState, FingerprintKey, Instance, InstanceHealth, InstanceKey, NextHop, Object, ObjectKey, Observed,
    Route, Scope, Step, Tunnel, TunnelKey, TunnelStatus, UnixMillis,
};

use super::index::{Index, Pair};
use super::pairing::{End, Verdict, judge};
use super::scopes::{Contents, Scopes};
use crate::error::EngineError;

pub(super) struct State {
    key: FingerprintKey,
    scopes: Scopes,
    index: Index,
}

impl State {
    pub(super) fn new(key: FingerprintKey) -> Self {
        Self { key, scopes: Scopes::default(), index: Index::default() }
    }

    pub(super) fn scopes(&self) -> Vec<Scope> {
        self.scopes.names()
    }

    pub(super) fn clear(&mut self) -> Vec<Scope> {
        let scopes = self.scopes();
        *self = Self::new(self.key.clone());
        scopes
    }

    pub(super) fn observe(&self, scope: &Scope) -> Observed {
        let mut observed = Observed::empty(scope.clone(), self.key.clone());
        let Some(contents) = self.scopes.get(scope) else { return observed };
        for (key, (object, fingerprint)) in &contents.objects {
            observed.objects.insert(key.clone(), *fingerprint);
            match object {
                Object::Instance(instance) => {
                    observed.instances.insert(instance.key.clone(), InstanceHealth::Active);
                }
                Object::Route(route) => {
                    if let Some(instance) = next_hop(route, contents) {
                        observed.routes.insert(route.key.clone(), instance);
                    }
                }
                Object::Network(_) | Object::Subnet(_) | Object::Tunnel(_) => {}
            }
        }
        observed.tunnels.clone_from(&contents.tunnels);
        observed
    }

    /// Applies a step and returns the scopes whose state changed.
    pub(super) fn apply(&mut self, step: &Step, now: UnixMillis) -> Result<Vec<Scope>, EngineError> {
        match step {
            Step::Create(object) | Step::Update(object) => self.put(object, now),
            Step::Delete(key) => self.delete(key, now),
        }
    }

    pub(super) fn remove_scope(&mut self, scope: &Scope, now: UnixMillis) -> Result<Vec<Scope>, EngineError> {
        let Some(contents) = self.scopes.get(scope) else { return Ok(Vec::new()) };
        let keys: Vec<ObjectKey> = contents.objects.keys().rev().cloned().collect();
        let mut changed = Vec::new();
        for key in keys {
            changed.extend(self.delete(&key, now)?);
        }
        Ok(changed)
    }

    fn put(&mut self, object: &Object, now: UnixMillis) -> Result<Vec<Scope>, EngineError> {
        self.check_parents(object)?;
        let key = object.key();
        if let Object::Instance(instance) = object {
            self.check_addresses(instance)?;
        }
        if let Object::Tunnel(tunnel) = object {
            let wrong = |source| EngineError::Proposal { object: Box::new(key.clone()), source };
            proposal::ike(&tunnel.ike).map_err(wrong)?;
            proposal::esp(&tunnel.esp).map_err(wrong)?;
        }
        let mut affected = self.neighbourhood(&key);
        self.unindex(&key);
        let fingerprint = self.key.fingerprint(object);
        let contents = self.scopes.get_or_make(key.scope());
        contents.objects.insert(key.clone(), (object.clone(), fingerprint));
        self.enter_index(&key);
        affected.extend(self.neighbourhood(&key));
        Ok(self.judge_all(affected, key.scope(), now))
    }

    fn delete(&mut self, key: &ObjectKey, now: UnixMillis) -> Result<Vec<Scope>, EngineError> {
        self.check_unused(key)?;
        let mut affected = self.neighbourhood(key);
        self.unindex(key);
        if let ObjectKey::Tunnel(tunnel) = key {
            affected.remove(tunnel);
        }
        if let Some(contents) = self.scopes.get_mut(&key.scope()) {
            contents.objects.remove(key);
            if let ObjectKey::Tunnel(tunnel) = key {
                contents.tunnels.remove(tunnel);
            }
            if contents.objects.is_empty() {
                self.scopes.remove(&key.scope());
            }
        }
        Ok(self.judge_all(affected, key.scope(), now))
    }

    fn get(&self, key: &ObjectKey) -> Option<&Object> {
        Some(&self.scopes.get(&key.scope())?.objects.get(key)?.0)
    }

    fn instance(&self, key: &InstanceKey) -> Option<&Instance> {
        match self.get(&ObjectKey::Instance(key.clone()))? {
            Object::Instance(instance) => Some(instance),
            _ => None,
        }
    }

    fn tunnel(&self, key: &TunnelKey) -> Option<&Tunnel> {
        match self.get(&ObjectKey::Tunnel(key.clone()))? {
            Object::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
    }

    fn check_parents(&self, object: &Object) -> Result<(), EngineError> {
        let parent = match object {
            Object::Network(_) => return Ok(()),
            Object::Subnet(subnet) => ObjectKey::Network(subnet.network.clone()),
            Object::Instance(instance) => {
                ObjectKey::Subnet(instance.network.clone(), instance.subnet.clone())
            }
            Object::Tunnel(tunnel) => ObjectKey::Instance(tunnel.key.instance.clone()),
            Object::Route(route) => ObjectKey::Network(route.key.network.clone()),
        };
        match self.get(&parent) {
            Some(_) => Ok(()),
            None => {
                Err(EngineError::MissingParent { object: Box::new(object.key()), parent: Box::new(parent) })
            }
        }
    }

    fn check_addresses(&self, instance: &Instance) -> Result<(), EngineError> {
        let private = self.index.private_holder(&instance.network, instance.private_ip);
        let holders = [
            (instance.public_ip, self.index.public_holder(instance.public_ip)),
            (instance.private_ip, private),
        ];
        for (address, holder) in holders {
            if let Some(holder) = holder.filter(|holder| **holder != instance.key) {
                let holder = Box::new(ObjectKey::Instance(holder.clone()));
                let object = Box::new(ObjectKey::Instance(instance.key.clone()));
                return Err(EngineError::AddressInUse { object, address, holder });
            }
        }
        Ok(())
    }

    fn check_unused(&self, key: &ObjectKey) -> Result<(), EngineError> {
        let user = match key {
            ObjectKey::Network(_) => self.children(key, |other| matches!(other, ObjectKey::Subnet(..))),
            ObjectKey::Subnet(network, subnet) => {
                self.index.user_of_subnet(network, subnet).map(|user| format!("instance {user}"))
            }
            ObjectKey::Instance(instance) => self.children(
                key,
                |other| matches!(other, ObjectKey::Tunnel(tunnel) if tunnel.instance == *instance),
            ),
            ObjectKey::Tunnel(_) | ObjectKey::Route(_) => None,
        };
        match user {
            Some(user) => Err(EngineError::InUse { object: Box::new(key.clone()), user }),
            None => Ok(()),
        }
    }

    fn children(&self, of: &ObjectKey, is_child: impl Fn(&ObjectKey) -> bool) -> Option<String> {
        let contents = self.scopes.get(&of.scope())?;
        contents.objects.keys().find(|key| is_child(key)).map(ToString::to_string)
    }

    /// The tunnels whose state may change with an object: its own and those that look at them.
    fn neighbourhood(&self, key: &ObjectKey) -> BTreeSet<TunnelKey> {
        let mut found = BTreeSet::new();
        let own = match key {
            ObjectKey::Tunnel(tunnel) => vec![tunnel.clone()],
            ObjectKey::Instance(instance) => {
                if let Some(instance) = self.instance(instance) {
                    found.extend(self.index.tunnels_towards(instance.public_ip).cloned());
                }
                self.tunnels_of(instance)
            }
            ObjectKey::Network(_) | ObjectKey::Subnet(..) | ObjectKey::Route(_) => Vec::new(),
        };
        for tunnel in own {
            if let Some(end) = self.end(&tunnel) {
                let pair = (end.address, end.tunnel.remote);
                found.extend(self.index.candidates(pair).into_iter().cloned());
                found.insert(tunnel);
            }
        }
        found
    }

    fn tunnels_of(&self, instance: &InstanceKey) -> Vec<TunnelKey> {
        let scope = Scope::Gateway(instance.gateway.clone());
        let Some(contents) = self.scopes.get(&scope) else { return Vec::new() };
        let keys = contents.objects.keys().filter_map(|key| match key {
            ObjectKey::Tunnel(tunnel) if tunnel.instance == *instance => Some(tunnel.clone()),
            _ => None,
        });
        keys.collect()
    }

    fn end(&self, key: &TunnelKey) -> Option<End<'_>> {
        let address = self.instance(&key.instance)?.public_ip;
        Some(End { tunnel: self.tunnel(key)?, address })
    }

    fn unindex(&mut self, key: &ObjectKey) {
        self.each_index_entry(key, Index::remove_tunnel, Index::remove_instance);
    }

    fn enter_index(&mut self, key: &ObjectKey) {
        self.each_index_entry(key, Index::add_tunnel, Index::add_instance);
    }

    /// An instance's tunnels are indexed under its address, so they go in and out with it.
    fn each_index_entry(
        &mut self,
        key: &ObjectKey,
        tunnel_entry: fn(&mut Index, &TunnelKey, Pair),
        instance_entry: fn(&mut Index, &Instance),
    ) {
        let (tunnels, instance) = match key {
            ObjectKey::Instance(instance) => (self.tunnels_of(instance), self.instance(instance).cloned()),
            ObjectKey::Tunnel(tunnel) => (vec![tunnel.clone()], None),
            ObjectKey::Network(_) | ObjectKey::Subnet(..) | ObjectKey::Route(_) => return,
        };
        for tunnel in tunnels {
            if let Some(pair) = self.end(&tunnel).map(|end| (end.address, end.tunnel.remote)) {
                tunnel_entry(&mut self.index, &tunnel, pair);
            }
        }
        if let Some(instance) = instance {
            instance_entry(&mut self.index, &instance);
        }
    }

    /// Judges tunnels again; returns the scopes that changed, `first` among them.
    fn judge_all(&mut self, tunnels: BTreeSet<TunnelKey>, first: Scope, now: UnixMillis) -> Vec<Scope> {
        let mut changed = BTreeSet::from([first]);
        for key in tunnels {
            let Some(verdict) = self.end(&key).map(|end| self.verdict(end)) else { continue };
            let scope = Scope::Gateway(key.instance.gateway.clone());
            let Some(contents) = self.scopes.get_mut(&scope) else { continue };
            let status = contents
                .tunnels
                .entry(key)
                .or_insert_with(|| TunnelStatus { since: now, ..TunnelStatus::default() });
            let moved = (status.ike, status.child) != (verdict.ike, verdict.child);
            if moved || status.last_error != verdict.error {
                status.since = if moved { now } else { status.since };
                (status.ike, status.child) = (verdict.ike, verdict.child);
                status.last_error = verdict.error;
                changed.insert(scope);
            }
        }
        changed.into_iter().collect()
    }

    fn verdict(&self, here: End<'_>) -> Verdict {
        let candidates = self.index.candidates((here.address, here.tunnel.remote));
        let peers: Vec<End<'_>> = candidates.into_iter().filter_map(|key| self.end(key)).collect();
        let peer_exists = here.tunnel.remote.is_some_and(|ip| self.index.public_holder(ip).is_some());
        judge(here, &peers, peer_exists)
    }
}

/// The instance that a route leads to: the first of the ways that carry most.
fn next_hop(route: &Route, contents: &Contents) -> Option<InstanceKey> {
    let usable = |hop: &NextHop| match &hop.tunnel {
        Some(tunnel) => contents.tunnels.get(tunnel).map_or(0, |status| status.child.rank()),
        None if contents.objects.contains_key(&ObjectKey::Instance(hop.instance.clone())) => {
            ChildState::Installed.rank()
        }
        None => ChildState::Down.rank(),
    };
    // The last of equals would count, so the order is turned round.
    route.next_hops.iter().rev().max_by_key(|hop| usable(hop)).map(|hop| hop.instance.clone())
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
