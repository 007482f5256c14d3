//! Receiving many datagrams with one system call, coalesced ones whole.

use super::check;
use super::region::Region;
use super::socket::RawAddress;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most datagrams per call.
pub const BATCH: usize = 32;
/// Datagrams per call while they come coalesced: more would only push each other out of the cache.
const COALESCED_BATCH: usize = 8;
/// A batch of less than this is worth more datagrams at a time, in bytes.
const SMALL_BATCH_LEN: usize = 64 * 1024;
/// Room for each, in bytes: the largest a coalesced datagram can be.
pub const SLOT_LEN: usize = 65_536;
/// Three messages: 24 bytes of UDP_GRO, 24 of TOS, at most 40 of the destination.
const CONTROL_LEN: usize = 128;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_LEN]);

/// What came in a slot.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// Offset of the slot in the region.
    pub start: usize,
    pub len: usize,
    /// Length of each piece of a coalesced datagram, the last may be shorter; else `len`.
    pub segment: usize,
    pub source: Option<SocketAddr>,
    /// The address of ours that it was sent to, from the outer header.
    pub local: Option<IpAddr>,
    /// TOS or traffic class of the outer packet.
    pub tos: u8,
}

/// Buffers for one worker. The region is only touched as far as packets come.
pub struct Receiver {
    pub region: Region,
    names: Box<[RawAddress; BATCH]>,
    controls: Box<[Control; BATCH]>,
    /// Datagrams to ask for next time.
    room: usize,
}

impl Receiver {
    pub fn new() -> io::Result<Self> {
        // SAFETY: all-zero is a valid sockaddr_storage.
        let name = RawAddress { storage: unsafe { zeroed() }, len: 0 };
        Ok(Self {
            region: Region::new(BATCH * SLOT_LEN)?,
            names: Box::new([name; BATCH]),
            controls: Box::new([Control([0; CONTROL_LEN]); BATCH]),
            room: COALESCED_BATCH,
        })
    }

    /// Receives what is there, without waiting. `true` where more may wait.
    ///
    /// # Errors
    /// Of `recvmmsg`; `WouldBlock` where nothing is there.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<([Received; BATCH], usize, bool)> {
        // SAFETY: all-zero is a valid mmsghdr and iovec.
        let (mut headers, mut iovecs): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { zeroed() };
        for i in 0..self.room {
            let slot = &mut self.region[i * SLOT_LEN..(i + 1) * SLOT_LEN];
            iovecs[i] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut self.names[i].storage).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            header.msg_iov = &mut iovecs[i];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_LEN as _;
        }
        let (fd, null) = (socket.as_raw_fd(), std::ptr::null_mut());
        let room = self.room;
        // SAFETY: at least `room` headers, each pointing to live buffers of the stated lengths that nobody else uses.
        let n = check(unsafe {
            libc::recvmmsg(fd, headers.as_mut_ptr(), room as u32, libc::MSG_DONTWAIT as _, null)
        })? as usize;
        let empty = Received { start: 0, len: 0, segment: 0, source: None, local: None, tos: 0 };
        let mut received = [empty; BATCH];
        for (i, (slot, header)) in received.iter_mut().zip(&headers).enumerate().take(n) {
            let len = header.msg_len as usize;
            let (segment, local, tos) = read_control(&header.msg_hdr);
            let segment = segment.filter(|s| *s > 0).unwrap_or(len);
            let source = self.names[i].address();
            *slot = Received { start: i * SLOT_LEN, len, segment, source, local, tos };
        }
        let bytes: usize = received[..n].iter().map(|datagram| datagram.len).sum();
        self.room = if n == room && bytes < SMALL_BATCH_LEN { BATCH } else { COALESCED_BATCH };
        Ok((received, n, n == room))
    }
}

/// Segment length of a coalesced datagram, destination, and TOS.
fn read_control(header: &libc::msghdr) -> (Option<usize>, Option<IpAddr>, u8) {
    let (mut segment, mut local, mut tos) = (None, None, 0);
    // SAFETY: the kernel filled `msg_controllen` bytes of the control buffer with well-formed messages; each value is
    // read with the size the kernel writes (int; IP_TOS is one byte; the two structures of destinations).
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            let data = libc::CMSG_DATA(control);
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    segment = Some(data.cast::<i32>().read_unaligned() as usize)
                }
                (libc::IPPROTO_IP, libc::IP_TOS) => tos = data.read(),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => tos = data.cast::<i32>().read_unaligned() as u8,
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    local = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    local = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    (segment, local, tos)
}
