//! From an interface to the outer socket.

use super::association::SaView;
use super::counters::add;
use super::interface::Interface;
use super::isolation::isolated;
use super::notice::Notice;
use super::send_batch::{OuterHeader, SendBatch};
use super::shared::Shared;
use super::{Moved, TURN_LEN};
use crate::database::View;
use crate::database::view::InterfaceView;
use crate::esp::iv::RandomIvs;
use crate::esp::packet::{MAX_TAIL, tail};
use crate::esp::transform::Header;
use crate::esp::{EspError, algorithm::Algorithm};
use crate::inner::ecn::outer_tos;
use crate::inner::icmp;
use crate::inner::ip::Packet;
use crate::inner::segment::Segments;
use crate::inner::virtio::VirtioHeader;
use crate::sys;
use crate::sys::region::Region;
use crate::sys::tun::VNET_HEADER_LEN;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A packet behind its virtio header, and room for one segment's padding behind the packet.
const BUFFER_LEN: usize = VNET_HEADER_LEN + 65_536 + MAX_TAIL;
/// Packets of one interface in a row before another gets its turn.
const BUDGET: usize = 256;

/// The sending half of a worker.
pub struct Outbound {
    shared: Arc<Shared>,
    worker: usize,
    buffer: Region,
    batch: SendBatch,
    random: RandomIvs,
    now: u64,
}

impl Outbound {
    pub fn new(shared: Arc<Shared>, worker: usize) -> std::io::Result<Self> {
        Ok(Self {
            shared,
            worker,
            buffer: Region::new(BUFFER_LEN)?,
            batch: SendBatch::new()?,
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
        let (mut reads, mut bytes) = (0, 0);
        let shared = self.shared.clone();
        while reads < BUDGET && bytes < TURN_LEN {
            let room = BUFFER_LEN - MAX_TAIL;
            let Some(len) = interface.queues[self.worker].read(&mut self.buffer[..room])? else { break };
            reads += 1;
            bytes += len;
            if !isolated(&shared.counters, || self.packet(interface, &policies, len)) {
                self.batch.discard();
            }
            if one {
                break;
            }
        }
        add(&self.shared.counters.interface_reads, reads as u64);
        self.batch.flush(&self.shared, self.worker);
        Ok(Moved { packets: reads, more: reads == BUDGET || bytes >= TURN_LEN })
    }

    /// Gives packet memory back.
    ///
    /// # Errors
    /// Of madvise.
    pub fn release(&mut self) -> std::io::Result<()> {
        self.batch.release();
        self.buffer.release()
    }

    /// Finds policy and SA of the packet in the buffer, and seals it.
    fn packet(&mut self, interface: &Interface, policies: &InterfaceView, len: usize) {
        let counters = &self.shared.counters;
        let Some(virtio) = self.buffer[..len].first_chunk().map(VirtioHeader::read) else {
            return add(&counters.malformed, 1);
        };
        let Some(packet) = Packet::read(&self.buffer[VNET_HEADER_LEN..len]) else {
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
        self.seal_packet(interface, state, virtio, packet);
    }

    fn seal_packet(
        &mut self,
        interface: &Interface,
        state: &Arc<SaView>,
        virtio: VirtioHeader,
        packet: Packet,
    ) {
        let region = &mut self.buffer[VNET_HEADER_LEN..];
        let Some(mut segments) = Segments::new(&virtio, packet, region) else {
            return add(&self.shared.counters.malformed, 1);
        };
        let association = &state.association;
        let largest = association.path_mtu.esp_len(&state.outer);
        let capacity = association.transform.payload_capacity(largest);
        // IPv6 senders do not go below 1280 (RFC 8201 section 4): the kernel fragments outside then.
        let mtu = if packet.v6 { capacity.max(1280) } else { capacity };
        if packet.dont_fragment && segments.full_len() > mtu {
            return self.too_big(interface, state, packet, mtu);
        }
        let header = OuterHeader {
            tos: outer_tos(packet.tos, state.outer.hide_dscp, state.outer.no_ecn),
            // As the kernel's tunnels: DF is copied, and IPv6 counts as having it. It means nothing in an outer IPv6 header.
            dont_fragment: packet.dont_fragment && !state.outer.no_pmtu_discovery
                || state.outer.destination.is_ipv6(),
        };
        let next_header = if packet.v6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IPIP } as u8;
        while let Some(range) = segments.next(&mut self.buffer[VNET_HEADER_LEN..]) {
            let range = range.start + VNET_HEADER_LEN..range.end + VNET_HEADER_LEN;
            if let Err(error) = self.seal(state, header, next_header, range) {
                association.counters.count_error(error);
                return state.tell_limit(&self.shared.notifier, association.limit_reached());
            }
        }
    }

    /// Seals the payload at `range` of the buffer into the batch.
    fn seal(
        &mut self,
        state: &Arc<SaView>,
        outer: OuterHeader,
        next_header: u8,
        range: std::ops::Range<usize>,
    ) -> Result<(), EspError> {
        let association = &state.association;
        if association.is_used_up() {
            return Err(EspError::Exhausted);
        }
        let transform = &association.transform;
        let sequence = association.sequence.next()?;
        let counted;
        let iv = match transform.algorithm() {
            Algorithm::Aead { .. } => {
                counted = self.shared.ivs.next();
                &counted[..]
            }
            other => self.random.next(other.iv_len())?,
        };
        let payload_len = range.len();
        let (tail, tail_len) = tail(transform, payload_len, next_header);
        // Padding and trailer go behind the payload while it is sealed, over the next segment's first bytes.
        let text = range.start..range.end + tail_len;
        let mut kept = [0; MAX_TAIL];
        kept[..tail_len].copy_from_slice(&self.buffer[range.end..text.end]);
        self.buffer[range.end..text.end].copy_from_slice(&tail[..tail_len]);
        let len = transform.packet_len(payload_len);
        let out = self.batch.room(state, outer, len, &self.shared, self.worker);
        let header = Header { spi: state.id.spi, sequence };
        let result = transform.seal(header, iv, &self.buffer[text.clone()], out);
        self.buffer[range.end..text.end].copy_from_slice(&kept[..tail_len]);
        result?;
        self.batch.commit(len, payload_len);
        Ok(())
    }

    /// Tells the sender inside that its packet does not fit.
    fn too_big(&mut self, interface: &Interface, state: &SaView, packet: Packet, mtu: usize) {
        add(&state.association.counters.too_big, 1);
        let bytes = &self.buffer[VNET_HEADER_LEN..VNET_HEADER_LEN + packet.len];
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
