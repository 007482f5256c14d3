//! Two workers send by one SA and hand their packets over to each other: what leaves, and what is counted. Needs no privilege.

#[path = "support/manual_sa.rs"]
mod manual_sa;

use manual_sa::{IF_ID, Suite, database_to, inner, queue, state};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use uxfrm::datapath::association::SaView;
use uxfrm::datapath::interface::Interface;
use uxfrm::datapath::shared::{Cached, WorkerSockets};
use uxfrm::datapath::transmit::Outbound;
use uxfrm::datapath::{Shared, notice};
use uxfrm::sys::tun::VNET_HEADER_LEN;

const WORKERS: usize = 2;
const PAYLOAD: usize = 100;
/// Far longer than anybody waits who gets a CPU now and then.
const PATIENCE: Duration = Duration::from_secs(30);

/// An SA to a socket of this test, and its workers' queues.
struct Stand {
    shared: Arc<Shared>,
    interface: Interface,
    hosts: Vec<UnixDatagram>,
    peer: UdpSocket,
    _notices: Mutex<notice::Notices>,
}

impl Stand {
    fn new() -> Self {
        let (notifier, notices) = notice::channel().unwrap();
        let sockets = (0..WORKERS).map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            WorkerSockets { send_v4: Some(socket.into()), ..WorkerSockets::default() }
        });
        let shared = Arc::new(Shared::new(sockets.collect(), notifier, 4500).unwrap());
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let port = peer.local_addr().unwrap().port();
        drop(shared.publish(Arc::new(database_to(Suite::Gcm, port).view())));
        let (queues, hosts) = (0..WORKERS).map(|_| queue()).unzip();
        let interface = Interface { if_id: IF_ID, name: "ipsec42".into(), queues };
        Self { shared, interface, hosts, peer, _notices: Mutex::new(notices) }
    }

    fn state(&self) -> Arc<SaView> {
        state(&self.shared.picture().view)
    }

    /// Lets a worker send `count` packets, as it does when they wait on its interface.
    fn work(&self, worker: usize, outbound: &mut Outbound, cached: &mut Cached, count: usize) {
        for flow in 0..count {
            let packet = [&[0; VNET_HEADER_LEN][..], &inner(flow as u8 % 4, PAYLOAD)].concat();
            self.hosts[worker].send(&packet).unwrap();
        }
        while {
            self.shared.refresh(worker, cached);
            let moved = outbound.drain(&cached.picture.view, &self.interface, false).unwrap();
            self.shared.rest(worker);
            moved.more
        } {}
    }

    /// The sequence numbers that arrive, until there are none for a moment after `is_over`.
    fn numbers(&self, received: &AtomicU64, is_over: &AtomicBool) -> Vec<u32> {
        let (mut numbers, mut buffer) = (Vec::new(), [0; 2048]);
        loop {
            let was_over = is_over.load(Ordering::SeqCst);
            match self.peer.recv(&mut buffer) {
                Ok(_) => {
                    numbers.push(u32::from_be_bytes(buffer[4..8].try_into().unwrap()));
                    received.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) if was_over => return numbers,
                Err(_) => {}
            }
        }
    }
}

/// Both workers have packets all the time; now and then a third has lower numbers and sends a moment later, so that they hand
/// over for certain.
#[test]
fn packets_leave_in_order_and_are_counted_once() {
    const DRAINS: usize = 300;
    let stand = Stand::new();
    let (is_over, received, working) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(2));
    let state = stand.state();
    let association = &state.association;
    let all = AtomicU64::new(0);
    let numbers = thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (stand, received, working, all) = (&stand, &received, &working, &all);
            scope.spawn(move || {
                let mut outbound = Outbound::new(stand.shared.clone(), worker).unwrap();
                let mut cached = Cached::default();
                for drain in 0..DRAINS {
                    let count = (drain * 7 + worker * 5) % 16 + 1;
                    stand.work(worker, &mut outbound, &mut cached, count);
                    let sent = all.fetch_add(count as u64, Ordering::SeqCst);
                    // A socket's buffer holds so many for certain.
                    while received.load(Ordering::SeqCst) + 64 < sent {
                        thread::yield_now();
                    }
                }
                working.fetch_sub(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            while working.load(Ordering::SeqCst) > 0 {
                let claimed = association.sequence.claim(1).unwrap();
                thread::sleep(Duration::from_micros(500));
                while !association.sequence.is_turn(*claimed.start()) {
                    thread::yield_now();
                }
                association.sequence.pass(*claimed.end());
                thread::sleep(Duration::from_micros(500));
            }
            is_over.store(true, Ordering::SeqCst);
        });
        stand.numbers(&received, &is_over)
    });
    let (all, path, sa) = (all.into_inner(), stand.shared.counters.read(), association.counters.read());
    assert_eq!((numbers.len() as u64, path.sent, sa.packets), (all, all, all));
    assert_eq!((sa.bytes, sa.send_failed, path.panics), (all * (28 + PAYLOAD as u64), 0, 0));
    // Only who was kept from its CPU for longer than anybody waits is overtaken.
    let overtaken = numbers.windows(2).filter(|pair| pair[0] >= pair[1]).count() as u64;
    assert!(overtaken <= path.out_of_turn * 64, "{overtaken} overtaken, {} late", path.out_of_turn);
    assert!((0..WORKERS).all(|worker| stand.shared.spares[worker].is_whole()));
}

/// What was handed over counts as under way for who deletes the SA; once it is sent, nothing keeps the keys.
#[test]
fn a_deleted_sa_has_sent_its_last_packet() {
    assert!(
        (0..20).any(|_| deleted_while_packets_wait()),
        "this machine keeps threads from running for long"
    );
}

/// `false` where the worker has waited so long that it gave up.
fn deleted_while_packets_wait() -> bool {
    let stand = Stand::new();
    let association = Arc::downgrade(&stand.state().association);
    let (is_over, received) = (AtomicBool::new(false), AtomicU64::new(0));
    let other = {
        let sequence = association.upgrade().unwrap().sequence.clone();
        let claimed = sequence.claim(1).unwrap();
        move || sequence.pass(*claimed.end())
    };
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut outbound = Outbound::new(stand.shared.clone(), 0).unwrap();
            let mut cached = Cached::default();
            stand.work(0, &mut outbound, &mut cached, 8);
            // As a worker is woken to let an old view go.
            stand.shared.refresh(0, &mut cached);
            stand.shared.rest(0);
            stand.work(0, &mut outbound, &mut cached, 8);
        });
        // Sealed, counted and handed over.
        while association.upgrade().unwrap().counters.read().packets == 0 {
            thread::yield_now();
        }
        let old = stand.shared.publish(Arc::default());
        let settled = stand.shared.settle(Duration::from_millis(5));
        // Late or not: a settled SA has sent everything.
        assert!(!settled || stand.shared.counters.read().sent == 8);
        other();
        assert!(stand.shared.settle(PATIENCE));
        assert_eq!(stand.shared.counters.read().sent, 8);
        drop(old);
        worker.join().unwrap();
        is_over.store(true, Ordering::SeqCst);
    });
    let path = stand.shared.counters.read();
    assert_eq!((path.sent, path.no_policy), (8, 8));
    assert_eq!(stand.numbers(&received, &is_over), (2..=9).collect::<Vec<_>>());
    assert!(association.upgrade().is_none(), "keys are let go");
    path.out_of_turn == 0
}

/// A worker that has claimed numbers and does not come: the others wait for a moment, once.
#[test]
fn who_does_not_come_is_not_waited_for_for_ever() {
    let stand = Stand::new();
    let (is_over, received) = (AtomicBool::new(true), AtomicU64::new(0));
    let sequence = stand.state().association.sequence.clone();
    let lost = sequence.claim(3).unwrap();
    let mut outbound = Outbound::new(stand.shared.clone(), 0).unwrap();
    let mut cached = Cached::default();
    let start = Instant::now();
    stand.work(0, &mut outbound, &mut cached, 5);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(50), "{waited:?}");
    assert_eq!(stand.shared.counters.read().out_of_turn, 1);
    stand.work(0, &mut outbound, &mut cached, 5);
    assert_eq!(stand.shared.counters.read().out_of_turn, 1);
    assert_eq!(stand.numbers(&received, &is_over), (4..=13).collect::<Vec<_>>());
    sequence.pass(*lost.end());
    assert!(sequence.is_turn(14) && stand.shared.spares[0].is_whole());
    assert!(stand.shared.settle(PATIENCE));
}
