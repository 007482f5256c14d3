//! Messages about SAs: `xfrm_usersa_info` with its attributes, `xfrm_usersa_id`, `xfrm_userspi_info`.

use super::attributes::{
    Algorithms, Encapsulation, KeyedAlgorithm, Mark, complete_attributes, mark_is_set, read_mark,
};
use super::constants::*;
use super::lifetime::{Limits, Usage};
use super::replay_state::ReplayState;
use super::selector::Selector;
use super::wire::{Errno, Reader, Writer, family, ip_address};
use std::net::IpAddr;

/// Where an SA is found: `xfrm_usersa_id`, without the marks that are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaId {
    pub destination: IpAddr,
    /// Host order.
    pub spi: u32,
    pub protocol: u8,
}

impl SaId {
    /// Reads `xfrm_usersa_id`.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        let address = reader.array()?;
        let spi = reader.be32()?;
        let family = reader.u16()?;
        let protocol = reader.u8()?;
        reader.skip(1)?;
        let destination = ip_address(family, address).ok_or(Errno(libc::EINVAL))?;
        Ok(Self { destination, spi, protocol })
    }

    /// Writes `xfrm_usersa_id`.
    pub fn write(&self, writer: &mut Writer) {
        writer.address(self.destination).be32(self.spi).u16(family(self.destination));
        writer.u8(self.protocol).zeros(1);
    }
}

/// `xfrm_usersa_info`, the fixed part.
#[derive(Debug, Clone)]
pub struct SaInfo {
    pub selector: Selector,
    pub id: SaId,
    pub source: IpAddr,
    pub limits: Limits,
    pub usage: Usage,
    /// `xfrm_stats`: packets outside of the window, replays, integrity failures.
    pub statistics: [u32; 3],
    pub sequence: u32,
    pub reqid: u32,
    pub mode: u8,
    pub replay_window: u8,
    pub flags: u8,
}

impl SaInfo {
    /// # Errors
    /// `EINVAL`.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        let selector = Selector::read(reader)?;
        let destination = reader.array()?;
        let (spi, protocol) = (reader.be32()?, reader.u8()?);
        reader.skip(3)?;
        let source = reader.array()?;
        let (limits, usage) = (Limits::read(reader)?, Usage::read(reader)?);
        let statistics = [reader.u32()?, reader.u32()?, reader.u32()?];
        let (sequence, reqid, family) = (reader.u32()?, reader.u32()?, reader.u16()?);
        let (mode, replay_window, flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
        reader.skip(7)?;
        let address = |bytes| ip_address(family, bytes).ok_or(Errno(libc::EINVAL));
        Ok(Self {
            selector,
            id: SaId { destination: address(destination)?, spi, protocol },
            source: address(source)?,
            limits,
            usage,
            statistics,
            sequence,
            reqid,
            mode,
            replay_window,
            flags,
        })
    }

    pub fn write(&self, writer: &mut Writer) {
        self.selector.write(writer);
        writer.address(self.id.destination).be32(self.id.spi).u8(self.id.protocol).zeros(3);
        writer.address(self.source);
        self.limits.write(writer);
        self.usage.write(writer);
        self.statistics.iter().for_each(|n| {
            writer.u32(*n);
        });
        writer.u32(self.sequence).u32(self.reqid).u16(family(self.id.destination));
        writer.u8(self.mode).u8(self.replay_window).u8(self.flags).zeros(7);
    }
}

/// A whole NEWSA or UPDSA request.
#[derive(Clone)]
pub struct SaRequest {
    pub info: SaInfo,
    pub algorithms: Algorithms,
    pub encapsulation: Option<Encapsulation>,
    pub if_id: u32,
    pub replay: Option<ReplayState>,
    /// `replay` came in the extended form.
    pub has_extended_replay: bool,
    /// Counters carried over by an address update.
    pub usage: Option<Usage>,
    pub extra_flags: u32,
    /// `XFRM_SA_DIR_IN` or `XFRM_SA_DIR_OUT` (newer daemons): the SA does nothing else then. 0 where not given.
    pub direction: u8,
    /// Kept for GETSA: packets of an interface carry no mark here, so only "no mark" can work.
    pub mark: Mark,
}

impl SaRequest {
    /// # Errors
    /// `EINVAL` for a malformed message; `ERANGE` for a direction that there is not, or a cut attribute; `EOPNOTSUPP` for what is not
    /// implemented (marks, TFC padding, hardware offload, IPComp, care-of addresses, NAT keepalives, per-CPU SAs), so that the
    /// daemon reports it instead of losing packets.
    pub fn read(payload: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(payload);
        let mut info = SaInfo::read(&mut reader)?;
        // As the kernel: the old form's window has 32 packets at most.
        info.replay_window = info.replay_window.min(32);
        // So too: a selector without a family is for that of the outer addresses, unless it is said to be for any.
        if info.selector.family == 0 && info.flags & XFRM_STATE_AF_UNSPEC == 0 {
            info.selector.family = family(info.source);
        }
        let mut this = Self {
            info,
            algorithms: Algorithms::default(),
            encapsulation: None,
            if_id: 0,
            replay: None,
            has_extended_replay: false,
            usage: None,
            extra_flags: 0,
            direction: 0,
            mark: (0, 0),
        };
        let mut short_replay = None;
        for (kind, value) in complete_attributes(reader.rest())? {
            match kind {
                XFRMA_REPLAY_VAL => short_replay = Some(value),
                _ => this.attribute(kind, value)?,
            }
        }
        if let (None, Some(value)) = (&this.replay, short_replay) {
            this.replay = Some(ReplayState::read_short(value, this.info.replay_window.into())?);
        }
        Ok(this)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), Errno> {
        let unsupported = Err(Errno(libc::EOPNOTSUPP));
        match kind {
            XFRMA_ALG_AEAD => self.algorithms.aead = Some(KeyedAlgorithm::read(value, true)?),
            XFRMA_ALG_CRYPT => self.algorithms.crypt = Some(KeyedAlgorithm::read(value, false)?),
            XFRMA_ALG_AUTH_TRUNC => self.algorithms.auth = Some(KeyedAlgorithm::read(value, true)?),
            // The truncated form says more: it wins where both are there.
            XFRMA_ALG_AUTH if self.algorithms.auth.is_none() => {
                self.algorithms.auth = Some(KeyedAlgorithm::read(value, false)?);
            }
            XFRMA_ENCAP => self.encapsulation = Some(Encapsulation::read(value)?),
            XFRMA_IF_ID => self.if_id = Reader::new(value).u32()?,
            // Given twice after an address update; the last one wins, as in the kernel.
            XFRMA_REPLAY_ESN_VAL => {
                self.replay = Some(ReplayState::read_extended(value)?);
                self.has_extended_replay = true;
            }
            XFRMA_LTIME_VAL => self.usage = Some(Usage::read(&mut Reader::new(value))?),
            XFRMA_SA_EXTRA_FLAGS => self.extra_flags = Reader::new(value).u32()?,
            XFRMA_SA_DIR => match Reader::new(value).u8()? {
                direction @ (XFRM_SA_DIR_IN | XFRM_SA_DIR_OUT) => self.direction = direction,
                _ => return Err(Errno(libc::ERANGE)),
            },
            XFRMA_MARK => {
                self.mark = read_mark(value)?;
                if mark_is_set(self.mark) {
                    return unsupported;
                }
            }
            XFRMA_TFCPAD if Reader::new(value).u32()? != 0 => return unsupported,
            XFRMA_OFFLOAD_DEV | XFRMA_ALG_COMP | XFRMA_COADDR => return unsupported,
            XFRMA_SET_MARK if Reader::new(value).u32()? != 0 => return unsupported,
            // Nobody would send them: the daemon must know, and does it itself then.
            XFRMA_NAT_KEEPALIVE_INTERVAL if Reader::new(value).u32()? != 0 => return unsupported,
            XFRMA_SA_PCPU if Reader::new(value).u32()? != u32::MAX => return unsupported,
            _ => {}
        }
        Ok(())
    }
}

/// ALLOCSPI: `xfrm_userspi_info`.
#[derive(Debug, Clone)]
pub struct SpiRequest {
    pub info: SaInfo,
    pub minimum: u32,
    pub maximum: u32,
    pub if_id: u32,
}

impl SpiRequest {
    /// # Errors
    /// `EINVAL`.
    pub fn read(payload: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(payload);
        let info = SaInfo::read(&mut reader)?;
        let (minimum, maximum) = (reader.u32()?, reader.u32()?);
        if minimum > maximum {
            return Err(Errno(libc::EINVAL));
        }
        let if_id = complete_attributes(reader.rest())?.find(|(kind, _)| *kind == XFRMA_IF_ID);
        let if_id = if_id.map_or(Ok(0), |(_, value)| Reader::new(value).u32())?;
        Ok(Self { info, minimum, maximum, if_id })
    }
}
