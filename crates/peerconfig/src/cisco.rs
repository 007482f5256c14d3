//! Text for Cisco IOS (15.4 and later).

use causeway_model::{DhGroup, Encryption, EspProposal, IkeVersion, Integrity};

use crate::device::{NoWord, Text, check_words, is_address, is_route_based, wildcard};
use crate::facts::{PeerConfig, PeerTunnel};

/// The number of the first policy, proposal and tunnel interface: high, to stay clear of the device's own.
const FIRST_NUMBER: usize = 200;
/// Kilobytes that IOS takes as a lifetime at most.
const LIFETIME_KB_MAX: u64 = 4_294_967_295;

/// The device's part of a connection. `interface` is the device's outer interface, such as `GigabitEthernet0/0`.
///
/// # Errors
/// [`NoWord`] for algorithms that IOS lacks.
pub fn render(config: &PeerConfig, interface: &str) -> Result<String, NoWord> {
    check_words(config, interface)?;
    let mut text = Text::default();
    text.line(format!("! Connection {}", config.name));
    text.line("! Numbers and names below must be unique on the device; change them where they are in use.");
    for (ordinal, tunnel) in config.tunnels.iter().enumerate() {
        let number = FIRST_NUMBER + ordinal;
        match tunnel.ike.version {
            IkeVersion::V2 => ikev2(&mut text, tunnel, number)?,
            IkeVersion::V1Main | IkeVersion::V1Aggressive => ikev1(&mut text, tunnel, number)?,
        }
        transform_set(&mut text, tunnel)?;
        if is_route_based(config) {
            tunnel_interface(&mut text, tunnel, number, interface)?;
        } else {
            crypto_map(&mut text, config, tunnel, (number, interface))?;
        }
        bgp(&mut text, tunnel);
    }
    Ok(text.finish())
}

fn encryption(it: Encryption) -> Result<&'static str, NoWord> {
    Ok(match it {
        Encryption::Aes128Cbc => "aes 128",
        Encryption::Aes192Cbc => "aes 192",
        Encryption::Aes256Cbc => "aes 256",
        Encryption::DesCbc => "des",
        Encryption::TripleDesCbc => "3des",
        Encryption::Aes128Gcm16
        | Encryption::Aes192Gcm16
        | Encryption::Aes256Gcm16
        | Encryption::Sm4Cbc
        | Encryption::Null => return Err(NoWord::Encryption(it)),
    })
}

fn encryption_v2(it: Encryption) -> Result<&'static str, NoWord> {
    Ok(match it {
        Encryption::Aes128Cbc => "aes-cbc-128",
        Encryption::Aes192Cbc => "aes-cbc-192",
        Encryption::Aes256Cbc => "aes-cbc-256",
        Encryption::Aes128Gcm16 => "aes-gcm-128",
        Encryption::Aes256Gcm16 => "aes-gcm-256",
        Encryption::DesCbc => "des",
        Encryption::TripleDesCbc => "3des",
        Encryption::Aes192Gcm16 | Encryption::Sm4Cbc | Encryption::Null => {
            return Err(NoWord::Encryption(it));
        }
    })
}

fn hash(it: Integrity) -> Result<&'static str, NoWord> {
    Ok(match it {
        Integrity::Md5 => "md5",
        Integrity::Sha1 => "sha",
        Integrity::Sha256 => "sha256",
        Integrity::Sha384 => "sha384",
        Integrity::Sha512 => "sha512",
        Integrity::Sm3 => return Err(NoWord::Integrity(it)),
    })
}

/// The word of IKEv2 differs for SHA-1 only.
fn hash_v2(it: Integrity) -> Result<&'static str, NoWord> {
    if it == Integrity::Sha1 { Ok("sha1") } else { hash(it) }
}

fn group(it: DhGroup) -> Result<u16, NoWord> {
    match it.0 {
        1 | 2 | 5 | 14 | 15 | 16 | 19 | 20 | 21 | 24 => Ok(it.0),
        _ => Err(NoWord::Group(it)),
    }
}

fn ikev1(text: &mut Text, tunnel: &PeerTunnel, number: usize) -> Result<(), NoWord> {
    let name = &tunnel.name;
    text.line(format!("crypto isakmp policy {number}"));
    text.line(format!(" encryption {}", encryption(tunnel.ike.encryption)?));
    text.line(format!(" hash {}", hash(tunnel.ike.integrity)?));
    text.line(" authentication pre-share");
    text.line(format!(" group {}", group(tunnel.ike.dh_group)?));
    text.line(format!(" lifetime {}", tunnel.ike.lifetime_s));
    text.line(" exit");
    text.line(format!("crypto keyring keyring-{name}"));
    text.line(format!(" local-address {}", tunnel.local));
    text.line(format!(" pre-shared-key address {} key {}", tunnel.remote, tunnel.psk.expose()));
    text.line(" exit");
    text.line(format!("crypto isakmp profile isakmp-{name}"));
    text.line(format!(" keyring keyring-{name}"));
    text.line(match is_address(&tunnel.remote_id) {
        true => format!(" match identity address {} 255.255.255.255", tunnel.remote_id),
        false => format!(" match identity host {}", tunnel.remote_id),
    });
    text.line(match is_address(&tunnel.local_id) {
        true => " self-identity address".to_owned(),
        false => format!(" self-identity user-fqdn {}", tunnel.local_id),
    });
    if tunnel.ike.version == IkeVersion::V1Aggressive {
        text.line(" initiate mode aggressive");
    }
    text.line(" keepalive 10 retry 3");
    text.line(format!(" local-address {}", tunnel.local));
    text.line(" exit");
    Ok(())
}

fn ikev2(text: &mut Text, tunnel: &PeerTunnel, number: usize) -> Result<(), NoWord> {
    let name = &tunnel.name;
    let identity = |id: &str| match is_address(id) {
        true => format!("address {id}"),
        false => format!("fqdn {id}"),
    };
    text.line(format!("crypto ikev2 proposal proposal-{name}"));
    text.line(format!(" encryption {}", encryption_v2(tunnel.ike.encryption)?));
    // With an AEAD the hash is that of the pseudo-random function.
    let hash_of = if tunnel.ike.encryption.is_aead() { "prf" } else { "integrity" };
    text.line(format!(" {hash_of} {}", hash_v2(tunnel.ike.integrity)?));
    text.line(format!(" group {}", group(tunnel.ike.dh_group)?));
    text.line(" exit");
    text.line(format!("crypto ikev2 policy policy-{name}-{number}"));
    text.line(format!(" match address local {}", tunnel.local));
    text.line(format!(" proposal proposal-{name}"));
    text.line(" exit");
    text.line(format!("crypto ikev2 keyring keyring-{name}"));
    text.line(format!(" peer {name}"));
    text.line(format!("  address {}", tunnel.remote));
    text.line(format!("  pre-shared-key {}", tunnel.psk.expose()));
    text.line("  exit");
    text.line(" exit");
    text.line(format!("crypto ikev2 profile isakmp-{name}"));
    let remote = identity(&tunnel.remote_id);
    let mask = if is_address(&tunnel.remote_id) { " 255.255.255.255" } else { "" };
    text.line(format!(" match identity remote {remote}{mask}"));
    text.line(format!(" identity local {}", identity(&tunnel.local_id)));
    text.line(" authentication remote pre-share");
    text.line(" authentication local pre-share");
    text.line(format!(" keyring local keyring-{name}"));
    text.line(format!(" lifetime {}", tunnel.ike.lifetime_s));
    text.line(" dpd 10 3 periodic");
    text.line(" exit");
    Ok(())
}

fn transform(it: &EspProposal) -> Result<String, NoWord> {
    let hmac = hash(it.integrity).map(|word| format!("esp-{word}-hmac"));
    Ok(match it.encryption {
        Encryption::Aes128Gcm16 => "esp-gcm 128".to_owned(),
        Encryption::Aes192Gcm16 => "esp-gcm 192".to_owned(),
        Encryption::Aes256Gcm16 => "esp-gcm 256".to_owned(),
        Encryption::Null => format!("esp-null {}", hmac?),
        other => format!("esp-{} {}", encryption(other)?, hmac?),
    })
}

fn transform_set(text: &mut Text, tunnel: &PeerTunnel) -> Result<(), NoWord> {
    text.line(format!("crypto ipsec transform-set set-{} {}", tunnel.name, transform(&tunnel.esp)?));
    text.line(" mode tunnel");
    text.line(" exit");
    Ok(())
}

/// The lines that a crypto map and an IPsec profile share.
fn protection(text: &mut Text, tunnel: &PeerTunnel) -> Result<(), NoWord> {
    let name = &tunnel.name;
    text.line(format!(" set transform-set set-{name}"));
    if let Some(pfs) = tunnel.esp.pfs_group {
        text.line(format!(" set pfs group{}", group(pfs)?));
    }
    text.line(format!(" set security-association lifetime seconds {}", tunnel.esp.lifetime_s));
    if let Some(bytes) = tunnel.esp.lifetime_bytes {
        let kilobytes = (bytes / 1024).min(LIFETIME_KB_MAX);
        text.line(format!(" set security-association lifetime kilobytes {kilobytes}"));
    }
    let profile = if tunnel.ike.version == IkeVersion::V2 { "ikev2-profile" } else { "isakmp-profile" };
    text.line(format!(" set {profile} isakmp-{name}"));
    Ok(())
}

fn crypto_map(
    text: &mut Text,
    config: &PeerConfig,
    tunnel: &PeerTunnel,
    (number, interface): (usize, &str),
) -> Result<(), NoWord> {
    let name = &tunnel.name;
    text.line(format!("ip access-list extended acl-{name}"));
    for (local, remote) in config.pairs() {
        text.line(format!(" permit ip {} {}", wildcard(&local)?, wildcard(&remote)?));
    }
    text.line(" exit");
    text.line(format!("crypto map map-{} {number} ipsec-isakmp", config.name));
    text.line(format!(" match address acl-{name}"));
    text.line(format!(" set peer {}", tunnel.remote));
    protection(text, tunnel)?;
    text.line(" exit");
    text.line(format!("interface {interface}"));
    text.line(format!(" crypto map map-{}", config.name));
    text.line(" exit");
    Ok(())
}

fn tunnel_interface(
    text: &mut Text,
    tunnel: &PeerTunnel,
    number: usize,
    interface: &str,
) -> Result<(), NoWord> {
    let name = &tunnel.name;
    text.line(format!("crypto ipsec profile profile-{name}"));
    protection(text, tunnel)?;
    text.line(" exit");
    text.line(format!("interface Tunnel{number}"));
    match &tunnel.bgp {
        Some(bgp) => text.line(format!(" ip address {} {}", bgp.local_ip, bgp.tunnel_cidr.netmask())),
        None => text.line(format!(" ip unnumbered {interface}")),
    }
    text.line(" ip tcp adjust-mss 1360");
    text.line(format!(" tunnel source {interface}"));
    text.line(" tunnel mode ipsec ipv4");
    text.line(format!(" tunnel destination {}", tunnel.remote));
    text.line(format!(" tunnel protection ipsec profile profile-{name}"));
    text.line(" exit");
    if tunnel.bgp.is_none() {
        text.line(format!("! Route the ranges behind the gateway into Tunnel{number}:"));
        text.line(format!("! ip route <range> <mask> Tunnel{number}"));
    }
    Ok(())
}

fn bgp(text: &mut Text, tunnel: &PeerTunnel) {
    let Some(bgp) = &tunnel.bgp else { return };
    text.line(format!("router bgp {}", bgp.local_asn));
    text.line(format!(" neighbor {} remote-as {}", bgp.peer_ip, bgp.peer_asn));
    text.line(format!(" neighbor {} timers 10 30", bgp.peer_ip));
    text.line(" exit");
}

#[cfg(test)]
#[path = "cisco_tests.rs"]
mod tests;
