//! What an object needs from others, and what others hold.

use causeway_plan::{Object, ObjectKey, Step};

use super::fixture::Fixture;
use crate::error::EngineError;

async fn refused(fixture: &Fixture, step: Step) -> EngineError {
    let key = step.key();
    match fixture.engine.apply(&step).await {
        Ok(()) => panic!("a step that names {key} was expected to fail"),
        Err(error) => error,
    }
}

pub(super) async fn a_missing_parent_is_named(fixture: &Fixture) {
    let subnet = fixture.subnet(0, 0);
    let instance = Object::Instance(fixture.instance(0, 0));
    let tunnel = Object::Tunnel(Box::new(fixture.tunnel(0, 0, 0)));
    let route = Object::Route(fixture.route(0, 0));
    let network = fixture.network(0);
    let cases = [
        (&subnet, network.key()),
        (&instance, subnet.key()),
        (&tunnel, instance.key()),
        (&route, network.key()),
    ];
    for (object, needs) in cases {
        let error = refused(fixture, Step::Create(object.clone())).await;
        assert!(
            matches!(&error, EngineError::MissingParent { object: of, parent }
                if **of == object.key() && **parent == needs),
            "{error}"
        );
    }
    fixture.clear().await;
}

pub(super) async fn what_is_in_use_stays(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(0, &[fixture.tunnel(0, 0, 0)]).await;
    let used: [ObjectKey; 3] = [
        fixture.network(0).key(),
        fixture.subnet(0, 1).key(),
        ObjectKey::Instance(fixture.instance_key(0, 0)),
    ];
    for key in used {
        let error = refused(fixture, Step::Delete(key.clone())).await;
        assert!(matches!(&error, EngineError::InUse { object, .. } if **object == key), "{error}");
    }
    assert_eq!(fixture.observe(&fixture.network_scope(0)).await.objects.len(), 3);
    assert_eq!(fixture.observe(&fixture.gateway_scope(0)).await.objects.len(), 3);
    fixture.clear().await;
}

pub(super) async fn an_address_has_one_holder(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(0, &[]).await;
    let held = fixture.instance(0, 0);
    let mut same_public = fixture.instance(1, 0);
    same_public.public_ip = held.public_ip;
    let mut same_private = fixture.instance(0, 0);
    same_private.key = fixture.instance_key(1, 0);
    same_private.public_ip = fixture.instance(1, 0).public_ip;
    for (instance, wanted) in [(same_public, held.public_ip), (same_private, held.private_ip)] {
        let error = refused(fixture, Step::Create(Object::Instance(instance))).await;
        assert!(
            matches!(&error, EngineError::AddressInUse { address, holder, .. }
                if *address == wanted && **holder == ObjectKey::Instance(held.key.clone())),
            "{error}"
        );
    }
    assert!(fixture.observe(&fixture.gateway_scope(1)).await.objects.is_empty());
    fixture.clear().await;
}
