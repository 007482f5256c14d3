//! Properties of plans, from any observed state.

use std::net::{IpAddr, Ipv4Addr};

use causeway_model::{
    DhGroup, Encryption, EspProposal, IkeProposal, IkeVersion, Initiation, Integrity, Secret,
    TrafficSelectors,
};
use causeway_plan::*;
use proptest::prelude::*;

const KEY: [u8; 32] = [7; 32];

fn instance_key(index: u8) -> InstanceKey {
    InstanceKey { gateway: GatewayKey::new("gw").unwrap(), index }
}

fn network_key() -> NetworkKey {
    NetworkKey::new("net").unwrap()
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn instance(index: u8, variant: u8) -> Object {
    Object::Instance(Instance {
        key: instance_key(index),
        network: network_key(),
        subnet: SubnetKey::new("sub").unwrap(),
        private_ip: ip(index),
        subnet_cidr: "10.0.0.0/24".parse().unwrap(),
        network_cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        router_ip: ip(253),
        public_ip: ip(100 + index),
        bandwidth_mbps: Some(u32::from(variant)),
        inner_mtu: 1400,
        mss: MssClamp::Mtu,
    })
}

fn tunnel(index: u8, connection: u8, psk: &str) -> Object {
    let key = TunnelKey {
        instance: instance_key(index),
        connection: ConnectionKey::new(format!("c{connection}")).unwrap(),
    };
    Object::Tunnel(Box::new(Tunnel {
        key,
        if_id: u32::from(connection) + 1,
        remote: Some(ip(200)),
        local_id: "10.0.0.100".into(),
        remote_id: "10.0.0.200".into(),
        psk: Secret::new(psk),
        ike: IkeProposal {
            version: IkeVersion::V2,
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha1,
            dh_group: DhGroup(2),
            lifetime_s: 86_400,
        },
        esp: EspProposal {
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha1,
            pfs_group: Some(DhGroup(2)),
            lifetime_s: 86_400,
            lifetime_bytes: None,
        },
        children: vec![TrafficSelectors::everything()],
        dpd: None,
        nat_traversal: true,
        initiation: Initiation::AtOnce,
        routes: vec![],
        inner_address: None,
    }))
}

fn route(third: u8, variant: u8) -> Object {
    Object::Route(Route {
        key: RouteKey {
            gateway: GatewayKey::new("gw").unwrap(),
            network: network_key(),
            destination: format!("10.1.{third}.0/24").parse().unwrap(),
        },
        next_hops: vec![NextHop {
            instance: instance_key(variant % 2),
            private_ip: ip(variant % 2),
            tunnel: None,
        }],
    })
}

fn gateway_object() -> impl Strategy<Value = Object> {
    prop_oneof![
        (0..2u8, 0..3u8).prop_map(|(index, variant)| instance(index, variant)),
        (0..2u8, 0..4u8, 0..3u8).prop_map(|(index, connection, psk)| tunnel(
            index,
            connection,
            &psk.to_string()
        )),
        (0..4u8, 0..2u8).prop_map(|(third, variant)| route(third, variant)),
    ]
}

fn network_object() -> impl Strategy<Value = Object> {
    prop_oneof![
        (0..3u8).prop_map(|variant| {
            let cidrs = vec![format!("10.{variant}.0.0/16").parse().unwrap()];
            Object::Network(Network { key: network_key(), cidrs })
        }),
        (0..4u8, 0..3u8).prop_map(|(name, variant)| {
            Object::Subnet(Subnet {
                key: SubnetKey::new(format!("s{name}")).unwrap(),
                network: network_key(),
                cidr: format!("10.0.{variant}.0/24").parse().unwrap(),
                router_ip: ip(253),
            })
        }),
    ]
}

fn scopes() -> impl Strategy<Value = (Scope, Vec<Object>, Vec<Object>)> {
    let gateway = Scope::Gateway(GatewayKey::new("gw").unwrap());
    let network = Scope::Network(network_key());
    let list = |s: BoxedStrategy<Object>| proptest::collection::vec(s, 0..12);
    prop_oneof![
        (Just(gateway), list(gateway_object().boxed()), list(gateway_object().boxed())),
        (Just(network), list(network_object().boxed()), list(network_object().boxed())),
    ]
}

fn observed_from(scope: &Scope, objects: &[Object]) -> Observed {
    let key = FingerprintKey::new(&KEY);
    let mut observed = Observed::empty(scope.clone(), key.clone());
    observed.objects = objects.iter().map(|object| (object.key(), key.fingerprint(object))).collect();
    observed
}

fn apply(plan: &Plan, observed: &mut Observed) {
    for step in &plan.steps {
        match step {
            Step::Create(object) | Step::Update(object) => {
                observed.objects.insert(object.key(), observed.key.fingerprint(object));
            }
            Step::Delete(key) => {
                observed.objects.remove(key);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_plan_is_sound_and_converges((scope, wanted, present) in scopes()) {
        let mut observed = observed_from(&scope, &present);
        let desired = Desired { scope, objects: wanted };
        let first = plan(&desired, &observed);
        prop_assert_eq!(check(&first), Ok(()));
        apply(&first, &mut observed);
        prop_assert!(plan(&desired, &observed).is_empty());
    }

    #[test]
    fn a_plan_broken_off_anywhere_converges((scope, wanted, present) in scopes(), cut in 0..12usize) {
        let mut observed = observed_from(&scope, &present);
        let desired = Desired { scope: scope.clone(), objects: wanted };
        let mut first = plan(&desired, &observed);
        first.steps.truncate(cut);
        apply(&first, &mut observed);
        let second = plan(&desired, &observed);
        prop_assert_eq!(check(&second), Ok(()));
        apply(&second, &mut observed);
        prop_assert!(plan(&desired, &observed).is_empty());
    }

    #[test]
    fn editing_one_tunnel_names_no_other_object(
        objects in proptest::collection::vec(gateway_object(), 0..12),
        index in 0..2u8,
        connection in 0..4u8,
    ) {
        let scope = Scope::Gateway(GatewayKey::new("gw").unwrap());
        let edited = tunnel(index, connection, "new");
        let key = edited.key();
        let mut before: Vec<Object> = objects;
        before.extend([instance(0, 0), instance(1, 0)]);
        before.push(tunnel(index, connection, "old"));
        let observed = observed_from(&scope, &before);
        let mut wanted = before;
        wanted.push(edited.clone());
        let steps = plan(&Desired { scope, objects: wanted }, &observed).steps;
        prop_assert_eq!(steps, vec![Step::Update(edited)]);
        prop_assert!(matches!(key, ObjectKey::Tunnel(_)));
    }
}

#[test]
fn an_object_without_its_parent_is_not_made() {
    let scope = Scope::Gateway(GatewayKey::new("gw").unwrap());
    let observed = observed_from(&scope, &[instance(0, 0), tunnel(0, 0, "x")]);
    let steps = plan(&Desired { scope, objects: vec![tunnel(0, 0, "y")] }, &observed).steps;
    let keys = [tunnel(0, 0, "x").key(), instance(0, 0).key()];
    assert_eq!(steps, keys.map(Step::Delete).to_vec());
}

#[test]
fn the_checker_finds_each_fault() {
    let scope = Scope::Gateway(GatewayKey::new("gw").unwrap());
    let fault = |steps: Vec<Step>| check(&Plan { scope: scope.clone(), steps }).unwrap_err();
    let delete = |object: &Object| Step::Delete(object.key());
    let (inst, tun, rt) = (instance(0, 0), tunnel(0, 0, "x"), route(0, 0));
    let network = Object::Network(Network { key: network_key(), cidrs: vec![] });

    assert_eq!(fault(vec![Step::Create(network.clone())]), PlanFault::OutOfScope(network.key()));
    assert_eq!(
        fault(vec![Step::Create(inst.clone()), Step::Update(inst.clone())]),
        PlanFault::NamedTwice(inst.key())
    );
    assert_eq!(fault(vec![Step::Create(inst.clone()), delete(&tun)]), PlanFault::LateDelete(tun.key()));
    assert_eq!(fault(vec![delete(&inst), delete(&tun)]), PlanFault::ParentDeletedFirst(tun.key()));
    assert_eq!(
        fault(vec![Step::Create(rt), Step::Create(tun.clone())]),
        PlanFault::ChildMadeFirst(tun.key())
    );
    assert_eq!(fault(vec![delete(&inst), Step::Create(tun.clone())]), PlanFault::Orphan(tun.key()));
}

#[test]
fn a_changed_pre_shared_key_changes_the_fingerprint_and_the_key_of_the_engine_too() {
    let key = FingerprintKey::new(&KEY);
    let print = key.fingerprint(&tunnel(0, 0, "a"));
    assert_eq!(print, key.fingerprint(&tunnel(0, 0, "a")));
    assert_ne!(print, key.fingerprint(&tunnel(0, 0, "b")));
    assert_ne!(print, FingerprintKey::new(&[8; 32]).fingerprint(&tunnel(0, 0, "a")));
}
