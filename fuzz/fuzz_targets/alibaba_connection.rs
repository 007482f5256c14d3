//! The parameters of CreateVpnConnection that are JSON inside a string.
#![no_main]

use causeway_dialect_alibaba::Alibaba;
use causeway_fuzz::World;
use causeway_fuzz::natural::lines;
use causeway_fuzz::request::alibaba_query;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let [ike, ipsec, bgp, health_check] = lines(text);
    let pairs = [
        ("VpnGatewayId", "vpn-1"),
        ("CustomerGatewayId", "cgw-1"),
        ("LocalSubnet", "10.0.0.0/8"),
        ("RemoteSubnet", "192.168.0.0/24"),
        ("IkeConfig", ike),
        ("IpsecConfig", ipsec),
        ("BgpConfig", bgp),
        ("HealthCheckConfig", health_check),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    World::new(&[&Alibaba]).call(&Alibaba, &alibaba_query("CreateVpnConnection", &pairs));
});
