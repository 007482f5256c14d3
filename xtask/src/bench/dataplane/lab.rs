//! Four network namespaces: host, gateway, gateway, host. All of it is gone when the lab is dropped.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// MTU of the hosts' links: every tunnel carries such packets whole, so that all peers move the same packets.
pub const HOST_MTU: u16 = 1400;
/// The host behind the second gateway.
pub const FAR_HOST: &str = "10.2.0.2";
/// The host behind the first gateway.
pub const NEAR_HOST: &str = "10.1.0.2";
const NODES: [&str; 4] = ["ha", "ga", "gb", "hb"];

/// One of the two gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first, 198.51.100.1, before 10.1.0.0/24; it initiates.
    A,
    /// The second, 198.51.100.2, before 10.2.0.0/24.
    B,
}

impl Side {
    /// Both, the responder first.
    pub const BOTH: [Self; 2] = [Self::B, Self::A];

    /// `a` or `b`.
    pub fn letter(self) -> char {
        if self == Self::A { 'a' } else { 'b' }
    }

    /// The other one.
    pub fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }

    /// The network behind it.
    pub fn network(self) -> &'static str {
        if self == Self::A { "10.1.0.0/24" } else { "10.2.0.0/24" }
    }

    /// Its address on the wire.
    pub fn address(self) -> &'static str {
        if self == Self::A { "198.51.100.1" } else { "198.51.100.2" }
    }
}

/// How segments cross the veth pair that stands for the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wire {
    /// Cut before it, and joined again by the receiver's generic receive offload: as with a network card.
    Gro,
    /// Cut before it, and not joined: as with a network card that can't, or a driver without it.
    Nogro,
    /// Super-packets of up to 64 KiB cross whole: as between virtual machines of one host.
    Super,
}

/// The namespaces and a directory for the files of what runs in them.
pub struct Lab {
    name: String,
    directory: tempfile::TempDir,
}

impl Lab {
    /// Builds the namespaces. `tag` tells the labs of one process apart.
    pub fn new(tag: &str, wire: Wire) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("causeway-bench-").tempdir()?;
        let lab = Self { name: format!("cb{}{tag}", std::process::id() % 100_000), directory };
        shell(&lab.network_script())?;
        for side in Side::BOTH {
            let options = match wire {
                Wire::Super => continue,
                Wire::Nogro => "tso off gso off tx-udp-segmentation off gro off",
                Wire::Gro => "tso off gso off tx-udp-segmentation off gro on",
            };
            lab.exec(&lab.gateway(side), &format!("ethtool -K wan {options}"))?;
        }
        Ok(lab)
    }

    /// What the hosts' TCP judges the path by, in the kernel's words.
    ///
    /// # Errors
    /// Where the kernel has no such congestion control; the message says which it has.
    pub fn set_congestion_control(&self, name: &str) -> anyhow::Result<()> {
        let file = "/proc/sys/net/ipv4/tcp_available_congestion_control";
        let available = std::fs::read_to_string(file).context(file)?;
        let has = available.split_whitespace().any(|one| one == name);
        ensure!(has, "no congestion control {name:?} in this kernel; there are: {}", available.trim());
        for side in Side::BOTH {
            self.exec(&self.host(side), &format!("sysctl -qw net.ipv4.tcp_congestion_control={name}"))?;
        }
        Ok(())
    }

    fn network_script(&self) -> String {
        let name = &self.name;
        let mut script = String::from("set -e\n");
        for node in NODES {
            script += &format!("ip netns add {name}{node}; ip -n {name}{node} link set lo up\n");
        }
        script += &format!("ip link add wan netns {name}ga type veth peer name wan netns {name}gb\n");
        // No TIME_WAIT on the hosts: each transfer has the same ports.
        for (side, net) in [("a", 1), ("b", 2)] {
            let (host, gateway) = (format!("{name}h{side}"), format!("{name}g{side}"));
            script += &format!(
                "ip link add lan netns {host} type veth peer name lan netns {gateway}
                 for x in {host} {gateway}; do ip -n $x link set lan up mtu {HOST_MTU}; done
                 ip -n {host} addr add 10.{net}.0.2/24 dev lan
                 ip -n {gateway} addr add 10.{net}.0.1/24 dev lan
                 ip -n {host} route add default via 10.{net}.0.1
                 ip netns exec {host} sysctl -qw net.ipv4.tcp_max_tw_buckets=0
                 ip netns exec {gateway} sysctl -qw net.ipv4.ip_forward=1
                 ip -n {gateway} link set wan up
                 ip -n {gateway} addr add 198.51.100.{net}/24 dev wan\n"
            );
        }
        script
    }

    /// The namespace of a gateway.
    pub fn gateway(&self, side: Side) -> String {
        format!("{}g{}", self.name, side.letter())
    }

    /// The namespace of the host behind a gateway.
    pub fn host(&self, side: Side) -> String {
        format!("{}h{}", self.name, side.letter())
    }

    /// A name for a network interface that no other lab of this machine has.
    pub fn interface(&self, side: Side) -> String {
        format!("{}{}", self.name, side.letter())
    }

    /// A file of one gateway.
    pub fn path(&self, side: Side, file: &str) -> PathBuf {
        self.directory.path().join(format!("{}.{file}", side.letter()))
    }

    /// Runs a command in a namespace and gives its output.
    pub fn exec(&self, namespace: &str, command: &str) -> anyhow::Result<String> {
        shell(&format!("ip netns exec {namespace} {command}"))
    }

    /// Routes the other gateway's network into an interface.
    pub fn route_into(&self, side: Side, interface: &str) -> anyhow::Result<()> {
        let (gateway, network) = (self.gateway(side), side.other().network());
        shell(&format!("ip -n {gateway} route add {network} dev {interface}")).map(drop)
    }

    /// The end of what the gateways' daemons wrote.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for file in Side::BOTH.iter().flat_map(|side| [self.path(*side, "out"), self.path(*side, "log")]) {
            let whole = std::fs::read_to_string(&file).unwrap_or_default();
            let last: Vec<&str> = whole.lines().rev().take(20).collect();
            text += &format!("--- {}\n", file.display());
            last.iter().rev().for_each(|line| text += &format!("{line}\n"));
        }
        text
    }

    /// Waits until a ping goes from host to host and back.
    pub fn wait_for_path(&self) -> anyhow::Result<()> {
        let ping = format!("ip netns exec {} ping -n -q -c 1 -W 0.2 {FAR_HOST}", self.host(Side::A));
        let begun = Instant::now();
        while !try_shell(&ping)?.status.success() {
            ensure!(begun.elapsed() < Duration::from_secs(15), "no ping comes back");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What WireGuard's daemons leave when they are killed.
        for side in Side::BOTH {
            let _ = std::fs::remove_file(control_socket(&self.interface(side)));
        }
        for node in NODES {
            let _ = try_shell(&format!("ip netns del {}{node}", self.name));
        }
    }
}

/// Where a WireGuard daemon listens for its configuration, whatever its namespace: hence interface names of their own.
pub fn control_socket(interface: &str) -> PathBuf {
    PathBuf::from(format!("/var/run/wireguard/{interface}.sock"))
}

/// Runs a shell command; its output, or an error with what it said.
pub fn shell(command: &str) -> anyhow::Result<String> {
    let output = try_shell(command)?;
    if !output.status.success() {
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        bail!("{command}: {}\n{said}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a shell command for at most a minute.
pub fn try_shell(command: &str) -> anyhow::Result<Output> {
    let mut whole = Command::new("timeout");
    whole.args(["60", "sh", "-c", command]).stdin(Stdio::null()).output().context("timeout, of coreutils")
}

/// Makes something (a socket) in a network namespace.
pub fn inside<T: Send>(
    namespace: &str,
    make: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let work = || {
        let file = File::open(format!("/run/netns/{namespace}"))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        make()
    };
    // A thread of its own: the namespace is a thread's, and ends with it.
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
