//! After an engine was killed: every CHILD_SA that the daemon has is in the next one. Needs root.

mod support;

use std::process::Command;
use std::time::Duration;
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
        let start = std::time::Instant::now();
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
