//! The Internet checksum (RFC 1071).

/// Adds bytes, as big-endian words, to a running sum. The start of `bytes` must lie at an even offset of what is summed.
pub fn sum(initial: u64, bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 256 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there.
        return unsafe { sum_avx2(initial, bytes) };
    }
    sum_portable(initial, bytes)
}

/// The same code, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(initial: u64, bytes: &[u8]) -> u64 {
    sum_portable(initial, bytes)
}

/// Native-order 32-bit words into eight 64-bit lanes: the checksum does not care about byte order until the end
/// (RFC 1071 section 2 B), and the lanes let the compiler use vector registers.
#[inline(always)]
fn sum_portable(initial: u64, bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 8];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    // No packet is so long that the lanes together overflow.
    let mut total = lanes.iter().sum::<u64>();
    // Headers are shorter than a block: not two bytes at a time.
    let mut words = blocks.remainder().chunks_exact(4);
    for word in &mut words {
        total += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    }
    let last = match *words.remainder() {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => [0; 4],
    };
    total += u64::from(u32::from_ne_bytes(last));
    initial + u64::from(u16::from_be(fold_native(total)))
}

fn fold_native(sum: u64) -> u16 {
    // At most 0x1_ffff_fffe, 0x1_ffff, 0x1_0000, 0xffff: no loop whose length the CPU has to guess.
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The sum in 16 bits, not complemented.
pub fn fold(sum: u64) -> u16 {
    fold_native(sum)
}

/// The sum of a pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1): addresses, protocol, length.
pub fn pseudo_header(source: &[u8], destination: &[u8], protocol: u8, len: usize) -> u64 {
    let sum = sum_portable(sum_portable(0, source), destination);
    sum + u64::from(protocol) + (len as u64 >> 16) + (len as u64 & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn agrees_with_the_plain_sum(bytes in prop::collection::vec(any::<u8>(), 0..2000), initial in 0u64..70_000) {
            let plain: u64 = bytes.chunks(2)
                .map(|c| u64::from(u16::from_be_bytes([c[0], c.get(1).copied().unwrap_or(0)]))).sum();
            prop_assert_eq!(fold(sum(initial, &bytes)) % 0xffff, fold(initial + plain) % 0xffff);
        }
    }
}
