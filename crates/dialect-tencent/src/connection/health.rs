//! Probes through the tunnel: `EnableHealthCheck`, its addresses and its `HealthCheckConfig`; and dead peer
//! detection.

use std::net::{IpAddr, Ipv4Addr};

use causeway_dialect::encoding;
use causeway_model::{Dpd, DpdAction, HealthCheck};

use crate::action::Input;
use crate::params::Members;
use crate::refusal::Refusal;

/// The range that probe addresses are chosen from: 169.254.128.0/17.
const PROBE_BASE: u32 = 0xa9fe_8000;
const PROBE_MASK: u32 = 0x7fff;
/// What an address that is not used shows.
const UNUSED: &str = "0.0.0.0";
const DPD_DEFAULT_S: i64 = 30;
const DPD_RANGE_S: std::ops::RangeInclusive<i64> = 1..=3600;
/// Probes of DPD before its timeout.
const DPD_PROBES: i64 = 3;

/// Probes, on or off.
#[derive(Clone, Debug)]
pub struct Health {
    /// They are on.
    pub is_on: bool,
    /// Where they come from, as shown.
    pub local_ip: String,
    /// Where they go to, as shown.
    pub remote_ip: String,
    /// Milliseconds between them.
    pub interval_ms: u32,
    /// Unanswered ones after which the tunnel is down.
    pub threshold: u32,
    /// Milliseconds each waits.
    pub timeout_ms: u32,
    /// What the gateway does.
    pub check: Option<HealthCheck>,
}

/// Reads the parameters of probes. Addresses not given are chosen in 169.254.128.0/17.
///
/// # Errors
/// `InvalidParameterValue` for numbers and addresses that can't be.
pub fn read(input: &Input<'_>, members: &Members<'_>) -> Result<Health, Refusal> {
    const CODE: &str = "InvalidParameterValue";
    let is_on = members.flag("EnableHealthCheck").unwrap_or(false);
    let (mut interval, mut threshold, mut timeout) = (5_000, 3, 150);
    if let Some(config) = members.structure("HealthCheckConfig") {
        config.word("ProbeType", &["NQA"])?;
        interval = config.integer_in("ProbeInterval", 1_000..=5_000, CODE)?.unwrap_or(interval);
        threshold = config.integer_in("ProbeThreshold", 3..=8, CODE)?.unwrap_or(threshold);
        timeout = config.integer_in("ProbeTimeout", 10..=5_000, CODE)?.unwrap_or(timeout);
    }
    let given_local = address(members, "HealthCheckLocalIp")?;
    let given_remote = address(members, "HealthCheckRemoteIp")?;
    let (chosen_local, chosen_remote) = chosen(input);
    let local = given_local.or_else(|| is_on.then_some(chosen_local));
    let remote = given_remote.or_else(|| is_on.then_some(chosen_remote));
    let shown = |ip: Option<Ipv4Addr>| ip.map_or(UNUSED.to_owned(), |ip| ip.to_string());
    let number = |value: i64| u32::try_from(value).unwrap_or_default();
    let check = match (is_on, local, remote) {
        (true, Some(local), Some(remote)) => Some(HealthCheck {
            source: IpAddr::V4(local),
            destination: IpAddr::V4(remote),
            // Whole seconds, and never faster than asked for.
            interval_s: number((interval + 999) / 1_000),
            retries: number(threshold),
            revoke_routes: false,
        }),
        _ => None,
    };
    Ok(Health {
        is_on,
        local_ip: shown(local),
        remote_ip: shown(remote),
        interval_ms: number(interval),
        threshold: number(threshold),
        timeout_ms: number(timeout),
        check,
    })
}

fn address(members: &Members<'_>, name: &str) -> Result<Option<Ipv4Addr>, Refusal> {
    match members.ipv4(name)? {
        // Clients send back what an unused address shows.
        Some(ip) if ip.is_unspecified() => Ok(None),
        Some(ip) if ip.is_multicast() => Err(Refusal::value(&members.path(name), ip)),
        other => Ok(other),
    }
}

/// Two different addresses of the range, drawn from the request itself.
fn chosen(input: &Input<'_>) -> (Ipv4Addr, Ipv4Addr) {
    let seed = format!("{}\n{}\n{}", input.context.account, input.context.request_id, input.context.now.0);
    let digest = encoding::sha256_hex(seed.as_bytes());
    let draw = |from: usize| u32::from_str_radix(digest.get(from..from + 8).unwrap_or("0"), 16).unwrap_or(0);
    let first = draw(0) & PROBE_MASK;
    let second = draw(8) & PROBE_MASK;
    let second = if second == first { second ^ 1 } else { second };
    (Ipv4Addr::from(PROBE_BASE | first), Ipv4Addr::from(PROBE_BASE | second))
}

/// Dead peer detection as shown and as done.
#[derive(Clone, Debug)]
pub struct DpdOptions {
    /// It is on.
    pub is_on: bool,
    /// Its seconds, as text.
    pub timeout: String,
    /// `clear` or `restart`.
    pub action: &'static str,
    /// What the gateway does.
    pub dpd: Option<Dpd>,
}

/// Reads `DpdEnable`, `DpdTimeout` (a text) and `DpdAction`.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn read_dpd(members: &Members<'_>) -> Result<DpdOptions, Refusal> {
    let is_on = members.integer_of("DpdEnable", &[0, 1])? == Some(1);
    let timeout = match members.text("DpdTimeout") {
        Some(_) => members.integer_in("DpdTimeout", DPD_RANGE_S, "InvalidParameterValue")?,
        None => None,
    };
    let timeout = timeout.unwrap_or(DPD_DEFAULT_S);
    let action = members.word("DpdAction", &["clear", "restart"])?.unwrap_or("restart");
    let seconds = |value: i64| u32::try_from(value).unwrap_or(1).max(1);
    let dpd = Dpd {
        delay_s: seconds(timeout / DPD_PROBES),
        timeout_s: seconds(timeout),
        action: if action == "clear" { DpdAction::Clear } else { DpdAction::Restart },
    };
    Ok(DpdOptions { is_on, timeout: timeout.to_string(), action, dpd: is_on.then_some(dpd) })
}
