//! What accounts, regions and quotas refuse.

use std::sync::Arc;

use causeway_model::{AtEnd, Charge, ExternalId, Kind, Policy, Selection};

use crate::operation::*;
use crate::testing::*;
use crate::*;

/// Changes the settings of the account "rich".
fn account(world: &mut World, change: impl Fn(&mut AccountSettings)) {
    let mut settings = (*world.caller.settings).clone();
    change(settings.accounts.get_mut(&"rich".into()).unwrap());
    world.caller.settings = Arc::new(settings);
}

fn modify(id: &ExternalId, propagate: Option<bool>) -> Operation {
    Operation::ModifyGateway(ModifyGateway { propagate, ..modify_gateway(id) })
}

#[test]
fn nothing_of_a_locked_gateway_changes() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    world.settle();
    account(&mut world, |account| account.solvent = false);
    let another = Operation::CreateConnection(connection(&id, &[&one], "172.16.0.0/16"));
    let remove = Operation::DeleteConnection(delete(&made));
    for change in [another, remove.clone(), modify(&id, None)] {
        assert_eq!(world.act(change).unwrap_err(), OpError::Locked(id.clone()));
    }
    account(&mut world, |account| account.solvent = true);
    world.act(remove).unwrap();
}

#[test]
fn a_gateway_bought_in_advance_is_not_locked() {
    let (mut world, _, id) = with_gateway();
    let mut bought = world.gateway(&id);
    bought.charge = Charge::PrePaid { months: 1, at_end: AtEnd::Expires };
    world.view.apply(&[causeway_model::Write::Put(bought.into())]);
    account(&mut world, |account| account.solvent = false);
    world.act(modify(&id, None)).unwrap();
}

#[test]
fn a_gateway_bought_in_advance_is_kept_until_its_end_and_locked_from_then_on() {
    const MONTH_MS: i64 = 32 * 24 * 3_600_000;
    let mut world = World::new();
    let network = world.network();
    world.subnet(&network, "a", "10.1.0.0/24");
    let charge = Charge::PrePaid { months: 1, at_end: AtEnd::Expires };
    let id = world.make(Operation::CreateGateway(CreateGateway { charge, ..gateway(&network, &[]) }));
    // The term begins with the payment, which came late.
    world.now += MONTH_MS;
    let order: ExternalId = world.view.external(world.gateway(&id).order).into();
    world.act(Operation::PayOrder(delete(&order))).unwrap();
    world.settle();
    let remove = Operation::DeleteGateway(delete(&id));
    assert_eq!(world.act(remove.clone()).unwrap_err(), OpError::Prepaid { id: id.clone() });
    world.act(modify(&id, None)).unwrap();
    world.settle();
    world.now += MONTH_MS;
    assert_eq!(world.act(modify(&id, None)).unwrap_err(), OpError::Locked(id.clone()));
    world.act(remove).unwrap();
    assert!(world.gateway(&id).meta.deleting);
}

#[test]
fn a_gateway_bought_in_advance_is_paid_for_after_use_when_its_term_is_over() {
    let (mut world, _, id) = with_gateway();
    let mut bought = world.gateway(&id);
    bought.charge = Charge::PrePaid { months: 1, at_end: AtEnd::Renews };
    world.view.apply(&[causeway_model::Write::Put(bought.into())]);
    let at_end = Some(AtEnd::PostPaid);
    world.act(Operation::ModifyGateway(ModifyGateway { at_end, ..modify_gateway(&id) })).unwrap();
    world.settle();
    let remove = Operation::DeleteGateway(delete(&id));
    assert_eq!(world.act(remove.clone()).unwrap_err(), OpError::Prepaid { id });
    world.now += 32 * 24 * 3_600_000;
    world.act(remove).unwrap();
}

#[test]
fn an_account_without_billing_orders_nothing() {
    let mut world = World::new();
    account(&mut world, |account| account.billing = false);
    let network = world.network();
    let unpaid = CreateGateway {
        charge: Charge::PrePaid { months: 1, at_end: AtEnd::Expires },
        ..gateway(&network, &[])
    };
    for wanted in [unpaid, gateway(&network, &[])] {
        assert_eq!(world.act(Operation::CreateGateway(wanted)).unwrap_err(), OpError::BillingClosed);
    }
}

#[test]
fn a_region_may_lack_bgp() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let mut settings = (*world.caller.settings).clone();
    settings.regions.values_mut().flatten().for_each(|region| {
        region.lacks.insert(Lack::Bgp);
    });
    world.caller.settings = Arc::new(settings);
    let mut wanted = connection(&id, &[&one], "192.168.0.0/16");
    wanted.tunnels[0].bgp = Some(NewTunnelBgp {
        tunnel_cidr: "169.254.10.0/30".parse().unwrap(),
        local_ip: "169.254.10.1".parse().unwrap(),
        local_asn: 65_000,
    });
    assert_eq!(world.act(Operation::CreateConnection(wanted)).unwrap_err(), OpError::Lacking(Lack::Bgp));
    assert_eq!(world.act(modify(&id, Some(true))).unwrap_err(), OpError::Lacking(Lack::Bgp));
    world.act(modify(&id, Some(false))).unwrap();
}

#[test]
fn pairs_of_ranges_are_counted_where_the_service_routes_them() {
    let (mut world, _, id) = with_gateway();
    world.caller.rules.quota = |quota| (quota == Quota::PolicyRoutesPerGateway).then_some(3);
    let mut next = 0;
    let mut create = |world: &mut World, remotes: u8, auto_routes: bool| {
        next += 1;
        let one = world.make(peer([203, 0, 113, next]));
        let remotes = (0..remotes).map(|n| format!("192.168.{}.0/24", 10 * next + n).parse().unwrap());
        let remotes: Vec<ipnet::IpNet> = remotes.collect();
        let local = "10.0.0.0/8".parse().unwrap();
        let policies = Selection::Policies(vec![Policy { local, remotes: remotes.clone() }]);
        let wanted = CreateConnection {
            selection: if next % 2 == 0 { Selection::Ranges } else { policies },
            local_subnets: vec![local],
            remote_subnets: remotes,
            auto_routes,
            ..connection(&id, &[&one], "192.168.0.0/16")
        };
        let result = world.act(Operation::CreateConnection(wanted));
        world.settle();
        result
    };
    let full = |present, more| OpError::QuotaExceeded {
        quota: Quota::PolicyRoutesPerGateway,
        limit: 3,
        present,
        more,
    };
    create(&mut world, 4, false).unwrap();
    assert_eq!(create(&mut world, 4, true).unwrap_err(), full(0, 4));
    create(&mut world, 2, true).unwrap();
    assert_eq!(create(&mut world, 2, true).unwrap_err(), full(2, 2));
    create(&mut world, 1, true).unwrap();
    assert_eq!(create(&mut world, 1, true).unwrap_err(), full(3, 1));
}

#[test]
fn the_number_of_ssl_clients_is_that_of_a_gateway_with_some() {
    let (mut world, _, id) = with_gateway();
    let change = Operation::ModifyGateway(ModifyGateway { ssl_clients: Some(10), ..modify_gateway(&id) });
    assert_eq!(world.act(change.clone()).unwrap_err(), OpError::SslDisabled(id.clone()));
    let mut with_clients = world.gateway(&id);
    with_clients.features.ssl_clients = Some(5);
    world.view.apply(&[causeway_model::Write::Put(with_clients.into())]);
    world.act(change).unwrap();
    assert_eq!(world.gateway(&id).features.ssl_clients, Some(10));
}

#[test]
fn gateways_of_transit_networks_have_a_quota_of_their_own() {
    let (mut world, ..) = with_gateway();
    world.caller.rules.quota = |quota| (quota == Quota::TransitGatewaysPerRegion).then_some(1);
    let network = world.network();
    let mut transit = CreateGateway { network: None, ..gateway(&network, &[]) };
    transit.features.transit = true;
    world.make(Operation::CreateGateway(transit.clone()));
    let error = world.act(Operation::CreateGateway(transit)).unwrap_err();
    let quota = Quota::TransitGatewaysPerRegion;
    assert_eq!(error, OpError::QuotaExceeded { quota, limit: 1, present: 1, more: 1 });
    world.make(Operation::CreateGateway(gateway(&network, &[])));
}

#[test]
fn what_is_being_deleted_is_not_deleted_again() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    world.settle();
    world.act(Operation::DeleteConnection(delete(&made))).unwrap();
    let going = OpError::BeingDeleted { kind: Kind::Connection, id: made.clone() };
    assert_eq!(world.act(Operation::DeleteConnection(delete(&made))).unwrap_err(), going);
}
