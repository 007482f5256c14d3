//! Throughput, packet rate, latency and CPU of a tunnel: ours, plain routing and strongSwan's kernel-libipsec, in turn in one
//! run, so that other load on the machine hits all alike. Prints medians and ratios as a Markdown table.
//!
//! `cargo bench -p uxfrm --bench dataplane -- [--rounds 5] [--seconds 3] [--wire gro|nogro|super] [--esp PROPOSAL]`

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use support::{Lab, Options, Peer, run, try_run};

struct Settings {
    rounds: usize,
    seconds: u32,
    wire: String,
    esp: String,
}

fn settings() -> Settings {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    Settings {
        rounds: value("--rounds").and_then(|v| v.parse().ok()).unwrap_or(5),
        seconds: value("--seconds").and_then(|v| v.parse().ok()).unwrap_or(3),
        wire: value("--wire").unwrap_or_else(|| "gro".into()),
        esp: value("--esp").unwrap_or_else(|| "aes128gcm16".into()),
    }
}

/// How segments cross the veth that stands for the wire: `gro` and `nogro` cut them before it.
fn shape_wire(lab: &Lab, wire: &str) {
    for gateway in ["ga", "gb"] {
        let options = match wire {
            "super" => continue,
            "nogro" => "tso off gso off tx-udp-segmentation off gro off",
            _ => "tso off gso off tx-udp-segmentation off gro on",
        };
        lab.exec(gateway, &format!("ethtool -K wan {options}"));
    }
}

/// CPU seconds of both gateways' data path so far: threads of engines, or whole charons with libipsec.
fn cpu_seconds(lab: &Lab, peer: Peer) -> f64 {
    let name = match peer {
        Peer::Plain => return 0.0,
        Peer::Uxfrm => "uxfrm-engine",
        _ => "charon-systemd",
    };
    let mut nanoseconds = 0u64;
    for side in ["a", "b"] {
        let pid = lab.data_path_pid(side, name);
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanoseconds += stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    nanoseconds as f64 / 1e9
}

fn iperf(lab: &Lab, arguments: &str) -> serde_json::Value {
    lab.exec("hb", "iperf3 -s -1 -D");
    std::thread::sleep(std::time::Duration::from_millis(200));
    let command = lab.in_namespace("ha", &format!("iperf3 -J -c 10.2.0.2 {arguments}"));
    serde_json::from_slice(&try_run(&command).stdout).unwrap_or_default()
}

type Results = BTreeMap<&'static str, Vec<f64>>;

fn measure(lab: &Lab, peer: Peer, settings: &Settings, results: &mut Results) {
    let seconds = settings.seconds;
    let mut add = |name, value: f64| results.entry(name).or_default().push(value);
    for (name, retransmitted, streams) in [
        ("TCP 1 stream, Gbit/s", "TCP 1 stream, sent again", 1),
        ("TCP 4 streams, Gbit/s", "TCP 4 streams, sent again", 4),
    ] {
        let before = cpu_seconds(lab, peer);
        let end = &iperf(lab, &format!("-t {seconds} -P {streams}"))["end"];
        let bits = end["sum_received"]["bits_per_second"].as_f64().unwrap_or(0.0);
        add(name, bits / 1e9);
        add(retransmitted, end["sum_sent"]["retransmits"].as_f64().unwrap_or(f64::NAN));
        let used = cpu_seconds(lab, peer) - before;
        if streams == 1 && used > 0.0 {
            add("TCP 1 stream, Gbit per CPU-second of both gateways", bits / 1e9 * f64::from(seconds) / used);
        }
    }
    for (name, len) in
        [("UDP 64 bytes, kpkt/s", 64), ("UDP 200 bytes, kpkt/s", 200), ("UDP 1300 bytes, kpkt/s", 1300)]
    {
        let end = &iperf(lab, &format!("-u -b 0 -l {len} -t {seconds}"))["end"]["sum"];
        let (sent, lost) =
            (end["packets"].as_f64().unwrap_or(0.0), end["lost_packets"].as_f64().unwrap_or(0.0));
        add(name, (sent - lost) / f64::from(seconds) / 1e3);
    }
    let text = lab.exec("ha", "ping -q -i 0.01 -c 200 10.2.0.2");
    let average = text.lines().find_map(|line| line.split("= ").nth(1)?.split('/').nth(1)?.parse().ok());
    add("RTT, ms", average.unwrap_or(f64::NAN));
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    if let Some(reason) = support::unavailable() {
        println!("SKIPPED: {reason}");
        return;
    }
    let settings = settings();
    let peers = [("uxfrm", Peer::Uxfrm), ("plain", Peer::Plain), ("libipsec", Peer::BothLibIpsec)];
    let labs: Vec<_> = peers
        .iter()
        .map(|(name, peer)| {
            let proposals = vec![format!("{}-noesn", settings.esp)];
            let lab = Lab::new(&name[..2], Options { peer: *peer, proposals, ..Options::default() });
            shape_wire(&lab, &settings.wire);
            if *peer != Peer::Plain {
                lab.initiate("c0");
            }
            lab
        })
        .collect();
    let mut results: Vec<Results> = peers.iter().map(|_| Results::new()).collect();
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        for ((lab, (_, peer)), results) in labs.iter().zip(&peers).zip(&mut results) {
            measure(lab, *peer, &settings, results);
        }
    }
    println!(
        "{}; wire: {}; medians of {} rounds of {} s",
        settings.esp, settings.wire, settings.rounds, settings.seconds
    );
    println!("{}", run("uname -r; nproc").replace('\n', " "));
    println!("| | uxfrm | plain | libipsec | uxfrm/plain | uxfrm/libipsec |\n|---|---|---|---|---|---|");
    for name in results[0].keys() {
        let value = |i: usize| results[i].get(name).map_or(f64::NAN, |values| median(values));
        let (ours, plain, other) = (value(0), value(1), value(2));
        println!(
            "| {name} | {ours:.3} | {plain:.3} | {other:.3} | {:.3} | {:.3} |",
            ours / plain,
            ours / other
        );
    }
}
