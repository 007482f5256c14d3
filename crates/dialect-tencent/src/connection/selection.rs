//! How traffic is chosen: `RouteType`, `SecurityPolicyDatabases`, `Route` and `BgpConfig`.

use std::net::IpAddr;

use causeway_model::{Policy, Selection};
use causeway_ops::operation::NewTunnelBgp;
use ipnet::{IpNet, Ipv4Net};

use crate::params::{Members, cidr};
use crate::refusal::Refusal;

/// Rules of a connection at most.
const RULES_MAX: usize = 10;
/// Remote ranges of a rule at most.
const REMOTES_MAX: usize = 50;
/// The mask of the link of BGP.
const LINK_MASK: u8 = 30;

/// How traffic is chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The route type's word.
    pub route_type: &'static str,
    /// What it means.
    pub selection: Selection,
    /// Ranges on the gateway's side.
    pub local: Vec<IpNet>,
    /// Ranges on the customer's side.
    pub remote: Vec<IpNet>,
    /// BGP in the tunnel.
    pub bgp: Option<NewTunnelBgp>,
    /// Rules that were given although routes choose.
    pub idle_policies: Vec<Policy>,
}

impl Chosen {
    /// Whether the rules take everything on both sides, or there are none.
    pub fn takes_everything(&self) -> bool {
        self.local.iter().chain(&self.remote).all(|range| range.prefix_len() == 0)
    }
}

/// Reads the parameters.
///
/// # Errors
/// Those of ranges and rules, and of what the route type needs.
pub fn read(members: &Members<'_>) -> Result<Chosen, Refusal> {
    let words = ["STATIC", "StaticRoute", "Policy", "Bgp"];
    let route_type = members.word("RouteType", &words)?.unwrap_or("STATIC");
    let policies = policies(members)?;
    let bgp = bgp(members)?;
    let mut chosen = Chosen {
        route_type,
        selection: Selection::Routes,
        local: vec![],
        remote: vec![],
        bgp,
        idle_policies: vec![],
    };
    match route_type {
        "Bgp" => {
            if chosen.bgp.is_none() {
                return Err(Refusal::missing("BgpConfig"));
            }
            chosen.selection = Selection::Bgp;
            chosen.idle_policies = policies;
        }
        // The legacy default means rules where there are some.
        "Policy" | "STATIC" if !policies.is_empty() => {
            chosen.local = distinct(policies.iter().map(|policy| policy.local));
            chosen.remote = distinct(policies.iter().flat_map(|policy| policy.remotes.iter().copied()));
            chosen.selection = Selection::Policies(policies);
        }
        "Policy" => return Err(Refusal::missing("SecurityPolicyDatabases")),
        _ => {
            chosen.remote = route(members)?.into_iter().collect();
            // It has neither rules nor a route to choose by.
            if route_type == "STATIC" && chosen.remote.is_empty() && chosen.bgp.is_none() {
                return Err(Refusal::missing("SecurityPolicyDatabases"));
            }
            chosen.idle_policies = policies;
        }
    }
    if chosen.selection != Selection::Bgp && chosen.bgp.is_some() {
        return Err(Refusal::coexist("RouteType", "BgpConfig"));
    }
    Ok(chosen)
}

fn distinct(ranges: impl Iterator<Item = IpNet>) -> Vec<IpNet> {
    let mut found = Vec::new();
    for range in ranges {
        if !found.contains(&range) {
            found.push(range);
        }
    }
    found
}

fn policies(members: &Members<'_>) -> Result<Vec<Policy>, Refusal> {
    const NAME: &str = "SecurityPolicyDatabases";
    let rules = members.structures(NAME);
    if rules.len() > RULES_MAX {
        return Err(limit(NAME, RULES_MAX));
    }
    let mut policies: Vec<Policy> = Vec::new();
    for rule in rules {
        let local = range(&rule.required("LocalCidrBlock")?, &rule.path("LocalCidrBlock"))?;
        let texts = rule.texts("RemoteCidrBlock");
        if texts.is_empty() {
            return Err(Refusal::empty(&rule.path("RemoteCidrBlock")));
        }
        if texts.len() > REMOTES_MAX {
            return Err(limit(&rule.path("RemoteCidrBlock"), REMOTES_MAX));
        }
        let path = rule.path("RemoteCidrBlock");
        let remotes = texts.iter().map(|text| range(text, &path)).collect::<Result<Vec<IpNet>, _>>()?;
        check_disjoint(&policies, local, &remotes)?;
        policies.push(Policy { local, remotes });
    }
    Ok(policies)
}

fn limit(name: &str, limit: usize) -> Refusal {
    Refusal::new(
        "LimitExceeded",
        format!("The number of values of the parameter `{name}` exceeds the limit `{limit}`."),
        format!("参数`{name}`的数量超过上限`{limit}`。"),
    )
}

/// A range that traffic can have: no multicast, loopback or reserved addresses.
fn range(text: &str, path: &str) -> Result<IpNet, Refusal> {
    let net: Ipv4Net = cidr(text, path)?;
    let [first, ..] = net.addr().octets();
    let is_host_of_nothing = net.addr().is_unspecified() && net.prefix_len() == 32;
    if is_host_of_nothing || first == 127 || first >= 224 {
        return Err(Refusal::value(path, text));
    }
    Ok(IpNet::V4(net))
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Both sides of a rule are apart, unless they take everything, and no two rules share pairs of addresses.
fn check_disjoint(others: &[Policy], local: IpNet, remotes: &[IpNet]) -> Result<(), Refusal> {
    let is_everything = |range: &IpNet| range.prefix_len() == 0;
    for remote in remotes {
        if overlap(&local, remote) && !is_everything(&local) && !is_everything(remote) {
            return Err(Refusal::new(
                "InvalidParameterValue.VpnConnSpdCidrConflict",
                format!("The local range `{local}` and the remote range `{remote}` overlap."),
                format!("SPD策略的本端网段`{local}`和对端网段`{remote}`重叠。"),
            ));
        }
        let mut pairs = others.iter().filter(|other| overlap(&other.local, &local));
        if pairs.any(|other| other.remotes.iter().any(|known| overlap(known, remote))) {
            return Err(Refusal::new(
                "InvalidParameterValue.VpnConnCidrConflict",
                format!("The ranges `{local}` and `{remote}` overlap those of another rule."),
                format!("网段`{local}`和`{remote}`与其他SPD策略重叠。"),
            ));
        }
    }
    Ok(())
}

/// The destination of the deprecated `Route`.
fn route(members: &Members<'_>) -> Result<Option<IpNet>, Refusal> {
    let Some(route) = members.structure("Route") else { return Ok(None) };
    route.integer_of("Priority", &[0, 100])?;
    let text = route.required("DestinationCidrBlock")?;
    range(&text, &route.path("DestinationCidrBlock")).map(Some)
}

fn bgp(members: &Members<'_>) -> Result<Option<NewTunnelBgp>, Refusal> {
    let Some(config) = members.structure("BgpConfig") else { return Ok(None) };
    let text = config.required("TunnelCidr")?;
    let link = cidr(&text, &config.path("TunnelCidr"))?;
    if link.prefix_len() != LINK_MASK {
        return Err(Refusal::value_as(
            "InvalidParameterValue.VpnConnBgpTunnelCidrMask",
            &config.path("TunnelCidr"),
            link,
        ));
    }
    let mut ends = Vec::new();
    for name in ["LocalBgpIp", "RemoteBgpIp"] {
        config.required(name)?;
        let Some(ip) = config.ipv4(name)? else { continue };
        if !link.hosts().any(|host| host == ip) || ends.contains(&ip) {
            return Err(Refusal::new(
                "InvalidParameterValue.VpnConnBgpTunnelCidrNotSupported",
                format!("The BGP address `{ip}` must be in the tunnel range `{link}`."),
                format!("云端或用户端BGP地址：`{ip}`必须在BGP隧道网段`{link}`内。"),
            ));
        }
        ends.push(ip);
    }
    let local_ip = ends.first().copied().map(IpAddr::V4);
    Ok(local_ip.map(|local_ip| NewTunnelBgp { tunnel_cidr: IpNet::V4(link), local_ip, local_asn: 0 }))
}
