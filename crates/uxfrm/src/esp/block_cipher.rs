//! Block ciphers in CBC mode without padding of their own (ESP pads), by AWS-LC.
//!
//! AES runs on the CPU's AES instructions or AWS-LC's constant-time code. DES and 3DES are AWS-LC's
//! table-driven code: kept only because clouds still default to them, and slow.

use super::EspError;
use super::algorithm::Cipher;
use aws_lc_sys as lc;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroize;

/// A keyed cipher, readable by many threads.
pub struct BlockCipher {
    schedule: Schedule,
}

enum Schedule {
    Null,
    Aes { encrypt: Box<lc::AES_KEY>, decrypt: Box<lc::AES_KEY> },
    Des { encrypt: Mutex<EvpCipher>, decrypt: Mutex<EvpCipher> },
}

/// DES is reached through EVP, whose context holds the IV too: hence the mutex around it. A lock costs little
/// beside DES.
struct EvpCipher(NonNull<lc::EVP_CIPHER_CTX>);

// SAFETY: an EVP_CIPHER_CTX has no thread affinity; the mutex around it excludes concurrent use.
unsafe impl Send for EvpCipher {}

impl Drop for EvpCipher {
    fn drop(&mut self) {
        // SAFETY: came from EVP_CIPHER_CTX_new, freed once; the call cleanses the key.
        unsafe { lc::EVP_CIPHER_CTX_free(self.0.as_ptr()) }
    }
}

impl EvpCipher {
    fn new(method: *const lc::EVP_CIPHER, key: &[u8], encrypt: bool) -> Option<Self> {
        // SAFETY: `method` is a static table whose key length is `key.len()` (the caller matched the cipher);
        // null results are handled; padding is off, so EVP_Cipher works on whole blocks only.
        unsafe {
            let context = Self(NonNull::new(lc::EVP_CIPHER_CTX_new())?);
            let raw = context.0.as_ptr();
            let none = std::ptr::null_mut();
            let direction = i32::from(encrypt);
            let ok = lc::EVP_CipherInit_ex(raw, method, none, key.as_ptr(), std::ptr::null(), direction);
            (ok == 1 && lc::EVP_CIPHER_CTX_set_padding(raw, 0) == 1).then_some(context)
        }
    }

    /// # Safety
    /// As [`BlockCipher::crypt`]; `iv` has 8 bytes and `len` is a multiple of 8.
    unsafe fn crypt(
        &mut self,
        iv: &[u8; 8],
        input: *const u8,
        out: *mut u8,
        len: usize,
    ) -> Result<(), EspError> {
        let raw = self.0.as_ptr();
        let len = u32::try_from(len).map_err(|_| EspError::Length)?;
        // SAFETY: the context is keyed; a null cipher and key keep both and -1 the direction, so that only the IV
        // is set; EVP_Cipher then writes exactly `len` bytes.
        let ok = unsafe {
            let none = std::ptr::null_mut();
            lc::EVP_CipherInit_ex(raw, std::ptr::null(), none, std::ptr::null(), iv.as_ptr(), -1) == 1
                && lc::EVP_Cipher(raw, out, input, len as _) > 0
        };
        if ok { Ok(()) } else { Err(EspError::Length) }
    }
}

impl Drop for BlockCipher {
    fn drop(&mut self) {
        if let Schedule::Aes { encrypt, decrypt } = &mut self.schedule {
            encrypt.rd_key.zeroize();
            decrypt.rd_key.zeroize();
        }
    }
}

fn aes_key(key: &[u8], decrypt: bool) -> Option<Box<lc::AES_KEY>> {
    let mut schedule = Box::new(lc::AES_KEY { rd_key: [0; 60], rounds: 0 });
    let bits = u32::try_from(key.len() * 8).ok()?;
    // SAFETY: `key` has `bits / 8` bytes and `schedule` is a whole AES_KEY.
    let result = unsafe {
        if decrypt {
            lc::AES_set_decrypt_key(key.as_ptr(), bits, &mut *schedule)
        } else {
            lc::AES_set_encrypt_key(key.as_ptr(), bits, &mut *schedule)
        }
    };
    (result == 0).then_some(schedule)
}

fn des(method: *const lc::EVP_CIPHER, key: &[u8]) -> Option<Schedule> {
    let encrypt = Mutex::new(EvpCipher::new(method, key, true)?);
    Some(Schedule::Des { encrypt, decrypt: Mutex::new(EvpCipher::new(method, key, false)?) })
}

impl BlockCipher {
    /// `None` where the key has the wrong length.
    pub fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        if key.len() != cipher.key_len() {
            return None;
        }
        let schedule = match cipher {
            Cipher::Null => Schedule::Null,
            Cipher::Aes128Cbc | Cipher::Aes192Cbc | Cipher::Aes256Cbc => {
                Schedule::Aes { encrypt: aes_key(key, false)?, decrypt: aes_key(key, true)? }
            }
            // SAFETY: these return pointers to static tables.
            Cipher::TripleDesCbc => des(unsafe { lc::EVP_des_ede3_cbc() }, key)?,
            // SAFETY: as above.
            Cipher::DesCbc => des(unsafe { lc::EVP_des_cbc() }, key)?,
        };
        Some(Self { schedule })
    }

    fn block_len(&self) -> usize {
        match self.schedule {
            Schedule::Null => 1,
            Schedule::Aes { .. } => 16,
            Schedule::Des { .. } => 8,
        }
    }

    /// Encrypts `plain` into `out`.
    ///
    /// # Errors
    /// [`EspError::Length`] where lengths differ, are no multiple of the block, or the IV is not one block.
    pub fn encrypt(&self, iv: &[u8], plain: &[u8], out: &mut [u8]) -> Result<(), EspError> {
        if plain.len() != out.len() {
            return Err(EspError::Length);
        }
        if let Schedule::Null = self.schedule {
            out.copy_from_slice(plain);
            return Ok(());
        }
        // SAFETY: equal lengths of `out.len()` bytes, from two distinct borrows.
        unsafe { self.crypt(iv, plain.as_ptr(), out.as_mut_ptr(), out.len(), true) }
    }

    /// Decrypts `text` in place.
    ///
    /// # Errors
    /// As [`BlockCipher::encrypt`].
    pub fn decrypt(&self, iv: &[u8], text: &mut [u8]) -> Result<(), EspError> {
        if let Schedule::Null = self.schedule {
            return Ok(());
        }
        // SAFETY: one buffer of `text.len()` bytes; AWS-LC's CBC functions permit `in == out`.
        unsafe { self.crypt(iv, text.as_ptr(), text.as_mut_ptr(), text.len(), false) }
    }

    /// # Safety
    /// `input` is readable and `out` writable for `len` bytes; they are equal or do not overlap.
    unsafe fn crypt(
        &self,
        iv: &[u8],
        input: *const u8,
        out: *mut u8,
        len: usize,
        encrypt: bool,
    ) -> Result<(), EspError> {
        let block = self.block_len();
        if iv.len() != block || !len.is_multiple_of(block) {
            return Err(EspError::Length);
        }
        match &self.schedule {
            Schedule::Null => Ok(()),
            Schedule::Aes { encrypt: e, decrypt: d } => {
                let mut chain: [u8; 16] = iv.try_into().map_err(|_| EspError::Length)?;
                let key: &lc::AES_KEY = if encrypt { e } else { d };
                // SAFETY: the caller's promise; the IV buffer has 16 bytes; len is a multiple of 16.
                unsafe { lc::AES_cbc_encrypt(input, out, len, key, chain.as_mut_ptr(), i32::from(encrypt)) }
                Ok(())
            }
            Schedule::Des { encrypt: e, decrypt: d } => {
                let iv: &[u8; 8] = iv.try_into().map_err(|_| EspError::Length)?;
                let mutex = if encrypt { e } else { d };
                let mut context = mutex.lock().unwrap_or_else(PoisonError::into_inner);
                // SAFETY: the caller's promise; len is a multiple of 8.
                unsafe { context.crypt(iv, input, out, len) }
            }
        }
    }
}
