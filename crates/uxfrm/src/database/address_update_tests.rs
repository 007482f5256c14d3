//! What an SA has done counts on when the daemon moves it to another address.

use super::tests::*;
use super::*;
use crate::datapath::association::LimitReached;
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::{Limits, Usage};
use crate::xfrm::state::{SaId, SaInfo};
use crate::xfrm::wire::messages;

/// What charon sends when an SA's address changes: the SA anew, with what it had done so far.
fn carried_sa(info: &SaInfo, usage: Usage) -> Vec<u8> {
    request(NEWSA, |w| {
        info.write(w);
        algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &[1; 20], 128);
        w.attribute(XFRMA_LTIME_VAL, |w| usage.write(w));
    })
}

#[test]
fn limits_go_on_through_an_address_update() {
    let hardness = |event: &Event| messages(&event.message).next().unwrap().payload[224];
    let mut database = Database::default();
    // Added 150 s ago: the soft limit of 100 s is behind it, the hard one of 200 s in 50 s.
    let old = Usage { bytes: 1000, packets: 10, add_time: NOW.wall - 150, use_time: NOW.wall - 140 };
    assert_eq!(errno(&database.handle_datagram(&carried_sa(&info(9), old), NOW)), 0);
    let (events, next, _) = database.run_timers(NOW);
    assert_eq!(events.iter().map(hardness).collect::<Vec<_>>(), [0]);
    assert_eq!(next, Some(NOW.monotonic + 50_000));
    assert_eq!(database.states.get(&info(9).id).unwrap().usage(), old);
    // Over its lifetime by 95 s.
    let older = Usage { add_time: NOW.wall - 295, ..old };
    assert_eq!(errno(&database.handle_datagram(&carried_sa(&info(10), older), NOW)), 0);
    let (events, _, changed) = database.run_timers(NOW);
    assert_eq!((events.iter().map(hardness).collect::<Vec<_>>(), changed), (vec![1], true));
    // Over its bytes already: no packet more, and the daemon is told.
    let limited = SaInfo { limits: Limits { hard_bytes: 900, ..Limits::NONE }, ..info(11) };
    assert_eq!(errno(&database.handle_datagram(&carried_sa(&limited, old), NOW)), 0);
    let association = database.states.get(&limited.id).unwrap().association.clone().unwrap();
    assert!(association.is_used_up());
    assert_eq!(association.limit_reached(), Some(LimitReached::Hard));
    assert_eq!(association.limit_reached(), None);
}

/// Packets pass while the daemon moves an SA to another address: their numbers are not used again, nor taken again.
#[test]
fn what_passes_during_an_address_update_counts() {
    let mut database = Database::default();
    let association = |database: &Database| {
        database
            .states
            .get(&info(9).id)
            .or(database.states.get(&moved(9).id))
            .unwrap()
            .association
            .clone()
            .unwrap()
    };
    fn moved(spi: u32) -> SaInfo {
        let id = SaId { destination: "192.0.2.77".parse().unwrap(), ..info(spi).id };
        SaInfo { id, ..info(spi) }
    }
    let handle =
        |database: &mut Database, bytes: &[u8]| assert_eq!(errno(&database.handle_datagram(bytes, NOW)), 0);
    handle(&mut database, &sa(NEWSA, &info(9)));
    let before = association(&database);
    for _ in 0..3 {
        before.sequence.claim(1).unwrap();
    }
    before.replay.lock().unwrap().commit(700).unwrap();
    let asked = database.states.get(&info(9).id).unwrap().replay_state();
    assert_eq!((asked.outbound, asked.inbound), (3, 700));
    before.sequence.claim(1).unwrap();
    before.replay.lock().unwrap().commit(701).unwrap();
    handle(&mut database, &id_request(DELSA, 9));
    // A worker that was in the middle of a batch.
    assert_eq!(before.sequence.claim(1), Ok(5..=5));
    let again = request(NEWSA, |w| {
        moved(9).write(w);
        algorithm(w, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", &[1; 20], 128);
        w.attribute(XFRMA_LTIME_VAL, |w| Usage::default().write(w));
        w.attribute(XFRMA_REPLAY_VAL, |w| {
            w.u32(3).u32(700).u32(1);
        });
    });
    handle(&mut database, &again);
    let after = association(&database);
    assert_eq!(after.sequence.claim(1), Ok(6..=6));
    assert!(after.sequence.is_turn(6), "nobody sends what another counter gave out");
    assert!(after.replay.lock().unwrap().check(701).is_err());
    assert_eq!(after.replay.lock().unwrap().check(702), Ok(702));
    // Once only, and not for what is no update.
    handle(&mut database, &sa(NEWSA, &info(10)));
    database.states.get(&info(10).id).unwrap().association.as_ref().unwrap().sequence.claim(1).unwrap();
    handle(&mut database, &id_request(DELSA, 10));
    handle(&mut database, &sa(NEWSA, &info(10)));
    assert_eq!(database.states.get(&info(10).id).unwrap().replay_state().outbound, 0);
}
