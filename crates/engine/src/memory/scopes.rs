//! What each scope holds. One is reached by its name alone: there is no way from one to the next, so that nothing costs
//! more with many gateways.

use std::collections::{BTreeMap, HashMap};

use causeway_plan::{Fingerprint, Object, ObjectKey, Scope, TunnelKey, TunnelStatus};

/// The objects of a scope, and how its tunnels are.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) objects: BTreeMap<ObjectKey, (Object, Fingerprint)>,
    pub(super) tunnels: BTreeMap<TunnelKey, TunnelStatus>,
}

/// All scopes that hold something.
#[derive(Default)]
pub(super) struct Scopes {
    by_name: HashMap<Scope, Contents>,
    /// How many scopes were looked at.
    #[cfg(test)]
    looks: std::sync::atomic::AtomicU64,
}

impl Scopes {
    pub(super) fn get(&self, scope: &Scope) -> Option<&Contents> {
        self.count(1);
        self.by_name.get(scope)
    }

    pub(super) fn get_mut(&mut self, scope: &Scope) -> Option<&mut Contents> {
        self.count(1);
        self.by_name.get_mut(scope)
    }

    pub(super) fn get_or_make(&mut self, scope: Scope) -> &mut Contents {
        self.count(1);
        self.by_name.entry(scope).or_default()
    }

    pub(super) fn remove(&mut self, scope: &Scope) {
        self.count(1);
        self.by_name.remove(scope);
    }

    /// The names of all of them: a look at each.
    pub(super) fn names(&self) -> Vec<Scope> {
        self.count(self.by_name.len());
        self.by_name.keys().cloned().collect()
    }

    fn count(&self, _looks: usize) {
        #[cfg(test)]
        self.looks.fetch_add(_looks as u64, std::sync::atomic::Ordering::Relaxed);
    }

    /// How many scopes were looked at since this was asked last.
    #[cfg(test)]
    pub(super) fn take_looks(&self) -> u64 {
        self.looks.swap(0, std::sync::atomic::Ordering::Relaxed)
    }
}
