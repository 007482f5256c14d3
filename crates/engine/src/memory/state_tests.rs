use std::net::{IpAddr, Ipv4Addr};

use causeway_plan::*;

use super::*;

fn instance(number: u32) -> Step {
    Step::Create(Object::Instance(Instance {
        key: InstanceKey { gateway: GatewayKey::new(format!("g{number}")).unwrap(), index: 0 },
        network: NetworkKey::new("n").unwrap(),
        subnet: SubnetKey::new("s").unwrap(),
        private_ip: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)),
        subnet_cidr: "10.0.0.0/8".parse().unwrap(),
        network_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        router_ip: IpAddr::V4(Ipv4Addr::new(10, 255, 255, 253)),
        public_ip: IpAddr::V4(Ipv4Addr::from_bits(0x6400_0000 + number)),
        bandwidth_mbps: Some(10),
        inner_mtu: 1400,
        mss: MssClamp::Mtu,
    }))
}

/// A state with a network and so many gateways in it.
fn state(gateways: u32) -> State {
    let cidr = "10.0.0.0/8".parse().unwrap();
    let network = Network { key: NetworkKey::new("n").unwrap(), cidrs: vec![cidr] };
    let subnet = Subnet {
        key: SubnetKey::new("s").unwrap(),
        network: network.key.clone(),
        cidr,
        router_ip: IpAddr::V4(Ipv4Addr::new(10, 255, 255, 253)),
    };
    let mut state = State::new(FingerprintKey::new(&[7; 32]));
    let ground = [Object::Network(network), Object::Subnet(subnet)].map(Step::Create);
    for step in ground.into_iter().chain((0..gateways).map(instance)) {
        state.apply(&step, 1).unwrap();
    }
    state
}

/// Gateways were found by walking over all scopes; a hundred thousand of them are no more to look at.
#[test]
fn a_gateway_costs_as_many_looks_among_many_as_among_few() {
    let looks = |gateways: u32| {
        let mut state = state(gateways);
        state.scopes.take_looks();
        let step = instance(gateways / 2);
        assert_eq!(state.observe(&step.key().scope()).objects.len(), 1);
        state.apply(&step, 2).unwrap();
        state.apply(&Step::Delete(step.key()), 3).unwrap();
        state.scopes.take_looks()
    };
    let few = looks(10);
    assert!(few > 0);
    assert_eq!(looks(1_000), few);
}
