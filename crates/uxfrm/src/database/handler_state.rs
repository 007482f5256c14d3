//! Requests about SAs.

use super::handler::{CHANGED, Outcome, reply};
use super::states::{LARVAL_LIFETIME_MS, State};
use super::{Clock, Database, MAX_STATES};
use crate::datapath::association::Association;
use crate::esp::algorithm::Algorithm;
use crate::esp::replay::ReplayWindow;
use crate::esp::transform::Transform;
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::Limits;
use crate::xfrm::replay_state::ReplayState;
use crate::xfrm::state::{SaId, SaInfo, SaRequest, SpiRequest};
use crate::xfrm::wire::{Errno, Header, Reader, Writer, address_bytes};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Random SPIs are tried this often before the range counts as full.
const SPI_ATTEMPTS: usize = 64;

/// The kernel's other protocols are not implemented here; further ones there are not.
fn esp_alone(protocol: u8) -> Result<(), Errno> {
    match i32::from(protocol) {
        libc::IPPROTO_ESP => Ok(()),
        libc::IPPROTO_AH | libc::IPPROTO_COMP => Err(Errno(libc::EPROTONOSUPPORT)),
        _ => Err(Errno(libc::EINVAL)),
    }
}

fn checked(request: &SaRequest) -> Result<Algorithm, Errno> {
    let info = &request.info;
    esp_alone(info.id.protocol)?;
    if info.mode > XFRM_MODE_IPTFS {
        return Err(Errno(libc::EINVAL));
    }
    if info.mode != XFRM_MODE_TUNNEL {
        return Err(Errno(libc::EOPNOTSUPP));
    }
    // RFC 4303 section 2.1: 0 is for local use, 1 to 255 are reserved but the kernel takes them.
    if info.id.spi == 0 {
        return Err(Errno(libc::EINVAL));
    }
    if !replay_is_consistent(request) || !direction_is_consistent(request) {
        return Err(Errno(libc::EINVAL));
    }
    request.algorithms.resolve()
}

/// Linux: extended numbers need the extended form, which excludes the old window and, but for an SA that only sends, needs one.
fn replay_is_consistent(request: &SaRequest) -> bool {
    let extended = request.info.flags & XFRM_STATE_ESN != 0;
    let Some(replay) = request.replay.as_ref().filter(|_| request.has_extended_replay) else {
        return !extended;
    };
    let needs_window = extended && request.direction != XFRM_SA_DIR_OUT;
    request.info.replay_window == 0 && (replay.window != 0 || !needs_window)
}

/// Linux (since 6.10): an SA that is said to be for one direction has nothing that is for the other.
fn direction_is_consistent(request: &SaRequest) -> bool {
    let SaRequest { info, replay, extra_flags, .. } = request;
    let extended = info.flags & XFRM_STATE_ESN != 0;
    let last = if extended { u64::MAX } else { u64::from(u32::MAX) };
    match request.direction {
        0 => true,
        XFRM_SA_DIR_IN => {
            let foreign = XFRM_SA_XFLAG_DONT_ENCAP_DSCP | XFRM_SA_XFLAG_OSEQ_MAY_WRAP;
            let numbers = |r: &ReplayState| r.outbound == 0 && r.inbound < last;
            info.flags & XFRM_STATE_NOPMTUDISC == 0
                && extra_flags & foreign == 0
                && (!request.has_extended_replay || replay.as_ref().is_none_or(numbers))
        }
        XFRM_SA_DIR_OUT => {
            let foreign = XFRM_STATE_DECAP_DSCP | XFRM_STATE_ICMP | XFRM_STATE_WILDRECV;
            // The extended form has no bitmap at all; the old one always has its word.
            let bitmap = |r: &ReplayState| {
                if request.has_extended_replay { r.bitmap.is_empty() } else { r.bitmap == [0] }
            };
            let numbers = |r: &ReplayState| {
                r.inbound == 0
                    && bitmap(r)
                    && (!request.has_extended_replay || r.window == 0 && r.outbound < last)
            };
            info.flags & foreign == 0 && info.replay_window == 0 && replay.as_ref().is_none_or(numbers)
        }
        _ => false,
    }
}

fn keyed(request: &SaRequest) -> Result<Association, Errno> {
    let algorithm = checked(request)?;
    let extended = request.info.flags & XFRM_STATE_ESN != 0;
    let (cipher_key, mac_key) = request.algorithms.keys();
    let transform = Transform::new(algorithm, cipher_key, mac_key, extended).ok_or(Errno(libc::EINVAL))?;
    let state = request.replay.as_ref();
    let window = state.map_or(u32::from(request.info.replay_window).min(32), |state| state.window);
    let mut replay = ReplayWindow::new(window, extended);
    let mut last = 0;
    if let Some(state) = state {
        last = if extended { state.outbound } else { state.outbound & u64::from(u32::MAX) };
        if state.inbound != 0 {
            replay.import(state.inbound, &state.bitmap);
        }
    }
    let carried = request.usage.unwrap_or_default();
    Ok(Association::new(transform, last, replay, &request.info.limits, &carried))
}

/// What the kernel shows of an SPI that waits for its keys: the outer addresses as selector, without a family, and the
/// time it waits as hard limit.
fn larval(info: &mut SaInfo) {
    let prefix = if info.source.is_ipv4() { 32 } else { 128 };
    info.selector.destination = address_bytes(info.id.destination);
    info.selector.source = address_bytes(info.source);
    (info.selector.destination_prefix, info.selector.source_prefix) = (prefix, prefix);
    info.limits = Limits { hard_add: LARVAL_LIFETIME_MS / 1000, ..Limits::NONE };
    (info.flags, info.replay_window) = (0, 0);
}

impl Database {
    pub(super) fn allocate_spi(&mut self, header: Header, payload: &[u8], clock: Clock) -> Outcome {
        let request = SpiRequest::read(payload)?;
        if self.states.by_id.len() >= MAX_STATES {
            return Err(Errno(libc::ENOMEM));
        }
        let mut info = request.info;
        esp_alone(info.id.protocol)?;
        info.id.spi = self.unused_spi(info.id, request.minimum, request.maximum)?;
        larval(&mut info);
        let request = SaRequest {
            info,
            algorithms: Default::default(),
            encapsulation: None,
            if_id: request.if_id,
            replay: None,
            has_extended_replay: false,
            usage: None,
            extra_flags: 0,
            direction: 0,
            mark: (0, 0),
        };
        let state = State::new(request, clock, None);
        let message = write_state(&state, reply(header, NEWSA, 0));
        self.put_state(state, clock);
        Ok((vec![message], true))
    }

    /// A random SPI, but dealt out to the workers in turn: the remainder says which of them opens the SA's packets.
    fn unused_spi(&mut self, id: SaId, minimum: u32, maximum: u32) -> Result<u32, Errno> {
        let workers = self.workers.max(1);
        self.next_worker = (self.next_worker + 1) % workers;
        let free = |spi| self.states.get(&SaId { spi, ..id }).is_none();
        let span = u64::from(maximum - minimum) + 1;
        for _ in 0..SPI_ATTEMPTS {
            let mut random = [0; 8];
            crate::sys::random::fill(&mut random).map_err(|_| Errno(libc::EIO))?;
            let any = minimum + (u64::from_ne_bytes(random) % span) as u32;
            let spi = (any - any % workers).saturating_add(self.next_worker);
            if spi != 0 && (minimum..=maximum).contains(&spi) && free(spi) {
                return Ok(spi);
            }
        }
        // A small range may be nearly full: look through it.
        (minimum.max(1)..=maximum).take(MAX_STATES).find(|spi| free(*spi)).ok_or(Errno(libc::ENOENT))
    }

    pub(super) fn new_state(&mut self, header: Header, payload: &[u8], clock: Clock) -> Outcome {
        let request = SaRequest::read(payload)?;
        let association = keyed(&request)?;
        if self.states.get(&request.info.id).is_some() {
            return Err(Errno(libc::EEXIST));
        }
        if self.states.by_id.len() >= MAX_STATES {
            return Err(Errno(libc::ENOMEM));
        }
        self.departed.catch_up(&request, &association);
        let state = State::new(request, clock, Some(Arc::new(association)));
        self.announce_state(header, &state);
        self.put_state(state, clock);
        CHANGED
    }

    /// A larval SA gets its keys; of a whole one the encapsulation, the limits and the interface change.
    pub(super) fn update_state(&mut self, header: Header, payload: &[u8], clock: Clock) -> Outcome {
        let request = SaRequest::read(payload)?;
        let association = keyed(&request)?;
        let mut state = self.remove_state(&request.info.id).ok_or(Errno(libc::ESRCH))?;
        // As the kernel, the event shows the request, whatever becomes of it.
        let asked = State::new(request, clock, Some(Arc::new(association)));
        self.announce_state(header, &asked);
        if state.is_larval() {
            state = asked;
        } else {
            let request = asked.request;
            if request.encapsulation.is_some() && state.request.encapsulation.is_some() {
                state.request.encapsulation = request.encapsulation;
            }
            state.request.info.limits = request.info.limits;
            if request.if_id != 0 {
                state.request.if_id = request.if_id;
            }
            // As the kernel: a soft limit of the new ones is told, whatever was told of the old ones.
            state.soft_reported = false;
            if let Some(association) = &state.association {
                association.set_limits(&request.info.limits);
                association.rearm();
            }
        }
        self.put_state(state, clock);
        CHANGED
    }

    pub(super) fn delete_state(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let id = SaId::read(&mut Reader::new(payload))?;
        let gone = self.remove_state(&id).ok_or(Errno(libc::ESRCH))?;
        self.departed.remember(&gone);
        self.announce_deleted_state(header, &gone);
        CHANGED
    }

    pub(super) fn get_state(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let id = SaId::read(&mut Reader::new(payload))?;
        let state = self.states.get(&id).ok_or(Errno(libc::ESRCH))?;
        Ok((vec![write_state(state, reply(header, NEWSA, 0))], false))
    }

    pub(super) fn flush_states(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let protocol = Reader::new(payload).u8()?;
        if protocol != 0 && protocol != 255 && i32::from(protocol) != libc::IPPROTO_ESP {
            return Ok((Vec::new(), false));
        }
        if !self.states.is_empty() {
            self.clear_states();
            self.announce_flushed_states(header, protocol);
        }
        CHANGED
    }

    /// `xfrm_aevent_id` in, the same with sequence numbers and lifetimes out.
    pub(super) fn get_replay(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let mut reader = Reader::new(payload);
        let id = SaId::read(&mut reader)?;
        reader.skip(16)?;
        let (flags, _reqid) = (reader.u32()?, reader.u32()?);
        let state = self.states.get(&id).ok_or(Errno(libc::ESRCH))?;
        let mut writer = Writer::new(reply(header, NEWAE, 0));
        id.write(&mut writer);
        // The kernel gives the request's flags back, whatever it includes.
        writer.address(state.request.info.source).u32(flags).u32(state.request.info.reqid);
        write_replay(state, &mut writer);
        writer.attribute(XFRMA_LTIME_VAL, |w| state.usage().write(w));
        write_interface(state, &mut writer);
        Ok((vec![writer.finish()], false))
    }
}

fn write_replay(state: &State, writer: &mut Writer) {
    let replay = state.replay_state();
    if state.has_extended_replay() {
        writer.attribute(XFRMA_REPLAY_ESN_VAL, |w| replay.write_extended(w));
    } else {
        writer.attribute(XFRMA_REPLAY_VAL, |w| replay.write_short(w));
    }
}

/// An SA as GETSA answers it.
pub(super) fn write_state(state: &State, header: Header) -> Vec<u8> {
    let mut writer = Writer::new(header);
    state.info().write(&mut writer);
    write_state_attributes(state, &mut writer);
    writer.finish()
}

/// What goes with the fixed part in answers and events: keys, encapsulation, replay state.
pub(super) fn write_state_attributes(state: &State, writer: &mut Writer) {
    if let Some(association) = &state.association {
        let last_used = association.last_use.load(Ordering::Relaxed);
        if last_used != 0 {
            writer.attribute(XFRMA_LASTUSED, |w| {
                w.u64(last_used);
            });
        }
        state.request.algorithms.write(writer);
    }
    if let Some(encapsulation) = &state.request.encapsulation {
        encapsulation.write(writer);
    }
    if state.request.extra_flags != 0 {
        writer.attribute(XFRMA_SA_EXTRA_FLAGS, |w| {
            w.u32(state.request.extra_flags);
        });
    }
    write_replay(state, writer);
    write_interface(state, writer);
}

/// The interface, and the direction where it was given.
fn write_interface(state: &State, writer: &mut Writer) {
    if state.request.if_id != 0 {
        writer.attribute(XFRMA_IF_ID, |w| {
            w.u32(state.request.if_id);
        });
    }
    if state.request.direction != 0 {
        writer.attribute(XFRMA_SA_DIR, |w| {
            w.u8(state.request.direction);
        });
    }
}
