//! Real ESP packets into the receiving half, by the databases as the daemon's requests made them.

use super::*;
use crate::database::tests::{NOW, algorithm, errno, info, policy, request};
use crate::database::{Database, View};
use crate::datapath::counters::{PathValues, SaValues};
use crate::datapath::notice::{self, Notices};
use crate::esp::algorithm::{AeadCipher, Algorithm};
use crate::esp::packet::tail;
use crate::esp::transform::{Header, Transform};
use crate::inner::ip::set_ipv4_checksum;
use crate::inner::virtio::VirtioHeader;
use crate::xfrm::constants::*;
use crate::xfrm::state::{SaId, SaInfo};

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
        let opener = Opener { coalescer: Coalescer::new(true), now: 1 };
        let mut this = Self { database: Database::default(), view: View::default(), shared, notices, opener };
        requests.iter().for_each(|bytes| this.ask(bytes));
        this
    }

    /// With one inbound SA and a policy for everything.
    fn with_tunnel() -> Self {
        Self::new(&[new_sa(&info(SPI)), policy(NEWPOLICY, XFRM_POLICY_IN, false, 10, 7)])
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
        opener.isolated_datagram(shared, view, &mut region, &datagram, Kind::Udp, &mut delivered);
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
    let algorithm = Algorithm::Aead { cipher: AeadCipher::Aes128Gcm, icv: 16 };
    let transform = Transform::new(algorithm, &[1; 20], &[], false).unwrap();
    let (tail, len) = tail(&transform, inner.len(), IPIP);
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
    opener.isolated_datagram(shared, view, &mut region, &datagram, Kind::Udp, &mut Broken);
    assert_eq!(gateway.path().panics, 1);
    // The same packet again is a replay; the next one passes.
    assert!(gateway.receive(seal(SPI, 1, &inner())).is_empty());
    assert_eq!(gateway.receive(seal(SPI, 2, &inner())), [inner()]);
    let counters = gateway.counters(&info(SPI).id);
    assert_eq!((counters.replayed, counters.packets), (1, 1));
}
