//! What any tunnel in user space costs: packets between a TUN and a UDP socket, and nothing done to them.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};
use uxfrm::sys::tun::{self, VNET_HEADER_LEN};

const PORT: u16 = 4500;
/// The hosts' packets and their virtio header; super-packets do not come through.
const BUFFER_LEN: usize = 2048;
/// Looks for another packet before it sleeps, as a tunnel does that expects an answer.
const LOOKS: u32 = 60;

/// `xtask bench relay`.
#[derive(Debug, clap::Args)]
pub struct Relay {
    /// Name of the interface, which is created.
    interface: String,
    /// Our address on the wire.
    local: Ipv4Addr,
    /// The other end's.
    remote: Ipv4Addr,
}

/// Relays until it is killed.
///
/// # Errors
/// Of the system calls.
pub fn run(options: &Relay) -> anyhow::Result<()> {
    let queue = tun::open_queue(&options.interface, false)?;
    tun::configure(&options.interface, super::lab::HOST_MTU)?;
    let socket = UdpSocket::bind((options.local, PORT))?;
    socket.connect((options.remote, PORT))?;
    socket.set_nonblocking(true)?;
    let (mut outward, mut inward) = ([0; BUFFER_LEN], [0; BUFFER_LEN]);
    let mut looks = 0;
    loop {
        if looks == 0 {
            let mut both =
                [queue.fd.as_fd(), socket.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            poll(&mut both, None::<&Timespec>)?;
        }
        let mut moved = false;
        match read(&queue.fd, &mut outward) {
            Ok(len) => {
                // What can't be sent is lost, as on any wire.
                let _ = socket.send(&outward[VNET_HEADER_LEN..len]);
                moved = true;
            }
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        if let Ok(len) = socket.recv(&mut inward[VNET_HEADER_LEN..]) {
            let _ = write(&queue.fd, &inward[..VNET_HEADER_LEN + len]);
            moved = true;
        }
        if moved {
            looks = LOOKS;
        } else if looks > 0 {
            looks -= 1;
            std::thread::yield_now();
        }
    }
}
