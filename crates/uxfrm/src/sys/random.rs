//! Random bytes from the kernel. AWS-LC's own generator seeds itself from CPU jitter at its first use in a process, which
//! takes about 40 ms: longer than a whole IKE exchange, and once per gateway.

use std::io;

/// Fills a buffer from getrandom(2).
///
/// # Errors
/// Where the kernel has no generator; with flags 0 it only waits, early after boot, until it is seeded.
pub fn fill(mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        // SAFETY: the pointer and length are of the buffer that is left to fill.
        let got = super::check_len(unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) });
        match got {
            Ok(len) => buffer = &mut buffer[len..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_fills_differ() {
        let (mut a, mut b) = ([0; 300], [0; 300]);
        super::fill(&mut a).unwrap();
        super::fill(&mut b).unwrap();
        assert_ne!(a, b);
        assert!(a[256..].iter().any(|byte| *byte != 0));
    }
}
