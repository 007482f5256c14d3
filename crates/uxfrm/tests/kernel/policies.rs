//! Requests about policies.

use super::request;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::Limits;
use uxfrm::xfrm::policy::{PolicyInfo, Template};
use uxfrm::xfrm::selector::Selector;
use uxfrm::xfrm::wire::Writer;

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
        ("flush the sub policies", {
            request(FLUSHPOLICY, NLM_F_ACK, |w| {
                policy_type(w, 1);
            })
        }),
        ("get after that", named(GETPOLICY, 0, 1, 1, 0)),
        (
            "flush the main policies",
            request(FLUSHPOLICY, NLM_F_ACK, |w| {
                policy_type(w, 0);
            }),
        ),
        ("get after the flush", named(GETPOLICY, 0, 1, 1, 0)),
    ]
}

fn policy_type(w: &mut Writer, kind: u8) {
    w.attribute(XFRMA_POLICY_TYPE, |w| {
        w.u8(kind).zeros(5);
    });
}

/// A policy, and what goes with it.
fn new(info: &PolicyInfo, fill: &dyn Fn(&mut Writer)) -> Vec<u8> {
    request(NEWPOLICY, NLM_F_ACK, |w| {
        info.write(w);
        fill(w);
    })
}

fn tunnel(w: &mut Writer) {
    w.attribute(XFRMA_TMPL, |w| template(5).write(w));
}

/// What daemons seldom say of a policy.
pub fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |change: &dyn Fn(&mut PolicyInfo)| {
        let mut changed = info(1, 50);
        change(&mut changed);
        changed
    };
    vec![
        ("an index of another direction", new(&PolicyInfo { index: 8, ..info(1, 20) }, &tunnel)),
        ("an index of its own", new(&PolicyInfo { index: 801, ..info(1, 21) }, &tunnel)),
        ("an action there is not", new(&PolicyInfo { action: 2, ..info(1, 22) }, &tunnel)),
        ("a share there is not", new(&PolicyInfo { share: 4, ..info(1, 23) }, &tunnel)),
        ("a share", new(&PolicyInfo { share: 3, ..info(1, 24) }, &tunnel)),
        ("flags", new(&PolicyInfo { flags: 0xff, ..info(1, 25) }, &tunnel)),
        ("no family", new(&changed(&|p| p.selector.family = 0), &tunnel)),
        ("another family", new(&changed(&|p| p.selector.family = 17), &tunnel)),
        ("too long a prefix", new(&changed(&|p| p.selector.source_prefix = 33), &tunnel)),
        ("a blocking one with a template", new(&PolicyInfo { action: 1, ..info(1, 37) }, &tunnel)),
        ("unmasked addresses", new(&changed(&|p| p.selector.source[3] = 9), &tunnel)),
        ("all of them", request(GETPOLICY, NLM_F_DUMP, |_| {})),
    ]
}

/// Templates and other attributes that daemons seldom give, or not whole.
pub fn odd_attributes() -> Vec<(&'static str, Vec<u8>)> {
    let patched = |at: usize, bytes: &'static [u8]| {
        move |w: &mut Writer| {
            let mut one = Writer::bare();
            template(5).write(&mut one);
            let mut one = one.finish_bare();
            one[at..at + bytes.len()].copy_from_slice(bytes);
            w.attribute(XFRMA_TMPL, |w| {
                w.bytes(&one);
            });
        }
    };
    let attribute = |kind: u16, bytes: &'static [u8]| {
        move |w: &mut Writer| {
            w.attribute(kind, |w| {
                w.bytes(bytes);
            });
        }
    };
    let interfaces = |w: &mut Writer| {
        tunnel(w);
        attribute(XFRMA_IF_ID, &[42, 0, 0, 0])(w);
        attribute(XFRMA_IF_ID, &[43, 0, 0, 0])(w);
    };
    let many = |w: &mut Writer| {
        w.attribute(XFRMA_TMPL, |w| (0..7).for_each(|_| template(5).write(w)));
    };
    vec![
        ("a template without a family", new(&info(1, 26), &patched(24, &[0, 0]))),
        ("get it", named(GETPOLICY, 0, 1, 26, 0)),
        ("a template of another family", new(&info(1, 27), &patched(24, &[17, 0]))),
        ("a template of a mode there is not", new(&info(1, 28), &patched(48, &[77]))),
        ("a template of a protocol there is not", new(&info(1, 29), &patched(20, &[6]))),
        ("an optional template inwards", new(&info(0, 30), &patched(50, &[1]))),
        ("get it, too", named(GETPOLICY, 0, 0, 30, 0)),
        ("a cut template", new(&info(1, 31), &attribute(XFRMA_TMPL, &[0; 20]))),
        ("what became of it", named(GETPOLICY, 0, 1, 31, 0)),
        ("seven templates", new(&info(1, 32), &many)),
        ("no template", new(&info(1, 33), &|_| {})),
        ("get the one without", named(GETPOLICY, 0, 1, 33, 0)),
        ("a cut interface", new(&info(1, 34), &attribute(XFRMA_IF_ID, &[42, 0]))),
        ("an interface twice", new(&info(1, 35), &interfaces)),
        ("get it of the second", named(GETPOLICY, 0, 1, 35, 43)),
        ("unknown attributes", new(&info(1, 36), &attribute(200, &[1; 4]))),
        ("all of them", request(GETPOLICY, NLM_F_DUMP, |_| {})),
    ]
}

/// What may go out without an SA, which a tunnel forbids since Linux 6.1.
pub fn optional_outwards() -> Vec<u8> {
    new(&info(1, 38), &|w| {
        w.attribute(XFRMA_TMPL, |w| Template { optional: 1, ..template(5) }.write(w));
    })
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
