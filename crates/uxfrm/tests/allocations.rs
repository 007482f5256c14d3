//! No packet costs an allocation: a counting allocator around both halves of a worker, once they are warm. Needs no privilege.

#[path = "support/manual_sa.rs"]
mod manual_sa;

use manual_sa::{IF_ID, SPI, Suite, database, inner, queue, state};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::UdpSocket;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use uxfrm::datapath::interface::Interface;
use uxfrm::datapath::local_addresses::LocalAddresses;
use uxfrm::datapath::receive::{Kind, Opener};
use uxfrm::datapath::shared::WorkerSockets;
use uxfrm::datapath::transmit::Outbound;
use uxfrm::datapath::{Shared, notice};
use uxfrm::esp::packet::tail;
use uxfrm::esp::transform::{Header, Transform};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::receive::Received;
use uxfrm::sys::tun::VNET_HEADER_LEN;

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

const PER_DATAGRAM: usize = 8;
const DATAGRAMS: usize = 32;

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
        let (queue, hosts) = queue();
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

/// Where another worker has lower numbers, what is sealed is handed over and comes back.
#[test]
fn handing_over_allocates_nothing() {
    let (notifier, _notices) = notice::channel().unwrap();
    let sockets = [(); 2].map(|()| {
        let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        WorkerSockets { send_v4: Some(socket), ..WorkerSockets::default() }
    });
    let shared = Arc::new(Shared::new(sockets.into(), notifier, 4500).unwrap());
    let view = database(Suite::Gcm).view();
    let sequence = state(&view).association.sequence.clone();
    let (queue, hosts) = queue();
    let interface = Interface { if_id: IF_ID, name: "ipsec42".into(), queues: vec![queue] };
    let mut outbound = Outbound::new(shared.clone(), 0).unwrap();
    let (others, claims) = std::sync::mpsc::channel();
    let other = std::thread::spawn({
        let sequence = sequence.clone();
        move || {
            for last in claims {
                std::thread::sleep(std::time::Duration::from_millis(1));
                sequence.pass(last);
            }
        }
    });
    let mut counted = 0;
    for round in 0..30 {
        for _ in 0..8 {
            hosts.send(&[&[0; VNET_HEADER_LEN][..], &inner(0, 160)].concat()).unwrap();
        }
        // The other worker has numbers, and sends them a moment later.
        others.send(*sequence.claim(1).unwrap().end()).unwrap();
        let (count, moved) = allocations(|| outbound.drain(&view, &interface, false).unwrap());
        assert_eq!(moved.packets, 8);
        counted += if round < 5 { 0 } else { count };
    }
    drop(others);
    other.join().unwrap();
    assert_eq!(shared.counters.read().sent, 240);
    assert_eq!(counted, 0);
}

/// The counter counts: else the tests above could not fail.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| std::hint::black_box(vec![1u8])).0, 1);
    assert_eq!(allocations(|| std::hint::black_box(1u8)).0, 0);
}
