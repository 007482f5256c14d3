//! The view that grows with each change against one that is made of the whole databases, and how little a change touches.

use super::policies::Policy;
use super::tests::{NOW, errno, info, policy_with, request, sa_on, selector};
use super::*;
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::Limits;
use crate::xfrm::selector::Flow;
use crate::xfrm::selector::Selector;
use crate::xfrm::state::SaId;
use crate::xfrm::state::SaInfo;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::sync::Arc;

/// What a view says of each interface's policies, first match first: the index, and the SA that is used.
type Shown = Vec<(u32, u8, Vec<(u32, Option<u32>)>)>;

fn shown(view: &View) -> Shown {
    let mut all = Vec::new();
    for (if_id, interface) in view.interfaces.iter() {
        for (direction, policies) in [
            (XFRM_POLICY_OUT, &interface.outbound),
            (XFRM_POLICY_IN, &interface.inbound),
            (XFRM_POLICY_FWD, &interface.forward),
        ] {
            let ranked = policies.ranked();
            let policies = ranked.iter().map(|p| (p.index, p.state.as_ref().map(|sa| sa.id.spi)));
            all.push((*if_id, direction, policies.collect::<Vec<_>>()));
        }
    }
    all.retain(|(_, _, policies)| !policies.is_empty());
    all.sort();
    all
}

/// The same by looking at everything.
fn expected(database: &Database) -> Shown {
    let state_of = |policy: &Policy| {
        let template = policy.request.templates.first()?;
        let fits = |state: &&states::State| {
            state.request.if_id == policy.request.if_id
                && state.request.info.reqid == template.reqid
                && state.request.info.source == template.source
                && state.request.info.id.destination == template.destination
        };
        let states = database.states.by_id.values().filter(|state| !state.is_larval());
        states.filter(fits).max_by_key(|state| state.serial).map(|state| state.request.info.id.spi)
    };
    let mut all: Shown = Vec::new();
    let mut policies: Vec<_> = database.policies.by_index.values().collect();
    policies
        .sort_by_key(|p| (p.request.if_id, Reverse(p.key().direction), p.info().priority, p.info().index));
    for policy in policies {
        let (if_id, direction) = (policy.request.if_id, policy.key().direction);
        let state = (direction == XFRM_POLICY_OUT).then(|| state_of(policy)).flatten();
        if all.last().is_none_or(|(last, way, _)| (*last, *way) != (if_id, direction)) {
            all.push((if_id, direction, Vec::new()));
        }
        all.last_mut().unwrap().2.push((policy.info().index, state));
    }
    all.sort();
    all
}

fn address(number: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[10, number, 0, 1]);
    bytes
}

fn flow(from: u8, to: u8, protocol: u8, port: u16) -> Flow {
    Flow {
        family: AF_INET,
        source: address(from),
        destination: address(to),
        protocol,
        source_port: 1000,
        destination_port: port,
    }
}

#[derive(Debug, Clone)]
enum Step {
    State { kind: u16, spi: u32, reqid: u32, if_id: u32 },
    Delete(u32),
    Flush(bool),
    Policy { kind: u16, direction: u8, selector: Selector, priority: u32, reqid: u32, if_id: u32 },
    Time(u64),
}

fn selectors() -> impl Strategy<Value = Selector> {
    let ports = prop_oneof![Just((0, 0)), (0u16..3).prop_map(|port| (port, 0xffff))];
    let prefixes = prop::sample::select(vec![0u8, 8, 13, 16, 32]);
    (0u8..4, 0u8..4, prefixes.clone(), prefixes, ports, prop::sample::select(vec![0u8, 6, 17])).prop_map(
        |(from, to, source_prefix, destination_prefix, destination_port, protocol)| Selector {
            source: address(from),
            destination: address(to),
            source_prefix,
            destination_prefix,
            destination_port,
            protocol,
            family: AF_INET,
            ..Selector::default()
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = (prop::sample::select(vec![NEWSA, UPDSA, ALLOCSPI]), 1u32..8, 1u32..4, 1u32..4)
        .prop_map(|(kind, spi, reqid, if_id)| Step::State { kind, spi, reqid, if_id });
    let policy = (
        prop::sample::select(vec![NEWPOLICY, UPDPOLICY, UPDPOLICY, UPDPOLICY, DELPOLICY]),
        0u8..3,
        selectors(),
        0u32..3,
        1u32..4,
        1u32..3,
    )
        .prop_map(|(kind, direction, selector, priority, reqid, if_id)| Step::Policy {
            kind,
            direction,
            selector,
            priority,
            reqid,
            if_id,
        });
    let step = prop_oneof![
        8 => state,
        16 => policy,
        2 => (1u32..8).prop_map(Step::Delete),
        1 => prop_oneof![Just(Step::Flush(true)), Just(Step::Flush(false))],
        1 => (1u64..400).prop_map(Step::Time),
    ];
    prop::collection::vec(step, 1..200)
}

impl Step {
    fn request(&self) -> Vec<u8> {
        match *self {
            Self::State { kind, spi, reqid, if_id } => {
                let id = SaId { destination: "192.0.2.2".parse().unwrap(), spi, ..info(spi).id };
                let source = "192.0.2.1".parse().unwrap();
                let info = SaInfo { id, source, reqid, ..info(spi) };
                if kind == ALLOCSPI {
                    return request(kind, |w| {
                        info.write(w);
                        w.u32(spi).u32(spi);
                    });
                }
                sa_on(kind, &info, if_id)
            }
            Self::Delete(spi) => request(DELSA, |w| {
                SaId { destination: "192.0.2.2".parse().unwrap(), ..info(spi).id }.write(w);
            }),
            Self::Flush(true) => request(FLUSHSA, |w| {
                w.u8(0).zeros(3);
            }),
            Self::Flush(false) => request(FLUSHPOLICY, |_| {}),
            Self::Policy { kind, direction, selector, priority, reqid, if_id } => {
                policy_with(kind, direction, &selector, priority, Some(reqid), if_id)
            }
            Self::Time(_) => Vec::new(),
        }
    }
}

proptest! {
    #[test]
    fn the_view_is_that_of_the_whole_databases(steps in steps()) {
        let (mut database, mut now) = (Database::default(), NOW);
        for step in steps {
            if let Step::Time(seconds) = step {
                now.monotonic += seconds * 1000;
                database.run_timers(now);
            } else {
                database.handle_datagram(&step.request(), now);
            }
            let view = database.view();
            prop_assert_eq!(shown(&view), expected(&database));
            prop_assert_eq!(
                view.inbound.len(),
                database.states.by_id.values().filter(|state| !state.is_larval()).count()
            );
            for if_id in 1..4 {
                let named = database.states.by_id.values().any(|s| !s.is_larval() && s.request.if_id == if_id)
                    || database.policies.by_index.values().any(|p| p.request.if_id == if_id);
                prop_assert_eq!(database.names_interface(if_id), named);
            }
        }
        // The classifier finds what a look through the ranked policies finds.
        for (_, interface) in database.view().interfaces.iter() {
            for (from, to, protocol, port) in
                (0..4).flat_map(|f| (0..4).flat_map(move |t| [(f, t, 6, 0), (f, t, 6, 1), (f, t, 17, 2), (f, t, 1, 0)]))
            {
                let flow = flow(from, to, protocol, port);
                for policies in [&interface.outbound, &interface.inbound, &interface.forward] {
                    let ranked = policies.ranked();
                    let first = ranked.iter().find(|policy| policy.selector.matches(&flow)).map(|p| p.index);
                    prop_assert_eq!(policies.find(&flow).map(|policy| policy.index), first);
                }
            }
        }
    }
}

/// Of thousands of SAs and policies, one change copies what holds that one, and shares the rest with the view before.
#[test]
fn a_change_touches_only_its_interface() {
    let mut database = Database::default();
    for number in 0..3000 {
        let id = SaId { destination: "192.0.2.2".parse().unwrap(), ..info(number + 1).id };
        let info = SaInfo { id, source: "192.0.2.1".parse().unwrap(), ..info(number + 1) };
        assert_eq!(errno(&database.handle_datagram(&sa_on(NEWSA, &info, number), NOW)), 0);
        let policy = policy_with(NEWPOLICY, XFRM_POLICY_OUT, &selector(), 1, Some(7), number);
        assert_eq!(errno(&database.handle_datagram(&policy, NOW)), 0);
    }
    let before = database.view();
    let delete = request(DELSA, |w| {
        SaId { destination: "192.0.2.2".parse().unwrap(), ..info(43).id }.write(w);
    });
    assert_eq!(errno(&database.handle_datagram(&delete, NOW)), 0);
    let after = database.view();
    assert_eq!(after.inbound.shards_apart(&before.inbound), 1);
    assert_eq!(after.interfaces.shards_apart(&before.interfaces), 1);
    for (if_id, interface) in before.interfaces.iter() {
        let now = after.interfaces.get(if_id).unwrap();
        assert_eq!(Arc::ptr_eq(interface, now), *if_id != 42, "interface {if_id}");
        assert_eq!(now.outbound_policy(&flow(1, 2, 6, 0)).unwrap().state.is_some(), *if_id != 42);
    }
    // A timer looks at what is due, and at nothing else: these 2999 are not, but for one whose time is short.
    let short = SaInfo { limits: Limits { hard_add: 5, ..Limits::NONE }, ..info(9000) };
    assert_eq!(errno(&database.handle_datagram(&sa_on(NEWSA, &short, 9), NOW)), 0);
    let at = NOW.monotonic + 5000;
    assert_eq!(database.run_timers(NOW).1, Some(at));
    assert_eq!(database.states.take_due(at - 1), None);
    let (events, next, changed) = database.run_timers(Clock { monotonic: at, ..NOW });
    assert_eq!((events.len(), next, changed), (1, Some(NOW.monotonic + 100_000), true));
}

/// Many policies of an interface, as policy-based IPsec has them: the packet's is found without looking at all of them.
#[test]
fn many_policies_are_not_looked_through() {
    let mut database = Database::default();
    for number in 0..=255 {
        for source_prefix in [16, 24] {
            let selector = Selector {
                source: address(number),
                destination: address(7),
                source_prefix,
                destination_prefix: 16,
                family: AF_INET,
                ..Selector::default()
            };
            let policy =
                policy_with(NEWPOLICY, XFRM_POLICY_OUT, &selector, 30 - u32::from(source_prefix), Some(7), 0);
            assert_eq!(errno(&database.handle_datagram(&policy, NOW)), 0);
        }
    }
    let view = database.view();
    let outbound = &view.interfaces.get(&0).unwrap().outbound;
    let found = outbound.find(&flow(200, 7, 6, 0)).unwrap();
    assert_eq!((found.selector.source_prefix, found.selector.source), (24, address(200)));
    assert_eq!(outbound.tables(), Some(2));
    assert!(outbound.find(&flow(200, 8, 6, 0)).is_none());
}
