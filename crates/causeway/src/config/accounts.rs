//! `[[accounts]]` and their keys.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use causeway_model::{AccountId, Secret};
use causeway_ops::{AccountSettings, Quota};
use causeway_server::{AccessKey, Keyring};
use serde::Deserialize;

/// The resource group of an account, until the operator names others.
const DEFAULT_RESOURCE_GROUP: &str = "rg-acfm000000000000";

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

fn yes() -> bool {
    true
}

/// Refuses accounts that are no accounts, and one that stands twice.
pub fn check(accounts: &[AccountConfig]) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for account in accounts {
        if account.id.is_empty() || !account.id.bytes().all(|b| b.is_ascii_digit()) {
            bail!("[[accounts]]: the id {:?} is no number, as the clouds' are", account.id);
        }
        if !seen.insert(&account.id) {
            bail!("[[accounts]]: account {} stands twice", account.id);
        }
        let mut groups = BTreeSet::new();
        if let Some(twice) = account.resource_groups.iter().find(|group| !groups.insert(&group.id)) {
            bail!("[[accounts]]: resource group {} of account {} stands twice", twice.id, account.id);
        }
    }
    Ok(())
}

/// The access keys of the accounts.
///
/// # Errors
/// When a key has no secret or stands twice, or its file can't be read.
pub fn keyring(accounts: &[AccountConfig]) -> anyhow::Result<Keyring> {
    let mut keyring = Keyring::default();
    for account in accounts {
        for key in &account.access_keys {
            let secret = match (&key.secret, &key.secret_file) {
                (Some(secret), None) => secret.0.clone(),
                (None, Some(path)) => {
                    let text = std::fs::read_to_string(path).with_context(|| {
                        format!("reading the secret of access key {} in {}", key.id, path.display())
                    })?;
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

impl AccountConfig {
    /// What the service is told.
    pub fn settings(&self) -> AccountSettings {
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
