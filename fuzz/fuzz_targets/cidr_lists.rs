//! Address ranges and lists of them, in both APIs.
#![no_main]

use causeway_dialect_alibaba::Alibaba;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::World;
use causeway_fuzz::natural::lines;
use causeway_fuzz::request::{alibaba_query, tencent_json};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let [local, remote] = lines(text);
    let mut world = World::new(&[&Alibaba, &Tencent]);
    let connection = [
        ("VpnGatewayId", "vpn-1"),
        ("CustomerGatewayId", "cgw-1"),
        ("LocalSubnet", local),
        ("RemoteSubnet", remote),
    ];
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    world.call(&Alibaba, &alibaba_query("CreateVpnConnection", &owned(&connection)));
    world.call(&Alibaba, &alibaba_query("CreateVpc", &owned(&[("CidrBlock", local), ("UserCidr", remote)])));
    let connection = json!({
        "VpnGatewayId": "vpngw-1", "CustomerGatewayId": "cgw-1", "VpnConnectionName": "a", "PreShareKey": "b",
        "SecurityPolicyDatabases": [{"LocalCidrBlock": local, "RemoteCidrBlock": [remote]}],
    });
    world.call(&Tencent, &tencent_json("CreateVpnConnection", connection.to_string().into_bytes()));
    let network = json!({"VpcName": "a", "CidrBlock": local, "DnsServers": [remote]});
    world.call(&Tencent, &tencent_json("CreateVpc", network.to_string().into_bytes()));
});
