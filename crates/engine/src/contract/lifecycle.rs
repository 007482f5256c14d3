//! Objects come, change and go.

use causeway_plan::{Object, Step};

use super::fixture::Fixture;

pub(super) async fn an_unknown_scope_is_empty(fixture: &Fixture) {
    for scope in [fixture.network_scope(0), fixture.gateway_scope(0)] {
        let seen = fixture.observe(&scope).await;
        assert_eq!(seen.scope, scope);
        assert!(seen.objects.is_empty() && seen.instances.is_empty() && seen.tunnels.is_empty());
        fixture.engine.remove_scope(&scope).await.expect("removing nothing succeeds");
    }
}

pub(super) async fn steps_are_idempotent_and_observed(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(0, &[fixture.tunnel(0, 0, 0)]).await;
    let scope = fixture.gateway_scope(0);
    let before = fixture.observe(&scope).await.objects;
    assert_eq!(before.len(), 3);

    let instance = Object::Instance(fixture.instance(0, 1));
    for step in [Step::Create(instance.clone()), Step::Update(instance.clone())] {
        fixture.engine.apply(&step).await.expect("applying again");
    }
    assert_eq!(fixture.observe(&scope).await.objects, before);

    for _ in 0..2 {
        fixture.engine.apply(&Step::Delete(instance.key())).await.expect("deleting, and again");
        assert!(!fixture.observe(&scope).await.objects.contains_key(&instance.key()));
    }
    // An update of what does not exist makes it.
    fixture.engine.apply(&Step::Update(instance)).await.expect("update without create");
    assert_eq!(fixture.observe(&scope).await.objects, before);
    fixture.clear().await;
}

pub(super) async fn an_update_keeps_what_hangs_on_the_object(fixture: &Fixture) {
    fixture.make_networks().await;
    let tunnels = [fixture.tunnel(0, 0, 0), fixture.tunnel(0, 0, 1)];
    fixture.make_gateway(0, &tunnels).await;
    let mut objects = fixture.gateway(0, &tunnels);
    for object in &mut objects {
        if let Object::Instance(instance) = object {
            instance.bandwidth_mbps = Some(5);
            instance.inner_mtu = 1300;
        }
    }
    // `reach` plans only the two updates and finds nothing left to do, so the tunnels are still there.
    fixture.reach(fixture.gateway_scope(0), objects).await;
    assert_eq!(fixture.observe(&fixture.gateway_scope(0)).await.tunnels.len(), 2);
    fixture.clear().await;
}

pub(super) async fn scopes_are_listed_and_removed(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(1, &[]).await;
    let mut expected = vec![fixture.network_scope(0), fixture.network_scope(1), fixture.gateway_scope(1)];
    let listed = fixture.engine.list_scopes().await.expect("list_scopes");
    let mut ours: Vec<_> = listed.into_iter().filter(|scope| expected.contains(scope)).collect();
    ours.sort();
    expected.sort();
    assert_eq!(ours, expected);
    fixture.clear().await;
    let listed = fixture.engine.list_scopes().await.expect("list_scopes");
    assert!(expected.iter().all(|scope| !listed.contains(scope)));
}
