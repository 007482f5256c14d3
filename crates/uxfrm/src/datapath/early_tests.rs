//! Packets that overtake the answer by which the daemon gets their keys.

use super::*;
use crate::database::tests::id_request;
use crate::xfrm::wire::{Reader, messages};
use std::sync::atomic::Ordering;

/// The SPI that the next SA gets.
fn allocated(gateway: &mut Gateway) -> u32 {
    let allocate = request(ALLOCSPI, |w| {
        info(0).write(w);
        w.u32(0x2000).u32(0x2fff);
    });
    let answer = gateway.database.handle_datagram(&allocate, NOW);
    assert!(answer.changed, "the data path has to know the SPI");
    gateway.view = gateway.database.view();
    let reply = messages(&answer.messages[0]).next().unwrap();
    SaInfo::read(&mut Reader::new(reply.payload)).unwrap().id.spi
}

/// The same as an update of the SA that was allocated.
fn keys_for(spi: u32) -> Vec<u8> {
    let mut message = new_sa(&info(spi));
    message[4..6].copy_from_slice(&UPDSA.to_ne_bytes());
    message
}

impl Gateway {
    /// What waited and need not any longer.
    fn catch_up(&mut self) -> Vec<Vec<u8>> {
        let mut delivered = Delivered::default();
        let Self { opener, shared, view, .. } = self;
        opener.waiting(shared, view, &mut delivered);
        delivered.0
    }
}

#[test]
fn what_comes_before_its_keys_waits_for_them_and_for_policies() {
    let mut gateway = Gateway::new(&[]);
    let spi = allocated(&mut gateway);
    let early = [1, 2, 3].map(|sequence| seal(spi, sequence, &inner()));
    assert!(gateway.receive(early[0].clone()).is_empty());
    assert!(gateway.receive_at(&early[1..], "192.0.2.2:4500", "192.0.2.1", 0).is_empty());
    assert!(gateway.receive(seal(spi ^ 1, 1, &inner())).is_empty(), "nobody asked for this SPI");
    assert_eq!((gateway.path().early, gateway.path().unknown_spi), (3, 1));
    assert!(gateway.catch_up().is_empty());
    gateway.ask(&keys_for(spi));
    assert!(gateway.catch_up().is_empty(), "without a policy they would be lost");
    gateway.ask(&policy(NEWPOLICY, XFRM_POLICY_FWD, false, 10, 7));
    assert_eq!(gateway.catch_up(), [inner(), inner(), inner()]);
    assert!(gateway.catch_up().is_empty());
    // They count as what comes later does.
    assert!(gateway.receive(early[0].clone()).is_empty());
    assert_eq!(gateway.receive(seal(spi, 4, &inner())), [inner()]);
    let counters = gateway.counters(&info(spi).id);
    assert_eq!((counters.packets, counters.replayed, gateway.path().unknown_spi), (4, 1, 1));
}

#[test]
fn what_waits_for_keys_has_limits() {
    let mut gateway = Gateway::with_tunnel();
    let waiting = |gateway: &Gateway| gateway.shared.early.load(Ordering::SeqCst);
    let spi = allocated(&mut gateway);
    for sequence in 1..1000 {
        gateway.receive(seal(spi, sequence, &inner()));
    }
    assert_eq!((waiting(&gateway), gateway.path().unknown_spi), (256, 999 - 256));
    // As many bytes, of long ones.
    gateway.opener.early.make_late();
    for sequence in 1000..1100 {
        gateway.receive(seal(spi, sequence, &[inner(), vec![0; 60_000]].concat()));
    }
    assert_eq!((waiting(&gateway), gateway.path().unknown_spi), (2, 999 + 98));
    // A second later nobody needs them.
    gateway.opener.early.make_late();
    gateway.ask(&keys_for(spi));
    assert!(gateway.catch_up().is_empty());
    assert_eq!((waiting(&gateway), gateway.path().unknown_spi), (0, 999 + 100));
    // The negotiation failed.
    let spi = allocated(&mut gateway);
    gateway.receive(seal(spi, 1, &inner()));
    gateway.ask(&id_request(DELSA, spi));
    assert!(gateway.catch_up().is_empty());
    assert_eq!((waiting(&gateway), gateway.path().unknown_spi), (0, 999 + 101));
}
