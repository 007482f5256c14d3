//! A process that serves a gateway, and what it and its children cost.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

/// Clock ticks in a second in /proc (`USER_HZ`, the same on every architecture Linux has today).
const TICKS_PER_SECOND: f64 = 100.0;

/// A running process with its children, in a process group of its own. Killed when dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts a command in a namespace; its output goes to the log.
    pub fn start(namespace: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = fs::File::create(log)?;
        let mut whole = Command::new("ip");
        // `ip netns exec` becomes the command: same process id.
        whole.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
        whole.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        whole.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok(Self(whole.spawn().context("ip, of iproute2")?))
    }

    /// Its process id and its children's.
    pub fn pids(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                Some((pid, stat(pid)?.first()?.parse().ok()?))
            })
            .collect();
        let mut tree = vec![self.0.id()];
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        tree
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// The fields of /proc/PID/stat from the parent's process id on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    Some(text.rsplit_once(") ")?.1.split(' ').skip(1).map(str::to_owned).collect())
}

/// CPU seconds that processes have used, their system calls and their ended threads included. Soft interrupts are
/// charged to whoever was interrupted, so this says too much or too little of them; see [`machine_seconds`].
pub fn cpu_seconds(pids: &[u32]) -> f64 {
    // Fields 14 and 15 of proc(5), 4 being the first here.
    let ticks = |pid: &u32| {
        let fields = stat(*pid)?;
        Some(fields.get(10)?.parse::<f64>().ok()? + fields.get(11)?.parse::<f64>().ok()?)
    };
    pids.iter().filter_map(ticks).sum::<f64>() / TICKS_PER_SECOND
}

/// CPU seconds that the whole machine has spent working: everything but idle, waiting and stolen time.
pub fn machine_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq.
    [0, 1, 2, 5, 6].iter().filter_map(|i| ticks.get(*i)).sum::<f64>() / TICKS_PER_SECOND
}

/// Proportional set size of processes, in MiB.
pub fn memory_mib(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    pids.iter().filter_map(of).sum::<f64>() / 1024.0
}

/// What waits in the UDP and raw sockets of a process's network namespace, received or to be sent, with what the kernel
/// needs to hold it, in MiB.
pub fn sockets_mib(pid: u32) -> f64 {
    let namespace = format!("--net=/proc/{pid}/ns/net");
    let output =
        Command::new("nsenter").args([&namespace, "ss", "-H", "-u", "-w", "-a", "-n", "-m"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // skmem:(r<received>,rb<limit>,t<to be sent>,tb<limit>,…), see ss(8).
    let sockets = text.split("skmem:(").skip(1).filter_map(|socket| socket.split(')').next());
    let bytes = |field: &str| {
        let waits = field.strip_prefix(['r', 't']).and_then(|bytes| bytes.parse::<f64>().ok());
        waits.unwrap_or(0.0)
    };
    sockets.flat_map(|socket| socket.split(',')).map(bytes).sum::<f64>() / 1024.0 / 1024.0
}
