//! The API's words for algorithms.

use causeway_model::{DhGroup, Encryption, IkeVersion, Integrity};

macro_rules! words {
    ($($(#[$doc:meta])* $read:ident, $write:ident: $type:ty { $($word:literal = $value:expr),+ $(,)? })+) => {$(
        $(#[$doc])*
        pub fn $read(word: &str) -> Option<$type> {
            $(if word == $word { return Some($value); })+
            None
        }

        /// The word for it; empty for what this API has no word for.
        pub fn $write(value: $type) -> &'static str {
            $(if value == $value { return $word; })+
            ""
        }
    )+};
}

words! {
    /// Reads an encryption algorithm.
    encryption, encryption_word: Encryption {
        "aes" = Encryption::Aes128Cbc,
        "aes192" = Encryption::Aes192Cbc,
        "aes256" = Encryption::Aes256Cbc,
        "des" = Encryption::DesCbc,
        "3des" = Encryption::TripleDesCbc,
        "sm4" = Encryption::Sm4Cbc,
    }
    /// Reads an authentication algorithm.
    integrity, integrity_word: Integrity {
        "md5" = Integrity::Md5,
        "sha1" = Integrity::Sha1,
        "sha256" = Integrity::Sha256,
        "sha384" = Integrity::Sha384,
        "sha512" = Integrity::Sha512,
        "sm3" = Integrity::Sm3,
    }
    /// Reads a Diffie-Hellman group.
    group, group_word: DhGroup {
        "group1" = DhGroup(1),
        "group2" = DhGroup(2),
        "group5" = DhGroup(5),
        "group14" = DhGroup(14),
    }
}

/// The word for a connection without perfect forward secrecy.
pub const NO_PFS: &str = "disabled";

/// The word for the group of rekeyings.
pub fn pfs_word(group: Option<DhGroup>) -> &'static str {
    group.map_or(NO_PFS, group_word)
}

/// Reads version and mode.
pub fn version(version: &str, mode: &str) -> Option<IkeVersion> {
    match (version, mode) {
        ("ikev1", "main") => Some(IkeVersion::V1Main),
        ("ikev1", "aggressive") => Some(IkeVersion::V1Aggressive),
        ("ikev2", "main" | "aggressive") => Some(IkeVersion::V2),
        _ => None,
    }
}

/// The words for version and mode. IKEv2 has no modes; the API shows `main`.
pub fn version_words(version: IkeVersion) -> (&'static str, &'static str) {
    match version {
        IkeVersion::V1Main => ("ikev1", "main"),
        IkeVersion::V1Aggressive => ("ikev1", "aggressive"),
        IkeVersion::V2 => ("ikev2", "main"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for word in ["aes", "aes192", "aes256", "des", "3des", "sm4"] {
            assert_eq!(encryption_word(encryption(word).unwrap()), word);
        }
        for word in ["md5", "sha1", "sha256", "sha384", "sha512", "sm3"] {
            assert_eq!(integrity_word(integrity(word).unwrap()), word);
        }
        for word in ["group1", "group2", "group5", "group14"] {
            assert_eq!(group_word(group(word).unwrap()), word);
        }
        assert_eq!(pfs_word(None), "disabled");
        assert!(encryption("AES").is_none() && group("group15").is_none());
        assert_eq!(version("ikev2", "main"), Some(IkeVersion::V2));
        assert_eq!(version("ikev3", "main"), None);
    }
}
