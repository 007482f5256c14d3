//! Messages about policies: `xfrm_userpolicy_info`, `xfrm_userpolicy_id`, `xfrm_user_tmpl`.

use super::attributes::{Mark, complete_attributes, mark_is_set, read_mark};
use super::constants::*;
use super::lifetime::{Limits, Usage};
use super::selector::Selector;
use super::wire::{Errno, Reader, Writer, family, ip_address};
use std::net::IpAddr;

/// Length of `xfrm_user_tmpl`.
const TEMPLATE_LEN: usize = 64;
/// The kernel's `XFRM_MAX_DEPTH`.
const MAX_TEMPLATES: usize = 6;

/// `xfrm_user_tmpl`: which SA a policy needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub destination: IpAddr,
    pub source: IpAddr,
    /// Host order; 0 for any.
    pub spi: u32,
    pub protocol: u8,
    pub reqid: u32,
    pub mode: u8,
    pub share: u8,
    pub optional: u8,
    /// Allowed algorithms as bit masks; carried, not judged.
    pub algorithms: [u32; 3],
}

impl Template {
    /// `default_family`: the family of its addresses where it names none.
    ///
    /// # Errors
    /// `EINVAL` for a short structure, an unknown family, or a mode or protocol that there is not.
    pub fn read(reader: &mut Reader<'_>, default_family: u16) -> Result<Self, Errno> {
        let destination = reader.array()?;
        let (spi, protocol) = (reader.be32()?, reader.u8()?);
        reader.skip(3)?;
        let family = match reader.u16()? {
            0 => default_family,
            family => family,
        };
        reader.skip(2)?;
        let source = reader.array()?;
        let reqid = reader.u32()?;
        let (mode, share, optional) = (reader.u8()?, reader.u8()?, reader.u8()?);
        reader.skip(1)?;
        let is_known = matches!(
            i32::from(protocol),
            libc::IPPROTO_ESP
                | libc::IPPROTO_AH
                | libc::IPPROTO_COMP
                | libc::IPPROTO_ROUTING
                | libc::IPPROTO_DSTOPTS
        );
        if !is_known || mode > XFRM_MODE_IPTFS {
            return Err(Errno(libc::EINVAL));
        }
        let address = |bytes| ip_address(family, bytes).ok_or(Errno(libc::EINVAL));
        Ok(Self {
            destination: address(destination)?,
            source: address(source)?,
            spi,
            protocol,
            reqid,
            mode,
            share,
            optional,
            algorithms: [reader.u32()?, reader.u32()?, reader.u32()?],
        })
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.address(self.destination).be32(self.spi).u8(self.protocol).zeros(3);
        writer.u16(family(self.destination)).zeros(2).address(self.source).u32(self.reqid);
        writer.u8(self.mode).u8(self.share).u8(self.optional).zeros(1);
        self.algorithms.iter().for_each(|mask| {
            writer.u32(*mask);
        });
    }
}

/// `xfrm_userpolicy_info`, the fixed part. The default: any packet, inwards, allowed, without limits.
#[derive(Debug, Clone, Default)]
pub struct PolicyInfo {
    pub selector: Selector,
    pub limits: Limits,
    pub usage: Usage,
    /// Smaller goes first.
    pub priority: u32,
    pub index: u32,
    pub direction: u8,
    pub action: u8,
    pub flags: u8,
    pub share: u8,
}

impl PolicyInfo {
    /// # Errors
    /// `EINVAL`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        let mut this = Self {
            selector: Selector::read(reader)?,
            limits: Limits::read(reader)?,
            usage: Usage::read(reader)?,
            priority: reader.u32()?,
            index: reader.u32()?,
            direction: reader.u8()?,
            action: reader.u8()?,
            flags: reader.u8()?,
            share: reader.u8()?,
        };
        reader.skip(4)?;
        // The low three bits of an index are its direction.
        let is_foreign = this.index != 0 && this.index & 7 != u32::from(this.direction);
        if this.direction > XFRM_POLICY_FWD
            || this.action > XFRM_POLICY_BLOCK
            || this.share > XFRM_SHARE_UNIQUE
            || this.selector.family == 0
            || is_foreign
        {
            return Err(Errno(libc::EINVAL));
        }
        // Not kept.
        this.share = 0;
        Ok(this)
    }

    pub fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        self.limits.write(writer);
        self.usage.write(writer);
        writer.u32(self.priority).u32(self.index);
        writer.u8(self.direction).u8(self.action).u8(self.flags).u8(self.share).zeros(4);
    }
}

/// NEWPOLICY or UPDPOLICY.
#[derive(Debug, Clone)]
pub struct PolicyRequest {
    pub info: PolicyInfo,
    pub templates: Vec<Template>,
    pub if_id: u32,
}

/// Attributes that name a policy, beside its selector.
fn if_id(kind: u16, value: &[u8], if_id: &mut u32) -> Result<(), Errno> {
    match kind {
        XFRMA_IF_ID => *if_id = Reader::new(value).u32()?,
        XFRMA_MARK if mark_is_set(read_mark(value)? as Mark) => return Err(Errno(libc::EOPNOTSUPP)),
        // 0 is the main policy database, 1 the sub policies that nobody uses.
        XFRMA_POLICY_TYPE if value.first().is_some_and(|t| *t != 0) => return Err(Errno(libc::EOPNOTSUPP)),
        _ => {}
    }
    Ok(())
}

impl PolicyRequest {
    /// Whether it leaves what it selects to ordinary routing; any other tunnels or blocks it.
    pub fn lets_pass(&self) -> bool {
        self.info.action != XFRM_POLICY_BLOCK && self.templates.is_empty()
    }

    /// # Errors
    /// `EINVAL` for a malformed message, `ERANGE` for a cut attribute, `EOPNOTSUPP` for marks, sub policies, bundles of several
    /// templates, other modes than tunnel and other protocols than ESP.
    pub fn read(payload: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(payload);
        let mut this = Self { info: PolicyInfo::read(&mut reader)?, templates: Vec::new(), if_id: 0 };
        let family = this.info.selector.family;
        for (kind, value) in complete_attributes(reader.rest())? {
            if kind == XFRMA_TMPL {
                let count = value.len() / TEMPLATE_LEN;
                if count > MAX_TEMPLATES {
                    return Err(Errno(libc::EINVAL));
                }
                let mut reader = Reader::new(value);
                this.templates =
                    (0..count).map(|_| Template::read(&mut reader, family)).collect::<Result<_, _>>()?;
            }
            if_id(kind, value, &mut this.if_id)?;
        }
        let supported =
            |t: &Template| t.mode == XFRM_MODE_TUNNEL && i32::from(t.protocol) == libc::IPPROTO_ESP;
        if this.templates.len() > 1 || !this.templates.iter().all(supported) {
            return Err(Errno(libc::EOPNOTSUPP));
        }
        // Linux (since 6.1): what may go out without an SA would not go through a tunnel then.
        if this.info.direction == XFRM_POLICY_OUT && this.templates.iter().any(|t| t.optional != 0) {
            return Err(Errno(libc::EINVAL));
        }
        Ok(this)
    }

    /// Writes what goes with the fixed part in answers and events: templates, type, interface.
    pub fn write_attributes(&self, writer: &mut Writer) {
        if !self.templates.is_empty() {
            writer.attribute(XFRMA_TMPL, |w| self.templates.iter().for_each(|t| t.write(w)));
        }
        // `xfrm_userpolicy_type`: type 0 with its padding.
        writer.attribute(XFRMA_POLICY_TYPE, |w| {
            w.zeros(6);
        });
        if self.if_id != 0 {
            writer.attribute(XFRMA_IF_ID, |w| {
                w.u32(self.if_id);
            });
        }
    }
}

/// FLUSHPOLICY: whether it is the main policies that are to go, and not sub policies, of which there are none.
///
/// # Errors
/// `EINVAL` for a type that there is not, `ERANGE` for a cut attribute.
pub fn flushes_main_policies(payload: &[u8]) -> Result<bool, Errno> {
    let last = complete_attributes(payload)?.filter(|(kind, _)| *kind == XFRMA_POLICY_TYPE).last();
    match last.and_then(|(_, value)| value.first()) {
        None | Some(0) => Ok(true),
        Some(1) => Ok(false),
        Some(_) => Err(Errno(libc::EINVAL)),
    }
}

/// DELPOLICY or GETPOLICY: `xfrm_userpolicy_id`.
#[derive(Debug, Clone)]
pub struct PolicyId {
    pub selector: Selector,
    /// 0: by selector.
    pub index: u32,
    pub direction: u8,
    pub if_id: u32,
}

impl PolicyId {
    /// # Errors
    /// `EINVAL`, `EOPNOTSUPP` for marks.
    pub fn read(payload: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(payload);
        let selector = Selector::read(&mut reader)?;
        let (index, direction) = (reader.u32()?, reader.u8()?);
        reader.skip(3)?;
        if direction > XFRM_POLICY_FWD {
            return Err(Errno(libc::EINVAL));
        }
        let mut this = Self { selector, index, direction, if_id: 0 };
        for (kind, value) in complete_attributes(reader.rest())? {
            if_id(kind, value, &mut this.if_id)?;
        }
        Ok(this)
    }
}
