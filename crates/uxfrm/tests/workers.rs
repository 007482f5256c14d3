//! Several workers and one SA. Needs root.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Lab, Options, run};

const WORKERS: usize = 4;

/// Nanoseconds of CPU that each worker of a gateway's engine has used.
fn efforts(lab: &Lab, side: &str) -> BTreeMap<String, u64> {
    let engine = lab.child_pid(side, "uxfrm-engine");
    let tasks = fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten();
    let effort = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        let used = fs::read_to_string(task.path().join("schedstat")).ok()?;
        name.starts_with("worker-").then(|| (name, used.split(' ').next().unwrap().parse().unwrap()))
    };
    tasks.filter_map(effort).collect()
}

/// The ESP sequence numbers of a capture (pcap, microseconds, Ethernet) by SPI, in order.
fn numbers(capture: &[u8]) -> BTreeMap<u32, Vec<u32>> {
    let mut numbers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4);
    let mut at = 24;
    while at + 16 < capture.len() {
        let (start, len) = (at + 16, word(at + 8) as usize);
        at = start + len;
        // Ethernet, IPv4 without options, UDP. What a killed tcpdump had not written whole is none.
        let Some(esp) = capture.get(start + 42..start + 50).filter(|_| at <= capture.len()) else { break };
        let [spi, number] = [0, 4].map(|i| u32::from_be_bytes(esp[i..i + 4].try_into().unwrap()));
        if spi != 0 {
            numbers.entry(spi).or_default().push(number);
        }
    }
    numbers
}

/// UDP in small and large packets over many flows, while TCP runs: the packets of the SA leave in the order of their numbers
/// though several workers send them, and a peer with the smallest window takes them all.
#[test]
fn one_sa_is_sent_in_order_by_several_workers() {
    lab_or_skip!();
    let child = "replay_window = 32";
    let arguments = vec![format!("--workers={WORKERS}")];
    let lab = Lab::new("ws", Options { run_arguments: arguments, child: child.into(), ..Options::default() });
    lab.initiate("c0");
    // Single packets leave, and one queue keeps their order on the way, as a wire does.
    lab.exec("ga", "ethtool -K wan tso off gso off tx-udp-segmentation off");
    lab.exec("gb", "ethtool -K wan gro on");
    let file = lab.path("a", "pcap");
    let capture =
        format!("tcpdump -n -Z root -i wan -Q out -s 64 -B 65536 -w {} udp dst port 4500", file.display());
    let capture = format!("exec {}", lab.in_namespace("ga", &capture));
    let mut capture = Command::new("sh").args(["-c", &capture]).stderr(Stdio::null()).spawn().unwrap();
    // It says nothing that could be waited for before its buffer is full.
    std::thread::sleep(Duration::from_secs(1));
    let before = efforts(&lab, "a");
    let loads = ["-u -b 40M -P 6 -l 64", "-u -b 200M -P 6 -l 1300", "-P 8"];
    for (port, _) in (5301..).zip(loads) {
        lab.exec("hb", &format!("iperf3 -s -1 -D -p {port}"));
    }
    std::thread::sleep(Duration::from_millis(300));
    std::thread::scope(|scope| {
        for (port, load) in (5301..).zip(loads) {
            let lab = &lab;
            scope.spawn(move || lab.exec("ha", &format!("iperf3 -c 10.2.0.2 -p {port} -t 3 {load}")));
        }
    });
    run(&format!("kill {}", capture.id()));
    capture.wait().unwrap();
    let used: Vec<u64> =
        efforts(&lab, "a").into_iter().map(|(name, effort)| effort - before[&name]).collect();
    let path = lab.stats("a")["path"].clone();
    println!("CPU of each worker, ns: {used:?}; {path}");
    // What is hashed alone gives each something to send.
    assert_eq!(used.len(), WORKERS);
    let most = *used.iter().max().unwrap();
    assert!(used.iter().filter(|effort| **effort > most / 10).count() > 1, "{used:?}");
    // Only who was kept from its CPU for longer than anybody waits is overtaken.
    let late = path["out_of_turn"].as_u64().unwrap();
    let numbers = numbers(&fs::read(&file).unwrap());
    assert!(numbers.values().map(Vec::len).sum::<usize>() > 10_000, "{}", numbers.len());
    for (spi, numbers) in numbers {
        let overtaken = numbers.windows(2).filter(|pair| pair[0] >= pair[1]).count() as u64;
        // What is late is no more than what was read at once, in as many batches as there were packets.
        assert!(
            overtaken <= late * 64,
            "{spi:08x}: {overtaken} overtaken, {late} late, of {}",
            numbers.len()
        );
    }
    // With extended numbers one from below the window is taken for one of the next four billion, and its check value is wrong.
    let refused = lab.sa_counter("b", "replayed") + lab.sa_counter("b", "integrity_failed");
    assert!(refused <= late * 64, "{refused} refused, {late} batches late");
    for counter in ["malformed", "policy_mismatch"] {
        assert_eq!(lab.sa_counter("b", counter), 0, "{counter}");
    }
    assert_eq!(path["panics"], 0);
}

/// Streams whose acknowledgements all come by one SA, and so to one worker, are sent by others as well when it is full.
#[test]
fn a_full_worker_lets_others_send() {
    lab_or_skip!();
    let arguments = vec![format!("--workers={WORKERS}")];
    // So slow that a gateway's worker is the bottleneck, not the hosts: the sender's or the receiver's, which deals out its
    // acknowledgements then.
    let proposals = vec!["3des-sha1-esn".to_owned()];
    let lab = Lab::new("wf", Options { run_arguments: arguments, proposals, ..Options::default() });
    lab.initiate("c0");
    lab.exec("hb", "iperf3 -s -1 -D");
    std::thread::sleep(Duration::from_millis(300));
    let before = ["a", "b"].map(|side| efforts(&lab, side));
    lab.exec("ha", "iperf3 -c 10.2.0.2 -t 5 -P 8");
    let paths = ["a", "b"].map(|side| lab.stats(side)["path"].clone());
    for ((side, path), before) in ["a", "b"].into_iter().zip(&paths).zip(before) {
        let used: Vec<u64> =
            efforts(&lab, side).into_iter().map(|(name, effort)| effort - before[&name]).collect();
        println!("{side}: CPU of each worker, ns: {used:?}; {path}");
        let most = *used.iter().max().unwrap();
        // Acknowledgements, where these were dealt out, are less than a percent of the work.
        if path["spreads"].as_u64() > Some(0) {
            assert!(used.iter().filter(|effort| **effort > most / 1000).count() > 1, "{used:?}");
        }
    }
    assert!(paths.iter().any(|path| path["spreads"].as_u64() > Some(0)), "{paths:?}");
    // A lone ping is answered by whoever opened it again, when all is calm.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(lab.ping("ha", "10.2.0.2", 20), 20);
}
