//! A socket to this kernel's own XFRM, in the namespace that the calling thread is in.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use uxfrm::xfrm::constants::NETLINK_XFRM;

/// Longer than any answer to the tests' requests, in bytes.
const DATAGRAM_LEN: usize = 8192;

/// The kernel's XFRM.
pub struct Kernel(OwnedFd);

impl Kernel {
    /// Nothing where the kernel has no `CONFIG_XFRM_USER`.
    pub fn open() -> Option<Self> {
        Self::open_for(NETLINK_XFRM)
    }

    /// Of another of netlink's protocols.
    pub fn open_for(protocol: i32) -> Option<Self> {
        // SAFETY: no pointers; a new descriptor.
        unsafe {
            let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol);
            (fd >= 0).then(|| Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// The datagrams that answer the messages of one.
    pub fn ask(&self, request: &[u8]) -> Vec<Vec<u8>> {
        let fd = self.0.as_raw_fd();
        // SAFETY: a readable buffer.
        let sent = unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) };
        assert_eq!(sent, request.len() as isize);
        // The kernel answers before `send` returns.
        self.waiting()
    }

    /// The datagrams that wait.
    pub fn waiting(&self) -> Vec<Vec<u8>> {
        let fd = self.0.as_raw_fd();
        let mut answers = Vec::new();
        loop {
            let mut buffer = vec![0u8; DATAGRAM_LEN];
            // SAFETY: a writable buffer.
            let len = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            let Ok(len) = usize::try_from(len) else { return answers };
            buffer.truncate(len);
            answers.push(buffer);
        }
    }

    /// As an IKE daemon does: binds to multicast groups.
    #[allow(dead_code)]
    pub fn bind(&self, groups: &[u32]) {
        // SAFETY: all-zero is a valid sockaddr_nl, which is read over the call.
        let bound = unsafe {
            let mut address: libc::sockaddr_nl = std::mem::zeroed();
            address.nl_family = libc::AF_NETLINK as u16;
            address.nl_groups = groups.iter().map(|group| 1 << (group - 1)).sum();
            let len = size_of_val(&address) as u32;
            libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), len)
        };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
    }

    /// Joins a multicast group.
    #[allow(dead_code)]
    pub fn listen(&self, group: u32) {
        const NETLINK_ADD_MEMBERSHIP: i32 = 1;
        // A socket without a port, as it is before it is bound or sends, hears nothing. One that has its port keeps it.
        // SAFETY: a whole address, which asks for any port.
        unsafe {
            let mut any: libc::sockaddr_nl = std::mem::zeroed();
            any.nl_family = libc::AF_NETLINK as u16;
            let len = size_of::<libc::sockaddr_nl>() as u32;
            libc::bind(self.0.as_raw_fd(), (&raw const any).cast(), len);
        }
        // SAFETY: an int option with its size.
        let joined = unsafe {
            let (value, len) = ((&raw const group).cast(), size_of::<u32>() as u32);
            libc::setsockopt(self.0.as_raw_fd(), libc::SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value, len)
        };
        assert_eq!(joined, 0, "{}", std::io::Error::last_os_error());
    }

    /// The next datagram.
    #[allow(dead_code)]
    pub fn wait(&self, limit: std::time::Duration) -> Option<Vec<u8>> {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor to be polled.
        unsafe { libc::poll(&mut poll, 1, limit.as_millis() as i32) };
        let mut buffer = vec![0u8; DATAGRAM_LEN];
        // SAFETY: a writable buffer.
        let len = unsafe {
            libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT)
        };
        buffer.truncate(usize::try_from(len).ok()?);
        Some(buffer)
    }
}
