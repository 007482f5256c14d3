//! An engine that dies or hangs is replaced, and every CHILD_SA that the daemon has is in the next one; one that waits for the
//! kernel is not. Needs root.

mod support;

use std::process::Command;
use std::time::{Duration, Instant};
use support::stand::Stand;
use support::{Lab, Options, run, until};

/// How long anything may take to become so. What was asked for in vain is asked for again after ten seconds.
const PATIENCE: Duration = Duration::from_secs(40);

/// The engine dies at any moment of a rekey that either side has begun.
#[test]
fn an_engine_dies_during_a_rekey() {
    lab_or_skip!();
    let lab = Lab::new("dr", Options::default());
    lab.initiate("c0");
    for (i, delay) in ["0", "0.005", "0.01", "0.02", "0.03", "0.05"].into_iter().enumerate() {
        let engine = lab.child_pid("a", "uxfrm-engine");
        let mut killer =
            Command::new("sh").args(["-c", &format!("sleep {delay}; kill -9 {engine}")]).spawn().unwrap();
        let side = if i % 2 == 0 { "a" } else { "b" };
        lab.swanctl(side, "--rekey --child c0");
        killer.wait().unwrap();
        until("traffic", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
        until("all SAs", PATIENCE, || lab.has_all_sas("a"));
    }
    assert!(lab.swanctl("a", "--list-sas").contains("t: #1, ESTABLISHED"), "the IKE_SA is the same");
}

/// The daemon cannot be asked at first: it is asked again.
#[test]
fn the_daemon_is_asked_until_it_answers() {
    lab_or_skip!();
    let lab = Lab::new("da", Options::default());
    lab.initiate("c0");
    let (vici, hidden) = (lab.path("a", "vici"), lab.path("a", "hidden"));
    std::fs::rename(&vici, &hidden).unwrap();
    run(&format!("kill -9 {}", lab.child_pid("a", "uxfrm-engine")));
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(lab.ping("ha", "10.2.0.2", 1), 0, "nobody could be asked to rekey");
    std::fs::rename(&hidden, &vici).unwrap();
    until("traffic", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
}

/// Whether a stopped thread is in a call that moves packets.
fn works(thread: i32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap_or_default();
    let number: i64 = call.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(-1);
    [libc::SYS_read, libc::SYS_writev, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg]
        .contains(&number)
}

/// A worker that hangs in the middle of a packet is noticed, though the engine still answers.
#[test]
fn a_worker_hangs() {
    lab_or_skip!();
    let lab = Lab::new("wh", Options::default());
    lab.initiate("c0");
    let engine = lab.child_pid("a", "uxfrm-engine");
    let worker = std::fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten().find(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "worker-0")
    });
    let worker: i32 = worker.unwrap().file_name().to_str().unwrap().parse().unwrap();
    // Packets without an end, so that it is stopped at work and not while it waits.
    let flood = lab.in_namespace("ha", "ping -q -f -s 1000 -w 40 10.2.0.2");
    let mut flood = Command::new("sh").args(["-c", &format!("exec {flood}")]).spawn().unwrap();
    // Another engine, or none for the moment.
    let replaced = |limit: Duration| {
        let start = Instant::now();
        while start.elapsed() < limit {
            let name = std::fs::read_to_string(format!("/proc/{engine}/stat")).unwrap_or_default();
            if name.is_empty() || name.contains(") Z") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    };
    let mut looks = 0;
    let hung = (0..5000).any(|_| {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: one thread is stopped, waited for, and let go; no memory is touched.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_ATTACH, worker, nothing, nothing), 0);
            let mut status = 0;
            assert_eq!(libc::waitpid(worker, &mut status, libc::__WALL), worker);
            // Only what it does with packets is work; five times is enough, should one have been at the end of a step.
            let at_work = works(worker) && looks < 5;
            looks += u32::from(at_work);
            if at_work {
                // As long as an idle engine's ping and three of a busy one, and as much again.
                std::thread::sleep(Duration::from_secs(7));
            }
            // Who traces a thread must let it go before the process can end.
            libc::ptrace(libc::PTRACE_DETACH, worker, nothing, nothing);
            let hung = at_work && replaced(Duration::from_secs(2));
            if !hung {
                std::thread::sleep(Duration::from_micros(1700));
            }
            hung
        }
    });
    let _ = flood.kill();
    let _ = flood.wait();
    assert!(hung, "the engine with the stopped worker goes on");
    until("traffic", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
}

/// A cgroup that can be frozen: what is in it waits in the kernel then, as for one of its locks.
struct Freezer(std::path::PathBuf);

impl Freezer {
    /// Nothing where this machine lets nobody make one.
    fn new(name: &str) -> Option<Self> {
        let name = format!("uxb{}{name}", std::process::id());
        let parents = ["/sys/fs/cgroup/freezer", "/sys/fs/cgroup"].map(std::path::Path::new);
        let parent = parents.into_iter().find(|parent| parent.join("cgroup.procs").exists())?;
        std::fs::create_dir(parent.join(&name)).ok()?;
        let this = Self(parent.join(&name));
        this.set(false).then_some(this)
    }

    fn take(&self, process: u32) -> bool {
        std::fs::write(self.0.join("cgroup.procs"), process.to_string()).is_ok()
    }

    fn set(&self, frozen: bool) -> bool {
        // Of the first version of cgroups, and of the second.
        let first = std::fs::write(self.0.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" });
        first.is_ok() || std::fs::write(self.0.join("cgroup.freeze"), if frozen { "1" } else { "0" }).is_ok()
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.set(false);
        // Its processes end first.
        let start = Instant::now();
        while std::fs::remove_dir(&self.0).is_err() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An engine that waits for the kernel is given time: the next one would wait for the same, and a negotiation would have failed.
#[test]
fn an_engine_that_nothing_can_interrupt_is_given_time() {
    lab_or_skip!();
    let Some(freezer) = Freezer::new("fz") else {
        return support::skipped("no cgroup can be made to freeze processes in");
    };
    let stand = Stand::new("fz", "", "");
    let engine = stand.child("uxfrm-engine").unwrap();
    assert!(freezer.take(engine));
    assert!(freezer.set(true));
    let state = || std::fs::read_to_string(format!("/proc/{engine}/stat")).unwrap();
    until("a frozen engine", PATIENCE, || state().contains(") D "));
    let thaw = std::thread::spawn(move || {
        // Far longer than one that hangs is let live.
        std::thread::sleep(Duration::from_secs(4));
        assert!(freezer.set(false));
        freezer
    });
    let asked = Instant::now();
    let added = stand.ip("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 1 action block");
    assert!(added.status.success(), "{added:?}");
    assert!(asked.elapsed() > Duration::from_secs(2));
    assert_eq!((stand.policies(), stand.child("uxfrm-engine")), (Some(1), Some(engine)));
    let _freezer = thaw.join().unwrap();
    drop(stand);
}
