//! TUN interfaces with virtio headers, so that super-packets pass whole.

use super::rtnetlink::RouteSocket;
use super::{check, owned};
use crate::xfrm::wire::Writer;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const TUN_F_CSUM: libc::c_ulong = 0x01;
const TUN_F_TSO4: libc::c_ulong = 0x02;
const TUN_F_TSO6: libc::c_ulong = 0x04;
const TUN_F_TSO_ECN: libc::c_ulong = 0x08;
const TUN_F_USO4: libc::c_ulong = 0x20;
const TUN_F_USO6: libc::c_ulong = 0x40;
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETOFFLOAD: libc::c_ulong = 0x4004_54d0;
const TUNSETPERSIST: libc::c_ulong = 0x4004_54cb;

/// Length of `struct virtio_net_hdr` before each packet.
pub const VNET_HEADER_LEN: usize = 10;

/// One queue of an interface.
pub struct Queue {
    pub fd: OwnedFd,
    /// The kernel takes and gives UDP super-packets (Linux 6.2).
    pub udp_segmentation: bool,
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.bytes().any(|b| b == b'/' || b <= b' ')
    {
        let allowed = "an interface's name has 1 to 15 bytes, none of them / or a blank";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?}: {allowed}")));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn attach(name: &str, shared: bool) -> io::Result<OwnedFd> {
    let path = c"/dev/net/tun";
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: a C string.
    let fd = owned(unsafe { libc::open(path.as_ptr(), flags) })?;
    let mut request = request(name)?;
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let several = if shared { libc::IFF_MULTI_QUEUE } else { 0 };
    request.ifr_ifru.ifru_flags = (flags | several) as i16;
    // SAFETY: TUNSETIFF takes an ifreq, which lives over the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETIFF, &mut request) })?;
    Ok(fd)
}

/// Opens one more queue of the interface `name` in this thread's namespace, creating the interface if need be. `shared`
/// says that there will be several: the kernel then makes 256 transmit queues, with megabytes of queueing disciplines.
///
/// # Errors
/// `/dev/net/tun` missing or not permitted, a bad name, or an interface of another kind with that name.
pub fn open_queue(name: &str, shared: bool) -> io::Result<Queue> {
    let fd = match attach(name, shared) {
        // One that outlived its broker, made for another number of workers.
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => {
            let left = attach(name, !shared)?;
            set_persistent(left.as_fd(), false)?;
            drop(left);
            attach(name, shared)?
        }
        other => other?,
    };
    Queue::of(fd)
}

/// Asks for all offloads, or for those of older kernels. Whether UDP is among them.
fn offload(mut set: impl FnMut(libc::c_ulong) -> io::Result<()>) -> io::Result<bool> {
    let offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if set(offloads | TUN_F_USO4 | TUN_F_USO6).is_ok() {
        return Ok(true);
    }
    set(offloads).map(|()| false)
}

impl Queue {
    /// A queue that was opened, now or by an engine before this one: the kernel is asked (again) what it can do.
    ///
    /// # Errors
    /// `EBADFD` where the queue's interface was deleted.
    pub fn of(fd: OwnedFd) -> io::Result<Self> {
        let udp_segmentation = offload(|flags| {
            // SAFETY: TUNSETOFFLOAD takes its flags by value.
            check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETOFFLOAD, flags) }).map(drop)
        })?;
        Ok(Self { fd, udp_segmentation })
    }

    /// Whether its interface is still there.
    pub fn is_attached(&self) -> bool {
        is_attached(self.fd.as_fd())
    }
}

/// The queue of an interface that is gone has an error for who polls it. An ioctl would say the same, but waits for the lock of
/// all network configuration (RTNL), which whoever removes a namespace or an interface may hold for seconds.
fn is_attached(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: one descriptor to be polled, which lives over the call.
    let polled = unsafe { libc::poll(&mut poll, 1, 0) };
    polled >= 0 && poll.revents & (libc::POLLERR | libc::POLLNVAL) == 0
}

/// Whether the interface of a queue stays when its last queue is closed: without a carrier, and losing every packet.
///
/// # Errors
/// Of the ioctl.
pub fn set_persistent(queue: BorrowedFd<'_>, stays: bool) -> io::Result<()> {
    // SAFETY: TUNSETPERSIST takes its argument by value.
    check(unsafe { libc::ioctl(queue.as_raw_fd(), TUNSETPERSIST, libc::c_ulong::from(stays)) }).map(|_| ())
}

/// Packets that may wait in each queue, so that a burst survives a moment in which the worker has no CPU: 10 ms at 100,000
/// packets a second. The kernel's default is 500.
const QUEUE_LEN: u32 = 1000;

const IFLA_IFNAME: u16 = 3;

/// Removes an interface of this thread's namespace. Its queues are dead then.
///
/// # Errors
/// Of rtnetlink, `ENODEV` where there is none of that name.
pub fn remove(name: &str) -> io::Result<()> {
    const RTM_DELLINK: u16 = 17;
    let mut writer = Writer::bare();
    // struct ifinfomsg: the name says which.
    writer.zeros(16);
    writer.attribute(IFLA_IFNAME, |w| {
        w.bytes(name.as_bytes()).u8(0);
    });
    RouteSocket::open(0)?.request(RTM_DELLINK, 0, &writer.finish_bare())
}

/// By rtnetlink: the ioctl takes a right in the first user namespace, which root of a container has not.
fn set_queue_len(name: &str) -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const IFLA_TXQLEN: u16 = 13;
    let mut writer = Writer::bare();
    // struct ifinfomsg: the name says which.
    writer.zeros(16);
    writer.attribute(IFLA_IFNAME, |w| {
        w.bytes(name.as_bytes()).u8(0);
    });
    writer.attribute(IFLA_TXQLEN, |w| {
        w.u32(QUEUE_LEN);
    });
    RouteSocket::open(0)?.request(RTM_NEWLINK, 0, &writer.finish_bare())
}

/// Sets the MTU and the queue's length and takes the interface up, in this thread's namespace. No IPv6 link-local address
/// is made, and as the kernel's xfrm interfaces it is not for multicast: nothing but tunnelled traffic may come out of it,
/// and services announce themselves on every interface that says it is.
///
/// # Errors
/// Of the ioctls.
pub fn configure(name: &str, mtu: u16) -> io::Result<()> {
    // SAFETY: no pointers.
    let socket = owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    let fd = socket.as_raw_fd();
    // Where IPv6 is off there is no such file, and nothing to turn off.
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode"), "1");
    let mut request = request(name)?;
    request.ifr_ifru.ifru_mtu = mtu.into();
    set_queue_len(name)?;
    // SAFETY: these ioctls take an ifreq, which lives over the calls.
    unsafe {
        check(libc::ioctl(fd, libc::SIOCSIFMTU, &mut request))?;
        check(libc::ioctl(fd, libc::SIOCGIFFLAGS, &mut request))?;
        let flags = request.ifr_ifru.ifru_flags & !(libc::IFF_MULTICAST as i16);
        request.ifr_ifru.ifru_flags = flags | (libc::IFF_UP | libc::IFF_RUNNING) as i16;
        check(libc::ioctl(fd, libc::SIOCSIFFLAGS, &mut request))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_udp_segmentation_gets_what_it_knows() {
        let mut asked = Vec::new();
        let old_kernel = |flags: libc::c_ulong| {
            asked.push(flags);
            let knows = flags & (TUN_F_USO4 | TUN_F_USO6) == 0;
            if knows { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
        };
        assert!(!offload(old_kernel).unwrap());
        assert_eq!(asked, [0x6f, 0x0f]);
        assert!(offload(|_| Ok(())).unwrap());
        assert!(offload(|_| Err(io::Error::from_raw_os_error(libc::EBADFD))).is_err());
    }

    #[test]
    fn a_descriptor_without_an_interface_is_no_queue() {
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert!(Queue::of(null()).is_err(), "a kept descriptor is asked");
        // One that was opened and never got an interface, which is how the kernel sees one that lost it.
        match std::fs::File::open("/dev/net/tun") {
            Ok(bare) => assert!(!is_attached(bare.as_fd())),
            Err(error) => eprintln!("not tested: /dev/net/tun: {error}"),
        }
    }
}
