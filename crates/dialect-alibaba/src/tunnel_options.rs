//! Tunnels as parameters: the JSON-string form of one tunnel, and the list form of two.

use std::net::{IpAddr, Ipv4Addr};

use causeway_dialect::Failure;
use causeway_model::{DhGroup, Dpd, DpdAction, EspProposal, IkeProposal, Initiation, Secret};
use causeway_ops::operation::{NewTunnel, NewTunnelBgp};
use causeway_ops::{Lack, RegionSettings};
use ipnet::IpNet;
use serde_json::{Map, Value};

use crate::facet::IdleBgp;
use crate::params::{Fields, illegal};
use crate::{algorithms, asn, availability, cidr};

/// Lifetimes have at most a day.
const LIFETIME_S_MAX: u32 = 86_400;
/// Characters of a pre-shared key and of an identity at most.
const PSK_CHARS_MAX: usize = 100;
const ID_CHARS_MAX: usize = 100;
/// The number that the cloud's side of BGP has when none is asked for.
const LOCAL_ASN_DEFAULT: u32 = 45104;
/// Dead peer detection of this cloud: probes every 10 seconds, dead after 30.
const DPD_DELAY_S: u32 = 10;
const DPD_TIMEOUT_S: u32 = 30;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

/// The parameters of one tunnel, wherever they came from.
pub struct TunnelFields<'a> {
    /// Holds `CustomerGatewayId`, `EnableDpd`, `EnableNatTraversal`.
    pub own: Fields<'a>,
    /// The IKE options.
    pub ike: Fields<'a>,
    /// The IPsec options.
    pub ipsec: Fields<'a>,
    /// The BGP options, when BGP is on.
    pub bgp: Option<Fields<'a>>,
    /// When the gateway starts the negotiation.
    pub initiation: Initiation,
}

/// A word of an option, read by `read`; the default where it is left out.
fn option<T>(
    fields: &Fields<'_>,
    name: &str,
    default: &str,
    read: fn(&str) -> Option<T>,
) -> Result<T, Failure> {
    let word = fields.text(name).unwrap_or_else(|| default.to_owned());
    read(&word).ok_or_else(|| unsupported_option(name))
}

/// Two options have documented codes; the others follow the general form (unverified).
pub fn unsupported_option(name: &str) -> Failure {
    match name {
        "IpsecPfs" => bad(
            "NotSupportVpnConnectionParameter.IpsecPfs",
            "The specified vpn connection ipsec Ipsec Pfs is not support.",
        ),
        "IpsecAuthAlg" => bad(
            "NotSupportVpnConnectionParameter.IpsecAuthAlg",
            "The specified vpn connection ipsec Auth Alg is not support.",
        ),
        _ => illegal(name),
    }
}

fn lifetime(fields: &Fields<'_>, name: &str) -> Result<u32, Failure> {
    let text = fields.text(name).unwrap_or_else(|| LIFETIME_S_MAX.to_string());
    text.parse::<u32>().ok().filter(|seconds| *seconds <= LIFETIME_S_MAX).ok_or_else(|| illegal(name))
}

fn ike(fields: &Fields<'_>) -> Result<IkeProposal, Failure> {
    let version = fields.text("IkeVersion").unwrap_or_else(|| "ikev1".to_owned());
    let mode = fields.text("IkeMode").unwrap_or_else(|| "main".to_owned());
    if algorithms::version(&version, "main").is_none() {
        return Err(illegal("IkeVersion"));
    }
    Ok(IkeProposal {
        version: algorithms::version(&version, &mode).ok_or_else(|| illegal("IkeMode"))?,
        encryption: option(fields, "IkeEncAlg", "aes", algorithms::encryption)?,
        integrity: option(fields, "IkeAuthAlg", "md5", algorithms::integrity)?,
        dh_group: option(fields, "IkePfs", "group2", algorithms::group)?,
        lifetime_s: lifetime(fields, "IkeLifetime")?,
    })
}

fn read_pfs(word: &str) -> Option<Option<DhGroup>> {
    if word == algorithms::NO_PFS { Some(None) } else { algorithms::group(word).map(Some) }
}

fn esp(fields: &Fields<'_>) -> Result<EspProposal, Failure> {
    Ok(EspProposal {
        encryption: option(fields, "IpsecEncAlg", "aes", algorithms::encryption)?,
        integrity: option(fields, "IpsecAuthAlg", "md5", algorithms::integrity)?,
        pfs_group: option(fields, "IpsecPfs", "group2", read_pfs)?,
        lifetime_s: lifetime(fields, "IpsecLifetime")?,
        lifetime_bytes: None,
    })
}

/// The pre-shared key: printable ASCII without blanks.
fn psk(fields: &Fields<'_>) -> Result<Option<Secret>, Failure> {
    let Some(text) = fields.text("Psk") else { return Ok(None) };
    let is_good = text.len() <= PSK_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(Some(Secret::new(text))) } else { Err(illegal("Psk")) }
}

/// What no identity has: blanks by the page, and what nobody can type.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

fn identity(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Failure> {
    match fields.text(name) {
        Some(text) if text.chars().count() > ID_CHARS_MAX || text.contains(is_blank) => Err(illegal(name)),
        text => Ok(text),
    }
}

fn malformed_link() -> Failure {
    bad("InvalidTunnelCidr.Malformed", "The specified TunnelCidr is malformed.")
}

fn local_bgp_ip(text: &str) -> Result<Ipv4Addr, Failure> {
    text.parse().map_err(|_| bad("InvalidLocalBgpIp.Malformed", "The specified LocalBgpIp is malformed."))
}

/// BGP of a tunnel.
fn bgp(fields: &Fields<'_>) -> Result<NewTunnelBgp, Failure> {
    let local_asn = match fields.text("LocalAsn") {
        None => LOCAL_ASN_DEFAULT,
        Some(text) => asn::parse(&text).ok_or_else(|| illegal("LocalAsn"))?,
    };
    let text = fields.text("TunnelCidr").ok_or_else(|| {
        bad("MissingParameter.TunnelCidr", "The parameter TunnelCidr is mandatory when BGP is enabled.")
    })?;
    let link = cidr::range(&text).ok_or_else(malformed_link)?;
    if !cidr::is_link(&link) {
        return Err(illegal("TunnelCidr"));
    }
    let local_ip: Ipv4Addr = match fields.text("LocalBgpIp") {
        None => link.hosts().next().unwrap_or_else(|| link.addr()),
        Some(text) => local_bgp_ip(&text)?,
    };
    if !link.hosts().any(|host| host == local_ip) {
        return Err(illegal("LocalBgpIp"));
    }
    Ok(NewTunnelBgp { tunnel_cidr: IpNet::V4(link), local_ip: IpAddr::V4(local_ip), local_asn })
}

/// The tunnel that the parameters ask for.
///
/// # Errors
/// The API's refusal of a parameter.
pub fn tunnel(it: &TunnelFields<'_>, missing_peer: Failure) -> Result<NewTunnel, Failure> {
    let action = match it.initiation {
        Initiation::AtOnce => DpdAction::Restart,
        Initiation::OnTraffic | Initiation::ByPeer => DpdAction::Trap,
    };
    let dpd = Dpd { delay_s: DPD_DELAY_S, timeout_s: DPD_TIMEOUT_S, action };
    Ok(NewTunnel {
        customer_gateway: it.own.id("CustomerGatewayId").ok_or(missing_peer)?,
        psk: psk(&it.ike)?,
        local_id: identity(&it.ike, "LocalId")?,
        remote_id: identity(&it.ike, "RemoteId")?,
        ike: ike(&it.ike)?,
        esp: esp(&it.ipsec)?,
        dpd: it.own.boolean("EnableDpd")?.unwrap_or(true).then_some(dpd),
        nat_traversal: it.own.boolean("EnableNatTraversal")?.unwrap_or(true),
        bgp: it.bgp.as_ref().map(bgp).transpose()?,
    })
}

/// What is missing when a connection's list of tunnels is not complete.
pub fn incomplete_list() -> Failure {
    bad(
        "MissingParameter.TunnelOptionsSpecification",
        "The required parameters are missing when creating a tunnel for dual-tunnel VPN.",
    )
}

/// The two items of `TunnelOptionsSpecification`, the master first.
///
/// # Errors
/// `MissingParameter.TunnelOptionsSpecification`, `IllegalParam.Role`.
pub fn by_role<'a>(fields: &Fields<'a>) -> Result<[Fields<'a>; 2], Failure> {
    let items = fields.objects("TunnelOptionsSpecification")?;
    let [first, second] = items.as_slice() else { return Err(incomplete_list()) };
    match (first.text("Role").as_deref(), second.text("Role").as_deref()) {
        (Some("master"), Some("slave")) | (None, None) => Ok([*first, *second]),
        (Some("slave"), Some("master")) => Ok([*second, *first]),
        _ => Err(illegal("Role")),
    }
}

/// The two tunnels of the list form.
///
/// # Errors
/// The API's refusal of a parameter.
pub fn list(
    fields: &Fields<'_>,
    speaks_bgp: bool,
    initiation: Initiation,
) -> Result<Vec<NewTunnel>, Failure> {
    let none = Map::new();
    let mut tunnels = Vec::new();
    for item in by_role(fields)? {
        let part = |name: &str| item.object(name).map(|it| it.unwrap_or(Fields::of_members(&none)));
        let bgp = if speaks_bgp { Some(part("TunnelBgpConfig")?) } else { None };
        let (ike, ipsec) = (part("TunnelIkeConfig")?, part("TunnelIpsecConfig")?);
        let it = TunnelFields { own: item, ike, ipsec, bgp, initiation };
        tunnels.push(tunnel(&it, incomplete_list())?);
    }
    Ok(tunnels)
}

/// A part of the options of each tunnel, in either form. What is malformed counts as absent here.
fn parts(fields: &Fields<'_>, of_one: &str, of_list: &str) -> Vec<Map<String, Value>> {
    if fields.value("TunnelOptionsSpecification").is_none() {
        return vec![fields.json(of_one).ok().flatten().unwrap_or_default()];
    }
    let part = |item: &Fields<'_>| item.value(of_list).and_then(Value::as_object).cloned();
    let items = fields.objects("TunnelOptionsSpecification").unwrap_or_default();
    items.iter().map(|item| part(item).unwrap_or_default()).collect()
}

/// The word of each tunnel for IKE's mode, the master's first. IKEv2 has no modes and takes either word; what was sent
/// is what is read.
///
/// # Errors
/// The API's refusal of a list that is not complete.
pub fn ike_modes(fields: &Fields<'_>, has_list: bool) -> Result<Vec<String>, Failure> {
    let word = |ike: &Fields<'_>| ike.text("IkeMode").unwrap_or_else(|| "main".to_owned());
    if !has_list {
        let ike = fields.json("IkeConfig")?.unwrap_or_default();
        return Ok(vec![word(&Fields::of_members(&ike))]);
    }
    let none = Map::new();
    let of = |item: &Fields<'_>| {
        item.object("TunnelIkeConfig").map(|ike| word(&ike.unwrap_or(Fields::of_members(&none))))
    };
    by_role(fields)?.iter().map(of).collect()
}

/// Whether each tunnel has an identity of the far end in it.
pub fn name_remote_ids(fields: &Fields<'_>) -> bool {
    let parts = parts(fields, "IkeConfig", "TunnelIkeConfig");
    parts.iter().all(|part| Fields::of_members(part).text("RemoteId").is_some())
}

/// The algorithms that the tunnels name: option and word. Defaults are not among them.
pub fn named_algorithms(fields: &Fields<'_>) -> Vec<(&'static str, String)> {
    let ike = parts(fields, "IkeConfig", "TunnelIkeConfig");
    let ipsec = parts(fields, "IpsecConfig", "TunnelIpsecConfig");
    let options = [(&ike, ["IkeEncAlg", "IkeAuthAlg"]), (&ipsec, ["IpsecEncAlg", "IpsecAuthAlg"])];
    let mut named = Vec::new();
    for (parts, names) in options {
        for (part, name) in parts.iter().flat_map(|part| names.map(|name| (part, name))) {
            named.extend(Fields::of_members(part).text(name).map(|word| (name, word)));
        }
    }
    named
}

/// Refuses settings that the gateways of a region don't have, whatever they would be set to.
///
/// # Errors
/// `OperationUnsupported.SetDPD`, `OperationUnsupported.SetNatTraversal`.
pub fn check_settings(fields: &Fields<'_>, region: &RegionSettings) -> Result<(), Failure> {
    let items = fields.objects("TunnelOptionsSpecification")?;
    for (lack, name) in [(Lack::Dpd, "EnableDpd"), (Lack::NatTraversal, "EnableNatTraversal")] {
        let is_set = std::iter::once(fields).chain(&items).any(|it| it.value(name).is_some());
        if is_set && region.lacks.contains(&lack) {
            return Err(availability::lacking(lack));
        }
    }
    Ok(())
}

/// Whether settings of BGP switch it on.
///
/// # Errors
/// `IllegalParam.BgpConfig`.
pub fn enables_bgp(bgp: &Fields<'_>) -> Result<bool, Failure> {
    Ok(bgp.boolean("EnableBgp").map_err(|_| illegal("BgpConfig"))?.unwrap_or(false))
}

/// The settings of BGP that `BgpConfig` names and leaves switched off.
///
/// # Errors
/// The API's refusal of a setting.
pub fn idle_bgp(fields: &Fields<'_>) -> Result<Option<IdleBgp>, Failure> {
    let Some(members) = fields.json("BgpConfig")? else { return Ok(None) };
    let bgp = Fields::of_members(&members);
    if enables_bgp(&bgp)? {
        return Ok(None);
    }
    let tunnel_cidr =
        bgp.text("TunnelCidr").map(|text| cidr::range(&text).ok_or_else(malformed_link)).transpose()?;
    let local_asn = bgp.text("LocalAsn").map(|text| asn::parse(&text).ok_or_else(|| illegal("LocalAsn")));
    let local_ip = bgp.text("LocalBgpIp").map(|text| local_bgp_ip(&text)).transpose()?;
    Ok(Some(IdleBgp {
        tunnel_cidr: tunnel_cidr.map(|link| link.to_string()),
        local_asn: local_asn.transpose()?,
        local_ip: local_ip.map(|ip| ip.to_string()),
    }))
}

/// The one tunnel of the JSON-string form.
///
/// # Errors
/// The API's refusal of a parameter.
pub fn single(fields: &Fields<'_>, initiation: Initiation) -> Result<NewTunnel, Failure> {
    let part =
        |name: &str| -> Result<Map<String, Value>, Failure> { Ok(fields.json(name)?.unwrap_or_default()) };
    let (ike, ipsec, bgp) = (part("IkeConfig")?, part("IpsecConfig")?, part("BgpConfig")?);
    let bgp = Fields::of_members(&bgp);
    let speaks_bgp = enables_bgp(&bgp)?;
    let it = TunnelFields {
        own: *fields,
        ike: Fields::of_members(&ike),
        ipsec: Fields::of_members(&ipsec),
        bgp: speaks_bgp.then_some(bgp),
        initiation,
    };
    // A gateway with two instances wants the list: that is what is missing then.
    tunnel(&it, incomplete_list())
}

#[cfg(test)]
#[path = "tunnel_options_tests.rs"]
mod tests;
