use causeway_model::Record;

use super::*;
use crate::testing::World;

/// The configuration that the snapshot's only connection has, without the way through the answer.
fn direct(world: &World) -> PeerConfig {
    let connection = world.view.records().find_map(|record| match record {
        Record::Connection(it) => Some(it.clone()),
        _ => None,
    });
    PeerConfig::of(&world.view, &connection.unwrap()).unwrap()
}

#[test]
fn the_far_end_is_near_in_the_download() {
    let mut world = World::new();
    let id = world.connection();
    let answer = world.ok("DownloadVpnConnectionConfig", &[("VpnConnectionId", &id)]);
    let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
    let config = &answer["VpnConnectionConfig"];
    assert_eq!(config["Local"], "203.0.113.1");
    assert_eq!(config["Remote"], shown["InternetIp"]);
    assert_eq!(config["LocalSubnet"], shown["RemoteSubnet"]);
    assert_eq!(config["RemoteSubnet"], shown["LocalSubnet"]);
    assert_eq!(config["IkeConfig"]["LocalId"], shown["IkeConfig"]["RemoteId"]);
    assert_eq!(config["IkeConfig"]["Psk"], shown["IkeConfig"]["Psk"]);
    assert_eq!(config["TunnelsConfig"]["TunnelConfig"], json!([]));
    assert_eq!(read(&id, &answer).unwrap(), direct(&world));
}

#[test]
fn two_tunnels_are_read_back() {
    let mut world = World::new();
    let gateway = world.dual_gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let pairs = [
        ("VpnGatewayId", gateway.as_str()),
        ("LocalSubnet", "0.0.0.0/0"),
        ("RemoteSubnet", "0.0.0.0/0"),
        ("EnableTunnelsBgp", "true"),
        ("TunnelOptionsSpecification.1.Role", "master"),
        ("TunnelOptionsSpecification.1.CustomerGatewayId", peer.as_str()),
        ("TunnelOptionsSpecification.1.TunnelBgpConfig.TunnelCidr", "169.254.10.0/30"),
        ("TunnelOptionsSpecification.1.TunnelIpsecConfig.IpsecPfs", "disabled"),
        ("TunnelOptionsSpecification.2.Role", "slave"),
        ("TunnelOptionsSpecification.2.CustomerGatewayId", peer.as_str()),
        ("TunnelOptionsSpecification.2.TunnelBgpConfig.TunnelCidr", "169.254.11.0/30"),
    ];
    let id = world.made("CreateVpnConnection", &pairs, "VpnConnectionId");
    let answer = world.ok("DownloadVpnConnectionConfig", &[("VpnConnectionId", &id)]);
    assert_eq!(answer["VpnConnectionConfig"]["BgpConfigs"]["BgpConfig"][1]["PeerAsn"], "45104");
    assert_eq!(answer["VpnConnectionConfig"]["BgpConfigs"]["BgpConfig"][1]["LocalAsn"], "65001");
    let config = read(&id, &answer).unwrap();
    assert_eq!(config.tunnels.len(), 2);
    assert_eq!(config.tunnels[1].bgp.as_ref().unwrap().local_ip.to_string(), "169.254.11.2");
    assert_eq!(config, direct(&world));
}

#[test]
fn a_site_can_be_set_up_from_the_answer_alone() {
    let mut world = World::new();
    let id = world.connection();
    let answer = world.ok("DownloadVpnConnectionConfig", &[("VpnConnectionId", &id)]);
    let config = read(&id, &answer).unwrap();
    let text = causeway_peerconfig::swanctl::render(&config, Default::default()).unwrap();
    assert!(text.contains("local_addrs = 203.0.113.1\n"), "{text}");
    assert!(text.contains("local_ts = 192.168.0.0/16\n") && text.contains("remote_ts = 10.0.0.0/16\n"));
    assert!(text.contains("proposals = aes128-md5-modp1024\n"));
}

#[test]
fn what_can_not_be_read_is_named() {
    assert_eq!(read("a", &json!([])), Err(Unreadable("VpnConnectionConfig")));
    assert_eq!(read("a", &json!({"LocalSubnet": "x"})), Err(Unreadable("LocalSubnet")));
    let ranges = json!({"LocalSubnet": "10.0.0.0/8", "RemoteSubnet": "192.168.0.0/16"});
    assert_eq!(read("a", &ranges), Err(Unreadable("IkeConfig")));
}
