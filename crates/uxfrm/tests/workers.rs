//! Several workers and one SA. Needs root.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::load::{Load, inside};
use support::{Lab, Options, run, until};
use uxfrm::database::snapshot_map::SnapshotMap;
use uxfrm::datapath::counters::PathCounters;
use uxfrm::datapath::interface::{Interface, Writer};
use uxfrm::datapath::spread::{Effort, Spread};
use uxfrm::inner::coalesce::Sink;
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::tun::{VNET_HEADER_LEN, open_queue};

const WORKERS: usize = 4;
const FAR_PORT: u16 = 8000;

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

/// Sends datagrams over many flows to ports where nobody listens, some 10,000 a second where the machine permits.
fn send_unanswered(len: usize, is_over: &AtomicBool) {
    let sockets: Vec<UdpSocket> = (0..32).map(|_| UdpSocket::bind("0.0.0.0:0").unwrap()).collect();
    let payload = vec![0; len];
    while !is_over.load(Ordering::Relaxed) {
        // One that is lost is no matter.
        sockets.iter().for_each(|socket| drop(socket.send_to(&payload, ("10.2.0.2", 9))));
        std::thread::sleep(Duration::from_millis(3));
    }
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
    lab.serve_iperf("hb");
    let is_over = Arc::new(AtomicBool::new(false));
    let senders = [64, 1300].map(|len| {
        let is_over = is_over.clone();
        inside(&format!("{}ha", lab.name), move || send_unanswered(len, &is_over))
    });
    lab.exec("ha", "iperf3 -c 10.2.0.2 -t 3 -P 8");
    is_over.store(true, Ordering::Relaxed);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    run(&format!("kill {}", capture.id()));
    capture.wait().unwrap();
    let used: Vec<u64> =
        efforts(&lab, "a").into_iter().map(|(name, effort)| effort - before[&name]).collect();
    let path = lab.stats("a")["path"].clone();
    println!("CPU of each worker, ns: {used:?}; {path}");
    // Flows that nobody answers are hashed over all queues; a worker that has nothing to send uses thousandths of this.
    assert_eq!(used.len(), WORKERS);
    assert!(used.iter().filter(|effort| **effort > 20_000_000).count() > 1, "{used:?}");
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

/// By which SPI a gateway receives; what was replaced is no longer called installed.
fn inbound_spi(lab: &Lab, side: &str) -> u32 {
    let mut found = None;
    until("one CHILD_SA that is installed", Duration::from_secs(30), || {
        let raw = lab.swanctl(side, "--list-sas --raw");
        let mut installed = raw.split("state=INSTALLED").skip(1);
        let spi = |child: &str| {
            let text = child.split("spi-in=").nth(1)?.split_whitespace().next()?.to_owned();
            u32::from_str_radix(&text, 16).ok()
        };
        found = installed.next().and_then(spi);
        installed.next().is_none() && found.is_some()
    });
    found.unwrap()
}

/// Whichever end begins: the new SA's packets are opened by the worker that opened the old one's, at both ends.
#[test]
fn a_rekey_keeps_the_worker() {
    lab_or_skip!();
    const REKEYS: usize = 10;
    let lab = Lab::new("wk", Options { run_arguments: vec!["--workers=2".into()], ..Options::default() });
    lab.initiate("c0");
    // What is negotiated right after the first one is to spread.
    std::thread::sleep(Duration::from_secs(6));
    let load = Load::start(&lab, 2);
    let spis = || ["a", "b"].map(|side| inbound_spi(&lab, side));
    let mut seen = vec![spis()];
    for side in ["a", "b"].into_iter().cycle().take(REKEYS) {
        lab.swanctl(side, "--rekey --child c0");
        load.until_it_goes_on(Duration::from_secs(60));
        seen.push(spis());
    }
    let totals = load.finish();
    println!("{totals:?}; {seen:08x?}");
    let workers: Vec<_> = seen.iter().map(|spis| spis.map(|spi| spi % 2)).collect();
    assert!(workers.iter().all(|now| *now == workers[0]), "{workers:?}");
    let mut all: Vec<u32> = seen.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), totals.lost, totals.twice), (2 * (REKEYS + 1), 0, 0), "{totals:?}, {seen:08x?}");
}

/// An inner UDP packet of a flow, as it comes out of a tunnel.
fn packet(flow: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1];
    let words = packet.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    packet[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    for word in [FAR_PORT, flow, 12, 0] {
        packet.extend(word.to_be_bytes());
    }
    packet.extend([0; 4]);
    packet
}

/// The queue by which the packet comes that a flow's local end sends.
fn queue_of_answer(interface: &Interface, flow: u16) -> usize {
    let socket = UdpSocket::bind(("10.9.0.1", flow)).unwrap();
    socket.send_to(b"answer", ("10.9.0.2", FAR_PORT)).unwrap();
    let (start, mut buffer) = (Instant::now(), vec![0; 65_600]);
    loop {
        for (index, queue) in interface.queues.iter().enumerate() {
            // The kernel may announce itself as well.
            let len = queue.read(&mut buffer).unwrap();
            let port = &buffer[VNET_HEADER_LEN + 20..][..2];
            if len == Some(VNET_HEADER_LEN + 34) && port == flow.to_be_bytes() {
                return index;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no answer of {flow}");
    }
}

/// What decides which worker sends a flow is the kernel: it takes the queue by which the flow's other direction was delivered. So
/// all are a worker's own until it is full, and each queue's then.
#[test]
fn the_kernel_sends_flows_by_the_queues_they_are_dealt_to() {
    lab_or_skip!();
    // SAFETY: no pointers; the namespace is this thread's.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
    let queues = (0..WORKERS).map(|_| open_queue("workers", true).unwrap()).collect();
    run("ip addr add 10.9.0.1/24 dev workers; ip link set workers up");
    let interface = Arc::new(Interface { if_id: 7, name: "workers".into(), queues });
    let mut interfaces = SnapshotMap::default();
    interfaces.insert(7, interface.clone());
    let (mut spread, counters) = (Spread::new(1), PathCounters::default());
    let flows = 7000..7000 + 4 * WORKERS as u16;
    let deliver = |spread: &mut Spread| {
        for flow in flows.clone() {
            let packet = packet(flow);
            let mut writer = Writer { spread, interfaces: &interfaces, counters: &counters };
            writer.write(7, VirtioHeader::default(), &packet, std::slice::from_ref(&(0..packet.len())));
        }
        flows.clone().map(|flow| queue_of_answer(&interface, flow)).collect::<Vec<_>>()
    };
    assert_eq!(deliver(&mut spread), vec![1; 4 * WORKERS]);
    let efforts: Vec<Effort> = (0..WORKERS).map(|_| Effort::default()).collect();
    let (mut now, look) = (Instant::now(), Duration::from_millis(100));
    spread.look(now, &efforts);
    while !spread.is_on() {
        now += look;
        efforts[1].worked(look);
        spread.look(now, &efforts);
    }
    let mut sent_by = deliver(&mut spread);
    let dealt: Vec<usize> = flows.clone().map(|flow| spread.queue(&packet(flow))).collect();
    assert_eq!(sent_by, dealt);
    sent_by.sort_unstable();
    sent_by.dedup();
    assert_eq!(sent_by, (0..WORKERS).collect::<Vec<_>>());
    assert_eq!(counters.read().interface_full, 0);
}
