//! What happens to SAs and policies while packets pass, here and in a kernel: the same tunnel, the same limits and the same
//! packets at both ends of a wire; the events that follow, and what is told of SAs and their replay state afterwards, are
//! the same, byte for byte but for times, indices, keys and whose address is whose. The kernel is Debian's in a virtual
//! machine, under emulation (see `kernel/guest.rs`). Needs root.

#[path = "kernel/agent.rs"]
mod agent;
#[path = "kernel/cases.rs"]
mod cases;
#[path = "kernel/guest.rs"]
mod guest;
#[path = "kernel/host.rs"]
mod host;
#[path = "kernel/mirror.rs"]
mod mirror;
#[path = "kernel/socket.rs"]
mod socket;
mod support;

use agent::{INNER, SEND_TRAPPED, TRAPPED_PORTS, send_trapped};
use cases::{Case, End, IF_ID, OTHER_PORT, request};
use host::Host;
use mirror::{Told, told};
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::Duration;
use support::run;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::lifetime::Limits;

/// Payload of a datagram, in bytes: 128 with its headers.
const DATAGRAM: usize = 100;
const MIGRATE: u16 = 33;

type Outcome = Result<(), String>;

/// Runs inside the guest.
#[test]
#[ignore = "the guest's part of what_happens_is_told_as_by_the_kernel"]
fn agent_with_an_interface_in_the_guest() {
    // Elsewhere it would change the machine's network.
    if std::process::id() < 1000 && std::path::Path::new("/modules").exists() {
        agent::serve(Some(IF_ID));
    }
}

#[test]
fn what_happens_is_told_as_by_the_kernel() {
    lab_or_skip!();
    let Some(mut host) = Host::start("agent_with_an_interface_in_the_guest") else { return };
    let all = cases::all();
    let plain = *all.iter().find(|case| case.is_encapsulated && !case.is_outer_v6 && !case.has_esn).unwrap();
    let plain = Case { kernel_has_interface: true, ..plain };
    let extended = Case { has_esn: true, number: 1, ..plain };
    let unlimited = |number| Case { number, ..plain };
    let limits = |number, sends, limits| Case { limits: Some((sends, limits)), ..unlimited(number) };
    let bytes = Limits { soft_bytes: 300, hard_bytes: 600, ..Limits::NONE };
    let packets = Limits { soft_packets: 3, hard_packets: 5, ..Limits::NONE };
    let since_added = Limits { soft_add: 2, hard_add: 4, ..Limits::NONE };
    let since_used = Limits { soft_use: 2, hard_use: 4, ..Limits::NONE };
    type Step = fn(&mut Host, &Case) -> Outcome;
    let steps: [(&str, Case, Step); 11] = [
        ("SAs after traffic", plain, after_traffic),
        ("SAs with extended numbers after traffic", extended, after_traffic),
        ("limits of bytes sent", limits(2, true, bytes), counted_limits),
        ("limits of bytes received", limits(3, false, bytes), counted_limits),
        ("limits of packets sent", limits(4, true, packets), counted_limits),
        ("limits of packets received", limits(5, false, packets), counted_limits),
        ("limits of time since added", limits(6, true, since_added), timed_limits),
        ("limits of time since used", limits(7, false, since_used), timed_limits_of_use),
        ("a policy without an SA", unlimited(8), acquired),
        ("another port of the peer", unlimited(9), mapped),
        ("MIGRATE", unlimited(10), migrate_is_refused),
    ];
    let mut steps = steps.to_vec();
    if guest::kernel_version() < KNOWS_DIRECTIONS {
        support::skipped("the guest's kernel does not know the direction of an SA (Linux 6.10)");
    } else {
        let directed = |number, case| Case { has_direction: true, number, ..case };
        steps.push(("SAs for one direction after traffic", directed(11, plain), after_traffic));
        steps.push(("the same with extended numbers", directed(12, extended), after_traffic));
    }
    let mut faults = String::new();
    for (what, case, step) in steps {
        if let Err(fault) = step(&mut host, &case) {
            eprintln!("{what}: {fault}");
            writeln!(faults, "{what}: {fault}").unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}{}", host.logs());
}

/// A datagram there, and back.
fn round_trip(socket: &UdpSocket) -> Outcome {
    let sent = [0x5a; DATAGRAM];
    socket.send(&sent).map_err(|error| error.to_string())?;
    let mut back = [0; DATAGRAM + 1];
    match socket.recv(&mut back) {
        Ok(len) if back[..len] == sent => Ok(()),
        Ok(len) => Err(format!("{len} bytes came back")),
        Err(error) => Err(format!("nothing came back: {error}")),
    }
}

fn echo(limit: Duration) -> UdpSocket {
    let [ours, far] = INNER[0];
    let socket = UdpSocket::bind((ours, 0)).unwrap();
    socket.connect((far, agent::ECHO_PORT)).unwrap();
    socket.set_read_timeout(Some(limit)).unwrap();
    socket
}

/// Kernels before this one tell the time of last use of no SA but those of Mobile IPv6.
const TELLS_LAST_USE: (u32, u32) = (6, 3);
/// This one takes `XFRMA_SA_DIR`.
const KNOWS_DIRECTIONS: (u32, u32) = (6, 10);
/// Events that are left over from what was before.
const MOST_EVENTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// What both ends tell of the SAs in which they play the same part.
fn compare(host: &mut Host, case: &Case, kind: u16) -> Outcome {
    for sends in [true, false] {
        let mut tell = |end: End| {
            let sender = if sends { end } else { end.other() };
            let query = request(kind, |w| {
                case.sa_id(sender).write(w);
                if kind == GETAE {
                    w.zeros(24);
                }
            });
            told(&host.ask(end, query), end, case)
        };
        let (mut ours, kernels) = (tell(End::Ours), tell(End::Kernels));
        if guest::kernel_version() < TELLS_LAST_USE {
            ours.iter_mut().for_each(|told| told.attributes.retain(|(kind, _)| *kind != XFRMA_LASTUSED));
        }
        same(&ours, &kernels, if sends { "sending" } else { "receiving" })?;
        if ours.len() != 2 {
            return Err(format!("one answer, and an acknowledgement: {ours:?}"));
        }
    }
    Ok(())
}

fn same(ours: &[Told], kernels: &[Told], what: &str) -> Outcome {
    if ours == kernels {
        return Ok(());
    }
    let lines = ours.iter().map(|told| format!("  ours     {told:?}"));
    let lines: Vec<_> = lines.chain(kernels.iter().map(|told| format!("  kernel's {told:?}"))).collect();
    Err(format!("{what}:\n{}", lines.join("\n")))
}

/// Counters, the time of last use and the replay window after packets both ways, one of which was replayed by nobody.
fn after_traffic(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    compare(host, case, GETSA).map_err(|fault| format!("before: {fault}"))?;
    let socket = echo(PATIENCE);
    (0..5).try_for_each(|_| round_trip(&socket))?;
    compare(host, case, GETSA)?;
    compare(host, case, GETAE)
}

/// The next event of a kind that an end tells, in which one of these is found. (What is sent to where an SA has ended
/// leads to events of its own.)
fn event(host: &mut Host, case: &Case, end: End, kind: u16, marks: &[String]) -> Result<Told, String> {
    let of_it = |told: &Told| told.kind == kind && marks.iter().any(|mark| told.payload.contains(mark));
    for _ in 0..MOST_EVENTS {
        let datagram = host.ask(end, agent::NEXT_EVENT.to_vec());
        if datagram.is_empty() {
            break;
        }
        if let Some(told) = told(&datagram, end, case).into_iter().find(of_it) {
            return Ok(told);
        }
    }
    Err(format!("{end:?} tells no event of kind {kind} with {marks:?}"))
}

fn spis(case: &Case) -> Vec<String> {
    [End::Ours, End::Kernels].map(|sender| hex::encode(case.sa_id(sender).spi.to_be_bytes())).to_vec()
}

/// The next event about the case's SAs is the same of both ends.
fn events(host: &mut Host, case: &Case, kind: u16) -> Outcome {
    let [ours, kernels] = [End::Ours, End::Kernels].map(|end| event(host, case, end, kind, &spis(case)));
    same(&[ours?], &[kernels?], "event")
}

/// A soft limit after three packets of 128 bytes, a hard one after five. (The kernel looks at them when the next packet
/// comes.) Then the SA is gone.
fn counted_limits(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    let socket = echo(PATIENCE);
    (0..3).try_for_each(|_| round_trip(&socket))?;
    // Before more is counted. The kernel's comes with the fourth.
    let ours = event(host, case, End::Ours, EXPIRE, &spis(case))?;
    round_trip(&socket)?;
    let kernels = event(host, case, End::Kernels, EXPIRE, &spis(case))?;
    same(&[ours], &[kernels], "soft")?;
    round_trip(&socket)?;
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    if round_trip(&socket).is_ok() {
        return Err("a packet after the hard limit".into());
    }
    // What was not answered may not have reached the guest at all.
    host.ask(End::Kernels, agent::SEND_ONCE.to_vec());
    events(host, case, EXPIRE).map_err(|fault| format!("hard: {fault}"))?;
    is_gone(host, case)
}

fn is_gone(host: &mut Host, case: &Case) -> Outcome {
    for end in [End::Ours, End::Kernels] {
        let sender = if case.limits.is_some_and(|(sends, _)| sends) { end } else { end.other() };
        let answer = told(&host.ask(end, request(GETSA, |w| case.sa_id(sender).write(w))), end, case);
        if !answer.iter().any(Told::is_refusal) {
            return Err(format!("there after its hard limit: {answer:?}"));
        }
    }
    Ok(())
}

/// A soft and a hard limit, in seconds.
fn timed_limits(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    soft_and_hard(host, case)
}

/// As [`timed_limits`], of which the first packet begins the time.
fn timed_limits_of_use(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    round_trip(&echo(PATIENCE))?;
    soft_and_hard(host, case)
}

fn soft_and_hard(host: &mut Host, case: &Case) -> Outcome {
    events(host, case, EXPIRE).map_err(|fault| format!("soft: {fault}"))?;
    events(host, case, EXPIRE).map_err(|fault| format!("hard: {fault}"))?;
    is_gone(host, case)
}

/// One ACQUIRE for several packets, which tells the first one's flow.
fn acquired(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    for end in [End::Ours, End::Kernels] {
        host.ask(end, case.trap(end));
    }
    send_trapped(INNER[0][0]);
    host.ask(End::Kernels, SEND_TRAPPED.to_vec());
    let ports =
        [hex::encode(TRAPPED_PORTS.1.to_be_bytes()) + "ffff" + &hex::encode(TRAPPED_PORTS.0.to_be_bytes())];
    let [ours, kernels] = [End::Ours, End::Kernels].map(|end| event(host, case, end, ACQUIRE, &ports));
    same(&[ours?], &[kernels?], "the event")?;
    // One for all of the packets.
    for end in [End::Ours, End::Kernels] {
        if let Ok(another) = event(host, case, end, ACQUIRE, &ports) {
            return Err(format!("another event of {end:?}: {another:?}"));
        }
    }
    Ok(())
}

/// The peer's port changes on the way: an event from each end that receives.
fn mapped(host: &mut Host, case: &Case) -> Outcome {
    host.install(&Case { kernel_moves: true, ..*case })?;
    let socket = echo(PATIENCE);
    run(&format!(
        "nft 'table inet nat {{ chain c {{ type filter hook output priority -300; \
         udp sport 4500 udp dport 4500 notrack udp sport set {OTHER_PORT}; }}
         }}'"
    ));
    let outcome = round_trip(&socket);
    run("nft delete table inet nat");
    outcome.and_then(|()| events(host, case, MAPPING))
}

/// As by a kernel without CONFIG_XFRM_MIGRATE; nothing changes.
fn migrate_is_refused(host: &mut Host, case: &Case) -> Outcome {
    host.install(case)?;
    let migrate = request(MIGRATE, |w| {
        // `xfrm_userpolicy_id`: the selector of our outbound policy.
        case.selector(End::Ours).write(w);
        w.u32(0).u8(XFRM_POLICY_OUT).zeros(3);
        // XFRMA_MIGRATE: `xfrm_user_migrate`, from the addresses that there are to others.
        w.attribute(17, |w| {
            let id = case.sa_id(End::Ours);
            let other = "198.51.100.77".parse().unwrap();
            w.address(id.destination).address(case.sa_id(End::Kernels).destination);
            w.address(other).address(case.sa_id(End::Kernels).destination);
            w.u8(50).u8(1).zeros(2).u32(7).u16(AF_INET).u16(AF_INET);
        });
    });
    let answer = told(&host.ask(End::Ours, migrate), End::Ours, case);
    let refused = hex::encode((-libc::ENOPROTOOPT).to_ne_bytes());
    if answer.len() != 1 || !answer[0].payload.starts_with(&refused) {
        return Err(format!("{answer:?}"));
    }
    compare(host, case, GETSA)?;
    round_trip(&echo(PATIENCE))
}
