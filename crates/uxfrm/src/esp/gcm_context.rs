//! AES-GCM by a context that outlasts the packet. `EVP_AEAD` is stateless: for each packet it clears a context on the stack and
//! copies the key's tables there, which takes some 15 ns. `EVP_CIPHER` keeps both, and must not be shared: whoever has many packets
//! for one key holds it meanwhile.

use super::EspError;
use super::aead::NONCE_LEN;
use super::algorithm::AeadCipher;
use aws_lc_sys as lc;
use std::ffi::c_int;
use std::ptr::{NonNull, null, null_mut};

/// A keyed context for both directions.
pub struct GcmContext {
    context: NonNull<lc::EVP_CIPHER_CTX>,
}

// SAFETY: `EVP_CIPHER_CTX` has no thread affinity, and is used through `&mut` alone.
unsafe impl Send for GcmContext {}

impl Drop for GcmContext {
    fn drop(&mut self) {
        // SAFETY: the pointer came from EVP_CIPHER_CTX_new and is freed once; freeing cleanses the key.
        unsafe { lc::EVP_CIPHER_CTX_free(self.context.as_ptr()) }
    }
}

impl GcmContext {
    /// `key` has the cipher's length. `None` for other ciphers than AES-GCM.
    pub fn new(cipher: AeadCipher, key: &[u8]) -> Option<Self> {
        // SAFETY: these return pointers to static tables.
        let method = unsafe {
            match cipher {
                AeadCipher::Aes128Gcm => lc::EVP_aes_128_gcm(),
                AeadCipher::Aes192Gcm => lc::EVP_aes_192_gcm(),
                AeadCipher::Aes256Gcm => lc::EVP_aes_256_gcm(),
                AeadCipher::ChaCha20Poly1305 => return None,
            }
        };
        if key.len() != cipher.key_len() {
            return None;
        }
        // SAFETY: no preconditions.
        let this = Self { context: NonNull::new(unsafe { lc::EVP_CIPHER_CTX_new() })? };
        // SAFETY: a live context; `key` has the length that the method reads; no IV yet. GCM's key schedule is the same for both
        // directions, which each packet names again.
        let ok = unsafe {
            lc::EVP_CipherInit_ex(this.context.as_ptr(), method, null_mut(), key.as_ptr(), null(), 1)
        };
        (ok == 1).then_some(this)
    }

    /// Begins a packet. Whether that could be.
    fn begin(&mut self, seals: bool, nonce: &[u8; NONCE_LEN], aad: &[u8]) -> bool {
        let context = self.context.as_ptr();
        // SAFETY: a live, keyed context whose IV has 12 bytes, GCM's default; `aad` is readable for its length, and no output is
        // asked for it.
        unsafe {
            lc::EVP_CipherInit_ex(context, null(), null_mut(), null(), nonce.as_ptr(), c_int::from(seals))
                == 1
                && lc::EVP_Cipher(context, null_mut(), aad.as_ptr(), aad.len()) == aad.len() as c_int
        }
    }

    /// As [`super::aead::Aead::seal`]; `plain` and `out` are of one length, `icv` has at most 16 bytes.
    pub fn seal(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        plain: &[u8],
        out: &mut [u8],
        icv: &mut [u8],
    ) -> Result<(), EspError> {
        if out.len() != plain.len() || !self.begin(true, nonce, aad) {
            return Err(EspError::Buffer);
        }
        let (context, get_tag) = (self.context.as_ptr(), lc::EVP_CTRL_AEAD_GET_TAG);
        // SAFETY: begun above; `out` takes as many bytes as `plain` has, and does not overlap it; without input the packet is
        // finished; the tag's first `icv.len()` bytes are copied, more than 16 are refused.
        let ok = unsafe {
            lc::EVP_Cipher(context, out.as_mut_ptr(), plain.as_ptr(), plain.len()) == plain.len() as c_int
                && lc::EVP_Cipher(context, null_mut(), null(), 0) == 0
                && lc::EVP_CIPHER_CTX_ctrl(context, get_tag, icv.len() as c_int, icv.as_mut_ptr().cast()) == 1
        };
        if ok { Ok(()) } else { Err(EspError::Buffer) }
    }

    /// As [`super::aead::Aead::open`].
    pub fn open(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        icv: &[u8],
    ) -> Result<(), EspError> {
        let (context, set_tag) = (self.context.as_ptr(), lc::EVP_CTRL_AEAD_SET_TAG);
        let (len, start) = (text.len(), text.as_mut_ptr());
        // SAFETY: the tag is read for `icv.len()` bytes, more than 16 are refused; `text` is decrypted in place, which GCM's
        // counter mode permits; without input the tag is compared, in constant time.
        let ok = self.begin(false, nonce, aad)
            && unsafe {
                lc::EVP_CIPHER_CTX_ctrl(context, set_tag, icv.len() as c_int, icv.as_ptr().cast_mut().cast())
                    == 1
                    && lc::EVP_Cipher(context, start, start, len) == len as c_int
                    && lc::EVP_Cipher(context, null_mut(), null(), 0) == 0
            };
        if ok {
            return Ok(());
        }
        // What is left on the thread's error queue would grow under a forger's flood.
        // SAFETY: no preconditions.
        unsafe { lc::ERR_clear_error() };
        Err(EspError::Integrity)
    }
}
