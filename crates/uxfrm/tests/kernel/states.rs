//! Requests about SAs.

use super::request;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::selector::Selector;
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::Writer;

fn info(spi: u32) -> SaInfo {
    SaInfo {
        selector: Selector::default(),
        id: SaId { destination: "192.0.2.1".parse::<IpAddr>().unwrap(), spi, protocol: 50 },
        source: "192.0.2.2".parse().unwrap(),
        limits: Limits { soft_add: 3000, hard_add: 3600, ..Limits::NONE },
        usage: Usage::default(),
        statistics: [0; 3],
        sequence: 0,
        reqid: 7,
        mode: 1,
        replay_window: 32,
        flags: XFRM_STATE_AF_UNSPEC,
    }
}

fn algorithm(w: &mut Writer, kind: u16, name: &str, key_len: usize, icv_bits: Option<u32>) {
    w.attribute(kind, |w| {
        w.bytes(name.as_bytes()).zeros(64 - name.len()).u32(key_len as u32 * 8);
        if let Some(bits) = icv_bits {
            w.u32(bits);
        }
        w.bytes(&vec![0x2b; key_len]);
    });
}

fn gcm(w: &mut Writer) {
    algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 20, Some(128));
}

fn sha256(w: &mut Writer) {
    algorithm(w, XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 32, Some(128));
}

fn word(w: &mut Writer, kind: u16, value: u32) {
    w.attribute(kind, |w| {
        w.u32(value);
    });
}

fn sa(kind: u16, info: &SaInfo, more: impl FnOnce(&mut Writer)) -> Vec<u8> {
    request(kind, NLM_F_ACK, |w| {
        info.write(w);
        more(w);
    })
}

fn named(kind: u16, flags: u16, spi: u32) -> Vec<u8> {
    request(kind, flags, |w| {
        info(spi).id.write(w);
        if kind == GETAE {
            w.zeros(24);
        }
    })
}

fn allocate(minimum: u32, maximum: u32) -> Vec<u8> {
    request(ALLOCSPI, 0, |w| {
        info(0).write(w);
        w.u32(minimum).u32(maximum);
    })
}

fn extended(w: &mut Writer, window: u32, words: u32) {
    gcm(w);
    w.attribute(XFRMA_REPLAY_ESN_VAL, |w| {
        w.u32(words).zeros(16).u32(window).zeros(words as usize * 4);
    });
}

/// What an address update carries over: counters, times and sequence numbers.
fn carried(w: &mut Writer, received: u32) {
    gcm(w);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    w.attribute(XFRMA_LTIME_VAL, |w| {
        w.u64(123_456).u64(789).u64(now - 60).u64(now - 50);
    });
    w.attribute(XFRMA_REPLAY_VAL, |w| {
        w.u32(500).u32(700).u32(received);
    });
}

/// NEWSA with a direction and what does not belong to it (Linux 6.10), none of which comes as far as the ciphers.
pub fn directions() -> Vec<(&'static str, Vec<u8>)> {
    let with = |info: SaInfo, direction: u8, more: &dyn Fn(&mut Writer)| {
        sa(NEWSA, &info, |w| {
            gcm(w);
            w.attribute(XFRMA_SA_DIR, |w| {
                w.u8(direction);
            });
            more(w);
        })
    };
    let plain = |_: &mut Writer| {};
    let flags = |more: u8| SaInfo { flags: XFRM_STATE_AF_UNSPEC | more, replay_window: 0, ..info(0x400) };
    let numbers = |outbound: u32, inbound: u32, window: u32, words: u32| {
        move |w: &mut Writer| {
            w.attribute(XFRMA_REPLAY_ESN_VAL, |w| {
                w.u32(words).u32(outbound).u32(inbound).zeros(8).u32(window).zeros(words as usize * 4);
            });
        }
    };
    let esn = flags(XFRM_STATE_ESN);
    let (inbound, outbound) = (XFRM_SA_DIR_IN, XFRM_SA_DIR_OUT);
    vec![
        ("no such direction", with(flags(0), 3, &plain)),
        ("direction 0", with(flags(0), 0, &plain)),
        ("in, no path MTU discovery", with(flags(XFRM_STATE_NOPMTUDISC), inbound, &plain)),
        ("in, DSCP not shown", with(flags(0), inbound, &|w| word(w, XFRMA_SA_EXTRA_FLAGS, 1))),
        ("in, numbers may wrap", with(flags(0), inbound, &|w| word(w, XFRMA_SA_EXTRA_FLAGS, 2))),
        ("in, sent already", with(esn.clone(), inbound, &numbers(1, 0, 64, 2))),
        ("in, numbers at their end", with(flags(0), inbound, &numbers(0, u32::MAX, 64, 2))),
        ("out, DSCP copied", with(flags(XFRM_STATE_DECAP_DSCP), outbound, &plain)),
        ("out, ICMP", with(flags(XFRM_STATE_ICMP), outbound, &plain)),
        ("out, wild", with(flags(XFRM_STATE_WILDRECV), outbound, &plain)),
        ("out, with a window", with(info(0x400), outbound, &plain)),
        ("out, with an extended window", with(esn.clone(), outbound, &numbers(1, 0, 64, 2))),
        ("out, received already", with(esn.clone(), outbound, &numbers(1, 1, 0, 0))),
        ("out, with a bitmap", with(esn, outbound, &numbers(1, 0, 0, 2))),
        ("out, numbers at their end", with(flags(0), outbound, &numbers(u32::MAX, 0, 0, 0))),
        (
            "out, received in the old form",
            with(flags(0), outbound, &|w| {
                w.attribute(XFRMA_REPLAY_VAL, |w| {
                    w.u32(1).u32(1).u32(0);
                });
            }),
        ),
    ]
}

/// Like strongSwan: the cipher's name without its mode.
fn cbc(w: &mut Writer, name: &str, key_len: usize) {
    algorithm(w, XFRMA_ALG_CRYPT, name, key_len, None);
    sha256(w);
}

pub fn script() -> Vec<(&'static str, Vec<u8>)> {
    let esn = SaInfo { flags: XFRM_STATE_AF_UNSPEC | XFRM_STATE_ESN, replay_window: 0, ..info(0x300) };
    let spi = |spi: u32, from: &SaInfo| SaInfo { id: SaId { spi, ..from.id }, ..from.clone() };
    let encapsulated = |w: &mut Writer| {
        gcm(w);
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(2).be16(4500).be16(4501).zeros(18);
        });
        word(w, XFRMA_IF_ID, 42);
    };
    let any = request(GETSA, NLM_F_DUMP, |_| {});
    let flush = request(FLUSHSA, NLM_F_ACK, |w| {
        w.u8(0).zeros(3);
    });
    vec![
        ("get nothing", named(GETSA, 0, 0x100)),
        ("update nothing", sa(UPDSA, &info(0x100), gcm)),
        ("replay state of nothing", named(GETAE, 0, 0x100)),
        ("new", sa(NEWSA, &info(0x100), gcm)),
        ("new again", sa(NEWSA, &info(0x100), gcm)),
        ("get", named(GETSA, 0, 0x100)),
        ("replay state", named(GETAE, 0, 0x100)),
        ("update", sa(UPDSA, &info(0x100), gcm)),
        ("with encapsulation and interface", sa(NEWSA, &info(0x101), encapsulated)),
        ("get it", named(GETSA, NLM_F_ACK, 0x101)),
        ("with counters and a replay window", {
            sa(NEWSA, &info(0x110), |w| {
                gcm(w);
                w.attribute(XFRMA_LTIME_VAL, |w| {
                    w.u64(123_456).u64(789).u64(1_600_000_000).u64(1_600_000_001);
                });
                // Sent, received, and which of those before.
                w.attribute(XFRMA_REPLAY_VAL, |w| {
                    w.u32(77).u32(1000).u32(0x8000_0fff);
                });
            })
        }),
        ("get what was counted", named(GETSA, 0, 0x110)),
        ("replay state of what was counted", named(GETAE, 0, 0x110)),
        // With nine SAs the kernel's tables would grow.
        ("delete what was counted", named(DELSA, NLM_F_ACK, 0x110)),
        ("extended numbers", sa(NEWSA, &esn, |w| extended(w, 1024, 32))),
        ("get them", named(GETSA, 0, 0x300)),
        ("replay state of extended numbers", named(GETAE, 0, 0x300)),
        ("extended numbers without a window", sa(NEWSA, &spi(0x301, &esn), gcm)),
        ("a window larger than its bitmap", sa(NEWSA, &spi(0x302, &esn), |w| extended(w, 1024, 31))),
        ("a window too large", sa(NEWSA, &spi(0x303, &esn), |w| extended(w, 4097, 129))),
        ("AES-CBC", sa(NEWSA, &info(0x102), |w| cbc(w, "aes", 32))),
        ("get AES-CBC", named(GETSA, 0, 0x102)),
        ("3DES", sa(NEWSA, &info(0x103), |w| cbc(w, "des3_ede", 24))),
        ("get 3DES", named(GETSA, 0, 0x103)),
        ("no algorithm", sa(NEWSA, &info(0x104), |_| {})),
        ("unknown cipher", sa(NEWSA, &info(0x105), |w| cbc(w, "enigma", 16))),
        ("unknown AEAD", sa(NEWSA, &info(0x106), |w| algorithm(w, XFRMA_ALG_AEAD, "x(y)", 20, Some(128)))),
        ("AEAD and a hash", {
            sa(NEWSA, &info(0x107), |w| {
                gcm(w);
                sha256(w);
            })
        }),
        ("a check value longer than the hash", {
            sa(NEWSA, &info(0x108), |w| {
                algorithm(w, XFRMA_ALG_CRYPT, "aes", 16, None);
                algorithm(w, XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 32, Some(512));
            })
        }),
        ("a cut key", {
            sa(NEWSA, &info(0x109), |w| {
                w.attribute(XFRMA_ALG_AEAD, |w| {
                    w.bytes(b"rfc4106(gcm(aes))").zeros(64 - 17).u32(160).u32(128).zeros(10);
                });
            })
        }),
        ("allocate", allocate(0x500, 0x500)),
        ("keys for the allocated", sa(UPDSA, &info(0x500), gcm)),
        ("get it with keys", named(GETSA, 0, 0x500)),
        ("all", any),
        ("count", {
            request(GETSADINFO, 0, |w| {
                w.u32(0);
            })
        }),
        ("delete", named(DELSA, NLM_F_ACK, 0x100)),
        ("delete again", named(DELSA, NLM_F_ACK, 0x100)),
        ("flush", flush.clone()),
        ("get after the flush", named(GETSA, 0, 0x101)),
        ("flush nothing", flush),
        // After the count, which says how the kernel's tables have grown.
        ("extended numbers and the old window", {
            sa(NEWSA, &SaInfo { replay_window: 32, ..spi(0x304, &esn) }, |w| extended(w, 64, 2))
        }),
        ("extended numbers with a window of none", sa(NEWSA, &spi(0x305, &esn), |w| extended(w, 0, 2))),
        ("the extended form for short numbers", {
            sa(NEWSA, &SaInfo { replay_window: 0, ..info(0x306) }, |w| extended(w, 64, 2))
        }),
        ("get it", named(GETSA, 0, 0x306)),
        ("the extended form for short numbers and the old window", {
            sa(NEWSA, &info(0x307), |w| extended(w, 64, 2))
        }),
        ("as after an address update", sa(NEWSA, &info(0x308), |w| carried(w, 0b1011))),
        ("get what was carried", named(GETSA, 0, 0x308)),
        ("replay state of what was carried", named(GETAE, 0, 0x308)),
        ("the old form without a window", {
            sa(NEWSA, &SaInfo { replay_window: 0, ..info(0x309) }, |w| carried(w, 0))
        }),
        ("get it without a window", named(GETSA, 0, 0x309)),
        ("a window too large for the old form", {
            sa(NEWSA, &SaInfo { replay_window: 200, ..info(0x30a) }, gcm)
        }),
        ("get it with the largest", named(GETSA, 0, 0x30a)),
        ("allocate again", allocate(0x500, 0x500)),
        ("allocate where none is left", allocate(0x500, 0x500)),
        ("allocate from an empty range", allocate(0x502, 0x501)),
    ]
}

fn selected(spi: u32, flags: u8, change: impl Fn(&mut Selector)) -> SaInfo {
    let mut selector = Selector::default();
    change(&mut selector);
    SaInfo { selector, flags, ..info(spi) }
}

/// What daemons seldom say of an SA.
pub fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let gcm_of =
        |bits: u32| move |w: &mut Writer| algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 20, Some(bits));
    let soft =
        |packets: u64| SaInfo { limits: Limits { soft_packets: packets, ..Limits::NONE }, ..info(0x711) };
    let tcp = SaInfo { id: SaId { protocol: 6, ..info(0x705).id }, ..info(0x705) };
    let long = selected(0x702, 0, |s| (s.family, s.source_prefix) = (AF_INET, 33));
    let other =
        selected(0x711, 0, |s| (s.family, s.destination_prefix, s.destination) = (AF_INET, 8, [10; 16]));
    vec![
        ("no family, and no word of it", sa(NEWSA, &selected(0x700, 0, |_| {}), gcm)),
        ("get it with the family of its addresses", named(GETSA, 0, 0x700)),
        ("a protocol without a family", {
            sa(NEWSA, &selected(0x701, XFRM_STATE_AF_UNSPEC, |s| s.protocol = 6), gcm)
        }),
        ("get it without a family", named(GETSA, 0, 0x701)),
        ("too long a prefix", sa(NEWSA, &long, gcm)),
        ("another family", sa(NEWSA, &selected(0x703, 0, |s| s.family = 17), gcm)),
        ("a mode there is not", sa(NEWSA, &SaInfo { mode: 77, ..info(0x704) }, gcm)),
        ("a protocol there is not", sa(NEWSA, &tcp, gcm)),
        ("a check value of no whole bytes", sa(NEWSA, &info(0x70e), gcm_of(100))),
        ("a check value too short", sa(NEWSA, &info(0x70f), gcm_of(32))),
        ("with counters", sa(NEWSA, &soft(100), |w| carried(w, 0))),
        ("other limits", sa(UPDSA, &soft(2000), gcm)),
        ("get it with other limits", named(GETSA, 0, 0x711)),
        ("another selector", sa(UPDSA, &other, gcm)),
        ("get it with that", named(GETSA, 0, 0x711)),
    ]
}

/// Attributes that are not whole, or twice there.
pub fn odd_attributes() -> Vec<(&'static str, Vec<u8>)> {
    let cut = |spi: u32, kind: u16, len: usize| {
        sa(NEWSA, &info(spi), |w| {
            gcm(w);
            w.attribute(kind, |w| {
                w.zeros(len);
            });
        })
    };
    let encapsulated = |w: &mut Writer| {
        gcm(w);
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(9).be16(4500).be16(4501).zeros(18);
        });
    };
    let interfaces = |w: &mut Writer| {
        gcm(w);
        word(w, XFRMA_IF_ID, 42);
        word(w, XFRMA_IF_ID, 43);
    };
    vec![
        ("a cut interface", cut(0x706, XFRMA_IF_ID, 2)),
        ("a cut encapsulation", cut(0x707, XFRMA_ENCAP, 20)),
        ("cut counters", cut(0x708, XFRMA_LTIME_VAL, 30)),
        ("a cut window", cut(0x709, XFRMA_REPLAY_VAL, 8)),
        ("a cut extended window", cut(0x70a, XFRMA_REPLAY_ESN_VAL, 20)),
        ("a cut name", cut(0x70b, XFRMA_ALG_CRYPT, 60)),
        ("a cut mark", cut(0x70c, XFRMA_MARK, 4)),
        ("an encapsulation of another kind", sa(NEWSA, &info(0x70d), encapsulated)),
        ("an SPI of a protocol there is not", {
            request(ALLOCSPI, 0, |w| {
                SaInfo { id: SaId { protocol: 6, ..info(0).id }, ..info(0) }.write(w);
                w.u32(0x720).u32(0x720);
            })
        }),
        ("an interface twice", sa(NEWSA, &info(0x710), interfaces)),
        ("get it of the second", named(GETSA, 0, 0x710)),
    ]
}

/// An SA that ends after a second.
pub fn short_lived() -> Vec<u8> {
    let info = SaInfo { limits: Limits { hard_add: 1, ..Limits::NONE }, ..info(0x600) };
    sa(NEWSA, &info, |w| {
        gcm(w);
        word(w, XFRMA_IF_ID, 42);
    })
}

/// Blanks times and the sequence number that the kernel gives to allocated SPIs; sorts nothing else.
pub fn blank(payload: &mut [u8]) {
    // `curlft.add_time` and `curlft.use_time`, after selector, id, source and limits; then `seq`.
    let usage = 56 + 24 + 16 + 64;
    // How long an allocated SPI waits: 30 s unless `xfrm_acq_expires` says otherwise, which strongSwan sets to 165.
    let hard_add = 56 + 24 + 16 + 5 * 8;
    if let Some(seconds @ [30 | 165, 0, ..]) = payload.get_mut(hard_add..hard_add + 8) {
        seconds.fill(0);
    }
    if let Some(times) = payload.get_mut(usage + 16..usage + 32) {
        times.fill(0);
    }
    if let Some(sequence) = payload.get_mut(usage + 32 + 12..usage + 32 + 16) {
        sequence.fill(0);
    }
}
