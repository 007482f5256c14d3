//! The development key: made at the first start, kept sealed in the store, printed at every start.

use anyhow::{Context, bail};
use causeway_model::Secret;
use causeway_server::clock::random_u64;
use causeway_store::SqliteStore;

/// Name of the sealed text.
const NAME: &str = "development-key";
/// Characters of a key id after its prefix: both clouds' ids are letters and digits.
const ID_CHARS: usize = 20;
/// Characters of a key's secret.
const SECRET_CHARS: usize = 32;

/// An access key pair.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The key's id.
    pub id: String,
    /// The key's secret.
    pub secret: Secret,
}

impl std::str::FromStr for KeyPair {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self { id: id.to_owned(), secret: Secret::new(secret) })
            }
            _ => bail!("a key is written ID:SECRET"),
        }
    }
}

/// The key given on the command line, or the stored one, or a new one.
///
/// # Errors
/// When the store fails.
pub fn development_key(store: &SqliteStore, given: Option<KeyPair>) -> anyhow::Result<KeyPair> {
    if let Some(key) = given {
        return Ok(key);
    }
    if let Some(text) = store.secret(NAME).context("reading the development key")? {
        return text.parse();
    }
    let secret = Secret::new(random_text(SECRET_CHARS));
    let key = KeyPair { id: format!("AKID{}", random_text(ID_CHARS)), secret };
    let text = Secret::new(format!("{}:{}", key.id, key.secret.expose()));
    store.set_secret(NAME, text.expose()).context("keeping the development key")?;
    Ok(key)
}

fn random_text(chars: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..chars).map(|_| ALPHABET[(random_u64() % 62) as usize] as char).collect()
}
