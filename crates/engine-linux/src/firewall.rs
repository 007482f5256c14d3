//! What a gateway instance lets through (nftables).

use std::collections::BTreeMap;

use causeway_plan::MssClamp;
use nlink::netlink::nftables::Expr;
use nlink::netlink::nftables::types::{
    BaseChain, Chain, CmpOp, Family, FilterHook, PayloadBase, Policy, Priority, Register, Rule,
};

use crate::error::{Doing, LinuxError};
use crate::names::{PRIVATE, PUBLIC, TUNNEL_PREFIX};
use crate::netns::{Namespace, NftSocket};
use crate::selectors::{self, Direction, VERSIONS};
use crate::source_routing::marks;

/// The instance's one table.
pub(crate) const TABLE: &str = "causeway";
pub(crate) const FAMILY: Family = Family::Inet;
/// The chains that drop what no rule takes, and the one that marks.
const CHAINS: [&str; 3] = ["input", "forward", "output"];
const MARKS: &str = "marks";
/// The kernel's number of the verdict (`NF_DROP`).
const VERDICT_DROP: u32 = 0;
const IKE_PORT: u16 = 500;
const NAT_T_PORT: u16 = 4_500;
const ICMP: u8 = 1;
const ESP: u8 = 50;
const ICMPV6: u8 = 58;
/// Types of ICMP (RFC 792) and the first of ICMPv6 that is no error (RFC 4443 section 2.1).
const ECHO_REPLY: u8 = 0;
const ICMPV6_INFORMATIONAL: u8 = 128;
/// Headers of a TCP segment: IPv4 (RFC 791) and TCP (RFC 9293), without options. The same limit holds for
/// IPv6, whose hosts take 20 more off by path MTU discovery.
const IPV4_TCP_HEADERS: u16 = 40;

/// Replaces an instance's rules in one transaction, so that no packet meets half of them. The sets of traffic
/// selectors and the maps of marks stay: they are the keeper's.
///
/// - What comes in is marked for a tunnel where its source counts ([`source_routing`](crate::source_routing)).
/// - The public leg takes and sends IKE, ESP and ICMP only, and sends no ICMP that quotes a packet.
/// - Packets are forwarded between the private leg and tunnels, and from tunnel to tunnel, where the traffic
///   selectors of each tunnel on their way have them, and counted.
/// - Everything else is dropped and counted.
pub(crate) async fn set(namespace: &Namespace, inner_mtu: u16, mss: MssClamp) -> Result<(), LinuxError> {
    let chain = |name: &str, hook| {
        let base = BaseChain::filter(hook, Priority::Filter).policy(Policy::Drop);
        Chain::new(TABLE, name).map(|chain| chain.family(FAMILY).base(base))
    };
    let before_routing = BaseChain::filter(FilterHook::Prerouting, Priority::Mangle);
    let marking = Chain::new(TABLE, MARKS).map(|chain| chain.family(FAMILY).base(before_routing));
    let what = || format!("firewall of {}", namespace.name());
    let socket = namespace.nft()?;
    let mut transaction = socket.transaction();
    if lacks(&socket).await?.is_none() {
        transaction = transaction.flush_table(TABLE, FAMILY);
    } else {
        if has_table(&socket).await? {
            transaction = transaction.del_table(TABLE, FAMILY);
        }
        transaction = transaction
            .add_table(TABLE, FAMILY)
            .add_chain(chain("input", FilterHook::Input).doing(what)?)
            .add_chain(chain("forward", FilterHook::Forward).doing(what)?)
            .add_chain(chain("output", FilterHook::Output).doing(what)?)
            .add_chain(marking.doing(what)?);
        for version in VERSIONS {
            transaction = transaction.add_set(version.set()).add_set(marks::map(version));
        }
    }
    for rule in rules(inner_mtu, mss) {
        transaction = transaction.add_rule(rule);
    }
    transaction.commit(&socket).await.doing(what)
}

async fn has_table(socket: &NftSocket) -> Result<bool, LinuxError> {
    let tables = socket.list_tables_in(FAMILY).await.doing(|| "firewall".into())?;
    Ok(tables.iter().any(|table| table.name == TABLE))
}

/// What the table lacks of its chains and sets, if anything.
async fn lacks(socket: &NftSocket) -> Result<Option<String>, LinuxError> {
    if !has_table(socket).await? {
        return Ok(Some("the firewall is gone".to_owned()));
    }
    let chains = socket.list_chains_in(TABLE, FAMILY).await.doing(|| "chains of the firewall".into())?;
    let drops = |name: &str| {
        let chain = chains.iter().find(|chain| chain.name == name);
        chain.is_some_and(|chain| chain.hook.is_some() && chain.policy == Some(VERDICT_DROP))
    };
    if let Some(name) = CHAINS.iter().find(|name| !drops(name)) {
        return Ok(Some(format!("the firewall's chain {name} is gone or lets everything pass")));
    }
    if !chains.iter().any(|chain| chain.name == MARKS && chain.hook.is_some()) {
        return Ok(Some(format!("the firewall's chain {MARKS} is gone")));
    }
    let sets = socket.list_sets_in(TABLE, FAMILY).await.doing(|| "sets of the firewall".into())?;
    let mut wanted = VERSIONS.iter().flat_map(|version| [version.set(), marks::map(*version)]);
    let lost = wanted.find(|set| !sets.iter().any(|it| it.name == set.name()));
    Ok(lost.map(|set| format!("the firewall's set {} is gone", set.name())))
}

/// What of an instance's firewall is not as [`set`] made it, if anything.
pub(crate) async fn damage(
    socket: &NftSocket,
    inner_mtu: u16,
    mss: MssClamp,
) -> Result<Option<String>, LinuxError> {
    if let Some(what) = lacks(socket).await? {
        return Ok(Some(what));
    }
    let seen = socket.list_rules(TABLE, FAMILY).await.doing(|| "rules of the firewall".into())?.len();
    let wanted = rules(inner_mtu, mss).len();
    Ok((seen != wanted).then(|| format!("the firewall has {seen} rules in place of {wanted}")))
}

/// Packets and bytes that an instance's firewall counted since its rules were last set. A packet that
/// segmentation offload carries through the node in one piece counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

/// The counters of an instance, by name: `in-` and `out-` are the public leg's, `to-tunnels`, `from-tunnels` and
/// `between-tunnels` what was forwarded, `*-dropped` what was not let through.
///
/// # Errors
/// [`LinuxError`] when the namespace is not there.
pub async fn counters(namespace: &Namespace) -> Result<BTreeMap<String, Count>, LinuxError> {
    let rules = namespace.nft()?.list_rules(TABLE, FAMILY).await;
    let rules = rules.doing(|| format!("counters of {}", namespace.name()))?;
    let named = rules.iter().filter_map(|rule| Some((rule.comment_text.clone()?, rule.counter()?)));
    let mut counters: BTreeMap<String, Count> = BTreeMap::new();
    for (name, (packets, bytes)) in named {
        // IPv4 and IPv6 have rules of their own.
        let count = counters.entry(name).or_default();
        count.packets += packets;
        count.bytes += bytes;
    }
    Ok(counters)
}

fn rules(inner_mtu: u16, mss: MssClamp) -> Vec<Rule> {
    let rule = |chain: &str| Rule::new(TABLE, chain).family(FAMILY);
    let counted = |rule: Rule, name: &str| rule.counter().comment(name);
    let (input, output) = (|| rule("input").match_iif(PUBLIC), || rule("output").match_oif(PUBLIC));
    let mut rules = vec![
        rule("input").match_iif("lo").accept(),
        counted(input().match_l4proto(ESP), "in-esp").accept(),
        counted(in_udp(input().match_udp_dport(NAT_T_PORT)), "in-esp-udp").accept(),
        counted(input().match_udp_dport(NAT_T_PORT), "in-ike-nat-t").accept(),
        counted(input().match_udp_dport(IKE_PORT), "in-ike").accept(),
        rule("input").match_l4proto(ICMP).accept(),
        rule("input").match_l4proto(ICMPV6).accept(),
        counted(rule("input"), "input-dropped").drop(),
    ];
    let clamp = match mss {
        MssClamp::Off => None,
        MssClamp::Fixed(bytes) => Some(bytes),
        MssClamp::Mtu => Some(inner_mtu.saturating_sub(IPV4_TCP_HEADERS)),
    };
    if let Some(bytes) = clamp {
        rules.push(rule("forward").clamp_tcp_mss(bytes));
    }
    for version in VERSIONS {
        rules.push(marks::marking(rule(MARKS), version));
        let into = |rule: Rule| selectors::matching(rule, version, Direction::IntoTunnel);
        let out_of = |rule: Rule| selectors::matching(rule, version, Direction::OutOfTunnel);
        let (private_in, private_out) =
            (rule("forward").match_iif(PRIVATE), rule("forward").match_oif(PRIVATE));
        rules.extend([
            counted(into(private_in), "to-tunnels").accept(),
            counted(out_of(private_out), "from-tunnels").accept(),
            counted(into(out_of(rule("forward"))), "between-tunnels").accept(),
        ]);
    }
    rules.extend([
        counted(rule("forward"), "forward-dropped").drop(),
        rule("output").match_oif("lo").accept(),
        rule("output").match_oif(PRIVATE).accept(),
        rule("output").match_oif_prefix(TUNNEL_PREFIX).accept(),
        counted(output().match_l4proto(ESP), "out-esp").accept(),
        counted(in_udp(output().match_udp_sport(NAT_T_PORT)), "out-esp-udp").accept(),
        counted(output().match_udp_sport(NAT_T_PORT), "out-ike-nat-t").accept(),
        counted(output().match_udp_sport(IKE_PORT), "out-ike").accept(),
        icmp_of(output().match_l4proto(ICMP), CmpOp::Eq, ECHO_REPLY).accept(),
        icmp_of(output().match_l4proto(ICMPV6), CmpOp::Gte, ICMPV6_INFORMATIONAL).accept(),
        counted(rule("output"), "output-dropped").drop(),
    ]);
    rules
}

/// Narrows a rule to some types of ICMP. An error quotes the packet that it is about: about one from a tunnel or the
/// network it must not leave in clear.
fn icmp_of(rule: Rule, op: CmpOp, kind: u8) -> Rule {
    let load = Expr::Payload { dreg: Register::R0, base: PayloadBase::Transport, offset: 0, len: 1 };
    rule.expr(load).expr(Expr::Cmp { sreg: Register::R0, op, data: vec![kind] })
}

/// ESP in UDP starts with its SPI, which is not zero; IKE on the same port with four zero bytes (RFC 3948
/// section 2).
fn in_udp(rule: Rule) -> Rule {
    let load = Expr::Payload { dreg: Register::R0, base: PayloadBase::Transport, offset: 8, len: 4 };
    rule.expr(load).expr(Expr::Cmp { sreg: Register::R0, op: CmpOp::Neq, data: vec![0; 4] })
}
