use causeway_model::{DhGroup, Encryption, IkeVersion};

use super::render;
use crate::device::NoWord;
use crate::device_fixtures::{connection, with_bgp};

fn lines(text: &str) -> Vec<&str> {
    text.split("\r\n").collect()
}

#[test]
fn a_policy_based_connection_is_a_crypto_map_on_the_interface() {
    let text = render(&connection(IkeVersion::V1Main), "GigabitEthernet0/0").unwrap();
    let lines = lines(&text);
    for wanted in [
        "crypto isakmp policy 200",
        " encryption aes 128",
        " hash sha",
        " group 2",
        " lifetime 86400",
        " pre-shared-key address 203.0.113.5 key k3y",
        "crypto ipsec transform-set set-vpnx-1-1 esp-aes 256 esp-sha256-hmac",
        " permit ip 192.168.0.0 0.0.0.255 10.0.0.0 0.0.255.255",
        " set peer 203.0.113.5",
        " set pfs group14",
        " set security-association lifetime kilobytes 2560",
        "interface GigabitEthernet0/0",
        " crypto map map-vpnx-1",
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("Tunnel200"));
}

#[test]
fn a_route_based_connection_is_a_tunnel_interface() {
    let text = render(&with_bgp(IkeVersion::V2), "Gi0/1").unwrap();
    let lines = lines(&text);
    for wanted in [
        " encryption aes-cbc-128",
        " integrity sha1",
        " match identity remote address 203.0.113.5 255.255.255.255",
        "interface Tunnel200",
        " ip address 169.254.128.2 255.255.255.252",
        " tunnel source Gi0/1",
        "router bgp 65010",
        " neighbor 169.254.128.1 remote-as 64551",
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("crypto map"));
}

#[test]
fn what_the_device_lacks_is_refused() {
    let mut config = connection(IkeVersion::V1Main);
    config.tunnels[0].ike.encryption = Encryption::Sm4Cbc;
    assert_eq!(render(&config, "Gi0/0"), Err(NoWord::Encryption(Encryption::Sm4Cbc)));
    let mut config = connection(IkeVersion::V1Main);
    config.tunnels[0].ike.dh_group = DhGroup(31);
    assert_eq!(render(&config, "Gi0/0"), Err(NoWord::Group(DhGroup(31))));
}
