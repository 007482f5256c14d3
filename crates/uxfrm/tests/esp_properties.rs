//! Every transform: what is sealed opens to the same, and no damaged packet ever opens.

use proptest::prelude::*;
use uxfrm::esp::algorithm::Algorithm;
use uxfrm::esp::packet::{strip_tail, tail};
use uxfrm::esp::transform::{Header, Transform};

fn transform(algorithm: Algorithm, extended: bool) -> Transform {
    let (cipher, mac) = algorithm.key_lens();
    let key: Vec<u8> = (0..(cipher + mac) as u8).map(|b| b.wrapping_mul(7).wrapping_add(3)).collect();
    Transform::new(algorithm, &key[..cipher], &key[cipher..], extended).unwrap()
}

fn seal(transform: &Transform, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let (tail, tail_len) = tail(transform, payload.len(), 4);
    let text = [payload, &tail[..tail_len]].concat();
    let mut out = vec![0; transform.packet_len(payload.len())];
    let iv = [0x5a; 16];
    transform
        .seal(Header { spi: 0xc123_4567, sequence }, &iv[..transform.algorithm().iv_len()], &text, &mut out)
        .unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn round_trip_and_damage(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        sequence in any::<u64>(), extended in any::<bool>(),
        flip in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>(),
    ) {
        for algorithm in Algorithm::all() {
            let transform = transform(algorithm, extended);
            let sealed = seal(&transform, sequence, &payload);
            prop_assert!(payload.len() <= transform.payload_capacity(sealed.len()));

            let mut held = transform.hold();
            let mut packet = sealed.clone();
            let range = transform.open_held(&mut held, sequence, &mut packet).unwrap();
            let mut packet = sealed.clone();
            prop_assert_eq!(&range, &transform.open(sequence, &mut packet).unwrap());
            let (len, next) = strip_tail(&packet[range.clone()]).unwrap();
            prop_assert_eq!(&packet[range][..len], &payload[..]);
            prop_assert_eq!(next, 4);

            let mut damaged = sealed.clone();
            let at = flip.index(damaged.len());
            damaged[at] ^= 1 << bit;
            // The low sequence half is an argument of `open` too; all else is covered by the ICV.
            prop_assert!(transform.open(sequence, &mut damaged.clone()).is_err(), "{algorithm:?} flipped {at}");
            prop_assert!(transform.open_held(&mut held, sequence, &mut damaged).is_err());

            let mut short = sealed[..cut.index(sealed.len())].to_vec();
            prop_assert!(transform.open(sequence, &mut short).is_err());

            if extended {
                let mut other = sealed.clone();
                prop_assert!(transform.open(sequence ^ 1 << 32, &mut other).is_err());
            }
        }
    }

    #[test]
    fn tails_that_are_not_1_2_3_are_refused(text in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok((len, _)) = strip_tail(&text) {
            prop_assert!(len + 2 <= text.len());
            prop_assert_eq!(usize::from(text[text.len() - 2]), text.len() - 2 - len);
        }
    }
}
