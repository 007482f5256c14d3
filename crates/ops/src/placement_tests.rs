use std::sync::Arc;

use causeway_model::ExternalId;

use crate::operation::CreateGateway;
use crate::testing::*;
use crate::*;

fn close(world: &mut World, zone: &str, why: Closed) {
    let mut settings = (*world.caller.settings).clone();
    let regions = settings.regions.values_mut().flatten();
    for region in regions.filter(|region| region.id == world.caller.region) {
        region.closed_zones.insert(zone.into(), why);
    }
    world.caller.settings = Arc::new(settings);
}

fn create(world: &mut World, network: &ExternalId, subnets: &[&ExternalId]) -> Result<Outcome, OpError> {
    world.act(Operation::CreateGateway(gateway(network, subnets)))
}

#[test]
fn no_gateway_is_placed_in_a_closed_zone() {
    let mut world = World::new();
    let network = world.network();
    let a = world.subnet(&network, "a", "10.1.0.0/24");
    let b = world.subnet(&network, "b", "10.2.0.0/24");
    close(&mut world, "b", Closed::SoldOut);
    let sold_out = |ordinal| OpError::ZoneClosed { ordinal, why: Closed::SoldOut };
    assert_eq!(create(&mut world, &network, &[&b]).unwrap_err(), sold_out(0));
    assert_eq!(create(&mut world, &network, &[&a, &b]).unwrap_err(), sold_out(1));
    assert_eq!(create(&mut world, &network, &[&b, &a]).unwrap_err(), sold_out(0));
    let zone = CreateGateway { zone: Some("b".into()), ..gateway(&network, &[]) };
    assert_eq!(world.act(Operation::CreateGateway(zone)).unwrap_err(), sold_out(0));
    create(&mut world, &network, &[&a]).unwrap();
}

#[test]
fn the_service_chooses_among_open_zones() {
    let mut world = World::new();
    let network = world.network();
    world.subnet(&network, "a", "10.1.0.0/24");
    close(&mut world, "a", Closed::NotOffered);
    let closed = OpError::ZoneClosed { ordinal: 0, why: Closed::NotOffered };
    assert_eq!(create(&mut world, &network, &[]).unwrap_err(), closed);
    let b = world.subnet(&network, "b", "10.2.0.0/24");
    let id = world.make(Operation::CreateGateway(gateway(&network, &[])));
    let subnet = world.gateway(&id).instances[0].subnet.unwrap();
    assert_eq!(world.view.external(subnet), b.as_str());
}

#[test]
fn a_subnet_is_apart_from_the_public_addresses() {
    let mut world = World::new();
    let cidr = "203.0.0.0/16".parse().unwrap();
    let network = world.make(Operation::CreateNetwork(operation::CreateNetwork {
        label: Default::default(),
        cidr,
        secondary_cidrs: vec![],
        is_default: false,
    }));
    let inside = world.subnet(&network, "a", "203.0.113.128/25");
    let beside = world.subnet(&network, "a", "203.0.112.0/24");
    let unsuited = OpError::SubnetUnsuited(inside.clone());
    assert_eq!(create(&mut world, &network, &[&inside]).unwrap_err(), unsuited);
    create(&mut world, &network, &[&beside]).unwrap();
}
