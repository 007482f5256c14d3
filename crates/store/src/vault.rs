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
/// What stands before a member that looks like [`SEALED_MEMBER`] but is the owner's own, such as a tag's key.
const ESCAPE: char = '$';
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
                keep(path, &*bytes)?;
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
        each_lone_text(value, &|name, text| match name {
            SECRET_MEMBER => Some(Some((SEALED_MEMBER.to_owned(), self.seal(context, text)?))),
            name if is_like_sealed(name) => Some(Some((format!("{ESCAPE}{name}"), text.to_owned()))),
            _ => Some(None),
        })
    }

    /// Opens every sealed text in a JSON tree.
    pub(crate) fn open_tree(&self, context: &str, value: &mut Value) -> Option<()> {
        each_lone_text(value, &|name, text| match name {
            SEALED_MEMBER => Some(Some((SECRET_MEMBER.to_owned(), self.open_text(context, text)?))),
            name if is_like_sealed(name) => {
                Some(Some((name.strip_prefix(ESCAPE)?.to_owned(), text.to_owned())))
            }
            _ => Some(None),
        })
    }
}

/// Writes a private file as a whole or not at all: half a key would keep the store closed for ever.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(dir)?.sync_all()
}

/// Whether a JSON text may hold a secret, sealed or not; to look closer is right where it does not, only slower.
pub(crate) fn may_hold_secrets(json: &str) -> bool {
    json.contains(SECRET_MEMBER) || json.contains(SEALED_MEMBER)
}

/// Whether a name is [`SEALED_MEMBER`], with or without escapes before it.
fn is_like_sealed(name: &str) -> bool {
    name.strip_suffix(SEALED_MEMBER).is_some_and(|escapes| escapes.chars().all(|char| char == ESCAPE))
}

/// What takes the place of an object's only member; the outer `None` is a failure, the inner one no change.
type Change<'a> = &'a dyn Fn(&str, &str) -> Option<Option<(String, String)>>;

/// Changes every object whose only member is a text.
fn each_lone_text(value: &mut Value, change: Change<'_>) -> Option<()> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_lone_text(item, change)),
        Value::Object(members) => {
            let mut lone = members.iter().take(2);
            if let (Some((name, Value::String(text))), None) = (lone.next(), lone.next()) {
                if let Some((name, text)) = change(name, text)? {
                    *members = Map::from_iter([(name, Value::String(text))]);
                }
                return Some(());
            }
            members.iter_mut().try_for_each(|(_, item)| each_lone_text(item, change))
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
    fn only_secrets_are_sealed_whatever_the_owners_words_are() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("key")).unwrap();
        let tree = serde_json::json!({
            "psk": {"$secret": "hunter2"},
            "tags": {"$sealed": "x"},
            "more": [{"$$sealed": "y"}, {"$secrets": "z"}, {"$sealed": "a", "b": "c"}, {"sealed": "d"}, {}],
        });
        let mut kept = tree.clone();
        vault.seal_tree("connection/1", &mut kept).unwrap();
        assert!(!kept.to_string().contains("hunter2"));
        vault.open_tree("connection/1", &mut kept).unwrap();
        assert_eq!(kept, tree);
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
