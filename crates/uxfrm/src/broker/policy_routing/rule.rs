//! Rules of the kernel's routing policy database (ip-rule(8)), as messages of rtnetlink.

use super::PROTOCOL;
use crate::xfrm::selector::Selector;
use crate::xfrm::wire::Writer;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
pub(super) const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
pub(super) const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FR_ACT_TO_TBL: u8 = 1;
const FR_ACT_GOTO: u8 = 2;
const FR_ACT_NOP: u8 = 3;
const FR_ACT_BLACKHOLE: u8 = 6;
const FIB_RULE_INVERT: u32 = 2;

/// An address range: its first address and the length of its prefix.
pub(super) type Prefix = ([u8; 16], u8);

/// What happens to a packet that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Table(u32),
    /// On with the rules of this preference.
    Goto(u32),
    /// Nothing: the rule is there to be gone to.
    Nop,
    Blackhole,
}

/// One rule. The default matches everything and does nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    /// `AF_INET` or `AF_INET6`.
    pub family: u16,
    pub preference: u32,
    pub from: Option<Prefix>,
    pub to: Option<Prefix>,
    /// All but what the rule says.
    pub invert: bool,
    pub protocol: u8,
    pub source_ports: Option<(u16, u16)>,
    pub destination_ports: Option<(u16, u16)>,
    pub mark: Option<u32>,
    pub incoming: Option<String>,
    pub action: Action,
}

impl Rule {
    pub fn new(family: u16, preference: u32, action: Action) -> Self {
        Self {
            family,
            preference,
            from: None,
            to: None,
            invert: false,
            protocol: 0,
            source_ports: None,
            destination_ports: None,
            mark: None,
            incoming: None,
            action,
        }
    }

    /// Of what a selector selects; with `by_source` by where it comes from too. A selector that rules cannot express is widened where
    /// the packets are led into the interface, whose policies look again; a pass that would let more through than its selector is
    /// none: `None`.
    pub fn of_selector(
        selector: &Selector,
        preference: u32,
        action: Action,
        by_source: bool,
        may_widen: bool,
    ) -> Option<Self> {
        let prefix = |address, len| (len > 0).then_some((address, len));
        let mut rule = Self::new(selector.family, preference, action);
        rule.to = prefix(selector.destination, selector.destination_prefix);
        rule.from = prefix(selector.source, selector.source_prefix).filter(|_| by_source);
        rule.protocol = selector.protocol;
        // Of other protocols the "ports" are types and codes, at which rules do not look.
        let has_ports = matches!(i32::from(selector.protocol), libc::IPPROTO_TCP | libc::IPPROTO_UDP)
            || selector.protocol == 132;
        for (wanted, range) in [
            (selector.source_port, &mut rule.source_ports),
            (selector.destination_port, &mut rule.destination_ports),
        ] {
            *range = match wanted {
                (_, 0) => None,
                (port, mask) if has_ports && is_prefix(mask) => Some((port & mask, port | !mask)),
                _ if may_widen => None,
                _ => return None,
            };
        }
        Some(rule)
    }

    /// As the body of RTM_NEWRULE or RTM_DELRULE.
    pub fn body(&self) -> Vec<u8> {
        let mut writer = Writer::bare();
        let len = |prefix: &Option<Prefix>| prefix.map_or(0, |(_, len)| len);
        let (action, table) = match self.action {
            Action::Table(table) => (FR_ACT_TO_TBL, Some(table)),
            Action::Goto(_) => (FR_ACT_GOTO, None),
            Action::Nop => (FR_ACT_NOP, None),
            Action::Blackhole => (FR_ACT_BLACKHOLE, None),
        };
        // struct fib_rule_hdr
        writer.u8(self.family as u8).u8(len(&self.to)).u8(len(&self.from)).zeros(4).u8(action);
        writer.u32(if self.invert { FIB_RULE_INVERT } else { 0 });
        let width = super::width(self.family);
        let mut put = |kind, value: &[u8]| {
            writer.attribute(kind, |w| {
                w.bytes(value);
            });
        };
        for (kind, prefix) in [(FRA_DST, self.to), (FRA_SRC, self.from)] {
            if let Some((address, _)) = prefix {
                put(kind, &address[..width]);
            }
        }
        put(FRA_PRIORITY, &self.preference.to_ne_bytes());
        put(FRA_PROTOCOL, &[PROTOCOL]);
        if let Some(table) = table {
            put(FRA_TABLE, &table.to_ne_bytes());
        }
        if let Action::Goto(target) = self.action {
            put(FRA_GOTO, &target.to_ne_bytes());
        }
        if let Some(mark) = self.mark {
            put(FRA_FWMARK, &mark.to_ne_bytes());
            put(FRA_FWMASK, &u32::MAX.to_ne_bytes());
        }
        if let Some(name) = &self.incoming {
            put(FRA_IIFNAME, &[name.as_bytes(), &[0]].concat());
        }
        if self.protocol != 0 {
            put(FRA_IP_PROTO, &[self.protocol]);
        }
        for (kind, ports) in [(FRA_SPORT_RANGE, self.source_ports), (FRA_DPORT_RANGE, self.destination_ports)]
        {
            if let Some((first, last)) = ports {
                put(kind, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
            }
        }
        writer.finish_bare()
    }

    /// Takes packets out of the kernel's ordinary routing; any other lets them go on there.
    pub fn protects(&self) -> bool {
        matches!(self.action, Action::Table(_) | Action::Blackhole)
    }
}

/// Whether a mask is ones and then zeros, so that what it leaves open is a range.
fn is_prefix(mask: u16) -> bool {
    mask.leading_ones() + mask.trailing_zeros() == 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xfrm::constants::AF_INET;

    #[test]
    fn ports_become_ranges_or_are_left_to_the_interface() {
        let mut selector = Selector { family: AF_INET, protocol: 6, ..Selector::default() };
        let rule = |selector: &Selector, may_widen| {
            Rule::of_selector(selector, 1, Action::Table(1), true, may_widen)
        };
        selector.destination_port = (80, 0xffff);
        assert_eq!(rule(&selector, false).unwrap().destination_ports, Some((80, 80)));
        selector.destination_port = (1024, 0xfc00);
        assert_eq!(rule(&selector, false).unwrap().destination_ports, Some((1024, 2047)));
        selector.destination_port = (1, 1);
        assert_eq!(rule(&selector, false), None, "every odd port is no range");
        assert_eq!(rule(&selector, true).unwrap().destination_ports, None);
        // ICMP's type and code.
        (selector.protocol, selector.source_port) = (1, (8, 0xffff));
        assert_eq!(rule(&selector, false), None);
        assert_eq!(rule(&selector, true).unwrap().protocol, 1);
    }
}
