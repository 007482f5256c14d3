//! Rules of nftables as lists of expressions (`struct nlattr` trees of nfnetlink; linux/netfilter/nf_tables.h): what is loaded
//! into a register, what it is compared with, and the verdict.

use crate::xfrm::constants::AF_INET;
use crate::xfrm::selector::Selector;
use crate::xfrm::wire::Writer;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_VERDICT_CHAIN: u16 = 2;
/// Attributes that each expression numbers from 1, in the order in which they are given here.
const FIRST: u16 = 1;
const NFT_META_IIFNAME: u32 = 6;
const NFT_META_NFPROTO: u32 = 15;
const NFT_META_L4PROTO: u32 = 16;
const NFT_SOCKET_MARK: u32 = 1;
const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
const NFT_CMP_EQ: u32 = 0;
const NFT_CMP_GTE: u32 = 5;
const NFT_CMP_LTE: u32 = 3;
/// The register of 16 octets that all use, and the one of verdicts.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const IFNAMSIZ: usize = 16;
const SCTP: u8 = 132;
const ICMPV6: u8 = 58;

/// What becomes of a packet for which all of a rule holds. Codes as in linux/netfilter.h and nf_tables.h.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Drop,
    Accept,
    /// On with the rules of a chain, and then with the next.
    Jump(&'static str),
}

/// The expressions of one rule.
pub(super) struct Expressions(Writer);

impl Expressions {
    pub fn new() -> Self {
        Self(Writer::bare())
    }

    fn expression(mut self, name: &str, fill: impl FnOnce(&mut Writer)) -> Self {
        self.0.attribute(NFTA_LIST_ELEM, |w| {
            w.attribute(NFTA_EXPR_NAME, |w| {
                w.bytes(name.as_bytes()).u8(0);
            });
            w.attribute(NFTA_EXPR_DATA, fill);
        });
        self
    }

    fn meta(self, key: u32) -> Self {
        self.expression("meta", |w| numbers(w, &[REGISTER, key]))
    }

    fn payload(self, base: u32, offset: u32, len: usize) -> Self {
        self.expression("payload", |w| numbers(w, &[REGISTER, base, offset, len as u32]))
    }

    fn masked(self, mask: &[u8]) -> Self {
        self.expression("bitwise", |w| {
            numbers(w, &[REGISTER, REGISTER, mask.len() as u32]);
            let nothing = vec![0; mask.len()];
            for (kind, value) in (FIRST + 3..).zip([mask, &nothing]) {
                w.attribute(kind, |w| data(w, value));
            }
        })
    }

    fn compare(self, how: u32, value: &[u8]) -> Self {
        self.expression("cmp", |w| {
            numbers(w, &[REGISTER, how]);
            w.attribute(FIRST + 2, |w| data(w, value));
        })
    }

    /// What came by an interface of this name.
    pub fn incoming(self, name: &str) -> Self {
        let mut padded = [0; IFNAMSIZ];
        let len = name.len().min(IFNAMSIZ - 1);
        padded[..len].copy_from_slice(&name.as_bytes()[..len]);
        self.meta(NFT_META_IIFNAME).compare(NFT_CMP_EQ, &padded)
    }

    /// Packets of this protocol over IP.
    pub fn protocol(self, protocol: u8) -> Self {
        self.meta(NFT_META_L4PROTO).compare(NFT_CMP_EQ, &[protocol])
    }

    /// UDP for a socket with this mark (`SO_MARK`).
    pub fn for_marked_socket(self, mark: u32) -> Self {
        self.protocol(libc::IPPROTO_UDP as u8)
            .expression("socket", |w| numbers(w, &[NFT_SOCKET_MARK, REGISTER]))
            .compare(NFT_CMP_EQ, &mark.to_ne_bytes())
    }

    /// UDP to this port.
    pub fn for_udp_port(self, port: u16) -> Self {
        let destination = self.protocol(libc::IPPROTO_UDP as u8).payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        destination.compare(NFT_CMP_EQ, &port.to_be_bytes())
    }

    /// ICMPv6 of the types from `first` to `last`.
    pub fn icmpv6(self, first: u8, last: u8) -> Self {
        let kind = self.protocol(ICMPV6).payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
        kind.compare(NFT_CMP_GTE, &[first]).compare(NFT_CMP_LTE, &[last])
    }

    /// What a selector selects. What these expressions do not tell (ports of protocols that have none) is left out where the
    /// rule may hold for more than the selector, else there is none: `None`.
    pub fn selected(self, selector: &Selector, may_widen: bool) -> Option<Self> {
        let is_v4 = selector.family == AF_INET;
        let mut this = self.meta(NFT_META_NFPROTO).compare(NFT_CMP_EQ, &[selector.family as u8]);
        let (source_at, destination_at) = if is_v4 { (12, 16) } else { (8, 24) };
        let width = if is_v4 { 4 } else { 16 };
        for (at, address, prefix) in [
            (source_at, selector.source, selector.source_prefix),
            (destination_at, selector.destination, selector.destination_prefix),
        ] {
            if prefix > 0 {
                let mask = &mask(prefix)[..width];
                let network: Vec<u8> = address.iter().zip(mask).map(|(byte, mask)| byte & mask).collect();
                this = this.payload(NFT_PAYLOAD_NETWORK_HEADER, at, width);
                this = this.masked(mask).compare(NFT_CMP_EQ, &network);
            }
        }
        if selector.protocol != 0 {
            this = this.protocol(selector.protocol);
        }
        this.ports(selector, may_widen)
    }

    fn ports(mut self, selector: &Selector, may_widen: bool) -> Option<Self> {
        let protocol = i32::from(selector.protocol);
        // ICMP has a type and a code in their place.
        let width = match protocol {
            libc::IPPROTO_TCP | libc::IPPROTO_UDP => 2,
            _ if selector.protocol == SCTP => 2,
            libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => 1,
            _ => 0,
        };
        for (at, (port, mask)) in [selector.source_port, selector.destination_port].into_iter().enumerate() {
            match (mask, width) {
                (0, _) => {}
                (_, 0) if may_widen => {}
                (_, 0) => return None,
                _ => {
                    let (value, mask) = ((port & mask).to_be_bytes(), mask.to_be_bytes());
                    let from = 2 - width;
                    self = self.payload(NFT_PAYLOAD_TRANSPORT_HEADER, (at * width) as u32, width);
                    self = self.masked(&mask[from..]).compare(NFT_CMP_EQ, &value[from..]);
                }
            }
        }
        Some(self)
    }

    /// Ends the rule. Packets that are dropped are counted.
    pub fn end(self, verdict: Verdict) -> Vec<u8> {
        let this = if matches!(verdict, Verdict::Drop) { self.expression("counter", |_| {}) } else { self };
        let ended = this.expression("immediate", |w| {
            numbers(w, &[VERDICT_REGISTER]);
            w.attribute(FIRST + 1, |w| {
                w.attribute(NFTA_DATA_VERDICT, |w| self::verdict(w, verdict));
            });
        });
        ended.0.finish_bare()
    }
}

fn verdict(writer: &mut Writer, verdict: Verdict) {
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3i32 as u32, Some(chain)),
    };
    writer.attribute(NFTA_VERDICT_CODE, |w| {
        w.be32(code);
    });
    if let Some(chain) = chain {
        writer.attribute(NFTA_VERDICT_CHAIN, |w| {
            w.bytes(chain.as_bytes()).u8(0);
        });
    }
}

/// Attributes of 32 bits, numbered from 1.
fn numbers(writer: &mut Writer, values: &[u32]) {
    for (kind, value) in (FIRST..).zip(values) {
        writer.attribute(kind, |w| {
            w.be32(*value);
        });
    }
}

fn data(writer: &mut Writer, value: &[u8]) {
    writer.attribute(NFTA_DATA_VALUE, |w| {
        w.bytes(value);
    });
}

/// The octets of a prefix's mask.
fn mask(prefix: u8) -> [u8; 16] {
    let ones = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    ones.to_be_bytes()
}
