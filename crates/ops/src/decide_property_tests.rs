//! What holds whatever is asked for.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Pages of any size, put together, are the whole list in order of creation.
    #[test]
    fn pages_make_up_the_list(count in 0usize..40, limit in 1usize..15) {
        let mut world = World::new();
        let made: Vec<ExternalId> = (0..count).map(|_| world.network()).collect();
        let mut seen = Vec::new();
        loop {
            let query = ListQuery { kind: Kind::Network, clauses: vec![], offset: seen.len(), limit };
            let Outcome::Page { items, total } = world.act(Operation::Read(Query::List(query))).unwrap() else {
                panic!("a page")
            };
            prop_assert_eq!(total, count);
            if items.is_empty() {
                break;
            }
            seen.extend(items.iter().map(|item| item.meta().unwrap().external.clone()));
        }
        prop_assert_eq!(seen, made);
    }

    /// No two instances ever share an address, whatever is made and deleted.
    #[test]
    fn addresses_are_unique(steps in prop::collection::vec(any::<bool>(), 1..40)) {
        let mut world = World::new();
        world.caller.rules.quota = |_| None;
        let network = world.network();
        let subnet = world.subnet(&network, "a", "10.1.0.0/26");
        for make in steps {
            if make {
                let _ = world.act(Operation::CreateGateway(gateway(&network, &[&subnet])));
            } else {
                let oldest = world.view.records().find(|record| record.key().kind == Kind::Gateway).cloned();
                if let Some(record) = oldest {
                    world.view.apply(&[causeway_model::Write::Delete(record.key())]);
                }
            }
            let mut addresses: Vec<IpAddr> = world
                .view
                .records()
                .filter_map(|record| match record { Record::Gateway(it) => Some(it), _ => None })
                .flat_map(|it| it.instances.iter())
                .flat_map(|instance| [instance.public_ip].into_iter().chain(instance.private_ip))
                .collect();
            let count = addresses.len();
            addresses.sort();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), count);
        }
    }
}
