//! The parameters of CreateVpnConnection that are JSON inside a string.
#![no_main]

use arbitrary::Arbitrary;
use causeway_dialect_alibaba::Alibaba;
use causeway_fuzz::World;
use causeway_fuzz::request::alibaba_query;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    ike: &'a str,
    ipsec: &'a str,
    bgp: &'a str,
    health_check: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let pairs = [
        ("VpnGatewayId", "vpn-1"),
        ("CustomerGatewayId", "cgw-1"),
        ("LocalSubnet", "10.0.0.0/8"),
        ("RemoteSubnet", "192.168.0.0/24"),
        ("IkeConfig", input.ike),
        ("IpsecConfig", input.ipsec),
        ("BgpConfig", input.bgp),
        ("HealthCheckConfig", input.health_check),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    World::new(&[&Alibaba]).call(&Alibaba, &alibaba_query("CreateVpnConnection", &pairs));
});
