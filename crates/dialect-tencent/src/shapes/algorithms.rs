//! The words for algorithms, both ways. IKE and IPsec spell the same ones differently.

use causeway_model::{DhGroup, Encryption, IkeVersion, Integrity};

/// Words and what they mean.
type Words<T> = [(&'static str, T)];

/// Encryption of IPsec.
pub const ESP_ENCRYPTION: [(&str, Encryption); 10] = [
    ("NULL", Encryption::Null),
    ("3DES-CBC", Encryption::TripleDesCbc),
    ("AES-CBC-128", Encryption::Aes128Cbc),
    ("AES-CBC-192", Encryption::Aes192Cbc),
    ("AES-CBC-256", Encryption::Aes256Cbc),
    ("DES-CBC", Encryption::DesCbc),
    ("SM4", Encryption::Sm4Cbc),
    ("AES128GCM128", Encryption::Aes128Gcm16),
    ("AES192GCM128", Encryption::Aes192Gcm16),
    ("AES256GCM128", Encryption::Aes256Gcm16),
];
/// Encryption of IKE: the same but for `NULL`, which is the first.
pub const IKE_ENCRYPTION: &Words<Encryption> = ESP_ENCRYPTION.split_at(1).1;
/// Integrity of IKE.
pub const IKE_INTEGRITY: [(&str, Integrity); 4] = [
    ("MD5", Integrity::Md5),
    ("SHA", Integrity::Sha1),
    ("SHA-256", Integrity::Sha256),
    ("SHA-512", Integrity::Sha512),
];
/// Integrity of IPsec.
pub const ESP_INTEGRITY: [(&str, Integrity); 6] = [
    ("MD5", Integrity::Md5),
    ("SHA1", Integrity::Sha1),
    ("SHA-256", Integrity::Sha256),
    ("SHA-512", Integrity::Sha512),
    ("SHA-384", Integrity::Sha384),
    ("SM3", Integrity::Sm3),
];

/// The groups of IKE, and those of perfect forward secrecy, whose words are the same with `DH-` before them.
macro_rules! groups {
    ($($number:literal),+) => {
        /// Groups of IKE.
        pub const IKE_GROUPS: &Words<DhGroup> = &[$((concat!("GROUP", $number), DhGroup($number))),+];
        /// Groups of perfect forward secrecy; `NULL`, the four letters, is none.
        pub const PFS_GROUPS: &Words<Option<DhGroup>> =
            &[("NULL", None), $((concat!("DH-GROUP", $number), Some(DhGroup($number)))),+];
    };
}

groups!(1, 2, 5, 14, 15, 16, 19, 20, 21, 24);

/// What a word means.
pub fn meaning<T: Copy>(words: &Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning)
}

/// The word for something; empty for what the API has no word for.
pub fn word<T: PartialEq>(words: &Words<T>, meaning: &T) -> &'static str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(word, _)| word)
}

/// The word for an IKE version.
pub fn ike_version(version: IkeVersion) -> &'static str {
    match version {
        IkeVersion::V1Main | IkeVersion::V1Aggressive => "IKEV1",
        IkeVersion::V2 => "IKEV2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back() {
        for &(text, it) in IKE_ENCRYPTION {
            assert_eq!((meaning(IKE_ENCRYPTION, text), word(IKE_ENCRYPTION, &it)), (Some(it), text));
        }
        for (text, it) in ESP_INTEGRITY {
            assert_eq!((meaning(&ESP_INTEGRITY, text), word(&ESP_INTEGRITY, &it)), (Some(it), text));
        }
        for &(text, it) in PFS_GROUPS {
            assert_eq!((meaning(PFS_GROUPS, text), word(PFS_GROUPS, &it)), (Some(it), text));
        }
        assert_eq!(
            (meaning(IKE_GROUPS, "GROUP14"), meaning(IKE_GROUPS, "DH-GROUP14")),
            (Some(DhGroup(14)), None)
        );
        assert_eq!(
            (meaning(IKE_ENCRYPTION, "NULL"), meaning(&ESP_ENCRYPTION, "NULL")),
            (None, Some(Encryption::Null))
        );
        assert_eq!(meaning(&IKE_INTEGRITY, "SHA1"), None);
        assert_eq!(meaning(&ESP_INTEGRITY, "SHA"), None);
    }
}
