//! A lab of four network namespaces: host, gateway, gateway, host. Gateway `a` runs charon on uxfrm; gateway `b` does too, or
//! runs a stock charon with its own kernel-libipsec as an independent peer. All of it is gone when the lab is dropped.

#![allow(dead_code)]

pub mod load;
mod network;
pub mod sas;
pub mod sniffer;
pub mod stand;
pub mod traffic;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const IF_ID: u32 = 42;

/// Who serves the gateways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// uxfrm on both.
    Uxfrm,
    /// uxfrm at `a`, kernel-libipsec at `b`.
    LibIpsec,
}

impl Peer {
    fn is_uxfrm(self, side: &str) -> bool {
        self == Peer::Uxfrm || side == "a"
    }
}

pub struct Options {
    pub peer: Peer,
    /// ESP proposals; one CHILD_SA configuration each, named `c0`, `c1`, …
    pub proposals: Vec<String>,
    pub outer_v6: bool,
    pub encapsulate: bool,
    /// Lines for each child.
    pub child: String,
    pub run_arguments: Vec<String>,
    /// Lines for the daemons' configuration.
    pub charon: String,
    /// No `if_id`: policies for all packets of a gateway. Whether charon installs routes of its own.
    pub policy_based: Option<bool>,
    /// Two routers between the gateways, and between them a link of this MTU.
    pub middle_mtu: Option<u16>,
    /// MTU of the hosts' links; where it is larger than the tunnel's, path MTU discovery has to work.
    pub host_mtu: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            peer: Peer::Uxfrm,
            proposals: vec!["aes128gcm16-esn".into()],
            outer_v6: false,
            encapsulate: true,
            child: String::new(),
            run_arguments: Vec::new(),
            charon: String::new(),
            policy_based: None,
            middle_mtu: None,
            host_mtu: 1400,
        }
    }
}

pub struct Lab {
    pub name: String,
    pub directory: tempfile::TempDir,
    options: Options,
    daemons: Vec<Child>,
}

/// Says why labs cannot run here, if so.
pub fn unavailable() -> Option<&'static str> {
    // SAFETY: no arguments, no failure.
    if unsafe { libc::geteuid() } != 0 {
        return Some("not root: network namespaces and TUN need it");
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("no /dev/net/tun");
    }
    None
}

/// Says that a test did not run, and why, also where the harness shows nothing of tests that pass.
pub fn skipped(reason: &str) {
    // A handle, unlike `eprintln!`, writes past the harness.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {reason}\n").as_bytes());
}

static TURN: Mutex<()> = Mutex::new(());

/// A test's turn on the machine's cores. Where each test is a process of its own, whoever starts them sees to it.
pub fn turn() -> MutexGuard<'static, ()> {
    // What a failed test has left is gone with its lab.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Skips the test, saying why, where labs cannot run. As root everything must work. Labs of one process take turns.
#[macro_export]
macro_rules! lab_or_skip {
    () => {
        if let Some(reason) = support::unavailable() {
            support::skipped(reason);
            return;
        }
        let _turn = support::turn();
    };
}

pub fn run(command: &str) -> String {
    let output = try_run(command);
    assert!(
        output.status.success(),
        "{command}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn try_run(command: &str) -> Output {
    Command::new("timeout").args(["60", "sh", "-c", command]).stdin(Stdio::null()).output().unwrap()
}

pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        sleep(Duration::from_millis(20));
    }
}

impl Lab {
    /// Builds the lab; the daemons run and are configured, nothing is initiated. `name` is short and unique.
    pub fn new(name: &str, options: Options) -> Self {
        let name = format!("ux{}{name}", std::process::id());
        let directory = tempfile::Builder::new().prefix("uxfrm-lab-").tempdir().unwrap();
        let mut lab = Self { name, directory, options, daemons: Vec::new() };
        lab.build_network();
        for side in ["a", "b"] {
            lab.write_configuration(side);
            let daemon = lab.start_daemon(side);
            lab.daemons.push(daemon);
        }
        for side in ["a", "b"] {
            let vici = lab.path(side, "vici");
            until("charon's VICI socket", Duration::from_secs(30), || vici.exists());
            lab.swanctl(side, &format!("--load-all --file {}", lab.path(side, "swanctl.conf").display()));
        }
        if lab.options.policy_based.is_none() {
            lab.route();
        }
        lab
    }

    pub fn path(&self, side: &str, file: &str) -> PathBuf {
        self.directory.path().join(format!("{side}.{file}"))
    }

    pub fn outer(&self, side: &str) -> String {
        let host = if side == "a" { 1 } else { 2 };
        if self.options.outer_v6 { format!("2001:db8::{host}") } else { format!("198.51.100.{host}") }
    }

    /// Runs a command in a namespace: `ha`, `ga`, `gb` or `hb`.
    pub fn exec(&self, node: &str, command: &str) -> String {
        run(&self.in_namespace(node, command))
    }

    pub fn in_namespace(&self, node: &str, command: &str) -> String {
        // `ip netns exec` makes a mount namespace as well, which a machine that removes many others keeps waiting for seconds.
        format!("nsenter --net=/run/netns/{}{node} {command}", self.name)
    }

    pub fn swanctl(&self, side: &str, arguments: &str) -> String {
        run(&format!("swanctl {arguments} --uri unix://{} 2>&1", self.path(side, "vici").display()))
    }

    /// Counters of a gateway's engine.
    pub fn stats(&self, side: &str) -> serde_json::Value {
        let uxfrm = env!("CARGO_BIN_EXE_uxfrm");
        let text = run(&format!("{uxfrm} stats --stats {}", self.path(side, "stats").display()));
        serde_json::from_str(&text).unwrap()
    }

    /// Sum of a counter over all SAs.
    pub fn sa_counter(&self, side: &str, counter: &str) -> u64 {
        let stats = self.stats(side);
        stats["sas"].as_array().unwrap().iter().map(|sa| sa["counters"][counter].as_u64().unwrap()).sum()
    }

    /// Process id of a gateway's engine (`uxfrm-engine`) or daemon (`charon-systemd`).
    pub fn child_pid(&self, side: &str, name: &str) -> u32 {
        self.find_child(side, name).unwrap_or_else(|| panic!("no {name} at {side}"))
    }

    /// As [`Self::child_pid`]: nothing where there is none for the moment.
    pub fn find_child(&self, side: &str, name: &str) -> Option<u32> {
        let parent = self.daemons[usize::from(side == "b")].id();
        let list = String::from_utf8(try_run(&format!("ps -o pid=,args= --ppid {parent}")).stdout).unwrap();
        let line = list.lines().find(|line| line.contains(name))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Process id of a gateway's `uxfrm run`.
    pub fn broker_pid(&self, side: &str) -> u32 {
        self.daemons[usize::from(side == "b")].id()
    }

    pub fn log(&self, side: &str) -> String {
        let text = |file| fs::read_to_string(self.path(side, file)).unwrap_or_default();
        text("out") + &text("log")
    }

    pub fn initiate(&self, child: &str) {
        self.swanctl("a", &format!("--initiate --child {child} --timeout 30"));
    }

    fn write_configuration(&self, side: &str) {
        let path = |file: &str| self.path(side, file).display().to_string();
        let libipsec = !self.options.peer.is_uxfrm(side);
        let (kernel, routes) =
            if libipsec { ("kernel-libipsec kernel-netlink", "yes") } else { ("kernel-netlink", "no") };
        let routes = if self.options.policy_based == Some(true) { "yes" } else { routes };
        let strongswan = format!(
            "charon-systemd {{
               install_routes = {routes}
               install_virtual_ip = no
               retransmit_timeout = 1
               {}
               load = random nonce openssl kdf pem pkcs1 x509 pubkey gcm aes sha1 sha2 hmac md5 des {kernel} socket-default vici
               plugins {{ vici {{ socket = unix://{} }} }}
               journal {{ default = -1 }}
               filelog {{ log {{ path = {}\n default = 1\n flush_line = yes }} }}
             }}",
            self.options.charon,
            path("vici"),
            path("log")
        );
        fs::write(path("strongswan.conf"), strongswan).unwrap();
        fs::write(path("swanctl.conf"), self.swanctl_conf(side, libipsec)).unwrap();
    }

    fn swanctl_conf(&self, side: &str, libipsec: bool) -> String {
        let other = if side == "a" { "b" } else { "a" };
        // kernel-libipsec knows no interfaces and routes by selector.
        let narrow = self.options.peer != Peer::Uxfrm || self.options.policy_based.is_some();
        let selector = |side: &str| match (narrow, side) {
            (false, _) => "0.0.0.0/0,::/0",
            (_, "a") => "10.1.0.0/24,fd01::/64",
            _ => "10.2.0.0/24,fd02::/64",
        };
        // The responder chooses a child by its selectors, which are all the same: it has one, with all proposals.
        let all = vec![self.options.proposals.join(",")];
        let proposals = if side == "a" { &self.options.proposals } else { &all };
        let children: String = proposals
            .iter()
            .enumerate()
            .map(|(i, proposal)| {
                format!(
                    "c{i} {{ local_ts = {}\n remote_ts = {}\n esp_proposals = {proposal}\n {} }}\n",
                    selector(side),
                    selector(other),
                    self.options.child
                )
            })
            .collect();
        let if_id = if libipsec || self.options.policy_based.is_some() {
            String::new()
        } else {
            format!("if_id_in = {IF_ID}\n if_id_out = {IF_ID}")
        };
        let encapsulate = if self.options.encapsulate { "yes" } else { "no" };
        format!(
            "connections {{ t {{
               version = 2\n local_addrs = {}\n remote_addrs = {}\n encap = {encapsulate}\n {if_id}
               proposals = aes128gcm16-x25519-prfsha256
               local {{ auth = psk\n id = {side}.example }}
               remote {{ auth = psk\n id = {other}.example }}
               children {{ {children} }} }} }}
             secrets {{ ike {{ secret = a-secret-of-the-lab }} }}",
            self.outer(side),
            self.outer(other)
        )
    }

    fn start_daemon(&self, side: &str) -> Child {
        let log = fs::File::create(self.path(side, "out")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}g{side}", self.name)]);
        if self.options.peer.is_uxfrm(side) {
            command.args([env!("CARGO_BIN_EXE_uxfrm"), "run"]);
            if self.options.policy_based.is_none() {
                command.args(["--interface", &IF_ID.to_string()]);
            }
            for file in ["vici", "control", "stats"] {
                command.arg(format!("--{file}")).arg(self.path(side, file));
            }
            command.args(&self.options.run_arguments).arg("--");
        }
        command.arg("/usr/sbin/charon-systemd").env("STRONGSWAN_CONF", self.path(side, "strongswan.conf"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        command.spawn().expect("ip, of iproute2")
    }

    fn route(&self) {
        let name = &self.name;
        // A charon with kernel-libipsec installs its own.
        for (side, net) in
            [("a", 2), ("b", 1)].into_iter().filter(|(side, _)| self.options.peer.is_uxfrm(side))
        {
            for range in [format!("10.{net}.0.0/24"), format!("fd0{net}::/64")] {
                run(&format!("ip -n {name}g{side} route add {range} dev ipsec{IF_ID}"));
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for side in ["a", "b"] {
                let log = self.log(side);
                let tail: Vec<_> = log.lines().rev().take(40).collect();
                eprintln!("--- {side}");
                tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        for daemon in &mut self.daemons {
            // SAFETY: the daemon's own process group, which was made for it and is not yet waited for.
            unsafe { libc::kill(-(daemon.id() as i32), libc::SIGKILL) };
            let _ = daemon.wait();
        }
        for node in ["ha", "ga", "gb", "hb", "ra", "rb"] {
            let _ = try_run(&format!("ip netns del {}{node}", self.name));
        }
    }
}
