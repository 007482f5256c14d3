//! Every way to make a tunnel: algorithms, encapsulation, outer family, sequence numbers; and the requests for both ends.

use std::fmt;
use std::net::IpAddr;

use uxfrm::esp::algorithm::{self as esp, AeadCipher, Cipher, Hash};
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::Selector;
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Header, Writer};

use super::agent::OUTER;

/// The interface of our end.
pub const IF_ID: u32 = 42;
const REQID: u32 = 7;
const ESN_WINDOW: u32 = 128;
/// Where a peer's packets come from after it has moved.
pub const OTHER_PORT: u16 = 5555;

/// Name, key length in bytes and check value in bits, as XFRM has them.
#[derive(Clone, Copy)]
pub enum Algorithm {
    Aead(&'static str, usize, u32),
    Separate((&'static str, usize), (&'static str, usize, u32)),
}

/// One tunnel.
#[derive(Clone, Copy)]
pub struct Case {
    pub algorithm: Algorithm,
    pub is_encapsulated: bool,
    pub is_outer_v6: bool,
    pub has_esn: bool,
    /// Tells the SPIs of one case from another's.
    pub number: u32,
    /// The ends get different keys: nothing may pass.
    pub keys_differ: bool,
    /// At each end, of the SA that it sends with (true) or receives with.
    pub limits: Option<(bool, Limits)>,
    /// The kernel sends from another port than we are told.
    pub kernel_moves: bool,
    /// Each SA is said to be for one direction (Linux 6.10).
    pub has_direction: bool,
    /// The kernel's end has an interface too.
    pub kernel_has_interface: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm {
            Algorithm::Aead(name, key, icv) => write!(f, "{name} key {} icv {icv}", key * 8)?,
            Algorithm::Separate((cipher, key), (hash, _, icv)) => {
                write!(f, "{cipher} key {} {hash} icv {icv}", key * 8)?;
            }
        }
        let outer = if self.is_outer_v6 { "IPv6" } else { "IPv4" };
        let form = if self.is_encapsulated { "ESP in UDP" } else { "plain ESP" };
        write!(f, ", {form} over {outer}{}", if self.has_esn { ", ESN" } else { "" })
    }
}

/// All that we have: one that is added needs its names here.
pub fn algorithms() -> Vec<Algorithm> {
    esp::Algorithm::all().into_iter().map(named).collect()
}

fn named(algorithm: esp::Algorithm) -> Algorithm {
    let (key, _) = algorithm.key_lens();
    let icv = algorithm.icv_len() as u32 * 8;
    match algorithm {
        esp::Algorithm::Aead { cipher, .. } => {
            let name = match cipher {
                AeadCipher::Aes128Gcm | AeadCipher::Aes192Gcm | AeadCipher::Aes256Gcm => "rfc4106(gcm(aes))",
                AeadCipher::ChaCha20Poly1305 => "rfc7539esp(chacha20,poly1305)",
            };
            Algorithm::Aead(name, key, icv)
        }
        esp::Algorithm::CipherAndMac { cipher, hash, .. } => {
            let name = match cipher {
                Cipher::Null => "cipher_null",
                Cipher::Aes128Cbc | Cipher::Aes192Cbc | Cipher::Aes256Cbc => "aes",
                Cipher::TripleDesCbc => "des3_ede",
                Cipher::DesCbc => "des",
            };
            let hash_name = match hash {
                Hash::Md5 => "hmac(md5)",
                Hash::Sha1 => "hmac(sha1)",
                Hash::Sha256 => "hmac(sha256)",
                Hash::Sha384 => "hmac(sha384)",
                Hash::Sha512 => "hmac(sha512)",
            };
            Algorithm::Separate((name, key), (hash_name, hash.output_len(), icv))
        }
    }
}

/// Every algorithm in every form.
pub fn all() -> Vec<Case> {
    let forms = (0..8u8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0));
    let forms: Vec<_> = forms.collect();
    let each = algorithms().into_iter().flat_map(|algorithm| {
        forms.iter().map(move |&(is_encapsulated, is_outer_v6, has_esn)| {
            (algorithm, is_encapsulated, is_outer_v6, has_esn)
        })
    });
    each.zip(0..)
        .map(|((algorithm, is_encapsulated, is_outer_v6, has_esn), number)| Case {
            algorithm,
            is_encapsulated,
            is_outer_v6,
            has_esn,
            number,
            keys_differ: false,
            limits: None,
            kernel_moves: false,
            has_direction: false,
            kernel_has_interface: false,
        })
        .collect()
}

/// Which end: ours, or the kernel's in the guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Ours,
    Kernels,
}

impl End {
    #[allow(dead_code)]
    pub fn other(self) -> Self {
        match self {
            Self::Ours => Self::Kernels,
            Self::Kernels => Self::Ours,
        }
    }
}

impl Case {
    /// Of an end's outbound policy, for IPv4 inside.
    #[allow(dead_code)]
    pub fn selector(&self, sender: End) -> Selector {
        between_networks(sender, false)
    }

    fn outer(&self, end: End) -> IpAddr {
        OUTER[usize::from(self.is_outer_v6)][usize::from(end == End::Kernels)].parse().unwrap()
    }

    /// The SA of the packets that an end sends.
    pub fn sa_id(&self, sender: End) -> SaId {
        let receiver = if sender == End::Ours { End::Kernels } else { End::Ours };
        let spi = 0xc000_0000 + self.number * 2 + u32::from(sender == End::Kernels);
        SaId { destination: self.outer(receiver), spi, protocol: 50 }
    }

    /// What makes the tunnel at one end, and unmakes the one before: each answered by an acknowledgement.
    pub fn requests(&self, end: End) -> Vec<Vec<u8>> {
        let flush = request(FLUSHSA, |w| {
            w.u8(0).zeros(3);
        });
        let mut all = vec![flush, self.add(end, End::Ours), self.add(end, End::Kernels)];
        for is_inner_v6 in [false, true] {
            for direction in [XFRM_POLICY_OUT, XFRM_POLICY_IN, XFRM_POLICY_FWD] {
                all.push(self.policy(end, direction, is_inner_v6));
            }
        }
        all
    }

    fn add(&self, end: End, sender: End) -> Vec<u8> {
        let id = self.sa_id(sender);
        let only_sends = self.has_direction && end == sender;
        let limits = self.limits.filter(|(sends, _)| *sends == (end == sender));
        let info = SaInfo {
            selector: Selector::default(),
            id,
            source: self.outer(sender),
            limits: limits.map_or(Limits::NONE, |(_, limits)| limits),
            usage: Usage::default(),
            statistics: [0; 3],
            sequence: 0,
            reqid: REQID,
            mode: XFRM_MODE_TUNNEL,
            replay_window: if self.has_esn || only_sends { 0 } else { 32 },
            flags: XFRM_STATE_AF_UNSPEC | if self.has_esn { XFRM_STATE_ESN } else { 0 },
        };
        request(NEWSA, |w| {
            info.write(w);
            let is_wrong = self.keys_differ && end == End::Kernels;
            self.algorithm.write(w, if is_wrong { !id.spi } else { id.spi });
            if self.is_encapsulated {
                // Type, source and destination port, address: `xfrm_encap_tmpl`.
                let moves = self.kernel_moves && (end, sender) == (End::Kernels, End::Kernels);
                w.attribute(XFRMA_ENCAP, |w| {
                    w.u16(2).be16(if moves { OTHER_PORT } else { 4500 }).be16(4500).zeros(18);
                });
            }
            if self.has_esn {
                let window = if only_sends { 0 } else { ESN_WINDOW };
                w.attribute(XFRMA_REPLAY_ESN_VAL, |w| {
                    w.u32(window / 32).zeros(16).u32(window).zeros(window as usize / 8);
                });
            }
            if self.has_direction {
                w.attribute(XFRMA_SA_DIR, |w| {
                    w.u8(if only_sends { XFRM_SA_DIR_OUT } else { XFRM_SA_DIR_IN });
                });
            }
            self.interface(w, end);
        })
    }

    fn interface(&self, w: &mut Writer, end: End) {
        if end == End::Ours || self.kernel_has_interface {
            w.attribute(XFRMA_IF_ID, |w| {
                w.u32(IF_ID);
            });
        }
    }

    /// A policy for [`super::agent::TRAPPED`] whose SA is not there.
    #[allow(dead_code)]
    pub fn trap(&self, end: End) -> Vec<u8> {
        let selector = Selector {
            destination: {
                let mut bytes = [0; 16];
                bytes[..2].copy_from_slice(&[10, 3]);
                bytes
            },
            destination_prefix: 24,
            source_prefix: 0,
            source: [0; 16],
            ..between_networks(end, false)
        };
        let info =
            PolicyInfo { selector, priority: 1000, direction: XFRM_POLICY_OUT, ..PolicyInfo::default() };
        let template = Template { reqid: REQID + 1, ..self.template(end) };
        request(UPDPOLICY, |w| {
            info.write(w);
            w.attribute(XFRMA_TMPL, |w| template.write(w));
            self.interface(w, end);
        })
    }

    /// ESP in tunnel mode, sent by this end.
    fn template(&self, sender: End) -> Template {
        Template {
            destination: self.sa_id(sender).destination,
            source: self.outer(sender),
            spi: 0,
            protocol: 50,
            reqid: REQID,
            mode: XFRM_MODE_TUNNEL,
            share: 0,
            optional: 0,
            algorithms: [u32::MAX; 3],
        }
    }

    fn policy(&self, end: End, direction: u8, is_inner_v6: bool) -> Vec<u8> {
        let sends = direction == XFRM_POLICY_OUT;
        let sender = if sends == (end == End::Ours) { End::Ours } else { End::Kernels };
        let id = self.sa_id(sender);
        let info = PolicyInfo {
            selector: between_networks(sender, is_inner_v6),
            priority: 1000,
            direction,
            ..PolicyInfo::default()
        };
        // Like strongSwan: the outbound policy names its SA.
        let template = Template { spi: if sends { id.spi } else { 0 }, ..self.template(sender) };
        request(UPDPOLICY, |w| {
            info.write(w);
            w.attribute(XFRMA_TMPL, |w| template.write(w));
            self.interface(w, end);
        })
    }
}

impl Algorithm {
    fn write(self, w: &mut Writer, seed: u32) {
        let mut one = |kind: u16, name: &str, key: usize, icv: Option<u32>| {
            w.attribute(kind, |w| {
                w.bytes(name.as_bytes()).zeros(64 - name.len()).u32(key as u32 * 8);
                if let Some(icv) = icv {
                    w.u32(icv);
                }
                w.bytes(&key_material(seed, kind, key));
            });
        };
        match self {
            Self::Aead(name, key, icv) => one(XFRMA_ALG_AEAD, name, key, Some(icv)),
            Self::Separate((cipher, key), (hash, hash_key, icv)) => {
                one(XFRMA_ALG_CRYPT, cipher, key, None);
                one(XFRMA_ALG_AUTH_TRUNC, hash, hash_key, Some(icv));
            }
        }
    }
}

/// Differs for each SA and each of its keys; no two parts of a DES key are the same, which the kernel would refuse.
fn key_material(seed: u32, kind: u16, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) << 16 | u64::from(kind);
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// From the network behind the sender to the other.
fn between_networks(sender: End, is_v6: bool) -> Selector {
    let address = |host: u8| {
        let mut bytes = [0; 16];
        if is_v6 {
            bytes[..2].copy_from_slice(&[0xfd, host])
        } else {
            bytes[..2].copy_from_slice(&[10, host])
        }
        bytes
    };
    let (source, destination) = if sender == End::Ours { (1, 2) } else { (2, 1) };
    let prefix = if is_v6 { 64 } else { 24 };
    Selector {
        destination: address(destination),
        source: address(source),
        family: if is_v6 { AF_INET6 } else { AF_INET },
        destination_prefix: prefix,
        source_prefix: prefix,
        ..Selector::default()
    }
}

/// A request that is acknowledged.
pub fn request(kind: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 77, port: 0 });
    fill(&mut writer);
    writer.finish()
}
