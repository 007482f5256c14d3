//! The broker and its engine without a daemon: `uxfrm run -- sleep` in a namespace, asked by `ip xfrm`.

use super::{run, try_run, until};
use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A template for the addresses of [`Stand::with_links`].
pub const TUNNEL: &str = "tmpl src 198.51.100.1 dst 198.51.100.2 proto esp reqid 1 mode tunnel";

/// One broker. All of it is gone when this is dropped.
pub struct Stand {
    pub namespace: String,
    pub directory: tempfile::TempDir,
    pub broker: Child,
}

impl Stand {
    /// `prelude` is what the shell does before it starts `uxfrm run` with more `arguments`.
    pub fn new(name: &str, prelude: &str, arguments: &str) -> Self {
        let namespace = format!("uxb{}{name}", std::process::id());
        // One of that name is what a process left that was killed, and had this one's number.
        run(&format!("[ ! -e /run/netns/{namespace} ] || ip netns del {namespace}"));
        run(&format!("ip netns add {namespace}; ip -n {namespace} link set lo up"));
        Self::start(env!("CARGO_BIN_EXE_uxfrm"), namespace, prelude, arguments)
    }

    pub fn start(program: &str, namespace: String, prelude: &str, arguments: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("uxfrm-broker-").tempdir().unwrap();
        let path = |file: &str| directory.path().join(file).display().to_string();
        let log = std::fs::File::create(path("log")).unwrap();
        let command = format!(
            "{prelude} exec ip netns exec {namespace} {program} run --stats {} --control {} --vici {} {arguments} -- sleep 300",
            path("stats"),
            path("control"),
            path("vici"),
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).process_group(0).stdin(Stdio::null());
        let broker = shell.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let this = Self { namespace, directory, broker };
        // A child that was forked and is not yet another program has this one's arguments, the daemon's among them.
        let served = || this.path("control").exists() && this.children().contains("sleep");
        until("the broker", Duration::from_secs(30), served);
        this
    }

    /// With a host's interfaces `lan` and `wan`, whose far ends are here too.
    pub fn with_links(name: &str) -> Self {
        let stand = Self::new(name, "", "");
        let n = &stand.namespace;
        run(&format!(
            "set -e
             nsenter --net=/run/netns/{n} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
             for x in lan wan; do ip -n {n} link add $x type veth peer name p$x; ip -n {n} link set p$x up; ip -n {n} link set $x up; done
             ip -n {n} addr add 10.1.0.1/24 dev lan; ip -n {n} addr add 198.51.100.1/24 dev wan
             ip -n {n} addr add fd01::1/64 dev lan nodad; ip -n {n} addr add 2001:db8::1/64 dev wan nodad
             ip -n {n} route add default via 198.51.100.2; ip -n {n} route add default via 2001:db8::2"
        ));
        stand
    }

    /// What `ip xfrm policy` is asked, and does.
    pub fn xfrm(&self, request: &str) {
        let output = self.ip(&format!("xfrm policy {request}"));
        assert!(output.status.success(), "{request}: {output:?}");
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub fn children(&self) -> String {
        String::from_utf8(try_run(&format!("ps -o pid=,args= --ppid {}", self.broker.id())).stdout).unwrap()
    }

    pub fn child(&self, name: &str) -> Option<u32> {
        let list = self.children();
        list.lines().find(|line| line.contains(name))?.split_whitespace().next()?.parse().ok()
    }

    /// Runs `ip` with its XFRM sockets served by the broker.
    pub fn ip(&self, arguments: &str) -> std::process::Output {
        let uxfrm = env!("CARGO_BIN_EXE_uxfrm");
        try_run(&format!("{uxfrm} join --control {} -- ip {arguments}", self.path("control").display()))
    }

    pub fn batch(&self, lines: &str) {
        let file = self.path("batch");
        std::fs::write(&file, lines).unwrap();
        let output = self.ip(&format!("-batch {}", file.display()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn add_policies(&self, count: u32) {
        let mut lines = String::new();
        for i in 0..count {
            let (a, b) = (i / 250, i % 250);
            writeln!(
                lines,
                "xfrm policy add src 10.{a}.{b}.0/24 dst 10.99.0.0/16 dir out if_id 1 \
                 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 5 mode tunnel"
            )
            .unwrap();
        }
        self.batch(&lines);
    }

    pub fn add_states(&self, count: u32) {
        let mut lines = String::new();
        for i in 1..=count {
            writeln!(
                lines,
                "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi {:#x} reqid {i} mode tunnel if_id 1 \
                 aead 'rfc4106(gcm(aes))' 0x{i:040x} 128",
                0x1000 + i
            )
            .unwrap();
        }
        self.batch(&lines);
    }

    /// Policies of the engine, where it answers.
    pub fn policies(&self) -> Option<u32> {
        let output = self.ip("xfrm policy count");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = |mark| text.split(mark).nth(1)?.split_whitespace().next()?.parse::<u32>().ok();
        output.status.success().then(|| Some(count("OUT ")? + count("IN ")?))?
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.path("log")).unwrap_or_default());
        }
        // SAFETY: the process group that was made for it, not yet waited for.
        unsafe { libc::kill(-(self.broker.id() as i32), libc::SIGKILL) };
        let _ = self.broker.wait();
        if !self.namespace.is_empty() {
            let _ = try_run(&format!("ip netns del {}", self.namespace));
        }
    }
}
