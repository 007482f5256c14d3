//! The outer sockets and TUN queues of an engine: opened, or taken over from the engine before it.

use super::config::EngineConfig;
use super::link::{self, Kind};
use crate::datapath::interface::Interface;
use crate::datapath::shared::WorkerSockets;
use crate::sys::socket;
use crate::sys::tun::{self, Queue};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What the names of all kept queues begin with.
pub const TUN_PREFIX: &str = "tun-";

/// What the names of an interface's kept queues begin with.
pub fn kept_prefix(if_id: u32) -> String {
    format!("{TUN_PREFIX}{if_id}-")
}

/// How long the processes of a broker that was killed may take to let the port go.
const PORT_PATIENCE: Duration = Duration::from_secs(2);

/// Descriptors that the broker kept, by name.
pub struct Kept<'a> {
    pub descriptors: HashMap<String, OwnedFd>,
    pub link: BorrowedFd<'a>,
}

impl Kept<'_> {
    /// Takes a kept descriptor or opens a new one, which the broker then keeps.
    fn take_or(&mut self, name: &str, open: impl FnOnce() -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
        if let Some(kept) = self.descriptors.remove(name) {
            return Ok(kept);
        }
        let opened = open()?;
        link::send(self.link, Kind::Keep, 0, name.as_bytes(), Some(opened.as_fd()), true)?;
        Ok(opened)
    }

    /// The group of UDP sockets of one family: at least one per CPU, the first for the workers to receive from, the next
    /// for them to send from. `None` without the family.
    fn udp_group(&mut self, v6: bool, config: &EngineConfig) -> io::Result<Option<Vec<OwnedFd>>> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = config.worker_count();
        let mut sockets = Vec::new();
        let prefix = if v6 { "udp6-" } else { "udp4-" };
        let is_own = self.descriptors.keys().any(|name| name.starts_with(prefix));
        for index in 0..cpus.max(workers * 2) {
            let name = format!("{prefix}{index}");
            let open = || {
                // One of another's in the group would have a place among those to which ESP is steered.
                if !is_own && index == 0 {
                    socket::await_free_port(v6, config.port, PORT_PATIENCE)?;
                }
                socket::udp_socket(v6, config.port, (index % cpus) as i32)
            };
            match self.take_or(&name, open) {
                Ok(socket) => {
                    if index >= workers {
                        socket::receive_nothing(socket.as_fd())?;
                    }
                    sockets.push(socket);
                }
                Err(e) if v6 && e.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
                    let text = "another process has it (ss -lnup says which)";
                    return Err(io::Error::new(e.kind(), format!("UDP port {}: {e}: {text}", config.port)));
                }
                Err(e) => return Err(io::Error::new(e.kind(), format!("UDP port {}: {e}", config.port))),
            }
        }
        if let Some(first) = sockets.first() {
            socket::attach_steering(first.as_fd(), workers as u32, sockets.len() as u32)?;
        }
        Ok(Some(sockets))
    }

    /// The sockets of all workers; more UDP sockets, which only stand for CPUs, are kept by the broker and closed here.
    ///
    /// # Errors
    /// The port is taken, or a privilege is missing.
    pub fn worker_sockets(&mut self, config: &EngineConfig) -> io::Result<Vec<WorkerSockets>> {
        let workers = config.worker_count();
        let mut split = |v6| -> io::Result<_> {
            let mut receive = self.udp_group(v6, config)?.unwrap_or_default();
            let send = if receive.is_empty() { Vec::new() } else { receive.split_off(workers) };
            Ok((receive.into_iter(), send.into_iter()))
        };
        let ((mut v4, mut send_v4), (mut v6, mut send_v6)) = (split(false)?, split(true)?);
        let raw = |v6: bool| match socket::raw_socket(v6) {
            _ if !config.plain_esp => Ok(None),
            Ok(socket) => Ok(Some(socket)),
            Err(e) if v6 && e.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ok(None),
            // Without CAP_NET_RAW: most tunnels go in UDP anyway.
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
                super::say(format_args!("no raw sockets ({e}): ESP goes in UDP only"));
                Ok(None)
            }
            Err(e) => Err(e),
        };
        let (mut raw_v4, mut raw_v6) = (raw(false)?, raw(true)?);
        let sockets = (0..workers).map(|_| WorkerSockets {
            udp_v4: v4.next(),
            udp_v6: v6.next(),
            send_v4: send_v4.next(),
            send_v6: send_v6.next(),
            raw_v4: raw_v4.take(),
            raw_v6: raw_v6.take(),
            send_v4_fragmentation: Default::default(),
            raw_v4_fragmentation: Default::default(),
        });
        Ok(sockets.collect())
    }

    /// The interface of an `if_id`, created if need be.
    ///
    /// # Errors
    /// TUN not permitted, a bad name, or the name is taken.
    pub fn interface(&mut self, if_id: u32, config: &EngineConfig) -> io::Result<Interface> {
        let (name, workers) = (config.name_of(if_id), config.worker_count());
        let (mut queues, mut is_new) = (Vec::new(), true);
        for index in 0..workers {
            let kept_name = format!("{}{index}", kept_prefix(if_id));
            // What the kernel can do is not kept; and of an interface that was deleted meanwhile the queues are useless.
            let kept = self.descriptors.remove(&kept_name).and_then(|kept| Queue::of(kept).ok());
            is_new &= kept.is_none();
            queues.push(match kept {
                Some(queue) => queue,
                None => {
                    let queue = tun::open_queue(&name, workers > 1)?;
                    let (link, fd) = (self.link, queue.fd.as_fd());
                    link::send(link, Kind::Keep, 0, kept_name.as_bytes(), Some(fd), true)?;
                    queue
                }
            });
        }
        // One that was kept is as the operator left it: another MTU, or down.
        if is_new {
            tun::configure(&name, config.mtu)?;
        }
        Ok(Interface { if_id, name, queues })
    }

    /// The `if_id`s whose interfaces were kept.
    pub fn kept_interfaces(&self) -> std::collections::BTreeSet<u32> {
        let names = self.descriptors.keys();
        names.filter_map(|name| name.strip_prefix(TUN_PREFIX)?.split('-').next()?.parse().ok()).collect()
    }
}
