//! From desired and observed state to ordered steps.

use std::collections::BTreeMap;

use crate::keys::{ObjectKey, Scope};
use crate::object::Object;
use crate::observed::Observed;

/// What a scope should hold. Objects of another scope, and objects whose parent in the scope is not
/// desired (a tunnel without its instance, a subnet without its network), are left out by [`plan`].
#[derive(Debug, Clone)]
pub struct Desired {
    pub scope: Scope,
    pub objects: Vec<Object>,
}

/// One step an engine can apply. Each is idempotent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes an object that was not observed.
    Create(Object),
    /// Changes an object in place; what hangs on it stays.
    Update(Object),
    /// Removes an object; one that is already gone counts as removed.
    Delete(ObjectKey),
}

impl Step {
    /// The object that this step names.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Create(object) | Self::Update(object) => object.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}

/// Ordered steps for one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub scope: Scope,
    pub steps: Vec<Step>,
}

impl Plan {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// The steps that turn what was observed into what is desired; none when they agree.
///
/// The order:
/// 1. deletions, children before parents (route, tunnel, instance, subnet, network), so that addresses
///    and interface ids are free before anybody else takes them;
/// 2. noun by noun from network to route, parents before children: first updates (an update may also
///    free an address), then creations.
///
/// Within a noun the order is that of the keys, so that equal inputs give equal plans. When `desired`
/// names an object twice the last one counts.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let in_scope: BTreeMap<ObjectKey, &Object> = desired
        .objects
        .iter()
        .map(|object| (object.key(), object))
        .filter(|(key, _)| key.scope() == desired.scope)
        .collect();
    let has_parent = |key: &ObjectKey| key.parent().is_none_or(|parent| in_scope.contains_key(&parent));
    let wanted: BTreeMap<&ObjectKey, &Object> =
        in_scope.iter().filter(|(key, _)| has_parent(key)).map(|(key, object)| (key, *object)).collect();

    // `ObjectKey` is ordered by noun in creation order, so its reverse is the order of deletion.
    let gone = observed.objects.keys().rev().filter(|key| !wanted.contains_key(*key));
    let mut steps: Vec<Step> = gone.map(|key| Step::Delete(key.clone())).collect();

    let mut changes: Vec<(u8, bool, Step)> = Vec::new();
    for (key, object) in &wanted {
        match observed.objects.get(*key) {
            None => changes.push((key.rank(), true, Step::Create((*object).clone()))),
            Some(seen) if *seen != observed.key.fingerprint(object) => {
                changes.push((key.rank(), false, Step::Update((*object).clone())));
            }
            Some(_) => {}
        }
    }
    // Stable: the order of the keys stays within a noun.
    changes.sort_by_key(|(rank, create, _)| (*rank, *create));
    steps.extend(changes.into_iter().map(|(_, _, step)| step));
    Plan { scope: desired.scope.clone(), steps }
}
