//! Who has an address, and which tunnels look at each other.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use causeway_plan::{Instance, InstanceKey, NetworkKey, SubnetKey, TunnelKey};

/// The address of an instance, and the peer that a tunnel there is for (`None`: any).
pub(super) type Pair = (IpAddr, Option<IpAddr>);

#[derive(Default)]
pub(super) struct Index {
    public: HashMap<IpAddr, InstanceKey>,
    private: HashMap<(NetworkKey, IpAddr), InstanceKey>,
    in_subnet: HashMap<(NetworkKey, SubnetKey), BTreeSet<InstanceKey>>,
    by_pair: HashMap<Pair, BTreeSet<TunnelKey>>,
    by_remote: HashMap<IpAddr, BTreeSet<TunnelKey>>,
}

impl Index {
    pub(super) fn add_instance(&mut self, instance: &Instance) {
        let key = &instance.key;
        self.public.insert(instance.public_ip, key.clone());
        self.private.insert((instance.network.clone(), instance.private_ip), key.clone());
        let subnet = (instance.network.clone(), instance.subnet.clone());
        self.in_subnet.entry(subnet).or_default().insert(key.clone());
    }

    pub(super) fn remove_instance(&mut self, instance: &Instance) {
        self.public.remove(&instance.public_ip);
        self.private.remove(&(instance.network.clone(), instance.private_ip));
        let subnet = (instance.network.clone(), instance.subnet.clone());
        remove_from(&mut self.in_subnet, subnet, &instance.key);
    }

    pub(super) fn add_tunnel(&mut self, key: &TunnelKey, pair: Pair) {
        self.by_pair.entry(pair).or_default().insert(key.clone());
        if let Some(remote) = pair.1 {
            self.by_remote.entry(remote).or_default().insert(key.clone());
        }
    }

    pub(super) fn remove_tunnel(&mut self, key: &TunnelKey, pair: Pair) {
        remove_from(&mut self.by_pair, pair, key);
        if let Some(remote) = pair.1 {
            remove_from(&mut self.by_remote, remote, key);
        }
    }

    pub(super) fn public_holder(&self, address: IpAddr) -> Option<&InstanceKey> {
        self.public.get(&address)
    }

    pub(super) fn private_holder(&self, network: &NetworkKey, address: IpAddr) -> Option<&InstanceKey> {
        self.private.get(&(network.clone(), address))
    }

    pub(super) fn user_of_subnet(&self, network: &NetworkKey, subnet: &SubnetKey) -> Option<&InstanceKey> {
        self.in_subnet.get(&(network.clone(), subnet.clone()))?.first()
    }

    /// The tunnels that are for the peer at `address`.
    pub(super) fn tunnels_towards(&self, address: IpAddr) -> impl Iterator<Item = &TunnelKey> {
        self.by_remote.get(&address).into_iter().flatten()
    }

    /// The tunnels that a tunnel with this pair of addresses could meet.
    pub(super) fn candidates(&self, (local, remote): Pair) -> Vec<&TunnelKey> {
        match remote {
            Some(remote) => {
                let theirs = [(remote, Some(local)), (remote, None)];
                theirs.iter().filter_map(|pair| self.by_pair.get(pair)).flatten().collect()
            }
            None => self.tunnels_towards(local).collect(),
        }
    }
}

fn remove_from<K: std::hash::Hash + Eq, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: K, value: &V) {
    if let Some(set) = map.get_mut(&key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(&key);
        }
    }
}
