//! Receiving many datagrams with one system call, coalesced ones whole.

use super::check;
use super::region::Region;
use super::socket::RawAddress;
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
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

/// Buffers for one worker. All of it is only touched as far as packets come: after a silence each cache line costs.
pub struct Receiver {
    pub region: Region,
    /// What came last.
    pub received: Vec<Received>,
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
            received: Vec::with_capacity(BATCH),
            names: Box::new([name; BATCH]),
            controls: Box::new([Control([0; CONTROL_LEN]); BATCH]),
            room: COALESCED_BATCH,
        })
    }

    /// Receives what is there, without waiting, into [`Receiver::received`]; with `one` a single datagram, which is
    /// quicker where no more are expected. `true` where more may wait.
    ///
    /// # Errors
    /// Of `recvmmsg`; `WouldBlock` where nothing is there.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, one: bool) -> io::Result<bool> {
        let room = if one { 1 } else { self.room };
        let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
        for i in 0..room {
            let slot = &mut self.region[i * SLOT_LEN..(i + 1) * SLOT_LEN];
            let iovec = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            // SAFETY: all-zero is a valid mmsghdr.
            let header = headers[i].write(unsafe { zeroed() });
            header.msg_hdr.msg_name = (&raw mut self.names[i].storage).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            header.msg_hdr.msg_iov = iovecs[i].write(iovec);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        let (fd, null) = (socket.as_raw_fd(), std::ptr::null_mut());
        self.received.clear();
        // SAFETY: `room` headers are initialised, each pointing to live buffers of the stated lengths that nobody else uses.
        let n = check(unsafe {
            libc::recvmmsg(fd, headers.as_mut_ptr().cast(), room as u32, libc::MSG_DONTWAIT as _, null)
        })? as usize;
        let mut bytes = 0;
        for (i, header) in headers.iter().enumerate().take(n) {
            // SAFETY: `n` is at most `room`, and so many are initialised.
            let header = unsafe { header.assume_init_ref() };
            let len = header.msg_len as usize;
            let (segment, local, tos) = read_control(&header.msg_hdr);
            let segment = segment.filter(|s| *s > 0).unwrap_or(len);
            let source = self.names[i].address();
            self.received.push(Received { start: i * SLOT_LEN, len, segment, source, local, tos });
            bytes += len;
        }
        if !one {
            self.room = if n == room && bytes < SMALL_BATCH_LEN { BATCH } else { COALESCED_BATCH };
        }
        Ok(n == room)
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
