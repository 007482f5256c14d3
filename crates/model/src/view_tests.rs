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
        prop_assert_eq!(view.addresses().count(Ground::Subnet(SubnetId(1))), ids.len() as u128);
        for n in 0..12 {
            let it = gateway(n);
            let known = ids.contains(&n);
            prop_assert_eq!(view.by_external(&it.meta.dialect, Kind::Gateway, &it.meta.external).is_some(), known);
            prop_assert_eq!(view.addresses().contains(Ground::Public, it.instances[0].public_ip), known);
        }
    }
}
