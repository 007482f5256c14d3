//! An SA between two loopback addresses, as manual keys make it, and packets for it: what the data path needs, without a daemon.

#![allow(dead_code)]

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use uxfrm::database::{Clock, Database, View};
use uxfrm::datapath::association::SaView;
use uxfrm::esp::algorithm::{AeadCipher, Algorithm, Cipher, Hash};
use uxfrm::esp::transform::Transform;
use uxfrm::inner::ip::{Packet, set_ipv4_checksum};
use uxfrm::sys::tun::Queue;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::Selector;
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Header as Message, Writer};

pub const SPI: u32 = 0xc000_0001;
pub const IF_ID: u32 = 42;
#[derive(Clone, Copy, Debug)]
pub enum Suite {
    Gcm,
    CbcSha256,
    TripleDesSha1,
}

impl Suite {
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Gcm => Algorithm::Aead { cipher: AeadCipher::Aes128Gcm, icv: 16 },
            Self::CbcSha256 => {
                Algorithm::CipherAndMac { cipher: Cipher::Aes256Cbc, hash: Hash::Sha256, icv: 16 }
            }
            Self::TripleDesSha1 => {
                Algorithm::CipherAndMac { cipher: Cipher::TripleDesCbc, hash: Hash::Sha1, icv: 12 }
            }
        }
    }

    fn write(self, w: &mut Writer) {
        let mut one = |kind: u16, name: &str, key: &[u8], icv: Option<u32>| {
            w.attribute(kind, |w| {
                w.bytes(name.as_bytes()).zeros(64 - name.len()).u32(key.len() as u32 * 8);
                if let Some(icv) = icv {
                    w.u32(icv);
                }
                w.bytes(key);
            });
        };
        match self {
            Self::Gcm => one(XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &KEY[..20], Some(128)),
            Self::CbcSha256 => {
                one(XFRMA_ALG_CRYPT, "aes", &KEY[..32], None);
                one(XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", &KEY[..32], Some(128));
            }
            Self::TripleDesSha1 => {
                one(XFRMA_ALG_CRYPT, "des3_ede", &KEY[..24], None);
                one(XFRMA_ALG_AUTH_TRUNC, "hmac(sha1)", &KEY[..20], Some(96));
            }
        }
    }

    pub fn transform(self) -> Transform {
        let (cipher, mac) = self.algorithm().key_lens();
        Transform::new(self.algorithm(), &KEY[..cipher], &KEY[..mac], false).unwrap()
    }
}

static KEY: [u8; 32] = *b"a key of which no part is secret";

pub fn request(kind: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Message { kind, flags: NLM_F_REQUEST, sequence: 1, port: 0 });
    fill(&mut writer);
    writer.attribute(XFRMA_IF_ID, |w| {
        w.u32(IF_ID);
    });
    writer.finish()
}

/// Databases with an SA from one loopback address to another, and policies for everything.
pub fn database(suite: Suite) -> Database {
    database_to(suite, 4500)
}

/// The same, with ESP in UDP to a port of the destination.
pub fn database_to(suite: Suite, port: u16) -> Database {
    let id = SaId { destination: "127.0.0.1".parse().unwrap(), spi: SPI, protocol: 50 };
    let any = Selector { family: AF_INET, ..Selector::default() };
    let info = SaInfo {
        selector: any,
        id,
        source: "127.0.0.1".parse().unwrap(),
        limits: Limits::NONE,
        usage: Usage::default(),
        statistics: [0; 3],
        sequence: 0,
        reqid: 7,
        mode: XFRM_MODE_TUNNEL,
        replay_window: 32,
        flags: 0,
    };
    let template = Template {
        destination: id.destination,
        source: info.source,
        spi: 0,
        protocol: 50,
        reqid: 7,
        mode: XFRM_MODE_TUNNEL,
        share: 0,
        optional: 0,
        algorithms: [u32::MAX; 3],
    };
    let sa = request(NEWSA, |w| {
        info.write(w);
        suite.write(w);
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(2).be16(4500).be16(port).zeros(18);
        });
    });
    let policy = |direction| {
        request(NEWPOLICY, |w| {
            PolicyInfo { selector: any, priority: 1, direction, ..PolicyInfo::default() }.write(w);
            w.attribute(XFRMA_TMPL, |w| template.write(w));
        })
    };
    let mut database = Database::default();
    let requests = [sa, policy(XFRM_POLICY_OUT), policy(XFRM_POLICY_IN), policy(XFRM_POLICY_FWD)];
    for request in requests {
        let answer = database.handle_datagram(&request, Clock { wall: 1_700_000_000, monotonic: 1000 });
        assert!(answer.messages.is_empty() && answer.changed, "{:?}", answer.messages);
    }
    database
}

/// A UDP packet of one of four flows.
pub fn inner(flow: u8, payload: usize) -> Vec<u8> {
    let len = (28 + payload) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 2, 0, 2, 10, 1, 0, 2];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend([0x10, flow, 0, 53, 0, 0, 0, 0]);
    packet[24..26].copy_from_slice(&(len - 20).to_be_bytes());
    packet.resize(usize::from(len), 7);
    set_ipv4_checksum(&mut packet);
    packet
}

/// The SA by which the packets of [`inner`] leave.
pub fn state(view: &View) -> Arc<SaView> {
    let packet = inner(0, 1);
    let flow = Packet::read(&packet).unwrap().flow;
    view.interfaces.get(&IF_ID).unwrap().outbound_policy(&flow).unwrap().state.clone().unwrap()
}

/// A worker's queue of the interface, and the end by which a host sends packets, behind a virtio header of zeros each.
pub fn queue() -> (Queue, UnixDatagram) {
    let (hosts, tun) = UnixDatagram::pair().unwrap();
    tun.set_nonblocking(true).unwrap();
    (Queue { fd: tun.into(), udp_segmentation: false }, hosts)
}
