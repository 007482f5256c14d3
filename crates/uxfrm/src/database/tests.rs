//! The handler against the rules of `net/xfrm/xfrm_user.c`.

use super::*;
use crate::xfrm::attributes::KeyedAlgorithm;
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::{Limits, Usage};
use crate::xfrm::selector::Selector;
use crate::xfrm::state::{SaId, SaInfo, SaRequest};
use crate::xfrm::wire::{Header, Reader, Writer, messages};

pub(crate) const NOW: Clock = Clock { wall: 1_700_000_000, monotonic: 50_000 };

pub(crate) fn selector() -> Selector {
    Selector { family: AF_INET, ..Selector::default() }
}

pub(crate) fn info(spi: u32) -> SaInfo {
    SaInfo {
        selector: selector(),
        id: SaId { destination: "192.0.2.1".parse().unwrap(), spi, protocol: 50 },
        source: "192.0.2.2".parse().unwrap(),
        limits: Limits { soft_add: 100, hard_add: 200, ..Limits::NONE },
        usage: Usage::default(),
        statistics: [0; 3],
        sequence: 0,
        reqid: 7,
        mode: 1,
        replay_window: 32,
        flags: 0,
    }
}

pub(crate) fn request(kind: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 5, port: 9 });
    fill(&mut writer);
    writer.finish()
}

pub(crate) fn algorithm(writer: &mut Writer, kind: u16, name: &str, key: &[u8], icv_bits: u32) {
    writer.attribute(kind, |w| {
        w.bytes(name.as_bytes()).zeros(64 - name.len()).u32(key.len() as u32 * 8).u32(icv_bits).bytes(key);
    });
}

pub(crate) fn sa(kind: u16, info: &SaInfo) -> Vec<u8> {
    sa_on(kind, info, 42)
}

pub(crate) fn sa_on(kind: u16, info: &SaInfo, if_id: u32) -> Vec<u8> {
    request(kind, |w| {
        info.write(w);
        algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &[1; 20], 128);
        w.attribute(XFRMA_IF_ID, |w| {
            w.u32(if_id);
        });
    })
}

/// The errno of a lone answer; 0 is the acknowledgement.
pub(crate) fn errno(answer: &Answer) -> i32 {
    let last = answer.messages.last().expect("an answer");
    let message = messages(last).next().unwrap();
    assert_eq!((message.header.kind, message.header.sequence), (NLMSG_ERROR, 5));
    -(Reader::new(message.payload).u32().unwrap() as i32)
}

pub(crate) fn id_request(kind: u16, spi: u32) -> Vec<u8> {
    request(kind, |w| {
        info(spi).id.write(w);
        if kind == GETAE {
            w.zeros(24);
        }
    })
}

#[test]
fn life_of_an_sa() {
    let mut database = Database::default();
    let mut handle = |bytes: Vec<u8>| database.handle_datagram(&bytes, NOW);
    assert_eq!(errno(&handle(id_request(GETSA, 100))), libc::ESRCH);
    assert_eq!(errno(&handle(sa(UPDSA, &info(100)))), libc::ESRCH);
    let answer = handle(sa(NEWSA, &info(100)));
    assert_eq!((errno(&answer), answer.changed), (0, true));
    assert_eq!(errno(&handle(sa(NEWSA, &info(100)))), libc::EEXIST);
    assert_eq!(errno(&handle(sa(UPDSA, &info(100)))), 0);

    let answer = handle(id_request(GETSA, 100));
    assert_eq!(answer.messages.len(), 2, "the SA and the acknowledgement");
    let reply = messages(&answer.messages[0]).next().unwrap();
    assert_eq!(reply.header.kind, NEWSA);
    let read = SaRequest::read(reply.payload).unwrap();
    assert_eq!((read.if_id, read.info.reqid, read.info.usage.add_time), (42, 7, NOW.wall));
    assert_eq!(read.algorithms.aead.unwrap().key[..], [1; 20]);

    let answer = handle(id_request(GETAE, 100));
    assert_eq!(messages(&answer.messages[0]).next().unwrap().header.kind, NEWAE);
    assert_eq!(errno(&handle(id_request(DELSA, 100))), 0);
    assert_eq!(errno(&handle(id_request(DELSA, 100))), libc::ESRCH);
}

#[test]
fn spis_are_dealt_out_to_the_workers() {
    const WORKERS: usize = 3;
    let mut database = Database::for_workers(WORKERS as u32);
    let allocate = request(ALLOCSPI, |w| {
        info(0).write(w);
        w.u32(0xc000_0000).u32(0xcfff_ffff);
    });
    let mut spis = Vec::new();
    let mut per_worker = [0; WORKERS];
    for _ in 0..WORKERS * 10 {
        let answer = database.handle_datagram(&allocate, NOW);
        let reply = messages(&answer.messages[0]).next().unwrap();
        let spi = SaInfo::read(&mut Reader::new(reply.payload)).unwrap().id.spi;
        assert!((0xc000_0000..=0xcfff_ffff).contains(&spi));
        per_worker[spi as usize % WORKERS] += 1;
        spis.push(spi);
    }
    assert_eq!(per_worker, [10; WORKERS]);
    spis.sort_unstable();
    spis.dedup();
    assert!(spis.len() == WORKERS * 10 && spis[WORKERS * 10 - 1] - spis[0] > 1000, "they are random still");
}

#[test]
fn allocated_spis_are_in_range_and_expire() {
    let mut database = Database::default();
    let allocate = request(ALLOCSPI, |w| {
        info(0).write(w);
        w.u32(500).u32(501);
    });
    let mut spis = Vec::new();
    for _ in 0..2 {
        let answer = database.handle_datagram(&allocate, NOW);
        let reply = messages(&answer.messages[0]).next().unwrap();
        spis.push(SaInfo::read(&mut Reader::new(reply.payload)).unwrap().id.spi);
    }
    spis.sort_unstable();
    assert_eq!(spis, [500, 501]);
    assert_eq!(errno(&database.handle_datagram(&allocate, NOW)), libc::ENOENT);
    // One gets its keys, the other expires.
    assert_eq!(errno(&database.handle_datagram(&sa(UPDSA, &info(500)), NOW)), 0);
    let (_, next, _) = database.run_timers(NOW);
    assert_eq!(next, Some(NOW.monotonic + 100_000));
    let later = Clock { monotonic: NOW.monotonic + states::LARVAL_LIFETIME_MS, ..NOW };
    let (events, _, changed) = database.run_timers(later);
    assert_eq!((events.len(), changed), (2, false), "a soft limit and a larval SA, which no packet uses");
    assert_eq!(database.states.by_id.len(), 1);
}

#[test]
fn limits_of_time_expire_softly_then_hard() {
    let mut database = Database::default();
    database.handle_datagram(&sa(NEWSA, &info(9)), NOW);
    let at = |seconds: u64| Clock { monotonic: NOW.monotonic + seconds * 1000, ..NOW };
    let hardness = |event: &Event| messages(&event.message).next().unwrap().payload[224];
    assert!(database.run_timers(at(99)).0.is_empty());
    let (events, next, changed) = database.run_timers(at(100));
    assert_eq!(events.iter().map(hardness).collect::<Vec<_>>(), [0]);
    assert_eq!((next, changed), (Some(at(200).monotonic), false));
    assert!(database.run_timers(at(150)).0.is_empty(), "soft only once");
    let (events, next, changed) = database.run_timers(at(200));
    assert_eq!(events.iter().map(hardness).collect::<Vec<_>>(), [1]);
    assert_eq!((next, changed, database.states.by_id.len()), (None, true, 0));
}

#[test]
fn what_is_not_supported_is_refused() {
    let mut database = Database::default();
    let mut refused = |bytes: Vec<u8>| errno(&database.handle_datagram(&bytes, NOW));
    let plain = |extra: &dyn Fn(&mut Writer)| {
        request(NEWSA, |w| {
            info(3).write(w);
            extra(w);
        })
    };
    let aead = |w: &mut Writer, name: &str, key: &[u8]| algorithm(w, XFRMA_ALG_AEAD, name, key, 128);
    assert_eq!(refused(plain(&|_| {})), libc::EINVAL);
    assert_eq!(refused(plain(&|w| aead(w, "rfc4309(ccm(aes))", &[1; 19]))), libc::ENOSYS);
    assert_eq!(refused(plain(&|w| aead(w, "rfc4106(gcm(aes))", &[1; 21]))), libc::ENOSYS);
    let mark = |w: &mut Writer| {
        aead(w, "rfc4106(gcm(aes))", &[1; 20]);
        w.attribute(XFRMA_MARK, |w| {
            w.u32(1).u32(1);
        });
    };
    assert_eq!(refused(plain(&mark)), libc::EOPNOTSUPP);
    assert_eq!(refused(sa(NEWSA, &SaInfo { mode: 0, ..info(3) })), libc::EOPNOTSUPP);
    let ah = SaInfo { id: SaId { protocol: 51, ..info(3).id }, ..info(3) };
    assert_eq!(refused(sa(NEWSA, &ah)), libc::EPROTONOSUPPORT);
    assert_eq!(refused(sa(NEWSA, &SaInfo { flags: XFRM_STATE_ESN, ..info(3) })), libc::EINVAL);
    assert_eq!(refused(request(99, |_| {})), libc::EINVAL);
    assert_eq!(
        refused(request(NEWSA, |w| {
            w.zeros(10);
        })),
        libc::EINVAL
    );
}

#[test]
fn truncated_and_damaged_requests_never_panic() {
    let mut database = Database::default();
    let whole = sa(NEWSA, &info(77));
    for len in 0..whole.len() {
        let mut cut = whole[..len].to_vec();
        database.handle_datagram(&cut, NOW);
        if len >= 4 {
            cut[..4].copy_from_slice(&(len as u32).to_ne_bytes());
            database.handle_datagram(&cut, NOW);
        }
        let mut flipped = whole.clone();
        flipped[len] ^= 0xff;
        database.handle_datagram(&flipped, NOW);
    }
}

#[test]
fn secrets_have_no_debug() {
    // Does not compile where `KeyedAlgorithm` implements Debug: both impls would apply.
    trait NoDebug<A> {
        fn check() {}
    }
    impl<T: ?Sized> NoDebug<()> for T {}
    struct HasDebug;
    impl<T: ?Sized + std::fmt::Debug> NoDebug<HasDebug> for T {}
    let _ = <KeyedAlgorithm as NoDebug<_>>::check;
    let _ = <SaRequest as NoDebug<_>>::check;
}

#[test]
fn a_peers_new_address_is_told_once_a_second() {
    let mut database = Database::default();
    let request = request(NEWSA, |w| {
        info(8).write(w);
        algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &[1; 20], 128);
        w.attribute(XFRMA_ENCAP, |w| {
            w.u16(2).be16(4500).be16(4500).zeros(18);
        });
    });
    assert_eq!(errno(&database.handle_datagram(&request, NOW)), 0);
    let (id, home) = (info(8).id, info(8).source);
    let later = Clock { monotonic: NOW.monotonic + 1000, ..NOW };
    let mut told = |source, port, clock| database.mapping_changed(&id, source, port, clock).is_some();
    assert!(!told(home, 4500, NOW), "no news");
    assert!(told(home, 5000, NOW));
    assert!(!told(home, 5000, NOW));
    // A peer that takes another port with every packet is no more worth.
    assert!((5001..6000).all(|port| !told(home, port, NOW)));
    assert!(told(home, 5001, later));
}

pub(crate) fn policy(kind: u16, direction: u8, block: bool, priority: u32, reqid: u32) -> Vec<u8> {
    let reqid = (!block).then_some(reqid);
    policy_with(kind, direction, &selector(), priority, reqid, 42)
}

/// Without a reqid one that blocks.
pub(crate) fn policy_with(
    kind: u16,
    direction: u8,
    selector: &Selector,
    priority: u32,
    reqid: Option<u32>,
    if_id: u32,
) -> Vec<u8> {
    request(kind, |w| {
        selector.write(w);
        if kind == DELPOLICY {
            w.u32(0).u8(direction).zeros(3);
        } else {
            w.zeros(96).u32(priority).u32(0).u8(direction).u8(u8::from(reqid.is_none())).zeros(6);
        }
        if let Some(reqid) = reqid.filter(|_| kind != DELPOLICY) {
            let (from, to) = match direction {
                XFRM_POLICY_OUT => ("192.0.2.1", "192.0.2.2"),
                _ => ("192.0.2.2", "192.0.2.1"),
            };
            w.attribute(XFRMA_TMPL, |w| {
                w.address(to.parse().unwrap()).be32(0).u8(50).zeros(3).u16(AF_INET).zeros(2);
                w.address(from.parse().unwrap()).u32(reqid).u8(1).zeros(15);
            });
        }
        w.attribute(XFRMA_IF_ID, |w| {
            w.u32(if_id);
        });
    })
}

#[test]
fn the_view_drops_what_no_sa_and_no_policy_covers() {
    let flow = crate::xfrm::selector::Flow {
        family: AF_INET,
        source: [1; 16],
        destination: [2; 16],
        protocol: 6,
        source_port: 1,
        destination_port: 2,
    };
    let mut database = Database::default();
    let mut handle = |bytes: Vec<u8>| assert_eq!(errno(&database.handle_datagram(&bytes, NOW)), 0);
    handle(sa(NEWSA, &info(0x10)));
    handle(policy(NEWPOLICY, XFRM_POLICY_OUT, false, 10, 7));
    handle(policy(NEWPOLICY, XFRM_POLICY_IN, false, 10, 7));
    let view = database.view();
    let interface = view.interfaces.get(&42).unwrap();
    // The only SA is inbound: the outbound policy has none, and asks for one.
    assert!(interface.outbound_policy(&flow).unwrap().state.is_none());
    let inbound = view.inbound.get(&(info(0x10).id.destination, 0x10)).unwrap().clone();
    assert!(interface.admits(&flow, &inbound, true).is_some());
    assert!(interface.admits(&flow, &inbound, false).is_none(), "no policy to forward it");
    // Another SA's packets do not come in by this policy, nor do our own that are sent back to us.
    let mut other = (*inbound).clone();
    other.reqid = 8;
    assert!(interface.admits(&flow, &other, true).is_none());
    let mut reflected = (*inbound).clone();
    std::mem::swap(&mut reflected.outer.source, &mut reflected.outer.destination);
    assert!(interface.admits(&flow, &reflected, true).is_none());
    let v6 = crate::xfrm::selector::Flow { family: AF_INET6, ..flow };
    assert!(interface.outbound_policy(&v6).is_none() && interface.admits(&v6, &inbound, true).is_none());

    // Blocked, as during an address update: without a template, in place of the policy.
    database.handle_datagram(&policy(UPDPOLICY, XFRM_POLICY_OUT, true, 5, 0), NOW);
    database.handle_datagram(&policy(UPDPOLICY, XFRM_POLICY_IN, true, 5, 0), NOW);
    let view = database.view();
    let interface = view.interfaces.get(&42).unwrap();
    assert!(interface.outbound_policy(&flow).unwrap().blocks);
    assert!(interface.admits(&flow, &inbound, true).is_none());
}
