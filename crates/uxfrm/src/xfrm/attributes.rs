//! Attributes that describe an SA's algorithms and its UDP encapsulation.

use super::constants::*;
use super::wire::{Errno, Reader, Writer, attributes};
use crate::esp::algorithm::{AeadCipher, Algorithm, Cipher, Hash, canonical_name};
use zeroize::Zeroizing;

/// Length of an algorithm's name, zero-padded.
const NAME_LEN: usize = 64;
/// Longest key accepted, in bytes.
const MAX_KEY_LEN: usize = 128;

/// The shortest value of an attribute, in bytes, by `xfrma_policy` of `net/xfrm/xfrm_user.c`; 0 for those that this is not said of.
fn shortest(kind: u16) -> usize {
    match kind {
        XFRMA_PROTO | XFRMA_SA_DIR => 1,
        XFRMA_IF_ID | XFRMA_TFCPAD | XFRMA_SA_EXTRA_FLAGS | XFRMA_SET_MARK | XFRMA_SET_MARK_MASK => 4,
        XFRMA_NAT_KEEPALIVE_INTERVAL | XFRMA_SA_PCPU => 4,
        XFRMA_POLICY_TYPE => 6,
        XFRMA_MARK | XFRMA_OFFLOAD_DEV => 8,
        XFRMA_REPLAY_VAL => 12,
        XFRMA_COADDR => 16,
        XFRMA_ENCAP | XFRMA_REPLAY_ESN_VAL => 24,
        XFRMA_LTIME_VAL => 32,
        XFRMA_TMPL => 64,
        XFRMA_ALG_AUTH | XFRMA_ALG_CRYPT | XFRMA_ALG_COMP => NAME_LEN + 4,
        XFRMA_ALG_AEAD | XFRMA_ALG_AUTH_TRUNC => NAME_LEN + 8,
        _ => 0,
    }
}

/// The attributes behind a request's fixed part.
///
/// # Errors
/// `ERANGE` where one is cut short, whether it is of use or not, as the kernel: a template that is no template would make a policy
/// one that lets everything pass.
pub fn complete_attributes(bytes: &[u8]) -> Result<impl Iterator<Item = (u16, &[u8])>, Errno> {
    if attributes(bytes).any(|(kind, value)| value.len() < shortest(kind)) {
        return Err(Errno(libc::ERANGE));
    }
    Ok(attributes(bytes))
}

/// One algorithm with its key: `xfrm_algo`, `xfrm_algo_auth` or `xfrm_algo_aead`.
#[derive(Clone)]
pub struct KeyedAlgorithm {
    pub name: String,
    pub key: Zeroizing<Vec<u8>>,
    /// Bits of the check value; `None` in the forms that have no such field.
    pub icv_bits: Option<u32>,
}

impl KeyedAlgorithm {
    /// # Errors
    /// `EINVAL` where the value is too short for its key.
    pub fn read(value: &[u8], has_icv: bool) -> Result<Self, Errno> {
        let mut reader = Reader::new(value);
        let name = reader.bytes(NAME_LEN)?;
        let end = name.iter().position(|b| *b == 0).ok_or(Errno(libc::EINVAL))?;
        let name = std::str::from_utf8(&name[..end]).map_err(|_| Errno(libc::EINVAL))?.to_owned();
        let key_len = (reader.u32()? as usize).div_ceil(8);
        let icv_bits = if has_icv { Some(reader.u32()?) } else { None };
        if key_len > MAX_KEY_LEN {
            return Err(Errno(libc::EINVAL));
        }
        Ok(Self { name, key: Zeroizing::new(reader.bytes(key_len)?.to_vec()), icv_bits })
    }

    fn write(&self, writer: &mut Writer, icv_bits: Option<u32>) {
        let name = canonical_name(&self.name).as_bytes();
        writer.bytes(name).zeros(NAME_LEN - name.len()).u32(self.key.len() as u32 * 8);
        if let Some(bits) = icv_bits {
            writer.u32(bits);
        }
        writer.bytes(&self.key);
    }
}

/// The algorithms of an SA, as they came.
#[derive(Clone, Default)]
pub struct Algorithms {
    pub aead: Option<KeyedAlgorithm>,
    pub crypt: Option<KeyedAlgorithm>,
    pub auth: Option<KeyedAlgorithm>,
}

impl Algorithms {
    /// Which transform this is.
    ///
    /// # Errors
    /// `EINVAL` for a combination that the kernel refuses (no algorithm, AEAD with others, a cipher without
    /// integrity), `ENOSYS` for an algorithm or key length that is not implemented: the kernel's answer to an
    /// unknown name.
    pub fn resolve(&self) -> Result<Algorithm, Errno> {
        let (invalid, unknown) = (Errno(libc::EINVAL), Errno(libc::ENOSYS));
        match (&self.aead, &self.crypt, &self.auth) {
            (Some(aead), None, None) => {
                let cipher = AeadCipher::from_xfrm(&aead.name, aead.key.len() * 8).ok_or(unknown)?;
                let bits = aead.icv_bits.unwrap_or(128) as usize;
                let icv = bits / 8;
                let is_known = bits.is_multiple_of(8) && cipher.permits_icv(icv);
                if is_known { Ok(Algorithm::Aead { cipher, icv }) } else { Err(unknown) }
            }
            (None, Some(crypt), Some(auth)) => {
                let cipher = Cipher::from_xfrm(&crypt.name, crypt.key.len() * 8).ok_or(unknown)?;
                let hash = Hash::from_xfrm(&auth.name).ok_or(unknown)?;
                let icv = match auth.icv_bits {
                    None | Some(0) => hash.default_icv(),
                    Some(bits) => bits as usize / 8,
                };
                if icv > hash.output_len() {
                    return Err(invalid);
                }
                Ok(Algorithm::CipherAndMac { cipher, hash, icv })
            }
            // ESP without integrity is never right (RFC 4303 section 3.2.2 lets it be refused).
            (None, Some(_), None) => Err(unknown),
            _ => Err(invalid),
        }
    }

    /// Keys for [`crate::esp::transform::Transform::new`]: cipher and MAC.
    pub fn keys(&self) -> (&[u8], &[u8]) {
        let cipher = self.aead.as_ref().or(self.crypt.as_ref());
        (cipher.map_or(&[][..], |a| &a.key[..]), self.auth.as_ref().map_or(&[][..], |a| &a.key[..]))
    }

    /// Writes the attributes as the kernel's GETSA does: an auth algorithm in both forms.
    pub fn write(&self, writer: &mut Writer) {
        if let Some(aead) = &self.aead {
            writer.attribute(XFRMA_ALG_AEAD, |w| aead.write(w, Some(aead.icv_bits.unwrap_or(128))));
        }
        if let Some(auth) = &self.auth {
            writer.attribute(XFRMA_ALG_AUTH, |w| auth.write(w, None));
            let default = Hash::from_xfrm(&auth.name).map_or(0, |h| h.default_icv() as u32 * 8);
            let bits = auth.icv_bits.filter(|b| *b > 0).unwrap_or(default);
            writer.attribute(XFRMA_ALG_AUTH_TRUNC, |w| auth.write(w, Some(bits)));
        }
        if let Some(crypt) = &self.crypt {
            writer.attribute(XFRMA_ALG_CRYPT, |w| crypt.write(w, None));
        }
    }
}

/// `struct xfrm_encap_tmpl`: ESP in UDP (RFC 3948).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encapsulation {
    pub kind: u16,
    pub source_port: u16,
    pub destination_port: u16,
    pub original: [u8; 16],
}

impl Encapsulation {
    /// # Errors
    /// `EINVAL` where bytes are missing or for a kind that there is not, `ENOPROTOOPT` for those that are not implemented.
    pub fn read(value: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(value);
        let (kind, source_port, destination_port) = (reader.u16()?, reader.be16()?, reader.be16()?);
        reader.skip(2)?;
        match kind {
            UDP_ENCAP_ESPINUDP => {}
            UDP_ENCAP_ESPINUDP_NON_IKE | TCP_ENCAP_ESPINTCP => return Err(Errno(libc::ENOPROTOOPT)),
            _ => return Err(Errno(libc::EINVAL)),
        }
        Ok(Self { kind, source_port, destination_port, original: reader.array()? })
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.attribute(XFRMA_ENCAP, |w| {
            w.u16(self.kind)
                .be16(self.source_port)
                .be16(self.destination_port)
                .zeros(2)
                .bytes(&self.original);
        });
    }
}

/// A mark and its mask.
pub type Mark = (u32, u32);

/// # Errors
/// `EINVAL` where bytes are missing.
pub fn read_mark(value: &[u8]) -> Result<Mark, Errno> {
    let mut reader = Reader::new(value);
    Ok((reader.u32()?, reader.u32()?))
}

/// Whether a mask leaves a mark without effect.
pub fn mark_is_set(mark: Mark) -> bool {
    mark != (0, 0)
}
