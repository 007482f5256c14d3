//! The same script of requests to this kernel's XFRM and to ours: the answers must be the same, byte for byte but for times,
//! counters and indices. Policies need CONFIG_XFRM_USER, SAs also the kernel's ESP: where it has none, the script runs in a
//! virtual machine with Debian's kernel, under emulation (see `kernel/guest.rs`). Needs root.

#[path = "kernel/guest.rs"]
mod guest;
#[path = "kernel/policies.rs"]
mod policies;
#[path = "kernel/socket.rs"]
mod socket;
#[path = "kernel/states.rs"]
mod states;
mod support;

use socket::Kernel;
use uxfrm::database::{Clock, Database};
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{Header, Writer, messages};

fn request(kind: u16, flags: u16, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags: NLM_F_REQUEST | flags, sequence: 77, port: 0 });
    fill(&mut writer);
    writer.finish()
}

/// Blanks what may differ: our port, and a policy's index and times.
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
                // The port in the request's header.
                NLMSG_ERROR => payload[16..20].fill(0),
                _ => {}
            }
            let flags = if message.header.kind == NLMSG_ERROR { NLM_F_CAPPED } else { NLM_F_MULTI };
            (message.header.kind, message.header.flags & flags, hex::encode(payload))
        })
        .collect()
}

/// The kernel's XFRM in a namespace that lasts as long as this thread; nothing where it has none.
fn kernel() -> Option<Kernel> {
    // SAFETY: no pointers; moves this thread only.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "{}", std::io::Error::last_os_error());
    Kernel::open()
}

/// Gives a script to both and compares each step's answers.
fn compare(script: Vec<(&'static str, Vec<u8>)>) {
    let kernel = kernel().expect("CONFIG_XFRM_USER");
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
    let has = kernel().is_some();
    if !has {
        support::skipped("this kernel has no CONFIG_XFRM_USER");
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
    let kernel = kernel().unwrap();
    let (_, request) = states::script().into_iter().find(|(step, _)| *step == "new").unwrap();
    let answer = kernel.ask(&request);
    // `EPROTONOSUPPORT` without ESP, `ENOSYS` without the ciphers.
    if answer[0][16..20] != [0; 4] {
        return guest::run("states_are_answered_as_by_the_kernel");
    }
    compare(states::script());
    an_sa_expires_as_in_the_kernel();
    println!("{}", guest::PASSED);
}

/// The event of a hard limit of time, after a second.
fn an_sa_expires_as_in_the_kernel() {
    let kernel = kernel().unwrap();
    kernel.listen(XFRMNLGRP_EXPIRE);
    let request = states::short_lived();
    assert_eq!(comparable(&kernel.ask(&request)[0])[0].2[..8], *"00000000");
    let event = kernel.wait(std::time::Duration::from_secs(10)).expect("an event");
    let (mut ours, added) = (Database::default(), Clock { wall: 1_700_000_000, monotonic: 1000 });
    ours.handle_datagram(&request, added);
    let (events, ..) = ours.run_timers(Clock { wall: added.wall + 1, monotonic: 2000 });
    let [expired] = &events[..] else { panic!("{} events", events.len()) };
    assert_eq!(expired.group, XFRMNLGRP_EXPIRE);
    let expire = |datagram: &[u8]| {
        let message = messages(datagram).next().unwrap();
        let mut payload = message.payload.to_vec();
        states::blank(&mut payload);
        (message.header.kind, hex::encode(payload))
    };
    assert_eq!(expire(&expired.message), expire(&event), "left ours, right the kernel's");
}

/// By the index that each gave it; its direction and interface must be right too.
#[test]
fn policies_are_found_by_their_index() {
    lab_or_skip!();
    if !has_xfrm() {
        return;
    }
    let kernel = kernel().unwrap();
    let mut ours = Database::default();
    let clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
    let (new, get) = policies::installed_and_named();
    let mut both = |kernels: &[u8], our: &[u8]| {
        let answers = [kernel.ask(kernels), ours.handle_datagram(our, clock).messages];
        answers.map(|answers| answers.concat())
    };
    both(&new, &new);
    let [kernels, our] = both(&get, &get).map(|answer| {
        let payload = messages(&answer).next().unwrap().payload;
        u32::from_ne_bytes(payload[156..160].try_into().unwrap())
    });
    assert!(kernels & 7 == our & 7, "the low bits are the direction");
    for (step, kind, direction, if_id) in policies::by_index() {
        let named = |index| policies::indexed(kind, index, direction, if_id);
        let [kernels, our] = both(&named(kernels), &named(our)).map(|answer| {
            // An error shows the request, which differs by the index.
            let blank = |(kind, flags, payload): (u16, u16, String)| match kind {
                NLMSG_ERROR => (kind, flags, payload[..8].to_owned()),
                _ => (kind, flags, payload),
            };
            comparable(&answer).into_iter().map(blank).collect::<Vec<_>>()
        });
        assert_eq!(our, kernels, "{step} (left ours, right the kernel's)");
    }
}
