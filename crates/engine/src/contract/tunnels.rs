//! Tunnels come up when both ends agree, and say why when they do not.

use std::time::Duration;

use causeway_model::{Encryption, Initiation, Secret};
use causeway_plan::{
    ChildState, IkeState, Object, ObjectKey, Observed, Step, Tunnel, TunnelError, TunnelKey,
};

use super::fixture::Fixture;

/// In which a negotiation would have begun.
const A_WHILE: Duration = Duration::from_secs(1);

fn is_up(seen: &Observed, key: &TunnelKey) -> bool {
    seen.tunnels
        .get(key)
        .is_some_and(|status| status.ike == IkeState::Established && status.child == ChildState::Installed)
}

fn is_down_because(seen: &Observed, key: &TunnelKey, error: TunnelError) -> bool {
    seen.tunnels
        .get(key)
        .is_some_and(|status| status.child == ChildState::Down && status.last_error == Some(error))
}

async fn until_up(fixture: &Fixture, keys: &[TunnelKey]) {
    for key in keys {
        let scope = ObjectKey::Tunnel(key.clone()).scope();
        fixture.until(&scope, &format!("tunnel {key} is up"), |seen| is_up(seen, key)).await;
        let seen = fixture.observe(&scope).await;
        assert_eq!(seen.tunnels[key].last_error, None, "a tunnel that is up has no error");
    }
}

fn step(tunnel: &Tunnel) -> Step {
    Step::Update(Object::Tunnel(Box::new(tunnel.clone())))
}

pub(super) async fn two_ends_that_agree_come_up(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(1, &[fixture.tunnel(1, 0, 0)]).await;
    fixture.make_gateway(0, &[fixture.tunnel(0, 0, 0)]).await;
    let ends = [fixture.tunnel_key(0, 0, 0), fixture.tunnel_key(1, 0, 0)];
    until_up(fixture, &ends).await;

    // The end that stays learns that the other is gone.
    let removed = Step::Delete(ObjectKey::Tunnel(ends[0].clone()));
    fixture.engine.apply(&removed).await.expect("delete");
    fixture
        .until(&fixture.gateway_scope(1), "the other end is down", |seen| {
            seen.tunnels.get(&ends[1]).is_some_and(|status| status.child == ChildState::Down)
        })
        .await;
    fixture.clear().await;
}

pub(super) async fn editing_one_tunnel_leaves_its_sibling_up(fixture: &Fixture) {
    fixture.make_networks().await;
    for number in [1, 0] {
        fixture.make_gateway(number, &[fixture.tunnel(number, 0, 0), fixture.tunnel(number, 0, 1)]).await;
    }
    let keep = [fixture.tunnel_key(0, 0, 0), fixture.tunnel_key(1, 0, 0)];
    let edit = [fixture.tunnel_key(0, 0, 1), fixture.tunnel_key(1, 0, 1)];
    until_up(fixture, &keep).await;
    until_up(fixture, &edit).await;
    let since = fixture.observe(&fixture.gateway_scope(0)).await.tunnels[&keep[0]].since;

    for number in [1, 0] {
        let mut tunnel = fixture.tunnel(number, 0, 1);
        tunnel.psk = Secret::new("another secret");
        tunnel.esp.encryption = Encryption::Aes256Gcm16;
        fixture.engine.apply(&step(&tunnel)).await.expect("update");
    }
    until_up(fixture, &edit).await;
    let seen = fixture.observe(&fixture.gateway_scope(0)).await;
    assert!(is_up(&seen, &keep[0]), "{:?}", seen.tunnels[&keep[0]]);
    assert_eq!(seen.tunnels[&keep[0]].since, since, "the sibling has been down");
    fixture.clear().await;
}

/// One end is changed; the initiator must tell `error`. Putting it right brings the tunnel up.
async fn a_difference(fixture: &Fixture, error: TunnelError, change: impl Fn(&mut Tunnel)) {
    fixture.make_networks().await;
    let mut wrong = fixture.tunnel(1, 0, 0);
    change(&mut wrong);
    fixture.make_gateway(1, &[wrong]).await;
    fixture.make_gateway(0, &[fixture.tunnel(0, 0, 0)]).await;
    let key = fixture.tunnel_key(0, 0, 0);
    let scope = fixture.gateway_scope(0);
    fixture
        .until(&scope, &format!("the initiator says {error:?}"), |seen| is_down_because(seen, &key, error))
        .await;
    // Both ends are applied again: a responder alone is not called again at once.
    for number in [1, 0] {
        let mut right = fixture.tunnel(number, 0, 0);
        right.esp.lifetime_s = 7_200;
        fixture.engine.apply(&step(&right)).await.expect("update");
    }
    until_up(fixture, &[key]).await;
    fixture.clear().await;
}

pub(super) async fn a_wrong_key_is_an_authentication_failure(fixture: &Fixture) {
    a_difference(fixture, TunnelError::AuthenticationFailed, |tunnel| tunnel.psk = Secret::new("wrong"))
        .await;
}

pub(super) async fn other_proposals_do_not_match(fixture: &Fixture) {
    a_difference(fixture, TunnelError::IkeProposalMismatch, |tunnel| {
        tunnel.ike.encryption = Encryption::Aes256Cbc;
    })
    .await;
    a_difference(fixture, TunnelError::EspProposalMismatch, |tunnel| {
        tunnel.esp.encryption = Encryption::Aes256Gcm16;
    })
    .await;
}

pub(super) async fn a_peer_that_is_not_there_does_not_respond(fixture: &Fixture) {
    fixture.make_networks().await;
    let mut tunnel = fixture.tunnel(0, 0, 0);
    tunnel.remote = Some(fixture.public[4]);
    fixture.make_gateway(0, &[tunnel]).await;
    let key = fixture.tunnel_key(0, 0, 0);
    fixture
        .until(&fixture.gateway_scope(0), "the peer does not respond", |seen| {
            is_down_because(seen, &key, TunnelError::PeerNotResponding)
        })
        .await;
    fixture.clear().await;
}

/// Without a packet nothing is tried; a peer that starts at once is answered.
pub(super) async fn what_waits_for_traffic_is_down_without_an_error(fixture: &Fixture) {
    fixture.make_networks().await;
    let waiting = |number| Tunnel { initiation: Initiation::OnTraffic, ..fixture.tunnel(number, 0, 0) };
    for number in [1, 0] {
        fixture.make_gateway(number, &[waiting(number)]).await;
    }
    let ends = [fixture.tunnel_key(0, 0, 0), fixture.tunnel_key(1, 0, 0)];
    tokio::time::sleep(A_WHILE).await;
    for (number, key) in (0..).zip(&ends) {
        let seen = fixture.observe(&fixture.gateway_scope(number)).await;
        let status = &seen.tunnels[key];
        assert_eq!((status.ike, status.child, status.last_error), (IkeState::Down, ChildState::Down, None));
    }
    let starting = Tunnel { initiation: Initiation::AtOnce, ..waiting(0) };
    fixture.engine.apply(&step(&starting)).await.expect("update");
    until_up(fixture, &ends).await;
    fixture.clear().await;
}

pub(super) async fn routes_follow_the_tunnel_that_is_up(fixture: &Fixture) {
    fixture.make_networks().await;
    fixture.make_gateway(1, &[fixture.tunnel(1, 0, 0), fixture.tunnel(1, 1, 0)]).await;
    let mut objects = fixture.gateway(0, &[fixture.tunnel(0, 0, 0), fixture.tunnel(0, 1, 0)]);
    let route = fixture.route(0, 0);
    objects.push(Object::Route(route.clone()));
    fixture.reach(fixture.gateway_scope(0), objects).await;
    let leads_to = |index| {
        let instance = fixture.instance_key(0, index);
        let key = route.key.clone();
        move |seen: &Observed| seen.routes.get(&key) == Some(&instance)
    };
    let scope = fixture.gateway_scope(0);
    until_up(fixture, &[fixture.tunnel_key(0, 0, 0), fixture.tunnel_key(0, 1, 0)]).await;
    fixture.until(&scope, "the route leads to the first instance", leads_to(0)).await;

    // The peer of the first tunnel goes; the engine moves the route without being told.
    let gone = Step::Delete(ObjectKey::Tunnel(fixture.tunnel_key(1, 0, 0)));
    fixture.engine.apply(&gone).await.expect("delete");
    fixture.until(&scope, "the route leads to the second instance", leads_to(1)).await;

    fixture.engine.apply(&step(&fixture.tunnel(1, 0, 0))).await.expect("update");
    fixture.engine.apply(&step(&fixture.tunnel(0, 0, 0))).await.expect("update");
    fixture.until(&scope, "the route leads to the first instance again", leads_to(0)).await;
    fixture.clear().await;
}
