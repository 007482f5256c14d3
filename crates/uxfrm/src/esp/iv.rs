//! Where IVs come from.
//!
//! AEAD nonces must never repeat under a key. The IKE daemon can re-add a key with its sequence number reset
//! (a MOBIKE update that lost its replay state), an operator can re-add a manual key, and this process can
//! restart. So the 8-byte IV is not the sequence number but a counter of the whole process that starts at the
//! machine's time since boot in nanoseconds plus an offset that depends on the boot:
//!
//! - within a process the counter only rises, whatever happens to SAs;
//! - a process started later in the same boot starts higher, as it cannot have sent a packet per nanosecond;
//!   `CLOCK_BOOTTIME` is not moved by setting the clock;
//! - another boot has another offset, drawn from the hash of the kernel's boot id, so ranges of the same manual
//!   key meet with a chance of about 2^-30 even after 2^33 packets.
//!
//! What this does not cover, all of it only where the same key is used twice (an IKE daemon makes keys anew; manual keys are
//! whoever's who gives them):
//!
//! - a virtual machine that is resumed from a snapshot repeats its boot, as it does for the kernel's own ESP; so does a
//!   process that CRIU restores a second time;
//! - two engines at once with one manual key (two namespaces of one boot) count from starts that lie only as far
//!   apart as their starting times, and may meet once the earlier one has sent a packet for each nanosecond between;
//! - a time namespace moves `CLOCK_BOOTTIME` while the boot id stays: an engine in one, started later with a lower
//!   clock, may repeat what an engine outside sent before.

use super::EspError;
use aws_lc_rs::digest;
use std::sync::atomic::{AtomicU64, Ordering};

/// IVs of all AEAD packets of a process.
#[derive(Debug)]
pub struct IvCounter {
    next: AtomicU64,
}

impl IvCounter {
    /// Starts above every IV that an earlier process of this boot can have used.
    ///
    /// # Errors
    /// Where the boot id or the clock cannot be read: then nothing may be sent.
    pub fn start() -> std::io::Result<Self> {
        let boot_id = std::fs::read("/proc/sys/kernel/random/boot_id")?;
        Ok(Self::from_boot(&boot_id, nanoseconds_since_boot()?))
    }

    /// The counter for a boot id and a time since boot in nanoseconds.
    pub fn from_boot(boot_id: &[u8], since_boot: u64) -> Self {
        let hash = digest::digest(&digest::SHA256, boot_id);
        let mut offset = [0; 8];
        offset.copy_from_slice(&hash.as_ref()[..8]);
        Self { next: AtomicU64::new(u64::from_be_bytes(offset).wrapping_add(since_boot)) }
    }

    /// So many IVs, used by nobody else.
    pub fn take(&self, count: u64) -> IvBlock {
        IvBlock { next: self.next.fetch_add(count, Ordering::Relaxed), left: count }
    }
}

/// IVs in a row. Those that are left when it is dropped are used by nobody.
#[derive(Debug)]
pub struct IvBlock {
    next: u64,
    left: u64,
}

impl IvBlock {
    /// One IV.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] when all were used.
    pub fn draw(&mut self) -> Result<[u8; 8], EspError> {
        self.left = self.left.checked_sub(1).ok_or(EspError::Exhausted)?;
        let iv = self.next;
        self.next = iv.wrapping_add(1);
        Ok(iv.to_be_bytes())
    }
}

fn nanoseconds_since_boot() -> std::io::Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Unpredictable IVs for CBC (RFC 3602 section 3), drawn from the random generator a batch at a time.
#[derive(Debug)]
pub struct RandomIvs {
    pool: Box<[u8; Self::POOL]>,
    used: usize,
}

impl RandomIvs {
    const POOL: usize = 1024;

    /// An empty pool; it fills at first use.
    pub fn new() -> Self {
        Self { pool: Box::new([0; Self::POOL]), used: Self::POOL }
    }

    /// `len` fresh random bytes.
    ///
    /// # Errors
    /// Where the system's random generator fails.
    pub fn next(&mut self, len: usize) -> Result<&[u8], EspError> {
        if self.used + len > Self::POOL {
            crate::sys::random::fill(&mut self.pool[..]).map_err(|_| EspError::Exhausted)?;
            self.used = 0;
        }
        self.used += len;
        Ok(&self.pool[self.used - len..self.used])
    }
}

impl Default for RandomIvs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_in_one_boot_is_above_an_earlier_one() {
        let first = IvCounter::from_boot(b"boot", 1_000);
        let one = |counter: &IvCounter| u64::from_be_bytes(counter.take(1).draw().unwrap());
        let last_of_first = (0..500).map(|_| one(&first)).last().unwrap();
        let second = IvCounter::from_boot(b"boot", 2_000);
        let start_of_second = one(&second);
        assert!(start_of_second.wrapping_sub(last_of_first) < 1 << 32);
        assert_ne!(start_of_second, last_of_first);
    }

    #[test]
    fn blocks_do_not_overlap_and_end() {
        // So that it wraps within the first block.
        let counter = IvCounter { next: AtomicU64::new(u64::MAX - 2) };
        let (mut first, mut second) = (counter.take(5), counter.take(3));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 {
            assert!(seen.insert(first.draw().unwrap()) && seen.insert(second.draw().unwrap()));
        }
        assert!(seen.insert(first.draw().unwrap()) && seen.insert(first.draw().unwrap()));
        assert_eq!((first.draw(), second.draw()), (Err(EspError::Exhausted), Err(EspError::Exhausted)));
    }

    #[test]
    fn random_ivs_do_not_repeat_across_refills() {
        let mut ivs = RandomIvs::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(ivs.next(16).unwrap().to_vec()));
        }
    }
}
