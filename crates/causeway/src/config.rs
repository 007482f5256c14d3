//! `causeway.toml`: what the operator may set. All of it is optional.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use causeway_dialect::Dialect;
use causeway_model::{AccountId, DialectId, Secret, Zone};
use causeway_ops::{AccountSettings, Closed, Lack, Quota, RegionSettings, Settings};
use causeway_server::{AccessKey, Keyring, RateLimits};
use ipnet::IpNet;
use serde::Deserialize;

mod limits;

pub use limits::LimitsConfig;

/// The account that the development key belongs to.
pub const DEVELOPMENT_ACCOUNT: &str = "1000000000000001";
/// Its resource group, until the operator names others.
const DEFAULT_RESOURCE_GROUP: &str = "rg-acfm000000000000";
/// Pools used when the operator names none: a documentation prefix first (RFC 5737), so that the first gateways
/// have addresses that everybody knows to be examples; then the benchmarking prefix (RFC 2544) and the shared one
/// (RFC 6598), which are never routed on the Internet either and hold over four million addresses.
const DEFAULT_POOLS: &[&str] = &["198.51.100.0/24", "198.18.0.0/15", "100.64.0.0/10"];

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Pools of public addresses.
    pub public_pools: Option<Vec<IpNet>>,
    /// Limits of calls: `false` for none, or calls in a second by action in place of the documented limits.
    pub rate_limits: RateLimitsConfig,
    /// Limits of connections.
    pub limits: LimitsConfig,
    /// Accounts besides the development account, or settings of that one.
    pub accounts: Vec<AccountConfig>,
    /// Regions by dialect; each list takes the place of the API's own regions.
    pub regions: BTreeMap<String, Vec<RegionConfig>>,
}

/// `rate_limits = false`, `rate_limits = true`, or `[rate_limits]` with calls in a second by action.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum RateLimitsConfig {
    /// All of them on or off.
    Switch(bool),
    /// On, with limits of the operator's own.
    Own(BTreeMap<String, u32>),
}

impl Default for RateLimitsConfig {
    fn default() -> Self {
        Self::Switch(true)
    }
}

impl RateLimitsConfig {
    /// What the server is told.
    pub fn rate_limits(&self) -> RateLimits {
        match self {
            Self::Switch(false) => RateLimits::Off,
            Self::Switch(true) => RateLimits::On(BTreeMap::new()),
            Self::Own(own) => RateLimits::On(own.clone()),
        }
    }
}

/// `[[accounts]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Its number.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Orders are paid as long as this is true.
    #[serde(default = "yes")]
    pub solvent: bool,
    /// Orders can be placed at all.
    #[serde(default = "yes")]
    pub billing: bool,
    /// Quotas other than the API's defaults.
    #[serde(default)]
    pub quotas: BTreeMap<Quota, u32>,
    /// Resource groups, the default one first.
    #[serde(default)]
    pub resource_groups: Vec<GroupConfig>,
    /// Access keys.
    #[serde(default)]
    pub access_keys: Vec<KeyConfig>,
}

/// `[[accounts.resource_groups]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// `[[accounts.access_keys]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// The key's id.
    pub id: String,
    /// The key's secret, in clear, or...
    pub secret: Option<PlainSecret>,
    /// ...the file that holds it.
    pub secret_file: Option<std::path::PathBuf>,
}

/// A secret written as a plain string.
#[derive(Clone, Debug)]
pub struct PlainSecret(pub Secret);

impl<'de> Deserialize<'de> for PlainSecret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// `[[regions.<dialect>]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionConfig {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its zones.
    pub zones: Vec<ZoneConfig>,
    /// What its gateways lack.
    #[serde(default)]
    pub lacks: BTreeSet<Lack>,
}

/// A zone: its id, or a table with more of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum ZoneConfig {
    /// A zone with gateways.
    Id(String),
    /// See [`ZoneTable`].
    Table(ZoneTable),
}

/// `{ id = "…", vpn_gateways = "…" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneTable {
    /// Its id.
    id: String,
    /// Whether it has gateways.
    #[serde(default)]
    vpn_gateways: Offer,
}

/// Whether a zone has gateways.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Offer {
    #[default]
    Offered,
    SoldOut,
    None,
}

impl ZoneConfig {
    fn id(&self) -> Zone {
        match self {
            Self::Id(id) | Self::Table(ZoneTable { id, .. }) => id.as_str().into(),
        }
    }

    /// Why no gateway can be placed in it, if so.
    fn closed(&self) -> Option<Closed> {
        match self {
            Self::Id(_) | Self::Table(ZoneTable { vpn_gateways: Offer::Offered, .. }) => None,
            Self::Table(ZoneTable { vpn_gateways: Offer::SoldOut, .. }) => Some(Closed::SoldOut),
            Self::Table(ZoneTable { vpn_gateways: Offer::None, .. }) => Some(Closed::NotOffered),
        }
    }
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads the file; without one everything is at its default.
    ///
    /// # Errors
    /// When the file can't be read or holds something unknown.
    pub fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            // The error's own text quotes the line, which may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow::anyhow!("{}, line {line}: {}", path.display(), error.message())
        })
    }

    /// The settings, with the defaults of the dialects.
    ///
    /// # Errors
    /// When a region list names no dialect, a region has no zone, or the pools are not IPv4 ranges apart from each
    /// other.
    pub fn settings(&self, dialects: &[Arc<dyn Dialect>]) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        for dialect in dialects {
            settings.regions.insert(dialect.id(), dialect.default_regions());
        }
        for (name, regions) in &self.regions {
            let id = DialectId::from(name.as_str());
            let Some(known) = settings.regions.get_mut(&id) else {
                let names: Vec<String> = dialects.iter().map(|dialect| dialect.id().to_string()).collect();
                bail!("[[regions.{name}]]: there is no such API; there are {}", names.join(" and "));
            };
            if let Some(region) = regions.iter().find(|region| region.zones.is_empty()) {
                bail!("[[regions.{name}]]: region {} needs at least one zone", region.id);
            }
            *known = regions.iter().map(RegionConfig::settings).collect();
        }
        settings.public_pools = match &self.public_pools {
            Some(pools) => {
                check_pools(pools)?;
                pools.clone()
            }
            None => DEFAULT_POOLS.iter().filter_map(|pool| pool.parse().ok()).collect(),
        };
        let development = AccountConfig {
            id: DEVELOPMENT_ACCOUNT.to_owned(),
            name: "development".to_owned(),
            solvent: true,
            billing: true,
            quotas: BTreeMap::new(),
            resource_groups: Vec::new(),
            access_keys: Vec::new(),
        };
        for account in std::iter::once(&development).chain(&self.accounts) {
            let account = account.settings();
            settings.accounts.insert(account.id.clone(), account);
        }
        Ok(settings)
    }

    /// The access keys of the file.
    ///
    /// # Errors
    /// When a key has no secret or stands twice, or its file can't be read.
    pub fn keyring(&self) -> anyhow::Result<Keyring> {
        let mut keyring = Keyring::default();
        for account in &self.accounts {
            for key in &account.access_keys {
                let secret = match (&key.secret, &key.secret_file) {
                    (Some(secret), None) => secret.0.clone(),
                    (None, Some(path)) => {
                        let text = std::fs::read_to_string(path)
                            .with_context(|| format!("reading the secret of access key {}", key.id))?;
                        Secret::new(text.trim())
                    }
                    _ => bail!("access key {} needs either `secret` or `secret_file`", key.id),
                };
                if key.id.is_empty() || secret.expose().is_empty() {
                    // Anybody could sign with it.
                    bail!("an access key of account {} has an empty id or secret", account.id);
                }
                if keyring.get(&key.id).is_some() {
                    bail!("access key {} stands twice", key.id);
                }
                keyring.add(&key.id, AccessKey { secret, account: AccountId::from(account.id.as_str()) });
            }
        }
        Ok(keyring)
    }
}

/// Two pools with an address in common would give it out twice; gateways have IPv4 addresses.
fn check_pools(pools: &[IpNet]) -> anyhow::Result<()> {
    for (place, pool) in pools.iter().enumerate() {
        if !matches!(pool, IpNet::V4(_)) {
            bail!("public_pools: {pool} is no IPv4 range");
        }
        let mut others = pools.iter().take(place);
        if let Some(other) = others.find(|other| other.contains(pool) || pool.contains(*other)) {
            bail!("public_pools: {pool} and {other} have addresses in common");
        }
    }
    Ok(())
}

impl RegionConfig {
    fn settings(&self) -> RegionSettings {
        let name = if self.name.is_empty() { self.id.clone() } else { self.name.clone() };
        let closed = self.zones.iter().filter_map(|zone| Some((zone.id(), zone.closed()?)));
        RegionSettings {
            closed_zones: closed.collect(),
            lacks: self.lacks.clone(),
            ..RegionSettings::new(self.id.as_str(), name, self.zones.iter().map(ZoneConfig::id).collect())
        }
    }
}

impl AccountConfig {
    fn settings(&self) -> AccountSettings {
        let mut resource_groups: Vec<(String, String)> =
            self.resource_groups.iter().map(|group| (group.id.clone(), group.name.clone())).collect();
        if resource_groups.is_empty() {
            resource_groups.push((DEFAULT_RESOURCE_GROUP.to_owned(), "Default Resource Group".to_owned()));
        }
        AccountSettings {
            id: self.id.as_str().into(),
            name: if self.name.is_empty() { self.id.clone() } else { self.name.clone() },
            solvent: self.solvent,
            billing: self.billing,
            quotas: self.quotas.clone(),
            resource_groups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_secret_and_one_account() {
        let keyring = |keys: &str| {
            let text = format!("[[accounts]]\nid = \"1\"\naccess_keys = [{keys}]\n");
            toml::from_str::<Config>(&text).unwrap().keyring()
        };
        assert!(keyring("{ id = \"a\", secret = \"s\" }").unwrap().get("a").is_some());
        for wrong in [
            "{ id = \"a\" }",
            "{ id = \"a\", secret = \"\" }",
            "{ id = \"\", secret = \"s\" }",
            "{ id = \"a\", secret = \"s\", secret_file = \"f\" }",
            "{ id = \"a\", secret = \"s\" }, { id = \"a\", secret = \"t\" }",
        ] {
            assert!(keyring(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn zones_are_ids_or_tables() {
        let text = "id = \"r\"\nlacks = [\"bgp\", \"nat_traversal\"]\nzones = [\"a\", { id = \"b\" }, \
                    { id = \"c\", vpn_gateways = \"sold_out\" }, { id = \"d\", vpn_gateways = \"none\" }]";
        let region = toml::from_str::<RegionConfig>(text).unwrap().settings();
        let zones: Vec<&str> = region.zones.iter().map(Zone::as_str).collect();
        assert_eq!(zones, ["a", "b", "c", "d"]);
        assert_eq!(region.open_zones().count(), 2);
        assert_eq!(region.closed_zones.get(&"c".into()), Some(&Closed::SoldOut));
        assert_eq!(region.closed_zones.get(&"d".into()), Some(&Closed::NotOffered));
        assert!(region.lacks.contains(&Lack::Bgp) && !region.lacks.contains(&Lack::Dpd));
        for wrong in ["zones = [{ id = \"a\", gateways = true }]", "zones = [\"a\"]\nlacks = [\"bfd\"]"] {
            assert!(toml::from_str::<RegionConfig>(&format!("id = \"r\"\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rate_limits_are_a_switch_or_a_table() {
        let read = |text: &str| toml::from_str::<Config>(text).map(|config| config.rate_limits.rate_limits());
        assert_eq!(read("").unwrap(), RateLimits::On(BTreeMap::new()));
        assert_eq!(read("rate_limits = false").unwrap(), RateLimits::Off);
        let own = RateLimits::On([("CreateVpc".to_owned(), 7)].into());
        assert_eq!(read("[rate_limits]\nCreateVpc = 7").unwrap(), own);
        assert!(read("rate_limits = \"fast\"").is_err());
    }

    #[test]
    fn pools_are_ipv4_and_apart() {
        let check = |pools: &[&str]| {
            check_pools(&pools.iter().map(|pool| pool.parse().unwrap()).collect::<Vec<IpNet>>())
        };
        assert!(check(&["198.51.100.0/24", "203.0.113.0/24"]).is_ok());
        assert!(check(DEFAULT_POOLS).is_ok());
        for wrong in [&["2001:db8::/32"][..], &["10.0.0.0/8", "10.1.0.0/16"], &["10.1.0.0/16", "10.0.0.0/8"]]
        {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_error_of_the_file_tells_where_it_is_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("causeway.toml");
        let key = "access_keys = [{ id = \"k\", secret = \"hunter2\", typo = 1 }]";
        std::fs::write(&path, format!("[[accounts]]\nid = \"1\"\n{key}\n")).unwrap();
        let error = format!("{:#}", Config::read(Some(&path)).unwrap_err());
        assert!(error.contains("line ") && error.contains("typo"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
