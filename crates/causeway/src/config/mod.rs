//! `causeway.toml`: what the operator may set. All of it is optional.

mod accounts;
mod limits;
mod rate_limits;
mod regions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use causeway_dialect::Dialect;
use causeway_model::DialectId;
use causeway_ops::Settings;
use causeway_server::Keyring;
use ipnet::IpNet;
use serde::Deserialize;

use accounts::AccountConfig;
use limits::LimitsConfig;
use rate_limits::RateLimitsConfig;
use regions::RegionConfig;

/// The account that the development key belongs to.
pub const DEVELOPMENT_ACCOUNT: &str = "1000000000000001";
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
    /// When an API or action is named that there is not, something stands twice or lacks its parts, or the pools are
    /// not IPv4 ranges apart from each other.
    pub fn settings(&self, dialects: &[Arc<dyn Dialect>]) -> anyhow::Result<Settings> {
        accounts::check(&self.accounts)?;
        self.check_actions(dialects)?;
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
            regions::check(name, regions)?;
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
        accounts::keyring(&self.accounts)
    }

    /// A limit of an action that there is not would limit nothing.
    fn check_actions(&self, dialects: &[Arc<dyn Dialect>]) -> anyhow::Result<()> {
        let known: BTreeSet<_> =
            dialects.iter().flat_map(|dialect| dialect.actions()).map(|it| it.name).collect();
        match self.rate_limits.actions().find(|action| !known.iter().any(|name| name == action)) {
            Some(action) => bail!("[rate_limits]: no API has an action {action}"),
            None => Ok(()),
        }
    }
}

/// Two pools with an address in common would give it out twice; gateways have IPv4 addresses.
fn check_pools(pools: &[IpNet]) -> anyhow::Result<()> {
    if pools.is_empty() {
        bail!("public_pools: without an address no gateway can be made; leave it out for the default pools");
    }
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

#[cfg(test)]
mod tests;
