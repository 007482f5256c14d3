//! What happens on the way: small MTUs, fragments, NAT that remaps, many tunnels, floods. Needs root.

mod support;

use std::fmt::Write as _;
use std::time::Duration;
use support::{Lab, Options, run, try_run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

/// The MTU that ping was told.
fn mtu_in(answer: &str) -> Option<usize> {
    let rest = ["mtu = ", "mtu="].iter().find_map(|mark| answer.split(mark).nth(1))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The path between the gateways is narrower than Ethernet: senders inside learn it, and what may be fragmented passes.
#[test]
fn path_mtu_reaches_the_senders_inside() {
    lab_or_skip!();
    for (name, outer_v6) in [("m4", false), ("m6", true)] {
        let lab = Lab::new(name, Options { host_mtu: 1500, outer_v6, ..Options::default() });
        lab.initiate("c0");
        for gateway in ["ga", "gb"] {
            lab.exec(gateway, "ip link set wan mtu 1320");
        }
        let ping = |arguments: &str| {
            let command = lab.in_namespace("ha", &format!("ping -n -i 0.1 -W 1 {arguments}"));
            String::from_utf8_lossy(&try_run(&command).stdout).into_owned()
        };
        // Does not fit the interface; then fits it, but not the path.
        let answer = ping("-c 2 -M do -s 1440 10.2.0.2");
        assert_eq!(mtu_in(&answer), Some(1400), "{answer}");
        // The engine asks for the path MTU once a second; until then the kernel fragments outside.
        let mut mtu = None;
        until("the path's MTU at the sender", PATIENCE, || {
            mtu = mtu_in(&ping("-c 2 -M do -s 1330 10.2.0.2"));
            mtu.is_some()
        });
        let mtu = mtu.unwrap();
        assert!((1200..1300).contains(&mtu), "{mtu}");
        assert_eq!(lab.ping_with("ha", "10.2.0.2", 2, &format!("-i 0.1 -M do -s {}", mtu - 28)), 2);
        let answer = ping("-c 3 -M do -s 1330 fd02::2");
        assert!(answer.contains("too big"), "{answer}");
        // Without DF everything passes, in fragments inside and outside.
        for size in [1330, 3000, 9000] {
            assert_eq!(lab.ping_with("ha", "10.2.0.2", 2, &format!("-i 0.1 -M dont -s {size}")), 2, "{size}");
        }
        // The other end has yet to learn the path's MTU for its answers.
        let big = || ping("-c 1 -s 9000 fd02::2").contains(" 0% packet loss");
        until("large packets of IPv6", PATIENCE, big);
        // TCP adapts.
        lab.serve_iperf("hb");
        let report: serde_json::Value =
            serde_json::from_str(&lab.exec("ha", "iperf3 -J -c 10.2.0.2 -t 1")).unwrap();
        assert!(report["end"]["sum_received"]["bits_per_second"].as_f64().unwrap() > 1e6);
    }
}

/// A NAT gives the initiator another port in mid-life: the responder hears of it and follows.
#[test]
fn nat_remapping_is_followed() {
    lab_or_skip!();
    let lab = Lab::new("nt", Options::default());
    lab.nat("ga", 5555);
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    assert!(lab.swanctl("b", "--list-sas").contains("[5555]"));
    lab.nat("ga", 6666);
    until("traffic after the remapping", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
    assert!(lab.swanctl("b", "--list-sas").contains("[6666]"));
    assert!(lab.log("b").contains("NAT mappings of CHILD_SA"));
    assert_eq!(lab.sa_counter("b", "replayed"), 0);
}

/// Two hundred tunnels between two gateways, one interface each, all with the same (overlapping) selectors.
#[test]
fn two_hundred_tunnels() {
    lab_or_skip!();
    const TUNNELS: u32 = 200;
    // Without MOBIKE: each new interface would make both daemons tell every peer their addresses again.
    let lab = Lab::new("tw", Options::default());
    for (side, other) in [("a", "b"), ("b", "a")] {
        let mut text = String::from("connections {\n");
        for i in 0..TUNNELS {
            write!(
                text,
                "t{i} {{ version = 2\n mobike = no\n local_addrs = {}\n remote_addrs = {}\n encap = yes
                   if_id_in = {id}\n if_id_out = {id}\n proposals = aes128gcm16-x25519-prfsha256
                   local {{ auth = psk\n id = {side}{i} }}\n remote {{ auth = psk\n id = {other}{i} }}
                   children {{ n{i} {{ local_ts = 0.0.0.0/0\n remote_ts = 0.0.0.0/0\n esp_proposals = aes128gcm16-esn }} }} }}\n",
                lab.outer(side),
                lab.outer(other),
                id = 1000 + i
            )
            .unwrap();
        }
        text += "}\nsecrets { ike { secret = a-secret-of-the-lab } }\n";
        let file = lab.path(side, "many.conf");
        std::fs::write(&file, text).unwrap();
        lab.swanctl(side, &format!("--load-all --file {}", file.display()));
    }
    std::thread::scope(|scope| {
        for part in 0..8 {
            let lab = &lab;
            scope.spawn(move || (part..TUNNELS).step_by(8).for_each(|i| lab.initiate(&format!("n{i}"))));
        }
    });
    for side in ["a", "b"] {
        assert_eq!(lab.stats(side)["sas"].as_array().unwrap().len(), 2 * TUNNELS as usize);
    }
    each_by_its_own_route(&lab, TUNNELS);
    assert_eq!(silent(&lab, TUNNELS), [0; 0], "tunnels that carry nothing");
    let stats = lab.stats("a");
    let used =
        stats["sas"].as_array().unwrap().iter().filter(|sa| sa["counters"]["packets"].as_u64() > Some(0));
    assert_eq!(used.count(), 2 * TUNNELS as usize, "each tunnel uses its own SAs");
    // The engine dies with all of them, and all of them are made anew.
    let (_, before) = lab.spis("a");
    run(&format!("kill -9 {}", lab.child_pid("a", "uxfrm-engine")));
    until("all CHILD_SAs in the next engine", 2 * PATIENCE, || {
        let (daemon, engine) = lab.spis("a");
        daemon.len() == 2 * TUNNELS as usize && daemon.iter().all(|spi| engine.contains(spi))
    });
    let (daemon, _) = lab.spis("a");
    assert!(daemon.iter().all(|spi| !before.contains(spi)), "an SA of an engine that is gone");
    until("a ping through each", PATIENCE, || silent(&lab, TUNNELS).is_empty());
    assert_eq!(lab.ike_sas_made("a"), TUNNELS as usize, "the IKE_SAs are the same");
    let stats = lab.stats("a");
    let carries = |sa: &serde_json::Value| sa["counters"]["packets"].as_u64() > Some(0);
    let idle = stats["sas"].as_array().unwrap().iter().filter(|sa| !carries(sa)).count();
    assert!(
        idle <= stats["sas"].as_array().unwrap().len() - 2 * TUNNELS as usize,
        "{idle} idle SAs: {stats}"
    );
}

/// An address behind gateway `b` for each tunnel: what goes there, and what comes from there, takes that tunnel.
fn each_by_its_own_route(lab: &Lab, tunnels: u32) {
    let (mut host, mut near, mut far) = (String::new(), String::new(), String::new());
    for i in 0..tunnels {
        let (address, interface) = (behind(i), 1000 + i);
        writeln!(host, "addr add {address}/32 dev lan").unwrap();
        writeln!(near, "route add {address}/32 dev ipsec{interface}").unwrap();
        writeln!(far, "route add {address}/32 via 10.2.0.2 dev lan").unwrap();
        writeln!(far, "rule add from {address}/32 lookup {interface}").unwrap();
        writeln!(far, "route add 10.1.0.0/24 dev ipsec{interface} table {interface}").unwrap();
    }
    for (node, lines) in [("hb", host), ("ga", near), ("gb", far)] {
        let file = lab.path("a", &format!("{node}.batch"));
        std::fs::write(&file, lines).unwrap();
        run(&format!("ip -n {}{node} -batch {}", lab.name, file.display()));
    }
}

fn behind(tunnel: u32) -> String {
    format!("10.2.1.{}", 1 + tunnel)
}

/// The tunnels through which no ping is answered, of which each is tried three times.
fn silent(lab: &Lab, tunnels: u32) -> Vec<u32> {
    let tried = |tunnel: &u32| lab.ping("ha", &behind(*tunnel), 1) == 1;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for part in 0..8 {
            let sender = sender.clone();
            scope.spawn(move || {
                for tunnel in (part..tunnels).step_by(8).filter(|tunnel| !(0..3).any(|_| tried(tunnel))) {
                    sender.send(tunnel).unwrap();
                }
            });
        }
    });
    drop(sender);
    receiver.into_iter().collect()
}

/// A flood of small packets neither grows the engine nor ends it; when it is over the memory is given back.
#[test]
fn a_flood_leaves_memory_flat() {
    lab_or_skip!();
    let lab = Lab::new("fl", Options::default());
    lab.initiate("c0");
    let engine = lab.child_pid("b", "uxfrm-engine");
    let private = || -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{engine}/smaps_rollup")).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("Private_Dirty") || line.starts_with("Private_Clean"));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    // What the kernel holds for the engine, in KiB: what waits in its sockets, received or to be sent (see ss(8)).
    let sockets = || -> u64 {
        let text = lab.exec("gb", "ss -H -u -w -a -n -m");
        let fields =
            text.split("skmem:(").skip(1).flat_map(|socket| socket.split(')').next().unwrap().split(','));
        fields.filter_map(|field| field.strip_prefix(['r', 't'])?.parse::<u64>().ok()).sum::<u64>() / 1024
    };
    let idle = private();
    lab.serve_iperf("hb");
    let command = lab.in_namespace("ha", "iperf3 -J -c 10.2.0.2 -u -b 0 -l 64 -t 3");
    let flood = std::thread::spawn(move || run(&command));
    std::thread::sleep(Duration::from_secs(2));
    let (flooded, waiting) = (private(), sockets());
    // The worst that can wait: a stopped engine reads nothing, and one outer socket takes what it may.
    run(&format!("kill -STOP {engine}"));
    std::thread::sleep(Duration::from_millis(400));
    let most = sockets();
    run(&format!("kill -CONT {engine}"));
    flood.join().unwrap();
    assert!(flooded < 8 * 1024, "{flooded} KiB in a flood");
    assert!(flooded + waiting < 32 * 1024, "{flooded} KiB and {waiting} KiB in sockets in a flood");
    assert!(waiting < most, "{most} KiB: a flood fills the socket of an engine that does not read");
    assert!(flooded + most < 32 * 1024, "{flooded} KiB and {most} KiB in sockets that nobody reads");
    println!(
        "{idle} KiB idle, {flooded} KiB in a flood, {waiting} KiB waiting in sockets, {most} KiB at most"
    );
    until("memory given back", PATIENCE, || private() < idle + 512);
    assert_eq!(lab.ping("ha", "10.2.0.2", 3), 3);
}

/// Idle means idle: no CPU, and little memory.
#[test]
fn idle_costs_nothing() {
    lab_or_skip!();
    let lab = Lab::new("id", Options::default());
    lab.initiate("c0");
    std::thread::sleep(Duration::from_secs(3));
    let engine = lab.child_pid("a", "uxfrm-engine");
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten();
        let of = |path: std::path::PathBuf| {
            let text = std::fs::read_to_string(path.join("status")).unwrap_or_default();
            // Not those that somebody else's wish for the CPU forces upon it.
            let lines = text.lines().filter(|line| line.starts_with("voluntary_ctxt_switches"));
            lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        tasks.map(|task| of(task.path())).sum()
    };
    let cpu = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten();
        let of = |path: std::path::PathBuf| {
            let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            text.split(' ').next().unwrap_or_default().parse::<u64>().unwrap_or(0)
        };
        tasks.map(|task| of(task.path())).sum()
    };
    let (before, cpu_before) = (switches(), cpu());
    std::thread::sleep(Duration::from_secs(6));
    let used = (cpu() - cpu_before) / 1000;
    assert!(used < 12_000, "{used} µs of CPU in 6 s of silence");
    // A ping of the broker every two seconds, and what IPv6 says on its own.
    assert!(switches() - before <= 10, "{} wake-ups in 6 s", switches() - before);
    // Nor does looking for more packets cost much where they are few: each is worth some 50 µs of it at most.
    let cpu_before = cpu();
    assert_eq!(lab.ping("ha", "10.2.0.2", 100), 100);
    let used = (cpu() - cpu_before) / 1000 / 100;
    assert!(used < 400, "{used} µs of CPU for each ping");
}

/// Two workers on each side: flows spread over queues and SAs over sockets, and nothing is lost or refused.
#[test]
fn several_workers() {
    lab_or_skip!();
    let lab = Lab::new("wk", Options { run_arguments: vec!["--workers=2".into()], ..Options::default() });
    for _ in 0..4 {
        lab.initiate("c0");
        for (from, to) in [("ha", "10.2.0.2"), ("hb", "10.1.0.2"), ("ha", "fd02::2"), ("hb", "fd01::2")] {
            assert_eq!(lab.ping(from, to, 5), 5, "{from} to {to}");
        }
        lab.serve_iperf("hb");
        lab.exec("ha", "iperf3 -c 10.2.0.2 -t 1 -P 4");
        for counter in ["integrity_failed", "replayed", "malformed", "policy_mismatch"] {
            assert_eq!(lab.sa_counter("b", counter), 0, "{counter}");
        }
        // Another SPI, perhaps another worker.
        lab.swanctl("a", "--terminate --ike t");
    }
}

/// DSCP is shown outside; congestion that is marked outside reaches the packet inside (RFC 6040).
#[test]
fn dscp_and_ecn_cross_the_tunnel() {
    lab_or_skip!();
    let lab = Lab::new("tc", Options::default());
    lab.initiate("c0");
    let first = |node: &str, device: &str, filter: &str, tos: u32| -> String {
        let capture = lab.capture(node, device, 1, filter);
        lab.exec("ha", &format!("ping -q -i 0.1 -c 3 -s 500 -Q {tos} 10.2.0.2"));
        capture.text()
    };
    // Expedited forwarding, ECT(0): both are copied outside.
    let outside = first("gb", "wan", "-Q in udp and dst port 4500 and greater 400", 0xba);
    assert!(outside.contains("tos 0xba"), "{outside}");
    // The wire marks congestion on what is ECN-capable.
    let rules = lab.path("a", "nft");
    std::fs::write(
        &rules,
        "table ip congest {\n chain out {\n type filter hook output priority 0\n udp dport 4500 ip ecn set ce\n }\n}\n",
    )
    .unwrap();
    lab.exec("ga", &format!("nft -f {}", rules.display()));
    let inside = first("hb", "lan", "-Q in icmp and greater 400", 0xba);
    assert!(inside.contains("tos 0xbb"), "{inside}");
    // What is not ECN-capable inside must be dropped then.
    let lost = lab.ping("ha", "10.2.0.2", 3);
    assert_eq!(lost, 0, "a mark on a packet whose transport cannot see it");
}

/// DF outside is the inner packet's; IPv6 counts as having it; with `copy_df = no` it is never set.
#[test]
fn df_is_copied_unless_configured_otherwise() {
    lab_or_skip!();
    for (name, encapsulate, copy) in [("d1", true, true), ("d2", false, true), ("d3", true, false)] {
        let child = if copy { String::new() } else { "copy_df = no".into() };
        let lab = Lab::new(name, Options { encapsulate, child, ..Options::default() });
        lab.initiate("c0");
        // Packets of 500 bytes, one way; IKE's are shorter then. With and without DF in turn: a batch has one kind alone.
        let filter = "-Q in \\( udp dst port 4500 or ip proto 50 \\) and greater 500";
        let capture = lab.capture("gb", "wan", 8, filter);
        for _ in 0..2 {
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M do 10.2.0.2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M dont 10.2.0.2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 fd02::2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M dont 10.2.0.2");
        }
        let text = capture.text();
        let flags: Vec<_> =
            text.lines().filter_map(|line| Some(line.split_once("flags [")?.1.starts_with("DF"))).collect();
        assert_eq!(flags, [copy, false, copy, false, copy, false, copy, false], "{name}: {text}");
    }
}

/// Somebody sends every packet of a tunnel a second time: the hosts hear of none twice.
#[test]
fn replayed_packets_reach_nobody() {
    lab_or_skip!();
    let lab = Lab::new("rp", Options::default());
    lab.initiate("c0");
    let rules = lab.path("a", "nft");
    std::fs::write(
        &rules,
        "table ip twice {\n chain out {\n type filter hook output priority 0\n oif wan udp dport 4500 dup to 198.51.100.2 device wan\n }\n}\n",
    )
    .unwrap();
    lab.exec("ga", &format!("nft -f {}", rules.display()));
    let requests = || -> u64 {
        let text = lab.exec("hb", "cat /proc/net/snmp");
        let values = text.lines().filter(|line| line.starts_with("Icmp:")).nth(1).unwrap();
        // InMsgs, InErrors, InCsumErrors, InDestUnreachs, InTimeExcds, InParmProbs, InSrcQuenchs, InRedirects, InEchos.
        values.split_whitespace().nth(9).unwrap().parse().unwrap()
    };
    let before = requests();
    assert_eq!(lab.ping("ha", "10.2.0.2", 40), 40);
    assert_eq!(requests() - before, 40);
    assert!(lab.sa_counter("b", "replayed") >= 40, "{}", lab.stats("b"));
    assert_eq!(lab.sa_counter("b", "integrity_failed"), 0);
}
