//! The table of nftables, replaced as a whole in one transaction, so that no packet meets half of it.
//!
//! It is this process's own: others can't change it, and what reloads the host's firewall (`flush ruleset`) passes it by. Where the
//! kernel can (from 6.9 on) it stays when the broker is killed, until the next one takes it over.

use super::expressions::{Expressions, Verdict};
use crate::sys::netlink::{NetlinkSocket, error_of};
use crate::sys::socket::BYPASS_MARK;
use crate::xfrm::constants::{NLM_F_REQUEST, NLMSG_ERROR};
use crate::xfrm::wire::{Header, Writer, messages};
use std::io;

const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_SUBSYS_NFTABLES: u16 = 10;
const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_DELTABLE: u16 = 2;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;
const NFT_MSG_DELRULE: u16 = 8;
const NFPROTO_UNSPEC: u8 = 0;
const NFPROTO_INET: u8 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_TABLE_FLAGS: u16 = 2;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NF_INET_LOCAL_IN: u32 = 1;
const NFT_TABLE_F_OWNER: u32 = 2;
const NFT_TABLE_F_PERSIST: u32 = 4;
const NAME: &str = "uxfrm";
const INPUT: &str = "input";
/// What a policy protects and did not come out of the tunnel.
pub(super) const UNPROTECTED: &str = "unprotected";
const ESP: u8 = 50;
const IKE_PORT: u16 = 500;
const NAT_T_PORT: u16 = 4500;
/// Router solicitation to redirect (RFC 4861).
const NEIGHBOUR_DISCOVERY: (u8, u8) = (133, 137);

/// What kernels differ in.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Variant {
    flags: u32,
    /// Sockets can be known by their mark (CONFIG_NFT_SOCKET), not only by the ports that IKE usually has.
    by_mark: bool,
}

/// The best first.
const VARIANTS: [Variant; 4] = [
    Variant { flags: NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST, by_mark: true },
    Variant { flags: NFT_TABLE_F_OWNER, by_mark: true },
    Variant { flags: NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST, by_mark: false },
    Variant { flags: NFT_TABLE_F_OWNER, by_mark: false },
];

/// The table of one namespace.
pub(super) struct Table {
    /// The table's owner; `None` where the kernel has no netfilter.
    socket: Option<NetlinkSocket>,
    /// Whose packets are not looked at.
    interface: String,
}

impl Table {
    /// Of the namespace in which this is called. `interface` is where packets come out of the tunnels.
    pub fn new(interface: String) -> Self {
        Self { socket: NetlinkSocket::open(libc::NETLINK_NETFILTER, 0).ok(), interface }
    }

    /// Puts these rules, as lists of expressions, in the place of those before.
    ///
    /// # Errors
    /// Of the kernel's last word, where it takes none of the variants.
    pub fn replace(&mut self, rules: &[Vec<u8>]) -> io::Result<()> {
        let mut result = Ok(());
        for variant in VARIANTS {
            result = self.transact(self.messages(variant, rules));
            let differs = [libc::EOPNOTSUPP, libc::EINVAL, libc::ENOENT];
            match &result {
                Err(error) if error.raw_os_error().is_some_and(|errno| differs.contains(&errno)) => {}
                _ => break,
            }
        }
        result
    }

    /// Removes the table: this one's, or what a broker before this one has left.
    ///
    /// # Errors
    /// Of the kernel. A table that is not there is none.
    pub fn remove(&mut self) -> io::Result<()> {
        // One that nobody owns has to be taken over first.
        let mut result = Ok(());
        for flags in [NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST, NFT_TABLE_F_OWNER] {
            result = self.transact(vec![
                table(flags),
                message(NFT_MSG_DELTABLE, 0, |w| text(w, NFTA_TABLE_NAME, NAME)),
            ]);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn messages(&self, variant: Variant, rules: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut all = vec![table(variant.flags), chain(UNPROTECTED, false), chain(INPUT, true)];
        all.extend([INPUT, UNPROTECTED].map(|chain| {
            message(NFT_MSG_DELRULE, 0, |w| {
                text(w, NFTA_RULE_TABLE, NAME);
                text(w, NFTA_RULE_CHAIN, chain);
            })
        }));
        // What came out of a tunnel was checked by the engine; `lo` stands for what was made here.
        let not_looked_at = [self.interface.as_str(), "lo"];
        let passes = not_looked_at.map(|name| Expressions::new().incoming(name).end(Verdict::Accept));
        all.extend(passes.iter().chain(rules).map(|expressions| rule(INPUT, expressions)));
        all.extend(needed(variant.by_mark).iter().map(|expressions| rule(UNPROTECTED, expressions)));
        all
    }

    fn transact(&mut self, batch: Vec<Vec<u8>>) -> io::Result<()> {
        let none = || io::Error::from_raw_os_error(libc::EPROTONOSUPPORT);
        let socket = self.socket.as_mut().ok_or_else(none)?;
        let begin = frame(NFNL_MSG_BATCH_BEGIN, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES, |_| {});
        let end = frame(NFNL_MSG_BATCH_END, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES, |_| {});
        let bytes = [vec![begin], batch, vec![end]].concat().concat();
        socket.make_room(bytes.len());
        socket.send(&bytes)?;
        // All answers are there once the kernel has read it.
        let mut result = Ok(());
        while let Some(answer) = socket.receive_now()? {
            let mut errors = messages(answer).filter(|answer| answer.header.kind == NLMSG_ERROR);
            result = result.and(errors.try_for_each(|answer| error_of(answer.payload)));
        }
        result
    }
}

/// What has to come in clear all the same: the tunnels' packets, what is for sockets that are exempt from IPsec, and the neighbours'
/// words, which the engine does not carry. All else is dropped.
fn needed(by_mark: bool) -> Vec<Vec<u8>> {
    let new = Expressions::new;
    let (first, last) = NEIGHBOUR_DISCOVERY;
    let mut rules = vec![new().protocol(ESP), new().icmpv6(first, last)];
    // The daemon's sockets may have a mark of their own.
    rules.extend([IKE_PORT, NAT_T_PORT].map(|port| new().for_udp_port(port)));
    rules.extend(by_mark.then(|| new().for_marked_socket(BYPASS_MARK)));
    let accepted = rules.into_iter().map(|rule| rule.end(Verdict::Accept));
    accepted.chain([new().end(Verdict::Drop)]).collect()
}

fn table(flags: u32) -> Vec<u8> {
    message(NFT_MSG_NEWTABLE, NLM_F_CREATE, |w| {
        text(w, NFTA_TABLE_NAME, NAME);
        number(w, NFTA_TABLE_FLAGS, flags);
    })
}

fn chain(name: &str, is_hooked: bool) -> Vec<u8> {
    message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, |w| {
        text(w, NFTA_CHAIN_TABLE, NAME);
        text(w, NFTA_CHAIN_NAME, name);
        if is_hooked {
            w.attribute(NFTA_CHAIN_HOOK, |w| {
                number(w, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
                number(w, NFTA_HOOK_PRIORITY, 0);
            });
            text(w, NFTA_CHAIN_TYPE, "filter");
        }
    })
}

fn rule(chain: &str, expressions: &[u8]) -> Vec<u8> {
    message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |w| {
        text(w, NFTA_RULE_TABLE, NAME);
        text(w, NFTA_RULE_CHAIN, chain);
        w.attribute(NFTA_RULE_EXPRESSIONS, |w| {
            w.bytes(expressions);
        });
    })
}

fn message(kind: u16, flags: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    frame(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, NFPROTO_INET, 0, fill)
}

fn frame(kind: u16, flags: u16, family: u8, resource: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST | flags, sequence: 1, port: 0 });
    // struct nfgenmsg
    writer.u8(family).u8(0).be16(resource);
    fill(&mut writer);
    writer.finish()
}

fn text(writer: &mut Writer, kind: u16, value: &str) {
    writer.attribute(kind, |w| {
        w.bytes(value.as_bytes()).u8(0);
    });
}

fn number(writer: &mut Writer, kind: u16, value: u32) {
    writer.attribute(kind, |w| {
        w.be32(value);
    });
}
