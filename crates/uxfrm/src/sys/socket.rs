//! The outer sockets: UDP for ESP in UDP, raw for IP protocol 50.

use super::{check, check_len, owned};
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// Socket buffers, in bytes (the kernel takes twice as much): several TCP windows of super-packets, so that a burst waits
/// instead of being lost. Bounds what a flood can occupy.
const SOCKET_BUFFER: i32 = 8 << 20;

/// `SO_MARK` of packets that policies do not concern: the tunnel's own, outside. "uxfr".
pub const BYPASS_MARK: u32 = 0x7578_6672;

pub(super) fn set(fd: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: an int option with its size.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size_of::<i32>() as u32) })
        .map(|_| ())
}

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub struct RawAddress {
    pub storage: libc::sockaddr_storage,
    pub len: u32,
}

impl RawAddress {
    pub fn new(address: SocketAddr) -> Self {
        // SAFETY: all-zero is a valid sockaddr_storage, which is large and aligned enough for both forms.
        unsafe {
            let mut storage: libc::sockaddr_storage = zeroed();
            let len = match address {
                SocketAddr::V4(v4) => {
                    let form = &mut *(&raw mut storage).cast::<libc::sockaddr_in>();
                    form.sin_family = libc::AF_INET as u16;
                    form.sin_port = v4.port().to_be();
                    form.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                    size_of::<libc::sockaddr_in>()
                }
                SocketAddr::V6(v6) => {
                    let form = &mut *(&raw mut storage).cast::<libc::sockaddr_in6>();
                    form.sin6_family = libc::AF_INET6 as u16;
                    form.sin6_port = v6.port().to_be();
                    form.sin6_addr.s6_addr = v6.ip().octets();
                    size_of::<libc::sockaddr_in6>()
                }
            };
            Self { storage, len: len as u32 }
        }
    }

    /// `None` for another family.
    pub fn address(&self) -> Option<SocketAddr> {
        // SAFETY: the family says which form the storage has; both fit.
        unsafe {
            match i32::from(self.storage.ss_family) {
                libc::AF_INET => {
                    let form = &*(&raw const self.storage).cast::<libc::sockaddr_in>();
                    let ip = Ipv4Addr::from(form.sin_addr.s_addr.to_ne_bytes());
                    Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(form.sin_port)))
                }
                libc::AF_INET6 => {
                    let form = &*(&raw const self.storage).cast::<libc::sockaddr_in6>();
                    let ip = Ipv6Addr::from(form.sin6_addr.s6_addr);
                    Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(form.sin6_port)))
                }
                _ => None,
            }
        }
    }
}

fn common_options(fd: RawFd, v6: bool) -> io::Result<()> {
    // FORCE needs a capability that a gateway has; where it has not, the system's limit holds.
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set(fd, libc::SOL_SOCKET, force, SOCKET_BUFFER).is_err() {
            set(fd, libc::SOL_SOCKET, plain, SOCKET_BUFFER)?;
        }
    }
    set(fd, libc::SOL_SOCKET, libc::SO_MARK, BYPASS_MARK as i32)?;
    // WANT: DF is set on what fits the known path MTU, and what does not fit is fragmented here.
    if v6 {
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT)
    } else {
        set(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
        set(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        set(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_WANT)
    }
}

/// For IPv4: whether packets that fit the path's known MTU are sent with DF. What does not fit is fragmented either way.
pub fn set_dont_fragment(socket: BorrowedFd<'_>, dont_fragment: bool) -> io::Result<()> {
    let value = if dont_fragment { libc::IP_PMTUDISC_WANT } else { libc::IP_PMTUDISC_DONT };
    set(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)
}

/// A UDP socket of the group that shares `port` with the IKE daemon.
///
/// `cpu` is the CPU that it stands for: the kernel decides *which* socket's options say whether datagrams are coalesced
/// (GRO) by hash, before the group's program runs, but prefers the one whose `SO_INCOMING_CPU` is the current CPU (Linux
/// 6.2). With one socket per CPU the daemon's socket is never that one, and needs no option that would hand it glued IKE
/// messages.
pub fn udp_socket(v6: bool, port: u16, cpu: i32) -> io::Result<OwnedFd> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: no pointers.
    let socket = owned(unsafe {
        libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    })?;
    let fd = socket.as_raw_fd();
    common_options(fd, v6)?;
    if v6 {
        set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    set(fd, libc::SOL_UDP, libc::UDP_GRO, 1)?;
    set(fd, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, cpu)?;
    bind_any(socket.as_fd(), v6, port)?;
    Ok(socket)
}

fn bind_any(socket: BorrowedFd<'_>, v6: bool, port: u16) -> io::Result<()> {
    let any = if v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    let address = RawAddress::new(SocketAddr::new(any, port));
    // SAFETY: a valid address of the stated length.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address.storage).cast(), address.len) })
        .map(drop)
}

/// Waits until nobody has a UDP port, shared or not. Port 0 is everybody's.
///
/// # Errors
/// `AddrInUse` where somebody has it after `patience`; of the socket calls.
pub fn await_free_port(v6: bool, port: u16, patience: Duration) -> io::Result<()> {
    let (family, start) = (if v6 { libc::AF_INET6 } else { libc::AF_INET }, Instant::now());
    loop {
        // SAFETY: no pointers.
        let socket = owned(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
        if v6 {
            set(socket.as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        match bind_any(socket.as_fd(), v6, port) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && start.elapsed() < patience => {}
            other => return other,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets as little as the kernel permits wait in a socket that nobody reads: where the IKE daemon's socket is missing in the
/// group, the kernel spreads its datagrams by hash over all of them.
///
/// # Errors
/// Of setsockopt.
pub fn receive_nothing(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 0)
}

/// A raw socket for IP protocol 50. IPv4 packets come with their IP header, IPv6 ones without.
pub fn raw_socket(v6: bool) -> io::Result<OwnedFd> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let socket = owned(unsafe { libc::socket(family, kind, libc::IPPROTO_ESP) })?;
    common_options(socket.as_raw_fd(), v6)?;
    Ok(socket)
}

/// A socket by which the kernel learns of narrow paths of plain ESP over IPv6: it heeds "packet too big" where a raw socket is
/// connected, or wants to hear of errors (`IPV6_RECVERR`). This one does, and hears nothing: what it were told would have to be
/// read, and nobody needs it.
///
/// # Errors
/// Of the socket calls.
pub fn path_mtu_learner() -> io::Result<OwnedFd> {
    const IPV6_RECVERR: i32 = 25;
    let socket = raw_socket(true)?;
    receive_nothing(socket.as_fd())?;
    drop_everything(socket.as_fd())?;
    set(socket.as_raw_fd(), libc::IPPROTO_IPV6, IPV6_RECVERR, 1)?;
    Ok(socket)
}

fn drop_everything(socket: BorrowedFd<'_>) -> io::Result<()> {
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let mut nothing = [libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: nothing.as_mut_ptr() };
    let (fd, len) = (socket.as_raw_fd(), size_of::<libc::sock_fprog>() as u32);
    // SAFETY: a program of `len` instructions, copied by the kernel.
    let set = unsafe {
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, (&raw const program).cast(), len)
    };
    check(set).map(drop)
}

/// Steers the group's datagrams: a first word of zero (the non-ESP marker of RFC 3948) goes to the last socket, the IKE
/// daemon's; all else to one of the first `workers` sockets by SPI. `group` is the number of sockets before the daemon's.
pub fn attach_steering(socket: BorrowedFd<'_>, workers: u32, group: u32) -> io::Result<()> {
    const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const MODULO: u16 = 0x94; // BPF_ALU | BPF_MOD | BPF_K
    const RETURN_A: u16 = 0x16; // BPF_RET | BPF_A
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        op(LOAD_WORD, 0, 0, 0),
        op(JUMP_EQUAL, 2, 0, 0),
        op(MODULO, 0, 0, workers),
        op(RETURN_A, 0, 0, 0),
        op(RETURN, 0, 0, group),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
    // SAFETY: a program of `len` instructions, copied by the kernel.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    })
    .map(|_| ())
}

/// Exempts what a socket sends from policies. A mark that it has already stays. Whether it is exempt now.
///
/// # Errors
/// Without CAP_NET_ADMIN.
pub fn bypass_policies(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let (mut mark, mut len) = (0u32, size_of::<u32>() as u32);
    let (fd, pointer) = (socket.as_raw_fd(), (&raw mut mark).cast());
    // SAFETY: room for an int of that length.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MARK, pointer, &mut len) })?;
    if mark == 0 {
        set(fd, libc::SOL_SOCKET, libc::SO_MARK, BYPASS_MARK as i32)?;
    }
    Ok(mark == 0 || mark == BYPASS_MARK)
}

/// Lets another process's socket join a group of the same port.
pub fn allow_sharing(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
}

/// The path MTU that the kernel knows towards an address, in bytes of IP packet.
pub fn path_mtu(destination: IpAddr) -> io::Result<u32> {
    let v6 = destination.is_ipv6();
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: no pointers.
    let socket = owned(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // The way of the outer packets, not that of what policies lead away.
    set(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MARK, BYPASS_MARK as i32)?;
    let address = RawAddress::new(SocketAddr::new(destination, 4500));
    let (mut value, mut len) = (0i32, size_of::<i32>() as u32);
    let (level, name) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_MTU) } else { (libc::IPPROTO_IP, libc::IP_MTU) };
    // SAFETY: a valid address of its length, and an int to fill. Connecting a datagram socket sends nothing.
    unsafe {
        let fd = socket.as_raw_fd();
        check(libc::connect(fd, (&raw const address.storage).cast(), address.len))?;
        check(libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut len))?;
    }
    Ok(value.max(0) as u32)
}

/// Control messages of an outgoing batch: the source address, TOS, and the size of the pieces.
#[repr(C, align(8))]
pub struct SendControl {
    bytes: [u8; 128],
    len: usize,
}

impl SendControl {
    /// `tos` 0 is the socket's default. `segment` is the length of each datagram where there are several.
    pub fn new(source: IpAddr, tos: u8, segment: Option<u16>) -> Self {
        let mut this = Self { bytes: [0; 128], len: 0 };
        match source {
            IpAddr::V4(v4) if !v4.is_unspecified() => {
                let source = libc::in_addr { s_addr: u32::from_ne_bytes(v4.octets()) };
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: source };
                this.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(v6) if !v6.is_unspecified() => {
                let source = libc::in6_addr { s6_addr: v6.octets() };
                let info = libc::in6_pktinfo { ipi6_addr: source, ipi6_ifindex: 0 };
                this.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
            _ => {}
        }
        if tos != 0 {
            if source.is_ipv4() {
                this.push(libc::IPPROTO_IP, libc::IP_TOS, i32::from(tos));
            } else {
                this.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, i32::from(tos));
            }
        }
        if let Some(segment) = segment {
            this.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
        }
        this
    }

    fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        // SAFETY: CMSG_* are arithmetic. All three messages together take 88 bytes of the 128; the start of each is
        // aligned, as the buffer is and CMSG_SPACE rounds up.
        unsafe {
            let header = self.bytes.as_mut_ptr().add(self.len).cast::<libc::cmsghdr>();
            let space = libc::CMSG_SPACE(size_of::<T>() as u32) as usize;
            assert!(self.len + space <= self.bytes.len());
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as _;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
            self.len += space;
        }
    }
}

/// Sends `data` in one call.
pub fn send(
    socket: BorrowedFd<'_>,
    to: &RawAddress,
    control: &mut SendControl,
    data: &[u8],
) -> io::Result<()> {
    let mut iovec = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = (&raw const to.storage).cast_mut().cast();
    header.msg_namelen = to.len;
    header.msg_iov = &mut iovec;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.as_mut_ptr().cast();
    header.msg_controllen = control.len as _;
    // SAFETY: the header points to live buffers of the stated lengths; the kernel only reads them.
    check_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &header, 0) }).map(|_| ())
}
