//! The benchmark of the data plane: two gateways and two hosts in network namespaces for each peer, and all peers in
//! turn in one run, round by round, so that other load on the machine hits all alike.

mod aims;
mod daemon;
mod document;
mod lab;
mod load;
mod losses;
mod measure;
mod peers;
pub mod relay;
mod report;
mod share;
pub mod soak;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, ensure};
use serde_json::json;

use lab::{Lab, Wire, shell};
use measure::{Ready, Test};
use peers::{Peer, Settings, strongswan};
use share::Bounded;

const EXPLANATION: &str = "\
Each peer has four network namespaces of its own: host, gateway, gateway, host. The hosts' links have an MTU of
1400 bytes, so that all tunnels (each with its natural MTU: 1400 for IPsec, 1420 for WireGuard, 1500 for OpenVPN)
carry the same packets whole and none fragments. The wire between the gateways has an MTU of 1500. A round runs every
test on every peer, test by test; medians of the rounds are told, with their ratio to plain routing in parentheses.

The gateways' CPU time is that of their processes, with their system calls. Soft interrupts are charged to whoever
they interrupt, so it stands beside the time of the whole machine, load generators included. UDP floods and the search
for the highest rate use a sender and a receiver of this program: ordinary packets, many with one system call.
Memory is the proportional set size of the larger gateway, all its processes, charon included.

Examples:
  cargo build --release -p uxfrm -p xtask
  target/release/xtask bench dataplane --tests tcp1,tcp4 --json target/dataplane.json
  target/release/xtask bench dataplane --tests udp-loss --wire nogro --peers plain,uxfrm,gotatun
  target/release/xtask bench dataplane --tests rtt --peers plain,relay,uxfrm,boringtun
  target/release/xtask bench dataplane --tests tcp8 --peers uxfrm --workers 1,2,4,8 --worker-share 5 --streams 8
  target/release/xtask bench dataplane --tests tcp8 --peers uxfrm --workers 1,2,4,8 --worker-share 5 --bounded sender
  target/release/xtask bench dataplane --tests send,send-answered --peers uxfrm --workers 1,2 --esp aes256-sha256
  target/release/xtask bench dataplane --tests tcp1 --peers plain,uxfrm,libipsec --esp aes256-sha256
  target/release/xtask bench dataplane --tests tcp4 --peers plain,uxfrm --uxfrm target/release/uxfrm,target/before/uxfrm
  target/release/xtask bench dataplane --tests tcp1,tcp4 --peers plain,uxfrm --losses
  target/release/xtask bench dataplane --from target/dataplane.json
  target/release/xtask bench dataplane --from target/dataplane.json --into crates/uxfrm/README.md,crates/uxfrm/MEASUREMENTS.md

`relay` is no tunnel: it carries single packets between its interface and a UDP socket and does nothing to them. What
an idle round trip through it takes is the floor for any tunnel in user space (its other results mean nothing).

Peers that no Debian package of this release holds are looked for in --programs:
  cargo install --locked --root target/peers boringtun-cli gotatun-cli
  wireguard-go of Debian trixie or newer, unpacked with dpkg -x (bookworm's, of 2022, knows no offload)";

/// What the tables are measured with; another stands in their names.
const USUAL_CONGESTION: &str = "bbr";

/// `cargo xtask bench dataplane`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXPLANATION)]
pub struct Dataplane {
    /// Who carries the packets, in the order of each round.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "plain,uxfrm,libipsec,openvpn,openvpn128,boringtun,gotatun,wireguard-go"
    )]
    peers: Vec<String>,
    /// How segments cross the wire.
    #[arg(long, value_enum, default_value = "gro")]
    wire: Wire,
    /// What is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "tcp1,tcp4,udp64,udp200,udp1400,udp-loss,rtt"
    )]
    tests: Vec<Test>,
    /// Congestion control of the hosts' TCP, whatever the machine's own is. bbr does not slow down for losses, cubic (most
    /// hosts have it) fills every queue on the way.
    #[arg(long, default_value = USUAL_CONGESTION)]
    congestion: String,
    /// Rounds; the medians are told.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// No round is begun that would end later than so many seconds after the first began.
    #[arg(long)]
    at_most_seconds: Option<u64>,
    /// Seconds of each transfer and flood.
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// ESP proposal in swanctl's words: aes128gcm16, aes256-sha256, …
    #[arg(long, default_value = "aes128gcm16")]
    esp: String,
    /// Pairs of uxfrm's worker threads (0: its own choice); several values make it run once with each.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    workers: Vec<usize>,
    /// SAs of uxfrm for single streams of TCP, beside the one for everything.
    #[arg(long, default_value_t = 0)]
    streams: u16,
    /// Seconds between rekeys of uxfrm's SAs.
    #[arg(long)]
    rekey_seconds: Option<u32>,
    /// Percent of a CPU for each of uxfrm's workers, so that several have room on a machine with few CPUs; 100 for no
    /// bound.
    #[arg(long, default_value_t = 100)]
    worker_share: u32,
    /// Whose workers are bounded so. An SA is opened by one worker; with the sender's bounded alone, what shows is sending.
    #[arg(long, value_enum, default_value = "both")]
    bounded: Bounded,
    /// The `uxfrm` program, built with `cargo build --release --package uxfrm`; several builds are compared.
    #[arg(long, value_delimiter = ',', default_value = "target/release/uxfrm")]
    uxfrm: Vec<PathBuf>,
    /// Where boringtun-cli, gotatun and wireguard-go are.
    #[arg(long, default_value = "target/peers/bin")]
    programs: PathBuf,
    /// Tell what TCP sent again and why, and every drop on the way: each round, and sums in tables.
    #[arg(long)]
    losses: bool,
    /// Append every value to this file, a line of JSON for each run.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure nothing: print the tables of such a file.
    #[arg(long)]
    from: Option<PathBuf>,
    /// With --from: put the tables into these documents instead, between their marks `<!-- bench WIRE-ESP -->` and
    /// `<!-- end -->`.
    #[arg(long, value_delimiter = ',', requires = "from")]
    into: Vec<PathBuf>,
}

/// Measures and prints.
///
/// # Errors
/// When a lab can't be built or a peer that is there does not work.
pub fn run(options: &Dataplane) -> anyhow::Result<()> {
    if let Some(file) = &options.from {
        if options.into.is_empty() {
            return report::print_file(file, options.losses);
        }
        let runs = report::read(file)?;
        for document in &options.into {
            let (made, stayed) = document::replace_tables(document, &runs)?;
            println!("{}: made {made:?}, no runs for {stayed:?}", document.display());
        }
        return Ok(());
    }
    check_machine()?;
    if options.worker_share < 100 {
        share::check()?;
    }
    let settings = Settings {
        uxfrm: options.uxfrm.clone(),
        programs: std::path::absolute(&options.programs)?,
        esp: options.esp.clone(),
        workers: options.workers.clone(),
        streams: options.streams,
        child: options.rekey_seconds.map(strongswan::rekeyed_every).unwrap_or_default(),
    };
    let (mut ready, skipped) = prepare(options, &settings)?;
    let (first, mut rounds) = (Instant::now(), 0);
    for round in 0..options.rounds {
        // As long as those before it, on average.
        let expected_end = first.elapsed() + first.elapsed() / u32::try_from(round.max(1))?;
        if options.at_most_seconds.is_some_and(|most| expected_end.as_secs() > most) {
            eprintln!("{round} rounds, for more there is no time");
            break;
        }
        rounds = round + 1;
        for test in &options.tests {
            for peer in &mut ready {
                let begun = Instant::now();
                match peer.run(*test, options.seconds) {
                    Ok(grown) => {
                        let (of, took) = (options.rounds, begun.elapsed().as_secs_f64());
                        eprintln!("round {} of {of}: {test:?}, {}: {took:.1} s", round + 1, peer.name);
                        if options.losses {
                            grown.iter().for_each(|(name, by)| eprintln!("  {by:>8} {name}"));
                        }
                    }
                    Err(error) => {
                        eprintln!("round {}: {test:?}, {}: FAILED: {error:#}", round + 1, peer.name)
                    }
                }
            }
        }
    }
    let setting = json!({
        "wire": format!("{:?}", options.wire).to_lowercase(), "esp": options.esp, "workers": options.workers,
        "streams": options.streams, "worker_share": options.worker_share, "rekey_seconds": options.rekey_seconds,
        "rounds": rounds, "seconds": options.seconds, "machine": machine(),
        "congestion": options.congestion,
        "bounded": format!("{:?}", options.bounded).to_lowercase(),
    });
    let peers: Vec<_> = ready.iter().map(Ready::record).collect();
    let record = report::record(&setting, &peers, &skipped);
    if let Some(file) = &options.json {
        report::append(file, &record)?;
    }
    report::print(&[record], options.losses);
    Ok(())
}

/// Says what is missing on this machine, if so.
pub fn check_machine() -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "network namespaces and TUN need root");
    ensure!(std::path::Path::new("/dev/net/tun").exists(), "no /dev/net/tun");
    for (tool, package) in
        [("iperf3", "iperf3"), ("ip", "iproute2"), ("ethtool", "ethtool"), ("ping", "iputils-ping")]
    {
        ensure!(shell(&format!("command -v {tool}")).is_ok(), "no {tool}: apt-get install {package}");
    }
    Ok(())
}

/// Processor, its number, kernel.
fn machine() -> String {
    let model = "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1";
    let text = shell(&format!("nproc; {model}; uname -r; cut -d' ' -f1 /proc/loadavg")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    match lines[..] {
        [cpus, model, kernel, load] => {
            format!("{cpus} CPUs of {model}, Linux {kernel}, load {load} at the end")
        }
        _ => text.replace('\n', " "),
    }
}

fn prepare(options: &Dataplane, settings: &Settings) -> anyhow::Result<(Vec<Ready>, Vec<String>)> {
    let (mut ready, mut skipped) = (Vec::new(), Vec::new());
    for name in &options.peers {
        let found = peers::find(name, settings);
        if found.is_empty() {
            bail!("no peer is named {name}; there are: {}", peers::NAMES.join(", "));
        }
        for peer in found {
            if let Some(missing) = peer.missing() {
                eprintln!("{} is not measured: {missing}", peer.name());
                skipped.push(format!("{}: {missing}", peer.name()));
                continue;
            }
            let lab = Lab::new(&ready.len().to_string(), options.wire)?;
            lab.set_congestion_control(&options.congestion)?;
            let mut up = bring_up(peer.as_ref(), lab)?;
            if options.worker_share < 100 && name == "uxfrm" {
                up.bound(options.worker_share, options.bounded)?;
            }
            ready.push(up);
        }
    }
    // When all have started, so that one's start does not disturb another's rest.
    ready.iter_mut().for_each(Ready::note_rest);
    Ok((ready, skipped))
}

fn bring_up(peer: &dyn Peer, lab: Lab) -> anyhow::Result<Ready> {
    let begun = Instant::now();
    let daemons = peer.start(&lab).inspect_err(|_| eprintln!("{}:\n{}", peer.name(), lab.logs()))?;
    lab.wait_for_path().inspect_err(|_| eprintln!("{}:\n{}", peer.name(), lab.logs()))?;
    eprintln!("{} is up after {:.1} s: {}", peer.name(), begun.elapsed().as_secs_f64(), peer.version());
    Ready::new(peer.name(), peer.version(), daemons, lab)
}
