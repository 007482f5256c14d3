//! One broker for each network namespace: two would share the port and take each other's ESP and policies.

use crate::sys::{check, message, netns, owned};
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// An abstract Unix name, of which each network namespace has its own.
const NAME: &[u8] = b"\0uxfrm-broker";
const ADDRESS_LEN: u32 = (offset_of!(libc::sockaddr_un, sun_path) + NAME.len()) as u32;

/// Others that may look at a time; the broker lets them go at once.
const BACKLOG: i32 = 128;
/// Who lets nobody in for so long is no broker: anybody may listen at the name, and fill his own backlog.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The namespace is this broker's for as long as this lives. Without a socket where a stranger has the name.
pub(super) struct Claim(Option<OwnedFd>);

impl Claim {
    /// Readable when others look.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// Lets one go that has looked.
    pub(super) fn serve(&self) {
        if let Some(socket) = self.socket() {
            // One that is gone already has seen enough.
            let _ = message::accept(socket);
        }
    }
}

/// Claims the namespace. `None` where another broker of the same user has it. A stranger's socket of that name claims nothing:
/// everybody may make one.
///
/// # Errors
/// Of the socket calls.
pub(super) fn claim(namespace: Option<&OwnedFd>) -> io::Result<Option<Claim>> {
    match namespace {
        Some(netns) => netns::run_in(netns.as_fd(), claim_here),
        None => claim_here(),
    }
}

fn claim_here() -> io::Result<Option<Claim>> {
    let (socket, address) = (socket()?, address());
    let (pointer, len) = ((&raw const address).cast(), ADDRESS_LEN);
    // SAFETY: `len` bytes of the address are initialised.
    match check(unsafe { libc::bind(socket.as_raw_fd(), pointer, len) }) {
        Ok(_) => {
            // SAFETY: no pointers.
            check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
            Ok(Some(Claim(Some(socket))))
        }
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            if is_served(&address)? {
                return Ok(None);
            }
            tracing::warn!("a stranger has the name by which brokers know of each other");
            Ok(Some(Claim(None)))
        }
        Err(error) => Err(error),
    }
}

/// Whether who has the name is a broker of this process's user.
fn is_served(address: &libc::sockaddr_un) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        let client = socket()?;
        let (fd, pointer) = (client.as_raw_fd(), (&raw const *address).cast());
        // SAFETY: so many bytes of the address are initialised.
        match check(unsafe { libc::connect(fd, pointer, ADDRESS_LEN) }) {
            Ok(_) => return is_own(&client),
            // Many look, or nobody is let in.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {}
            Err(_) => return Ok(false),
        }
        std::thread::sleep(PAUSE);
    }
}

fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })
}

fn address() -> libc::sockaddr_un {
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (to, from) in address.sun_path.iter_mut().zip(NAME) {
        *to = *from as libc::c_char;
    }
    address
}

/// Whether who listens is of this process's user.
fn is_own(client: &OwnedFd) -> io::Result<bool> {
    // SAFETY: all-zero is a valid ucred.
    let mut peer: libc::ucred = unsafe { zeroed() };
    let mut len = size_of::<libc::ucred>() as u32;
    let (fd, pointer) = (client.as_raw_fd(), (&raw mut peer).cast());
    // SAFETY: room for a ucred of that length.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, pointer, &mut len) })?;
    // SAFETY: no arguments, no failure.
    Ok(peer.uid == unsafe { libc::geteuid() })
}
