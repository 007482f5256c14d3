//! A `swanctl.conf` for a stock strongSwan 5.9 at the customer's site.

use std::fmt::Write as _;

use causeway_model::proposal::{self, Unsupported};
use causeway_model::{IkeVersion, Secret, TrafficSelectors};
use ipnet::IpNet;

use crate::facts::{PeerConfig, PeerTunnel};

/// Seconds between liveness probes of the device.
const DPD_DELAY_S: u32 = 10;
/// Seconds without an answer after which IKEv1 gives the gateway up; IKEv2 follows its retransmissions.
const DPD_TIMEOUT_S: u32 = 30;
/// A lifetime is over when this share of it is left: enough for an exchange to be repeated.
const REKEY_MARGIN: u32 = 10;

/// What the device's owner chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The interface id (`if_id_in`, `if_id_out`) of the first tunnel; the next tunnel has the next one. With
    /// none, policies catch the traffic: then only one tunnel of a connection can carry the same ranges.
    pub interface_id: Option<u32>,
}

/// The whole configuration: a connection, its child (or children) and its secret for each tunnel.
///
/// # Errors
/// [`Unsupported`] when strongSwan lacks an algorithm.
pub fn render(config: &PeerConfig, options: Options) -> Result<String, Unsupported> {
    let mut text = String::from("connections {\n");
    for (ordinal, tunnel) in (0_u32..).zip(&config.tunnels) {
        let interface_id = options.interface_id.map(|first| first.saturating_add(ordinal));
        connection(&mut text, config, tunnel, interface_id)?;
    }
    text.push_str("}\n\nsecrets {\n");
    for tunnel in &config.tunnels {
        secret(&mut text, tunnel);
    }
    text.push_str("}\n");
    Ok(text)
}

/// One line of a section. Writing to memory does not fail.
fn line(text: &mut String, depth: usize, content: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{:indent$}{content}", "", indent = depth * 4);
}

fn connection(
    text: &mut String,
    config: &PeerConfig,
    tunnel: &PeerTunnel,
    interface_id: Option<u32>,
) -> Result<(), Unsupported> {
    let version = match tunnel.ike.version {
        IkeVersion::V1Main | IkeVersion::V1Aggressive => 1,
        IkeVersion::V2 => 2,
    };
    line(text, 1, format_args!("{} {{", tunnel.name));
    line(text, 2, format_args!("version = {version}"));
    if tunnel.ike.version == IkeVersion::V1Aggressive {
        line(text, 2, format_args!("aggressive = yes"));
    }
    line(text, 2, format_args!("local_addrs = {}", tunnel.local));
    line(text, 2, format_args!("remote_addrs = {}", tunnel.remote));
    line(text, 2, format_args!("proposals = {}", proposal::ike(&tunnel.ike)?));
    lifetime(text, 2, "over_time", tunnel.ike.lifetime_s);
    line(text, 2, format_args!("dpd_delay = {DPD_DELAY_S}s"));
    if version == 1 {
        line(text, 2, format_args!("dpd_timeout = {DPD_TIMEOUT_S}s"));
    }
    line(text, 2, format_args!("mobike = no"));
    // Never give up: the gateway may be made after the device is set up.
    line(text, 2, format_args!("keyingtries = 0"));
    for (side, id) in [("local", &tunnel.local_id), ("remote", &tunnel.remote_id)] {
        line(text, 2, format_args!("{side} {{"));
        line(text, 3, format_args!("auth = psk"));
        line(text, 3, format_args!("id = {}", quoted(id)));
        line(text, 2, format_args!("}}"));
    }
    line(text, 2, format_args!("children {{"));
    for (name, selectors) in children(config, tunnel) {
        child(text, tunnel, &name, &selectors, interface_id)?;
    }
    line(text, 2, format_args!("}}"));
    line(text, 1, format_args!("}}"));
    Ok(())
}

/// The children of a tunnel, as the gateway has them.
fn children(config: &PeerConfig, tunnel: &PeerTunnel) -> Vec<(String, TrafficSelectors)> {
    let selectors = config.selectors.iter().cloned();
    let children: Vec<TrafficSelectors> =
        selectors.flat_map(|it| it.for_version(tunnel.ike.version)).collect();
    let is_only = children.len() == 1;
    let name =
        |ordinal: usize| if is_only { tunnel.name.clone() } else { format!("{}-{ordinal}", tunnel.name) };
    (1..).map(name).zip(children).collect()
}

fn child(
    text: &mut String,
    tunnel: &PeerTunnel,
    name: &str,
    selectors: &TrafficSelectors,
    interface_id: Option<u32>,
) -> Result<(), Unsupported> {
    line(text, 3, format_args!("{name} {{"));
    line(text, 4, format_args!("local_ts = {}", joined(&selectors.local)));
    line(text, 4, format_args!("remote_ts = {}", joined(&selectors.remote)));
    line(text, 4, format_args!("esp_proposals = {}", proposal::esp(&tunnel.esp)?));
    lifetime(text, 4, "life_time", tunnel.esp.lifetime_s);
    if let Some(bytes) = tunnel.esp.lifetime_bytes {
        line(text, 4, format_args!("life_bytes = {bytes}"));
    }
    if let Some(id) = interface_id {
        line(text, 4, format_args!("if_id_in = {id}"));
        line(text, 4, format_args!("if_id_out = {id}"));
    }
    line(text, 4, format_args!("start_action = start"));
    line(text, 4, format_args!("dpd_action = restart"));
    line(text, 3, format_args!("}}"));
    Ok(())
}

/// Rekeying before the end of a lifetime. `over_time` counts from the rekeying, `life_time` from the start;
/// a lifetime of 0 never ends.
fn lifetime(text: &mut String, depth: usize, hard: &str, lifetime_s: u32) {
    let margin = lifetime_s / REKEY_MARGIN;
    let end = if hard == "over_time" { margin } else { lifetime_s };
    line(text, depth, format_args!("rekey_time = {}s", lifetime_s - margin));
    if lifetime_s > 0 {
        line(text, depth, format_args!("{hard} = {end}s"));
    }
}

fn joined(ranges: &[IpNet]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn secret(text: &mut String, tunnel: &PeerTunnel) {
    line(text, 1, format_args!("ike-{} {{", tunnel.name));
    line(text, 2, format_args!("id-1 = {}", quoted(&tunnel.local_id)));
    line(text, 2, format_args!("id-2 = {}", quoted(&tunnel.remote_id)));
    line(text, 2, format_args!("secret = {}", key_text(&tunnel.psk)));
    line(text, 1, format_args!("}}"));
}

/// A value in quotes, as the settings parser reads it back.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// A pre-shared key: as it is where that is safe, else in hex, which needs no quoting.
fn key_text(psk: &Secret) -> String {
    let key = psk.expose();
    let is_plain = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!'))
        && !key.starts_with("0x")
        && !key.starts_with("0s");
    if is_plain {
        return quoted(key);
    }
    key.bytes().fold(String::from("0x"), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[path = "swanctl_tests.rs"]
mod tests;
