//! Published test vectors of every cipher and hash.

use uxfrm::esp::aead::Aead;
use uxfrm::esp::algorithm::{AeadCipher, Cipher, Hash};
use uxfrm::esp::block_cipher::BlockCipher;
use uxfrm::esp::mac::Mac;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace(' ', "")).unwrap()
}

fn aead(cipher: AeadCipher, key: &str, nonce: &str, aad: &str, plain: &[u8], text: &str, tag: &str) {
    let (nonce, aad, text, tag) = (bytes(nonce), bytes(aad), bytes(text), bytes(tag));
    let key = [&bytes(key)[..], &nonce[..4]].concat();
    let iv: [u8; 8] = nonce[4..].try_into().unwrap();
    for icv in [16, 12, 8].into_iter().filter(|icv| cipher.permits_icv(*icv)) {
        let sealer = Aead::new(cipher, icv, &key).unwrap();
        let mut held = sealer.hold();
        assert_eq!(held.is_some(), cipher != AeadCipher::ChaCha20Poly1305);
        assert!(sealer.hold().is_none(), "one holds it at a time");
        // Without the lasting context, and with it more than once: nothing of one packet is left for the next.
        for lasting in [false, true, true] {
            let (mut out, mut check) = (vec![0; plain.len()], vec![0; icv]);
            sealer
                .seal(held.as_deref_mut().filter(|_| lasting), iv, &aad, plain, &mut out, &mut check)
                .unwrap();
            assert_eq!((&out, &check[..]), (&text, &tag[..icv]), "{cipher:?} with {icv} bytes, {lasting}");
            sealer.open(held.as_deref_mut().filter(|_| lasting), iv, &aad, &mut out, &check).unwrap();
            assert_eq!(out, plain);
            check[0] ^= 1;
            assert!(
                sealer
                    .open(held.as_deref_mut().filter(|_| lasting), iv, &aad, &mut text.clone(), &check)
                    .is_err()
            );
        }
    }
}

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4, 10 and 16.
#[test]
fn gcm() {
    let nonce = "cafebabefacedbaddecaf888";
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let plain = bytes(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
         b16aedf5aa0de657ba637b39",
    );
    let half = "feffe9928665731c6d6a8f9467308308";
    let text = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05\
                1ba30b396a0aac973d58e091";
    aead(AeadCipher::Aes128Gcm, half, nonce, aad, &plain, text, "5bc94fbc3221a5db94fae95ae7121a47");
    let text = "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f47\
                18e2448b2fe324d9ccda2710";
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c";
    aead(AeadCipher::Aes192Gcm, key, nonce, aad, &plain, text, "2519498e80f1478f37ba55bd6d27618c");
    let text = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
                c5f61e6393ba7a0abcc9f662";
    let key = half.repeat(2);
    aead(AeadCipher::Aes256Gcm, &key, nonce, aad, &plain, text, "76fc6ece0f4e1768cddf8853bb2d551b");
}

/// RFC 8439 section 2.8.2.
#[test]
fn chacha20_poly1305() {
    let plain =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                  sunscreen would be it.";
    let text = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
                1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                3ff4def08e4b7a9de576d26586cec64b6116";
    let key = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
    let (nonce, aad) = ("070000004041424344454647", "50515253c0c1c2c3c4c5c6c7");
    aead(AeadCipher::ChaCha20Poly1305, key, nonce, aad, plain, text, "1ae10b594f09e26a7e902ecbd0600691");
}

fn cbc(cipher: Cipher, key: &str, iv: &str, plain: &str, text: &str) {
    let cipher = BlockCipher::new(cipher, &bytes(key)).unwrap();
    let mut out = vec![0; bytes(plain).len()];
    cipher.encrypt(&bytes(iv), &bytes(plain), &mut out).unwrap();
    assert_eq!(out, bytes(text));
    cipher.decrypt(&bytes(iv), &mut out).unwrap();
    assert_eq!(out, bytes(plain));
}

/// NIST SP 800-38A, F.2.1, F.2.3 and F.2.5, first two blocks.
#[test]
fn aes_cbc() {
    let iv = "000102030405060708090a0b0c0d0e0f";
    let plain = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51";
    let key = "2b7e151628aed2a6abf7158809cf4f3c";
    let text = "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2";
    cbc(Cipher::Aes128Cbc, key, iv, plain, text);
    let key = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b";
    let text = "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a";
    cbc(Cipher::Aes192Cbc, key, iv, plain, text);
    let key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    let text = "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d";
    cbc(Cipher::Aes256Cbc, key, iv, plain, text);
}

/// FIPS 81 table C1 for DES; for triple DES the same with three equal keys, and NIST's "The qufck brown fox jump" (three
/// keys; its first block, where CBC with a zero IV is ECB).
#[test]
fn des_cbc() {
    let (iv, plain) = ("1234567890abcdef", "4e6f772069732074 68652074696d6520 666f7220616c6c20");
    let text = "e5c7cdde872bf27c 43e934008c389c0f 683788499a7c05f6";
    let key = "0123456789abcdef";
    cbc(Cipher::DesCbc, key, iv, plain, text);
    cbc(Cipher::TripleDesCbc, &key.repeat(3), iv, plain, text);
    let key = "0123456789abcdef 23456789abcdef01 456789abcdef0123";
    cbc(Cipher::TripleDesCbc, key, "0000000000000000", "5468652071756663", "a826fd8ce53b855f");
}

/// RFC 2202 test case 1 and RFC 4231 test case 1, truncated as ESP does.
#[test]
fn hmac() {
    for (hash, key_len, icv, digest) in [
        (Hash::Md5, 16, 12, "9294727a3638bb1c13f48ef8158bfc9d"),
        (Hash::Sha1, 20, 12, "b617318655057264e28bc0b6fb378c8ef146be00"),
        (Hash::Sha256, 20, 16, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            Hash::Sha384,
            20,
            24,
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            Hash::Sha512,
            20,
            32,
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
    ] {
        let mac = Mac::new(hash, icv, &vec![0x0b; key_len]).unwrap();
        let mut out = vec![0; icv];
        mac.sign(b"Hi ", b"There", &mut out);
        assert_eq!(out, bytes(digest)[..icv], "{hash:?}");
        assert!(mac.verify(b"Hi There", b"", &out));
        out[icv - 1] ^= 1;
        assert!(!mac.verify(b"Hi There", b"", &out));
    }
}
