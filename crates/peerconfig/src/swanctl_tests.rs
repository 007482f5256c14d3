use causeway_model::{DhGroup, Encryption, EspProposal, IkeProposal, Integrity};

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn config(version: IkeVersion) -> PeerConfig {
    PeerConfig {
        name: "vco-1".into(),
        selectors: vec![TrafficSelectors {
            local: vec![net("192.168.0.0/16")],
            remote: vec![net("10.0.0.0/24"), net("10.0.1.0/24")],
        }],
        tunnels: vec![PeerTunnel {
            name: "vco-1-1".into(),
            local: "203.0.113.1".parse().unwrap(),
            remote: "198.51.100.2".parse().unwrap(),
            local_id: "203.0.113.1".into(),
            remote_id: "gw \"a\"".into(),
            psk: Secret::new("abc123"),
            ike: IkeProposal {
                version,
                encryption: Encryption::Aes128Cbc,
                integrity: Integrity::Sha1,
                dh_group: DhGroup(2),
                lifetime_s: 86_400,
            },
            esp: EspProposal {
                encryption: Encryption::Aes128Cbc,
                integrity: Integrity::Md5,
                pfs_group: Some(DhGroup(2)),
                lifetime_s: 3_600,
                lifetime_bytes: None,
            },
            bgp: None,
        }],
    }
}

#[test]
fn ikev2() {
    let wanted = "connections {
    vco-1-1 {
        version = 2
        local_addrs = 203.0.113.1
        remote_addrs = 198.51.100.2
        proposals = aes128-sha1-modp1024
        rekey_time = 77760s
        over_time = 8640s
        dpd_delay = 10s
        mobike = no
        keyingtries = 0
        local {
            auth = psk
            id = \"203.0.113.1\"
        }
        remote {
            auth = psk
            id = \"gw \\\"a\\\"\"
        }
        children {
            vco-1-1 {
                local_ts = 192.168.0.0/16
                remote_ts = 10.0.0.0/24,10.0.1.0/24
                esp_proposals = aes128-md5-modp1024
                rekey_time = 3240s
                life_time = 3600s
                start_action = start
                dpd_action = restart
            }
        }
    }
}

secrets {
    ike-vco-1-1 {
        id-1 = \"203.0.113.1\"
        id-2 = \"gw \\\"a\\\"\"
        secret = \"abc123\"
    }
}
";
    assert_eq!(render(&config(IkeVersion::V2), Options::default()).unwrap(), wanted);
}

#[test]
fn ikev1_has_one_child_for_each_pair() {
    let text = render(&config(IkeVersion::V1Aggressive), Options::default()).unwrap();
    assert!(text.contains("version = 1\n") && text.contains("aggressive = yes\n"));
    assert!(text.contains("vco-1-1-1 {\n") && text.contains("vco-1-1-2 {\n"));
    assert!(text.contains("remote_ts = 10.0.0.0/24\n") && text.contains("remote_ts = 10.0.1.0/24\n"));
}

#[test]
fn policies_are_a_child_each() {
    let mut policies = config(IkeVersion::V2);
    let net = |text: &str| text.parse().unwrap();
    policies.selectors = vec![
        TrafficSelectors::pair(net("192.168.0.0/24"), net("10.0.0.0/24")),
        TrafficSelectors::pair(net("192.168.1.0/24"), net("10.0.0.0/24")),
    ];
    let text = render(&policies, Options::default()).unwrap();
    let children: Vec<&str> = text.lines().filter(|line| line.trim().starts_with("vco-1-1-")).collect();
    assert_eq!(children.len(), 2, "{text}");
    assert!(text.contains("local_ts = 192.168.0.0/24\n") && text.contains("local_ts = 192.168.1.0/24\n"));
}

#[test]
fn tunnels_get_interface_ids_in_order() {
    let mut two = config(IkeVersion::V2);
    let mut second = two.tunnels[0].clone();
    second.name = "vco-1-2".into();
    two.tunnels.push(second);
    let text = render(&two, Options { interface_id: Some(7) }).unwrap();
    assert!(text.contains("if_id_in = 7\n") && text.contains("if_id_out = 8\n"));
}

#[test]
fn keys_that_could_be_misread_are_in_hex() {
    assert_eq!(key_text(&Secret::new("a#b")), "0x612362");
    assert_eq!(key_text(&Secret::new("0xab")), "0x30786162");
    assert_eq!(key_text(&Secret::new("a-b_c.d!")), "\"a-b_c.d!\"");
}

#[test]
fn an_endless_lifetime_is_never_rekeyed() {
    let mut endless = config(IkeVersion::V2);
    endless.tunnels[0].esp.lifetime_s = 0;
    let text = render(&endless, Options::default()).unwrap();
    assert!(text.contains("rekey_time = 0s\n") && !text.contains("life_time = 0s"));
}
