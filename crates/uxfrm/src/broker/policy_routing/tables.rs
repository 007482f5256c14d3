//! What the rules of all policies hang on: the tables into which they lead, and the rules between their parts.
//!
//! A locally made packet is routed before it has a source address, if its socket has none; the kernel's IPsec looks after that.
//! Where the host has an address in a policy's source, such packets are led by their destination alone, into a table whose route
//! says that address. strongSwan installs routes of the same effect (`install_routes`).
//!
//! All routes are default routes of a metric larger than any other's: IKE daemons look through the routes of all tables for the
//! way to their peers.

use super::kernel::{Kernel, Route};
use super::rule::{Action, Rule};
use crate::sys::socket::BYPASS_MARK;
use crate::xfrm::constants::AF_INET;
use crate::xfrm::selector::Selector;
use std::collections::BTreeMap;
use std::io;

/// The table for packets that have a source. Those of packets that have none follow, one for each source that they get.
pub(super) const BOUND_TABLE: u32 = 22_100;
/// Tables that are looked through for what an earlier broker has left.
pub(super) const MAX_TABLES: u32 = 64;
/// Passes that have a place in each part. What further ones would let through stays blocked.
pub(super) const MAX_PASSES: u32 = 33;

/// Where the rules of one part are.
pub(super) struct Part {
    pub first: u32,
}

impl Part {
    const fn end(&self) -> u32 {
        self.first + 2 * MAX_PASSES + 1
    }
}

const MARKED: u32 = 2;
const FORWARD_GATE: u32 = 3;
pub(super) const FORWARD: Part = Part { first: 4 };
pub(super) const FORWARD_END: u32 = FORWARD.end();
pub(super) const BOUND: Part = Part { first: FORWARD_END + 1 };
const UNBOUND_GATE: u32 = BOUND.end();
pub(super) const UNBOUND: Part = Part { first: UNBOUND_GATE + 1 };
pub(super) const END: u32 = UNBOUND.end();
/// strongSwan's own rule comes after all of these.
const _: () = assert!(END < 220);

/// The tables, the interface into which they lead, and the host's addresses.
pub(super) struct Tables {
    pub kernel: Kernel,
    interface_name: String,
    interface: Option<u32>,
    /// This host's addresses, of each family that is in use.
    families: BTreeMap<u16, Vec<[u8; 16]>>,
    /// Source addresses that have tables, by number.
    sources: Vec<(u16, [u8; 16])>,
    /// The addresses are others than those for which the rules were made.
    pub moved: bool,
}

impl Tables {
    pub fn new(interface_name: String) -> io::Result<Self> {
        let (kernel, families) = (Kernel::open()?, BTreeMap::new());
        Ok(Self { kernel, interface_name, interface: None, families, sources: Vec::new(), moved: false })
    }

    /// Families that are in use.
    pub fn families(&self) -> Vec<u16> {
        self.families.keys().copied().collect()
    }

    /// Makes what rules of a family hang on. The routes that lose everything come before the rules that lead there.
    pub fn use_family(&mut self, family: u16) -> io::Result<()> {
        if self.families.contains_key(&family) {
            return Ok(());
        }
        let addresses = self.kernel.addresses(family)?;
        self.interface = self.kernel.interface(&self.interface_name);
        let foreign = self.kernel.foreign(family, MARKED..=END);
        if !foreign.is_empty() {
            let v6 = family != AF_INET;
            tracing::warn!(v6, preferences = ?foreign, "rules of others among those of policies: packets may pass by them (move them behind {END})");
        }
        self.set_routes(family, BOUND_TABLE, None)?;
        let gates = self.gates(family);
        if let Err(error) = gates.iter().try_for_each(|rule| self.kernel.add_rule(rule)) {
            // Else the next try would make them twice.
            self.remove_rules(gates);
            return Err(error);
        }
        self.families.insert(family, addresses);
        Ok(())
    }

    /// Removes that, where no policy of the family is left.
    pub fn leave_family(&mut self, family: u16) {
        self.families.remove(&family);
        self.remove_rules(self.gates(family));
        let numbered = self.sources.iter().zip(BOUND_TABLE + 1..);
        let tables = numbered.filter(|((of, _), _)| *of == family).map(|(_, table)| table);
        for table in tables.chain([BOUND_TABLE]) {
            self.kernel.remove_routes(family, table);
        }
        if self.families.is_empty() {
            self.sources.clear();
        }
    }

    /// Interfaces or addresses may have changed; [`Tables::moved`] says whether addresses have.
    pub fn refresh(&mut self) -> io::Result<()> {
        if self.families.is_empty() {
            return Ok(());
        }
        for family in self.families() {
            let addresses = self.kernel.addresses(family)?;
            self.moved |= self.families.get(&family) != Some(&addresses);
            self.families.insert(family, addresses);
        }
        self.interface = self.kernel.interface(&self.interface_name);
        self.set_all_routes()
    }

    /// Looks for the interface where it was not there.
    pub fn find_interface(&mut self) -> io::Result<()> {
        if self.interface.is_none() && !self.families.is_empty() {
            self.interface = self.kernel.interface(&self.interface_name);
            self.set_all_routes()?;
        }
        Ok(())
    }

    /// The table for packets that will have an address of this host in a selector's source; `None` where it has none.
    pub fn for_source_in(&mut self, selector: &Selector) -> io::Result<Option<u32>> {
        let family = selector.family;
        let own = self.families.get(&family).map(Vec::as_slice).unwrap_or_default();
        let Some(source) = own.iter().find(|own| selector.has_source(own)).copied() else { return Ok(None) };
        if let Some(number) = self.sources.iter().position(|known| *known == (family, source)) {
            return Ok(Some(BOUND_TABLE + 1 + number as u32));
        }
        let table = BOUND_TABLE + 1 + self.sources.len() as u32;
        // Not known before its routes are there: a rule that leads into an empty table leads nowhere, and packets go on in clear.
        self.set_routes(family, table, Some(source))?;
        self.sources.push((family, source));
        Ok(Some(table))
    }

    fn set_all_routes(&mut self) -> io::Result<()> {
        for family in self.families() {
            self.set_routes(family, BOUND_TABLE, None)?;
        }
        for ((family, source), table) in self.sources.clone().into_iter().zip(BOUND_TABLE + 1..) {
            let own = self.families.get(&family).is_some_and(|own| own.contains(&source));
            if own {
                self.set_routes(family, table, Some(source))?;
            }
        }
        Ok(())
    }

    /// The route that loses everything, and where the interface is there, the one into it.
    fn set_routes(&mut self, family: u16, table: u32, source: Option<[u8; 16]>) -> io::Result<()> {
        self.kernel.set_route(&Route { family, table, interface: None, source: None })?;
        if let Some(interface) = self.interface {
            self.kernel.set_route(&Route { family, table, interface: Some(interface), source })?;
        }
        Ok(())
    }

    /// Those that let pass go first.
    pub fn remove_rules(&mut self, mut rules: Vec<Rule>) {
        rules.sort_by_key(Rule::protects);
        for rule in rules {
            if let Err(error) = self.kernel.remove_rule(&rule) {
                tracing::warn!(%error, ?rule, "a rule of a policy stays");
            }
        }
    }

    fn gates(&self, family: u16) -> Vec<Rule> {
        let rule = |preference, action| Rule::new(family, preference, action);
        let mut gates = vec![rule(END, Action::Nop), rule(FORWARD_END, Action::Nop)];
        gates.push(Rule { mark: Some(BYPASS_MARK), ..rule(MARKED, Action::Goto(END)) });
        // What came out of a tunnel was checked by the engine; `lo` stands for what was made here.
        for name in [self.interface_name.as_str(), "lo"] {
            gates.push(Rule {
                incoming: Some(name.to_owned()),
                ..rule(FORWARD_GATE, Action::Goto(FORWARD_END))
            });
        }
        if family == AF_INET {
            let none = Some(([0; 16], 32));
            gates.push(Rule { from: none, invert: true, ..rule(UNBOUND_GATE, Action::Goto(END)) });
        } else {
            // Rules of IPv6 that name a source match nothing that has none.
            for first in [0, 0x80] {
                let mut half = [0; 16];
                half[0] = first;
                gates.push(Rule { from: Some((half, 1)), ..rule(UNBOUND_GATE, Action::Goto(END)) });
            }
        }
        gates
    }
}
