//! Published ESP packets, whole: header, IV, text with its padding, check value; and the published cases of the hashes.

use uxfrm::esp::algorithm::{AeadCipher, Algorithm, Cipher, Hash};
use uxfrm::esp::block_cipher::BlockCipher;
use uxfrm::esp::mac::Mac;
use uxfrm::esp::packet::{strip_tail, tail};
use uxfrm::esp::transform::{HEADER_LEN, Header, Transform};

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// Seals `text`, which has its padding, and opens what was published; neither may pass with one bit changed.
fn both_ways(transform: &Transform, header: Header, iv: &[u8], text: &[u8], packet: &[u8]) {
    let mut out = vec![0; packet.len()];
    transform.seal(header, iv, text, &mut out).unwrap();
    assert_eq!(hex::encode(&out), hex::encode(packet));
    let range = transform.open(header.sequence, &mut out).unwrap();
    assert_eq!(hex::encode(&out[range]), hex::encode(text));
    for at in 0..packet.len() {
        let mut changed = packet.to_vec();
        changed[at] ^= 1;
        assert!(transform.open(header.sequence, &mut changed).is_err(), "byte {at}");
    }
}

/// SPI and sequence number, as they are authenticated: with all 64 bits where they are extended.
fn header(authenticated: &[u8]) -> (Header, bool) {
    let (spi, number) = authenticated.split_at(4);
    let spi = u32::from_be_bytes(spi.try_into().unwrap());
    let sequence = number.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    (Header { spi, sequence }, number.len() == 8)
}

fn aead(cipher: AeadCipher, [key, nonce, text, authenticated, sealed, check]: [&str; 6]) {
    let (nonce, authenticated) = (bytes(nonce), bytes(authenticated));
    let (header, extended) = header(&authenticated);
    let algorithm = Algorithm::Aead { cipher, icv: 16 };
    let transform =
        Transform::new(algorithm, &[&bytes(key)[..], &nonce[..4]].concat(), &[], extended).unwrap();
    let low = (header.sequence as u32).to_be_bytes();
    let packet = [&header.spi.to_be_bytes()[..], &low, &nonce[4..], &bytes(sealed), &bytes(check)].concat();
    both_ways(&transform, header, &nonce[4..], &bytes(text), &packet);
}

/// Of draft-mcgrew-gcm-test-01: keys of each length, 32 and 64 bits of sequence number, the highest numbers.
const GCM_PACKETS: [[&str; 6]; 7] = [
    [
        "4c80cdefbb5d10da906ac73c3613a634",
        "2e443b684956ed7e3b244cfe",
        "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f75\
             6470037369700963796265726369747902646b000021000101020201",
        "000043218765432100000000",
        "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1\
             f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
        "459018148f6cbe722fd04796562dfdb4",
    ],
    [
        "feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100000100000000000003736970\
             0963796265726369747902646b00000100010001",
        "0000a5f80000000a",
        "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0e\
             ec416642cfbb85a5b47e48a4ec3b9ba95d918bd1",
        "83b70d3aa8bc6ee4c309e9d85a41ad4a",
    ],
    [
        "abbccddef00112233445566778899aababbccddef00112233445566778899aab",
        "112233440102030405060708",
        "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b4\
             0101040201020201",
        "4a2cbfe300000002",
        "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f054565\
             9f14e99def842d8e",
        "b335f4eecfdbf831824b4c4915956c96",
    ],
    [
        "3de09874b388e6491988d0c3607eae1f",
        "57690e434e280000a2fca1a3",
        "4500001c42a200008001441f406793b6e00000020a00f5ff01020201",
        "42f67e3f1010101010101010",
        "fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed",
        "369f071f35e034be95f112e4e7d05d35",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c",
        "cafebabefacedbaddecaf888",
        "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
        "0000a5f80000000a",
        "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
        "95457b9652037f5318027b5b4cd7a636",
    ],
    [
        "7d773d00c144c525ac619d18c84a3f47",
        "d966426743457e9182443bc6",
        "01020201",
        "335467aeffffffff",
        "437f866b",
        "cb3f699fe9b0822bac961c4504bef270",
    ],
    [
        "6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961",
        "7475726e333021696765746d",
        "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f70\
             7172737401020201",
        "796b6963ffffffffffffffff",
        "f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458f\
             b57dbe821dcc63b9",
        "d0937ba2945f669368661a329fb4c053",
    ],
];

#[test]
fn aes_gcm_packets() {
    let of_len = |key: &str| match key.len() / 2 {
        16 => AeadCipher::Aes128Gcm,
        24 => AeadCipher::Aes192Gcm,
        _ => AeadCipher::Aes256Gcm,
    };
    for packet in GCM_PACKETS {
        aead(of_len(packet[0]), packet);
    }
}

/// RFC 7634 appendix A.
#[test]
fn chacha20_poly1305_packet() {
    aead(
        AeadCipher::ChaCha20Poly1305,
        [
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "a0a1a2a31011121314151617",
            "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f\
             101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
            "0102030400000005",
            "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df\
             ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0",
            "76aaa8266b7fb0f7b11b369907e1ad43",
        ],
    );
}

/// RFC 3602 section 4, cases 5 to 8: key, payload, next header, packet. They have no check value, so that only what comes before
/// ours is compared; the padding is ours.
#[test]
fn aes_cbc_packets() {
    for (key, payload, next_header, packet) in [
        (
            "90d382b410eeba7ad938c46cec1a82bf",
            "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\
             2425262728292a2b2c2d2e2f3031323334353637",
            1,
            "0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849a4870b66\
             cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a\
             a269add047ad2d5913ac19b7cfbad4a6",
        ),
        (
            "90d382b410eeba7ad938c46cec1a82bf",
            "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
            1,
            "000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379\
             d2d750c0d915dca346a89f75",
        ),
        (
            "0123456789abcdef0123456789abcdef",
            "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f\
             101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
            4,
            "0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c237ca96c\
             f74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5\
             c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d",
        ),
        (
            "0123456789abcdef0123456789abcdef",
            "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffff\
             ffffffffffffffffffffffffffffffffffffffffffffffff",
            4,
            "000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048fe45318e1\
             1f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3\
             d2726d9b5ef6affc6d17a0decbb13892",
        ),
    ] {
        let (payload, packet) = (bytes(payload), bytes(packet));
        let algorithm = Algorithm::CipherAndMac { cipher: Cipher::Aes128Cbc, hash: Hash::Sha256, icv: 16 };
        let transform = Transform::new(algorithm, &bytes(key), &[3; 32], false).unwrap();
        let (tail, tail_len) = tail(&transform, payload.len(), next_header);
        let text = [&payload[..], &tail[..tail_len]].concat();
        let (header, _) = header(&packet[..HEADER_LEN]);
        let iv = &packet[HEADER_LEN..HEADER_LEN + 16];
        let mut out = vec![0; transform.packet_len(payload.len())];
        transform.seal(header, iv, &text, &mut out).unwrap();
        assert_eq!(hex::encode(&out[..packet.len()]), hex::encode(&packet));
        let check = out.len() - packet.len();
        assert_eq!(check, 16);
        let whole = out.clone();
        let range = transform.open(header.sequence, &mut out).unwrap();
        assert_eq!(strip_tail(&out[range.clone()]), Ok((payload.len(), next_header)));
        assert_eq!(out[range.start..range.start + payload.len()], payload[..]);
        both_ways(&transform, header, iv, &text, &whole);
    }
}

/// Four blocks with three keys: NIST's example of TDEA in CBC mode.
#[test]
fn triple_des_chains_its_blocks() {
    let key = bytes("0123456789abcdef23456789abcdef01456789abcdef0123");
    let iv = bytes("f69f2445df4f9b17");
    let plain = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    let text = bytes("2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7");
    let cipher = BlockCipher::new(Cipher::TripleDesCbc, &key).unwrap();
    let mut out = vec![0; plain.len()];
    cipher.encrypt(&iv, &plain, &mut out).unwrap();
    assert_eq!(out, text);
    cipher.decrypt(&iv, &mut out).unwrap();
    assert_eq!(out, plain);
}

/// A key that is a byte so many times.
fn same(byte: u8, count: usize) -> Vec<u8> {
    vec![byte; count]
}

const ASK: &[u8] = b"what do ya want for nothing?";
const LARGER: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
const BOTH: &[u8] = b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data";

/// A case of HMAC: key, data, digest as ESP cuts it.
type Case = (Vec<u8>, Vec<u8>, &'static str);

fn counted(count: u8) -> Vec<u8> {
    (1..=count).collect()
}

/// Checks cases of RFC 2202, RFC 4231 or RFC 4868 (sections 2.7.1 and 2.7.2) whose keys ESP can have.
fn hmac(hash: Hash, icv: usize, cases: impl IntoIterator<Item = Case>) {
    for (key, data, digest) in cases {
        let mac = Mac::new(hash, icv, &key).unwrap();
        for split in [0, 1, data.len() / 2, data.len()] {
            let mut out = vec![0; icv];
            mac.sign(&data[..split], &data[split..], &mut out);
            assert_eq!(hex::encode(&out), digest, "{hash:?} with a key of {} bytes", key.len());
            assert!(mac.verify(&data[..split], &data[split..], &out));
            out[icv - 1] ^= 1;
            assert!(!mac.verify(&data[..split], &data[split..], &out));
        }
    }
}

#[test]
fn hmac_md5() {
    hmac(
        Hash::Md5,
        12,
        [
            (same(0x0b, 16), b"Hi There".to_vec(), "9294727a3638bb1c13f48ef8"),
            (same(0xaa, 16), same(0xdd, 50), "56be34521d144c88dbb8c733"),
            (counted(25), same(0xcd, 50), "697eaf0aca3a3aea3a751647"),
            (same(0x0c, 16), b"Test With Truncation".to_vec(), "56461ef2342edc00f9bab995"),
            (same(0xaa, 80), LARGER.to_vec(), "6b1ab7fe4bd7bf8f0b62e6ce"),
            (same(0xaa, 80), BOTH.to_vec(), "6f630fad67cda0ee1fb1f562"),
        ],
    );
}

#[test]
fn hmac_sha1() {
    hmac(
        Hash::Sha1,
        12,
        [
            (same(0x0b, 20), b"Hi There".to_vec(), "b617318655057264e28bc0b6"),
            (same(0xaa, 20), same(0xdd, 50), "125d7342b9ac11cd91a39af4"),
            (counted(25), same(0xcd, 50), "4c9007f4026250c6bc8414f9"),
            (same(0x0c, 20), b"Test With Truncation".to_vec(), "4c1a03424b55e07fe7f27be1"),
            (same(0xaa, 80), LARGER.to_vec(), "aa4ae5e15272d00e95705637"),
            (same(0xaa, 80), BOTH.to_vec(), "e8e99d0f45237d786d6bbaa7"),
        ],
    );
}

#[test]
fn hmac_sha256() {
    hmac(
        Hash::Sha256,
        16,
        [
            (same(0x0b, 20), b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b"),
            (same(0xaa, 20), same(0xdd, 50), "773ea91e36800e46854db8ebd09181a7"),
            (counted(25), same(0xcd, 50), "82558a389a443c0ea4cc819899f2083a"),
            (same(0x0c, 20), b"Test With Truncation".to_vec(), "a3b6167473100ee06e0c796c2955552b"),
            (same(0x0b, 32), b"Hi There".to_vec(), "198a607eb44bfbc69903a0f1cf2bbdc5"),
            (b"Jefe".repeat(8), ASK.to_vec(), "167f928588c5cc2eef8e3093caa0e87c"),
            (same(0xaa, 32), same(0xdd, 50), "cdcb1220d1ecccea91e53aba3092f962"),
            (counted(32), same(0xcd, 50), "372efcf9b40b35c2115b1346903d2ef4"),
        ],
    );
}

#[test]
fn hmac_sha384() {
    hmac(
        Hash::Sha384,
        24,
        [
            (same(0x0b, 20), b"Hi There".to_vec(), "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6"),
            (same(0xaa, 20), same(0xdd, 50), "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9feb"),
            (counted(25), same(0xcd, 50), "3e8a69b7783c25851933ab6290af6ca77a9981480850009c"),
            (
                same(0x0c, 20),
                b"Test With Truncation".to_vec(),
                "3abf34c3503b2a23a46efc619baef897f4c8e42c934ce55c",
            ),
            (same(0x0b, 48), b"Hi There".to_vec(), "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"),
            (b"Jefe".repeat(12), ASK.to_vec(), "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d"),
            (same(0xaa, 48), same(0xdd, 50), "809f439be00274321d4a538652164b53554a508184a0c316"),
            (counted(48), same(0xcd, 50), "e8909051b8fe1a37966eec37a868389185d9da142bc5f755"),
        ],
    );
}

#[test]
fn hmac_sha512() {
    hmac(
        Hash::Sha512,
        32,
        [
            (
                same(0x0b, 20),
                b"Hi There".to_vec(),
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde",
            ),
            (
                same(0xaa, 20),
                same(0xdd, 50),
                "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39",
            ),
            (counted(25), same(0xcd, 50), "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"),
            (
                same(0x0c, 20),
                b"Test With Truncation".to_vec(),
                "415fad6271580a531d4179bc891d87a650188707922a4fbb36663a1eb16da008",
            ),
            (
                same(0x0b, 64),
                b"Hi There".to_vec(),
                "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8",
            ),
            (
                b"Jefe".repeat(16),
                ASK.to_vec(),
                "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454",
            ),
            (
                same(0xaa, 64),
                same(0xdd, 50),
                "2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8",
            ),
            (counted(64), same(0xcd, 50), "5e6688e5a3daec826ca32eaea224eff5e700628947470e13ad01302561bab108"),
        ],
    );
}
