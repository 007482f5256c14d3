//! Which of many policies is the first for a packet: by tuple space search. Policies whose selectors look at the same parts
//! of a packet (prefix lengths, ports, protocol) are one table; a packet is looked up once in each table.

use super::snapshot_map::{Sharded, SnapshotMap, fold};
use super::view::PolicyView;
use crate::xfrm::selector::{Flow, Selector};
use std::sync::Arc;

/// As many policies are faster looked through one by one.
const FEW: usize = 16;

/// What a selector looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    family: u16,
    destination_prefix: u8,
    source_prefix: u8,
    destination_mask: u16,
    source_mask: u16,
    has_protocol: bool,
}

/// What it wants to see there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    destination: [u8; 16],
    source: [u8; 16],
    ports: (u16, u16),
    protocol: u8,
}

impl Sharded for Key {
    fn shard(&self) -> u8 {
        let (to, from) = self.ports;
        let rest = [to as u8, (to >> 8) as u8, from as u8, (from >> 8) as u8, self.protocol];
        fold(&self.destination) ^ fold(&self.source).rotate_left(4) ^ fold(&rest)
    }
}

fn masked(mut address: [u8; 16], prefix: u8) -> [u8; 16] {
    for (index, byte) in address.iter_mut().enumerate() {
        let bits = usize::from(prefix).saturating_sub(index * 8).min(8);
        *byte &= !(0xffu16 >> bits) as u8;
    }
    address
}

impl Shape {
    fn of(selector: &Selector) -> Self {
        if selector.family == 0 {
            // Any packet, whatever else it says.
            return Self {
                family: 0,
                destination_prefix: 0,
                source_prefix: 0,
                destination_mask: 0,
                source_mask: 0,
                has_protocol: false,
            };
        }
        Self {
            family: selector.family,
            destination_prefix: selector.destination_prefix,
            source_prefix: selector.source_prefix,
            destination_mask: selector.destination_port.1,
            source_mask: selector.source_port.1,
            has_protocol: selector.protocol != 0,
        }
    }

    fn key(self, flow: &Flow) -> Key {
        Key {
            destination: masked(flow.destination, self.destination_prefix),
            source: masked(flow.source, self.source_prefix),
            ports: (flow.destination_port & self.destination_mask, flow.source_port & self.source_mask),
            protocol: if self.has_protocol { flow.protocol } else { 0 },
        }
    }

    /// The key of all packets that the selector matches.
    fn key_of(self, selector: &Selector) -> Key {
        self.key(&Flow {
            family: selector.family,
            source: selector.source,
            destination: selector.destination,
            protocol: selector.protocol,
            source_port: selector.source_port.0,
            destination_port: selector.destination_port.0,
        })
    }
}

/// Policies of one shape.
#[derive(Clone)]
struct Table {
    shape: Shape,
    policies: SnapshotMap<Key, Vec<Arc<PolicyView>>>,
}

/// Policies of one interface and direction. A clone is a snapshot.
#[derive(Clone)]
pub struct Classifier(Policies);

#[derive(Clone)]
enum Policies {
    Few(Ranked),
    Many(Vec<Table>),
}

/// First match first.
type Ranked = Vec<Arc<PolicyView>>;

fn insert(ranked: &mut Ranked, policy: Arc<PolicyView>) {
    match ranked.binary_search_by_key(&policy.rank(), |other| other.rank()) {
        Ok(at) => ranked[at] = policy,
        Err(at) => ranked.insert(at, policy),
    }
}

fn remove(ranked: &mut Ranked, policy: &PolicyView) {
    if let Ok(at) = ranked.binary_search_by_key(&policy.rank(), |other| other.rank()) {
        ranked.remove(at);
    }
}

fn first<'a>(ranked: &'a Ranked, flow: &Flow) -> Option<&'a PolicyView> {
    ranked.iter().find(|policy| policy.selector.matches(flow)).map(Arc::as_ref)
}

impl Default for Classifier {
    fn default() -> Self {
        Self(Policies::Few(Vec::new()))
    }
}

impl Classifier {
    /// Inserts a policy, or replaces the one of the same rank and selector.
    pub(super) fn insert(&mut self, policy: Arc<PolicyView>) {
        match &mut self.0 {
            Policies::Few(few) => {
                insert(few, policy);
                if few.len() > FEW {
                    let mut tables = Vec::new();
                    std::mem::take(few).into_iter().for_each(|policy| insert_in(&mut tables, policy));
                    self.0 = Policies::Many(tables);
                }
            }
            Policies::Many(tables) => insert_in(tables, policy),
        }
    }

    /// Removes a policy by its rank and selector.
    pub(super) fn remove(&mut self, policy: &PolicyView) {
        match &mut self.0 {
            Policies::Few(few) => remove(few, policy),
            Policies::Many(tables) => {
                let shape = Shape::of(&policy.selector);
                let Some(at) = tables.iter().position(|table| table.shape == shape) else { return };
                let (policies, key) = (&mut tables[at].policies, shape.key_of(&policy.selector));
                remove(policies.entry(&key), policy);
                if policies.get(&key).is_some_and(Vec::is_empty) {
                    policies.remove(&key);
                }
                if policies.is_empty() {
                    tables.remove(at);
                }
            }
        }
    }

    /// The first policy that matches.
    pub fn find(&self, flow: &Flow) -> Option<&PolicyView> {
        match &self.0 {
            Policies::Few(few) => first(few, flow),
            Policies::Many(tables) => tables
                .iter()
                .filter(|table| table.shape.family == flow.family || table.shape.family == 0)
                .filter_map(|table| first(table.policies.get(&table.shape.key(flow))?, flow))
                .min_by_key(|policy| policy.rank()),
        }
    }

    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Policies::Few(few) => few.is_empty(),
            Policies::Many(tables) => tables.is_empty(),
        }
    }

    /// In how many tables it looks; nothing where it looks through all policies.
    #[cfg(test)]
    pub fn tables(&self) -> Option<usize> {
        match &self.0 {
            Policies::Few(_) => None,
            Policies::Many(tables) => Some(tables.len()),
        }
    }

    /// All, first match first.
    #[cfg(test)]
    pub fn ranked(&self) -> Vec<&PolicyView> {
        let mut all: Vec<&PolicyView> = match &self.0 {
            Policies::Few(few) => few.iter().map(Arc::as_ref).collect(),
            Policies::Many(tables) => {
                tables.iter().flat_map(|t| t.policies.values()).flatten().map(Arc::as_ref).collect()
            }
        };
        all.sort_by_key(|policy| policy.rank());
        all
    }
}

fn insert_in(tables: &mut Vec<Table>, policy: Arc<PolicyView>) {
    let shape = Shape::of(&policy.selector);
    let at = tables.iter().position(|table| table.shape == shape).unwrap_or_else(|| {
        tables.push(Table { shape, policies: SnapshotMap::default() });
        tables.len() - 1
    });
    insert(tables[at].policies.entry(&shape.key_of(&policy.selector)), policy);
}
