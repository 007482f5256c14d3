//! What is asked of the kernel: rules, default routes of a few tables, the interface and the addresses of this host.

use super::rule::{FRA_PRIORITY, FRA_PROTOCOL, Rule};
use super::tables::{BOUND_TABLE, MAX_TABLES};
use super::{PROTOCOL, width};
use crate::sys::rtnetlink::RouteSocket;
use crate::xfrm::constants::AF_INET;
use crate::xfrm::wire::{Writer, attributes};
use std::io;
use std::ops::RangeInclusive;

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_TABLE: u16 = 15;
const RTN_UNICAST: u8 = 1;
const RTN_BLACKHOLE: u8 = 6;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Of the eight flags in `struct ifaddrmsg`: an address that another host may have, or has. The kernel takes it for no source.
const IFA_F_UNUSABLE: u8 = IFA_F_TENTATIVE | IFA_F_DADFAILED;
const IFA_F_TENTATIVE: u8 = 0x40;
const IFA_F_DADFAILED: u8 = 0x08;
/// Used while it is tentative (RFC 4429).
const IFA_F_OPTIMISTIC: u8 = 0x04;
const IFLA_IFNAME: u16 = 3;
/// Length of `struct fib_rule_hdr`.
const RULE_LEN: usize = 12;
/// Metrics: of the route into the interface, and of the one that loses what that one does not take.
const METRIC: u32 = u32::MAX - 2;
const LAST: u32 = u32::MAX - 1;

/// A default route.
pub(super) struct Route {
    pub family: u16,
    pub table: u32,
    /// Index of the interface, 0 for any where a route is removed; `None` loses the packets.
    pub interface: Option<u32>,
    pub source: Option<[u8; 16]>,
}

impl Route {
    fn body(&self) -> Vec<u8> {
        let width = width(self.family);
        let mut writer = Writer::bare();
        let kind = if self.interface.is_some() { RTN_UNICAST } else { RTN_BLACKHOLE };
        let scope = if self.interface.is_some() { RT_SCOPE_LINK } else { RT_SCOPE_UNIVERSE };
        // struct rtmsg
        writer.u8(self.family as u8).zeros(4);
        writer.u8(PROTOCOL).u8(scope).u8(kind).u32(0);
        let mut put = |kind, value: &[u8]| {
            writer.attribute(kind, |w| {
                w.bytes(value);
            });
        };
        put(RTA_TABLE, &self.table.to_ne_bytes());
        put(RTA_PRIORITY, &if self.interface.is_some() { METRIC } else { LAST }.to_ne_bytes());
        if let Some(index) = self.interface.filter(|index| *index != 0) {
            put(RTA_OIF, &index.to_ne_bytes());
        }
        if let Some(source) = self.source {
            put(RTA_PREFSRC, &source[..width]);
        }
        writer.finish_bare()
    }
}

/// The kernel's routing of one namespace.
pub(super) struct Kernel(RouteSocket);

/// What is gone already is what was wanted.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ESRCH | libc::ENODEV)) => Ok(()),
        other => other,
    }
}

impl Kernel {
    pub fn open() -> io::Result<Self> {
        RouteSocket::open(0).map(Self)
    }

    pub fn add_rule(&mut self, rule: &Rule) -> io::Result<()> {
        self.0.request(RTM_NEWRULE, NLM_F_CREATE, &rule.body())
    }

    pub fn remove_rule(&mut self, rule: &Rule) -> io::Result<()> {
        unless_gone(self.0.request(RTM_DELRULE, 0, &rule.body()))
    }

    pub fn set_route(&mut self, route: &Route) -> io::Result<()> {
        self.0.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route.body())
    }

    /// Removes what a broker before this one has left. Where the kernel has no rules there is nothing.
    pub fn clean(&mut self) {
        for family in [libc::AF_INET as u16, libc::AF_INET6 as u16] {
            let rules = self.rules(family);
            let mut found = false;
            for rule in rules.iter().filter(|rule| is_ours(rule)) {
                found = true;
                if let Err(error) = unless_gone(self.0.request(RTM_DELRULE, 0, rule)) {
                    tracing::warn!(%error, "a rule of an earlier run stays");
                }
            }
            let tables = if found { BOUND_TABLE..BOUND_TABLE + MAX_TABLES } else { 0..0 };
            tables.for_each(|table| self.remove_routes(family, table));
        }
    }

    /// `struct fib_rule_hdr` and attributes of all rules of a family; none where the kernel has none.
    fn rules(&mut self, family: u16) -> Vec<Vec<u8>> {
        let mut rules = self.0.get(RTM_GETRULE, true, &header(family, RULE_LEN)).unwrap_or_default();
        rules.retain(|rule| rule.len() > RULE_LEN && u16::from(rule[0]) == family);
        rules
    }

    /// Preferences of rules that others have made, among those of `range`.
    pub fn foreign(&mut self, family: u16, range: RangeInclusive<u32>) -> Vec<u32> {
        let rules = self.rules(family);
        let preference = |rule: &Vec<u8>| {
            let value = attribute(&rule[RULE_LEN..], FRA_PRIORITY)?;
            value.first_chunk().map(|value| u32::from_ne_bytes(*value))
        };
        rules
            .iter()
            .filter(|rule| !is_ours(rule))
            .filter_map(preference)
            .filter(|p| range.contains(p))
            .collect()
    }

    /// Removes our routes of a table.
    pub fn remove_routes(&mut self, family: u16, table: u32) {
        for interface in [Some(0), None] {
            let route = Route { family, table, interface, source: None };
            if let Err(error) = unless_gone(self.0.request(RTM_DELROUTE, 0, &route.body())) {
                tracing::warn!(%error, "a route of policies stays");
            }
        }
    }

    /// The index of an interface that is there and up.
    pub fn interface(&mut self, name: &str) -> Option<u32> {
        let mut request = header(0, 16);
        let mut writer = Writer::bare();
        writer.bytes(&request).attribute(IFLA_IFNAME, |w| {
            w.bytes(name.as_bytes()).u8(0);
        });
        request = writer.finish_bare();
        let answer = self.0.get(RTM_GETLINK, false, &request).ok()?.into_iter().next()?;
        let word = |at: usize| Some(u32::from_ne_bytes(*answer.get(at..)?.first_chunk()?));
        (word(8)? & libc::IFF_UP as u32 != 0).then(|| word(4)).flatten()
    }

    /// This host's addresses of a family that can be a packet's source, but those of the loopback. One that becomes usable, when
    /// no other host was found to have it, is told as a change.
    pub fn addresses(&mut self, family: u16) -> io::Result<Vec<[u8; 16]>> {
        let mut addresses = Vec::new();
        for message in self.0.get(RTM_GETADDR, true, &header(family, 8))? {
            // struct ifaddrmsg: family, prefix, flags, scope, index.
            let Some((head, rest)) = message.split_first_chunk::<8>() else { continue };
            let own = attribute(rest, if family == AF_INET { IFA_LOCAL } else { IFA_ADDRESS });
            let usable = head[2] & IFA_F_UNUSABLE == 0 || head[2] & IFA_F_OPTIMISTIC != 0;
            if let Some(bytes) = own.filter(|_| usable && head[3] == RT_SCOPE_UNIVERSE) {
                let mut address = [0; 16];
                address[..bytes.len()].copy_from_slice(bytes);
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

fn is_ours(rule: &[u8]) -> bool {
    attribute(&rule[RULE_LEN..], FRA_PROTOCOL) == Some(&[PROTOCOL][..])
}

fn header(family: u16, len: usize) -> Vec<u8> {
    let mut header = vec![0; len];
    header[0] = family as u8;
    header
}

fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}
