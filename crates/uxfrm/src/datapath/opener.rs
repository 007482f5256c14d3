//! Takes received datagrams apart: checks, decrypts and strips their ESP packets, and lets in what SA and policies are for.
//!
//! What packets of one SA in a row have in common is done once for all of them, however many datagrams they came in: the SA and
//! its interface's policies are looked up, and the replay window is locked. One worker serves an SPI as a rule, so that the lock is
//! free; the control thread, which reads the window a few times a minute, waits for the rest of a batch at most.

use super::association::SaView;
use super::counters::{PathCounters, add};
use super::early::Early;
use super::isolation::isolated;
use super::local_addresses::LocalAddresses;
use super::notice::Notice;
use super::receive::Kind;
use super::shared::Shared;
use crate::database::View;
use crate::database::view::{InterfaceView, PolicyView};
use crate::esp::EspError;
use crate::esp::packet::strip_tail;
use crate::esp::replay::ReplayWindow;
use crate::esp::transform::{HEADER_LEN, Held};
use crate::inner::coalesce::{Coalescer, Sink};
use crate::inner::ecn::{decapsulated_tos, set_tos};
use crate::inner::ip::Packet;
use crate::sys::receive::Received;
use crate::xfrm::selector::Flow;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Next header "no next header": a dummy packet of traffic flow confidentiality (RFC 4303 section 2.6).
const DUMMY: u8 = 59;

/// What a worker needs to take datagrams apart, apart from the buffers.
pub struct Opener {
    pub coalescer: Coalescer,
    /// Unix seconds.
    pub now: u64,
    /// Tells packets for this host from those to be forwarded.
    pub local: Arc<LocalAddresses>,
    /// Packets that wait for the keys of their SA.
    pub early: Early,
}

/// One ESP packet of a batch.
struct Piece<'a> {
    datagram: &'a Received,
    /// Where it lies in the region.
    range: Range<usize>,
    spi: u32,
}

/// The ESP packets of a batch, one after the other.
struct Pieces<'a> {
    datagrams: &'a [Received],
    kind: Kind,
    /// Where the next packet of the first datagram begins; `None` before its first.
    start: Option<usize>,
    ahead: Option<Piece<'a>>,
    /// Packets of the first datagram so far; counted when it is done, as all workers count there.
    seen: u64,
}

impl<'a> Pieces<'a> {
    fn new(datagrams: &'a [Received], kind: Kind) -> Self {
        Self { datagrams, kind, start: None, ahead: None, seen: 0 }
    }

    fn next(&mut self, region: &[u8], counters: &PathCounters) -> Option<Piece<'a>> {
        self.ahead.take().or_else(|| self.read(region, counters))
    }

    /// The next one, if it is of the same SPI and to the same address of ours.
    fn next_of(
        &mut self,
        region: &[u8],
        counters: &PathCounters,
        spi: u32,
        local: Option<IpAddr>,
    ) -> Option<Piece<'a>> {
        self.ahead = self.next(region, counters);
        self.ahead.take_if(|piece| piece.spi == spi && piece.datagram.local == local)
    }

    fn read(&mut self, region: &[u8], counters: &PathCounters) -> Option<Piece<'a>> {
        loop {
            let (datagram, rest) = self.datagrams.split_first()?;
            let end = datagram.start + datagram.len;
            let start = self.start.unwrap_or_else(|| match self.kind {
                // The kernel has checked the header of what it gives to a raw socket.
                Kind::RawV4 => {
                    datagram.start + usize::from(region.get(datagram.start).copied().unwrap_or(0) & 15) * 4
                }
                Kind::Udp | Kind::RawV6 => datagram.start,
            });
            if start >= end {
                add(&counters.received, std::mem::take(&mut self.seen));
                (self.datagrams, self.start) = (rest, None);
                continue;
            }
            let range = start..(start + datagram.segment.max(1)).min(end);
            self.start = Some(range.end);
            self.seen += 1;
            let Some(head) = region[range.clone()].first_chunk::<HEADER_LEN>() else {
                // One byte is a NAT keepalive (RFC 3948 section 2.3).
                add(&counters.malformed, u64::from(range.len() > 1));
                continue;
            };
            let spi = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            if spi == 0 {
                add(&counters.stray_ike, 1);
                continue;
            }
            return Some(Piece { datagram, range, spi });
        }
    }
}

impl Opener {
    /// Opens every ESP packet of datagrams that lie in `region`. A panic costs the packet at which it came and those that it would
    /// have been joined with.
    pub fn isolated_batch(
        &mut self,
        shared: &Shared,
        view: &View,
        region: &mut [u8],
        datagrams: &[Received],
        kind: Kind,
        sink: &mut impl Sink,
    ) {
        let mut pieces = Pieces::new(datagrams, kind);
        while !isolated(&shared.counters, || self.pieces(shared, view, region, &mut pieces, sink)) {
            self.coalescer.discard();
        }
    }

    /// Opens what waited for keys that the picture has now.
    pub fn waiting(&mut self, shared: &Shared, view: &View, sink: &mut impl Sink) {
        while let Some(mut packet) = self.early.take_ready(shared, view) {
            let (region, datagrams) = (&mut packet.region[..], std::slice::from_ref(&packet.datagram));
            self.isolated_batch(shared, view, region, datagrams, packet.kind, sink);
            if !isolated(&shared.counters, || self.coalescer.flush(region, sink)) {
                self.coalescer.discard();
            }
        }
    }

    /// As [`Opener::isolated_batch`] for one datagram; a panic goes on.
    pub fn datagram(
        &mut self,
        shared: &Shared,
        view: &View,
        region: &mut [u8],
        datagram: &Received,
        kind: Kind,
        sink: &mut impl Sink,
    ) {
        self.pieces(shared, view, region, &mut Pieces::new(std::slice::from_ref(datagram), kind), sink);
    }

    fn pieces(
        &mut self,
        shared: &Shared,
        view: &View,
        region: &mut [u8],
        pieces: &mut Pieces<'_>,
        sink: &mut impl Sink,
    ) {
        while let Some(first) = pieces.next(region, &shared.counters) {
            let Some(state) = find(view, &first, pieces.kind) else {
                let packet = (first.spi, &region[first.range.clone()]);
                if !self.early.keep(shared, view, first.datagram, pieces.kind, packet) {
                    add(&shared.counters.unknown_spi, 1);
                }
                continue;
            };
            let run = Run { shared, state, policies: view.interfaces.get(&state.if_id).map(Arc::as_ref) };
            self.run(run, first, region, pieces, sink);
        }
    }

    /// Opens the packets of one SA that come in a row.
    fn run(
        &mut self,
        run: Run<'_>,
        first: Piece<'_>,
        region: &mut [u8],
        pieces: &mut Pieces<'_>,
        sink: &mut impl Sink,
    ) {
        let (spi, local) = (first.spi, first.datagram.local);
        let mut replay = run.state.association.replay.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = run.state.association.transform.hold();
        let (mut piece, mut tally) = (first, Tally::default());
        loop {
            let datagram = piece.datagram;
            self.open(&run, (&mut replay, &mut held), &mut tally, region, piece, sink);
            let next = pieces.next_of(region, &run.shared.counters, spi, local);
            // Counted by datagram, so that limits end the SA in time.
            if next.as_ref().is_none_or(|next| !std::ptr::eq(next.datagram, datagram)) {
                std::mem::take(&mut tally).charge(&run, self.now);
            }
            match next {
                Some(next) => piece = next,
                None => return,
            }
        }
    }

    fn open<'a>(
        &mut self,
        run: &Run<'a>,
        (replay, held): (&mut ReplayWindow, &mut Held<'_>),
        tally: &mut Tally<'a>,
        region: &mut [u8],
        piece: Piece<'_>,
        sink: &mut impl Sink,
    ) {
        let Run { shared, state, .. } = *run;
        let Piece { datagram, range, .. } = piece;
        let counters = &state.association.counters;
        let (inner, next_header) = match open_packet(state, replay, held, &mut region[range.clone()]) {
            Ok((_, DUMMY)) => return,
            Ok((text, next)) => (range.start + text.start..range.start + text.end, i32::from(next)),
            Err(error) => {
                counters.count_error(error);
                return state.tell_limit(&shared.notifier, state.association.limit_reached());
            }
        };
        // The next header says which IP version it is (RFC 4303 section 2.6).
        let is_as_said = |packet: &Packet| packet.v6 == (next_header == libc::IPPROTO_IPV6);
        let Some(mut packet) = Packet::read(&region[inner.clone()]).filter(is_as_said) else {
            return add(&counters.malformed, 1);
        };
        if !tally.admits(run, &self.local, &packet, self.now) {
            return add(&counters.policy_mismatch, 1);
        }
        tally.admitted(state, shared, datagram, self.now);
        let (dscp, no_ecn) = (state.outer.decapsulate_dscp, state.outer.no_ecn);
        let Some(tos) = decapsulated_tos(packet.tos, datagram.tos, dscp, no_ecn) else {
            return add(&counters.malformed, 1);
        };
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
fn open_packet(
    state: &SaView,
    replay: &mut ReplayWindow,
    held: &mut Held<'_>,
    packet: &mut [u8],
) -> Result<(Range<usize>, u8), EspError> {
    let association = &state.association;
    if association.is_used_up() {
        return Err(EspError::Exhausted);
    }
    let low = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
    let sequence = replay.check(low)?;
    let text = association.transform.open_held(held, sequence, packet)?;
    replay.commit(sequence)?;
    let (len, next_header) = strip_tail(&packet[text.clone()])?;
    match i32::from(next_header) {
        libc::IPPROTO_IPIP | libc::IPPROTO_IPV6 => Ok((text.start..text.start + len, next_header)),
        _ if next_header == DUMMY => Ok((text, next_header)),
        _ => Err(EspError::Padding),
    }
}

/// What packets in a row of one SA have in common.
#[derive(Clone, Copy)]
struct Run<'a> {
    shared: &'a Shared,
    state: &'a SaView,
    policies: Option<&'a InterfaceView>,
}

/// Those of them that were let in.
#[derive(Default)]
struct Tally<'a> {
    packets: u64,
    bytes: u64,
    source_checked: bool,
    flow: Option<Admitted<'a>>,
}

/// A flow, whose packets come in a row, and the policy that lets it in, with what that is to be charged for.
struct Admitted<'a> {
    flow: Flow,
    policy: &'a PolicyView,
    packets: u64,
    bytes: u64,
}

impl Admitted<'_> {
    fn charge(&self, now: u64) {
        let usage = &self.policy.usage;
        usage.last_use.store(now, Ordering::Relaxed);
        add(&usage.packets, self.packets);
        add(&usage.bytes, self.bytes);
    }
}

impl<'a> Tally<'a> {
    /// Whether SA and policy let a packet in.
    fn admits(&mut self, run: &Run<'a>, local: &LocalAddresses, packet: &Packet, now: u64) -> bool {
        if self.flow.as_ref().is_none_or(|known| known.flow != packet.flow) {
            self.charge_policy(now);
            let (state, flow) = (run.state, packet.flow);
            let policies = run.policies.filter(|_| state.selector.matches(&flow));
            let policy = policies.and_then(|all| all.admits(&flow, state, local.receive(&flow)));
            self.flow = policy.map(|policy| Admitted { flow, policy, packets: 0, bytes: 0 });
        }
        let Some(admitted) = &mut self.flow else { return false };
        admitted.packets += 1;
        admitted.bytes += packet.len as u64;
        true
    }

    fn charge_policy(&mut self, now: u64) {
        if let Some(admitted) = self.flow.take() {
            admitted.charge(now);
        }
    }

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

    fn charge(mut self, run: &Run<'_>, now: u64) {
        self.charge_policy(now);
        if self.packets > 0 {
            let limit = run.state.association.charge(self.packets, self.bytes, now);
            run.state.tell_limit(&run.shared.notifier, limit);
        }
    }
}

/// The SA of a packet: by the address of ours that it was sent to, and the SPI (RFC 4301 section 4.1).
fn find<'v>(view: &'v View, piece: &Piece<'_>, kind: Kind) -> Option<&'v SaView> {
    let state = view.inbound.get(&(piece.datagram.local?, piece.spi))?;
    (state.outer.ports.is_some() == (kind == Kind::Udp)).then_some(&**state)
}
