//! What the operator of the service has set: regions, zones, addresses, quotas, accounts.

use std::collections::BTreeMap;

use causeway_model::{AccountId, DialectId, Region, Zone};
use ipnet::IpNet;

use crate::quota::Quota;

/// A region of one API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionSettings {
    /// Its id, such as `cn-hangzhou`.
    pub id: Region,
    /// Its name for people.
    pub name: String,
    /// Its zones. A region with one zone lets both subnets of a gateway share it.
    pub zones: Vec<Zone>,
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
    /// Quotas other than the API's defaults.
    pub quotas: BTreeMap<Quota, u32>,
    /// Its resource groups: id and name. The first is the default group.
    pub resource_groups: Vec<(String, String)>,
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

    /// The regions of an API.
    pub fn regions(&self, dialect: &DialectId) -> &[RegionSettings] {
        self.regions.get(dialect).map_or(&[], Vec::as_slice)
    }
}
