//! HMAC by AWS-LC, keyed once and copied per packet, so that the key's two blocks are hashed only once.

use super::algorithm::Hash;
use aws_lc_sys as lc;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use subtle::ConstantTimeEq;

/// Longest HMAC (SHA2-512), in bytes.
const MAX_LEN: usize = 64;

/// A keyed HMAC whose output is truncated to the check value. Threads may share it.
pub struct Mac {
    keyed: NonNull<lc::HMAC_CTX>,
    icv: usize,
}

// SAFETY: the context is only read (copied) after creation and has no thread affinity.
unsafe impl Send for Mac {}
// SAFETY: as above.
unsafe impl Sync for Mac {}

impl Drop for Mac {
    fn drop(&mut self) {
        // SAFETY: came from HMAC_CTX_new, freed once; the call cleanses the key's state.
        unsafe { lc::HMAC_CTX_free(self.keyed.as_ptr()) }
    }
}

impl Mac {
    /// `icv` is the length of the check value in bytes. `None` where it or the key's length is wrong:
    /// keys shorter than 16 or longer than 128 bytes are refused.
    pub fn new(hash: Hash, icv: usize, key: &[u8]) -> Option<Self> {
        if icv < 8 || icv > hash.output_len() || key.len() < 16 || key.len() > 128 {
            return None;
        }
        // SAFETY: static tables.
        let digest = unsafe {
            match hash {
                Hash::Md5 => lc::EVP_md5(),
                Hash::Sha1 => lc::EVP_sha1(),
                Hash::Sha256 => lc::EVP_sha256(),
                Hash::Sha384 => lc::EVP_sha384(),
                Hash::Sha512 => lc::EVP_sha512(),
            }
        };
        // SAFETY: HMAC_CTX_new returns null or an initialised context; the key is readable for its length.
        unsafe {
            let keyed = NonNull::new(lc::HMAC_CTX_new())?;
            let this = Self { keyed, icv };
            let ok = lc::HMAC_Init_ex(
                keyed.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                digest,
                std::ptr::null_mut(),
            );
            (ok == 1).then_some(this)
        }
    }

    fn compute(&self, parts: [&[u8]; 2]) -> [u8; MAX_LEN] {
        let mut out = [0; MAX_LEN];
        let mut len = 0;
        let mut context = MaybeUninit::<lc::HMAC_CTX>::uninit();
        // SAFETY: HMAC_CTX_init makes the context valid and HMAC_CTX_copy_ex takes over the keyed state, which
        // is never written after `new`. `out` has room for the longest digest. Cleanup cleanses the copy.
        let ok = unsafe {
            lc::HMAC_CTX_init(context.as_mut_ptr());
            let context = context.as_mut_ptr();
            let mut ok = lc::HMAC_CTX_copy_ex(context, self.keyed.as_ptr());
            for part in parts {
                ok &= lc::HMAC_Update(context, part.as_ptr(), part.len());
            }
            ok &= lc::HMAC_Final(context, out.as_mut_ptr(), &mut len);
            lc::HMAC_CTX_cleanup(context);
            ok
        };
        // These calls fail only on misuse or lack of memory; a zero check value must never go out or pass.
        assert_eq!(ok, 1, "HMAC failed");
        out
    }

    /// Writes the check value of `data` followed by `tail` to `icv`, which has exactly its length.
    pub fn sign(&self, data: &[u8], tail: &[u8], icv: &mut [u8]) {
        icv.copy_from_slice(&self.compute([data, tail])[..self.icv]);
    }

    /// Compares in constant time.
    pub fn verify(&self, data: &[u8], tail: &[u8], icv: &[u8]) -> bool {
        icv.len() == self.icv && self.compute([data, tail])[..self.icv].ct_eq(icv).into()
    }
}
