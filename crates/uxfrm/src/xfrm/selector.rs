//! `struct xfrm_selector`: which packets a policy or an SA is for.

use super::constants::{AF_INET, AF_INET6};
use super::wire::{Errno, Reader, Writer};

/// What a selector looks at in an inner packet. Addresses as `xfrm_address_t`; for a fragment without ports, or a
/// protocol that has none, both ports are zero (ICMP: type and code, as the kernel does it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub family: u16,
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
}

impl Flow {
    /// Whether somebody sends it: not the kernel itself, which announces IPv6 memberships (MLD, RFC 9777) from the
    /// unspecified address through each of its interfaces, and wants no SA for that.
    pub fn has_source(&self) -> bool {
        self.source != [0; 16]
    }
}

/// A selector. Equal selectors of equal direction and interface are the same policy. The default, all zero, is for every
/// packet of any family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Selector {
    pub destination: [u8; 16],
    pub source: [u8; 16],
    pub destination_port: (u16, u16),
    pub source_port: (u16, u16),
    pub family: u16,
    pub destination_prefix: u8,
    pub source_prefix: u8,
    pub protocol: u8,
    pub interface_index: u32,
    pub user: u32,
}

fn prefix_matches(address: &[u8; 16], network: &[u8; 16], prefix: u8) -> bool {
    let whole = usize::from(prefix / 8);
    let mask = !(0xffu16 >> (prefix % 8)) as u8;
    address[..whole] == network[..whole] && (mask == 0 || (address[whole] ^ network[whole]) & mask == 0)
}

impl Selector {
    /// # Errors
    /// `EINVAL` for a short structure, an unknown family or a prefix longer than the address.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        let this = Self {
            destination: reader.array()?,
            source: reader.array()?,
            destination_port: (reader.be16()?, reader.be16()?),
            source_port: (reader.be16()?, reader.be16()?),
            family: reader.u16()?,
            destination_prefix: reader.u8()?,
            source_prefix: reader.u8()?,
            protocol: reader.u8()?,
            interface_index: {
                reader.skip(3)?;
                reader.u32()?
            },
            user: reader.u32()?,
        };
        let longest = match this.family {
            AF_INET => 32,
            // 0 is "any family", allowed in an SA.
            AF_INET6 | 0 => 128,
            _ => return Err(Errno(libc::EINVAL)),
        };
        if this.destination_prefix > longest || this.source_prefix > longest {
            return Err(Errno(libc::EINVAL));
        }
        Ok(this)
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.destination).bytes(&self.source);
        writer.be16(self.destination_port.0).be16(self.destination_port.1);
        writer.be16(self.source_port.0).be16(self.source_port.1);
        writer.u16(self.family).u8(self.destination_prefix).u8(self.source_prefix).u8(self.protocol);
        writer.zeros(3).u32(self.interface_index).u32(self.user);
    }

    /// The selector of one flow, as an ACQUIRE reports it.
    pub fn of_flow(flow: &Flow) -> Self {
        let prefix = if flow.family == AF_INET { 32 } else { 128 };
        let mask = |port| (port, if port == 0 { 0 } else { 0xffff });
        Self {
            destination: flow.destination,
            source: flow.source,
            destination_port: mask(flow.destination_port),
            source_port: mask(flow.source_port),
            family: flow.family,
            destination_prefix: prefix,
            source_prefix: prefix,
            protocol: flow.protocol,
            interface_index: 0,
            user: 0,
        }
    }

    /// Whether packets from an address of its family may be covered.
    pub fn has_source(&self, address: &[u8; 16]) -> bool {
        prefix_matches(address, &self.source, self.source_prefix)
    }

    /// Whether it covers a packet that travels from source to destination.
    pub fn matches(&self, flow: &Flow) -> bool {
        let port = |value: u16, (port, mask): (u16, u16)| (value ^ port) & mask == 0;
        // Of no family there is one prefix alone: that of all addresses.
        let is_any = self.family == 0 && self.destination_prefix == 0 && self.source_prefix == 0;
        (is_any || self.family == flow.family)
            && prefix_matches(&flow.destination, &self.destination, self.destination_prefix)
            && prefix_matches(&flow.source, &self.source, self.source_prefix)
            && (self.protocol == 0 || self.protocol == flow.protocol)
            && port(flow.destination_port, self.destination_port)
            && port(flow.source_port, self.source_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(source: [u8; 4], destination: [u8; 4]) -> Flow {
        let wide = |a: [u8; 4]| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&a);
            bytes
        };
        Flow {
            family: AF_INET,
            source: wide(source),
            destination: wide(destination),
            protocol: 6,
            source_port: 1000,
            destination_port: 80,
        }
    }

    #[test]
    fn prefixes_and_ports() {
        let mut selector = Selector::of_flow(&flow([10, 1, 0, 0], [10, 2, 128, 0]));
        selector.source_prefix = 16;
        selector.destination_prefix = 17;
        selector.source_port = (0, 0);
        assert!(selector.matches(&flow([10, 1, 9, 9], [10, 2, 200, 1])));
        assert!(!selector.matches(&flow([10, 1, 9, 9], [10, 2, 100, 1])));
        assert!(!selector.matches(&flow([10, 3, 9, 9], [10, 2, 200, 1])));
        selector.destination_port = (443, 0xffff);
        assert!(!selector.matches(&flow([10, 1, 9, 9], [10, 2, 200, 1])));
    }

    #[test]
    fn any_family_is_not_any_protocol_or_port() {
        let packet = flow([10, 1, 9, 9], [10, 2, 200, 1]);
        assert!(Selector::default().matches(&packet));
        let matches = |selector: Selector| selector.matches(&packet);
        assert!(matches(Selector { protocol: 6, ..Selector::default() }));
        assert!(!matches(Selector { protocol: 17, ..Selector::default() }));
        assert!(matches(Selector { destination_port: (80, 0xffff), ..Selector::default() }));
        assert!(!matches(Selector { destination_port: (81, 0xffff), ..Selector::default() }));
        assert!(!matches(Selector { source_port: (1001, 0xffff), ..Selector::default() }));
    }
}
