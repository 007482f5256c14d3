//! A tunnel between ours and the kernel's ESP carries packets: every algorithm, in UDP and plain, over IPv4 and IPv6 and with
//! both inside, with and without extended sequence numbers, both ways. The kernel is Debian's in a virtual machine, under
//! emulation (see `kernel/guest.rs`); both ends get the same keys through XFRM, ours as an IKE daemon would give them.
//! Needs root.

#[path = "kernel/agent.rs"]
mod agent;
#[path = "kernel/cases.rs"]
mod cases;
#[path = "kernel/guest.rs"]
mod guest;
#[path = "kernel/host.rs"]
mod host;
#[path = "kernel/socket.rs"]
mod socket;
mod support;
#[path = "kernel/traffic.rs"]
mod traffic;

use cases::{Case, End};
use host::Host;

/// Runs inside the guest.
#[test]
#[ignore = "the guest's part of packets_cross_between_us_and_the_kernel"]
fn agent_in_the_guest() {
    // Elsewhere it would change the machine's network.
    if std::process::id() < 1000 && std::path::Path::new("/modules").exists() {
        agent::serve(None);
    }
}

#[test]
fn packets_cross_between_us_and_the_kernel() {
    lab_or_skip!();
    let Some(mut host) = Host::start("agent_in_the_guest") else { return };
    let (cases, mut faults) = (cases::all(), Vec::new());
    for case in &cases {
        if let Err(fault) = carry(&mut host, case) {
            faults.push(format!("{case}: {fault}"));
            // What is broken for many is told by a few.
            if faults.len() == 8 {
                break;
            }
        }
    }
    // And that the packets did go through ESP: with other keys at the other end none comes back.
    let unlike = Case { keys_differ: true, ..cases[0] };
    host.install(&unlike).unwrap();
    assert!(traffic::datagrams(false, 1).is_err(), "packets came back from an end with other keys");
    assert!(faults.is_empty(), "{}\n{}", faults.join("\n"), host.logs());
    println!("{} tunnels between ours and the kernel's ESP carried packets both ways", cases.len());
}

/// Makes a tunnel, sends all kinds of packets through it, and compares what both ends have counted.
fn carry(host: &mut Host, case: &Case) -> Result<(), String> {
    host.install(case)?;
    for is_v6 in [false, true] {
        let inside = if is_v6 { "IPv6 inside: " } else { "IPv4 inside: " };
        traffic::ping(is_v6)
            .and_then(|()| traffic::datagrams(is_v6, case.number))
            .and_then(|()| traffic::stream(is_v6, case.number))
            .map_err(|fault| format!("{inside}{fault}"))?;
    }
    for sender in [End::Ours, End::Kernels] {
        host.compare_counters(case, sender)?;
    }
    Ok(())
}
