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
use uxfrm::database::{Answer, Clock, Database};
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
                NEWPOLICY | UPDPOLICY => {
                    // `curlft.add_time`, `curlft.use_time` and `index` of `xfrm_userpolicy_info`.
                    payload[56 + 64 + 16..56 + 64 + 32].fill(0);
                    payload[156..160].fill(0);
                }
                NEWSA | UPDSA => states::blank(&mut payload),
                // Behind the SA's identity and an attribute's header; the times in the policy behind its own.
                DELSA if payload.len() > 28 => states::blank(&mut payload[28..]),
                DELPOLICY if payload.len() > 68 + 168 => {
                    payload[56..60].fill(0);
                    payload[68 + 56 + 64 + 16..68 + 56 + 64 + 32].fill(0);
                    payload[68 + 156..68 + 160].fill(0);
                }
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

/// What listeners hear of a change: with the number and port of the request.
fn heard(datagram: &[u8]) -> Vec<(u32, u32, (u16, u16, String))> {
    let headers = messages(datagram).map(|message| (message.header.sequence, message.header.port));
    headers.zip(comparable(datagram)).map(|((sequence, port), rest)| (sequence, port, rest)).collect()
}

/// Gives a script to both and compares each step's answers, and what those hear of it who listen.
/// Returns how many events there were.
fn compare(script: Vec<(&'static str, Vec<u8>)>) -> usize {
    let kernel = kernel().expect("CONFIG_XFRM_USER");
    let listener = Kernel::open().unwrap();
    let groups = [XFRMNLGRP_SA, XFRMNLGRP_POLICY];
    groups.iter().for_each(|group| listener.listen(*group));
    let (mut ours, mut events_seen) = (Database::default(), 0);
    ours.listen(groups.iter().map(|group| 1 << (group - 1)).sum());
    let clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
    for (step, request) in script {
        let mut kernel: Vec<_> = kernel.ask(&request).iter().flat_map(|m| comparable(m)).collect();
        let Answer { messages: answers, events, .. } = ours.handle_datagram(&request, clock);
        let told: Vec<_> = events.iter().flat_map(|event| heard(&event.message)).collect();
        let kernels: Vec<_> = listener.waiting().iter().flat_map(|event| heard(event)).collect();
        assert_eq!(told, kernels, "events of {step} (left ours, right the kernel's)");
        events_seen += told.len();
        let mut ours: Vec<_> = answers.iter().flat_map(|m| comparable(m)).collect();
        // The order of a dump is nobody's promise.
        if kernel.iter().any(|(_, flags, _)| flags & NLM_F_MULTI != 0) {
            kernel.sort();
            ours.sort();
        }
        assert_eq!(ours, kernel, "{step} (left ours, right the kernel's)");
    }
    events_seen
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
        assert!(compare(policies::script()) >= 6, "events");
    }
}

#[test]
fn odd_policies_are_answered_as_by_the_kernel() {
    lab_or_skip!();
    if has_xfrm() {
        compare(policies::odd());
        compare(policies::odd_attributes());
        let optional = policies::optional_outwards();
        // A kernel before 6.1 takes it.
        if Kernel::open().unwrap().ask(&optional)[0][16..20] != [0; 4] {
            compare(vec![("an optional template outwards", optional)]);
        }
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
    assert!(compare(states::script()) >= 10, "events");
    compare(states::odd());
    compare(states::odd_attributes());
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

/// A policy's event of a hard limit of time, after a second.
#[test]
fn a_policy_expires_as_in_the_kernel() {
    lab_or_skip!();
    if !has_xfrm() {
        return;
    }
    let kernel = kernel().unwrap();
    let listener = Kernel::open().unwrap();
    [XFRMNLGRP_EXPIRE, XFRMNLGRP_POLICY].iter().for_each(|group| listener.listen(*group));
    let (mut ours, added) = (Database::default(), Clock { wall: 1_700_000_000, monotonic: 1000 });
    ours.listen(1 << (XFRMNLGRP_POLICY - 1));
    let request = policies::short_lived();
    assert_eq!(comparable(&kernel.ask(&request)[0])[0].2[..8], *"00000000");
    let mut told: Vec<_> =
        ours.handle_datagram(&request, added).events.iter().map(|event| event.message.clone()).collect();
    let (events, next, _) = ours.run_timers(Clock { wall: added.wall + 1, monotonic: 2000 });
    assert_eq!((ours.policies.len(), next.is_some()), (1, true), "the soft limit, and then the hard one");
    told.extend(events.iter().map(|event| event.message.clone()));
    let (events, next, changed) = ours.run_timers(Clock { wall: added.wall + 3, monotonic: 4000 });
    assert_eq!((ours.policies.len(), next, changed), (0, None, true));
    told.extend(events.iter().map(|event| event.message.clone()));
    let limit = std::time::Duration::from_secs(10);
    let theirs: Vec<_> = (0..3).map(|_| listener.wait(limit).expect("an event")).collect();
    let blank = |event: &Vec<u8>| {
        let message = messages(event).next().unwrap();
        let mut payload = message.payload.to_vec();
        payload[56 + 64 + 16..56 + 64 + 32].fill(0);
        payload[156..160].fill(0);
        (message.header.kind, message.header.sequence, message.header.port, hex::encode(payload))
    };
    let (told, theirs): (Vec<_>, Vec<_>) =
        (told.iter().map(blank).collect(), theirs.iter().map(blank).collect());
    assert_eq!(told.iter().map(|event| event.0).collect::<Vec<_>>(), [NEWPOLICY, POLEXPIRE, POLEXPIRE]);
    assert_eq!(told, theirs, "left ours, right the kernel's");
    assert_eq!(listener.waiting(), Vec::<Vec<u8>>::new(), "a policy that ends is not deleted by anybody");
}

/// By the index that each gave it; its direction and interface must be right too.
#[test]
fn policies_are_found_by_their_index() {
    lab_or_skip!();
    if !has_xfrm() {
        return;
    }
    let kernel = kernel().unwrap();
    let listener = Kernel::open().unwrap();
    listener.listen(XFRMNLGRP_POLICY);
    let mut ours = Database::default();
    ours.listen(1 << (XFRMNLGRP_POLICY - 1));
    let clock = Clock { wall: 1_700_000_000, monotonic: 1000 };
    let (new, get) = policies::installed_and_named();
    let mut both = |kernels: &[u8], our: &[u8]| {
        let answer = ours.handle_datagram(our, clock);
        let blank = |(sequence, port, (kind, flags, payload)): (u32, u32, (u16, u16, String))| match kind {
            // It names the policy by its index.
            DELPOLICY => (sequence, port, kind, flags, payload[..112].to_owned() + &payload[120..]),
            _ => (sequence, port, kind, flags, payload),
        };
        let answers = [kernel.ask(kernels), answer.messages];
        let told: Vec<_> = answer.events.iter().flat_map(|event| heard(&event.message)).map(blank).collect();
        let theirs: Vec<_> = listener.waiting().iter().flat_map(|event| heard(event)).map(blank).collect();
        assert_eq!(told, theirs, "events (left ours, right the kernel's)");
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
