//! Memory for packets that costs nothing until it is used, and can be given back after a burst.

use super::check;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// An anonymous mapping, zero at first.
pub struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is owned by this value alone.
unsafe impl Send for Region {}

impl Region {
    /// Reserves `len` bytes of address space.
    pub fn new(len: usize) -> io::Result<Self> {
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        );
        // SAFETY: a new anonymous mapping, no address asked for.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// Gives the pages back; the content is zero afterwards.
    pub fn release(&mut self) -> io::Result<()> {
        // SAFETY: exactly our own mapping, borrowed mutably, so no one looks at it.
        check(unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, libc::MADV_DONTNEED) }).map(|_| ())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: our own mapping, not used after this.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` bytes, mapped readable and initialised to zero by the kernel.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Region {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
