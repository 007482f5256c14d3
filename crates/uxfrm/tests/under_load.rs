//! Streams and datagrams go through a tunnel while it is rekeyed, and while an engine ends: they go on, and nothing of them
//! is seen or comes twice. Needs root.

mod support;

use std::time::Duration;
use support::load::Load;
use support::sniffer::Sniffer;
use support::{Lab, Options, run, until};

const STREAMS: u16 = 4;
/// On a busy machine everything takes its time; what never happens is told after this.
const PATIENCE: Duration = Duration::from_secs(60);
/// CPU that a daemon may use meanwhile, for each engine that ends, in hundredths of a second: one that spins uses all.
const DAEMON_TICKS: u64 = 50;

/// Hundredths of a second of CPU that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The engines of both gateways end in turn by a signal. `gap` is how long nothing may arrive the best of these times: a
/// busy machine may take longer, but not always.
fn engines_end(name: &str, signal: &str, gap: Duration) {
    let lab = Lab::new(name, Options::default());
    lab.initiate("c0");
    let [wire, inner] = [("ga", "wan"), ("gb", "lan")]
        .map(|(node, interface)| Sniffer::start(&format!("{}{node}", lab.name), interface));
    let load = Load::start(&lab, STREAMS);
    load.until_it_goes_on(PATIENCE);
    let daemons = ["a", "b"].map(|side| lab.child_pid(side, "charon-systemd"));
    let used = daemons.map(ticks);
    let mut gaps = Vec::new();
    for side in ["a", "b", "a"] {
        let engine = lab.child_pid(side, "uxfrm-engine");
        load.longest_gap();
        run(&format!("kill -{signal} {engine}"));
        until("another engine", PATIENCE, || {
            lab.find_child(side, "uxfrm-engine").is_some_and(|pid| pid != engine)
        });
        until("all CHILD_SAs in the next engine", PATIENCE, || lab.has_all_sas(side));
        load.until_it_goes_on(PATIENCE);
        gaps.push(load.longest_gap());
    }
    let ended = gaps.len() as u64;
    let used: Vec<u64> = daemons.iter().zip(used).map(|(pid, before)| ticks(*pid) - before).collect();
    let totals = load.finish();
    let (wire, inner) = (wire.finish(), inner.finish());
    println!("{signal}: nothing arrived for {gaps:?}; {totals:?}; {wire:?}; daemons used {used:?} ticks");

    assert!(gaps.iter().min() < Some(&gap), "nothing arrived for {gaps:?}");
    assert_eq!(totals.twice, 0, "datagrams that came twice");
    assert!(totals.lost > 0, "no engine has ended: {totals:?}");
    assert!(wire.packets > 1000 && wire.readable == 0 && wire.foreign == 0, "{wire:?}");
    assert!(inner.readable > 1000, "what is readable is found where it may be: {inner:?}");
    for (side, pid) in ["a", "b"].into_iter().zip(daemons) {
        let shown = lab.swanctl(side, "--list-sas");
        assert!(shown.contains("t: #1, ESTABLISHED"), "{shown}");
        assert_eq!((lab.ike_sas_made(side), lab.child_pid(side, "charon-systemd")), (1, pid), "{side}");
        assert_eq!(lab.sa_counter(side, "integrity_failed"), 0, "{side}");
        assert!(used.iter().all(|used| *used < DAEMON_TICKS * ended), "charon span: {used:?} ticks");
        // One rekey for each engine; one more each where a busy machine took too long for the first.
        let made = child_sas_made(&shown);
        assert!((1 + ended..=1 + 2 * ended).contains(&made), "{made} CHILD_SAs: {shown}");
    }
}

/// Rekeys from either side: no packet is lost, by any count there is.
#[test]
fn rekeys_under_load() {
    lab_or_skip!();
    const REKEYS: u64 = 8;
    let lab = Lab::new("rk", Options::default());
    lab.initiate("c0");
    let before = ["a", "b"].map(|side| drops(&lab, side));
    let load = Load::start(&lab, 2);
    load.until_it_goes_on(PATIENCE);
    for side in ["a", "b"].into_iter().cycle().take(REKEYS as usize) {
        lab.swanctl(side, "--rekey --child c0");
        load.until_it_goes_on(PATIENCE);
    }
    let totals = load.finish();
    let path = |side: &str, counter: &str| lab.stats(side)["path"][counter].as_u64().unwrap();
    for (from, to) in [("a", "b"), ("b", "a")] {
        // What is still under way arrives.
        let mut counts = (0, 1);
        let start = std::time::Instant::now();
        while counts.0 != counts.1 && start.elapsed() < PATIENCE / 10 {
            counts = (path(from, "sent"), path(to, "received"));
        }
        assert_eq!(counts.0, counts.1, "sent by {from}, received by {to}");
    }
    // A segment that TCP sent twice without need (a tail loss probe) is reported by the receiver as a duplicate.
    let count = |name: &str| -> u64 {
        let text = lab.exec("ha", &format!("nstat -az {name}"));
        text.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
    };
    let (again, needless) = (count("TcpRetransSegs"), count("TcpExtTCPDSACKRecvSegs"));
    println!("{totals:?}; {again} segments sent again, {needless} of them needlessly");
    assert_eq!((totals.lost, totals.twice), (0, 0), "{totals:?}");
    // The stream may end before the last of them is reported.
    assert!(again <= needless + 3, "{again} segments sent again, {needless} of them needlessly");
    for (side, before) in ["a", "b"].into_iter().zip(before) {
        assert_eq!(drops(&lab, side), before, "dropped by {side}'s sockets and interface");
        for counter in ["no_state", "unknown_spi", "malformed", "interface_full", "stray_ike", "panics"] {
            assert_eq!(path(side, counter), 0, "{counter} at {side}");
        }
        for counter in
            ["integrity_failed", "replayed", "malformed", "policy_mismatch", "exhausted", "send_failed"]
        {
            assert_eq!(lab.sa_counter(side, counter), 0, "{counter} at {side}");
        }
        let shown = lab.swanctl(side, "--list-sas");
        assert!(child_sas_made(&shown) > REKEYS, "{shown}");
    }
}

/// Packets that a gateway's kernel has dropped before its engine could read them, or did not take from it.
fn drops(lab: &Lab, side: &str) -> (u64, u64) {
    let node = format!("g{side}");
    // Of each socket: SK_MEMINFO_DROPS, which ss(8) shows as the last part, `d`.
    let sockets = lab.exec(&node, "ss -H -u -w -a -n -m");
    let parts =
        sockets.split("skmem:(").skip(1).flat_map(|socket| socket.split(')').next().unwrap().split(','));
    let dropped: Vec<u64> = parts.filter_map(|part| part.strip_prefix('d')?.parse().ok()).collect();
    assert!(dropped.len() > 2, "{sockets}");
    let text = lab.exec(&node, &format!("ip -j -s link show dev ipsec{}", support::IF_ID));
    let link: serde_json::Value = serde_json::from_str(&text).unwrap();
    let interface = ["rx", "tx"].map(|way| link[0]["stats64"][way]["dropped"].as_u64().unwrap());
    (dropped.iter().sum(), interface.iter().sum())
}

/// CHILD_SAs are numbered: the highest number shown.
fn child_sas_made(shown: &str) -> u64 {
    let numbers = shown.split(" c0: #").skip(1).map(|rest| rest.split(',').next().unwrap().parse().unwrap());
    numbers.max().unwrap_or(0)
}

#[test]
fn an_engine_is_killed_under_load() {
    lab_or_skip!();
    engines_end("lk", "KILL", Duration::from_millis(1500));
}

/// Two seconds pass until a busy engine is known to hang.
#[test]
fn an_engine_hangs_under_load() {
    lab_or_skip!();
    engines_end("lh", "STOP", Duration::from_secs(6));
}
