//! Text for H3C Comware (V7).

use causeway_model::{DhGroup, Encryption, IkeVersion, Integrity};

use crate::device::{NoWord, Text, check_words, is_address, is_route_based, wildcard};
use crate::facts::{PeerConfig, PeerTunnel};

/// The number of the first proposal, list and tunnel interface: high, to stay clear of the device's own.
const FIRST_NUMBER: usize = 3900;
/// Kilobytes that Comware takes as a lifetime at most.
const LIFETIME_KB_MAX: u64 = 4_294_967_295;

/// The device's part of a connection. `interface` is the device's outer interface, such as `GigabitEthernet1/0`.
///
/// # Errors
/// [`NoWord`] for algorithms that Comware lacks.
pub fn render(config: &PeerConfig, interface: &str) -> Result<String, NoWord> {
    check_words(config, interface)?;
    let mut text = Text::default();
    text.line(format!("# Connection {}", config.name));
    text.line("# Numbers and names below must be unique on the device; change them where they are in use.");
    text.line("#");
    for (ordinal, tunnel) in config.tunnels.iter().enumerate() {
        let number = FIRST_NUMBER + ordinal;
        match tunnel.ike.version {
            IkeVersion::V2 => ikev2(&mut text, tunnel)?,
            IkeVersion::V1Main | IkeVersion::V1Aggressive => ikev1(&mut text, tunnel, number)?,
        }
        transform_set(&mut text, tunnel)?;
        if is_route_based(config) {
            tunnel_interface(&mut text, tunnel, number, interface);
        } else {
            policy(&mut text, config, tunnel, (number, interface))?;
        }
        bgp(&mut text, tunnel);
    }
    Ok(text.finish())
}

fn encryption(it: Encryption) -> Result<&'static str, NoWord> {
    Ok(match it {
        Encryption::Aes128Cbc => "aes-cbc-128",
        Encryption::Aes192Cbc => "aes-cbc-192",
        Encryption::Aes256Cbc => "aes-cbc-256",
        Encryption::DesCbc => "des-cbc",
        Encryption::TripleDesCbc => "3des-cbc",
        Encryption::Sm4Cbc => "sm4-cbc",
        Encryption::Aes128Gcm16 | Encryption::Aes192Gcm16 | Encryption::Aes256Gcm16 | Encryption::Null => {
            return Err(NoWord::Encryption(it));
        }
    })
}

fn esp_encryption(it: Encryption) -> Result<&'static str, NoWord> {
    match it {
        Encryption::Aes128Gcm16 => Ok("gcm-128"),
        Encryption::Aes192Gcm16 => Ok("gcm-192"),
        Encryption::Aes256Gcm16 => Ok("gcm-256"),
        Encryption::Null => Ok("null"),
        other => encryption(other),
    }
}

fn integrity(it: Integrity) -> &'static str {
    match it {
        Integrity::Md5 => "md5",
        Integrity::Sha1 => "sha",
        Integrity::Sha256 => "sha256",
        Integrity::Sha384 => "sha384",
        Integrity::Sha512 => "sha512",
        Integrity::Sm3 => "sm3",
    }
}

/// IKEv2 and IPsec write the digit of SHA-1.
fn integrity_with_digit(it: Integrity) -> &'static str {
    if it == Integrity::Sha1 { "sha1" } else { integrity(it) }
}

fn group(it: DhGroup) -> Result<u16, NoWord> {
    match it.0 {
        1 | 2 | 5 | 14 | 19 | 20 | 24 => Ok(it.0),
        _ => Err(NoWord::Group(it)),
    }
}

fn identity(id: &str) -> String {
    if is_address(id) { format!("address {id}") } else { format!("fqdn {id}") }
}

/// An identity that a profile matches: an address has a mask.
fn matched(id: &str) -> String {
    let mask = if is_address(id) { " 255.255.255.255" } else { "" };
    format!("{}{mask}", identity(id))
}

fn ikev1(text: &mut Text, tunnel: &PeerTunnel, number: usize) -> Result<(), NoWord> {
    let name = &tunnel.name;
    text.line(format!("ike proposal {number}"));
    text.line(format!(" encryption-algorithm {}", encryption(tunnel.ike.encryption)?));
    text.line(format!(" authentication-algorithm {}", integrity(tunnel.ike.integrity)));
    text.line(format!(" dh group{}", group(tunnel.ike.dh_group)?));
    text.line(" authentication-method pre-share");
    text.line(format!(" sa duration {}", tunnel.ike.lifetime_s));
    text.line("#");
    text.line(format!("ike keychain keychain-{name}"));
    text.line(format!(
        " pre-shared-key address {} 255.255.255.255 key simple {}",
        tunnel.remote,
        tunnel.psk.expose()
    ));
    text.line("#");
    text.line(format!("ike profile profile-{name}"));
    text.line(format!(" keychain keychain-{name}"));
    text.line(format!(" local-identity {}", identity(&tunnel.local_id)));
    text.line(format!(" match remote identity {}", matched(&tunnel.remote_id)));
    text.line(format!(" match local address {}", tunnel.local));
    if tunnel.ike.version == IkeVersion::V1Aggressive {
        text.line(" exchange-mode aggressive");
    }
    text.line(" dpd interval 10 retry 3 periodic");
    text.line(format!(" proposal {number}"));
    text.line("#");
    Ok(())
}

fn ikev2(text: &mut Text, tunnel: &PeerTunnel) -> Result<(), NoWord> {
    let name = &tunnel.name;
    let hash = integrity_with_digit(tunnel.ike.integrity);
    text.line(format!("ikev2 proposal proposal-{name}"));
    text.line(format!(" encryption {}", encryption(tunnel.ike.encryption)?));
    text.line(format!(" integrity {hash}"));
    text.line(format!(" prf {hash}"));
    text.line(format!(" dh group{}", group(tunnel.ike.dh_group)?));
    text.line("#");
    text.line(format!("ikev2 policy policy-{name}"));
    text.line(format!(" proposal proposal-{name}"));
    text.line(format!(" match local address {}", tunnel.local));
    text.line("#");
    text.line(format!("ikev2 keychain keychain-{name}"));
    text.line(format!(" peer {name}"));
    text.line(format!("  address {} 255.255.255.255", tunnel.remote));
    text.line(format!("  pre-shared-key plaintext {}", tunnel.psk.expose()));
    text.line("#");
    text.line(format!("ikev2 profile profile-{name}"));
    text.line(" authentication-method local pre-share");
    text.line(" authentication-method remote pre-share");
    text.line(format!(" keychain keychain-{name}"));
    text.line(format!(" identity local {}", identity(&tunnel.local_id)));
    text.line(format!(" match remote identity {}", matched(&tunnel.remote_id)));
    text.line(format!(" sa duration {}", tunnel.ike.lifetime_s));
    text.line(" dpd interval 10 retry 3 periodic");
    text.line("#");
    Ok(())
}

fn transform_set(text: &mut Text, tunnel: &PeerTunnel) -> Result<(), NoWord> {
    text.line(format!("ipsec transform-set set-{}", tunnel.name));
    text.line(" encapsulation-mode tunnel");
    text.line(" protocol esp");
    text.line(format!(" esp encryption-algorithm {}", esp_encryption(tunnel.esp.encryption)?));
    if !tunnel.esp.encryption.is_aead() {
        text.line(format!(" esp authentication-algorithm {}", integrity_with_digit(tunnel.esp.integrity)));
    }
    if let Some(pfs) = tunnel.esp.pfs_group {
        text.line(format!(" pfs dh-group{}", group(pfs)?));
    }
    text.line("#");
    Ok(())
}

/// The lines that a policy and a profile of IPsec share.
fn protection(text: &mut Text, tunnel: &PeerTunnel) {
    let name = &tunnel.name;
    let profile = if tunnel.ike.version == IkeVersion::V2 { "ikev2-profile" } else { "ike-profile" };
    text.line(format!(" transform-set set-{name}"));
    text.line(format!(" {profile} profile-{name}"));
    text.line(format!(" sa duration time-based {}", tunnel.esp.lifetime_s));
    if let Some(bytes) = tunnel.esp.lifetime_bytes {
        let kilobytes = (bytes / 1024).min(LIFETIME_KB_MAX);
        text.line(format!(" sa duration traffic-based {kilobytes}"));
    }
    text.line("#");
}

fn policy(
    text: &mut Text,
    config: &PeerConfig,
    tunnel: &PeerTunnel,
    (number, interface): (usize, &str),
) -> Result<(), NoWord> {
    text.line(format!("acl advanced {number}"));
    for (rule, (local, remote)) in config.pairs().enumerate() {
        let (local, remote) = (wildcard(&local)?, wildcard(&remote)?);
        text.line(format!(" rule {rule} permit ip source {local} destination {remote}"));
    }
    text.line("#");
    text.line(format!("ipsec policy policy-{} {number} isakmp", config.name));
    text.line(format!(" security acl {number}"));
    text.line(format!(" local-address {}", tunnel.local));
    text.line(format!(" remote-address {}", tunnel.remote));
    protection(text, tunnel);
    text.line(format!("interface {interface}"));
    text.line(format!(" ipsec apply policy policy-{}", config.name));
    text.line("#");
    Ok(())
}

fn tunnel_interface(text: &mut Text, tunnel: &PeerTunnel, number: usize, interface: &str) {
    text.line(format!("ipsec profile ipsec-{} isakmp", tunnel.name));
    protection(text, tunnel);
    text.line(format!("interface Tunnel{number} mode ipsec"));
    match &tunnel.bgp {
        Some(bgp) => text.line(format!(" ip address {} {}", bgp.local_ip, bgp.tunnel_cidr.netmask())),
        None => text.line(format!(" ip address unnumbered interface {interface}")),
    }
    text.line(" tcp mss 1360");
    text.line(format!(" source {}", tunnel.local));
    text.line(format!(" destination {}", tunnel.remote));
    text.line(format!(" tunnel protection ipsec profile ipsec-{}", tunnel.name));
    text.line("#");
    if tunnel.bgp.is_none() {
        text.line(format!("# Route the ranges behind the gateway into Tunnel{number}:"));
        text.line(format!("# ip route-static <range> <mask> Tunnel{number}"));
        text.line("#");
    }
}

fn bgp(text: &mut Text, tunnel: &PeerTunnel) {
    let Some(bgp) = &tunnel.bgp else { return };
    text.line(format!("bgp {}", bgp.local_asn));
    text.line(format!(" peer {} as-number {}", bgp.peer_ip, bgp.peer_asn));
    text.line(format!(" peer {} timer keepalive 10 hold 30", bgp.peer_ip));
    text.line(" address-family ipv4 unicast");
    text.line(format!("  peer {} enable", bgp.peer_ip));
    text.line("#");
}

#[cfg(test)]
#[path = "h3c_tests.rs"]
mod tests;
