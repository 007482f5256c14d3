//! Real ESP packets into the receiving half, by the databases as the daemon's requests made them.

use super::*;
use crate::database::tests::{NOW, algorithm, errno, info, policy, request};
use crate::database::{Database, View};
use crate::datapath::association::LimitReached;
use crate::datapath::counters::{PathValues, SaValues};
use crate::datapath::local_addresses::LocalAddresses;
use crate::datapath::notice::Notice;
use crate::datapath::notice::{self, Notices};
use crate::esp::algorithm::{AeadCipher, Algorithm};
use crate::esp::packet::tail;
use crate::esp::transform::{Header, Transform};
use crate::inner::coalesce::Sink;
use crate::inner::ip::set_ipv4_checksum;
use crate::inner::virtio::VirtioHeader;
use crate::sys::receive::Received;
use crate::xfrm::constants::*;
use crate::xfrm::selector::Selector;
use crate::xfrm::state::{SaId, SaInfo};
use std::ops::Range;

#[path = "early_tests.rs"]
mod early;

const SPI: u32 = 0x1000;
const IPIP: u8 = 4;

/// A gateway at 192.0.2.1 with a tunnel from 192.0.2.2.
struct Gateway {
    database: Database,
    view: View,
    shared: Shared,
    notices: Notices,
    opener: Opener,
}

/// What came out.
#[derive(Default)]
struct Delivered(Vec<Vec<u8>>);

impl Sink for Delivered {
    fn write(&mut self, interface: u32, _: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        assert_eq!(interface, 42);
        self.0.push(pieces.iter().flat_map(|piece| region[piece.clone()].to_vec()).collect());
    }
}

/// NEWSA of ESP in UDP.
fn new_sa(info: &SaInfo) -> Vec<u8> {
    request(NEWSA, |w| {
        info.write(w);
        algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &[1; 20], 128);
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(2).be16(4500).be16(4500).zeros(18);
        });
        w.attribute(XFRMA_IF_ID, |w| {
            w.u32(42);
        });
    })
}

impl Gateway {
    fn new(requests: &[Vec<u8>]) -> Self {
        let (notifier, notices) = notice::channel().unwrap();
        let shared = Shared::new(Vec::new(), notifier, 4500).unwrap();
        // 10.1.0.1 is the gateway's own; what is for 10.1.0.2 goes on.
        let local = Arc::new(LocalAddresses(["10.1.0.1".parse().unwrap()].into()));
        let opener = Opener { coalescer: Coalescer::new(true), now: 1, local, early: Early::default() };
        let mut this = Self { database: Database::default(), view: View::default(), shared, notices, opener };
        requests.iter().for_each(|bytes| this.ask(bytes));
        this
    }

    /// With one inbound SA and policies for everything.
    fn with_tunnel() -> Self {
        let policies = [XFRM_POLICY_IN, XFRM_POLICY_FWD].map(|d| policy(NEWPOLICY, d, false, 10, 7));
        Self::new(&[&[new_sa(&info(SPI))], &policies[..]].concat())
    }

    fn ask(&mut self, bytes: &[u8]) {
        assert_eq!(errno(&self.database.handle_datagram(bytes, NOW)), 0);
        self.view = self.database.view();
    }

    /// A datagram from `from` to `to`, coalesced where several packets of one length are given.
    fn receive_at(&mut self, packets: &[Vec<u8>], from: &str, to: &str, tos: u8) -> Vec<Vec<u8>> {
        let mut region = packets.concat();
        let segment = packets[0].len();
        let source = Some(from.parse().unwrap());
        let local = Some(to.parse().unwrap());
        let datagram = Received { start: 0, len: region.len(), segment, source, local, tos };
        let mut delivered = Delivered::default();
        let Self { opener, shared, view, .. } = self;
        opener.isolated_batch(shared, view, &mut region, &[datagram], Kind::Udp, &mut delivered);
        opener.coalescer.flush(&mut region, &mut delivered);
        delivered.0
    }

    fn receive(&mut self, packet: Vec<u8>) -> Vec<Vec<u8>> {
        self.receive_at(&[packet], "192.0.2.2:4500", "192.0.2.1", 0)
    }

    fn counters(&self, id: &SaId) -> SaValues {
        self.database.states.get(id).unwrap().association.as_ref().unwrap().counters.read()
    }

    fn path(&self) -> PathValues {
        self.shared.counters.read()
    }
}

fn seal(spi: u32, sequence: u64, inner: &[u8]) -> Vec<u8> {
    seal_as(spi, sequence, inner, IPIP)
}

fn seal_as(spi: u32, sequence: u64, inner: &[u8], next_header: u8) -> Vec<u8> {
    let algorithm = Algorithm::Aead { cipher: AeadCipher::Aes128Gcm, icv: 16 };
    let transform = Transform::new(algorithm, &[1; 20], &[], false).unwrap();
    let (tail, len) = tail(&transform, inner.len(), next_header);
    let mut out = vec![0; transform.packet_len(inner.len())];
    transform.seal(Header { spi, sequence }, &[9; 8], &[inner, &tail[..len]].concat(), &mut out).unwrap();
    out
}

/// An inner packet of UDP.
fn inner() -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 2, 0, 2, 10, 1, 0, 2];
    packet.extend([0x10, 0, 0, 53, 0, 20, 0, 0]);
    packet.resize(40, 7);
    set_ipv4_checksum(&mut packet);
    packet
}

/// The same for another host.
fn inner_for(destination: [u8; 4]) -> Vec<u8> {
    let mut packet = inner();
    packet[16..20].copy_from_slice(&destination);
    set_ipv4_checksum(&mut packet);
    packet
}

#[test]
fn what_is_forwarded_needs_a_policy_of_its_own() {
    let mut gateway = Gateway::with_tunnel();
    let (mine, multicast) = (inner_for([10, 1, 0, 1]), inner_for([224, 0, 0, 5]));
    for (packet, sequence) in [&mine, &multicast, &inner()].into_iter().zip(1..) {
        assert_eq!(gateway.receive(seal(SPI, sequence, packet)), std::slice::from_ref(packet));
    }
    // A blocking one holds for what is forwarded alone.
    gateway.ask(&policy(UPDPOLICY, XFRM_POLICY_FWD, true, 10, 0));
    assert!(gateway.receive(seal(SPI, 4, &inner())).is_empty());
    assert_eq!(gateway.receive(seal(SPI, 5, &mine)), std::slice::from_ref(&mine));
    assert_eq!(gateway.counters(&info(SPI).id).policy_mismatch, 1);
    // The other way round.
    gateway.ask(&policy(UPDPOLICY, XFRM_POLICY_FWD, false, 10, 7));
    gateway.ask(&policy(UPDPOLICY, XFRM_POLICY_IN, true, 10, 0));
    assert_eq!(gateway.receive(seal(SPI, 6, &inner())), [inner()]);
    assert!(gateway.receive(seal(SPI, 7, &mine)).is_empty());
    assert!(gateway.receive(seal(SPI, 8, &multicast)).is_empty());
    // And without any policy to forward by.
    let mut gateway = Gateway::new(&[new_sa(&info(SPI)), policy(NEWPOLICY, XFRM_POLICY_IN, false, 10, 7)]);
    assert!(gateway.receive(seal(SPI, 1, &inner())).is_empty());
    assert_eq!(gateway.receive(seal(SPI, 2, &mine)), [mine]);
}

#[test]
fn a_panic_costs_one_datagram() {
    struct Broken;
    impl Sink for Broken {
        fn write(&mut self, _: u32, _: VirtioHeader, _: &[u8], _: &[Range<usize>]) {
            panic!("as a mistake in this program would");
        }
    }
    let mut gateway = Gateway::with_tunnel();
    let mut region = seal(SPI, 1, &inner());
    let datagram = Received {
        start: 0,
        len: region.len(),
        segment: region.len(),
        source: "192.0.2.2:4500".parse().ok(),
        local: "192.0.2.1".parse().ok(),
        tos: 0,
    };
    let Gateway { opener, shared, view, .. } = &mut gateway;
    opener.isolated_batch(shared, view, &mut region, &[datagram], Kind::Udp, &mut Broken);
    assert_eq!(gateway.path().panics, 1);
    // The same packet again is a replay; the next one passes.
    assert!(gateway.receive(seal(SPI, 1, &inner())).is_empty());
    assert_eq!(gateway.receive(seal(SPI, 2, &inner())), [inner()]);
    let counters = gateway.counters(&info(SPI).id);
    assert_eq!((counters.replayed, counters.packets), (1, 1));
}

#[test]
fn a_packet_is_of_the_version_that_its_next_header_says() {
    let mut gateway = Gateway::with_tunnel();
    assert!(gateway.receive(seal_as(SPI, 1, &inner(), 41)).is_empty());
    assert!(gateway.receive(seal_as(SPI, 2, &inner(), 6)).is_empty(), "TCP: that were transport mode");
    assert_eq!(gateway.receive(seal_as(SPI, 3, &inner(), IPIP)), [inner()]);
    assert_eq!(gateway.counters(&info(SPI).id).malformed, 2);
}

#[test]
fn what_we_sent_and_gets_back_is_an_unknown_spi() {
    let ours = SaId { destination: "192.0.2.2".parse().unwrap(), spi: 0x2000, protocol: 50 };
    let outbound = SaInfo { id: ours, source: "192.0.2.1".parse().unwrap(), ..info(0) };
    let mut gateway = Gateway::with_tunnel();
    gateway.ask(&new_sa(&outbound));
    let reflected = seal(0x2000, 1, &inner());
    assert!(gateway.receive_at(&[reflected], "192.0.2.2:5555", "192.0.2.1", 0).is_empty());
    assert_eq!(gateway.notices.drain().count(), 0, "nobody is told of a new address");
    assert_eq!((gateway.path().unknown_spi, gateway.counters(&ours)), (1, SaValues::default()));
}

#[test]
fn two_peers_may_choose_one_spi() {
    // The same SPI towards a second local address, and as a peer chose it for what we send.
    let second = SaId { destination: "192.0.2.9".parse().unwrap(), ..info(SPI).id };
    let sent = SaId { destination: "192.0.2.2".parse().unwrap(), ..info(SPI).id };
    let mut gateway = Gateway::with_tunnel();
    gateway.ask(&new_sa(&SaInfo { id: second, ..info(SPI) }));
    gateway.ask(&new_sa(&SaInfo { id: sent, source: "192.0.2.1".parse().unwrap(), ..info(SPI) }));
    assert_eq!(gateway.receive(seal(SPI, 1, &inner())), [inner()]);
    assert_eq!(gateway.counters(&info(SPI).id).packets, 1);
    // The policy is for the first address alone; what counts is which SA opened the packet.
    gateway.receive_at(&[seal(SPI, 1, &inner())], "192.0.2.2:4500", "192.0.2.9", 0);
    assert_eq!(gateway.counters(&second).policy_mismatch, 1);
    assert_eq!(gateway.counters(&sent), SaValues::default());
    gateway.receive_at(&[seal(SPI, 2, &inner())], "192.0.2.2:4500", "192.0.2.77", 0);
    assert_eq!(gateway.path().unknown_spi, 1);
}

#[test]
fn only_an_admitted_packet_tells_of_a_new_address() {
    let mut gateway = Gateway::new(&[new_sa(&info(SPI))]);
    gateway.receive_at(&[seal(SPI, 1, &inner())], "192.0.2.2:5555", "192.0.2.1", 0);
    assert_eq!(gateway.counters(&info(SPI).id).policy_mismatch, 1);
    assert_eq!(gateway.notices.drain().count(), 0);
    gateway.ask(&policy(NEWPOLICY, XFRM_POLICY_FWD, false, 10, 7));
    gateway.receive_at(&[seal(SPI, 2, &inner())], "192.0.2.2:5555", "192.0.2.1", 0);
    let told: Vec<_> = gateway.notices.drain().collect();
    assert!(matches!(told[..], [Notice::Mapping { port: 5555, .. }]), "{told:?}");
    // Whatever the peer does, the news are passed on once a second.
    for (sequence, port) in (3..40).zip(6000..) {
        let from = format!("192.0.2.2:{port}");
        gateway.receive_at(&[seal(SPI, sequence, &inner())], &from, "192.0.2.1", 0);
    }
    assert_eq!(gateway.notices.drain().count(), 0);
    gateway.opener.now += 1;
    gateway.receive_at(&[seal(SPI, 50, &inner())], "192.0.2.2:7000", "192.0.2.1", 0);
    assert_eq!(gateway.notices.drain().count(), 1);
}

#[test]
fn a_limit_of_packets_ends_the_sa() {
    let limits = crate::xfrm::lifetime::Limits { hard_packets: 3, ..crate::xfrm::lifetime::Limits::NONE };
    let mut gateway = Gateway::with_tunnel();
    let id = SaId { spi: 0x1001, ..info(0).id };
    gateway.ask(&new_sa(&SaInfo { id, limits, ..info(0) }));
    for sequence in 1..=3 {
        assert_eq!(gateway.receive(seal(0x1001, sequence, &inner())), [inner()]);
    }
    assert!(gateway.receive(seal(0x1001, 4, &inner())).is_empty());
    assert_eq!(gateway.counters(&id).exhausted, 1);
    let told: Vec<_> = gateway.notices.drain().collect();
    let [Notice::Limit { id: told, limit }] = told[..] else { panic!("{told:?}") };
    assert_eq!((told, limit), (id, LimitReached::Hard));
    let event = gateway.database.limit_reached(&id, limit).expect("an EXPIRE");
    let hard = crate::xfrm::wire::messages(&event.message).next().unwrap().payload[224];
    assert_eq!((hard, gateway.database.states.get(&id).is_none()), (1, true));
    gateway.view = gateway.database.view();
    assert!(gateway.receive(seal(0x1001, 5, &inner())).is_empty());
    assert_eq!(gateway.path().unknown_spi, 1);
    // Another SA of the same policy is not touched.
    assert_eq!(gateway.receive(seal(SPI, 1, &inner())), [inner()]);
}

/// 10.2.0.0/24 to 10.1.0.0/24, and UDP to port 53 alone.
fn to_name_server() -> Selector {
    let wide = |address: [u8; 4]| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&address);
        bytes
    };
    Selector {
        destination: wide([10, 1, 0, 0]),
        source: wide([10, 2, 0, 0]),
        destination_port: (53, 0xffff),
        source_port: (0, 0),
        family: AF_INET,
        destination_prefix: 24,
        source_prefix: 24,
        protocol: 17,
        interface_index: 0,
        user: 0,
    }
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = inner();
    change(&mut packet);
    set_ipv4_checksum(&mut packet);
    packet
}

#[test]
fn what_an_sa_is_not_for_does_not_come_in_by_it() {
    let narrow = SaInfo { selector: to_name_server(), ..info(SPI) };
    let policies = [XFRM_POLICY_IN, XFRM_POLICY_FWD].map(|d| policy(NEWPOLICY, d, false, 10, 7));
    let mut gateway = Gateway::new(&[&[new_sa(&narrow)], &policies[..]].concat());
    assert_eq!(gateway.receive(seal(SPI, 1, &inner())), [inner()]);
    let foreign = [
        changed(|p| p[12..16].copy_from_slice(&[10, 3, 0, 2])),
        changed(|p| p[16..20].copy_from_slice(&[10, 9, 0, 2])),
        changed(|p| p[9] = 6),
        changed(|p| p[23] = 54),
        // A later fragment says no ports, so that no selector with ports covers it; the first one does.
        changed(|p| p[6..8].copy_from_slice(&[0, 185])),
    ];
    for (packet, sequence) in foreign.iter().zip(2..) {
        assert!(gateway.receive(seal(SPI, sequence, packet)).is_empty(), "{packet:?}");
    }
    let counters = gateway.counters(&info(SPI).id);
    assert_eq!((counters.policy_mismatch, counters.packets), (foreign.len() as u64, 1));
    let first_fragment = changed(|p| p[6..8].copy_from_slice(&[0x20, 0]));
    assert_eq!(gateway.receive(seal(SPI, 10, &first_fragment)), [first_fragment]);
}

#[test]
fn replayed_packets_stay_out() {
    let mut gateway = Gateway::with_tunnel();
    let train: Vec<_> = (1..=5).map(|sequence| seal(SPI, sequence, &inner())).collect();
    let deliver = |gateway: &mut Gateway| gateway.receive_at(&train, "192.0.2.2:4500", "192.0.2.1", 0).len();
    assert_eq!((deliver(&mut gateway), deliver(&mut gateway)), (5, 0));
    // The window has 32: what is behind it is too old, what was skipped in it may come.
    assert_eq!(gateway.receive(seal(SPI, 40, &inner())).len(), 1);
    assert_eq!(gateway.receive(seal(SPI, 8, &inner())).len(), 0);
    assert_eq!(gateway.receive(seal(SPI, 9, &inner())).len(), 1);
    assert_eq!(gateway.receive(seal(SPI, 9, &inner())).len(), 0);
    // Forged ones neither come in nor move the window.
    let mut forged = seal(SPI, 5000, &inner());
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(gateway.receive(forged).len(), 0);
    assert_eq!(gateway.receive(seal(SPI, 41, &inner())).len(), 1);
    let counters = gateway.counters(&info(SPI).id);
    assert_eq!((counters.replayed, counters.integrity_failed, counters.packets), (7, 1, 8));
}

/// RFC 6040 and RFC 4301 as the SA's flags have it; DF and ports are not touched.
#[test]
fn congestion_and_class_come_in_as_configured() {
    let outer_tos = 0xbb;
    for (flags, inside, expected) in [
        (0, 0x02, Some(0x03)),
        (0, 0x00, None),
        (0, 0x29, Some(0x2b)),
        (XFRM_STATE_NOECN, 0x02, Some(0x02)),
        (XFRM_STATE_NOECN, 0x00, Some(0x00)),
        (XFRM_STATE_DECAP_DSCP, 0x02, Some(0xbb)),
        (XFRM_STATE_DECAP_DSCP | XFRM_STATE_NOECN, 0x29, Some(0xb9)),
    ] {
        let policies = [XFRM_POLICY_IN, XFRM_POLICY_FWD].map(|d| policy(NEWPOLICY, d, false, 10, 7));
        let sa = new_sa(&SaInfo { flags, ..info(SPI) });
        let mut gateway = Gateway::new(&[&[sa], &policies[..]].concat());
        let packet = seal(SPI, 1, &changed(|p| p[1] = inside));
        let out = gateway.receive_at(&[packet], "192.0.2.2:4500", "192.0.2.1", outer_tos);
        let expected: Vec<_> = expected.into_iter().map(|tos| changed(|p| p[1] = tos)).collect();
        assert_eq!(out, expected, "flags {flags} inside {inside:#x}");
    }
}
