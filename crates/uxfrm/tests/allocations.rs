//! No packet costs an allocation: a counting allocator around both halves of a worker, once they are warm. Needs no privilege.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::UdpSocket;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use uxfrm::database::{Clock, Database};
use uxfrm::datapath::interface::Interface;
use uxfrm::datapath::local_addresses::LocalAddresses;
use uxfrm::datapath::receive::{Kind, Opener};
use uxfrm::datapath::shared::WorkerSockets;
use uxfrm::datapath::transmit::Outbound;
use uxfrm::datapath::{Shared, notice};
use uxfrm::esp::algorithm::{AeadCipher, Algorithm, Cipher, Hash};
use uxfrm::esp::packet::tail;
use uxfrm::esp::transform::{Header, Transform};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::ip::set_ipv4_checksum;
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::receive::Received;
use uxfrm::sys::tun::{Queue, VNET_HEADER_LEN};
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::{Limits, Usage};
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::Selector;
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Header as Message, Writer};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread asks for.
struct Counting;

// SAFETY: all is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread has asked for memory while it did something.
fn allocations<R>(work: impl FnOnce() -> R) -> (u64, R) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

const SPI: u32 = 0xc000_0001;
const IF_ID: u32 = 42;
const PER_DATAGRAM: usize = 8;
const DATAGRAMS: usize = 32;

#[derive(Clone, Copy, Debug)]
enum Suite {
    Gcm,
    CbcSha256,
    TripleDesSha1,
}

impl Suite {
    fn algorithm(self) -> Algorithm {
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

    fn transform(self) -> Transform {
        let (cipher, mac) = self.algorithm().key_lens();
        Transform::new(self.algorithm(), &KEY[..cipher], &KEY[..mac], false).unwrap()
    }
}

static KEY: [u8; 32] = *b"a key of which no part is secret";

fn request(kind: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Message { kind, flags: NLM_F_REQUEST, sequence: 1, port: 0 });
    fill(&mut writer);
    writer.attribute(XFRMA_IF_ID, |w| {
        w.u32(IF_ID);
    });
    writer.finish()
}

/// Databases with an SA from one loopback address to another, and policies for everything.
fn database(suite: Suite) -> Database {
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
        // ESP in UDP to port 4500.
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(2).be16(4500).be16(4500).zeros(18);
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
fn inner(flow: u8, payload: usize) -> Vec<u8> {
    let len = (28 + payload) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 2, 0, 2, 10, 1, 0, 2];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend([0x10, flow, 0, 53, 0, 0, 0, 0]);
    packet[24..26].copy_from_slice(&(len - 20).to_be_bytes());
    packet.resize(usize::from(len), 7);
    set_ipv4_checksum(&mut packet);
    packet
}

#[derive(Default)]
struct Counted {
    packets: usize,
}

impl Sink for Counted {
    fn write(&mut self, _: u32, _: VirtioHeader, _: &[u8], pieces: &[Range<usize>]) {
        self.packets += pieces.len().max(1);
    }
}

/// A batch of coalesced datagrams as the socket gives them, whose sequence numbers follow on `last`.
fn batch(transform: &Transform, last: &mut u64, region: &mut Vec<u8>, received: &mut Vec<Received>) {
    region.clear();
    received.clear();
    for _ in 0..DATAGRAMS {
        let start = region.len();
        let mut segment = 0;
        for flow in 0..PER_DATAGRAM as u8 {
            *last += 1;
            let text = inner(flow % 4, 160);
            let (tail, len) = tail(transform, text.len(), 4);
            segment = transform.packet_len(text.len());
            let at = region.len();
            region.resize(at + segment, 0);
            let iv = last.to_be_bytes().repeat(2);
            let iv = &iv[..transform.algorithm().iv_len()];
            let header = Header { spi: SPI, sequence: *last };
            transform.seal(header, iv, &[&text[..], &tail[..len]].concat(), &mut region[at..]).unwrap();
        }
        let source = Some("127.0.0.1:4500".parse().unwrap());
        let local = Some("127.0.0.1".parse().unwrap());
        received.push(Received { start, len: region.len() - start, segment, source, local, tos: 0 });
    }
}

#[test]
fn receiving_allocates_nothing() {
    for suite in [Suite::Gcm, Suite::CbcSha256, Suite::TripleDesSha1] {
        for joins in [false, true] {
            let (notifier, _notices) = notice::channel().unwrap();
            let shared = Shared::new(Vec::new(), notifier, 4500).unwrap();
            let view = database(suite).view();
            let mut opener = Opener {
                coalescer: Coalescer::new(joins),
                now: 1_700_000_000,
                local: Arc::new(LocalAddresses(Default::default())),
                early: Default::default(),
            };
            let (transform, mut last) = (suite.transform(), 0);
            let (mut region, mut received, mut sink) = (Vec::new(), Vec::new(), Counted::default());
            let mut open = |sink: &mut Counted| {
                batch(&transform, &mut last, &mut region, &mut received);
                allocations(|| {
                    opener.isolated_batch(&shared, &view, &mut region, &received, Kind::Udp, sink);
                    opener.coalescer.flush(&mut region, sink);
                })
                .0
            };
            let warm: u64 = (0..4).map(|_| open(&mut sink)).sum();
            let counted: u64 = (0..20).map(|_| open(&mut sink)).sum();
            assert_eq!(sink.packets, 24 * DATAGRAMS * PER_DATAGRAM, "{suite:?}");
            assert_eq!(counted, 0, "{suite:?}, joining {joins}; {warm} while it got warm");
        }
    }
}

#[test]
fn sending_allocates_nothing() {
    for suite in [Suite::Gcm, Suite::CbcSha256, Suite::TripleDesSha1] {
        let (notifier, _notices) = notice::channel().unwrap();
        let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        let sockets = WorkerSockets { send_v4: Some(socket), ..WorkerSockets::default() };
        let shared = Arc::new(Shared::new(vec![sockets], notifier, 4500).unwrap());
        let view = database(suite).view();
        // What is written to one end is read from the other as from a TUN.
        let (hosts, tun) = UnixDatagram::pair().unwrap();
        tun.set_nonblocking(true).unwrap();
        let queue = Queue { fd: tun.into(), udp_segmentation: false };
        let interface = Interface { if_id: IF_ID, name: "ipsec42".into(), queues: vec![queue] };
        let mut outbound = Outbound::new(shared.clone(), 0).unwrap();
        let mut send = |packets: u8| {
            for flow in 0..packets {
                let packet = [&[0; VNET_HEADER_LEN][..], &inner(flow % 4, 160)].concat();
                hosts.send(&packet).unwrap();
            }
            let (count, moved) = allocations(|| outbound.drain(&view, &interface, false).unwrap());
            (count, moved.packets)
        };
        let warm: u64 = (0..4).map(|_| send(8).0).sum();
        let (mut counted, mut moved) = (0, 0);
        for _ in 0..50 {
            let (count, packets) = send(8);
            (counted, moved) = (counted + count, moved + packets);
        }
        assert_eq!((moved, shared.counters.read().sent), (400, 432), "{suite:?}");
        assert_eq!(counted, 0, "{suite:?}; {warm} while it got warm");
    }
}

/// The counter counts: else the tests above could not fail.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| std::hint::black_box(vec![1u8])).0, 1);
    assert_eq!(allocations(|| std::hint::black_box(1u8)).0, 0);
}
