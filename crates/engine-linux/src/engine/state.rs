//! What the engine knows between two calls: the records, which it also has on file, and who is watched.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use causeway_plan::{
    Instance, InstanceKey, NetworkKey, Object, ObjectKey, Route, RouteKey, Scope, SubnetKey,
};
use tokio::task::AbortHandle;

use crate::records::Record;

pub(super) type Scopes = BTreeMap<Scope, BTreeMap<ObjectKey, Record>>;

pub(super) struct State {
    scopes: Scopes,
    /// The instance that each route leads to, as this engine set it.
    pub routes: HashMap<RouteKey, InstanceKey>,
    /// What was found not to be as it was made, until it is made again.
    damage: HashMap<ObjectKey, String>,
    watchers: HashMap<InstanceKey, AbortHandle>,
}

impl State {
    pub(super) fn new(scopes: Scopes) -> Self {
        Self { scopes, routes: HashMap::new(), damage: HashMap::new(), watchers: HashMap::new() }
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Record> {
        self.scopes.get(&key.scope())?.get(key)
    }

    pub(super) fn put(&mut self, record: Record) {
        let key = record.object.key();
        self.damage.remove(&key);
        self.scopes.entry(key.scope()).or_default().insert(key, record);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        let scope = key.scope();
        self.damage.remove(key);
        if let Some(records) = self.scopes.get_mut(&scope) {
            records.remove(key);
            if records.is_empty() {
                self.scopes.remove(&scope);
            }
        }
        if let ObjectKey::Route(route) = key {
            self.routes.remove(route);
        }
    }

    /// Every object that has a record.
    pub(super) fn objects(&self) -> Vec<Object> {
        self.scopes.values().flat_map(BTreeMap::values).map(|record| record.object.clone()).collect()
    }

    /// Notes that an object is not as it was made; tells whether that is news. Nothing is said of one that is gone or
    /// another one meanwhile.
    pub(super) fn set_damage(&mut self, object: &Object, what: String) -> bool {
        let key = object.key();
        if self.get(&key).is_none_or(|record| record.object != *object) {
            return false;
        }
        if let ObjectKey::Route(route) = &key {
            // It counts as not set, and is set again.
            return self.routes.remove(route).is_some();
        }
        self.damage.insert(key, what).is_none()
    }

    /// Why an object is not as it was made.
    pub(super) fn damage(&self, key: &ObjectKey) -> Option<&str> {
        self.damage.get(key).map(String::as_str)
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.keys()
    }

    pub(super) fn records(&self, scope: &Scope) -> Vec<Record> {
        self.scopes.get(scope).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    pub(super) fn keys(&self, scope: &Scope) -> Vec<ObjectKey> {
        self.scopes.get(scope).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    pub(super) fn instance(&self, key: &InstanceKey) -> Option<&Instance> {
        match &self.get(&ObjectKey::Instance(key.clone()))?.object {
            Object::Instance(instance) => Some(instance),
            _ => None,
        }
    }

    pub(super) fn instances(&self) -> Vec<InstanceKey> {
        self.every_instance().map(|instance| instance.key.clone()).collect()
    }

    fn every_instance(&self) -> impl Iterator<Item = &Instance> {
        self.scopes.values().flat_map(BTreeMap::values).filter_map(|record| match &record.object {
            Object::Instance(instance) => Some(instance),
            _ => None,
        })
    }

    pub(super) fn routes_of(&self, scope: &Scope) -> Vec<Route> {
        let records = self.scopes.get(scope).into_iter().flat_map(BTreeMap::values);
        let routes = records.filter_map(|record| match &record.object {
            Object::Route(route) => Some(route.clone()),
            _ => None,
        });
        routes.collect()
    }

    /// Who else has an address that this instance wants.
    pub(super) fn holder(&self, wanted: &Instance) -> Option<(IpAddr, InstanceKey)> {
        self.every_instance().filter(|other| other.key != wanted.key).find_map(|other| {
            if other.public_ip == wanted.public_ip {
                Some((wanted.public_ip, other.key.clone()))
            } else if other.network == wanted.network && other.private_ip == wanted.private_ip {
                Some((wanted.private_ip, other.key.clone()))
            } else {
                None
            }
        })
    }

    /// An instance in a subnet, or in any subnet of a network.
    pub(super) fn user_of(&self, network: &NetworkKey, subnet: Option<&SubnetKey>) -> Option<InstanceKey> {
        let user = self.every_instance().find(|instance| {
            instance.network == *network && subnet.is_none_or(|subnet| instance.subnet == *subnet)
        });
        user.map(|instance| instance.key.clone())
    }

    pub(super) fn watch(&mut self, instance: InstanceKey, watcher: AbortHandle) {
        if let Some(old) = self.watchers.insert(instance, watcher) {
            old.abort();
        }
    }

    pub(super) fn is_watched(&self, instance: &InstanceKey) -> bool {
        self.watchers.get(instance).is_some_and(|watcher| !watcher.is_finished())
    }

    pub(super) fn unwatch(&mut self, instance: &InstanceKey) {
        if let Some(watcher) = self.watchers.remove(instance) {
            watcher.abort();
        }
    }

    pub(super) fn stop_watching(&mut self) {
        for (_, watcher) in self.watchers.drain() {
            watcher.abort();
        }
    }
}
