//! What a gateway instance lets through (nftables).

use causeway_plan::MssClamp;
use nlink::netlink::nftables::types::{BaseChain, Chain, Family, FilterHook, Policy, Priority, Rule};

use crate::error::{Doing, LinuxError};
use crate::names::{PRIVATE, PUBLIC, TUNNEL_PREFIX};
use crate::netns::Namespace;

/// The instance's one table.
pub(crate) const TABLE: &str = "causeway";
const FAMILY: Family = Family::Inet;
const IKE_PORTS: [u16; 2] = [500, 4_500];
const ICMP: u8 = 1;
const ESP: u8 = 50;
const ICMPV6: u8 = 58;
/// Headers of a TCP segment: IPv4 (RFC 791) and TCP (RFC 9293), without options. The same limit holds for
/// IPv6, whose hosts take 20 more off by path MTU discovery.
const IPV4_TCP_HEADERS: u16 = 40;

/// Replaces an instance's rules in one transaction, so that no packet meets half of them.
///
/// - The public leg takes and sends IKE, ESP and ICMP only.
/// - Packets are forwarded between the private leg and tunnels only, and counted.
/// - Everything else is dropped and counted.
pub(crate) async fn set(namespace: &Namespace, inner_mtu: u16, mss: MssClamp) -> Result<(), LinuxError> {
    let chain = |name: &str, hook| {
        let base = BaseChain::filter(hook, Priority::Filter).policy(Policy::Drop);
        Chain::new(TABLE, name).map(|chain| chain.family(FAMILY).base(base))
    };
    let what = || format!("firewall of {}", namespace.name());
    let socket = namespace.nft()?;
    let tables = socket.list_tables_in(FAMILY).await.doing(what)?;
    let transaction = socket.transaction();
    let transaction = match tables.iter().any(|table| table.name == TABLE) {
        true => transaction.del_table(TABLE, FAMILY),
        false => transaction,
    };
    let mut transaction = transaction
        .add_table(TABLE, FAMILY)
        .add_chain(chain("input", FilterHook::Input).doing(what)?)
        .add_chain(chain("forward", FilterHook::Forward).doing(what)?)
        .add_chain(chain("output", FilterHook::Output).doing(what)?);
    for rule in rules(inner_mtu, mss) {
        transaction = transaction.add_rule(rule);
    }
    transaction.commit(&socket).await.doing(what)
}

fn rules(inner_mtu: u16, mss: MssClamp) -> Vec<Rule> {
    let rule = |chain: &str| Rule::new(TABLE, chain).family(FAMILY);
    let mut rules = vec![
        rule("input").match_iif("lo").accept(),
        rule("input").match_iif(PUBLIC).match_l4proto(ESP).counter().accept(),
        rule("input").match_iif(PUBLIC).match_udp_dport(IKE_PORTS[0]).counter().accept(),
        rule("input").match_iif(PUBLIC).match_udp_dport(IKE_PORTS[1]).counter().accept(),
        rule("input").match_l4proto(ICMP).accept(),
        rule("input").match_l4proto(ICMPV6).accept(),
        rule("input").counter().drop(),
    ];
    let clamp = match mss {
        MssClamp::Off => None,
        MssClamp::Fixed(bytes) => Some(bytes),
        MssClamp::Mtu => Some(inner_mtu.saturating_sub(IPV4_TCP_HEADERS)),
    };
    if let Some(bytes) = clamp {
        rules.push(rule("forward").clamp_tcp_mss(bytes));
    }
    rules.extend([
        rule("forward").match_iif(PRIVATE).match_oif_prefix(TUNNEL_PREFIX).counter().accept(),
        rule("forward").match_iif_prefix(TUNNEL_PREFIX).match_oif(PRIVATE).counter().accept(),
        rule("forward").counter().drop(),
        rule("output").match_oif("lo").accept(),
        rule("output").match_oif(PRIVATE).accept(),
        rule("output").match_oif_prefix(TUNNEL_PREFIX).accept(),
        rule("output").match_oif(PUBLIC).match_l4proto(ESP).counter().accept(),
        rule("output").match_oif(PUBLIC).match_udp_sport(IKE_PORTS[0]).counter().accept(),
        rule("output").match_oif(PUBLIC).match_udp_sport(IKE_PORTS[1]).counter().accept(),
        rule("output").match_oif(PUBLIC).match_l4proto(ICMP).accept(),
        rule("output").match_oif(PUBLIC).match_l4proto(ICMPV6).accept(),
        rule("output").counter().drop(),
    ]);
    rules
}
