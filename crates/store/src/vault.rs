//! Sealing secrets at rest: AES-256-GCM under a key file.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use causeway_model::secret::SECRET_MEMBER;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// The member that takes the place of [`SECRET_MEMBER`] in the store.
const SEALED_MEMBER: &str = "$sealed";
/// Octets of the key file.
const KEY_BYTES: usize = 32;

/// Seals and opens texts. Each is bound to a context (the record it stands in), so that a sealed text can't be
/// moved to another record.
pub struct Vault {
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// Opens the key file, or makes it (readable by its owner only) when there is none.
    ///
    /// # Errors
    /// When the file can't be read or made, or is not a key file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        match fs::read(path).map(Zeroizing::new) {
            Ok(found) if found.len() == KEY_BYTES => bytes.copy_from_slice(&found),
            Ok(found) => {
                let text = format!("{} holds {} octets, not {KEY_BYTES}", path.display(), found.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| io::Error::other("no random numbers"))?;
                let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(&*bytes)?;
                file.sync_all()?;
            }
            Err(error) => return Err(error),
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*bytes).map_err(|_| io::Error::other("bad key"))?;
        Ok(Self { key })
    }

    /// Seals a text.
    pub fn seal(&self, context: &str, text: &str) -> Option<String> {
        let mut buffer = text.as_bytes().to_vec();
        let aad = Aad::from(context.as_bytes());
        let nonce = self.key.seal_in_place_append_tag(aad, &mut buffer).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut buffer);
        Some(STANDARD.encode(sealed))
    }

    /// Opens what [`Vault::seal`] made; `None` when key, context or text are not the same.
    pub fn open_text(&self, context: &str, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let mut rest = bytes.split_off(bytes.len().min(NONCE_LEN));
        let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut rest).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Seals every secret in a JSON tree.
    pub(crate) fn seal_tree(&self, context: &str, value: &mut Value) -> Option<()> {
        each_secret(value, SECRET_MEMBER, SEALED_MEMBER, &|text| self.seal(context, text))
    }

    /// Opens every sealed text in a JSON tree.
    pub(crate) fn open_tree(&self, context: &str, value: &mut Value) -> Option<()> {
        each_secret(value, SEALED_MEMBER, SECRET_MEMBER, &|text| self.open_text(context, text))
    }
}

fn each_secret(
    value: &mut Value,
    from: &str,
    to: &str,
    change: &dyn Fn(&str) -> Option<String>,
) -> Option<()> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_secret(item, from, to, change)),
        Value::Object(members) => {
            if let (1, Some(Value::String(text))) = (members.len(), members.get(from)) {
                let changed = change(text)?;
                *members = Map::from_iter([(to.to_owned(), Value::String(changed))]);
                return Some(());
            }
            members.iter_mut().try_for_each(|(_, item)| each_secret(item, from, to, change))
        }
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_only_in_its_context_and_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("key")).unwrap();
        let sealed = vault.seal("connection/1", "hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        let again = Vault::open(&dir.path().join("key")).unwrap();
        assert_eq!(again.open_text("connection/1", &sealed).as_deref(), Some("hunter2"));
        assert_eq!(again.open_text("connection/2", &sealed), None);
        let other = Vault::open(&dir.path().join("other")).unwrap();
        assert_eq!(other.open_text("connection/1", &sealed), None);
        assert_eq!(again.open_text("connection/1", "AAAA"), None);
    }

    #[test]
    fn the_key_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Vault::open(&path).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
