//! Sealed packets of one SA on their way out, in the order of their numbers: as many as one system call can take.

use super::association::SaView;
use super::counters::add;
use super::shared::{Shared, WorkerSockets};
use super::turn::Claim;
use crate::esp::EspError;
use crate::sys;
use crate::sys::region::Region;
use crate::sys::socket::{self, RawAddress, SendControl};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Datagrams of one call: the kernel's `UDP_MAX_SEGMENTS` before 6.9.
const MAX_SEGMENTS: usize = 64;
/// Bytes of one call: a datagram's limit with the largest IP header.
const MAX_LEN: usize = 65_000;

/// Collects packets of equal length, the last may be shorter (the rule of UDP_SEGMENT).
pub struct SendBatch {
    region: Region,
    len: usize,
    segment: usize,
    count: usize,
    payload: u64,
    last_was_short: bool,
    state: Option<Arc<SaView>>,
    header: OuterHeader,
    /// The sequence numbers of what waits and of what is still to come.
    claim: Option<Claim>,
}

/// What inner packets must agree in to share a batch, beside their SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OuterHeader {
    pub tos: u8,
    /// DF of an outer IPv4 header.
    pub dont_fragment: bool,
}

impl SendBatch {
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
            claim: None,
        })
    }

    /// Sees to it that there are sequence numbers for `count` packets of an SA, as far as it has so many left.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] where it has none.
    pub fn claim(
        &mut self,
        state: &SaView,
        count: u64,
        shared: &Shared,
        worker: usize,
    ) -> Result<(), EspError> {
        let sequence = &state.association.sequence;
        if !self.claim.as_mut().is_some_and(|claim| claim.extend(sequence, count)) {
            self.finish(shared, worker);
            self.claim = Some(Claim::new(sequence, count)?);
        }
        Ok(())
    }

    /// Whether a packet of `len` bytes may join those that wait.
    fn fits(&self, state: &Arc<SaView>, header: OuterHeader, len: usize) -> bool {
        self.state.as_ref().is_some_and(|s| Arc::ptr_eq(s, state))
            && self.header == header
            && !self.last_was_short
            && len <= self.segment
            && self.count < MAX_SEGMENTS
            && self.len + len <= MAX_LEN
    }

    /// Room for a packet of `len` bytes and its sequence number, out of those that were claimed; sends what waits if it
    /// cannot join.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] where all that were claimed are used.
    pub fn room(
        &mut self,
        state: &Arc<SaView>,
        header: OuterHeader,
        len: usize,
        shared: &Shared,
        worker: usize,
    ) -> Result<(u64, &mut [u8]), EspError> {
        if !self.fits(state, header, len) {
            self.flush(shared, worker);
            self.state = Some(state.clone());
            self.header = header;
            self.segment = len;
        }
        let sequence = self.claim.as_mut().ok_or(EspError::Exhausted)?.number()?;
        Ok((sequence, &mut self.region[self.len..self.len + len]))
    }

    /// Takes the packet that was written to [`SendBatch::room`]; `payload` are its inner bytes.
    pub fn commit(&mut self, len: usize, payload: usize) {
        self.last_was_short = len < self.segment;
        self.len += len;
        self.count += 1;
        self.payload += payload as u64;
    }

    /// Sends what waits, and lets the numbers go that were claimed and not used.
    pub fn finish(&mut self, shared: &Shared, worker: usize) {
        self.flush(shared, worker);
        self.claim = None;
    }

    /// Sends what waits.
    fn flush(&mut self, shared: &Shared, worker: usize) {
        let Some(state) = self.state.take().filter(|_| self.count > 0) else { return };
        add(&shared.counters.sent, self.count as u64);
        let now = sys::unix_seconds();
        let in_turn = self.claim.as_ref().is_none_or(Claim::wait);
        add(&shared.counters.out_of_turn, u64::from(!in_turn));
        let failed = self.send(&state, shared, &shared.sockets[worker]);
        if let Some(claim) = &mut self.claim {
            claim.sent();
        }
        if failed > 0 {
            add(&state.association.counters.send_failed, failed);
        }
        let limit = state.association.charge(self.count as u64, self.payload, now);
        state.tell_limit(&shared.notifier, limit);
        state.association.path_mtu.renew(&state.outer, now);
        (self.len, self.count, self.payload, self.last_was_short) = (0, 0, 0, false);
    }

    /// Returns the number of packets that could not be sent.
    fn send(&mut self, state: &SaView, shared: &Shared, sockets: &WorkerSockets) -> u64 {
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

    /// Forgets what waits, unsent, with its numbers: after a panic in the middle of it.
    pub fn discard(&mut self) {
        self.claim = None;
        (self.state, self.len, self.count, self.payload, self.last_was_short) = (None, 0, 0, 0, false);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives the memory back while nothing waits.
    pub fn release(&mut self) {
        if self.is_empty() {
            // Failing to give memory back is no failure of sending.
            let _ = self.region.release();
        }
    }
}
