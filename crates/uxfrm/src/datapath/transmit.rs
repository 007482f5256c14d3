//! From an interface to the outer socket.

use super::association::SaView;
use super::counters::add;
use super::gather::Gathered;
use super::interface::Interface;
use super::isolation::isolated;
use super::notice::Notice;
use super::send_batch::{OuterHeader, SendBatch};
use super::shared::Shared;
use super::{Moved, TURN_LEN};
use crate::database::View;
use crate::database::view::InterfaceView;
use crate::esp::iv::{IvBlock, RandomIvs};
use crate::esp::packet::{MAX_TAIL, tail};
use crate::esp::transform::{Header, Held};
use crate::esp::{EspError, algorithm::Algorithm};
use crate::inner::ecn::outer_tos;
use crate::inner::icmp;
use crate::inner::ip::Packet;
use crate::inner::segment::Segments;
use crate::inner::virtio::VirtioHeader;
use crate::sys;
use crate::sys::tun::VNET_HEADER_LEN;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Packets of one interface in a row before another gets its turn.
const BUDGET: usize = 256;
/// Packets that are read before the first is sealed, where there are several workers: as many as are sent with one call, so that
/// those who send by the same SA wait for sealing and sending alone, never for reading.
const GATHERED: usize = 64;

/// The sending half of a worker.
pub struct Outbound {
    shared: Arc<Shared>,
    worker: usize,
    /// Others may send by the same SAs.
    several: bool,
    gathered: Gathered,
    planned: Vec<Planned>,
    runs: Vec<Run>,
    batch: SendBatch,
    random: RandomIvs,
    now: u64,
}

/// Packets in a row for one SA, with the same outer header.
struct Run {
    state: Arc<SaView>,
    header: OuterHeader,
    /// Which of those that are planned.
    packets: Range<usize>,
    /// ESP packets that they become.
    count: u64,
}

/// A packet in the buffer.
struct Planned {
    segments: Segments,
    /// Where it begins, behind its virtio header.
    start: usize,
    next_header: u8,
}

impl Outbound {
    pub fn new(shared: Arc<Shared>, worker: usize) -> std::io::Result<Self> {
        let several = shared.sockets.len() > 1;
        Ok(Self {
            batch: SendBatch::new(&shared, worker)?,
            shared,
            worker,
            several,
            gathered: Gathered::new(if several { GATHERED } else { 1 })?,
            planned: Vec::new(),
            runs: Vec::new(),
            random: RandomIvs::new(),
            now: 0,
        })
    }

    /// Sends what waits on an interface; with `one` a single packet, without looking for more to send with it.
    ///
    /// # Errors
    /// Of reading: the interface is gone.
    pub fn drain(&mut self, view: &View, interface: &Interface, one: bool) -> std::io::Result<Moved> {
        self.now = sys::unix_seconds();
        let policies = view.interfaces.get(&interface.if_id).cloned().unwrap_or_default();
        let (mut reads, mut bytes, mut more) = (0, 0, true);
        while more && reads < BUDGET && bytes < TURN_LEN {
            more = match self.gathered.read(&interface.queues[self.worker], one) {
                Ok(more) => more,
                Err(error) => {
                    self.batch.finish(&self.shared, self.worker);
                    return Err(error);
                }
            };
            reads += self.gathered.packets.len();
            bytes += self.gathered.bytes();
            self.plan(interface, &policies);
            self.send();
        }
        add(&self.shared.counters.interface_reads, reads as u64);
        self.batch.finish(&self.shared, self.worker);
        Ok(Moved { packets: reads, more })
    }

    /// Gives packet memory back.
    ///
    /// # Errors
    /// Of madvise.
    pub fn release(&mut self) -> std::io::Result<()> {
        self.batch.release(&self.shared, self.worker);
        self.gathered.buffer.release()
    }

    /// Finds the SAs of what was read.
    fn plan(&mut self, interface: &Interface, policies: &InterfaceView) {
        let shared = self.shared.clone();
        for index in 0..self.gathered.packets.len() {
            let range = self.gathered.packets[index].clone();
            isolated(&shared.counters, || self.packet(interface, policies, range));
        }
    }

    /// Seals what is planned, and sends it. Where there are several workers nothing sealed waits: others would wait for it.
    fn send(&mut self) {
        let shared = self.shared.clone();
        let (mut runs, mut planned) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.planned));
        for run in runs.drain(..) {
            if !isolated(&shared.counters, || self.seal_run(&run, &mut planned)) {
                self.batch.discard(&shared, self.worker);
            }
            if self.several {
                self.batch.end_run(&shared, self.worker);
            }
        }
        planned.clear();
        (self.runs, self.planned) = (runs, planned);
    }

    /// Finds policy and SA of the packet at `range` of the buffer.
    fn packet(&mut self, interface: &Interface, policies: &InterfaceView, range: Range<usize>) {
        let counters = &self.shared.counters;
        let bytes = &self.gathered.buffer[range.clone()];
        let Some(virtio) = bytes.first_chunk().map(VirtioHeader::read) else {
            return add(&counters.malformed, 1);
        };
        let start = range.start + VNET_HEADER_LEN;
        let Some(packet) = Packet::read(&bytes[VNET_HEADER_LEN..]) else {
            return add(&counters.malformed, 1);
        };
        let Some(policy) = policies.outbound_policy(&packet.flow) else {
            return add(&counters.no_policy, 1);
        };
        policy.usage.last_use.store(self.now, Ordering::Relaxed);
        // A policy without a template would let the packet leave unprotected: there is no such way out here.
        if policy.blocks || policy.template.is_none() {
            return add(&counters.no_policy, 1);
        }
        let Some(state) = &policy.state else {
            if packet.flow.has_source() && policy.usage.may_acquire(sys::monotonic_ms()) {
                self.shared.notifier.send(Notice::Acquire { policy_index: policy.index, flow: packet.flow });
            }
            return add(&counters.no_state, 1);
        };
        if !state.selector.matches(&packet.flow) {
            return add(&state.association.counters.policy_mismatch, 1);
        }
        add(&policy.usage.packets, 1);
        add(&policy.usage.bytes, packet.len as u64);
        let Some(segments) =
            Segments::new(&virtio, packet, &mut self.gathered.buffer[start..range.end + MAX_TAIL])
        else {
            return add(&self.shared.counters.malformed, 1);
        };
        if let Some(mtu) = exceeds(state, &packet, &segments) {
            return self.too_big(interface, state, packet, start, mtu);
        }
        self.join(state, packet, segments, start);
    }

    /// Puts a packet behind those before it.
    fn join(&mut self, state: &Arc<SaView>, packet: Packet, segments: Segments, start: usize) {
        let header = OuterHeader {
            tos: outer_tos(packet.tos, state.outer.hide_dscp, state.outer.no_ecn),
            // As the kernel's tunnels: DF is copied, and IPv6 counts as having it. It means nothing in an outer IPv6 header.
            dont_fragment: packet.dont_fragment && !state.outer.no_pmtu_discovery
                || state.outer.destination.is_ipv6(),
        };
        let next_header = if packet.v6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IPIP } as u8;
        let count = segments.count() as u64;
        let index = self.planned.len();
        self.planned.push(Planned { segments, start, next_header });
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.state, state) && run.header == header => {
                run.count += count;
                run.packets.end = index + 1;
            }
            _ => self.runs.push(Run { state: state.clone(), header, packets: index..index + 1, count }),
        }
    }

    /// Seals the packets of a run into the batch.
    fn seal_run(&mut self, run: &Run, planned: &mut [Planned]) {
        let claimed = self.batch.claim(&run.state, run.count, &self.shared, self.worker);
        let mut ivs = self.shared.ivs.take(run.count);
        let mut held = run.state.association.transform.hold();
        for packet in &mut planned[run.packets.clone()] {
            if let Err(error) = claimed.and_then(|()| self.seal_packet(run, &mut held, packet, &mut ivs)) {
                let association = &run.state.association;
                association.counters.count_error(error);
                run.state.tell_limit(&self.shared.notifier, association.limit_reached());
            }
        }
    }

    fn seal_packet(
        &mut self,
        run: &Run,
        held: &mut Held<'_>,
        packet: &mut Planned,
        ivs: &mut IvBlock,
    ) -> Result<(), EspError> {
        let start = packet.start;
        while let Some(range) = packet.segments.next(&mut self.gathered.buffer[start..]) {
            let range = range.start + start..range.end + start;
            self.seal(run, held, packet.next_header, range, ivs)?;
        }
        Ok(())
    }

    /// Seals the payload at `range` of the buffer into the batch.
    fn seal(
        &mut self,
        run: &Run,
        held: &mut Held<'_>,
        next_header: u8,
        range: Range<usize>,
        ivs: &mut IvBlock,
    ) -> Result<(), EspError> {
        let (state, outer) = (&run.state, run.header);
        let association = &state.association;
        if association.is_used_up() {
            return Err(EspError::Exhausted);
        }
        let transform = &association.transform;
        let counted;
        let iv = match transform.algorithm() {
            Algorithm::Aead { .. } => {
                counted = ivs.draw()?;
                &counted[..]
            }
            other => self.random.next(other.iv_len())?,
        };
        let payload_len = range.len();
        let (tail, tail_len) = tail(transform, payload_len, next_header);
        // Padding and trailer go behind the payload while it is sealed, over the next segment's first bytes.
        let text = range.start..range.end + tail_len;
        let buffer = &mut self.gathered.buffer;
        let mut kept = [0; MAX_TAIL];
        kept[..tail_len].copy_from_slice(&buffer[range.end..text.end]);
        buffer[range.end..text.end].copy_from_slice(&tail[..tail_len]);
        let len = transform.packet_len(payload_len);
        let (sequence, out) = self.batch.room(state, outer, len, &self.shared, self.worker)?;
        let header = Header { spi: state.id.spi, sequence };
        let result = transform.seal_held(held, header, iv, &buffer[text.clone()], out);
        buffer[range.end..text.end].copy_from_slice(&kept[..tail_len]);
        result?;
        self.batch.commit(len, payload_len);
        Ok(())
    }

    /// Tells the sender inside that its packet does not fit.
    fn too_big(&mut self, interface: &Interface, state: &SaView, packet: Packet, start: usize, mtu: usize) {
        add(&state.association.counters.too_big, 1);
        let bytes = &self.gathered.buffer[start..start + packet.len];
        let Some(message) = icmp::too_big(&packet, bytes, u16::try_from(mtu).unwrap_or(u16::MAX)) else {
            return;
        };
        let whole = 0..message.len();
        // Lost like any packet where the interface is full; the sender tries again.
        let _ = interface.queues[self.worker].write(
            VirtioHeader::default(),
            &message,
            std::slice::from_ref(&whole),
        );
    }
}

/// The MTU inside, where a packet that may not be fragmented exceeds it.
fn exceeds(state: &SaView, packet: &Packet, segments: &Segments) -> Option<usize> {
    let association = &state.association;
    let largest = association.path_mtu.esp_len(&state.outer);
    let capacity = association.transform.payload_capacity(largest);
    // IPv6 senders do not go below 1280 (RFC 8201 section 4): the kernel fragments outside then.
    let mtu = if packet.v6 { capacity.max(1280) } else { capacity };
    (packet.dont_fragment && segments.full_len() > mtu).then_some(mtu)
}
