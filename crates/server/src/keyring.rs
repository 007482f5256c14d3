//! Access keys: who may sign as which account.

use std::collections::HashMap;

use causeway_model::{AccountId, Secret};

/// One access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The secret it signs with.
    pub secret: Secret,
    /// The account it signs for.
    pub account: AccountId,
}

/// Every access key by its id.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: HashMap<String, AccessKey>,
}

impl Keyring {
    /// Adds a key; of equal ids the last one counts.
    pub fn add(&mut self, id: impl Into<String>, key: AccessKey) {
        self.keys.insert(id.into(), key);
    }

    /// The key with an id.
    pub fn get(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id)
    }
}
