use causeway_model::{DhGroup, Encryption, IkeVersion, Integrity};

use super::render;
use crate::device::NoWord;
use crate::device_fixtures::{connection, with_bgp};

fn lines(text: &str) -> Vec<&str> {
    text.split("\r\n").collect()
}

#[test]
fn a_policy_based_connection_is_a_policy_on_the_interface() {
    let text = render(&connection(IkeVersion::V1Aggressive), "GigabitEthernet1/0").unwrap();
    let lines = lines(&text);
    for wanted in [
        "ike proposal 3900",
        " encryption-algorithm aes-cbc-128",
        " authentication-algorithm sha",
        " dh group2",
        " exchange-mode aggressive",
        " pre-shared-key address 203.0.113.5 255.255.255.255 key simple k3y",
        " esp encryption-algorithm aes-cbc-256",
        " esp authentication-algorithm sha256",
        " pfs dh-group14",
        " rule 0 permit ip source 192.168.0.0 0.0.0.255 destination 10.0.0.0 0.0.255.255",
        " sa duration traffic-based 2560",
        "interface GigabitEthernet1/0",
        " ipsec apply policy policy-vpnx-1",
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {text}");
    }
}

#[test]
fn a_route_based_connection_is_a_tunnel_interface() {
    let text = render(&with_bgp(IkeVersion::V2), "GigabitEthernet1/0").unwrap();
    let lines = lines(&text);
    for wanted in [
        " integrity sha1",
        " match remote identity address 203.0.113.5 255.255.255.255",
        "interface Tunnel3900 mode ipsec",
        " ip address 169.254.128.2 255.255.255.252",
        "bgp 65010",
        " peer 169.254.128.1 as-number 64551",
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("acl advanced"));
}

#[test]
fn the_national_algorithms_have_words_and_others_are_refused() {
    let mut config = connection(IkeVersion::V1Main);
    config.tunnels[0].esp.encryption = Encryption::Sm4Cbc;
    config.tunnels[0].esp.integrity = Integrity::Sm3;
    assert!(render(&config, "G1/0").unwrap().contains(" esp authentication-algorithm sm3\r\n"));
    config.tunnels[0].ike.dh_group = DhGroup(16);
    assert_eq!(render(&config, "G1/0"), Err(NoWord::Group(DhGroup(16))));
}

#[test]
fn what_a_terminal_reads_differently_is_refused() {
    let config = connection(IkeVersion::V2);
    for (render, interface) in
        [(render as fn(&_, &_) -> _, "GigabitEthernet 1/0"), (crate::cisco::render, "G0/1")]
    {
        assert!(render(&config, interface).is_ok());
        for key in ["0 a", "a?b", "a\"b", "a\tb", "k\u{e9}y"] {
            let mut other = config.clone();
            other.tunnels[0].psk = causeway_model::Secret::new(key);
            assert_eq!(render(&other, interface), Err(NoWord::Text("pre-shared key")), "{key:?}");
        }
        let mut other = config.clone();
        other.tunnels[0].remote_id = "a\r\nreload".to_owned();
        assert_eq!(render(&other, interface), Err(NoWord::Text("remote identity")));
        assert_eq!(render(&config, "G0/1\r\nreload"), Err(NoWord::Text("interface name")));
    }
}
