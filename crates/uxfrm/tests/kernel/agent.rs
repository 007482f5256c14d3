//! What runs inside the guest: the kernel's end of a tunnel. Takes requests for the kernel's XFRM over the wire, and sends
//! back whatever arrives through the tunnel.

use std::ffi::c_void;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;

use super::socket::Kernel;
use std::time::Duration;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{Header, Writer};

/// Where requests are taken, on the outer address.
pub const CONTROL_PORT: u16 = 9000;
/// Where TCP and UDP are sent back, on the inner addresses.
pub const ECHO_PORT: u16 = 9007;
/// `UDP_ENCAP` and `UDP_ENCAP_ESPINUDP` of `linux/udp.h`.
const UDP_ENCAP: i32 = 100;
const ESP_IN_UDP: i32 = 2;

/// Outer and inner addresses, ours and the guest's.
pub const OUTER: [[&str; 2]; 2] = [["198.51.100.1", "198.51.100.2"], ["2001:db8::1", "2001:db8::2"]];
pub const INNER: [[&str; 2]; 2] = [["10.1.0.1", "10.2.0.1"], ["fd01::1", "fd02::1"]];

/// Where what reaches a policy without an SA is sent: it has a route, and nobody is there.
pub const TRAPPED: &str = "10.3.0.1";
/// From and to these ports.
pub const TRAPPED_PORTS: (u16, u16) = (5000, 6000);
/// Instead of a request for XFRM: the next event.
pub const NEXT_EVENT: &[u8] = b"event";
/// Instead of a request for XFRM: send datagrams to [`TRAPPED`].
pub const SEND_TRAPPED: &[u8] = b"trap";
/// Instead of a request for XFRM: send a datagram through the tunnel.
pub const SEND_ONCE: &[u8] = b"once";
/// How long an event is waited for.
pub const EVENT_LIMIT: Duration = Duration::from_secs(6);
/// How many datagrams are sent to a policy without an SA.
const TRAPPED_COUNT: usize = 3;

/// Serves one connection and returns when it ends. With an `if_id` what goes into a tunnel takes that interface; else it is
/// policies that send it there.
pub fn serve(if_id: Option<u32>) {
    configure();
    if let Some(if_id) = if_id {
        make_interface(if_id);
    }
    let (_v4, _v6) = (encapsulation_socket("0.0.0.0:4500"), encapsulation_socket("[::]:4500"));
    for [_, inner] in INNER {
        let (udp, tcp) = (UdpSocket::bind((inner, ECHO_PORT)), TcpListener::bind((inner, ECHO_PORT)));
        std::thread::spawn(move || echo_datagrams(&udp.unwrap()));
        std::thread::spawn(move || echo_streams(&tcp.unwrap()));
    }
    let listener = TcpListener::bind((OUTER[0][1], CONTROL_PORT)).unwrap();
    println!("the agent listens");
    let (mut control, _) = listener.accept().unwrap();
    control.set_nodelay(true).unwrap();
    let kernel = Kernel::open().expect("CONFIG_XFRM_USER");
    let events = Kernel::open().unwrap();
    events.bind(&[XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING]);
    while let Some(request) = read_message(&mut control) {
        let answer = match &request[..] {
            NEXT_EVENT => events.wait(EVENT_LIMIT).unwrap_or_default(),
            SEND_TRAPPED => {
                send_trapped(INNER[0][1]);
                Vec::new()
            }
            SEND_ONCE => {
                let socket = UdpSocket::bind((INNER[0][1], 0)).unwrap();
                let _ = socket.send_to(b"once more", (INNER[0][0], ECHO_PORT));
                Vec::new()
            }
            _ => kernel.ask(&request).concat(),
        };
        write_message(&mut control, &answer);
    }
}

/// Sends datagrams that a policy without an SA catches.
pub fn send_trapped(from: &str) {
    let (source, destination) = TRAPPED_PORTS;
    let socket = UdpSocket::bind((from, source)).unwrap();
    for _ in 0..TRAPPED_COUNT {
        // The kernel may say that there is no way yet.
        let _ = socket.send_to(b"is anybody there?", (TRAPPED, destination));
    }
}

/// Makes the kernel's `ipsec0` with an if_id, and leads what goes into the tunnels there.
fn make_interface(if_id: u32) {
    const NEW_LINK: u16 = 16;
    const LINK_INFO: u16 = 18;
    // Create, exclusively.
    let flags = NLM_F_REQUEST | NLM_F_ACK | 0x600;
    let mut writer = Writer::new(Header { kind: NEW_LINK, flags, sequence: 1, port: 0 });
    writer.zeros(16);
    // Name; kind; data with the if_id.
    writer.attribute(3, |w| {
        w.bytes(b"ipsec0\0");
    });
    writer.attribute(LINK_INFO, |w| {
        w.attribute(1, |w| {
            w.bytes(b"xfrm\0");
        });
        w.attribute(2, |w| {
            w.attribute(2, |w| {
                w.u32(if_id);
            });
        });
    });
    let answer = Kernel::open_for(libc::NETLINK_ROUTE).unwrap().ask(&writer.finish()).concat();
    assert_eq!(answer[16..20], [0; 4], "xfrm interfaces: {answer:?}");
    let [[_, inner4], [_, inner6]] = INNER;
    shell(&format!(
        "set -e
         ip link set ipsec0 mtu 1400 up
         ip route del 10.1.0.0/24; ip -6 route del fd01::/64
         ip route add 10.1.0.0/24 dev ipsec0 src {inner4}
         ip route add 10.3.0.0/24 dev ipsec0 src {inner4}
         ip -6 route add fd01::/64 dev ipsec0 src {inner6}"
    ));
}

fn shell(script: &str) {
    assert!(Command::new("/bin/sh").args(["-c", script]).status().unwrap().success(), "{script}");
}

/// Reads what [`write_message`] wrote; nothing at the end.
pub fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut message = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// Writes bytes behind their length.
pub fn write_message(stream: &mut TcpStream, message: &[u8]) {
    let len = (message.len() as u32).to_be_bytes();
    stream.write_all(&[&len, message].concat()).unwrap();
}

fn configure() {
    let [[_, outer4], [_, outer6]] = OUTER;
    let [[_, inner4], [_, inner6]] = INNER;
    let script = format!(
        "set -e
         echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
         echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
         ip link set lo up; ip link set eth0 up
         ip addr add {outer4}/24 dev eth0; ip addr add {outer6}/64 dev eth0
         ip addr add {inner4}/32 dev lo; ip addr add {inner6}/128 dev lo
         ip route add 10.1.0.0/24 via 198.51.100.1 src {inner4}
         ip -6 route add fd01::/64 via 2001:db8::1"
    );
    shell(&script);
}

/// A socket from which the kernel takes ESP in UDP.
fn encapsulation_socket(address: &str) -> UdpSocket {
    // Both families on one port: the standard library makes IPv6 sockets that take no IPv4 only on request.
    let socket = if address.starts_with('[') { v6_only(4500) } else { UdpSocket::bind(address).unwrap() };
    let (value, len) = (ESP_IN_UDP, size_of::<i32>() as u32);
    let value: *const c_void = (&raw const value).cast();
    // SAFETY: an open socket and a readable integer of the length told.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_UDP, UDP_ENCAP, value, len) };
    assert_eq!(set, 0, "UDP_ENCAP: {}", std::io::Error::last_os_error());
    socket
}

fn v6_only(port: u16) -> UdpSocket {
    // SAFETY: plain system calls; all pointers are to live values of the lengths told; the descriptor is new and ours.
    unsafe {
        let fd = libc::socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let (one, len) = (1i32, size_of::<i32>() as u32);
        let set = libc::setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, (&raw const one).cast(), len);
        assert_eq!(set, 0);
        let mut address: libc::sockaddr_in6 = std::mem::zeroed();
        address.sin6_family = libc::AF_INET6 as u16;
        address.sin6_port = port.to_be();
        let bound = libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32);
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        UdpSocket::from(OwnedFd::from_raw_fd(fd))
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut buffer = vec![0; 65536];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut buffer) {
            // Too long for a path whose MTU was just learnt: the sender asks again.
            let _ = socket.send_to(&buffer[..len], from);
        }
    }
}

fn echo_streams(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut whole = Vec::new();
            // The sender closes its direction, or gives up.
            if stream.read_to_end(&mut whole).is_ok() {
                let _ = stream.write_all(&whole);
            }
        });
    }
}
