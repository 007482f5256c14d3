//! From the outer sockets to an interface.

use super::association::SaView;
use super::counters::add;
use super::interface::Writer;
use super::isolation::isolated;
use super::local_addresses::LocalAddresses;
use super::notice::Notice;
use super::shared::{Cached, Shared};
use super::spread::Spread;
use super::{Moved, TURN_LEN};
use crate::esp::packet::strip_tail;
use crate::esp::transform::HEADER_LEN;
use crate::inner::coalesce::{Coalescer, Sink};
use crate::inner::ecn::{decapsulated_tos, set_tos};
use crate::inner::ip::Packet;
use crate::sys;
use crate::sys::receive::{Received, Receiver};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Batches of one socket in a row before another gets its turn.
const BUDGET: usize = 32;
/// Next header "no next header": a dummy packet of traffic flow confidentiality (RFC 4303 section 2.6).
const DUMMY: u8 = 59;

/// The receiving half of a worker.
pub struct Inbound {
    shared: Arc<Shared>,
    worker: usize,
    receiver: Receiver,
    opener: Opener,
    pub spread: Spread,
}

/// What a worker needs to take a datagram apart, apart from the buffers.
pub struct Opener {
    pub coalescer: Coalescer,
    /// Unix seconds.
    pub now: u64,
    /// Tells packets for this host from those to be forwarded.
    pub local: Arc<LocalAddresses>,
}

/// What an outer socket delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ESP in UDP.
    Udp,
    /// With the IP header before ESP.
    RawV4,
    /// ESP alone.
    RawV6,
}

impl Inbound {
    pub fn new(shared: Arc<Shared>, worker: usize) -> std::io::Result<Self> {
        Ok(Self {
            shared,
            worker,
            receiver: Receiver::new()?,
            opener: Opener { coalescer: Coalescer::new(false), now: 0, local: Arc::default() },
            spread: Spread::new(worker),
        })
    }

    /// Brings the worker's copy of the picture up to date.
    pub fn refresh(&mut self, cached: &mut Cached) {
        if self.shared.refresh(self.worker, cached) {
            self.opener.local = cached.picture.local.clone();
            self.opener.coalescer.udp = cached.picture.udp_segmentation;
        }
    }

    /// Gives packet memory back.
    ///
    /// # Errors
    /// Of madvise.
    pub fn release(&mut self) -> std::io::Result<()> {
        self.receiver.region.release()
    }

    /// Takes what waits on a socket; with `one` a single datagram, without looking for more. Errors that ICMP messages left
    /// on it are taken off and mean nothing here.
    pub fn drain(
        &mut self,
        cached: &mut Cached,
        socket: &std::os::fd::OwnedFd,
        kind: Kind,
        one: bool,
    ) -> Moved {
        let (mut batches, mut bytes, mut packets) = (0, 0, 0);
        while batches < BUDGET && bytes < TURN_LEN {
            batches += 1;
            let more = match self.receiver.receive(socket.as_fd(), one) {
                Ok(more) => more,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    return Moved { packets, more: false };
                }
                Err(_) => continue,
            };
            self.refresh(cached);
            self.opener.now = sys::unix_seconds();
            let counters = &self.shared.counters;
            let interfaces = &cached.picture.interfaces;
            let mut writer = Writer { spread: &mut self.spread, interfaces, counters };
            add(&counters.receive_calls, 1);
            let (region, view) = (&mut self.receiver.region[..], &cached.picture.view);
            for datagram in &self.receiver.received {
                bytes += datagram.len;
                self.opener.isolated_datagram(&self.shared, view, region, datagram, kind, &mut writer);
            }
            let coalescer = &mut self.opener.coalescer;
            if !isolated(counters, || coalescer.flush(region, &mut writer)) {
                self.opener.coalescer.discard();
            }
            packets += self.receiver.received.len();
            if one || !more {
                return Moved { packets, more: false };
            }
        }
        Moved { packets, more: true }
    }
}

impl Opener {
    /// As [`Opener::datagram`]; a panic costs this datagram and those it would have been joined with.
    pub fn isolated_datagram(
        &mut self,
        shared: &Shared,
        view: &crate::database::View,
        region: &mut [u8],
        datagram: &Received,
        kind: Kind,
        sink: &mut impl Sink,
    ) {
        if !isolated(&shared.counters, || self.datagram(shared, view, region, datagram, kind, sink)) {
            self.coalescer.discard();
        }
    }

    /// Opens every ESP packet of a datagram that lies in `region`.
    pub fn datagram(
        &mut self,
        shared: &Shared,
        view: &crate::database::View,
        region: &mut [u8],
        datagram: &Received,
        kind: Kind,
        sink: &mut impl Sink,
    ) {
        let mut start = datagram.start;
        let end = start + datagram.len;
        if kind == Kind::RawV4 {
            // The kernel has checked the header of what it gives to a raw socket.
            start += usize::from(region.get(start).copied().unwrap_or(0) & 15) * 4;
        }
        let (mut current, mut received): (Option<Run>, u64) = (None, 0);
        while start < end {
            let piece = start..(start + datagram.segment.max(1)).min(end);
            start = piece.end;
            received += 1;
            let Some(head) = region[piece.clone()].first_chunk::<HEADER_LEN>() else {
                // One byte is a NAT keepalive (RFC 3948 section 2.3).
                add(&shared.counters.malformed, u64::from(piece.len() > 1));
                continue;
            };
            let spi = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            if spi == 0 {
                add(&shared.counters.stray_ike, 1);
                continue;
            }
            if current.as_ref().is_none_or(|run| run.state.id.spi != spi) {
                current.take().into_iter().for_each(|run| run.finish(shared, self.now));
                current = find(view, spi, datagram, kind).map(Run::new);
            }
            match &mut current {
                Some(run) => self.open(shared, view, region, piece, run, datagram, sink),
                None => add(&shared.counters.unknown_spi, 1),
            }
        }
        current.into_iter().for_each(|run| run.finish(shared, self.now));
        add(&shared.counters.received, received);
    }

    #[allow(clippy::too_many_arguments)]
    fn open(
        &mut self,
        shared: &Shared,
        view: &crate::database::View,
        region: &mut [u8],
        piece: Range<usize>,
        run: &mut Run,
        datagram: &Received,
        sink: &mut impl Sink,
    ) {
        let Run { state, tally } = run;
        let counters = &state.association.counters;
        let inner = match open_packet(state, &mut region[piece.clone()]) {
            Ok((_, DUMMY)) => return,
            Ok((range, _)) => piece.start + range.start..piece.start + range.end,
            Err(error) => {
                counters.count_error(error);
                return state.tell_limit(&shared.notifier, state.association.limit_reached());
            }
        };
        let Some(packet) = Packet::read(&region[inner.clone()]) else {
            return add(&counters.malformed, 1);
        };
        let admitted = state.selector.matches(&packet.flow)
            && match view
                .interfaces
                .get(&state.if_id)
                .and_then(|i| i.admits(&packet.flow, state, self.local.receive(&packet.flow)))
            {
                Some(policy) => {
                    policy.usage.last_use.store(self.now, Ordering::Relaxed);
                    add(&policy.usage.packets, 1);
                    add(&policy.usage.bytes, packet.len as u64);
                    true
                }
                None => false,
            };
        if !admitted {
            return add(&counters.policy_mismatch, 1);
        }
        tally.admitted(state, shared, datagram, self.now);
        let (dscp, no_ecn) = (state.outer.decapsulate_dscp, state.outer.no_ecn);
        let Some(tos) = decapsulated_tos(packet.tos, datagram.tos, dscp, no_ecn) else {
            return add(&counters.malformed, 1);
        };
        let mut packet = packet;
        if tos != packet.tos {
            set_tos(&mut region[inner.clone()], packet.v6, tos);
            packet.tos = tos;
        }
        tally.packets += 1;
        tally.bytes += packet.len as u64;
        self.coalescer.push(state.if_id, packet, region, inner, sink);
    }
}

/// Checks, decrypts and strips one ESP packet in place.
fn open_packet(state: &SaView, packet: &mut [u8]) -> Result<(Range<usize>, u8), crate::esp::EspError> {
    let association = &state.association;
    if association.is_used_up() {
        return Err(crate::esp::EspError::Exhausted);
    }
    let low = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
    // Uncontended: one worker serves an SPI, and the control thread looks in a few times a minute.
    let mut replay = association.replay.lock().unwrap_or_else(PoisonError::into_inner);
    let sequence = replay.check(low)?;
    let text = association.transform.open(sequence, packet)?;
    replay.commit(sequence)?;
    drop(replay);
    let (len, next_header) = strip_tail(&packet[text.clone()])?;
    match i32::from(next_header) {
        libc::IPPROTO_IPIP | libc::IPPROTO_IPV6 => Ok((text.start..text.start + len, next_header)),
        _ if next_header == DUMMY => Ok((text, next_header)),
        _ => Err(crate::esp::EspError::Padding),
    }
}

/// Packets in a row of one SA.
struct Run {
    state: Arc<SaView>,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    packets: u64,
    bytes: u64,
    source_checked: bool,
}

impl Tally {
    /// After the first packet that was let in: does the peer send from where we think?
    fn admitted(&mut self, state: &SaView, shared: &Shared, datagram: &Received, now: u64) {
        if std::mem::replace(&mut self.source_checked, true) {
            return;
        }
        let (Some(source), Some((port, _))) = (datagram.source, state.outer.ports) else { return };
        let news = (source.ip(), source.port()) != (state.outer.source, port);
        if news && state.association.mapping_told.swap(now, Ordering::Relaxed) != now {
            let (id, source, port) = (state.id, source.ip(), source.port());
            shared.notifier.send(Notice::Mapping { id, source, port });
        }
    }
}

impl Run {
    fn new(state: Arc<SaView>) -> Self {
        Self { state, tally: Tally::default() }
    }

    fn finish(self, shared: &Shared, now: u64) {
        if self.tally.packets == 0 {
            return;
        }
        let association = &self.state.association;
        let limit = association.charge(self.tally.packets, self.tally.bytes, now);
        self.state.tell_limit(&shared.notifier, limit);
    }
}

/// The SA of a packet: by the address of ours that it was sent to, and the SPI (RFC 4301 section 4.1).
fn find(view: &crate::database::View, spi: u32, datagram: &Received, kind: Kind) -> Option<Arc<SaView>> {
    let state = view.inbound.get(&(datagram.local?, spi))?;
    (state.outer.ports.is_some() == (kind == Kind::Udp)).then(|| state.clone())
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
