//! Requests about policies.

use super::request;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::Limits;
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::Selector;

fn selector(last: u8) -> Selector {
    let address = |host: u8| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[10, host, 0, 0]);
        bytes
    };
    Selector {
        destination: address(last),
        source: address(200),
        family: AF_INET,
        destination_prefix: 16,
        source_prefix: 16,
        ..Selector::default()
    }
}

fn info(direction: u8, last: u8) -> PolicyInfo {
    PolicyInfo { selector: selector(last), priority: 1000, direction, ..PolicyInfo::default() }
}

fn template(reqid: u32) -> Template {
    Template {
        destination: "192.0.2.1".parse().unwrap(),
        source: "192.0.2.2".parse().unwrap(),
        spi: 0,
        protocol: 50,
        reqid,
        mode: 1,
        share: 0,
        optional: 0,
        algorithms: [u32::MAX; 3],
    }
}

fn install(kind: u16, direction: u8, last: u8, reqid: u32, if_id: u32) -> Vec<u8> {
    request(kind, NLM_F_ACK, |w| {
        info(direction, last).write(w);
        w.attribute(XFRMA_TMPL, |w| template(reqid).write(w));
        if if_id != 0 {
            w.attribute(XFRMA_IF_ID, |w| {
                w.u32(if_id);
            });
        }
    })
}

fn named(kind: u16, flags: u16, direction: u8, last: u8, if_id: u32) -> Vec<u8> {
    request(kind, flags, |w| {
        selector(last).write(w);
        w.u32(0).u8(direction).zeros(3);
        if if_id != 0 {
            w.attribute(XFRMA_IF_ID, |w| {
                w.u32(if_id);
            });
        }
    })
}

/// Of the hash tables, for IPv4 and IPv6.
fn thresholds(local4: u8, remote4: u8, local6: u8, remote6: u8) -> Vec<u8> {
    request(NEWSPDINFO, NLM_F_ACK, |w| {
        w.u32(0);
        w.attribute(3, |w| {
            w.u8(local4).u8(remote4);
        });
        w.attribute(4, |w| {
            w.u8(local6).u8(remote6);
        });
    })
}

/// How many there are: the flags of the request ask for nothing more.
fn numbers(kind: u16, flags: u16) -> Vec<u8> {
    request(kind, flags, |w| {
        w.u32(0);
    })
}

pub fn script() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "defaults",
            request(GETDEFAULT, 0, |w| {
                w.zeros(4);
            }),
        ),
        ("number of SAs", numbers(GETSADINFO, 0)),
        ("delete nothing", named(DELPOLICY, NLM_F_ACK, 1, 1, 0)),
        ("get nothing", named(GETPOLICY, 0, 1, 1, 0)),
        ("numbers of policies", numbers(GETSPDINFO, 0)),
        ("new out", install(NEWPOLICY, 1, 1, 5, 0)),
        ("new again", install(NEWPOLICY, 1, 1, 5, 0)),
        ("same selector, other interface", install(NEWPOLICY, 1, 1, 6, 42)),
        ("update what is there", install(UPDPOLICY, 1, 1, 7, 42)),
        ("update what is not there", install(UPDPOLICY, 0, 2, 8, 42)),
        ("new forward", install(NEWPOLICY, 2, 2, 8, 42)),
        ("numbers of policies again", numbers(GETSPDINFO, 0)),
        ("thresholds", thresholds(16, 24, 64, 56)),
        ("other thresholds", numbers(GETSPDINFO, 0)),
        ("thresholds beyond IPv4", thresholds(33, 0, 64, 56)),
        ("thresholds beyond IPv6", thresholds(0, 0, 64, 129)),
        ("the same thresholds", numbers(GETSPDINFO, NLM_F_ACK)),
        ("bad direction", install(NEWPOLICY, 3, 2, 8, 42)),
        ("get", named(GETPOLICY, 0, 1, 1, 0)),
        ("get with interface", named(GETPOLICY, 0, 1, 1, 42)),
        ("get with an acknowledgement", named(GETPOLICY, NLM_F_ACK, 1, 1, 42)),
        ("get with another interface", named(GETPOLICY, 0, 1, 1, 43)),
        ("delete", named(DELPOLICY, NLM_F_ACK, 1, 1, 42)),
        ("delete again", named(DELPOLICY, NLM_F_ACK, 1, 1, 42)),
        ("delete with the wrong direction", named(DELPOLICY, NLM_F_ACK, 0, 1, 0)),
        (
            "unknown SA",
            request(GETSA, NLM_F_ACK, |w| {
                w.zeros(20).u16(AF_INET).u8(50).zeros(1);
            }),
        ),
        ("delete an unknown SA", {
            request(DELSA, NLM_F_ACK, |w| {
                w.zeros(20).u16(AF_INET).u8(50).zeros(1);
            })
        }),
        (
            "short message",
            request(NEWPOLICY, NLM_F_ACK, |w| {
                w.zeros(8);
            }),
        ),
        ("unknown type", request(200, NLM_F_ACK, |_| {})),
        ("all", request(GETPOLICY, NLM_F_DUMP, |_| {})),
        ("flush", request(FLUSHPOLICY, NLM_F_ACK, |_| {})),
        ("get after the flush", named(GETPOLICY, 0, 1, 1, 0)),
    ]
}

/// A policy that asks to be looked after after a second, and ends after three.
pub fn short_lived() -> Vec<u8> {
    request(NEWPOLICY, NLM_F_ACK, |w| {
        let limits = Limits { soft_add: 1, hard_add: 3, ..Limits::NONE };
        PolicyInfo { limits, ..info(1, 4) }.write(w);
        w.attribute(XFRMA_TMPL, |w| template(5).write(w));
        w.attribute(XFRMA_IF_ID, |w| {
            w.u32(42);
        });
    })
}

/// A policy, and a request for it by selector.
pub fn installed_and_named() -> (Vec<u8>, Vec<u8>) {
    (install(NEWPOLICY, 1, 3, 5, 42), named(GETPOLICY, 0, 1, 3, 42))
}

/// A request that names a policy by its index, beside a selector that is none's.
pub fn indexed(kind: u16, index: u32, direction: u8, if_id: u32) -> Vec<u8> {
    request(kind, NLM_F_ACK, |w| {
        selector(9).write(w);
        w.u32(index).u8(direction).zeros(3);
        if if_id != 0 {
            w.attribute(XFRMA_IF_ID, |w| {
                w.u32(if_id);
            });
        }
    })
}

/// What to ask by index: kind, direction, interface. The policy is outbound, of interface 42.
pub fn by_index() -> [(&'static str, u16, u8, u32); 6] {
    [
        ("get by index", GETPOLICY, 1, 42),
        ("with another direction", GETPOLICY, 0, 42),
        ("with another interface", GETPOLICY, 1, 43),
        ("delete with another interface", DELPOLICY, 1, 43),
        ("delete by index", DELPOLICY, 1, 42),
        ("get what was deleted", GETPOLICY, 1, 42),
    ]
}
