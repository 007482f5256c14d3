//! What this machine permits: uxfrm's own needs, and whether the kernel could do IPsec itself.

use crate::sys::seccomp::{self, Filter};
use crate::sys::{owned, socket, tun};
use std::fmt;
use std::io;

/// One thing that was tried.
#[derive(Debug)]
pub struct Finding {
    pub what: &'static str,
    pub result: Result<(), String>,
    /// uxfrm cannot work without it.
    pub needed: bool,
}

/// All findings.
#[derive(Debug)]
pub struct Probe {
    pub findings: Vec<Finding>,
}

impl Probe {
    /// Whether uxfrm can run here.
    pub fn uxfrm_works(&self) -> bool {
        self.findings.iter().all(|f| f.result.is_ok() || !f.needed)
    }

    /// Whether the kernel has ESP and xfrm interfaces itself.
    pub fn kernel_works(&self) -> bool {
        let ok = |what| self.findings.iter().any(|f| f.what == what && f.result.is_ok());
        ok(KERNEL_ESP) && ok(KERNEL_INTERFACES)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            match &finding.result {
                Ok(()) => writeln!(f, "{:<28} yes", finding.what)?,
                Err(why) => writeln!(f, "{:<28} no: {why}", finding.what)?,
            }
        }
        let verdict = |works| if works { "works here" } else { "does not work here" };
        writeln!(f, "uxfrm {}", verdict(self.uxfrm_works()))?;
        writeln!(f, "IPsec of the kernel {}", verdict(self.kernel_works()))
    }
}

const KERNEL_ESP: &str = "kernel ESP";
const KERNEL_INTERFACES: &str = "kernel xfrm interfaces";

impl Probe {
    fn add(&mut self, what: &'static str, needed: bool, result: io::Result<()>) {
        let result = result.map_err(|error| match remedy(what, &error) {
            Some(remedy) => format!("{error}: {remedy}"),
            None => error.to_string(),
        });
        self.findings.push(Finding { what, needed, result });
    }

    /// What is needed and not there, a line each; nothing where uxfrm works.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.findings.iter().filter(|finding| finding.needed);
        missing.filter_map(|f| Some(format!("no {}: {}", f.what, f.result.as_ref().err()?))).collect()
    }
}

const SECCOMP: &str = "seccomp user notification";
const DESCRIPTORS: &str = "access to a child's sockets";
const NAMESPACE: &str = "network namespace of its own";
const TUN: &str = "TUN";
const UDP: &str = "port-sharing UDP with GRO";
const RAW: &str = "raw sockets (protocol 50)";

/// What an error most likely means there, and what helps.
fn remedy(what: &str, error: &io::Error) -> Option<&'static str> {
    Some(match (what, error.raw_os_error()?) {
        (SECCOMP, libc::EACCES) => "it takes CAP_SYS_ADMIN, or no_new_privs (setpriv --no-new-privs)",
        (SECCOMP, libc::EPERM) => "a seccomp profile (of a container?) forbids seccomp(2) with a listener",
        (SECCOMP, libc::ENOSYS | libc::EINVAL) => {
            "the kernel has none (CONFIG_SECCOMP_FILTER, Linux 5.0), or a seccomp profile hides it"
        }
        (SECCOMP, libc::EBUSY) => {
            "this process is under another listener already (of a container, or of uxfrm)"
        }
        (DESCRIPTORS, libc::EPERM) => {
            "a seccomp profile forbids pidfd_getfd(2) or process_vm_readv(2) (Docker's does without CAP_SYS_PTRACE), or Yama does"
        }
        (DESCRIPTORS, libc::ENOSYS) => {
            "the kernel has no pidfd_getfd(2) (Linux 5.6), or a seccomp profile hides it"
        }
        (NAMESPACE, libc::EPERM) => "it takes CAP_SYS_ADMIN, and a seccomp profile that permits unshare(2)",
        (NAMESPACE, libc::ENOSPC) => "there are as many as /proc/sys/user/max_net_namespaces permits",
        (TUN, libc::ENOENT) => {
            "there is no /dev/net/tun (mknod /dev/net/tun c 10 200; --device /dev/net/tun)"
        }
        (TUN, libc::ENODEV | libc::ENXIO) => "the kernel has none (CONFIG_TUN; modprobe tun)",
        (TUN, libc::EACCES) => "/dev/net/tun may not be opened (its mode, or the container's devices)",
        (TUN, libc::EPERM) => "it takes CAP_NET_ADMIN, and /dev/net/tun among the container's devices",
        (UDP, libc::EPERM | libc::EACCES) => "it takes CAP_NET_ADMIN",
        (RAW, libc::EPERM | libc::EACCES) => "it takes CAP_NET_RAW; ESP goes in UDP only",
        _ => return None,
    })
}

/// Tries what uxfrm cannot work without, and nothing else: for a program that starts. The symbols of the kernel, in
/// which [`probe`] looks for ESP, take many times as long as all of this.
pub fn needs() -> Probe {
    let mut probe = Probe { findings: Vec::new() };
    probe.add(SECCOMP, true, in_child(|| Filter::new().install().map(|_| ())));
    probe.add(DESCRIPTORS, true, reach_a_child());
    // Where the daemon's sockets are made (`sys::netlink_pair`), and where the rest of this is tried.
    probe.add(NAMESPACE, true, in_child(own_netns));
    probe.add(
        TUN,
        true,
        in_child(|| {
            // Without, where we are: it is gone at once.
            let _ = own_netns();
            let queue = tun::open_queue("uxfrmprobe", true)?;
            tun::configure("uxfrmprobe", 1400)?;
            if queue.is_attached() { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
        }),
    );
    probe.add(
        UDP,
        true,
        in_child(|| {
            // Elsewhere the port may be taken by who needs it.
            let port = if own_netns().is_ok() { 4500 } else { 0 };
            let socket = socket::udp_socket(false, port, 0)?;
            socket::attach_steering(std::os::fd::AsFd::as_fd(&socket), 1, 1)
        }),
    );
    probe
}

/// Reads the memory and takes a descriptor of a child, as the broker does of the daemon.
fn reach_a_child() -> io::Result<()> {
    let word = [0x5au8; 8];
    // SAFETY: the child only waits for its end.
    let pid = crate::sys::check(unsafe { libc::fork() })?;
    if pid == 0 {
        // SAFETY: system calls without pointers. It ends with its parent's look at it, or with its parent.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::pause();
            libc::_exit(0);
        }
    }
    let mut copy = [0u8; 8];
    let reached = seccomp::read_memory(pid as u32, word.as_ptr() as u64, &mut copy)
        .and_then(|_| seccomp::duplicate_descriptor(pid as u32, 2).map(drop));
    let mut status = 0;
    // SAFETY: our own child, not yet waited for.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, &mut status, 0);
    }
    match reached {
        // Where this process has no standard error, the child has none.
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(()),
        Ok(()) if copy != word => Err(io::ErrorKind::InvalidData.into()),
        other => other,
    }
}

/// Tries everything, in processes and, where it may, in namespaces of its own: nothing is left behind.
pub fn probe() -> Probe {
    let mut probe = needs();
    let mut add = |what, needed, result| probe.add(what, needed, result);
    add(
        "UDP over IPv6",
        false,
        in_child(|| {
            let port = if own_netns().is_ok() { 4500 } else { 0 };
            socket::udp_socket(true, port, 0).map(|_| ())
        }),
    );
    add(RAW, false, in_child(|| socket::raw_socket(false).map(|_| ())));
    add(KERNEL_ESP, false, kernel_esp());
    add(
        KERNEL_INTERFACES,
        false,
        in_child(|| {
            own_netns()?;
            kernel_interface()
        }),
    );
    probe
}

fn own_netns() -> io::Result<()> {
    // SAFETY: no pointers; this is a child process.
    crate::sys::check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(|_| ())
}

/// Runs `work` in a forked child, which reports its errno as exit status.
fn in_child(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: the child only makes system calls and small allocations before `_exit`. Another thread of the parent could
    // hold the allocator's lock, but glibc's fork leaves the allocator usable in the child.
    let pid = crate::sys::check(unsafe { libc::fork() })?;
    if pid == 0 {
        let code = match work() {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    crate::sys::check(unsafe { libc::waitpid(pid, &mut status, 0) })?;
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
        (true, 0) => Ok(()),
        (true, errno) => Err(io::Error::from_raw_os_error(errno)),
        _ => Err(io::Error::other("the probe was killed")),
    }
}

/// ESP is there when the kernel can make an SA; asking for the type of protocol 50 by adding one would change state, so
/// this looks at the handler that INET_ESP registers.
fn kernel_esp() -> io::Result<()> {
    let loaded = |name: &str| std::path::Path::new("/sys/module").join(name).exists();
    // Where ESP is built in, its symbol is there.
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let built_in = symbols.lines().any(|line| line.split_whitespace().nth(2) == Some("esp_input"));
    if loaded("esp4") || built_in || module_exists("esp4")? {
        Ok(())
    } else {
        Err(io::Error::other("neither built in nor a module (INET_ESP)"))
    }
}

fn module_exists(name: &str) -> io::Result<bool> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let path = format!("/lib/modules/{}/modules.dep", release.trim());
    let Ok(list) = std::fs::read_to_string(path) else { return Ok(false) };
    Ok(list.lines().any(|line| line.contains(&format!("/{name}.ko"))))
}

/// Adds a link of kind `xfrm` by rtnetlink, in a namespace that ends with this process.
fn kernel_interface() -> io::Result<()> {
    use crate::xfrm::wire::{Header, Reader, Writer};
    use std::os::fd::AsRawFd;
    const NEW_LINK: u16 = 16;
    const LINK_INFO: u16 = 18;
    let (flags, name) = (1 | 4 | 0x400 | 0x200, 3);
    let mut writer = Writer::new(Header { kind: NEW_LINK, flags, sequence: 1, port: 0 });
    writer.zeros(16);
    writer.attribute(name, |w| {
        w.bytes(b"uxfrmprobe\0");
    });
    writer.attribute(LINK_INFO, |w| {
        w.attribute(1, |w| {
            w.bytes(b"xfrm\0");
        });
        // IFLA_INFO_DATA with IFLA_XFRM_IF_ID.
        w.attribute(2, |w| {
            w.attribute(2, |w| {
                w.u32(1);
            });
        });
    });
    let message = writer.finish();
    // SAFETY: no pointers.
    let socket = owned(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    let mut reply = [0u8; 512];
    // SAFETY: buffers of the stated lengths.
    let len = unsafe {
        crate::sys::check_len(libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0))?;
        crate::sys::check_len(libc::recv(socket.as_raw_fd(), reply.as_mut_ptr().cast(), reply.len(), 0))?
    };
    let answer = crate::xfrm::wire::messages(&reply[..len]).next().ok_or(io::ErrorKind::InvalidData)?;
    let error = Reader::new(answer.payload).u32().map_err(|_| io::ErrorKind::InvalidData)? as i32;
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-error)) }
}
