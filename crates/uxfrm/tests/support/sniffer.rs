//! Looks at what passes an interface: whether it can be read, and whether it is anything else than IPsec.

use super::load::{LOOK, MARK, inside};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// As much of a packet as is looked at, in bytes: several marks long.
const LOOK_LEN: usize = 2048;
const ETHERNET_LEN: usize = 14;
/// Headers of a packet, and of the one that an ICMP message is about.
const SHOWN_LEN: usize = 96;
const IKE: u16 = 500;
const ESP_IN_UDP: u16 = 4500;

/// Packets by what they are.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub packets: u64,
    /// With the mark of [`super::load`] in them.
    pub readable: u64,
    /// Neither IKE, nor ESP, nor what finds neighbours.
    pub foreign: u64,
    /// How the first of these begins, in hexadecimal.
    pub stranger: Option<String>,
}

/// Looks until it is asked.
pub struct Sniffer {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

impl Sniffer {
    pub fn start(namespace: &str, interface: &'static str) -> Self {
        let end = Arc::<AtomicBool>::default();
        let told = end.clone();
        Self { end, thread: Some(inside(namespace, move || look(interface, &told))) }
    }

    /// What has passed.
    pub fn finish(mut self) -> Seen {
        self.end.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn open(interface: &str) -> OwnedFd {
    let name = std::ffi::CString::new(interface).unwrap();
    let everything = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: pointers to live values of the lengths told; a new descriptor that is ours.
    unsafe {
        // Of no protocol until it is bound: it would hear every interface until then.
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0, "{}", std::io::Error::last_os_error());
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = everything;
        address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
        let bound = libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32);
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        let timeout = libc::timeval { tv_sec: 0, tv_usec: LOOK.subsec_micros().into() };
        let len = size_of_val(&timeout) as u32;
        let set = libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const timeout).cast(), len);
        assert_eq!(set, 0);
        OwnedFd::from_raw_fd(fd)
    }
}

fn look(interface: &str, end: &AtomicBool) -> Seen {
    let socket = open(interface);
    let (mut seen, mut buffer) = (Seen::default(), vec![0u8; LOOK_LEN]);
    while !end.load(Ordering::Relaxed) {
        // SAFETY: a writable buffer of that length.
        let len = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(len) = usize::try_from(len) else { continue };
        let frame = &buffer[..len];
        // SAFETY: both are readable for their lengths.
        let found = unsafe { libc::memmem(frame.as_ptr().cast(), len, MARK.as_ptr().cast(), MARK.len()) };
        seen.packets += 1;
        seen.readable += u64::from(!found.is_null());
        if !is_expected(frame) {
            seen.foreign += 1;
            let head = || frame.iter().take(SHOWN_LEN).map(|byte| format!("{byte:02x}")).collect();
            seen.stranger.get_or_insert_with(head);
        }
    }
    seen
}

fn is_expected(frame: &[u8]) -> bool {
    let Some((ethernet, packet)) = frame.split_at_checked(ETHERNET_LEN) else { return false };
    let (protocol, payload) = match u16::from_be_bytes([ethernet[12], ethernet[13]]) {
        // ARP.
        0x0806 => return true,
        0x0800 if packet.len() >= 20 => (packet[9], packet.get(usize::from(packet[0] & 15) * 4..)),
        0x86dd if packet.len() >= 40 => (packet[6], packet.get(40..)),
        _ => return false,
    };
    let port =
        payload.and_then(|payload| payload.get(2..4)).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match i32::from(protocol) {
        libc::IPPROTO_ESP => true,
        libc::IPPROTO_UDP => port.is_some_and(|port| port == IKE || port == ESP_IN_UDP),
        // Neighbours and groups.
        libc::IPPROTO_ICMPV6 | libc::IPPROTO_HOPOPTS => packet[0] >> 4 == 6,
        _ => false,
    }
}
