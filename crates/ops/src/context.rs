//! What deciding works with: the snapshot, the caller, the time, random numbers, and the writes so far.

use std::sync::Arc;

use causeway_model::{
    Connection, CustomerGateway, ExternalId, Gateway, Key, Kind, ListKey, Meta, Millis, Network, Record,
    Region, RouteTable, Subnet, Term, View, Write, limits,
};

use crate::operation::Label;
use crate::{Caller, Decision, Lack, OpError, Outcome, Quota, RegionSettings};

/// The state of one decision.
pub(crate) struct Context<'a> {
    pub view: &'a View,
    pub caller: &'a Caller,
    pub now: Millis,
    entropy: &'a mut dyn FnMut() -> u64,
    next_seq: u64,
    writes: Vec<Write>,
    minted: Vec<ExternalId>,
}

macro_rules! finders {
    ($($name:ident => $kind:ident),+ $(,)?) => {$(
        /// The caller's resource of this kind with an id.
        pub fn $name(&self, id: &ExternalId) -> Result<Arc<$kind>, OpError> {
            match self.find(Kind::$kind, id)? {
                Record::$kind(it) => Ok(it.clone()),
                _ => Err(OpError::NotFound { kind: Kind::$kind, id: id.clone() }),
            }
        }
    )+};
}

impl<'a> Context<'a> {
    pub fn new(view: &'a View, caller: &'a Caller, now: Millis, entropy: &'a mut dyn FnMut() -> u64) -> Self {
        Self { view, caller, now, entropy, next_seq: view.next_seq(), writes: Vec::new(), minted: Vec::new() }
    }

    finders! {
        network => Network,
        subnet => Subnet,
        table => RouteTable,
        gateway => Gateway,
        customer_gateway => CustomerGateway,
        connection => Connection,
    }

    /// The caller's record of a kind with an id: another account's, region's or API's does not exist for it.
    pub fn find(&self, kind: Kind, id: &ExternalId) -> Result<&'a Record, OpError> {
        self.find_in(&self.caller.region, kind, id)
    }

    /// The caller's record of a kind with an id in a region.
    pub fn find_in(&self, region: &Region, kind: Kind, id: &ExternalId) -> Result<&'a Record, OpError> {
        let is_there = |meta: &Meta| meta.owner == self.caller.account && meta.region == *region;
        self.view
            .by_external(&self.caller.dialect, kind, id)
            .filter(|record| record.meta().is_some_and(is_there))
            .ok_or_else(|| OpError::NotFound { kind, id: id.clone() })
    }

    /// The list of the caller's resources of a kind.
    pub fn list_key(&self, kind: Kind) -> ListKey {
        ListKey {
            owner: self.caller.account.clone(),
            dialect: self.caller.dialect.clone(),
            region: self.caller.region.clone(),
            kind,
        }
    }

    /// The connections of a gateway, in order of creation.
    pub fn connections_of(&self, gateway: &Gateway) -> impl Iterator<Item = &'a Connection> + use<'a> {
        self.view.children(gateway.id, Kind::Connection).filter_map(|record| match record {
            Record::Connection(it) => Some(&**it),
            _ => None,
        })
    }

    /// How many resources of a kind the caller has in its region.
    pub fn count(&self, kind: Kind) -> usize {
        self.view.list(&self.list_key(kind)).len()
    }

    /// Checks that one more of something fits into a quota.
    pub fn check_quota(&self, quota: Quota, present: usize, more: usize) -> Result<(), OpError> {
        match self.quota(quota) {
            Some(limit) if present + more > limit as usize => {
                Err(OpError::QuotaExceeded { quota, limit, present, more })
            }
            _ => Ok(()),
        }
    }

    /// The caller's value of a quota; `None` is unlimited.
    pub fn quota(&self, quota: Quota) -> Option<u32> {
        let account = self.caller.settings.accounts.get(&self.caller.account);
        let own = account.and_then(|account| account.quotas.get(&quota).copied());
        own.or_else(|| (self.caller.rules.quota)(quota))
    }

    /// A random number.
    pub fn random(&mut self) -> u64 {
        (self.entropy)()
    }

    /// An unused inner id of a kind.
    pub fn fresh_id(&mut self, kind: Kind) -> Result<u64, OpError> {
        for _ in 0..limits::ID_TRIES_MAX {
            let id = self.random() >> (64 - limits::ID_BITS);
            if self.view.record(Key { kind, id }).is_none() {
                return Ok(id);
            }
        }
        Err(OpError::NoFreeId)
    }

    /// The common part of a new resource: a new API id, the caller as owner, the label as given.
    pub fn fresh_meta(&mut self, kind: Kind, label: &Label) -> Result<Meta, OpError> {
        if let Some(limit) = self.quota(Quota::TagsPerResource)
            && label.tags.len() > limit as usize
        {
            return Err(OpError::TooManyTags { limit });
        }
        let external = self.mint(kind)?;
        let seq = self.next_seq;
        self.next_seq += 1;
        Ok(Meta {
            seq,
            owner: self.caller.account.clone(),
            dialect: self.caller.dialect.clone(),
            external,
            region: self.caller.region.clone(),
            name: label.name.clone(),
            description: label.description.clone(),
            resource_group: self.resource_group(label.resource_group.as_deref())?,
            created: self.now,
            tags: label.tags.iter().cloned().collect(),
            generation: 1,
            deleting: false,
            facet: label.facet.clone(),
        })
    }

    fn mint(&mut self, kind: Kind) -> Result<ExternalId, OpError> {
        for _ in 0..limits::ID_TRIES_MAX {
            let random = self.random();
            let id = (self.caller.rules.mint)(kind, &self.caller.region, random);
            let taken = self.view.by_external(&self.caller.dialect, kind, &id).is_some();
            if !taken && !self.minted.contains(&id) {
                self.minted.push(id.clone());
                return Ok(id);
            }
        }
        Err(OpError::NoFreeId)
    }

    /// The group asked for, or the account's default group.
    pub fn resource_group(&self, wanted: Option<&str>) -> Result<String, OpError> {
        if !self.caller.rules.has_resource_groups {
            return Ok(String::new());
        }
        let account = self.caller.settings.accounts.get(&self.caller.account);
        let groups = account.map_or(&[][..], |account| &account.resource_groups);
        match wanted {
            None => Ok(groups.first().map(|(id, _)| id.clone()).unwrap_or_default()),
            Some(id) if account.is_some_and(|account| account.has_group(id)) => Ok(id.to_owned()),
            Some(id) => Err(OpError::UnknownResourceGroup(id.to_owned())),
        }
    }

    /// Adds or replaces a record.
    pub fn put(&mut self, record: impl Into<Record>) {
        self.writes.push(Write::Put(record.into()));
    }

    /// Removes a record.
    pub fn delete(&mut self, key: impl Into<Key>) {
        self.writes.push(Write::Delete(key.into()));
    }

    /// The gateway itself shows that something of its changes, where the API says so.
    pub fn touch(&mut self, gateway: &Gateway) {
        if self.caller.rules.one_change_at_a_time {
            let mut touched = gateway.clone();
            touched.meta.generation += 1;
            self.put(touched);
        }
    }

    /// The decision with an outcome.
    pub fn decided(self, outcome: Outcome) -> Decision {
        Decision { writes: self.writes, outcome }
    }

    /// Refuses to change a gateway that is being deleted, made or, where the API allows one change at a time,
    /// changed.
    pub fn check_changeable(&self, gateway: &Gateway) -> Result<(), OpError> {
        use causeway_model::GatewayState::{Active, Deleting, Provisioning, Unpaid, Updating};
        let (kind, id) = (Kind::Gateway, gateway.meta.external.clone());
        match gateway.state() {
            Active => Ok(()),
            Updating if !self.caller.rules.one_change_at_a_time => Ok(()),
            Updating => Err(OpError::Busy { kind, id }),
            Provisioning | Deleting if self.caller.rules.one_change_at_a_time => {
                Err(OpError::Busy { kind, id })
            }
            Provisioning | Deleting | Unpaid => Err(OpError::WrongState { kind, id }),
        }
    }

    /// Where a gateway stands in what it was paid for.
    pub fn term(&self, gateway: &Gateway) -> Term {
        self.caller.settings.term(gateway, self.now)
    }

    /// Refuses to change a gateway that is locked.
    pub fn check_unlocked(&self, gateway: &Gateway) -> Result<(), OpError> {
        let is_locked = self.caller.settings.locks(gateway, self.now);
        if is_locked { Err(OpError::Locked(gateway.meta.external.clone())) } else { Ok(()) }
    }

    /// The caller's region.
    pub fn region(&self) -> Option<&'a RegionSettings> {
        self.caller.settings.region(&self.caller.dialect, &self.caller.region)
    }

    /// Refuses what the region's gateways lack.
    pub fn check_has(&self, what: Lack) -> Result<(), OpError> {
        let lacks = self.region().is_some_and(|region| region.lacks.contains(&what));
        if lacks { Err(OpError::Lacking(what)) } else { Ok(()) }
    }

    /// Refuses to take something off a gateway, or the gateway itself, while it can't be changed. One whose data
    /// plane is in trouble may never get out of its present state by itself: this is the way out.
    pub fn check_removable(&self, gateway: &Gateway) -> Result<(), OpError> {
        if !gateway.meta.deleting && !gateway.status.trouble.is_empty() {
            return Ok(());
        }
        self.check_changeable(gateway)
    }
}

/// Whether a resource is named as the parent the caller expects.
pub(crate) fn check_parent(
    view: &View,
    kind: Kind,
    id: &ExternalId,
    parent: impl Into<Key>,
    named: Option<&ExternalId>,
) -> Result<(), OpError> {
    match named {
        Some(named) if view.external(parent) != named.as_str() => {
            Err(OpError::WrongParent { kind, id: id.clone(), parent: named.clone() })
        }
        _ => Ok(()),
    }
}
