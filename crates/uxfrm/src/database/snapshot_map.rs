//! A map of which snapshots are taken after each change: a snapshot is one reference, and a change afterwards copies one
//! of 256 shards, not the map.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

const SHARDS: usize = 256;

/// Says in which shard a key lies. Keys should be spread evenly; where they are not, changes cost more.
pub trait Sharded {
    fn shard(&self) -> u8;
}

/// Folds bytes to one.
pub(crate) fn fold(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |folded: u8, byte| folded.rotate_left(3) ^ byte)
}

impl Sharded for u32 {
    fn shard(&self) -> u8 {
        fold(&self.to_be_bytes())
    }
}

impl Sharded for (IpAddr, u32) {
    fn shard(&self) -> u8 {
        let address = match self.0 {
            IpAddr::V4(v4) => fold(&v4.octets()),
            IpAddr::V6(v6) => fold(&v6.octets()),
        };
        address ^ self.1.shard()
    }
}

type Shard<K, V> = Option<Arc<HashMap<K, V>>>;

/// The map; its clone is a snapshot.
pub struct SnapshotMap<K, V> {
    shards: Arc<[Shard<K, V>; SHARDS]>,
    len: usize,
}

impl<K, V> Clone for SnapshotMap<K, V> {
    fn clone(&self) -> Self {
        Self { shards: self.shards.clone(), len: self.len }
    }
}

impl<K, V> Default for SnapshotMap<K, V> {
    fn default() -> Self {
        Self { shards: Arc::new([const { None }; SHARDS]), len: 0 }
    }
}

impl<K: Sharded + Hash + Eq + Clone, V: Clone> SnapshotMap<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.shards[usize::from(key.shard())].as_ref()?.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten().flat_map(|shard| shard.iter())
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn shard_mut(&mut self, key: &K) -> &mut Shard<K, V> {
        &mut Arc::make_mut(&mut self.shards)[usize::from(key.shard())]
    }

    /// The value of a key, to be changed; made if it is not there.
    pub fn entry(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        if self.get(key).is_none() {
            self.insert(key.clone(), V::default());
        }
        Arc::make_mut(self.shard_mut(key).get_or_insert_default()).entry(key.clone()).or_default()
    }

    /// Returns what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = Arc::make_mut(self.shard_mut(&key).get_or_insert_default()).insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Returns what was there.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        // Without it nothing is copied.
        self.get(key)?;
        let slot = self.shard_mut(key);
        let shard = Arc::make_mut(slot.as_mut()?);
        let old = shard.remove(key);
        if shard.is_empty() {
            *slot = None;
        }
        self.len -= usize::from(old.is_some());
        old
    }

    /// In how many shards two maps do not share memory.
    #[cfg(test)]
    pub fn shards_apart(&self, other: &Self) -> usize {
        let same = |(a, b): &(&Shard<K, V>, &Shard<K, V>)| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        self.shards.iter().zip(other.shards.iter()).filter(|pair| !same(pair)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_keeps_what_it_showed_and_shares_the_rest() {
        let mut map = SnapshotMap::default();
        for key in 0..5000u32 {
            assert_eq!(map.insert(key, key), None);
        }
        let before = map.clone();
        assert_eq!(map.insert(7, 70), Some(7));
        *map.entry(&7) += 1;
        assert_eq!(map.shards_apart(&before), 1);
        assert_eq!((map.get(&7), before.get(&7), map.len()), (Some(&71), Some(&7), 5000));
        assert_eq!(map.remove(&8), Some(8));
        assert_eq!(map.remove(&8), None);
        *map.entry(&9000) += 5;
        assert_eq!((map.len(), before.len()), (5000, 5000));
        assert_eq!((map.get(&8), before.get(&8), map.get(&9000)), (None, Some(&8), Some(&5)));
        for key in 0..9001 {
            map.remove(&key);
        }
        assert!(map.is_empty() && map.iter().next().is_none());
        assert_eq!(before.values().copied().max(), Some(4999));
    }
}
