//! Unix sockets that have a path, for the user of this process alone.

use super::{check, owned, with_path};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;
/// How long the processes of a broker that was killed may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

fn address_of(path: &Path) -> io::Result<(libc::sockaddr_un, u32)> {
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    let bytes = path.as_os_str().as_bytes();
    let most = address.sun_path.len() - 1;
    if bytes.is_empty() || bytes.len() > most {
        let text = format!("the path of a socket has 1 to {most} bytes, not {}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok((address, size_of::<libc::sockaddr_un>() as u32))
}

fn socket(kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) })
}

/// Whether somebody listens at a path, with whatever kind of socket.
fn is_alive(path: &Path) -> io::Result<bool> {
    let (socket, (address, len)) = (socket(libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK)?, address_of(path)?);
    // SAFETY: a valid address of the stated length.
    let connected = check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) });
    // Another kind (EPROTOTYPE) and a full backlog are somebody's, too.
    let gone = |e: &io::Error| matches!(e.raw_os_error(), Some(libc::ECONNREFUSED | libc::ENOENT));
    Ok(!connected.is_err_and(|e| gone(&e)))
}

/// Removes a socket that was left at a path, and nothing else. With `heed` not one at which somebody listens who does not end
/// within two seconds.
///
/// # Errors
/// `AlreadyExists` for another file, `AddrInUse` for a socket in use, each with the path; of the system calls.
pub fn make_room(path: &Path, heed: bool) -> io::Result<()> {
    try_make_room(path, heed).map_err(|error| with_path(error, path))
}

fn try_make_room(path: &Path, heed: bool) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        other => other.map(|_| ())?,
    }
    let start = Instant::now();
    while heed && is_alive(path)? {
        if start.elapsed() > PATIENCE {
            let text =
                "another program listens there, perhaps another `uxfrm run`: each needs a path of its own";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        std::thread::sleep(PAUSE);
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn listen(path: &Path, kind: i32) -> io::Result<OwnedFd> {
    let socket = socket(kind)?;
    let (fd, (address, len)) = (socket.as_raw_fd(), address_of(path)?);
    // The file gets the mode that the socket has when it is bound: there is no moment in which others may connect.
    // SAFETY: no pointers; a valid address of the stated length; no pointers.
    unsafe {
        check(libc::fchmod(fd, 0o600))?;
        check(libc::bind(fd, (&raw const address).cast(), len))?;
        check(libc::listen(fd, BACKLOG))?;
    }
    Ok(socket)
}

/// Listens for messages ([`super::message`]) at a path where nobody else does.
///
/// # Errors
/// As of [`make_room`], and of bind: the directory is missing, or the path too long.
pub fn listen_seqpacket(path: &Path) -> io::Result<OwnedFd> {
    make_room(path, true)?;
    listen(path, libc::SOCK_SEQPACKET).map_err(|error| with_path(error, path))
}

/// Accepts streams without waiting for them.
pub struct StreamListener {
    listener: UnixListener,
    /// Given up for a moment to turn somebody away where this process may have no more descriptors: who waits would be reported again
    /// and again.
    spare: Option<OwnedFd>,
}

impl StreamListener {
    /// The next who waits. `None` where nobody does, or who did was turned away for want of a descriptor.
    pub fn accept(&mut self) -> Option<UnixStream> {
        match self.listener.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) => {
                if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                    self.spare = None;
                    drop(self.listener.accept());
                    self.spare = spare();
                }
                None
            }
        }
    }
}

impl AsFd for StreamListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}

/// Listens for streams at a path, in the place of who did before; accepting does not block.
///
/// # Errors
/// As of [`make_room`], and of bind: the directory is missing, or the path too long.
pub fn listen_stream(path: &Path) -> io::Result<StreamListener> {
    make_room(path, false)?;
    let socket = listen(path, libc::SOCK_STREAM | libc::SOCK_NONBLOCK);
    let listener = socket.map_err(|error| with_path(error, path))?.into();
    Ok(StreamListener { listener, spare: spare() })
}

/// Connects to who listens for messages at a path.
///
/// # Errors
/// Where nobody listens there.
pub fn connect_seqpacket(path: &Path) -> io::Result<OwnedFd> {
    let (socket, (address, len)) = (socket(libc::SOCK_SEQPACKET)?, address_of(path)?);
    // SAFETY: a valid address of the stated length.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_dead_socket_makes_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        std::fs::write(&path, "precious").unwrap();
        for listened in [listen_seqpacket(&path).map(drop), listen_stream(&path).map(drop)] {
            let error = listened.unwrap_err();
            assert!(
                error.to_string().contains("no socket") && error.to_string().contains("/socket"),
                "{error}"
            );
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_file(&path).unwrap();
        // Somebody's, of either kind.
        let first = listen_stream(&path).unwrap();
        assert_eq!(listen_seqpacket(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // The next engine takes the place of one that hangs.
        let second = listen_stream(&path).unwrap();
        drop((first, second));
        let third = listen_seqpacket(&path).unwrap();
        assert_eq!(make_room(&path, true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(connect_seqpacket(&path).is_ok());
        // One that ends meanwhile.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                drop(third);
            });
            make_room(&path, true).unwrap();
        });
        assert!(!path.exists());
    }

    #[test]
    fn they_are_for_one_user() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = listen_stream(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let long = directory.path().join("x".repeat(200));
        let error = listen_seqpacket(&long).unwrap_err().to_string();
        assert!(error.contains("1 to 107 bytes, not 2"), "{error}");
    }
}
