//! What happens on the way: small MTUs, fragments, NAT that remaps, many tunnels, floods. Needs root.

mod support;

use std::fmt::Write as _;
use std::time::Duration;
use support::{Lab, Options, run, try_run, until};

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
        // The engine asks for the path MTU once a second; until then the kernel fragments outside.
        std::thread::sleep(Duration::from_millis(1100));
        let ping = |arguments: &str| {
            let command = lab.in_namespace("ha", &format!("ping -n -i 0.1 -W 1 {arguments}"));
            String::from_utf8_lossy(&try_run(&command).stdout).into_owned()
        };
        // Does not fit the interface; then fits it, but not the path.
        let answer = ping("-c 2 -M do -s 1440 10.2.0.2");
        assert!(answer.contains("mtu = 1400") || answer.contains("mtu=1400"), "{answer}");
        let answer = ping("-c 3 -M do -s 1330 10.2.0.2");
        let mtu: usize = ["mtu = ", "mtu="]
            .iter()
            .find_map(|mark| {
                answer.split(mark).nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            })
            .unwrap_or_else(|| panic!("no MTU in {answer}"));
        assert!((1200..1300).contains(&mtu), "{answer}");
        assert!(ping(&format!("-c 2 -M do -s {} 10.2.0.2", mtu - 28)).contains(" 0% packet loss"));
        let answer = ping("-c 3 -M do -s 1330 fd02::2");
        assert!(answer.contains("too big"), "{answer}");
        // Without DF everything passes, in fragments inside and outside.
        for size in [1330, 3000, 9000] {
            let answer = ping(&format!("-c 2 -M dont -s {size} 10.2.0.2"));
            assert!(answer.contains(" 0% packet loss"), "{size}: {answer}");
        }
        // The other end has yet to learn the path's MTU for its answers.
        let big = || ping("-c 1 -s 9000 fd02::2").contains(" 0% packet loss");
        until("large packets of IPv6", Duration::from_secs(5), big);
        // TCP adapts.
        lab.exec("hb", "iperf3 -s -1 -D");
        std::thread::sleep(Duration::from_millis(200));
        let report: serde_json::Value =
            serde_json::from_str(&lab.exec("ha", "iperf3 -J -c 10.2.0.2 -t 1")).unwrap();
        assert!(report["end"]["sum_received"]["bits_per_second"].as_f64().unwrap() > 1e8);
    }
}

/// A NAT gives the initiator another port in mid-life: the responder hears of it and follows.
#[test]
fn nat_remapping_is_followed() {
    lab_or_skip!();
    let lab = Lab::new("nt", Options::default());
    let nat = |port: u16| {
        let rules = format!(
            "flush ruleset
             table inet nat {{
               chain pre {{ type filter hook prerouting priority -300; udp dport {port} notrack udp dport set 4500; }}
               chain out {{ type filter hook output priority -300; udp sport 4500 notrack udp sport set {port}; }}
             }}"
        );
        let file = lab.path("a", "nft");
        std::fs::write(&file, rules).unwrap();
        lab.exec("ga", &format!("nft -f {}", file.display()));
    };
    nat(5555);
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    assert!(lab.swanctl("b", "--list-sas").contains("[5555]"));
    nat(6666);
    until("traffic after the remapping", Duration::from_secs(10), || lab.ping("ha", "10.2.0.2", 1) == 1);
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
    let name = &lab.name;
    for i in [0, 1, 57, 123, TUNNELS - 1] {
        run(&format!("ip -n {name}ga route replace 10.2.0.0/24 dev ipsec{}", 1000 + i));
        run(&format!("ip -n {name}gb route replace 10.1.0.0/24 dev ipsec{}", 1000 + i));
        assert_eq!(lab.ping("ha", "10.2.0.2", 3), 3, "tunnel {i}");
    }
    let stats = lab.stats("a");
    let used =
        stats["sas"].as_array().unwrap().iter().filter(|sa| sa["counters"]["packets"].as_u64() > Some(2));
    assert_eq!(used.count(), 10, "each tunnel uses its own SAs");
    // The engine dies with all of them, and all of them are made anew.
    run(&format!("kill -9 {}", lab.child_pid("a", "uxfrm-engine")));
    until("all SAs", Duration::from_secs(40), || {
        let (uxfrm, socket) = (env!("CARGO_BIN_EXE_uxfrm"), lab.path("a", "stats"));
        let text = try_run(&format!("{uxfrm} stats --stats {}", socket.display())).stdout;
        let stats: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        stats["sas"].as_array().is_some_and(|sas| sas.len() >= 2 * TUNNELS as usize)
    });
    for i in [0, 1, 57, 123, TUNNELS - 1] {
        run(&format!("ip -n {name}ga route replace 10.2.0.0/24 dev ipsec{}", 1000 + i));
        run(&format!("ip -n {name}gb route replace 10.1.0.0/24 dev ipsec{}", 1000 + i));
        assert_eq!(lab.ping("ha", "10.2.0.2", 3), 3, "tunnel {i} after the engine");
    }
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
    lab.exec("hb", "iperf3 -s -1 -D");
    std::thread::sleep(Duration::from_millis(200));
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
    until("memory given back", Duration::from_secs(10), || private() < idle + 512);
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
            let lines = text.lines().filter(|line| line.contains("ctxt_switches"));
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
        lab.exec("hb", "iperf3 -s -1 -D");
        std::thread::sleep(Duration::from_millis(200));
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
        let capture = lab.in_namespace(node, &format!("timeout 5 tcpdump -n -v -c 1 -i {device} {filter}"));
        let capture =
            std::thread::spawn(move || String::from_utf8_lossy(&try_run(&capture).stdout).into_owned());
        std::thread::sleep(Duration::from_millis(700));
        lab.exec("ha", &format!("ping -q -i 0.1 -c 3 -s 500 -Q {tos} 10.2.0.2"));
        capture.join().unwrap()
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
        let capture = lab.in_namespace(
            "gb",
            "timeout 10 tcpdump -n -v -c 8 -i wan -Q in \\( udp dst port 4500 or ip proto 50 \\) and greater 500",
        );
        let capture =
            std::thread::spawn(move || String::from_utf8_lossy(&try_run(&capture).stdout).into_owned());
        std::thread::sleep(Duration::from_millis(700));
        for _ in 0..2 {
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M do 10.2.0.2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M dont 10.2.0.2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 fd02::2");
            lab.exec("ha", "ping -q -i 0.05 -c 1 -s 500 -M dont 10.2.0.2");
        }
        let text = capture.join().unwrap();
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
