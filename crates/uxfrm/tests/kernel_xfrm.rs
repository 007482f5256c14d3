//! The same script of requests to this kernel's XFRM and to ours: the answers must be the same, byte for byte but for times,
//! counters and indices. Policies need CONFIG_XFRM_USER, SAs also the kernel's ESP: where it has none, the script runs in a
//! virtual machine with Debian's kernel, under emulation (see `kernel/guest.rs`). Needs root.

#[path = "kernel/guest.rs"]
mod guest;
#[path = "kernel/policies.rs"]
mod policies;
#[path = "kernel/states.rs"]
mod states;
mod support;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use uxfrm::database::{Clock, Database};
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{Header, Writer, messages};

fn request(kind: u16, flags: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST | flags, sequence: 77, port: 0 });
    fill(&mut writer);
    writer.finish()
}

/// Blanks what may differ: our port, the policy's index and times, and the text that newer kernels add to errors.
fn comparable(datagram: &[u8]) -> Vec<(u16, u16, String)> {
    messages(datagram)
        .map(|message| {
            let mut payload = message.payload.to_vec();
            match message.header.kind {
                NEWPOLICY => {
                    // `curlft.add_time`, `curlft.use_time` and `index` of `xfrm_userpolicy_info`.
                    payload[56 + 64 + 16..56 + 64 + 32].fill(0);
                    payload[156..160].fill(0);
                }
                NEWSA => states::blank(&mut payload),
                // Ends with the two times of XFRMA_LTIME_VAL.
                NEWAE => {
                    let times = payload.len() - 16;
                    payload[times..].fill(0);
                }
                NLMSG_ERROR => payload.truncate(4),
                _ => {}
            }
            (message.header.kind, message.header.flags & NLM_F_MULTI, hex::encode(payload))
        })
        .collect()
}

struct Kernel(OwnedFd);

impl Kernel {
    /// In a namespace that lasts as long as this thread.
    fn open() -> Option<Self> {
        // SAFETY: no pointers; a new descriptor.
        unsafe {
            assert_eq!(libc::unshare(libc::CLONE_NEWNET), 0, "{}", std::io::Error::last_os_error());
            let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, NETLINK_XFRM);
            (fd >= 0).then(|| Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    fn ask(&self, request: &[u8]) -> Vec<Vec<u8>> {
        let fd = self.0.as_raw_fd();
        // SAFETY: a readable buffer.
        let sent = unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) };
        assert_eq!(sent, request.len() as isize);
        let mut answers = Vec::new();
        loop {
            let mut buffer = vec![0u8; 8192];
            // SAFETY: a writable buffer. The kernel answers before `send` returns.
            let len = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
            let Ok(len) = usize::try_from(len) else { return answers };
            buffer.truncate(len);
            answers.push(buffer);
        }
    }
}

/// Gives a script to both and compares each step's answers.
fn compare(script: Vec<(&'static str, Vec<u8>)>) {
    let kernel = Kernel::open().expect("CONFIG_XFRM_USER");
    let mut ours = Database::default();
    let clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
    for (step, request) in script {
        let mut kernel: Vec<_> = kernel.ask(&request).iter().flat_map(|m| comparable(m)).collect();
        let answers = ours.handle_datagram(&request, clock).messages;
        let mut ours: Vec<_> = answers.iter().flat_map(|m| comparable(m)).collect();
        // The order of a dump is nobody's promise.
        if kernel.iter().any(|(_, flags, _)| flags & NLM_F_MULTI != 0) {
            kernel.sort();
            ours.sort();
        }
        assert_eq!(ours, kernel, "{step} (left ours, right the kernel's)");
    }
}

fn has_xfrm() -> bool {
    let has = Kernel::open().is_some();
    if !has {
        eprintln!("SKIPPED: this kernel has no CONFIG_XFRM_USER");
    }
    has
}

#[test]
fn policies_are_answered_as_by_the_kernel() {
    lab_or_skip!();
    if has_xfrm() {
        compare(policies::script());
    }
}

/// Requests that a kernel refuses before it looks for the ciphers, so that this one's answers count whatever it has.
#[test]
fn directions_are_refused_as_by_the_kernel() {
    lab_or_skip!();
    if !has_xfrm() {
        return;
    }
    let (_, request) = states::directions().into_iter().next().unwrap();
    if Kernel::open().unwrap().ask(&request)[0][16..20] != (-libc::ERANGE).to_ne_bytes() {
        eprintln!("SKIPPED: this kernel does not know the direction of an SA (Linux 6.10)");
        return;
    }
    compare(states::directions());
}

#[test]
fn states_are_answered_as_by_the_kernel() {
    lab_or_skip!();
    if !has_xfrm() {
        return;
    }
    let kernel = Kernel::open().unwrap();
    let (_, request) = states::script().into_iter().find(|(step, _)| *step == "new").unwrap();
    let answer = kernel.ask(&request);
    // `EPROTONOSUPPORT` without ESP, `ENOSYS` without the ciphers.
    if answer[0][16..20] != [0; 4] {
        return guest::run("states_are_answered_as_by_the_kernel");
    }
    compare(states::script());
    println!("{}", guest::PASSED);
}
