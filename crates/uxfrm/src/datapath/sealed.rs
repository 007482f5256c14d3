//! Sealed packets of one SA that can be sent with one system call, and the buffer they are in.

use super::association::SaView;
use super::counters::add;
use super::shared::{Shared, WorkerSockets};
use crate::sys;
use crate::sys::region::Region;
use crate::sys::socket::{self, RawAddress, SendControl};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Datagrams of one call: the kernel's `UDP_MAX_SEGMENTS` before 6.10.
const MAX_SEGMENTS: usize = 64;
/// How many batches of a worker wait to be sent by others, at most.
pub const SPARES: usize = 4;
/// Bytes of one call: a datagram's limit with the largest IP header.
const MAX_LEN: usize = 65_000;

/// Packets of equal length, the last may be shorter (the rule of UDP_SEGMENT).
pub struct Sealed {
    region: Region,
    len: usize,
    segment: usize,
    count: usize,
    payload: u64,
    last_was_short: bool,
    state: Option<Arc<SaView>>,
    header: OuterHeader,
}

/// What inner packets must agree in to share a batch, beside their SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OuterHeader {
    pub tos: u8,
    /// DF of an outer IPv4 header.
    pub dont_fragment: bool,
}

impl Sealed {
    /// # Errors
    /// Where memory cannot be had.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            region: Region::new(MAX_LEN + 4096)?,
            len: 0,
            segment: 0,
            count: 0,
            payload: 0,
            last_was_short: false,
            state: None,
            header: OuterHeader::default(),
        })
    }

    /// Whether a packet of `len` bytes may join those that are there.
    pub fn fits(&self, state: &Arc<SaView>, header: OuterHeader, len: usize) -> bool {
        self.state.as_ref().is_some_and(|s| Arc::ptr_eq(s, state))
            && self.header == header
            && !self.last_was_short
            && len <= self.segment
            && self.count < MAX_SEGMENTS
            && self.len + len <= MAX_LEN
    }

    /// Where nothing is there: what comes is for this SA, in packets of `len` bytes.
    pub fn begin(&mut self, state: &Arc<SaView>, header: OuterHeader, len: usize) {
        (self.state, self.header, self.segment) = (Some(state.clone()), header, len);
    }

    /// Room for a packet of `len` bytes that fits.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        &mut self.region[self.len..self.len + len]
    }

    /// Takes the packet that was written to [`Sealed::room`]; `payload` are its inner bytes.
    pub fn commit(&mut self, len: usize, payload: usize) {
        self.last_was_short = len < self.segment;
        self.len += len;
        self.count += 1;
        self.payload += payload as u64;
    }

    /// Its SA, where a packet is there.
    fn state(&self) -> Option<&Arc<SaView>> {
        self.state.as_ref().filter(|_| self.count > 0)
    }

    /// Whether no packet is there.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        (self.state, self.len, self.count, self.payload, self.last_was_short) = (None, 0, 0, 0, false);
    }

    /// Counts its packets as sent, by the SA's limits.
    pub fn charge(&self, shared: &Shared) {
        let Some(state) = self.state() else { return };
        let limit = state.association.charge(self.count as u64, self.payload, sys::unix_seconds());
        state.tell_limit(&shared.notifier, limit);
    }

    /// Sends all packets by a worker's sockets.
    pub fn send(&self, shared: &Shared, worker: usize) {
        let Some(state) = self.state() else { return };
        add(&shared.counters.sent, self.count as u64);
        let failed = self.send_by(state, shared, &shared.sockets[worker]);
        if failed > 0 {
            add(&state.association.counters.send_failed, failed);
        }
        state.association.path_mtu.renew(&state.outer, sys::unix_seconds());
    }

    /// Returns the number of packets that could not be sent.
    fn send_by(&self, state: &SaView, shared: &Shared, sockets: &WorkerSockets) -> u64 {
        let (source, destination) = (state.outer.source, state.outer.destination);
        let v6 = destination.is_ipv6();
        let raw = &shared.sockets[0];
        let (socket, fragmentation, port) = match state.outer.ports {
            Some((_, port)) if v6 => (&sockets.send_v6, None, port),
            Some((_, port)) => (&sockets.send_v4, Some(&sockets.send_v4_fragmentation), port),
            None if v6 => (&raw.raw_v6, None, 0),
            None => (&raw.raw_v4, Some(&raw.raw_v4_fragmentation), 0),
        };
        let Some(socket) = socket else { return self.count as u64 };
        let to = RawAddress::new(SocketAddr::new(destination, port));
        add(&shared.counters.send_calls, 1);
        let send = || self.send_to(state, source, socket.as_fd(), &to);
        match fragmentation {
            Some(socket_state) => socket_state.sending(socket.as_fd(), self.header.dont_fragment, send),
            None => send(),
        }
    }

    /// Sends by one call if that can be. Returns the number of packets that could not be sent.
    fn send_to(&self, state: &SaView, source: IpAddr, socket: BorrowedFd<'_>, to: &RawAddress) -> u64 {
        let data = &self.region[..self.len];
        // What does not fit the path is sent one by one, and the kernel fragments it.
        let fits = self.segment <= state.association.path_mtu.esp_len(&state.outer);
        if state.outer.ports.is_some() && self.count > 1 && fits {
            let mut control = SendControl::new(source, self.header.tos, Some(self.segment as u16));
            if socket::send(socket, to, &mut control, data).is_ok() {
                return 0;
            }
            // The path's MTU has changed, or a device without checksum offload.
            state.association.path_mtu.forget();
        }
        let mut control = SendControl::new(source, self.header.tos, None);
        let pieces = data.chunks(self.segment);
        pieces.filter(|piece| socket::send(socket, to, &mut control, piece).is_err()).count() as u64
    }

    /// Gives the memory back while nothing is there.
    pub fn release(&mut self) {
        if self.is_empty() {
            // Failing to give memory back is no failure of sending.
            let _ = self.region.release();
        }
    }
}
