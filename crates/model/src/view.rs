//! A snapshot of all records with the indices that decisions and lists need.
//!
//! The maps share structure: a clone is cheap, a change costs the logarithm of the size, and a reader keeps
//! its snapshot for as long as it likes.

use std::net::IpAddr;

use imbl::{HashMap, OrdSet, Vector};

use crate::{
    AccountId, Connection, ConnectionId, CustomerGateway, CustomerGatewayId, DialectId, ExternalId, Gateway,
    GatewayId, Ground, Key, Kind, Meta, Network, NetworkId, Order, OrderId, Placement, Record, Region, Route,
    RouteId, RouteTable, RouteTableId, Subnet, SubnetId, TakenAddresses, Token, TokenId, Write,
};

/// Which list a resource stands in: what one account sees of one kind in one region of one API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListKey {
    /// Whose resources.
    pub owner: AccountId,
    /// Made through which API.
    pub dialect: DialectId,
    /// In which region.
    pub region: Region,
    /// Of which kind.
    pub kind: Kind,
}

impl ListKey {
    fn of(meta: &Meta, kind: Kind) -> Self {
        Self { owner: meta.owner.clone(), dialect: meta.dialect.clone(), region: meta.region.clone(), kind }
    }
}

/// What the indices hold of a record.
#[derive(PartialEq)]
struct Indexed<'a> {
    parents: Vec<Key>,
    place: Option<(u64, &'a AccountId, &'a DialectId, &'a Region, &'a ExternalId)>,
    peer_ip: Option<IpAddr>,
    instances: &'a [Placement],
}

impl<'a> Indexed<'a> {
    fn of(record: &'a Record) -> Self {
        let place =
            record.meta().map(|meta| (meta.seq, &meta.owner, &meta.dialect, &meta.region, &meta.external));
        let (peer_ip, instances) = match record {
            Record::CustomerGateway(it) => (Some(it.ip), &[][..]),
            Record::Gateway(it) => (None, &it.instances[..]),
            _ => (None, &[][..]),
        };
        Self { parents: record.parents(), place, peer_ip, instances }
    }
}

/// A snapshot of all records.
#[derive(Clone, Default, Debug)]
pub struct View {
    revision: u64,
    next_seq: u64,
    records: HashMap<Key, Record>,
    externals: HashMap<(DialectId, Kind, ExternalId), Key>,
    lists: HashMap<ListKey, Vector<(u64, Key)>>,
    children: OrdSet<(Key, Kind, u64, u64)>,
    addresses: TakenAddresses,
    peer_ips: HashMap<(ListKey, IpAddr), Key>,
}

macro_rules! typed_reads {
    ($($(#[$doc:meta])* $name:ident: $id:ty => $kind:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(&self, id: $id) -> Option<&std::sync::Arc<$kind>> {
            match self.records.get(&id.key()) {
                Some(Record::$kind(it)) => Some(it),
                _ => None,
            }
        }
    )+};
}

impl View {
    /// The snapshot with these records, as the transaction with this revision left it. `next_seq` is what
    /// [`View::next_seq`] was then; the records may ask for a higher one.
    pub fn restored(revision: u64, next_seq: u64, records: impl IntoIterator<Item = Record>) -> Self {
        let mut view = Self { revision, next_seq, ..Self::default() };
        records.into_iter().for_each(|record| view.put(record));
        view
    }

    /// The number of transactions that made this snapshot, counted over restarts.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The number that the next new resource takes as [`Meta::seq`].
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record at all.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Every record, in no order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The record with a key.
    pub fn record(&self, key: Key) -> Option<&Record> {
        self.records.get(&key)
    }

    typed_reads! {
        /// The network with an id.
        network: NetworkId => Network,
        /// The subnet with an id.
        subnet: SubnetId => Subnet,
        /// The route table with an id.
        route_table: RouteTableId => RouteTable,
        /// The route with an id.
        route: RouteId => Route,
        /// The gateway with an id.
        gateway: GatewayId => Gateway,
        /// The customer gateway with an id.
        customer_gateway: CustomerGatewayId => CustomerGateway,
        /// The connection with an id.
        connection: ConnectionId => Connection,
        /// The order with an id.
        order: OrderId => Order,
        /// The client token with an id.
        token: TokenId => Token,
    }

    /// The record that a dialect calls by an id.
    pub fn by_external(&self, dialect: &DialectId, kind: Kind, external: &ExternalId) -> Option<&Record> {
        let key = self.externals.get(&(dialect.clone(), kind, external.clone()))?;
        self.records.get(key)
    }

    /// The id that its API gave a resource; empty when there is no such resource.
    pub fn external(&self, key: impl Into<Key>) -> &str {
        self.records.get(&key.into()).and_then(Record::meta).map_or("", |meta| meta.external.as_str())
    }

    /// The resources of one list in order of creation: their sequence numbers and keys. Its length and any
    /// place in it cost the logarithm of the length at most.
    pub fn list(&self, list: &ListKey) -> Vector<(u64, Key)> {
        self.lists.get(list).cloned().unwrap_or_default()
    }

    /// The children of one kind that hang on a record, in order of creation.
    pub fn children(&self, parent: impl Into<Key>, kind: Kind) -> impl Iterator<Item = &Record> {
        let parent = parent.into();
        self.children
            .range((parent, kind, 0, 0)..=(parent, kind, u64::MAX, u64::MAX))
            .filter_map(move |&(_, kind, _, id)| self.records.get(&Key { kind, id }))
    }

    /// How many children of one kind hang on a record.
    pub fn children_count(&self, parent: impl Into<Key>, kind: Kind) -> usize {
        let parent = parent.into();
        self.children.range((parent, kind, 0, 0)..=(parent, kind, u64::MAX, u64::MAX)).count()
    }

    /// The addresses that gateways have.
    pub fn addresses(&self) -> &TakenAddresses {
        &self.addresses
    }

    /// The customer gateway of a list (see [`ListKey`]) that has an address.
    pub fn customer_gateway_by_ip(&self, list: &ListKey, ip: IpAddr) -> Option<Key> {
        self.peer_ips.get(&(list.clone(), ip)).copied()
    }

    /// The snapshot after one transaction.
    pub fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Put(record) => self.put(record.clone()),
                Write::Delete(key) => {
                    if let Some(old) = self.records.remove(key) {
                        self.unindex(&old);
                    }
                }
            }
        }
        self.revision += 1;
    }

    fn put(&mut self, record: Record) {
        let old = self.records.get(&record.key());
        // Most writes change a status, which no index holds.
        if old.is_none_or(|old| Indexed::of(old) != Indexed::of(&record)) {
            if let Some(old) = old.cloned() {
                self.unindex(&old);
            }
            self.index(&record);
        }
        self.records.insert(record.key(), record);
    }

    fn index(&mut self, record: &Record) {
        let key = record.key();
        let seq = record.meta().map_or(0, |meta| meta.seq);
        for parent in record.parents() {
            self.children.insert((parent, key.kind, seq, key.id));
        }
        let Some(meta) = record.meta() else { return };
        self.next_seq = self.next_seq.max(meta.seq + 1);
        self.externals.insert((meta.dialect.clone(), key.kind, meta.external.clone()), key);
        let list_key = ListKey::of(meta, key.kind);
        if let Record::CustomerGateway(it) = record {
            self.peer_ips.insert((list_key.clone(), it.ip), key);
        }
        let list = self.lists.entry(list_key).or_default();
        match list.binary_search(&(seq, key)) {
            Ok(_) => {}
            Err(place) if place == list.len() => list.push_back((seq, key)),
            Err(place) => list.insert(place, (seq, key)),
        }
        if let Record::Gateway(gateway) = record {
            addresses(gateway).for_each(|(ground, ip)| self.addresses.insert(ground, ip));
        }
    }

    fn unindex(&mut self, record: &Record) {
        let key = record.key();
        let seq = record.meta().map_or(0, |meta| meta.seq);
        for parent in record.parents() {
            self.children.remove(&(parent, key.kind, seq, key.id));
        }
        let Some(meta) = record.meta() else { return };
        self.externals.remove(&(meta.dialect.clone(), key.kind, meta.external.clone()));
        let list_key = ListKey::of(meta, key.kind);
        if let Record::CustomerGateway(it) = record {
            self.peer_ips.remove(&(list_key.clone(), it.ip));
        }
        if let Some(list) = self.lists.get_mut(&list_key) {
            if let Ok(place) = list.binary_search(&(seq, key)) {
                list.remove(place);
            }
            if list.is_empty() {
                self.lists.remove(&list_key);
            }
        }
        if let Record::Gateway(gateway) = record {
            addresses(gateway).for_each(|(ground, ip)| self.addresses.remove(ground, ip));
        }
    }
}

/// The addresses that a gateway has, and what they belong to.
fn addresses(gateway: &Gateway) -> impl Iterator<Item = (Ground, IpAddr)> {
    let link = gateway.network.map(Ground::RouterLink);
    gateway.instances.iter().flat_map(move |instance| {
        let ground = instance.subnet.map(Ground::Subnet).or(link);
        let private = ground.zip(instance.private_ip);
        private.into_iter().chain([(Ground::Public, instance.public_ip)])
    })
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
