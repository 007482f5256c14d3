//! AEAD ciphers by AWS-LC's `EVP_AEAD`, which (unlike aws-lc-rs) can truncate the GCM tag.

use super::EspError;
use super::algorithm::{AeadCipher, SALT_LEN};
use super::gcm_context::GcmContext;
use aws_lc_sys as lc;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

/// Nonce of GCM and of ChaCha20-Poly1305: 4 bytes of salt, 8 of IV.
pub const NONCE_LEN: usize = 12;

/// A keyed AEAD. Sealing and opening only read it, so threads may share it.
pub struct Aead {
    context: NonNull<lc::EVP_AEAD_CTX>,
    /// For one at a time, who has many packets. `None` where the cipher gains nothing by it.
    lasting: Option<Mutex<GcmContext>>,
    salt: [u8; SALT_LEN],
    icv: usize,
}

// SAFETY: `EVP_AEAD_CTX` has no thread affinity, and aead.h states that seal and open, which take it
// as const, may be called concurrently; nothing here mutates it between creation and drop.
unsafe impl Send for Aead {}
// SAFETY: as above.
unsafe impl Sync for Aead {}

impl Drop for Aead {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.salt);
        // SAFETY: the pointer came from EVP_AEAD_CTX_new and is freed once; the call cleanses the key.
        unsafe { lc::EVP_AEAD_CTX_free(self.context.as_ptr()) }
    }
}

impl Aead {
    /// `key` is the cipher's key with the salt behind it, as XFRM passes it. `None` where a length is wrong.
    pub fn new(cipher: AeadCipher, icv: usize, key: &[u8]) -> Option<Self> {
        if key.len() != cipher.key_len() + SALT_LEN || !cipher.permits_icv(icv) {
            return None;
        }
        let (key, salt) = key.split_at(cipher.key_len());
        // SAFETY: these return pointers to static tables.
        let method = unsafe {
            match cipher {
                AeadCipher::Aes128Gcm => lc::EVP_aead_aes_128_gcm(),
                AeadCipher::Aes192Gcm => lc::EVP_aead_aes_192_gcm(),
                AeadCipher::Aes256Gcm => lc::EVP_aead_aes_256_gcm(),
                AeadCipher::ChaCha20Poly1305 => lc::EVP_aead_chacha20_poly1305(),
            }
        };
        // SAFETY: `key` is readable for its length; the function copies it.
        let context = unsafe { lc::EVP_AEAD_CTX_new(method, key.as_ptr(), key.len(), icv) };
        let context = NonNull::new(context)?;
        let lasting = GcmContext::new(cipher, key).map(Mutex::new);
        Some(Self { context, lasting, salt: salt.try_into().ok()?, icv })
    }

    /// The lasting context, if there is one and nobody else holds it. One that was held in a panic may be in the middle of a
    /// packet: it is poisoned, and not used again.
    pub fn hold(&self) -> Option<MutexGuard<'_, GcmContext>> {
        self.lasting.as_ref()?.try_lock().ok()
    }

    fn nonce(&self, iv: [u8; 8]) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT_LEN].copy_from_slice(&self.salt);
        nonce[SALT_LEN..].copy_from_slice(&iv);
        nonce
    }

    /// Encrypts `plain` into `out` and writes the check value to `icv`, by a context that [`Aead::hold`] gave if there is one.
    ///
    /// # Errors
    /// [`EspError::Buffer`] where the lengths do not fit together.
    pub fn seal(
        &self,
        held: Option<&mut GcmContext>,
        iv: [u8; 8],
        aad: &[u8],
        plain: &[u8],
        out: &mut [u8],
        icv: &mut [u8],
    ) -> Result<(), EspError> {
        if out.len() != plain.len() || icv.len() != self.icv {
            return Err(EspError::Buffer);
        }
        let nonce = self.nonce(iv);
        if let Some(context) = held {
            return context.seal(&nonce, aad, plain, out, icv);
        }
        let mut written = 0;
        // SAFETY: all pointers are valid for the lengths given; `out` and `plain` are distinct borrows, so
        // they do not overlap; `icv` takes at most `icv.len()` bytes.
        let ok = unsafe {
            lc::EVP_AEAD_CTX_seal_scatter(
                self.context.as_ptr(),
                out.as_mut_ptr(),
                icv.as_mut_ptr(),
                &mut written,
                icv.len(),
                nonce.as_ptr(),
                nonce.len(),
                plain.as_ptr(),
                plain.len(),
                std::ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        if ok == 1 && written == self.icv { Ok(()) } else { Err(EspError::Buffer) }
    }

    /// Decrypts `text` in place if `icv` is right; else `text` holds nothing of use.
    ///
    /// # Errors
    /// [`EspError::Integrity`].
    pub fn open(
        &self,
        held: Option<&mut GcmContext>,
        iv: [u8; 8],
        aad: &[u8],
        text: &mut [u8],
        icv: &[u8],
    ) -> Result<(), EspError> {
        if icv.len() != self.icv {
            return Err(EspError::Integrity);
        }
        let nonce = self.nonce(iv);
        if let Some(context) = held {
            return context.open(&nonce, aad, text, icv);
        }
        // SAFETY: pointers are valid for their lengths; aead.h permits `out == in` for open.
        let ok = unsafe {
            lc::EVP_AEAD_CTX_open_gather(
                self.context.as_ptr(),
                text.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                text.as_ptr(),
                text.len(),
                icv.as_ptr(),
                icv.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        if ok == 1 {
            return Ok(());
        }
        // A wrong tag leaves an entry on the thread's error queue, which would grow under a forger's flood.
        // SAFETY: no preconditions.
        unsafe { lc::ERR_clear_error() };
        Err(EspError::Integrity)
    }
}
