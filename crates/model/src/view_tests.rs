use proptest::prelude::*;

use super::*;
use crate::fixtures::gateway;
use crate::{GatewayStatus, Write};

fn list_key() -> ListKey {
    ListKey { owner: "1000".into(), dialect: "test".into(), region: "test-1".into(), kind: Kind::Gateway }
}

#[test]
fn a_snapshot_does_not_change_when_its_successor_does() {
    let mut view = View::default();
    view.apply(&[Write::Put(gateway(1).into())]);
    let before = view.clone();
    view.apply(&[Write::Delete(GatewayId(1).key()), Write::Put(gateway(2).into())]);
    assert!(before.gateway(GatewayId(1)).is_some() && before.gateway(GatewayId(2)).is_none());
    assert!(view.gateway(GatewayId(1)).is_none() && view.gateway(GatewayId(2)).is_some());
}

#[test]
fn a_rewritten_record_keeps_its_place_in_the_list() {
    let mut view = View::default();
    for n in [1, 2, 3] {
        view.apply(&[Write::Put(gateway(n).into())]);
    }
    let mut second = gateway(2);
    second.status = GatewayStatus { observed_generation: 1, was_active: true, trouble: String::new() };
    view.apply(&[Write::Put(second.into())]);
    let ids: Vec<u64> = view.list(&list_key()).iter().map(|(_, key)| key.id).collect();
    assert_eq!(ids, [1, 2, 3]);
}

proptest! {
    /// After any history the indices hold exactly what a full scan of the records finds.
    #[test]
    fn indices_agree_with_the_records(history in prop::collection::vec((0u64..12, any::<bool>()), 0..60)) {
        let mut view = View::default();
        for (n, put) in history {
            let write = if put { Write::Put(gateway(n).into()) } else { Write::Delete(GatewayId(n).key()) };
            view.apply(&[write]);
        }
        let mut ids: Vec<u64> = view.records().map(|record| record.key().id).collect();
        ids.sort_unstable();
        let listed: Vec<u64> = view.list(&list_key()).iter().map(|(_, key)| key.id).collect();
        prop_assert_eq!(&listed, &ids);
        let children: Vec<u64> =
            view.children(NetworkId(1), Kind::Gateway).map(|record| record.key().id).collect();
        prop_assert_eq!(&children, &ids);
        prop_assert_eq!(view.children_count(NetworkId(1), Kind::Gateway), ids.len());
        prop_assert_eq!(view.addresses().count(Ground::Subnet(SubnetId(1))), ids.len() as u128);
        for n in 0..12 {
            let it = gateway(n);
            let known = ids.contains(&n);
            prop_assert_eq!(view.by_external(&it.meta.dialect, Kind::Gateway, &it.meta.external).is_some(), known);
            prop_assert_eq!(view.addresses().contains(Ground::Public, it.instances[0].public_ip), known);
        }
    }
}

/// One write of a history: of record `n`, in one of a few forms that differ in all that a record can change.
#[derive(Clone, Copy, Debug)]
struct Change {
    n: u64,
    kind: u8,
    form: u8,
    label: u8,
    status: u8,
    is_deletion: bool,
}

fn change() -> impl Strategy<Value = Change> {
    (0_u64..5, 0_u8..3, 0_u8..6, 0_u8..3, 0_u8..3, prop::bool::weighted(0.2)).prop_map(
        |(n, kind, form, label, status, is_deletion)| Change { n, kind, form, label, status, is_deletion },
    )
}

impl Change {
    fn meta(self, prefix: &str) -> Meta {
        let mut meta = crate::fixtures::meta(self.n + 100 * u64::from(self.kind), prefix);
        meta.name = format!("name-{}", self.label);
        meta.tags = (0..self.label).map(|tag| (format!("k{tag}"), self.form.to_string())).collect();
        meta.generation = u64::from(self.status);
        meta
    }

    /// Addresses that no other record has.
    fn ip(self, first: u8) -> IpAddr {
        [first, self.kind, self.n as u8, self.form].into()
    }

    fn gateway(self) -> Gateway {
        let mut it = gateway(self.n);
        it.meta = self.meta("gw");
        it.network = [Some(NetworkId(1)), Some(NetworkId(2)), None][usize::from(self.form % 3)];
        it.order = OrderId(u64::from(self.form / 3));
        it.status.observed_generation = u64::from(self.status);
        let subnet = self.form.is_multiple_of(2).then_some(SubnetId(u64::from(self.form)));
        let place = |first| Placement {
            subnet,
            private_ip: (self.form != 5).then(|| self.ip(first)),
            public_ip: self.ip(first + 100),
        };
        it.instances = if self.form > 3 { vec![place(10), place(11)] } else { vec![place(10)] };
        it
    }

    fn customer_gateway(self) -> CustomerGateway {
        let asn = Some(u32::from(self.status));
        CustomerGateway {
            id: CustomerGatewayId(self.n),
            meta: self.meta("cgw"),
            ip: self.ip(20),
            asn,
            bgp_key: None,
        }
    }

    fn route(self) -> Route {
        let next_hop = match self.form {
            0 => crate::NextHop::Local,
            form => crate::NextHop::Gateway(GatewayId(u64::from(form))),
        };
        Route {
            id: RouteId(self.n),
            meta: self.meta("rt"),
            table: RouteTableId(u64::from(self.form % 2)),
            network: NetworkId(1),
            destination: "10.0.0.0/8".parse().unwrap(),
            next_hop,
            enabled: self.status == 1,
            system: false,
            connection: (self.form == 2).then_some(ConnectionId(u64::from(self.label))),
        }
    }

    fn write(self) -> Write {
        let record: Record = match self.kind {
            0 => self.gateway().into(),
            1 => self.customer_gateway().into(),
            _ => self.route().into(),
        };
        if self.is_deletion { Write::Delete(record.key()) } else { Write::Put(record) }
    }
}

proptest! {
    /// [`View::apply`] leaves the indices alone where a record changes in nothing that they hold. After any history
    /// each index is the one that is made of the records anew.
    #[test]
    fn indices_are_those_of_a_view_made_anew(history in prop::collection::vec(change(), 0..40)) {
        let mut view = View::default();
        for change in history {
            view.apply(&[change.write()]);
            let anew = View::restored(view.revision, 0, view.records().cloned());
            prop_assert_eq!(&view.records, &anew.records);
            prop_assert_eq!(&view.externals, &anew.externals);
            prop_assert_eq!(&view.lists, &anew.lists);
            prop_assert_eq!(&view.children, &anew.children);
            prop_assert_eq!(&view.addresses, &anew.addresses);
            prop_assert_eq!(&view.peer_ips, &anew.peer_ips);
            prop_assert!(view.next_seq >= anew.next_seq);
        }
    }
}
