//! Block ciphers in CBC mode without padding of their own (ESP pads), by AWS-LC.
//!
//! AES runs on the CPU's AES instructions or AWS-LC's constant-time code. DES and 3DES are AWS-LC's
//! table-driven code: kept only because clouds still default to them, and slow.

use super::EspError;
use super::algorithm::Cipher;
use aws_lc_sys as lc;
use zeroize::Zeroize;

/// A keyed cipher, readable by many threads.
pub struct BlockCipher {
    schedule: Schedule,
}

enum Schedule {
    Null,
    Aes { encrypt: Box<lc::AES_KEY>, decrypt: Box<lc::AES_KEY> },
    Des(Box<[lc::DES_key_schedule; 1]>),
    TripleDes(Box<[lc::DES_key_schedule; 3]>),
}

impl Drop for BlockCipher {
    fn drop(&mut self) {
        match &mut self.schedule {
            Schedule::Null => {}
            Schedule::Aes { encrypt, decrypt } => {
                encrypt.rd_key.zeroize();
                decrypt.rd_key.zeroize();
            }
            Schedule::Des(keys) => keys.iter_mut().for_each(|key| key.subkeys.zeroize()),
            Schedule::TripleDes(keys) => keys.iter_mut().for_each(|key| key.subkeys.zeroize()),
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

/// One schedule for each eight bytes of a key of `8 * N` bytes. Weak keys and parity are the daemon's business, as with the kernel.
fn des_keys<const N: usize>(key: &[u8]) -> Option<Box<[lc::DES_key_schedule; N]>> {
    let mut schedules = Box::new([lc::DES_key_schedule { subkeys: [[0; 2]; 16] }; N]);
    let (blocks, rest) = key.as_chunks::<8>();
    if blocks.len() != N || !rest.is_empty() {
        return None;
    }
    for (schedule, block) in schedules.iter_mut().zip(blocks) {
        // SAFETY: a DES_cblock is eight bytes of any alignment, and `schedule` a whole DES_key_schedule.
        unsafe { lc::DES_set_key_unchecked(block.as_ptr().cast(), schedule) }
    }
    Some(schedules)
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
            Cipher::TripleDesCbc => Schedule::TripleDes(des_keys(key)?),
            Cipher::DesCbc => Schedule::Des(des_keys(key)?),
        };
        Some(Self { schedule })
    }

    fn block_len(&self) -> usize {
        match self.schedule {
            Schedule::Null => 1,
            Schedule::Aes { .. } => 16,
            Schedule::Des(_) | Schedule::TripleDes(_) => 8,
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
            Schedule::Des(keys) => {
                let mut chain = lc::DES_cblock { bytes: iv.try_into().map_err(|_| EspError::Length)? };
                // SAFETY: as above; len is a multiple of 8.
                unsafe { lc::DES_ncbc_encrypt(input, out, len, &keys[0], &mut chain, i32::from(encrypt)) }
                Ok(())
            }
            Schedule::TripleDes(keys) => {
                let [first, second, third] = &**keys;
                let mut chain = lc::DES_cblock { bytes: iv.try_into().map_err(|_| EspError::Length)? };
                let direction = i32::from(encrypt);
                // SAFETY: as above; len is a multiple of 8.
                unsafe {
                    lc::DES_ede3_cbc_encrypt(input, out, len, first, second, third, &mut chain, direction)
                }
                Ok(())
            }
        }
    }
}
