//! A small share of a CPU for each worker thread. On a machine with few CPUs one worker a gateway fills it; bounded
//! workers leave room, so that more of them can carry more, and what does not grow with them shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// The `cpu` controller of cgroups v1: it takes single threads, which that of v2 does only in threaded subtrees.
const CONTROLLER: &str = "/sys/fs/cgroup/cpu";
/// The kernel's least quota, in microseconds: the shorter the periods, the less a stopped worker's queues must hold.
const QUOTA_US: u32 = 1_000;
/// How long is waited for threads to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the engine names its workers.
const WORKER: &str = "worker-";

/// Groups of one thread each. The threads must have been killed when it is dropped, else the groups stay.
pub struct Shares(Vec<PathBuf>);

impl Shares {
    /// Bounds each worker thread of these processes to `percent` of a CPU.
    ///
    /// # Errors
    /// Without that controller or the right to use it, and where no process has workers.
    pub fn bound(pids: &[u32], percent: u32) -> anyhow::Result<Self> {
        check()?;
        ensure!((1..=100).contains(&percent), "a share is 1 to 100 percent of a CPU");
        let mut this = Self(Vec::new());
        for thread in pids.iter().flat_map(|pid| workers(*pid)) {
            let group = Path::new(CONTROLLER).join(format!("causeway-bench-{thread}"));
            // One of that name is what a process left that was killed, and had this number.
            let _ = fs::remove_dir(&group);
            fs::create_dir(&group).with_context(|| group.display().to_string())?;
            this.0.push(group.clone());
            let write = |file: &str, value: u32| {
                fs::write(group.join(file), value.to_string()).with_context(|| format!("{file} of {thread}"))
            };
            write("cpu.cfs_period_us", QUOTA_US * 100 / percent)?;
            write("cpu.cfs_quota_us", QUOTA_US)?;
            write("tasks", thread)?;
        }
        ensure!(!this.0.is_empty(), "no worker threads to bound");
        Ok(this)
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        // An engine that was killed with its broker needs a moment to end.
        let begun = Instant::now();
        for group in &self.0 {
            while fs::remove_dir(group).is_err() && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Says what is missing to bound threads.
///
/// # Errors
/// Where the controller is not mounted or can't limit.
pub fn check() -> anyhow::Result<()> {
    ensure!(
        Path::new(CONTROLLER).join("tasks").exists(),
        "--worker-share needs the cpu controller of cgroups v1 at {CONTROLLER}"
    );
    // Of this look's own: another thread may look at the same time.
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let look = LOOKS.fetch_add(1, Ordering::Relaxed);
    let probe = Path::new(CONTROLLER).join(format!("causeway-bench-probe-{}-{look}", std::process::id()));
    fs::create_dir(&probe).with_context(|| format!("--worker-share: {}", probe.display()))?;
    let can = probe.join("cpu.cfs_quota_us").exists();
    let _ = fs::remove_dir(&probe);
    ensure!(can, "--worker-share needs a kernel with CFS_BANDWIDTH");
    Ok(())
}

/// Thread ids of a process's workers.
fn workers(pid: u32) -> Vec<u32> {
    let named = |thread: &u32| {
        fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm"))
            .is_ok_and(|name| name.starts_with(WORKER))
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_worker_gets_its_share_and_its_group_goes() {
        if let Err(missing) = check() {
            eprintln!("not tested: {missing:#}");
            return;
        }
        let (stop, stopped) = mpsc::channel::<()>();
        let (start, started) = mpsc::channel::<()>();
        // A thread gives itself its name, some time after it was spawned.
        let worker = thread::Builder::new().name(format!("{WORKER}0"));
        let worker = worker.spawn(move || start.send(()).map(|()| stopped.recv())).unwrap();
        started.recv().unwrap();
        let shares = Shares::bound(&[std::process::id()], 5).unwrap();
        let [group] = &shares.0[..] else { panic!("one worker, not {}", shares.0.len()) };
        let group = group.clone();
        let number =
            |file: &str| fs::read_to_string(group.join(file)).unwrap().trim().parse::<u32>().unwrap();
        assert_eq!(number("cpu.cfs_quota_us") * 100 / number("cpu.cfs_period_us"), 5);
        assert_eq!(workers(std::process::id()), [number("tasks")]);
        drop(stop);
        let _ = worker.join();
        drop(shares);
        assert!(!group.exists());
    }

    #[test]
    fn without_workers_nothing_is_bounded() {
        // The kernel's thread daemon.
        assert!(Shares::bound(&[2], 5).is_err());
        assert!(Shares::bound(&[std::process::id()], 0).is_err());
    }
}
