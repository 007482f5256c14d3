//! What the operator of the service has set: regions, zones, addresses, quotas, accounts.

use std::collections::{BTreeMap, BTreeSet};

use causeway_model::{AccountId, DialectId, Gateway, Millis, Region, Term, Zone};
use ipnet::IpNet;
use serde::Deserialize;

use crate::quota::Quota;

/// Why no gateway can be placed in a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The zone has no gateways.
    NotOffered,
    /// The zone's gateways are sold out.
    SoldOut,
}

/// What the gateways of a region may lack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// BGP.
    Bgp,
    /// The setting of dead peer detection.
    Dpd,
    /// The setting of NAT traversal.
    NatTraversal,
}

/// A region of one API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionSettings {
    /// Its id, such as `cn-hangzhou`.
    pub id: Region,
    /// Its name for people.
    pub name: String,
    /// Its zones. A region with one zone lets both subnets of a gateway share it.
    pub zones: Vec<Zone>,
    /// Zones in which no gateway can be placed.
    pub closed_zones: BTreeMap<Zone, Closed>,
    /// What its gateways lack.
    pub lacks: BTreeSet<Lack>,
}

impl RegionSettings {
    /// A region in which every zone has gateways, and they lack nothing.
    pub fn new(id: impl Into<Region>, name: impl Into<String>, zones: Vec<Zone>) -> Self {
        let (closed_zones, lacks) = Default::default();
        Self { id: id.into(), name: name.into(), zones, closed_zones, lacks }
    }

    /// The zones in which a gateway can be placed.
    pub fn open_zones(&self) -> impl Iterator<Item = &Zone> {
        self.zones.iter().filter(|zone| !self.closed_zones.contains_key(zone))
    }
}

/// One account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountSettings {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Orders are paid as long as this is true (an account without funds gets the documented error).
    pub solvent: bool,
    /// Orders can be placed at all: the account has opened what they are billed by.
    pub billing: bool,
    /// Quotas other than the API's defaults.
    pub quotas: BTreeMap<Quota, u32>,
    /// Its resource groups: id and name. The first is the default group.
    pub resource_groups: Vec<(String, String)>,
}

impl AccountSettings {
    /// An account with funds, the API's default quotas and no resource groups.
    pub fn new(id: impl Into<AccountId>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            solvent: true,
            billing: true,
            quotas: BTreeMap::new(),
            resource_groups: Vec::new(),
        }
    }

    /// Whether it has a resource group with an id.
    pub fn has_group(&self, id: &str) -> bool {
        self.resource_groups.iter().any(|(known, _)| known == id)
    }

    /// Whether a gateway of the account is locked at `now`: it is paid for after use and the account is without
    /// funds, or what was paid for is over.
    pub fn locks(&self, gateway: &Gateway, now: Millis) -> bool {
        match gateway.term(now, self.solvent) {
            Term::Open => !self.solvent,
            Term::Until(_) => false,
            Term::Over(_) => true,
        }
    }
}

/// What the operator has set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// The regions of each API; the first is the default.
    pub regions: BTreeMap<DialectId, Vec<RegionSettings>>,
    /// Pools of public addresses, used in this order.
    pub public_pools: Vec<IpNet>,
    /// The accounts.
    pub accounts: BTreeMap<AccountId, AccountSettings>,
}

impl Settings {
    /// A region of an API.
    pub fn region(&self, dialect: &DialectId, region: &Region) -> Option<&RegionSettings> {
        self.regions.get(dialect)?.iter().find(|known| known.id == *region)
    }

    /// No gateway has this, in any region of any API.
    pub fn lack_everywhere(&mut self, what: Lack) {
        for region in self.regions.values_mut().flatten() {
            region.lacks.insert(what);
        }
    }

    /// The regions of an API.
    pub fn regions(&self, dialect: &DialectId) -> &[RegionSettings] {
        self.regions.get(dialect).map_or(&[], Vec::as_slice)
    }

    /// Whether the gateways of a region lack something.
    pub fn lacks(&self, dialect: &DialectId, region: &Region, what: Lack) -> bool {
        self.region(dialect, region).is_some_and(|region| region.lacks.contains(&what))
    }

    /// Whether a gateway is locked at `now`, see [`AccountSettings::locks`].
    pub fn locks(&self, gateway: &Gateway, now: Millis) -> bool {
        self.accounts.get(&gateway.meta.owner).is_some_and(|owner| owner.locks(gateway, now))
    }

    /// Where a gateway stands at `now` in what it was paid for.
    pub fn term(&self, gateway: &Gateway, now: Millis) -> Term {
        let owner = self.accounts.get(&gateway.meta.owner);
        gateway.term(now, owner.is_some_and(|owner| owner.solvent))
    }
}
