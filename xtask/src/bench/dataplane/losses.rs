//! Where packets are lost on the way from host to host, and what TCP made of it: each counter of the kernel and of the
//! engines that says so, read before and after a test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::lab::{Lab, Side, inside};

/// What the sending TCP did, in the order of the table: segments sent again; recoveries after duplicate acknowledgements
/// and after timeouts; probes of a lost tail, and those that mended a loss; what the receiver said it had twice (then
/// nothing had been lost), what turned out as reordering; a segment not sent again because the first still waits in a
/// queue of this host.
const SENDER: [&str; 14] = [
    "RetransSegs",
    "TCPLostRetransmit",
    "TCPSackRecovery",
    "TCPFastRetrans",
    "TCPSlowStartRetrans",
    "TCPTimeouts",
    "TCPLossProbes",
    "TCPLossProbeRecovery",
    "TCPDSACKRecv",
    "TCPDSACKOfoRecv",
    "TCPSACKReorder",
    "TCPTSReorder",
    "TCPSpuriousRTOs",
    "TCPSpuriousRtxHostQueues",
];
/// What the receiving one did: segments behind a gap, and those that it dropped itself.
const RECEIVER: [&str; 8] = [
    "InErrs",
    "InCsumErrors",
    "TCPOFOQueue",
    "TCPDSACKOldSent",
    "TCPBacklogDrop",
    "TCPRcvQDrop",
    "TCPOFODrop",
    "RcvPruned",
];
/// What an IP or UDP layer dropped, anywhere.
const ANYWHERE: [&str; 10] = [
    "InHdrErrors",
    "InAddrErrors",
    "InDiscards",
    "OutDiscards",
    "OutNoRoutes",
    "ReasmFails",
    "FragFails",
    "FragCreates",
    "RcvbufErrors",
    "SndbufErrors",
];
/// Of an engine's data path and SAs, what is no drop.
const NO_DROP: [&str; 8] = [
    "bytes",
    "packets",
    "receive_calls",
    "received",
    "send_calls",
    "sent",
    "interface_writes",
    "interface_reads",
];

/// By how much counters have grown; only those that have.
pub type Growth = BTreeMap<String, u64>;

/// All counters of one lab at one moment, by place and name.
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Those of the four namespaces, of the engines where there are any, and of the machine.
    ///
    /// # Errors
    /// Where a namespace can't be entered.
    pub fn read(lab: &Lab) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for (place, namespace, names) in [
            ("1 near host", lab.host(Side::A), &SENDER[..]),
            ("2 near gateway", lab.gateway(Side::A), &[]),
            ("3 far gateway", lab.gateway(Side::B), &[]),
            ("4 far host", lab.host(Side::B), &RECEIVER),
        ] {
            let files = inside(&namespace, || Ok(Files::read()))?;
            files.count(place, names, &mut all);
        }
        for (place, side) in [("2 near gateway", Side::A), ("3 far gateway", Side::B)] {
            count_engine(&lab.path(side, "stats"), place, &mut all);
        }
        let softnet = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
        all.insert("5 machine, softnet backlog full".into(), softnet_dropped(&softnet));
        Ok(Self(all))
    }

    /// What has grown since an earlier moment, and by how much. An SA's counters go with it, so less is no news.
    pub fn since(&self, before: &Self) -> Growth {
        let grown = |(name, now): (&String, &u64)| {
            let by = now.saturating_sub(before.0.get(name).copied().unwrap_or(0));
            (by > 0).then(|| (name.clone(), by))
        };
        self.0.iter().filter_map(grown).collect()
    }
}

/// The kernel's counters of a namespace, as it writes them.
struct Files {
    /// `/proc/net/snmp` and `netstat`: pairs of lines, names and values.
    protocols: String,
    /// `/proc/net/dev`.
    devices: String,
    /// `/proc/net/{udp,udp6,raw,raw6}`: a socket's drops stand last.
    sockets: String,
    /// `tc -s -j qdisc`.
    queues: String,
}

impl Files {
    /// Of the calling thread's namespace.
    fn read() -> Self {
        let read = |names: &[&str]| {
            let text =
                |name: &&str| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
            names.iter().map(text).collect::<String>()
        };
        let queues = Command::new("tc").args(["-s", "-j", "qdisc", "show"]).output();
        Self {
            protocols: read(&["snmp", "netstat"]),
            devices: read(&["dev"]),
            sockets: read(&["udp", "udp6", "raw", "raw6"]),
            queues: queues
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                .unwrap_or_default(),
        }
    }

    fn count(&self, place: &str, names: &[&str], all: &mut BTreeMap<String, u64>) {
        let mut lines = self.protocols.lines();
        while let (Some(header), Some(values)) = (lines.next(), lines.next()) {
            let protocol = header.split(':').next().unwrap_or_default();
            let pairs = header.split_whitespace().zip(values.split_whitespace()).skip(1);
            for (name, value) in pairs {
                // UDP-Lite's are UDP's own again in some kernels, and nobody uses it here.
                let known = names.contains(&name) || ANYWHERE.contains(&name);
                if known && protocol != "UdpLite" {
                    add(all, format!("{place}, {protocol} {name}"), value.parse().unwrap_or(0));
                }
            }
        }
        for line in self.devices.lines() {
            let Some((name, values)) = line.split_once(':') else { continue };
            let values: Vec<u64> = values.split_whitespace().filter_map(|value| value.parse().ok()).collect();
            // Errors and drops, received and sent.
            for (index, what) in [(2, "rx errors"), (3, "rx dropped"), (10, "tx errors"), (11, "tx dropped")]
            {
                let value = values.get(index).copied().unwrap_or(0);
                add(all, format!("{place}, {} {what}", name.trim()), value);
            }
        }
        let drops =
            self.sockets.lines().filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
        add(all, format!("{place}, sockets' queues full"), drops.sum());
        let queues: Value = serde_json::from_str(&self.queues).unwrap_or_default();
        for queue in queues.as_array().into_iter().flatten() {
            let (device, drops) = (queue["dev"].as_str().unwrap_or_default(), queue["drops"].as_u64());
            add(all, format!("{place}, {device} qdisc dropped"), drops.unwrap_or(0));
        }
    }
}

fn add(all: &mut BTreeMap<String, u64>, name: String, value: u64) {
    *all.entry(name).or_default() += value;
}

/// What an engine has dropped, where there is one with such a socket.
fn count_engine(socket: &Path, place: &str, all: &mut BTreeMap<String, u64>) {
    let Some(numbers) = ask_engine(socket) else { return };
    let of_sas = numbers["sas"].as_array().into_iter().flatten().map(|sa| &sa["counters"]);
    for counters in of_sas.chain([&numbers["path"]]) {
        for (name, value) in counters.as_object().into_iter().flatten() {
            if !NO_DROP.contains(&name.as_str()) {
                add(all, format!("{place}, engine {name}"), value.as_u64().unwrap_or(0));
            }
        }
    }
}

fn ask_engine(socket: &Path) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"json\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Packets that found a CPU's backlog full: the second word of each CPU's line, hexadecimal.
fn softnet_dropped(text: &str) -> u64 {
    let dropped = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(dropped).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_found_where_the_kernel_writes_them() {
        let files = Files {
            protocols: "Ip: Forwarding InDiscards\nIp: 1 3\nTcp: RetransSegs InErrs\nTcp: 7 1\n\
                        Udp: InDatagrams RcvbufErrors\nUdp: 9 4\nTcpExt: TCPLossProbes\nTcpExt: 2\n"
                .into(),
            devices: "Inter-| Receive | Transmit\n face |bytes\n  wan: 1 2 0 5 0 0 0 0 3 4 0 6 0 0 0 0\n"
                .into(),
            sockets: "sl local drops\n 1: 00:00 00:00 07 12\n 2: 00:00 00:00 07 30\n".into(),
            queues: r#"[{"kind":"pfifo_fast","dev":"ipsec42","drops":8}]"#.into(),
        };
        let mut all = BTreeMap::new();
        files.count("here", &SENDER, &mut all);
        let before = Counters(BTreeMap::from([("here, Tcp RetransSegs".to_owned(), 5)]));
        let grown = Counters(all).since(&before);
        let expected = [
            ("here, Ip InDiscards", 3),
            ("here, Tcp RetransSegs", 2),
            ("here, TcpExt TCPLossProbes", 2),
            ("here, Udp RcvbufErrors", 4),
            ("here, ipsec42 qdisc dropped", 8),
            ("here, sockets' queues full", 42),
            ("here, wan rx dropped", 5),
            ("here, wan tx dropped", 6),
        ];
        assert_eq!(grown, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(softnet_dropped("0001 0000000a 0\n0002 00000001 0\n"), 11);
    }
}
