//! The algorithms, with the names that the kernel's XFRM interface and strongSwan use for them.

/// An enumeration whose members are listed in `ALL`, so that what must hold for each of them can be tested for each of them.
macro_rules! listed {
    ($(#[$about:meta])* $name:ident { $($member:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($member),+
        }

        impl $name {
            /// Every member.
            pub const ALL: &[Self] = &[$(Self::$member),+];
        }
    };
}

listed! {
    /// An AEAD cipher for ESP (RFC 4106, RFC 7634). The key carries a 4-byte salt at its end.
    AeadCipher {
        Aes128Gcm,
        Aes192Gcm,
        Aes256Gcm,
        ChaCha20Poly1305,
    }
}

listed! {
    /// A cipher that needs a separate integrity algorithm.
    Cipher {
        Null,
        Aes128Cbc,
        Aes192Cbc,
        Aes256Cbc,
        TripleDesCbc,
        DesCbc,
    }
}

listed! {
    /// An integrity algorithm, by its hash; the length of its check value is separate.
    Hash {
        Md5,
        Sha1,
        Sha256,
        Sha384,
        Sha512,
    }
}

/// What one SA uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `icv` in bytes: 8, 12 or 16.
    Aead { cipher: AeadCipher, icv: usize },
    /// `icv` in bytes, the truncated HMAC.
    CipherAndMac { cipher: Cipher, hash: Hash, icv: usize },
}

/// Salt at the end of an AEAD key (RFC 4106 section 8.1), in bytes.
pub const SALT_LEN: usize = 4;

impl AeadCipher {
    /// Key length in bytes, without the salt.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes192Gcm => 24,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// By the kernel's name and key length in bits (salt included).
    pub fn from_xfrm(name: &str, key_bits: usize) -> Option<Self> {
        match (name, key_bits) {
            ("rfc4106(gcm(aes))", 160) => Some(Self::Aes128Gcm),
            ("rfc4106(gcm(aes))", 224) => Some(Self::Aes192Gcm),
            ("rfc4106(gcm(aes))", 288) => Some(Self::Aes256Gcm),
            ("rfc7539esp(chacha20,poly1305)", 288) => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Whether a check value of `icv` bytes may be used (RFC 4106 section 6, RFC 7634 section 2).
    pub fn permits_icv(self, icv: usize) -> bool {
        match self {
            Self::ChaCha20Poly1305 => icv == 16,
            _ => matches!(icv, 8 | 12 | 16),
        }
    }
}

impl Cipher {
    /// Key length in bytes.
    pub fn key_len(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc | Self::TripleDesCbc => 24,
            Self::Aes256Cbc => 32,
            Self::DesCbc => 8,
        }
    }

    /// Block length in bytes; also the length of the IV (none for NULL).
    pub fn block_len(self) -> usize {
        match self {
            Self::Null => 1,
            Self::TripleDesCbc | Self::DesCbc => 8,
            _ => 16,
        }
    }

    /// IV on the wire, in bytes.
    pub fn iv_len(self) -> usize {
        if self == Self::Null { 0 } else { self.block_len() }
    }

    /// By the kernel's name (strongSwan says `aes`, iproute2 `cbc(aes)`) and key length in bits.
    pub fn from_xfrm(name: &str, key_bits: usize) -> Option<Self> {
        match (name, key_bits) {
            ("aes" | "cbc(aes)", 128) => Some(Self::Aes128Cbc),
            ("aes" | "cbc(aes)", 192) => Some(Self::Aes192Cbc),
            ("aes" | "cbc(aes)", 256) => Some(Self::Aes256Cbc),
            ("des3_ede" | "cbc(des3_ede)", 192) => Some(Self::TripleDesCbc),
            ("des" | "cbc(des)", 64) => Some(Self::DesCbc),
            ("cipher_null" | "ecb(cipher_null)", _) => Some(Self::Null),
            _ => None,
        }
    }
}

impl Hash {
    /// Length of the whole HMAC in bytes; also of its key in ESP (RFC 2403, 2404, 4868).
    pub fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Truncated length in bytes where the message names none: as the kernel's defaults.
    pub fn default_icv(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            // The kernel keeps 96 bits for `XFRMA_ALG_AUTH` with SHA2-256, from an early draft of RFC 4868.
            Self::Sha256 => 12,
            Self::Sha384 => 24,
            Self::Sha512 => 32,
        }
    }

    /// Truncated length in bytes that IKE's number for the algorithm means (RFC 2403, 2404, 4868).
    pub fn ike_icv(self) -> usize {
        match self {
            Self::Sha256 => 16,
            other => other.default_icv(),
        }
    }

    /// By the kernel's name (strongSwan and iproute2 say `hmac(…)`; short forms are old synonyms).
    pub fn from_xfrm(name: &str) -> Option<Self> {
        match name {
            "hmac(md5)" | "md5" => Some(Self::Md5),
            "hmac(sha1)" | "sha1" => Some(Self::Sha1),
            "hmac(sha256)" | "sha256" => Some(Self::Sha256),
            "hmac(sha384)" | "sha384" => Some(Self::Sha384),
            "hmac(sha512)" | "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// The name that the kernel gives back for one of its synonyms.
pub fn canonical_name(name: &str) -> &str {
    match name {
        "aes" => "cbc(aes)",
        "des3_ede" => "cbc(des3_ede)",
        "des" => "cbc(des)",
        "cipher_null" => "ecb(cipher_null)",
        "md5" => "hmac(md5)",
        "sha1" => "hmac(sha1)",
        "sha256" => "hmac(sha256)",
        "sha384" => "hmac(sha384)",
        "sha512" => "hmac(sha512)",
        other => other,
    }
}

impl Algorithm {
    /// Every algorithm for ESP in every form that IKE has a number for (RFC 4106, 7634, 2403, 2404, 4868).
    pub fn all() -> Vec<Self> {
        let aead = AeadCipher::ALL.iter().flat_map(|&cipher| {
            let icvs = [8, 12, 16].into_iter().filter(move |&icv| cipher.permits_icv(icv));
            icvs.map(move |icv| Self::Aead { cipher, icv })
        });
        let separate = Cipher::ALL.iter().flat_map(|&cipher| {
            Hash::ALL.iter().map(move |&hash| Self::CipherAndMac { cipher, hash, icv: hash.ike_icv() })
        });
        aead.chain(separate).collect()
    }

    /// Bytes of key material for the cipher (salt included) and for the MAC.
    pub fn key_lens(self) -> (usize, usize) {
        match self {
            Self::Aead { cipher, .. } => (cipher.key_len() + SALT_LEN, 0),
            Self::CipherAndMac { cipher, hash, .. } => (cipher.key_len(), hash.output_len()),
        }
    }

    /// Check value on the wire, in bytes.
    pub fn icv_len(self) -> usize {
        match self {
            Self::Aead { icv, .. } | Self::CipherAndMac { icv, .. } => icv,
        }
    }

    /// IV on the wire, in bytes.
    pub fn iv_len(self) -> usize {
        match self {
            Self::Aead { .. } => 8,
            Self::CipherAndMac { cipher, .. } => cipher.iv_len(),
        }
    }

    /// The ciphertext is a multiple of this many bytes (RFC 4303 section 2.4: at least 4).
    pub fn alignment(self) -> usize {
        match self {
            Self::Aead { .. } => 4,
            Self::CipherAndMac { cipher, .. } => cipher.block_len().max(4),
        }
    }

    /// Whether the cipher's block is so short that a birthday bound is near (RFC 9206, "Sweet32").
    pub fn has_short_block(self) -> bool {
        matches!(self, Self::CipherAndMac { cipher: Cipher::TripleDesCbc | Cipher::DesCbc, .. })
    }
}
