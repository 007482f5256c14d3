//! The tests of a run, and what one of them finds for one peer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::daemon::{Daemon, cpu_seconds, machine_seconds, memory_mib, sockets_mib};
use super::lab::{Lab, Side};
use super::load::rtt::{self, Spacing};
use super::load::{flows, tcp, udp};
use super::losses::{Counters, Growth};
use super::peers::strongswan;
use super::share::{Bounded, Shares};

/// Payload of `udp1400`: with IP and UDP headers 1400 bytes, the largest packet that every tunnel carries whole.
const LARGE_PAYLOAD: usize = 1372;
const SMALL_PAYLOAD: usize = 200;
/// One step of the search for the highest rate.
const RATE_STEP: Duration = Duration::from_millis(500);
const FIRST_GUESS_KPPS: f64 = 80.0;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Test {
    /// TCP, one stream.
    Tcp1,
    /// TCP, four streams.
    Tcp4,
    /// TCP, eight streams.
    Tcp8,
    /// A flood of packets with 64 bytes of payload.
    Udp64,
    /// A flood of packets with 200 bytes of payload.
    Udp200,
    /// A flood of packets of 1400 bytes with all headers.
    Udp1400,
    /// The highest rate of packets with 200 bytes of payload at which no more than 1 % are lost.
    UdpLoss,
    /// The round trip time of an idle path: a ping each 10 ms.
    Rtt,
    /// The same with a ping each millisecond.
    Rtt1ms,
    /// The same with a ping as soon as the one before has come back.
    RttWarm,
    /// uxfrm's first gateway alone: UDP by one SA, counted and dropped where it comes off the wire. Flows that nobody answers: the
    /// kernel deals them out to the workers.
    Send,
    /// The same, and each flow is answered now and then: to the kernel all are the worker's that opens the answers.
    SendAnswered,
}

impl Test {
    /// Its name as it is asked for.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A peer that is ready to carry packets.
pub struct Ready {
    /// Its name in tables.
    pub name: String,
    /// Which program with which settings.
    pub version: String,
    // Before the lab: the processes end first.
    daemons: Vec<Daemon>,
    // After them: its groups can't be removed before their threads have ended.
    shares: Option<Shares>,
    _server: Daemon,
    path: udp::Path,
    lab: Lab,
    guess_kpps: f64,
    /// All values of each measure.
    pub values: BTreeMap<&'static str, Vec<f64>>,
    /// By test, what the counters of drops grew by in each round.
    pub losses: BTreeMap<String, Vec<Growth>>,
}

impl Ready {
    /// A peer whose tunnel is up.
    pub fn new(name: String, version: String, daemons: Vec<Daemon>, lab: Lab) -> anyhow::Result<Self> {
        let (server, path) = (tcp::serve(&lab)?, udp::Path::new(&lab, Side::A)?);
        let values = BTreeMap::new();
        Ok(Self {
            name,
            version,
            daemons,
            shares: None,
            _server: server,
            path,
            lab,
            guess_kpps: FIRST_GUESS_KPPS,
            values,
            losses: BTreeMap::new(),
        })
    }

    /// Bounds each worker thread of the gateways, or of the sending one, to a share of a CPU, in percent.
    ///
    /// # Errors
    /// Without cgroups or workers.
    pub fn bound(&mut self, percent: u32, bounded: Bounded) -> anyhow::Result<()> {
        // TCP is sent by the host behind the first gateway, whose daemon starts last.
        let skipped = if bounded == Bounded::Sender { self.daemons.len() - 1 } else { 0 };
        let pids: Vec<u32> = self.daemons.iter().skip(skipped).flat_map(Daemon::pids).collect();
        self.shares = Some(Shares::bound(&pids, percent)?);
        Ok(())
    }

    fn pids(&self) -> Vec<u32> {
        self.daemons.iter().flat_map(Daemon::pids).collect()
    }

    fn add(&mut self, measure: &'static str, value: f64) {
        self.values.entry(measure).or_default().push(value);
    }

    /// The larger gateway's memory, with all its processes.
    fn gateway_mib(&self) -> f64 {
        self.daemons.iter().map(|daemon| memory_mib(&daemon.pids())).fold(0.0, f64::max)
    }

    /// What waits in the sockets of the gateway where most does.
    fn sockets_mib(&self) -> f64 {
        let first = |daemon: &Daemon| daemon.pids().first().map_or(0.0, |pid| sockets_mib(*pid));
        self.daemons.iter().map(first).fold(0.0, f64::max)
    }

    /// Notes the memory of an idle gateway.
    pub fn note_rest(&mut self) {
        let memory = self.gateway_mib();
        self.add(MEMORY[0], memory);
    }

    /// Everything that was found, for a file.
    pub fn record(&self) -> Value {
        json!({"name": self.name, "version": self.version, "values": self.values, "losses": self.losses})
    }

    /// Runs a test once. What the counters of drops grew by.
    ///
    /// # Errors
    /// When the load does not come through at all.
    pub fn run(&mut self, test: Test, seconds: u32) -> anyhow::Result<Growth> {
        let before = Counters::read(&self.lab)?;
        self.measure(test, seconds)?;
        let grown = Counters::read(&self.lab)?.since(&before);
        self.losses.entry(test.name()).or_default().push(grown.clone());
        Ok(grown)
    }

    fn measure(&mut self, test: Test, seconds: u32) -> anyhow::Result<()> {
        match test {
            Test::Tcp1 => self.tcp(1, seconds, &TCP_1),
            Test::Tcp4 => self.tcp(4, seconds, &TCP_4),
            Test::Tcp8 => self.tcp(8, seconds, &TCP_8),
            Test::Udp64 => self.flood(64, seconds, FLOODS[0]),
            Test::Udp200 => self.flood(SMALL_PAYLOAD, seconds, FLOODS[1]),
            Test::Udp1400 => self.flood(LARGE_PAYLOAD, seconds, FLOODS[2]),
            Test::UdpLoss => {
                self.guess_kpps = self.path.highest_rate(SMALL_PAYLOAD, self.guess_kpps, RATE_STEP)?;
                self.add(HIGHEST_RATE, self.guess_kpps);
                Ok(())
            }
            Test::Rtt => self.round_trip(Spacing::Ms(10), RTT),
            Test::Rtt1ms => self.round_trip(Spacing::Ms(1), RTT_OFTEN[0]),
            Test::RttWarm => self.round_trip(Spacing::None, RTT_OFTEN[1]),
            Test::Send => self.send(false, seconds, &SEND),
            Test::SendAnswered => self.send(true, seconds, &SEND_ANSWERED),
        }
    }

    fn tcp(&mut self, streams: u32, seconds: u32, names: &[&'static str; 4]) -> anyhow::Result<()> {
        let pids = self.pids();
        let (processes, machine) = (cpu_seconds(&pids), machine_seconds());
        let transfer = tcp::transfer(&self.lab, streams, seconds)?;
        let (processes, machine) = (cpu_seconds(&pids) - processes, machine_seconds() - machine);
        self.add(names[0], transfer.gbit_per_second);
        self.add(names[1], transfer.retransmits);
        if !pids.is_empty() {
            self.add(names[2], transfer.gbit / processes);
        }
        self.add(names[3], transfer.gbit / machine);
        Ok(())
    }

    fn send(&mut self, answered: bool, seconds: u32, names: &[&'static str; 3]) -> anyhow::Result<()> {
        // The first gateway's daemon starts last.
        let pids = self.daemons.last().map(Daemon::pids).unwrap_or_default();
        let interface = format!("ipsec{}", strongswan::IF_ID);
        let cpu = || [cpu_seconds(&pids), machine_seconds()];
        let sent = flows::run(&self.lab, &interface, answered, seconds, cpu)?;
        self.add(names[0], sent.gbit / sent.seconds);
        self.add(names[1], sent.gbit / sent.used[0]);
        self.add(names[2], sent.used[1] / sent.seconds);
        Ok(())
    }

    fn round_trip(&mut self, spacing: Spacing, name: &'static str) -> anyhow::Result<()> {
        let median = rtt::median_ms(&self.lab, spacing)?;
        self.add(name, median);
        Ok(())
    }

    fn flood(&mut self, len: usize, seconds: u32, name: &'static str) -> anyhow::Result<()> {
        let is_over = AtomicBool::new(false);
        let (trial, (peak, sockets)) = std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let (mut peak, mut sockets) = (0f64, 0f64);
                while !is_over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(300));
                    peak = peak.max(self.gateway_mib());
                    sockets = sockets.max(self.sockets_mib());
                }
                (peak, sockets)
            });
            let trial = self.path.run(len, None, Duration::from_secs(seconds.into()));
            is_over.store(true, Ordering::Relaxed);
            (trial, watching.join().expect("watching does not panic"))
        });
        let trial = trial?;
        self.add(name, trial.received_kpps());
        self.add(MEMORY[1], peak);
        self.add(MEMORY[2], sockets);
        Ok(())
    }
}

/// TCP of one stream: throughput, segments sent again, throughput per CPU time of the gateways and of the machine.
pub const TCP_1: [&str; 4] = [
    "TCP 1 stream, Gbit/s",
    "TCP 1 stream, sent again",
    "TCP 1 stream, Gbit per CPU-second of both gateways",
    "TCP 1 stream, Gbit per CPU-second of the machine",
];
/// Of four streams.
pub const TCP_4: [&str; 4] = [
    "TCP 4 streams, Gbit/s",
    "TCP 4 streams, sent again",
    "TCP 4 streams, Gbit per CPU-second of both gateways",
    "TCP 4 streams, Gbit per CPU-second of the machine",
];
const TCP_8: [&str; 4] = [
    "TCP 8 streams, Gbit/s",
    "TCP 8 streams, sent again",
    "TCP 8 streams, Gbit per CPU-second of both gateways",
    "TCP 8 streams, Gbit per CPU-second of the machine",
];
/// Sending by one SA: on the wire with outer headers, per CPU time of the gateway, CPUs that the whole machine uses.
const SEND: [&str; 3] = [
    "sending, Gbit/s on the wire",
    "sending, Gbit per CPU-second of the gateway",
    "sending, CPUs used by the machine",
];
const SEND_ANSWERED: [&str; 3] = [
    "sending, answered, Gbit/s on the wire",
    "sending, answered, Gbit per CPU-second of the gateway",
    "sending, answered, CPUs used by the machine",
];
/// The highest rate with little loss.
pub const HIGHEST_RATE: &str = "UDP 200, kpkt/s at <= 1 % loss";
/// What is delivered of floods, by the packets' size.
pub const FLOODS: [&str; 3] =
    ["UDP 64 flood, kpkt/s delivered", "UDP 200 flood, kpkt/s delivered", "UDP 1400 flood, kpkt/s delivered"];
/// The round trip time.
pub const RTT: &str = "idle RTT, ms";
/// The round trip time with pings that come sooner.
const RTT_OFTEN: [&str; 2] = ["RTT, a ping each ms, ms", "RTT, ping after ping, ms"];
/// Memory at rest and in a flood, and what waits in sockets in a flood.
pub const MEMORY: [&str; 3] =
    ["memory at rest, MiB", "memory in a flood, MiB", "waiting in sockets in a flood, MiB"];

/// All measures, in the order of tables.
pub const MEASURES: [&str; 28] = [
    TCP_1[0],
    TCP_4[0],
    TCP_8[0],
    TCP_1[1],
    TCP_4[1],
    TCP_8[1],
    TCP_1[2],
    TCP_4[2],
    TCP_8[2],
    TCP_1[3],
    TCP_4[3],
    TCP_8[3],
    SEND[0],
    SEND_ANSWERED[0],
    SEND[1],
    SEND_ANSWERED[1],
    SEND[2],
    SEND_ANSWERED[2],
    HIGHEST_RATE,
    FLOODS[0],
    FLOODS[1],
    FLOODS[2],
    RTT,
    RTT_OFTEN[0],
    RTT_OFTEN[1],
    MEMORY[0],
    MEMORY[1],
    MEMORY[2],
];
